/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The wire side of the virtio-iommu (virtio 1.3, 5.13): requests, probe properties
 * and fault events. What they mean is in iommu/iommu.h.
 *
 * Requests are served in the thread of the vCPU that kicks, all that wait, with one
 * store that makes the answers visible; with poll=, for a while by a thread of the device's.
 *
 * An UNMAP or INVALIDATE that has to wait for an access to end is put aside: what it changes is
 * changed, those behind it are served, and other vCPUs can kick, read registers and reset the
 * device. Who served it waits, outside of all locks, until it is answered.
 */
#ifndef LKVM_VIRTIO_IOMMU_H
#define LKVM_VIRTIO_IOMMU_H

#include "iommu/iommu.h"
#include "iommu/revocation.h"
#include "util/feature.h"
#include "virtio/device.h"
#include "virtio/worker.h"

/* Faults that wait for a buffer of the event queue; more are dropped, and counted. */
#define VIRTIO_IOMMU_MAX_PENDING 64

/* By type and status as on the wire; requests that were not answered are apart. */
#define VIRTIO_IOMMU_NR_TYPES	 8
#define VIRTIO_IOMMU_NR_STATUSES 9

/* A request that is OK once an access has ended; the status is written, but not published. */
struct viommu_waiting {
	struct iommu_revocation rev;
	pthread_t who; /* waits for it */
	u16 head; /* of the chain */
	u32 len; /* used length */
	u8 type;
};

#define VIRTIO_IOMMU_MAX_WAITING 256

struct virtio_iommu {
	struct virtio_device vdev;
	struct iommu *iommu;
	const _Atomic bool *stopping; /* the machine is: leave the request loop */

	/* Of who serves requests: a vCPU with vdev.lock, or with poll=, who has poll.lock. */
	struct virtq_chain request;
	struct viommu_waiting waiting[VIRTIO_IOMMU_MAX_WAITING];
	_Atomic unsigned int nr_waiting; /* read without a lock, too */
	bool in_place; /* it cannot leave its locks: who has to wait does so at once */

	_Atomic u64 answered[VIRTIO_IOMMU_NR_TYPES][VIRTIO_IOMMU_NR_STATUSES];
	_Atomic u64 unanswered; /* unknown, or no room for an answer */

	/* With poll=. */
	struct {
		struct virtio_worker worker;
		int wake_fd; /* readable: there was a kick */
		pthread_mutex_t lock; /* of who serves requests; behind vdev.lock */
		_Atomic bool on; /* the thread looks for requests: a kick is nothing new */
		_Atomic bool awaited; /* a vCPU wants the lock */
		u64 rest_us; /* how long the next rest is; of the thread */
		_Atomic u64 rest_until; /* us of the monotonic clock: no looking before */
	} poll;

	/*
	 * Guards the event queue. Faults come from the threads of devices while a
	 * DETACH, with vdev.lock, may be waiting for these: so this is a lock apart.
	 */
	pthread_mutex_t event_lock;
	bool events_running;
	bool faults_with_pasid; /* the driver knows of PASIDs in them */
	struct virtq_chain event;
	struct iommu_fault pending[VIRTIO_IOMMU_MAX_PENDING];
	unsigned int nr_pending;
	_Atomic u64 dropped; /* read without the lock */
};

/* @iommu and @stopping stay the caller's; faults of @iommu are reported here. */
int virtio_iommu_init(struct virtio_iommu *viommu, struct iommu *iommu, const struct guest_mem *mem,
		      const _Atomic bool *stopping);
void virtio_iommu_destroy(struct virtio_iommu *viommu);

/* The features of the specification that the device offers. */
feature_source virtio_iommu_features;

#endif /* LKVM_VIRTIO_IOMMU_H */
