// SPDX-License-Identifier: GPL-2.0-only
/* virtio 1.x: the PCI transport (4.1). */
#include "rt/virtio.h"

#include "rt/arch.h"
#include "rt/core.h"
#include "rt/pci.h"

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
#define CAP_TYPE_DEVICE 4

u16 virtio_pci_type(u16 bdf)
{
	u16 device = pci_read16(bdf, PCI_DEVICE);

	if (pci_read16(bdf, PCI_VENDOR) != VIRTIO_PCI_VENDOR || device <= VIRTIO_PCI_DEVICE_BASE ||
	    device > VIRTIO_PCI_DEVICE_BASE + 0x3f)
		return 0;
	return device - VIRTIO_PCI_DEVICE_BASE;
}

bool virtio_open(struct virtio_dev *v, u16 bdf)
{
	u8 cap = 0;

	*v = (struct virtio_dev){.bdf = bdf, .type = virtio_pci_type(bdf)};
	if (!v->type)
		return false;
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

u8 virtio_status(struct virtio_dev *v)
{
	return mmio_read8(v->common + COMMON_STATUS);
}

static void add_status(struct virtio_dev *v, u8 bits)
{
	mmio_write8(v->common + COMMON_STATUS, virtio_status(v) | bits);
}

bool virtio_reset(struct virtio_dev *v)
{
	mmio_write8(v->common + COMMON_STATUS, 0);
	if (!virtio_status(v))
		return true;
	timeout_start(VIRTIO_HANG_MS);
	while (virtio_status(v)) {
		if (timeout_expired())
			return false;
		cpu_relax();
	}
	return true;
}

bool virtio_negotiate(struct virtio_dev *v, u64 wanted)
{
	if (!virtio_reset(v))
		return false;
	add_status(v, VIRTIO_S_ACKNOWLEDGE);
	add_status(v, VIRTIO_S_DRIVER);
	mmio_write32(v->common + COMMON_DEVICE_FEATURE_SELECT, 0);
	v->offered = mmio_read32(v->common + COMMON_DEVICE_FEATURE);
	mmio_write32(v->common + COMMON_DEVICE_FEATURE_SELECT, 1);
	v->offered |= (u64)mmio_read32(v->common + COMMON_DEVICE_FEATURE) << 32;
	v->features = v->offered & wanted;
	mmio_write32(v->common + COMMON_DRIVER_FEATURE_SELECT, 0);
	mmio_write32(v->common + COMMON_DRIVER_FEATURE, v->features);
	mmio_write32(v->common + COMMON_DRIVER_FEATURE_SELECT, 1);
	mmio_write32(v->common + COMMON_DRIVER_FEATURE, v->features >> 32);
	add_status(v, VIRTIO_S_FEATURES_OK);
	return virtio_status(v) & VIRTIO_S_FEATURES_OK;
}

void virtio_driver_ok(struct virtio_dev *v)
{
	add_status(v, VIRTIO_S_DRIVER_OK);
}

u8 virtio_config8(struct virtio_dev *v, unsigned int off)
{
	return mmio_read8(v->config + off);
}

u32 virtio_config32(struct virtio_dev *v, unsigned int off)
{
	return mmio_read32(v->config + off);
}

u64 virtio_config64(struct virtio_dev *v, unsigned int off)
{
	return virtio_config32(v, off) | (u64)virtio_config32(v, off + 4) << 32;
}

void virtio_config_write8(struct virtio_dev *v, unsigned int off, u8 val)
{
	mmio_write8(v->config + off, val);
}

static void write_address(struct virtio_dev *v, unsigned int reg, u64 addr)
{
	mmio_write32(v->common + reg, addr);
	mmio_write32(v->common + reg + 4, addr >> 32);
}

bool vq_enable(struct vq *q, struct virtio_dev *v, u16 index, u16 vector)
{
	q->v = v;
	q->index = index;
	vq_clear(q);

	mmio_write16(v->common + COMMON_QUEUE_SELECT, index);
	if (mmio_read16(v->common + COMMON_QUEUE_SIZE) < q->size)
		return false;
	mmio_write16(v->common + COMMON_QUEUE_SIZE, q->size);
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

void vq_kick(struct vq *q)
{
	mmio_write16(q->doorbell, q->index);
}

bool virtio_wait_needs_reset(struct virtio_dev *v)
{
	if (virtio_status(v) & VIRTIO_S_NEEDS_RESET)
		return true;
	timeout_start(VIRTIO_HANG_MS);
	while (!(virtio_status(v) & VIRTIO_S_NEEDS_RESET)) {
		if (timeout_expired())
			return false;
		cpu_relax();
	}
	return true;
}
