# SPDX-License-Identifier: GPL-2.0-only
# The built-in guest in the lab, on machines of all kinds: it finds the virtio-iommu as a kernel
# does, and checks it.

load linux

# The table is that of linux/demo.sh; each test boots a KVM host.
demo() # [OPTION OF LAB RUN]...
{
	cat >"$BATS_TEST_TMPDIR/table"
	in_lab "$@" --guest 6.12 "$scripts/demo.sh" "$BATS_TEST_TMPDIR/table"
	[ "$status" = 0 ]
	[ "$output" = "$(sed 's/|.*/: done/' "$BATS_TEST_TMPDIR/table")" ]
}

@test "demo: the virtio-iommu and its disks on PCI and MMIO, granules, rings" {
	demo <<-EOT
		|There is no virtio-iommu
		--iommu=virtio|granule 0x1000
		--iommu=virtio,granule=16K|granule 0x4000
		--iommu=virtio,granule=64K|granule 0x10000
		--iommu=virtio -c 2|
		--iommu=virtio,transport=mmio|
		--iommu=virtio --virtio-transport=mmio|
		--iommu=virtio,granule=64K --virtio-transport=mmio --virtio-ring=packed|packed ring
		--iommu=virtio -d ram:1M -d ram:1M,transport=mmio|
		--virtio-transport=mmio --iommu=virtio,transport=pci -d ram:1M -d ram:1M,iommu=off|
	EOT
}

# bats test_tags=not-x86,not-riscv64
@test "demo: GICv3 with an ITS and without, the guest maps the doorbell" {
	demo <<-EOT
		--irqchip=gicv3-its --iommu=virtio,msi=mapped|
		--irqchip=gicv3-its --iommu=virtio,msi=mapped,granule=64K|
		--irqchip=gicv3 --iommu=virtio|
		--irqchip=gicv3 --iommu=virtio --virtio-transport=mmio|
	EOT
}

# bats test_tags=not-x86,not-riscv64
@test "demo: GICv2 with the frame for messages and without" {
	demo --qemu '-machine gic-version=2' <<-EOT
		--iommu=virtio|
		--irqchip=gicv2m --iommu=virtio,msi=mapped|
		--irqchip=gicv2 --iommu=virtio|
		--irqchip=gicv2 --iommu=virtio --virtio-transport=mmio|
	EOT
}

# bats test_tags=not-x86,not-arm64
@test "demo: AIA, the guest maps the doorbells; PLIC on the same host" {
	demo <<-EOT
		--irqchip=aia --iommu=virtio,msi=mapped|
		--irqchip=aia --iommu=virtio,msi=mapped,granule=64K -c 3|
		--irqchip=plic --iommu=virtio|
	EOT
}

# bats test_tags=not-x86,not-arm64
@test "demo: PLIC, on a host without AIA" {
	demo --qemu '-machine aia=none' <<-EOT
		--iommu=virtio|
		--iommu=virtio,granule=16K --virtio-transport=mmio|
	EOT
}
