# SPDX-License-Identifier: GPL-2.0-only
# Stock Debian kernels in the lab, each with three disks, behind the virtio-iommu and without. They
# check from the inside what they got.

load linux

# The table is that of linux/boot.sh; each test boots a KVM host and in it a guest for each row.
boot() # [OPTION OF LAB RUN]...
{
	cat >"$BATS_TEST_TMPDIR/table"
	in_lab "$@" "$scripts/boot.sh" "$scripts"/{places.sh,guest-check.sh,expected-dmesg} \
		"$BATS_TEST_TMPDIR/table"
	[ "$status" = 0 ]
	[ "$output" = "$(awk -F '|' '{ print $1 ", " $2 " vCPUs, " $5 " " $6 " " $7 ": done" }' \
		"$BATS_TEST_TMPDIR/table")" ]
}

# bats test_tags=not-riscv64
@test "boot: the newest kernel behind the virtio-iommu: strict, lazy, passed through" {
	boot --guest "$newest" <<-EOT
		$newest|1||02.0 03.0|DMA|$iommu|iommu.strict=1
		$newest|2|elf|02.0 03.0|DMA-FQ|$iommu|iommu.strict=0
		$newest|1|elf|02.0 03.0|identity|$iommu|iommu.passthrough=1
	EOT
}

# bats test_tags=not-riscv64
@test "boot: the newest kernel behind the virtio-iommu: INTx, packed rings, disks on PCI and MMIO" {
	boot --guest "$newest" <<-EOT
		$newest|1|elf|02.0 03.0|DMA|$iommu|pci=nomsi iommu.strict=1
		$newest|2|elf|02.0 03.0|DMA|$iommu --virtio-ring=packed|iommu.strict=1
		$newest|2|elf|02.0 mmio0|DMA|$iommu|iommu.strict=1||,transport=mmio|,transport=mmio
	EOT
}

# bats test_tags=not-riscv64
@test "boot: Debian 6.12 behind the virtio-iommu: strict, the IOMMU on MMIO" {
	boot --guest 6.12 <<-EOT
		6.12|2||02.0 03.0|DMA|$iommu|iommu.strict=1
		6.12|1|elf|01.0 mmio1|DMA|$iommu,transport=mmio|iommu.strict=1||,transport=mmio|,transport=mmio
	EOT
}

# bats test_tags=not-x86,not-riscv64
@test "boot: a kernel with pages of 16 KiB behind the virtio-iommu: strict, lazy, on MMIO" {
	boot --guest "$pages" <<-EOT
		$pages|2||02.0 03.0|DMA|$iommu|iommu.strict=1
		$pages|1||02.0 03.0|DMA-FQ|$iommu|iommu.strict=0
		$pages|2||mmio1 mmio2|DMA|$iommu --virtio-transport=mmio|iommu.strict=1
		$pages|1|||||
	EOT
}

# Linux on x86 maps no doorbells.
# bats test_tags=not-x86,not-riscv64
@test "boot: messages that go through the IOMMU: the guest maps the doorbell" {
	boot --guest 6.12 --guest "$pages" <<-EOT
		6.12|2|elf|02.0 03.0|DMA|$iommu,msi=mapped|iommu.strict=1
		6.12|1|elf|02.0 mmio0|DMA-FQ|$iommu,msi=mapped|iommu.strict=0||,transport=mmio|,transport=mmio
		6.12|1|elf|02.0 03.0|identity|$iommu,msi=mapped|iommu.passthrough=1
		$pages|2||02.0 03.0|DMA|$iommu,msi=mapped,granule=16K|iommu.strict=1
	EOT
}

# A device tree says that the disks are behind an IOMMU: Linux waits for its driver, for a while.
# bats test_tags=not-riscv64
@test "boot: without an IOMMU; Debian 6.1, which has no driver for it, with bypass=on, too" {
	boot --guest 6.12 --guest 6.1 <<-EOT
		6.12|1|elf||||
		6.1|1|||||
		6.1|2||||$iommu,bypass=on|deferred_probe_timeout=0
	EOT
}

# bats test_tags=not-x86,not-riscv64
@test "boot: GICv2, with the frame for messages and without" {
	boot --qemu '-machine gic-version=2' --guest 6.12 <<-EOT
		6.12|2||02.0 03.0|DMA|$iommu --irqchip=gicv2m|iommu.strict=1
		6.12|1||02.0 mmio0|DMA|$iommu --irqchip=gicv2|iommu.strict=1||,transport=mmio|,transport=mmio
	EOT
}

# bats test_tags=not-x86,not-arm64
@test "boot: AIA: messages, INTx, disks on MMIO, and a virtio-iommu that bypasses" {
	boot --guest 6.12 <<-EOT
		6.12|1|||||
		6.12|2||||--virtio-ring=packed|
		6.12|1|||||pci=nomsi
		6.12|2|||||||,transport=mmio|,transport=mmio
		6.12|1||||--iommu=virtio,bypass=on|deferred_probe_timeout=0
	EOT
}

# bats test_tags=not-x86,not-arm64
@test "boot: PLIC, on a host without AIA" {
	boot --qemu '-machine aia=none' --guest 6.12 <<-EOT
		6.12|1|||||
		6.12|2|||||||,transport=mmio|,transport=mmio
	EOT
}
