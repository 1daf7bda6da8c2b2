/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the registers of every transport have in common (virtio 1.3, 2.2, 2.5 and 4.x):
 * feature bits by halves, a selected queue, addresses by halves, the device configuration.
 */
#ifndef LKVM_VIRTIO_TRANSPORT_H
#define LKVM_VIRTIO_TRANSPORT_H

#include "virtio/device.h"

/* Why the driver is interrupted: the ISR status of PCI (4.1.4.5), InterruptStatus of MMIO. */
#define VIRTIO_ISR_QUEUE  BIT(0)
#define VIRTIO_ISR_CONFIG BIT(1)

/* Guarded by vdev->lock, as all functions here but virtio_config_access(). */
struct virtio_regs {
	u32 device_feature_select, driver_feature_select;
	u64 driver_features;
	u32 queue_select;
};

/* The 32 bits of @features that @select names: 0 beyond bit 63. */
static inline u32 virtio_feature_half(u64 features, u32 select)
{
	return select < 2 ? features >> (32 * select) : 0;
}

/* The driver writes the half that it has selected. */
void virtio_write_features(struct virtio_regs *regs, struct virtio_device *vdev, u32 val);

/* The queue that the driver has selected; NULL if there is none of that number. */
struct virtq *virtio_selected_queue(const struct virtio_regs *regs, struct virtio_device *vdev);

/*
 * A write of @len bytes at byte @off of an address register: one 32-bit half, or all of it;
 * others are ignored.
 */
void virtio_set_address(u64 *reg, unsigned int off, u64 val, unsigned int len);

/*
 * An access to the device configuration. What is not all inside it reads as zeroes and
 * takes no write. Takes vdev->lock.
 */
void virtio_config_access(struct virtio_device *vdev, u64 off, void *data, unsigned int len,
			  bool write);

#endif /* LKVM_VIRTIO_TRANSPORT_H */
