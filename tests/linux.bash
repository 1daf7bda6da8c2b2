# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Shared by the .bats files that boot guests in the lab, the same ones for each architecture: what
# differs is here. A test that makes no sense for one has the tag not-ARCH. What bats sets, and
# what they use, is not seen here:
# shellcheck disable=SC2034,SC2154

load helpers

case ${LKVM_TEST_ARCH:-${ARCH:-$(uname -m)}} in
x86 | x86_64) arch=x86 ;;
arm64 | aarch64) arch=arm64 ;;
*) arch=${LKVM_TEST_ARCH:-${ARCH:-$(uname -m)}} ;;
esac
lab=$BATS_TEST_DIRNAME/lab/lab
scripts=$BATS_TEST_DIRNAME/linux
tools=${LKVM_TEST_BIN:-$tree/build/$arch/tests}

# The kernels that there are: the newest with virtio-iommu driver, an older one with it, one whose
# pages are larger, one with a driver for the power button. The options that put devices behind
# the virtio-iommu are empty where no stock kernel has its driver.
newest=7 older=6.12 pages=7 button=7 iommu=--iommu=virtio yes=yes
case $arch in
arm64)
	pages=7-16k button=7-16k
	;;
riscv64)
	newest=6.12 pages=6.12 button='' iommu='' yes=no
	;;
esac

# lab run with these options, for this architecture.
in_lab() # [OPTION]... SCRIPT [FILE]...
{
	local -a options=()

	while [[ $1 == -?* ]]; do
		options+=("$1" "$2")
		shift 2
	done
	run "$lab" run "${options[@]}" "$arch" "$@"
	echo "$output"
}

setup_file()
{
	"$lab" fetch "$arch"
}
