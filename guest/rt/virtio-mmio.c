// SPDX-License-Identifier: GPL-2.0-only
/* virtio 1.x: the MMIO transport (4.2), registers of version 2. */
#include "rt/arch.h"
#include "rt/core.h"
#include "rt/virtio.h"

#define MAGIC		    0x000
#define VERSION		    0x004
#define DEVICE_ID	    0x008
#define DEVICE_FEATURES	    0x010
#define DEVICE_FEATURES_SEL 0x014
#define DRIVER_FEATURES	    0x020
#define DRIVER_FEATURES_SEL 0x024
#define QUEUE_SEL	    0x030
#define QUEUE_SIZE_MAX	    0x034
#define QUEUE_SIZE	    0x038
#define QUEUE_READY	    0x044
#define QUEUE_NOTIFY	    0x050
#define INTERRUPT_STATUS    0x060
#define INTERRUPT_ACK	    0x064
#define STATUS		    0x070
#define QUEUE_DESC	    0x080
#define QUEUE_DRIVER	    0x090
#define QUEUE_DEVICE	    0x0a0
#define CONFIG		    0x100
#define REGS_SIZE	    0x200

#define MAGIC_VALUE 0x74726976

u16 virtio_mmio_type(const struct fw_device *at)
{
	u8 *regs = map_phys(at->base, REGS_SIZE);

	if (mmio_read32(regs + MAGIC) != MAGIC_VALUE || mmio_read32(regs + VERSION) != 2)
		return 0;
	return mmio_read32(regs + DEVICE_ID);
}

static u8 status(struct virtio_dev *v)
{
	return mmio_read32(v->regs + STATUS);
}

static void set_status(struct virtio_dev *v, u8 val)
{
	mmio_write32(v->regs + STATUS, val);
}

static u32 offered(struct virtio_dev *v, u32 half)
{
	mmio_write32(v->regs + DEVICE_FEATURES_SEL, half);
	return mmio_read32(v->regs + DEVICE_FEATURES);
}

static void accept(struct virtio_dev *v, u32 half, u32 features)
{
	mmio_write32(v->regs + DRIVER_FEATURES_SEL, half);
	mmio_write32(v->regs + DRIVER_FEATURES, features);
}

static void write_address(struct virtio_dev *v, unsigned int reg, u64 addr)
{
	mmio_write32(v->regs + reg, addr);
	mmio_write32(v->regs + reg + 4, addr >> 32);
}

static bool enable(struct vq *q, u16 vector)
{
	struct virtio_dev *v = q->v;

	mmio_write32(v->regs + QUEUE_SEL, q->index);
	if (mmio_read32(v->regs + QUEUE_READY) || mmio_read32(v->regs + QUEUE_SIZE_MAX) < q->size)
		return false;
	mmio_write32(v->regs + QUEUE_SIZE, q->size);
	write_address(v, QUEUE_DESC, q->desc_dev);
	write_address(v, QUEUE_DRIVER, q->avail_dev);
	write_address(v, QUEUE_DEVICE, q->used_dev);
	if (vector == VIRTIO_NO_VECTOR)
		vq_no_interrupts(q);
	q->doorbell = v->regs + QUEUE_NOTIFY;
	mmio_write32(v->regs + QUEUE_READY, 1);
	return mmio_read32(v->regs + QUEUE_READY) == 1;
}

static void kick(struct vq *q)
{
	mmio_write32(q->doorbell, q->index);
}

static u32 take_isr(struct virtio_dev *v)
{
	u32 isr = mmio_read32(v->regs + INTERRUPT_STATUS);

	if (isr)
		mmio_write32(v->regs + INTERRUPT_ACK, isr);
	return isr;
}

static bool route(struct virtio_dev *v, unsigned int entry, unsigned int line)
{
	(void)entry;
	return virtio_wire(v, line);
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

bool virtio_mmio_open(struct virtio_dev *v)
{
	v->transport = &transport;
	v->regs = map_phys(v->at.base, REGS_SIZE);
	v->config = v->regs + CONFIG;
	return true;
}
