// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>

#include "iommu/msi.h"

/* A translated write that ends at the interrupt controller is an interrupt. */
static bool ring_doorbell(void *opaque, u64 gpa, u32 data)
{
	struct pci_device *pci = opaque;

	if (!arch_is_msi_addr(pci->bus->vm, gpa))
		return false;
	irq_send_msi(pci->bus->vm, pci_bdf(pci), gpa, data);
	return true;
}

void iommu_init_msi(struct pci_device *pci, const struct iommu_endpoint *ep)
{
	pci->msi_is_dma = ep && ep->iommu->config.msi_mapped;
}

void iommu_post_msi(struct dma_chan *chan, struct pci_device *pci, u64 addr, u32 data)
{
	u32 bytes = htole32(data);

	if (pci->msi_is_dma && is_aligned(addr, sizeof(data)))
		dma_post32(chan, addr, data, ring_doorbell, pci);
	else
		dma_write(chan, addr, &bytes, sizeof(bytes));
}
