/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A virtio device, apart from its transport (virtio 1.3, 2). The transport calls
 * the functions of this module on driver accesses; the device type supplies
 * struct virtio_ops.
 */
#ifndef LKVM_VIRTIO_DEVICE_H
#define LKVM_VIRTIO_DEVICE_H

#include <pthread.h>

#include "util/feature.h"
#include "util/types.h"
#include "virtio/queue.h"

#define VIRTIO_MAX_QUEUES 64
#define VIRTIO_NO_VECTOR  0xffff

struct report;
struct virtio_device;

struct virtio_ops {
	const char *name; /* "virtio-blk": opens messages */
	u32 id; /* device ID of the specification, 5 */
	bool threaded; /* queues are served by threads of the device, kicked by eventfd */
	u32 config_size; /* bytes of the device configuration */

	/*
	 * The device configuration, inside config_size. A write goes to writable
	 * fields, and is ignored elsewhere. Called with vdev->lock.
	 */
	void (*config_read)(struct virtio_device *vdev, u32 off, void *buf, u32 len);
	void (*config_write)(struct virtio_device *vdev, u32 off, const void *buf, u32 len);

	/* The driver said FEATURES_OK. -EINVAL refuses the choice. May be NULL. */
	int (*features_ok)(struct virtio_device *vdev, u64 features);

	/*
	 * The queue is enabled and the driver said DRIVER_OK: serve it. A threaded
	 * device starts or wakes its thread. -errno asks for a reset.
	 */
	int (*queue_start)(struct virtio_device *vdev, unsigned int index);
	/* Returns once nobody touches the queue, its rings or its requests. */
	void (*queue_stop)(struct virtio_device *vdev, unsigned int index);

	/* A kick, in the vCPU's thread with vdev->lock; only if not threaded. */
	void (*kick)(struct virtio_device *vdev, unsigned int index);

	/* After every queue is stopped. May be NULL. */
	void (*reset)(struct virtio_device *vdev);

	/*
	 * Adds the device's own counters to an open object of @r. From any thread, with
	 * vdev->lock. May be NULL.
	 */
	void (*stat)(struct virtio_device *vdev, struct report *r);
};

struct virtio_transport_ops {
	/* Interrupt for @vq, or for the configuration if NULL. From any thread. */
	void (*interrupt)(struct virtio_device *vdev, struct virtq *vq);
	/* Starts or stops to signal vq->kick_fd when the driver kicks. */
	int (*kick_fd_set)(struct virtio_device *vdev, struct virtq *vq, bool on);
};

struct virtio_device {
	const struct virtio_ops *ops;
	const struct virtio_transport_ops *transport;
	void *transport_priv;
	char where[16]; /* by the transport, for messages: "00:02.0" */
	_Atomic bool warned; /* that it needs a reset: said once a device */

	/* Guards status, features, queue setup; held across config and status accesses. */
	pthread_mutex_t lock;
	u64 offered; /* features */
	u64 accepted; /* what the driver wrote, offered bits only once FEATURES_OK */
	_Atomic u8 status;
	_Atomic u32 config_generation;
	struct virtq *vqs;
	unsigned int nr_vqs;
};

/*
 * @features are the device's own; the transport-independent ones (VERSION_1,
 * INDIRECT_DESC, EVENT_IDX, RING_RESET, and ACCESS_PLATFORM if @ep) are added.
 * Queues get @queue_size. -ENOMEM, -EMFILE.
 */
int virtio_device_init(struct virtio_device *vdev, const struct virtio_ops *ops, u64 features,
		       unsigned int nr_vqs, u16 queue_size, const struct guest_mem *mem,
		       struct iommu_endpoint *ep);
void virtio_device_destroy(struct virtio_device *vdev);

/* A feature that the driver accepted. */
bool virtio_has_feature(const struct virtio_device *vdev, unsigned int bit);

/* The device configuration changed: new generation, interrupt. From any thread. */
void virtio_config_changed(struct virtio_device *vdev);

/* DEVICE_NEEDS_RESET (2.1.2), with one line that says why. From any thread. */
void virtio_needs_reset(struct virtio_device *vdev, const char *why);

/* For transports, with vdev->lock held. A write of 0 resets the device. */
void virtio_set_status(struct virtio_device *vdev, u8 status);
void virtio_set_features(struct virtio_device *vdev, u64 features);
void virtio_queue_enable(struct virtio_device *vdev, unsigned int index);
/* Stops the queue, what the driver set it up with stays. Nobody touches it afterwards. */
void virtio_queue_disable(struct virtio_device *vdev, unsigned int index);
/* The same, and all of its setup is as after a reset; only if RING_RESET is agreed on. */
void virtio_queue_reset(struct virtio_device *vdev, unsigned int index);

/* For transports, without the lock: a kick that came as an exit. */
void virtio_kick(struct virtio_device *vdev, unsigned int index);

/* Transports and layouts of queues. */
feature_source virtio_features;

#endif /* LKVM_VIRTIO_DEVICE_H */
