/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Split virtqueues (virtio 1.3, 2.7), the device's side. Rings, descriptors and
 * buffers are reached through the queue's DMA channel, so behind an IOMMU every
 * address here is an IOVA.
 *
 * A queue is served by one thread at a time: the queue's own (virtio devices with
 * @threaded queues) or a vCPU under the device's lock.
 *
 * A broken ring (an index out of range, a chain that loops, a ring that the IOMMU
 * does not let us reach) makes the queue broken: functions return -EIO from then
 * on, and the device asks for a reset.
 */
#ifndef LKVM_VIRTIO_QUEUE_H
#define LKVM_VIRTIO_QUEUE_H

#include "iommu/dma.h"
#include "util/types.h"

#define VIRTQ_MAX_SIZE 1024
/* Room for the descriptors of one chain; a longer chain breaks the queue. */
#define VIRTQ_MAX_SEGS 1024

struct virtio_device;

struct virtq_seg {
	u64 iova;
	u32 len;
};

/* A request: @nr_out device-readable segments, then @nr_in device-writable ones. */
struct virtq_chain {
	u16 head;
	u16 nr_out;
	u16 nr_in;
	u64 out_len; /* bytes */
	u64 in_len;
	struct virtq_seg segs[VIRTQ_MAX_SEGS];
};

struct virtq {
	struct virtio_device *vdev;
	unsigned int index;

	/* What the driver set up, by the transport. */
	u16 max_size;
	u16 size;
	u64 desc, avail, used; /* IOVAs */
	bool enabled;
	_Atomic u16 vector; /* MSI-X, or VIRTIO_NO_VECTOR; read by any thread that interrupts */

	/* Where the device stands. */
	u16 last_avail;
	u16 used_idx; /* next to write; published by virtq_publish() */
	u16 published; /* used index that the driver can see */
	u16 signalled; /* used index at the last interrupt */
	bool signalled_valid;
	bool broken;
	bool event_idx, indirect;

	/* Counters, written by whoever serves the queue, read by anybody. */
	_Atomic u64 nr_requests; /* chains that the driver gave us */
	_Atomic u64 nr_interrupts; /* that it asked for */

	int kick_fd; /* eventfd of a threaded queue, or -1 */
	struct dma_chan dma;
};

/*
 * Takes the next chain. 1: @chain is filled; 0: none is there; -EIO: broken. The
 * chain is the queue's scratch: copy what must outlive the next call.
 */
int virtq_pop(struct virtq *vq, struct virtq_chain *chain);

/*
 * Puts a used element for chain @head, of which @len bytes were written, without
 * telling the driver yet. -EIO.
 */
int virtq_push(struct virtq *vq, u16 head, u32 len);

/*
 * Makes all pushed elements visible with one index update and interrupts the driver
 * if it wants that. Once a batch.
 */
void virtq_publish(struct virtq *vq);

/*
 * Asks for a kick at the next available buffer. True: buffers came meanwhile, do
 * not sleep. virtq_disable_kick() says that none is needed while we poll.
 */
bool virtq_enable_kick(struct virtq *vq);
void virtq_disable_kick(struct virtq *vq);

/*
 * Copies between a buffer and the readable (out) or writable (in) bytes of a chain,
 * from byte @off of that part on. Returns how many bytes were copied, less than @len
 * only at the end of the chain; or -EFAULT, with a part copied maybe.
 */
ssize_t virtq_copy_out(struct virtq *vq, const struct virtq_chain *chain, u64 off, void *buf,
		       size_t len);
ssize_t virtq_copy_in(struct virtq *vq, const struct virtq_chain *chain, u64 off, const void *buf,
		      size_t len);

/*
 * Opens accesses to [off, off + len) of a chain's readable (@in false) or writable
 * part. Fills @iov and @handles, each of @max entries. Returns the number of iovecs
 * and in @nr_handles the accesses to close, or an error of dma_map() with none open.
 */
int virtq_map(struct virtq *vq, const struct virtq_chain *chain, bool in, u64 off, u64 len,
	      struct iovec *iov, dma_handle_t *handles, unsigned int max, unsigned int *nr_handles);
void virtq_unmap(struct virtq *vq, const dma_handle_t *handles, unsigned int nr_handles);

/* For the transport: the start of a queue that the driver enabled, and its reset. */
void virtq_start(struct virtq *vq);
void virtq_reset(struct virtq *vq);

#endif /* LKVM_VIRTIO_QUEUE_H */
