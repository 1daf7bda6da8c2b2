// SPDX-License-Identifier: GPL-2.0-only
/*
 * Virtio over PCI: virtio 1.3, 4.1. BAR 0 holds the four structures, each in pages
 * of its own; BAR 2 the MSI-X tables, on a machine that has messages.
 *
 * Locks: vdev->lock, then bus->lock, then notify_lock or msix->lock. An interrupt can be
 * raised with any of them held but its own msix->lock: isr_lock, then bus->intx_lock.
 */
#include <endian.h>
#include <errno.h>
#include <linux/kvm.h>
#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "iommu/iommu.h"
#include "iommu/msi.h"
#include "util/log.h"
#include "virtio/pci.h"
#include "vm/vm.h"

#define VIRTIO_VENDOR		0x1af4
#define VIRTIO_MODERN_DEVICE	0x1040 /* plus the device ID (4.1.2.1) */
#define VIRTIO_MODERN_SUBSYSTEM 0x40

#define REGS_BAR	  0
#define REGS_BAR_SIZE	  0x4000
#define COMMON_OFF	  0x0000
#define ISR_OFF		  0x1000
#define DEVICE_OFF	  0x2000
#define NOTIFY_OFF	  0x3000
#define PAGE		  0x1000
#define NOTIFY_MULTIPLIER 4

#define MSIX_BAR      2
#define MSIX_BAR_SIZE 0x1000

/* The common configuration structure (4.1.4.3). */
enum {
	COMMON_DFSELECT = 0x00,
	COMMON_DF = 0x04,
	COMMON_GFSELECT = 0x08,
	COMMON_GF = 0x0c,
	COMMON_MSIX = 0x10,
	COMMON_NUMQ = 0x12,
	COMMON_STATUS = 0x14,
	COMMON_CFGGENERATION = 0x15,
	COMMON_Q_SELECT = 0x16,
	COMMON_Q_SIZE = 0x18,
	COMMON_Q_MSIX = 0x1a,
	COMMON_Q_ENABLE = 0x1c,
	COMMON_Q_NOFF = 0x1e,
	COMMON_Q_DESC = 0x20,
	COMMON_Q_AVAIL = 0x28,
	COMMON_Q_USED = 0x30,
	COMMON_Q_NOTIFY_DATA = 0x38,
	COMMON_Q_RESET = 0x3a,
	COMMON_SIZE = 0x3c,
};

/* The window to BAR 0 in configuration space (4.1.4.9). */
enum {
	WINDOW_BAR = 4,
	WINDOW_OFFSET = 8,
	WINDOW_LENGTH = 12,
	WINDOW_DATA = 16,
	WINDOW_SIZE = 20,
};

static void put(u8 *regs, unsigned int off, u64 val, unsigned int size)
{
	val = htole64(val);
	memcpy(regs + off, &val, size);
}

/* What a read of the whole structure gives. */
static void common_fill(struct virtio_pci *vpci, u8 *regs)
{
	const struct virtio_regs *sel = &vpci->regs;
	struct virtio_device *vdev = vpci->vdev;
	const struct virtq *vq = virtio_selected_queue(sel, vdev);

	memset(regs, 0, COMMON_SIZE);
	put(regs, COMMON_DFSELECT, sel->device_feature_select, 4);
	put(regs, COMMON_DF, virtio_feature_half(vdev->offered, sel->device_feature_select), 4);
	put(regs, COMMON_GFSELECT, sel->driver_feature_select, 4);
	put(regs, COMMON_GF, virtio_feature_half(sel->driver_features, sel->driver_feature_select),
	    4);
	put(regs, COMMON_MSIX, vpci->config_vector, 2);
	put(regs, COMMON_NUMQ, vdev->nr_vqs, 2);
	put(regs, COMMON_STATUS, atomic_load(&vdev->status), 1);
	put(regs, COMMON_CFGGENERATION, atomic_load(&vdev->config_generation), 1);
	put(regs, COMMON_Q_SELECT, sel->queue_select, 2);
	if (!vq)
		return;
	put(regs, COMMON_Q_SIZE, vq->size, 2);
	put(regs, COMMON_Q_MSIX, vq->vector, 2);
	put(regs, COMMON_Q_ENABLE, vq->enabled, 2);
	put(regs, COMMON_Q_NOFF, vq->index, 2);
	put(regs, COMMON_Q_DESC, vq->desc, 8);
	put(regs, COMMON_Q_AVAIL, vq->avail, 8);
	put(regs, COMMON_Q_USED, vq->used, 8);
	put(regs, COMMON_Q_NOTIFY_DATA, vq->index, 2);
}

