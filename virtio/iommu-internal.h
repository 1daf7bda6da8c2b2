/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the virtio-iommu's wire side share. */
#ifndef LKVM_VIRTIO_IOMMU_INTERNAL_H
#define LKVM_VIRTIO_IOMMU_INTERNAL_H

#include "virtio/iommu-wire.h"
#include "virtio/iommu.h"

/* Room for every property, and to spare for drivers that preallocate. */
#define VIOMMU_PROBE_SIZE 512

/* The properties of a PROBE are built here, then copied to the driver. */
struct viommu_reply {
	u8 properties[VIOMMU_PROBE_SIZE];
	size_t len;
	struct iommu_revocation rev; /* what the answer has to wait for */
};

/* The status for a negative errno of iommu/iommu.h, and its name. */
u8 viommu_status(int err);
const char *viommu_status_name(u8 status);

/* Requests that are there with ATTACH_TABLE. @req is as long as its struct; -errno. */
int viommu_attach_table(struct virtio_iommu *viommu, const void *req, struct viommu_reply *reply);
int viommu_invalidate(struct virtio_iommu *viommu, const void *req, struct viommu_reply *reply);
int viommu_detach_pasid(struct virtio_iommu *viommu, const struct viommu_detach *req);

/*
 * Answers the requests that wait, and says how many: for the only one that serves them, a vCPU
 * with vdev->lock or, with poll=, whoever has poll.lock. The second one leaves only once the
 * driver knows that it has to kick again.
 */
unsigned int viommu_serve_waiting(struct virtio_iommu *viommu);
void viommu_serve_kick(struct virtio_iommu *viommu);

/*
 * Requests that wait for an access to end; for who serves requests, too.
 *
 * viommu_set_aside() takes one over that is OK but for that; false: the access has ended, for which
 * it waits itself if it cannot keep the request. viommu_answer_waiting() answers those of which the
 * access has ended, and says how many; they are not published yet. viommu_await() leaves all locks
 * until none is left that this thread has served, the machine stops or, in the thread of poll=,
 * that is to stop; the queue may have been reset by then. viommu_forget_waiting() drops all.
 */
bool viommu_set_aside(struct virtio_iommu *viommu, struct iommu_revocation *rev, u8 type, u16 head,
		      u32 len);
unsigned int viommu_answer_waiting(struct virtio_iommu *viommu);
void viommu_await(struct virtio_iommu *viommu);
void viommu_forget_waiting(struct virtio_iommu *viommu);

/* One more request of that type and status is answered. */
void viommu_count_answer(struct virtio_iommu *viommu, u8 type, u8 status);

/* The thread that looks for requests, where there is one; for the device's own operations. */
int viommu_poll_init(struct virtio_iommu *viommu);
void viommu_poll_destroy(struct virtio_iommu *viommu);
void viommu_poll_start(struct virtio_iommu *viommu);
void viommu_poll_stop(struct virtio_iommu *viommu);
void viommu_poll_kick(struct virtio_iommu *viommu);

/*
 * For who serves requests and leaves them for a while: its locks, which are not the same for a vCPU
 * that kicks and for the thread; and whether it is the thread, which is to stop.
 */
void viommu_poll_unlock(struct virtio_iommu *viommu);
void viommu_poll_lock(struct virtio_iommu *viommu);
bool viommu_poll_must_stop(struct virtio_iommu *viommu);

#endif /* LKVM_VIRTIO_IOMMU_INTERNAL_H */
