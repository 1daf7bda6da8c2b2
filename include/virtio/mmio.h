/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The MMIO transport for virtio devices (virtio 1.3, 4.2), version 2 registers only:
 * a page of registers and a level-triggered wire, which several devices may share.
 */
#ifndef LKVM_VIRTIO_MMIO_H
#define LKVM_VIRTIO_MMIO_H

#include "virtio/transport.h"
#include "vm/vm.h"

/* Registers, and from 0x100 on the device configuration. A page, so that pages separate devices. */
#define VIRTIO_MMIO_SIZE 0x1000

struct virtio_mmio {
	struct virtio_device *vdev;
	struct vm *vm;
	u64 base; /* GPA of the registers */
	u32 gsi;

	/* Guarded by vdev->lock. */
	struct virtio_regs regs;
	bool watched[VIRTIO_MAX_QUEUES]; /* the kernel signals the queue's kick_fd */

	pthread_mutex_t isr_lock; /* guards isr together with the level of the wire */
	u8 isr; /* InterruptStatus; our share of the wire is up while it is not 0 */
};

/*
 * Puts @vdev at GPA @base, a multiple of VIRTIO_MMIO_SIZE, with interrupts on @gsi.
 * -EEXIST: something else is there; -ENOSPC: the bus is full.
 */
int virtio_mmio_init(struct virtio_mmio *vmmio, struct virtio_device *vdev, struct vm *vm, u64 base,
		     u32 gsi);

/* Once no vCPU runs any more and the device is stopped. */
void virtio_mmio_destroy(struct virtio_mmio *vmmio);

#endif /* LKVM_VIRTIO_MMIO_H */
