// SPDX-License-Identifier: GPL-2.0-only
/* virtio 1.x: the PCI transport (4.1). */
#include "rt/arch.h"
#include "rt/core.h"
#include "rt/pci.h"
#include "rt/virtio.h"

#define VIRTIO_PCI_VENDOR      0x1af4
#define VIRTIO_PCI_DEVICE_BASE 0x1040 /* + device type */

/* struct virtio_pci_common_cfg */
#define COMMON_DEVICE_FEATURE_SELECT 0
#define COMMON_DEVICE_FEATURE	     4
#define COMMON_DRIVER_FEATURE_SELECT 8
#define COMMON_DRIVER_FEATURE	     12
#define COMMON_STATUS		     20
#define COMMON_QUEUE_SELECT	     22
#define COMMON_QUEUE_SIZE	     24
#define COMMON_QUEUE_VECTOR	     26
#define COMMON_QUEUE_ENABLE	     28
#define COMMON_QUEUE_NOTIFY_OFF	     30
#define COMMON_QUEUE_DESC	     32
#define COMMON_QUEUE_DRIVER	     40
#define COMMON_QUEUE_DEVICE	     48

/* struct virtio_pci_cap */
#define CAP_TYPE	      3
#define CAP_BAR		      4
#define CAP_OFFSET	      8
#define CAP_LENGTH	      12
#define CAP_NOTIFY_MULTIPLIER 16

#define CAP_TYPE_COMMON 1
#define CAP_TYPE_NOTIFY 2
#define CAP_TYPE_ISR	3
#define CAP_TYPE_DEVICE 4

u16 virtio_pci_type(const struct fw_device *at)
{
	u16 device = pci_read16(at->bdf, PCI_DEVICE);

	if (pci_read16(at->bdf, PCI_VENDOR) != VIRTIO_PCI_VENDOR ||
	    device <= VIRTIO_PCI_DEVICE_BASE || device > VIRTIO_PCI_DEVICE_BASE + 0x3f)
		return 0;
	return device - VIRTIO_PCI_DEVICE_BASE;
}

static u8 status(struct virtio_dev *v)
{
	return mmio_read8(v->common + COMMON_STATUS);
}

static void set_status(struct virtio_dev *v, u8 val)
{
	mmio_write8(v->common + COMMON_STATUS, val);
}

static u32 offered(struct virtio_dev *v, u32 half)
{
	mmio_write32(v->common + COMMON_DEVICE_FEATURE_SELECT, half);
	return mmio_read32(v->common + COMMON_DEVICE_FEATURE);
}

static void accept(struct virtio_dev *v, u32 half, u32 features)
{
	mmio_write32(v->common + COMMON_DRIVER_FEATURE_SELECT, half);
	mmio_write32(v->common + COMMON_DRIVER_FEATURE, features);
}

static void write_address(struct virtio_dev *v, unsigned int reg, u64 addr)
{
	mmio_write32(v->common + reg, addr);
	mmio_write32(v->common + reg + 4, addr >> 32);
}

static bool enable(struct vq *q, u16 vector)
{
	struct virtio_dev *v = q->v;

	mmio_write16(v->common + COMMON_QUEUE_SELECT, q->index);
	if (mmio_read16(v->common + COMMON_QUEUE_SIZE) < q->size)
		return false;
	mmio_write16(v->common + COMMON_QUEUE_SIZE, q->size);
	if (v->wired) {
		if (vector == VIRTIO_NO_VECTOR)
			vq_no_interrupts(q);
		vector = VIRTIO_NO_VECTOR;
	}
	mmio_write16(v->common + COMMON_QUEUE_VECTOR, vector);
	if (mmio_read16(v->common + COMMON_QUEUE_VECTOR) != vector)
		return false;
	write_address(v, COMMON_QUEUE_DESC, q->desc_dev);
	write_address(v, COMMON_QUEUE_DRIVER, q->avail_dev);
	write_address(v, COMMON_QUEUE_DEVICE, q->used_dev);
	q->doorbell =
		v->notify + mmio_read16(v->common + COMMON_QUEUE_NOTIFY_OFF) * v->notify_multiplier;
	mmio_write16(v->common + COMMON_QUEUE_ENABLE, 1);
	return true;
}

static void kick(struct vq *q)
{
	mmio_write16(q->doorbell, q->index);
}

static bool route(struct virtio_dev *v, unsigned int entry, unsigned int line)
{
	u16 bdf = v->at.bdf;

	if (pci_msix_route(bdf, entry, line))
		return true;
	v->at.irq = fw_intx(bdf, pci_read8(bdf, PCI_INTERRUPT_PIN));
	if (!v->isr_status || !pci_read8(bdf, PCI_INTERRUPT_PIN))
		return false;
	pci_write16(bdf, PCI_COMMAND, pci_read16(bdf, PCI_COMMAND) & ~PCI_COMMAND_NO_INTX);
	return virtio_wire(v, line);
}

static u32 take_isr(struct virtio_dev *v)
{
	return mmio_read8(v->isr_status);
}

static const struct virtio_transport transport = {
	.status = status,
	.set_status = set_status,
	.offered = offered,
	.accept = accept,
	.enable = enable,
	.kick = kick,
	.route = route,
	.take_isr = take_isr,
};

bool virtio_pci_open(struct virtio_dev *v)
{
	u16 bdf = v->at.bdf;
	u8 cap = 0;

	v->transport = &transport;
	pci_write16(bdf, PCI_COMMAND,
		    pci_read16(bdf, PCI_COMMAND) | PCI_COMMAND_MEM | PCI_COMMAND_MASTER);

	while ((cap = pci_find_cap(bdf, PCI_CAP_VENDOR, cap))) {
		u8 type = pci_read8(bdf, cap + CAP_TYPE);
		u64 bar;
		u8 **where;

		if (type == CAP_TYPE_COMMON)
			where = &v->common;
		else if (type == CAP_TYPE_NOTIFY)
			where = &v->notify;
		else if (type == CAP_TYPE_ISR)
			where = &v->isr_status;
		else if (type == CAP_TYPE_DEVICE)
			where = &v->config;
		else
			continue;
		bar = pci_bar(bdf, pci_read8(bdf, cap + CAP_BAR));
		if (*where || !bar)
			continue;
		*where = map_phys(bar + pci_read32(bdf, cap + CAP_OFFSET),
				  pci_read32(bdf, cap + CAP_LENGTH));
		if (type == CAP_TYPE_NOTIFY)
			v->notify_multiplier = pci_read32(bdf, cap + CAP_NOTIFY_MULTIPLIER);
	}
	return v->common && v->notify && v->config;
}
