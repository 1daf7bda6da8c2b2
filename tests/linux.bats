# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # scripts for the lab expand there
# Stock Debian kernels in the lab: how they end, and what they do with disks of all kinds.

load linux

run_text() # SCRIPT-TEXT [OPTION OF LAB RUN]...
{
	{
		echo "iommu=$iommu"
		echo "$1"
	} >"$BATS_TEST_TMPDIR/script"
	in_lab "${@:2}" --guest "$newest" "$BATS_TEST_TMPDIR/script"
}

# The kernels for arm64 and riscv64 have no driver for pvpanic: they reset, with panic=-1.
@test "poweroff and reboot end lkvm with status 0, a panic with 1 and a message" {
	local panic=$'panic 0\n0'

	[ "$arch" != x86 ] || panic=$'panic 1\n1'
	run_text '
		lab-guest --elf $iommu -m 512 -- -c "poweroff -f"; echo "poweroff $?"
		lab-guest --elf $iommu -m 512 -c 2 -- -c "reboot -f"; echo "reboot $?"
		lab-guest --elf $iommu -m 512 -- -c "echo c >/proc/sysrq-trigger" 2>err
		echo "panic $?"
		grep -c "lkvm: error: the guest panicked" err'
	[[ $output == *'poweroff 0'* ]]
	[[ $output == *'reboot 0'* ]]
	[[ $output == *"$panic" ]]
}

# bats test_tags=not-riscv64
@test "memory beyond 4 GiB, with the disk behind the virtio-iommu" {
	run_text '
		dd if=/dev/urandom of=disk.img bs=1M count=16 2>/dev/null
		sum=$(sha256sum <disk.img)
		lab-guest --elf $iommu --trace iommu -m 5G -d disk.img -- -c "
			read -r _ total _ </proc/meminfo
			[ \$total -ge 4900000 ] || echo too little
			[ \"\$(sha256sum </dev/vda)\" = \"$sum\" ] && echo same" 2>trace
		grep -q "lkvm: iommu: map .* gpa=0x1[0-9a-f]\{8\} " trace && echo above
	' --memory 6144
	[ "$status" = 0 ]
	[ "$output" = 'same
above' ]
}

@test "a block device with direct I/O: flush, discard, a file system" {
	run_text '
		modprobe loop
		truncate -s 64M image
		loop=$(losetup -f) && losetup "$loop" image
		dd if=/dev/urandom of="$loop" bs=1M count=64 2>/dev/null
		lab-guest --elf $iommu -m 512 -d "$loop,direct,queues=2,serial=abc" -- -c "
			cat /sys/block/vda/serial; echo
			blkdiscard /dev/vda && tr -d \"\\\\0\" </dev/vda | wc -c
			mke2fs -q /dev/vda && mount -t ext2 /dev/vda /mnt &&
				dd if=/dev/urandom of=/mnt/file bs=1M count=20 2>/dev/null &&
				sha256sum </mnt/file && umount /mnt && echo unmounted" >output
		echo "status $?"
		cat output
		mount -t ext2 -o ro "$loop" /mnt && grep -q "$(sha256sum </mnt/file)" output &&
			echo "the host has the same file"'
	[ "$status" = 0 ]
	[[ $output == *'status 0
abc
0
'*'unmounted
the host has the same file' ]]
}

@test "20 disks on MMIO behind the virtio-iommu; on x86 two and three devices to a wire" {
	local wires

	# One for each virtio device, the virtio-iommu too; on x86 all there are.
	case $arch in
	x86) wires='9 wires'$'\n20' ;;
	riscv64) wires='20 wires'$'\n0' ;;
	*) wires='21 wires'$'\n20' ;;
	esac
	run_text '
		for i in $(seq 20); do
			dd if=/dev/urandom of=$i.img bs=64k count=1 2>/dev/null
			sha256sum $i.img
		done | sort >sums
		for i in $(seq 20); do
			disks="$disks -d $i.img,serial=$i"
		done
		lab-guest --elf $iommu --virtio-transport mmio -m 512 $disks -- -c "
			for disk in /sys/block/vd*; do
				sum=\$(sha256sum /dev/\${disk##*/})
				echo \"\${sum%% *}  \$(cat \$disk/serial).img\"
			done | sort
			echo \$(grep -v PCI-MSI /proc/interrupts | grep -c virtio) wires
			echo \$(ls /sys/kernel/iommu_groups 2>/dev/null | wc -l) groups" >output
		echo "status $?"
		grep img output | cmp - sums && echo same
		grep -v img output'
	[ "$status" = 0 ]
	[ "$output" = "status 0
same
$wires groups" ]
}

# bats test_tags=not-arm64,not-riscv64
@test "make run-linux's shell on a terminal, left by poweroff" {
	run "$tools/pty-run" 'expect=# ' \
		'send=ls /sys/kernel/iommu_groups/0/devices\x0d' 'expect=0000:00:02.0' \
		'send=poweroff\x0d' -- "$BATS_TEST_DIRNAME/run-linux" x86
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *'reboot: Power down'* ]]
}
