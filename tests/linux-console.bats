# SPDX-License-Identifier: GPL-2.0-only
# The virtio console with stock Debian kernels in the lab, behind the virtio-iommu and without.

load linux

channels() # KERNEL OPTIONS
{
	in_lab --guest "$1" --env KERNEL="$1" --env OPTIONS="$2" "$scripts/console.sh" \
		"$scripts/console-guest.sh" "$tools/socket-cat"
	[ "$status" = 0 ]
	[[ $output == *'the client went'* ]]
}

@test "linux-console: channels and a console in a file, behind the virtio-iommu" {
	channels "$pages" "$iommu"
}

# bats test_tags=not-arm64,not-riscv64
@test "linux-console: channels and a console in a file, Debian 6.12 without an IOMMU" {
	channels 6.12 ''
}

terminal() # KERNEL OPTIONS
{
	in_lab --guest "$1" --env KERNEL="$1" --env OPTIONS="$2" "$scripts/console-tty.sh" \
		"$tools/pty-run"
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

# bats test_tags=not-riscv64
@test "linux-console: hvc0 on the terminal, behind the virtio-iommu, its size by RESIZE" {
	terminal "$newest" "$iommu --console null"
}
