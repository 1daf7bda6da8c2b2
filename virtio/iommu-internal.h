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

/* The thread that looks for requests, where there is one; for the device's own operations. */
int viommu_poll_init(struct virtio_iommu *viommu);
void viommu_poll_destroy(struct virtio_iommu *viommu);
void viommu_poll_start(struct virtio_iommu *viommu);
void viommu_poll_stop(struct virtio_iommu *viommu);
void viommu_poll_kick(struct virtio_iommu *viommu);

#endif /* LKVM_VIRTIO_IOMMU_INTERNAL_H */
