# SPDX-License-Identifier: GPL-2.0-only
# The virtio console with stock Debian kernels in the lab, behind the virtio-iommu and without.

lab=$BATS_TEST_DIRNAME/lab/lab
tools=${LKVM_TEST_BIN:-$BATS_TEST_DIRNAME/../build/x86/tests}

setup_file()
{
	"$lab" fetch x86
}

channels() # KERNEL OPTIONS
{
	run "$lab" run --guest "$1" --env KERNEL="$1" --env OPTIONS="$2" x86 "$BATS_TEST_DIRNAME/linux/console.sh" \
		"$BATS_TEST_DIRNAME/linux/console-guest.sh" "$tools/socket-cat"
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *'the client went'* ]]
}

@test "linux-console: channels and a console in a file, Debian 7.x behind the virtio-iommu" {
	channels 7 --iommu=virtio
}

@test "linux-console: channels and a console in a file, Debian 6.12 without an IOMMU" {
	channels 6.12 ''
}

terminal() # KERNEL OPTIONS
{
	run "$lab" run --guest "$1" --env KERNEL="$1" --env OPTIONS="$2" x86 \
		"$BATS_TEST_DIRNAME/linux/console-tty.sh" "$tools/pty-run"
	echo "$output"
	[ "$status" = 0 ]
	[ "$output" = 'console hvc0
command line: console=hvc0
first: 30 100
now: 41 97
read: typed' ]
}

@test "linux-console: hvc0 on the terminal, Debian 6.12, its size by the configuration" {
	terminal 6.12 ''
}

@test "linux-console: hvc0 on the terminal, Debian 7.x behind the virtio-iommu, its size by RESIZE" {
	terminal 7 '--iommu=virtio --console null'
}
