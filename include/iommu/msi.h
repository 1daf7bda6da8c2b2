/* SPDX-License-Identifier: GPL-2.0-only */
/* Messages of PCI functions that are not written to the interrupt controller as they are. */
#ifndef LKVM_IOMMU_MSI_H
#define LKVM_IOMMU_MSI_H

#include "iommu/dma.h"
#include "iommu/iommu.h"
#include "vm/pci.h"

/*
 * Says whether all messages of @pci are translated, as an endpoint's are with msi=mapped. @ep is
 * NULL where there is no IOMMU. Before the function is on a bus.
 */
void iommu_init_msi(struct pci_device *pci, const struct iommu_endpoint *ep);

/*
 * A function's message as a DMA write through @chan, for pci_device_ops.msi_dma: an interrupt if
 * messages are translated and it ends at the interrupt controller. What goes nowhere is lost, and
 * reported as a fault.
 */
void iommu_post_msi(struct dma_chan *chan, struct pci_device *pci, u64 addr, u32 data);

#endif /* LKVM_IOMMU_MSI_H */
