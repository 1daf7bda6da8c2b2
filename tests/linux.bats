# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # scripts for the lab expand there
# Stock Debian kernels in the lab. Each test boots a KVM host in QEMU and in it a guest
# with one vCPU and one with two, which check from the inside what they got.

lab=$BATS_TEST_DIRNAME/lab/lab

setup_file()
{
	"$lab" fetch x86
}

# Two disks behind the virtio-iommu, each in a group of its own; the third is outside.
behind='0000:00:02.0 0000:00:03.0'

boot() # KERNEL GROUPS TYPE OPTIONS APPEND [READ WRITE OFF]
{
	run "$lab" run --guest "$1" --env KERNEL="$1" --env GROUPS="$2" --env TYPE="$3" \
		--env OPTIONS="$4" --env APPEND="$5" --env READ="$6" --env WRITE="$7" --env OFF="$8" \
		x86 "$BATS_TEST_DIRNAME/linux/boot.sh" \
		"$BATS_TEST_DIRNAME/linux/guest-check.sh" \
		"$BATS_TEST_DIRNAME/linux/expected-dmesg"
	echo "$output"
	[ "$status" = 0 ]
	[ "$output" = "1 vCPUs: done
2 vCPUs: done" ]
}

@test "Debian 7.x without an IOMMU" {
	boot 7 '' '' '' ''
}

@test "Debian 7.x behind the virtio-iommu, strict" {
	boot 7 "$behind" DMA --iommu=virtio iommu.strict=1
}

@test "Debian 7.x behind the virtio-iommu, lazy" {
	boot 7 "$behind" DMA-FQ --iommu=virtio iommu.strict=0
}

@test "Debian 6.12 without an IOMMU" {
	boot 6.12 '' '' '' ''
}

@test "Debian 6.12 behind the virtio-iommu, strict" {
	boot 6.12 "$behind" DMA --iommu=virtio iommu.strict=1
}

@test "Debian 6.12 behind the virtio-iommu, lazy" {
	boot 6.12 "$behind" DMA-FQ --iommu=virtio iommu.strict=0
}

# The devices on MMIO are LNRO0005:00 and so on, in the order of their places.
both='0000:00:02.0 LNRO0005:00'

@test "Debian 7.x, the virtio-iommu on PCI, disks on PCI and MMIO" {
	boot 7 "$both" DMA --iommu=virtio iommu.strict=1 '' ,transport=mmio ,transport=mmio
}

@test "Debian 6.12, the virtio-iommu on MMIO, disks on PCI and MMIO" {
	boot 6.12 '0000:00:01.0 LNRO0005:01' DMA --iommu=virtio,transport=mmio iommu.strict=1 \
		'' ,transport=mmio
}

@test "Debian 6.1, which has no driver, without an IOMMU" {
	boot 6.1 '' '' '' ''
}

@test "Debian 6.1, which has no driver, with bypass=on" {
	boot 6.1 '' '' --iommu=virtio,bypass=on ''
}

@test "Debian 7.x with INTx instead of MSI-X" {
	boot 7 "$behind" DMA --iommu=virtio 'pci=nomsi iommu.strict=1'
}

@test "a domain that passes everything through, with bypass flag" {
	boot 7 "$behind" identity --iommu=virtio iommu.passthrough=1
}

in_lab() # SCRIPT-TEXT
{
	echo "$1" >"$BATS_TEST_TMPDIR/script"
	run "$lab" run x86 "$BATS_TEST_TMPDIR/script"
	echo "$output"
}

@test "poweroff and reboot end lkvm with status 0, a panic with 1 and a message" {
	in_lab '
		lab-guest --elf --iommu=virtio -m 512 -- -c "poweroff -f"; echo "poweroff $?"
		lab-guest --elf --iommu=virtio -m 512 -c 2 -- -c "reboot -f"; echo "reboot $?"
		lab-guest --elf --iommu=virtio -m 512 -- -c "echo c >/proc/sysrq-trigger" 2>err
		echo "panic $?"
		grep -c "lkvm: error: the guest panicked" err'
	[ "$status" = 0 ]
	[[ $output == *'poweroff 0'* ]]
	[[ $output == *'reboot 0'* ]]
	[[ $output == *'panic 1
1' ]]
}

@test "memory beyond the 32-bit hole, with the disk behind the virtio-iommu" {
	run "$lab" run --memory 6144 x86 - <<-'EOF'
		dd if=/dev/urandom of=disk.img bs=1M count=16 2>/dev/null
		sum=$(sha256sum <disk.img)
		lab-guest --elf --iommu=virtio --trace iommu -m 5G -d disk.img -- -c "
			awk '/MemTotal/ { exit \$2 < 4900000 }' /proc/meminfo || echo too little
			[ \"\$(sha256sum </dev/vda)\" = '$sum' ] && echo same" 2>trace
		grep -q 'lkvm: iommu: map .* gpa=0x1[0-9a-f]\{8\} ' trace && echo above
	EOF
	echo "$output"
	[ "$status" = 0 ]
	[ "$output" = 'same
above' ]
}

@test "a block device with direct I/O: flush, discard, a file system" {
	in_lab '
		modprobe loop
		truncate -s 64M image
		loop=$(losetup -f) && losetup "$loop" image
		dd if=/dev/urandom of="$loop" bs=1M count=64 2>/dev/null
		lab-guest --elf --iommu=virtio -m 512 -d "$loop,direct,queues=2,serial=abc" -- -c "
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

@test "20 disks on MMIO behind the virtio-iommu, two and three devices to a wire" {
	in_lab '
		for i in $(seq 20); do
			dd if=/dev/urandom of=$i.img bs=64k count=1 2>/dev/null
			sha256sum $i.img
		done | sort >sums
		for i in $(seq 20); do
			disks="$disks -d $i.img,serial=$i"
		done
		lab-guest --iommu=virtio --virtio-transport mmio -m 512 $disks -- -c "
			for disk in /sys/block/vd*; do
				sum=\$(sha256sum /dev/\${disk##*/})
				echo \"\${sum%% *}  \$(cat \$disk/serial).img\"
			done | sort
			echo \$(grep -c \"IO-APIC.*virtio\" /proc/interrupts) wires
			echo \$(ls /sys/kernel/iommu_groups | wc -l) groups" >output
		echo "status $?"
		grep img output | cmp - sums && echo same
		grep -v img output'
	[ "$status" = 0 ]
	[ "$output" = 'status 0
same
10 wires
20 groups' ]
}

@test "make run-linux's shell on a terminal, left by poweroff" {
	run "${LKVM_TEST_BIN:-build/x86/tests}/pty-run" 'expect=# ' \
		'send=ls /sys/kernel/iommu_groups/0/devices\x0d' 'expect=0000:00:02.0' \
		'send=poweroff\x0d' -- "$BATS_TEST_DIRNAME/run-linux"
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *'reboot: Power down'* ]]
}
