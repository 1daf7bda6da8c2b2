/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtio block device (virtio 1.3, 5.2). Each queue has a thread of its own,
 * which executes one request at a time.
 */
#ifndef LKVM_VIRTIO_BLK_H
#define LKVM_VIRTIO_BLK_H

#include <linux/virtio_blk.h>

#include "disk/disk.h"
#include "virtio/device.h"
#include "virtio/options.h"

#define BLK_MAX_QUEUES 16
#define BLK_SERIAL_LEN 20

/* What "--disk FILE[,...]" says. */
struct blk_config {
	struct virtio_options options;
	struct disk_config disk;
	unsigned int queues;
	char serial[BLK_SERIAL_LEN + 1];
	unsigned int index; /* of this disk among the guest's, by the caller: names threads */
};

/* What --disk takes, for the usage text. */
extern const char blk_usage[];

/*
 * Parses the argument of --disk: FILE or ram:SIZE, then suboptions. Prints the reason on
 * failure. -EINVAL, -ENAMETOOLONG.
 */
int blk_parse(const char *arg, struct blk_config *out);

struct blk_queue;

struct virtio_blk {
	struct virtio_device vdev;
	struct disk *disk;
	struct virtio_blk_config config; /* fixed but for the writeback byte */
	/*
	 * The configuration's writeback byte. If not set, a write is on stable
	 * storage before it completes. Written with vdev.lock, read by the queues.
	 */
	atomic_bool writeback;
	char serial[BLK_SERIAL_LEN + 1];
	struct blk_queue *queues;
	unsigned int nr_queues; /* that have a thread */
};

/*
 * Makes a device of @disk, which belongs to the device from then on; on failure it
 * stays the caller's. Prints the reason on failure. -ENOMEM, -EMFILE, -EAGAIN.
 */
int virtio_blk_create(struct virtio_blk **out, const struct blk_config *config, struct disk *disk,
		      const struct guest_mem *mem, struct iommu_endpoint *ep);

/* Ends the threads, and closes the disk. The transport must not use the device any more. */
void virtio_blk_destroy(struct virtio_blk *blk);

#endif /* LKVM_VIRTIO_BLK_H */
