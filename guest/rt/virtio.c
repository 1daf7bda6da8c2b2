// SPDX-License-Identifier: GPL-2.0-only
/* virtio 1.x: what is the same over every transport. */
#include "rt/virtio.h"

#include "rt/arch.h"
#include "rt/core.h"

u16 virtio_type(const struct fw_device *at)
{
	return at->is_mmio ? virtio_mmio_type(at) : virtio_pci_type(at);
}

bool virtio_open(struct virtio_dev *v, const struct fw_device *at)
{
	*v = (struct virtio_dev){.at = *at, .type = virtio_type(at)};
	fw_name(at, v->name);
	if (!v->type)
		return false;
	return at->is_mmio ? virtio_mmio_open(v) : virtio_pci_open(v);
}

bool virtio_route(struct virtio_dev *v, unsigned int entry, unsigned int line)
{
	return v->transport->route(v, entry, line);
}

/* The devices whose wires are routed, until the end. */
static struct virtio_dev *wired[FW_MAX_MMIO];
static unsigned int nr_wired;

/* A wire does not say whose it is. It stays up until each has been asked and told. */
static void take_interrupts(void)
{
	unsigned int i;

	for (i = 0; i < nr_wired; i++) {
		struct virtio_dev *v = wired[i];
		u32 isr = v->transport->take_isr(v);

		v->isr |= isr;
		if (isr && v->wire_is_shared)
			irq_count[v->line]++;
	}
}

bool virtio_wire(struct virtio_dev *v, unsigned int line)
{
	unsigned int i;

	if (v->at.irq == FW_NO_IRQ || nr_wired == ARRAY_SIZE(wired))
		return false;
	for (i = 0; i < nr_wired; i++)
		wired[i]->wire_is_shared |= wired[i]->at.irq == v->at.irq && wired[i]->line != line;
	v->wired = true;
	v->line = line;
	wired[nr_wired++] = v;
	irq_handler[line] = take_interrupts;
	return irq_route_wire(v->at.irq, line);
}

u8 virtio_status(struct virtio_dev *v)
{
	return v->transport->status(v);
}

static void add_status(struct virtio_dev *v, u8 bits)
{
	v->transport->set_status(v, virtio_status(v) | bits);
}

bool virtio_reset(struct virtio_dev *v)
{
	v->transport->set_status(v, 0);
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
	v->offered = v->transport->offered(v, 0) | (u64)v->transport->offered(v, 1) << 32;
	v->features = v->offered & wanted;
	v->transport->accept(v, 0, v->features);
	v->transport->accept(v, 1, v->features >> 32);
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

bool vq_enable(struct vq *q, struct virtio_dev *v, u16 index, u16 vector)
{
	q->v = v;
	q->index = index;
	vq_clear(q);
	return v->transport->enable(q, vector);
}

void vq_kick(struct vq *q)
{
	q->v->transport->kick(q);
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