static u16 valid_vector(const struct virtio_pci *vpci, u16 vector)
{
	return vector < vpci->pci.msix.nr ? vector : VIRTIO_NO_VECTOR;
}

static void queue_write(struct virtio_pci *vpci, struct virtq *vq, u64 off, u64 val,
			unsigned int len)
{
	if (off == COMMON_Q_MSIX) {
		vq->vector = valid_vector(vpci, val);
		return;
	}
	if (off == COMMON_Q_RESET) {
		if (val == 1)
			virtio_queue_reset(vpci->vdev, vq->index);
		return;
	}
	/* The rest is fixed while the queue is enabled (4.1.4.3.2). */
	if (vq->enabled)
		return;
	switch (off & ~7ULL) {
	case COMMON_Q_DESC:
		virtio_set_address(&vq->desc, off & 7, val, len);
		return;
	case COMMON_Q_AVAIL:
		virtio_set_address(&vq->avail, off & 7, val, len);
		return;
	case COMMON_Q_USED:
		virtio_set_address(&vq->used, off & 7, val, len);
		return;
	}
	if (off == COMMON_Q_SIZE)
		vq->size = val;
	else if (off == COMMON_Q_ENABLE && val == 1)
		virtio_queue_enable(vpci->vdev, vq->index);
}

static void transport_reset(struct virtio_pci *vpci)
{
	memset(&vpci->regs, 0, sizeof(vpci->regs));
	vpci->config_vector = VIRTIO_NO_VECTOR;
	pthread_mutex_lock(&vpci->isr_lock);
	vpci->isr = 0;
	pci_intx_set(&vpci->pci, false);
	pthread_mutex_unlock(&vpci->isr_lock);
}

static void common_write(struct virtio_pci *vpci, u64 off, u64 val, unsigned int len)
{
	struct virtio_device *vdev = vpci->vdev;
	struct virtq *vq = virtio_selected_queue(&vpci->regs, vdev);

	switch (off) {
	case COMMON_DFSELECT:
		vpci->regs.device_feature_select = val;
		break;
	case COMMON_GFSELECT:
		vpci->regs.driver_feature_select = val;
		break;
	case COMMON_GF:
		virtio_write_features(&vpci->regs, vdev, val);
		break;
	case COMMON_MSIX:
		vpci->config_vector = valid_vector(vpci, val);
		break;
	case COMMON_STATUS:
		virtio_set_status(vdev, val);
		if (!(val & 0xff))
			transport_reset(vpci);
		break;
	case COMMON_Q_SELECT:
		vpci->regs.queue_select = (u16)val;
		break;
	default:
		if (vq && off >= COMMON_Q_SIZE)
			queue_write(vpci, vq, off, val, len);
		break;
	}
}

static void common_access(struct virtio_pci *vpci, u64 off, void *data, unsigned int len,
			  bool write)
{
	u8 regs[PAGE] = {0};
	u64 val = 0;

	pthread_mutex_lock(&vpci->vdev->lock);
	if (write) {
		memcpy(&val, data, len);
		common_write(vpci, off, le64toh(val), len);
	} else {
		common_fill(vpci, regs);
		memcpy(data, regs + off, len);
	}
	pthread_mutex_unlock(&vpci->vdev->lock);
}

static void isr_access(struct virtio_pci *vpci, u64 off, void *data, unsigned int len, bool write)
{
	if (write)
		return;
	memset(data, 0, len);
	if (off)
		return;
	pthread_mutex_lock(&vpci->isr_lock);
	*(u8 *)data = vpci->isr;
	vpci->isr = 0;
	pci_intx_set(&vpci->pci, false);
	pthread_mutex_unlock(&vpci->isr_lock);
}

static void regs_access(struct virtio_pci *vpci, u64 off, void *data, unsigned int len, bool write)
{
	u64 page = off & ~(PAGE - 1ULL);

	/* No structure is read across its page. */
	if (off - page + len > PAGE) {
		if (!write)
			memset(data, 0, len);
		return;
	}
	switch (page) {
	case COMMON_OFF:
		common_access(vpci, off, data, len, write);
		break;
	case ISR_OFF:
		isr_access(vpci, off - page, data, len, write);
		break;
	case DEVICE_OFF:
		virtio_config_access(vpci->vdev, off - page, data, len, write);
		break;
	case NOTIFY_OFF:
		if (write)
			virtio_kick(vpci->vdev, (off - page) / NOTIFY_MULTIPLIER);
		else
			memset(data, 0, len);
		break;
	}
}

static void bar_access(struct pci_device *pci, unsigned int bar, u64 off, void *data,
		       unsigned int len, bool write)
{
	(void)bar;
	regs_access(pci->priv, off, data, len, write);
}

