# SPDX-License-Identifier: GPL-2.0-only
# DMA engines behind the virtio-iommu in the lab, driven over mappings and over page tables of the
# guest in each format: what tables.bats has of x86, on the architectures that this machine's KVM
# does not have.

load helpers
load linux

# The table is that of linux/tables.sh.
tables()
{
	need "$guests/tables.img"
	cat >"$BATS_TEST_TMPDIR/table"
	in_lab "$scripts/tables.sh" "$BATS_TEST_TMPDIR/table" "$guests/tables.img"
	[ "$status" = 0 ]
	[ "$output" = "$(sed 's/|.*/: done/' "$BATS_TEST_TMPDIR/table")" ]
}

# bats test_tags=not-x86
@test "tables: mappings and each format, messages that are translated" {
	tables <<-EOT
		--iommu=virtio,tables=none --device dma-engine|MAP and UNMAP, at
		--iommu=virtio,tables=smmuv3,msi=mapped --device dma-engine|  ok    nor to where it is mapped read-only|SMMUv3, CDs behind entries of 64K|SMMUv3, granule 64K
		--iommu=virtio,tables=vtd,map=off --device dma-engine|VT-d, at|VT-d, 5 levels
		-p tables --iommu=virtio,tables=amd --device dma-engine|AMD, GCR3 table of 3 levels|AMD, 5 levels
		-p tables --iommu=virtio,tables=amd-pt --device dma-engine|AMD, GCR3 table of the device|AMD, the device's, 5 levels
		-p tables --iommu=virtio,tables=riscv --device dma-engine|RISC-V, PD20 and Sv48|RISC-V, Sv57
		-p tables --iommu=virtio,tables=riscv-gipc --device dma-engine|RISC-V, process directory of the device|RISC-V, the device's, Sv57
	EOT
}

# bats test_tags=not-x86
@test "tables: two engines, two formats, one domain, little room" {
	tables <<-EOT
		-p pairs --iommu=virtio,tables=vtd --device dma-engine,iommu-format=smmuv3 --device dma-engine|Two endpoints: SMMUv3, one table of CDs at .*, VT-d at
		-p pairs --iommu=virtio,tables=smmuv3 --device dma-engine --device dma-engine|One domain: SMMUv3
		-p pairs --iommu=virtio,tables=vtd --device dma-engine --device dma-engine|One domain: VT-d
		-p pairs --iommu=virtio,tables=riscv-gipc --device dma-engine --device dma-engine|One domain: RISC-V
		-p max-mappings=3 --iommu=virtio,tables=amd-pt,max-mappings=3 --device dma-engine --device dma-engine|AMD, GCR3 table of the device, with room for 3
	EOT
}
