/* SPDX-License-Identifier: GPL-2.0-only */
/* The PCI transport for virtio devices (virtio 1.3, 4.1), modern interface only. */
#ifndef LKVM_VIRTIO_PCI_H
#define LKVM_VIRTIO_PCI_H

#include "iommu/dma.h"
#include "virtio/transport.h"
#include "vm/pci.h"

struct virtio_pci {
	struct pci_device pci;
	struct virtio_device *vdev;
	struct vm *vm;
	unsigned int window_cap; /* offset of the PCI_CFG capability */

	/* Driver-visible registers of the transport, guarded by vdev->lock. */
	struct virtio_regs regs;
	_Atomic u16 config_vector; /* as virtq.vector */

	pthread_mutex_t isr_lock; /* guards isr together with the INTx level */
	u8 isr;

	/* The doorbells that the kernel watches, guarded by notify_lock. */
	pthread_mutex_t notify_lock;
	u64 watched[VIRTIO_MAX_QUEUES]; /* queues with a kick_fd in use, by address; 0: not */
	bool wanted[VIRTIO_MAX_QUEUES];

	/* For messages that an IOMMU may translate; under msix->lock. */
	struct dma_chan msi_chan;
};

/*
 * Puts @vdev on @bus at @slot with PCI class @class. DMA of its messages, like that
 * of its queues, is the DMA of @ep (NULL: untranslated).
 */
int virtio_pci_init(struct virtio_pci *vpci, struct virtio_device *vdev, struct pci_bus *bus,
		    unsigned int slot, u32 class, struct iommu_endpoint *ep);

/* Once the vCPUs and the device's threads have ended. */
void virtio_pci_destroy(struct virtio_pci *vpci);

#endif /* LKVM_VIRTIO_PCI_H */