/* Tells KVM to signal a queue's kick_fd itself, or to stop. With notify_lock. */
static int watch(struct virtio_pci *vpci, unsigned int index, u64 addr, bool on)
{
	struct kvm_ioeventfd kick = {
		.addr = addr,
		.fd = vpci->vdev->vqs[index].kick_fd,
		.flags = on ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN,
	};

	return ioctl(vpci->vm->fd, KVM_IOEVENTFD, &kick) < 0 ? -errno : 0;
}

/* With notify_lock: makes the kernel watch what is wanted where the BAR is now. */
static int update_watch(struct virtio_pci *vpci, unsigned int index)
{
	const struct pci_bar *bar = &vpci->pci.bars[REGS_BAR];
	u64 addr = 0;
	int ret;

	if (vpci->wanted[index] && bar->mapped)
		addr = bar->addr + NOTIFY_OFF + index * NOTIFY_MULTIPLIER;
	if (addr == vpci->watched[index])
		return 0;
	if (vpci->watched[index])
		watch(vpci, index, vpci->watched[index], false);
	vpci->watched[index] = 0;
	if (!addr)
		return 0;
	ret = watch(vpci, index, addr, true);
	if (!ret)
		vpci->watched[index] = addr;
	return ret;
}

static void bar_mapped(struct pci_device *pci, unsigned int bar)
{
	struct virtio_pci *vpci = pci->priv;

	if (bar != REGS_BAR)
		return;
	pthread_mutex_lock(&vpci->notify_lock);
	/* A kick that the kernel does not take over comes as an exit, and works too. */
	for (unsigned int i = 0; i < vpci->vdev->nr_vqs; i++)
		update_watch(vpci, i);
	pthread_mutex_unlock(&vpci->notify_lock);
}

static int kick_fd_set(struct virtio_device *vdev, struct virtq *vq, bool on)
{
	struct virtio_pci *vpci = vdev->transport_priv;
	int ret;

	/* bus->lock keeps the BAR where it is. */
	pthread_mutex_lock(&vpci->pci.bus->lock);
	pthread_mutex_lock(&vpci->notify_lock);
	vpci->wanted[vq->index] = on;
	ret = update_watch(vpci, vq->index);
	pthread_mutex_unlock(&vpci->notify_lock);
	pthread_mutex_unlock(&vpci->pci.bus->lock);
	return ret;
}

static void interrupt(struct virtio_device *vdev, struct virtq *vq)
{
	struct virtio_pci *vpci = vdev->transport_priv;

	if (msix_enabled(&vpci->pci)) {
		msix_notify(&vpci->pci, vq ? vq->vector : vpci->config_vector);
		return;
	}
	pthread_mutex_lock(&vpci->isr_lock);
	vpci->isr |= vq ? VIRTIO_ISR_QUEUE : VIRTIO_ISR_CONFIG;
	pci_intx_set(&vpci->pci, true);
	pthread_mutex_unlock(&vpci->isr_lock);
}

static void msi_dma(struct pci_device *pci, u64 addr, u32 data)
{
	struct virtio_pci *vpci = pci->priv;

	iommu_post_msi(&vpci->msi_chan, pci, addr, data);
}

/* An access through the window in configuration space (4.1.4.9.1). */
static void config_window(struct pci_device *pci, unsigned int off, unsigned int len, bool write)
{
	struct virtio_pci *vpci = pci->priv;
	u8 *cap = pci->config + vpci->window_cap;
	u32 offset, length;
	u8 data[4];
	u8 bar;

	if (off >= vpci->window_cap + WINDOW_DATA + 4 ||
	    off + len <= vpci->window_cap + WINDOW_DATA)
		return;
	pthread_mutex_lock(&pci->bus->lock);
	bar = cap[WINDOW_BAR];
	memcpy(&offset, cap + WINDOW_OFFSET, 4);
	memcpy(&length, cap + WINDOW_LENGTH, 4);
	memcpy(data, cap + WINDOW_DATA, sizeof(data));
	pthread_mutex_unlock(&pci->bus->lock);

	offset = le32toh(offset);
	length = le32toh(length);
	if (bar != REGS_BAR || (length != 1 && length != 2 && length != 4) ||
	    !is_aligned(offset, length) || offset > REGS_BAR_SIZE - length)
		return;
	regs_access(vpci, offset, data, length, write);
	if (write)
		return;
	pthread_mutex_lock(&pci->bus->lock);
	memcpy(cap + WINDOW_DATA, data, length);
	pthread_mutex_unlock(&pci->bus->lock);
}

static const struct pci_device_ops pci_ops = {
	.bar_access = bar_access,
	.bar_mapped = bar_mapped,
	.config_window = config_window,
	.msi_dma = msi_dma,
};

