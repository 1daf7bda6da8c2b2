// SPDX-License-Identifier: GPL-2.0-only
/*
 * Virtio over MMIO: virtio 1.3, 4.2.
 *
 * Locks: vdev->lock for the registers; an interrupt can be raised with it held or not: it
 * takes isr_lock, then that of the wires.
 */
#include <endian.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "virtio/mmio.h"

#define MAGIC	0x74726976 /* "virt" */
#define VERSION 2
#define VENDOR	0x4d564b4c /* "LKVM" */

/* 4.2.2. Names as there, less "VIRTIO_MMIO". */
enum {
	MAGIC_VALUE = 0x000,
	VERSION_NUMBER = 0x004,
	DEVICE_ID = 0x008,
	VENDOR_ID = 0x00c,
	DEVICE_FEATURES = 0x010,
	DEVICE_FEATURES_SEL = 0x014,
	DRIVER_FEATURES = 0x020,
	DRIVER_FEATURES_SEL = 0x024,
	QUEUE_SEL = 0x030,
	QUEUE_SIZE_MAX = 0x034,
	QUEUE_SIZE = 0x038,
	QUEUE_READY = 0x044,
	QUEUE_NOTIFY = 0x050,
	INTERRUPT_STATUS = 0x060,
	INTERRUPT_ACK = 0x064,
	STATUS = 0x070,
	QUEUE_DESC_LOW = 0x080,
	QUEUE_DESC_HIGH = 0x084,
	QUEUE_DRIVER_LOW = 0x090,
	QUEUE_DRIVER_HIGH = 0x094,
	QUEUE_DEVICE_LOW = 0x0a0,
	QUEUE_DEVICE_HIGH = 0x0a4,
	SHM_LEN_LOW = 0x0b0,
	SHM_LEN_HIGH = 0x0b4,
	SHM_BASE_LOW = 0x0b8,
	SHM_BASE_HIGH = 0x0bc,
	QUEUE_RESET = 0x0c0,
	CONFIG_GENERATION = 0x0fc,
	CONFIG = 0x100,
};

static void interrupt(struct virtio_device *vdev, struct virtq *vq)
{
	struct virtio_mmio *vmmio = vdev->transport_priv;

	pthread_mutex_lock(&vmmio->isr_lock);
	if (!vmmio->isr)
		irq_wire_set(vmmio->vm, vmmio->gsi, true);
	vmmio->isr |= vq ? VIRTIO_ISR_QUEUE : VIRTIO_ISR_CONFIG;
	pthread_mutex_unlock(&vmmio->isr_lock);
}

/*
 * The driver's read of InterruptStatus was an access of its own, and more may have been set
 * since: only the bits that it names go, and the wire falls with the last one.
 */
static void acknowledge(struct virtio_mmio *vmmio, u32 bits)
{
	pthread_mutex_lock(&vmmio->isr_lock);
	if (vmmio->isr && !(vmmio->isr & ~bits))
		irq_wire_set(vmmio->vm, vmmio->gsi, false);
	vmmio->isr &= ~bits;
	pthread_mutex_unlock(&vmmio->isr_lock);
}

static u32 interrupt_status(struct virtio_mmio *vmmio)
{
	u32 isr;

	pthread_mutex_lock(&vmmio->isr_lock);
	isr = vmmio->isr;
	pthread_mutex_unlock(&vmmio->isr_lock);
	return isr;
}

/* With vdev->lock. What can only be written reads as 0. */
static u32 register_read(struct virtio_mmio *vmmio, u64 off)
{
	struct virtio_device *vdev = vmmio->vdev;
	const struct virtq *vq = virtio_selected_queue(&vmmio->regs, vdev);

	switch (off) {
	case MAGIC_VALUE:
		return MAGIC;
	case VERSION_NUMBER:
		return VERSION;
	case DEVICE_ID:
		return vdev->ops->id;
	case VENDOR_ID:
		return VENDOR;
	case DEVICE_FEATURES:
		return virtio_feature_half(vdev->offered, vmmio->regs.device_feature_select);
	case QUEUE_SIZE_MAX:
		return vq ? vq->max_size : 0;
	case QUEUE_READY:
		return vq && vq->enabled;
	case STATUS:
		return atomic_load(&vdev->status);
	/* No device has shared memory: each region has length and base -1. */
	case SHM_LEN_LOW:
	case SHM_LEN_HIGH:
	case SHM_BASE_LOW:
	case SHM_BASE_HIGH:
		return UINT32_MAX;
	case CONFIG_GENERATION:
		return atomic_load(&vdev->config_generation);
	/* QueueReset, too: the reset is complete when the write is. */
	default:
		return 0;
	}
}

/* With vdev->lock. */
static void queue_write(struct virtio_mmio *vmmio, struct virtq *vq, u64 off, u32 val)
{
	struct virtio_device *vdev = vmmio->vdev;

	switch (off) {
	case QUEUE_READY:
		if (val == 1)
			virtio_queue_enable(vdev, vq->index);
		else if (!val)
			virtio_queue_disable(vdev, vq->index);
		return;
	case QUEUE_RESET:
		if (val == 1)
			virtio_queue_reset(vdev, vq->index);
		return;
	}
	/* The rest is fixed while the queue is ready. */
	if (vq->enabled)
		return;
	switch (off) {
	case QUEUE_SIZE:
		/* No size that a queue could have stays none. */
		vq->size = val > vq->max_size ? 0 : val;
		break;
	case QUEUE_DESC_LOW:
	case QUEUE_DESC_HIGH:
		virtio_set_address(&vq->desc, off - QUEUE_DESC_LOW, val, 4);
		break;
	case QUEUE_DRIVER_LOW:
	case QUEUE_DRIVER_HIGH:
		virtio_set_address(&vq->avail, off - QUEUE_DRIVER_LOW, val, 4);
		break;
	case QUEUE_DEVICE_LOW:
	case QUEUE_DEVICE_HIGH:
		virtio_set_address(&vq->used, off - QUEUE_DEVICE_LOW, val, 4);
		break;
	}
}

