# SPDX-License-Identifier: GPL-2.0-only
# Runs in the lab: tests/guests/mmu.c for the formats that $FORMATS names, a DMA engine each.
# Prints what it prints.
for format in $FORMATS; do
	engines="$engines --device dma-engine,iommu-format=$format"
done
# shellcheck disable=SC2086
timeout -k 5 400 lkvm run --test-exit -k mmu.* --iommu=virtio $engines </dev/null