static const struct virtio_transport_ops transport_ops = {
	.interrupt = interrupt,
	.kick_fd_set = kick_fd_set,
};

/* A capability that says where in BAR 0 a structure is (4.1.4). */
static void add_virtio_cap(struct pci_device *pci, u8 type, u32 offset, u32 length, u8 size)
{
	unsigned int off = pci_add_cap(pci, PCI_CAP_ID_VNDR, size);
	u8 *cap = pci->config + off;

	cap[2] = size;
	cap[3] = type;
	cap[4] = REGS_BAR;
	put(cap, 8, offset, 4);
	put(cap, 12, length, 4);
	if (type == VIRTIO_PCI_CAP_NOTIFY_CFG)
		put(cap, 16, NOTIFY_MULTIPLIER, 4);
}

static void add_window_cap(struct virtio_pci *vpci)
{
	u8 *wmask = vpci->pci.wmask + vpci->pci.next_cap;

	vpci->window_cap = vpci->pci.next_cap;
	add_virtio_cap(&vpci->pci, VIRTIO_PCI_CAP_PCI_CFG, 0, 0, WINDOW_SIZE);
	wmask[WINDOW_BAR] = 0xff;
	memset(wmask + WINDOW_OFFSET, 0xff, WINDOW_SIZE - WINDOW_OFFSET);
}

int virtio_pci_init(struct virtio_pci *vpci, struct virtio_device *vdev, struct pci_bus *bus,
		    unsigned int slot, u32 class, struct iommu_endpoint *ep)
{
	const struct pci_ids ids = {
		.vendor = VIRTIO_VENDOR,
		.device = VIRTIO_MODERN_DEVICE + vdev->ops->id,
		.subsystem_vendor = VIRTIO_VENDOR,
		.subsystem = VIRTIO_MODERN_SUBSYSTEM + vdev->ops->id,
		.class = class,
		.revision = 1,
	};
	struct pci_device *pci = &vpci->pci;
	int ret;

	memset(vpci, 0, sizeof(*vpci));
	vpci->vdev = vdev;
	vpci->vm = bus->vm;
	vpci->config_vector = VIRTIO_NO_VECTOR;
	vdev->transport = &transport_ops;
	vdev->transport_priv = vpci;
	snprintf(vdev->where, sizeof(vdev->where), "00:%02x.0", slot);
	pthread_mutex_init(&vpci->isr_lock, NULL);
	pthread_mutex_init(&vpci->notify_lock, NULL);

	pci_device_init(pci, &pci_ops, vpci, &ids);
	iommu_init_msi(pci, ep);
	pci_enable_intx(pci);
	pci_set_bar(pci, REGS_BAR, REGS_BAR_SIZE);
	if (irq_has_messages(vpci->vm))
		pci_set_bar(pci, MSIX_BAR, MSIX_BAR_SIZE);
	add_virtio_cap(pci, VIRTIO_PCI_CAP_COMMON_CFG, COMMON_OFF, COMMON_SIZE, 16);
	add_virtio_cap(pci, VIRTIO_PCI_CAP_ISR_CFG, ISR_OFF, 1, 16);
	if (vdev->ops->config_size)
		add_virtio_cap(pci, VIRTIO_PCI_CAP_DEVICE_CFG, DEVICE_OFF, vdev->ops->config_size,
			       16);
	add_virtio_cap(pci, VIRTIO_PCI_CAP_NOTIFY_CFG, NOTIFY_OFF, vdev->nr_vqs * NOTIFY_MULTIPLIER,
		       20);
	add_window_cap(vpci);

	ret = dma_chan_init(&vpci->msi_chan, &vpci->vm->mem, ep, 1);
	if (ret)
		return ret;
	/* A vector for each queue, and one for the configuration. */
	if (irq_has_messages(vpci->vm))
		ret = pci_add_msix(pci, vdev->nr_vqs + 1, MSIX_BAR);
	if (ret)
		goto err;
	ret = pci_add(bus, pci, slot);
	if (ret)
		goto err_msix;
	return 0;

err_msix:
	pci_device_destroy(pci);
err:
	dma_chan_destroy(&vpci->msi_chan);
	return ret;
}

void virtio_pci_destroy(struct virtio_pci *vpci)
{
	pthread_mutex_lock(&vpci->notify_lock);
	for (unsigned int i = 0; i < vpci->vdev->nr_vqs; i++) {
		vpci->wanted[i] = false;
		update_watch(vpci, i);
	}
	pthread_mutex_unlock(&vpci->notify_lock);
	pci_device_destroy(&vpci->pci);
	dma_chan_destroy(&vpci->msi_chan);
}