/* With vdev->lock. */
static void status_write(struct virtio_mmio *vmmio, u32 val)
{
	/* The status has eight bits: another value is neither one nor the 0 of a reset. */
	if (val > UINT8_MAX)
		return;
	virtio_set_status(vmmio->vdev, val);
	if (val)
		return;
	memset(&vmmio->regs, 0, sizeof(vmmio->regs));
	acknowledge(vmmio, UINT32_MAX);
}

/* With vdev->lock. */
static void register_write(struct virtio_mmio *vmmio, u64 off, u32 val)
{
	struct virtq *vq = virtio_selected_queue(&vmmio->regs, vmmio->vdev);

	switch (off) {
	case DEVICE_FEATURES_SEL:
		vmmio->regs.device_feature_select = val;
		break;
	case DRIVER_FEATURES:
		virtio_write_features(&vmmio->regs, vmmio->vdev, val);
		break;
	case DRIVER_FEATURES_SEL:
		vmmio->regs.driver_feature_select = val;
		break;
	case QUEUE_SEL:
		vmmio->regs.queue_select = val;
		break;
	case STATUS:
		status_write(vmmio, val);
		break;
	default:
		if (vq)
			queue_write(vmmio, vq, off, val);
		break;
	}
}

static void register_access(struct virtio_mmio *vmmio, u64 off, u32 *val, bool write)
{
	/* These do not wait for what holds the device's lock. */
	if (off == INTERRUPT_STATUS && !write) {
		*val = interrupt_status(vmmio);
	} else if (off == INTERRUPT_ACK && write) {
		acknowledge(vmmio, *val);
	} else if (off == QUEUE_NOTIFY && write) {
		virtio_kick(vmmio->vdev, *val);
	} else {
		pthread_mutex_lock(&vmmio->vdev->lock);
		if (write)
			register_write(vmmio, off, *val);
		else
			*val = register_read(vmmio, off);
		pthread_mutex_unlock(&vmmio->vdev->lock);
	}
}

static void mmio_access(void *opaque, u64 off, void *data, unsigned int len, bool write)
{
	struct virtio_mmio *vmmio = opaque;
	u32 val = 0;

	if (off >= CONFIG) {
		virtio_config_access(vmmio->vdev, off - CONFIG, data, len, write);
		return;
	}
	/* Registers are accessed by aligned words only (4.2.2.2): all else does nothing. */
	if (len != 4 || !is_aligned(off, 4)) {
		if (!write)
			memset(data, 0, len);
		return;
	}
	if (write)
		memcpy(&val, data, 4);
	val = le32toh(val);
	register_access(vmmio, off, &val, write);
	val = htole32(val);
	if (!write)
		memcpy(data, &val, 4);
}

/* Tells KVM to signal a queue's kick_fd at a notification of that queue, or to stop. */
static int watch(struct virtio_mmio *vmmio, unsigned int index, bool on)
{
	struct kvm_ioeventfd kick = {
		.datamatch = index,
		.addr = vmmio->base + QUEUE_NOTIFY,
		.len = 4,
		.fd = vmmio->vdev->vqs[index].kick_fd,
		.flags = KVM_IOEVENTFD_FLAG_DATAMATCH | (on ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN),
	};

	if (vmmio->watched[index] == on)
		return 0;
	if (ioctl(vmmio->vm->fd, KVM_IOEVENTFD, &kick) < 0)
		return -errno;
	vmmio->watched[index] = on;
	return 0;
}

static int kick_fd_set(struct virtio_device *vdev, struct virtq *vq, bool on)
{
	return watch(vdev->transport_priv, vq->index, on);
}

static const struct virtio_transport_ops transport_ops = {
	.interrupt = interrupt,
	.kick_fd_set = kick_fd_set,
};

int virtio_mmio_init(struct virtio_mmio *vmmio, struct virtio_device *vdev, struct vm *vm, u64 base,
		     u32 gsi)
{
	*vmmio = (struct virtio_mmio){.vdev = vdev, .vm = vm, .base = base, .gsi = gsi};
	pthread_mutex_init(&vmmio->isr_lock, NULL);
	vdev->transport = &transport_ops;
	vdev->transport_priv = vmmio;
	snprintf(vdev->where, sizeof(vdev->where), "mmio@%llx", (unsigned long long)base);
	return bus_add(&vm->mmio, base, VIRTIO_MMIO_SIZE, mmio_access, vmmio);
}

void virtio_mmio_destroy(struct virtio_mmio *vmmio)
{
	bus_remove(&vmmio->vm->mmio, vmmio->base);
	for (unsigned int i = 0; i < vmmio->vdev->nr_vqs; i++)
		watch(vmmio, i, false);
	acknowledge(vmmio, UINT32_MAX);
	pthread_mutex_destroy(&vmmio->isr_lock);
}
