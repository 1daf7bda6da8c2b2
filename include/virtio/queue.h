/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Virtqueues, the device's side, in both layouts: split (virtio 1.3, 2.7) and packed
 * (2.8). Rings, descriptors and buffers are reached through the queue's DMA channel,
 * so behind an IOMMU every address here is an IOVA.
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

/* A longer queue is refused, whatever the device offers. */
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
	u16 head; /* for virtq_push(): below the queue size, and unique until then */
	u16 nr_out;
	u16 nr_in;
	u64 out_len; /* bytes */
	u64 in_len;
	struct virtq_seg segs[VIRTQ_MAX_SEGS];
};

/* Where the device stands in a split queue. */
struct virtq_split {
	u16 last_avail;
	u16 used_idx; /* next to write; published by virtq_publish() */
	u16 published; /* used index that the driver can see */
	u16 signalled; /* used index when the driver was last asked whether it wants an interrupt */
};

/* A place in a packed ring, with the wrap counter that holds there (2.8.1). */
struct virtq_pos {
	u16 off; /* in descriptors, below the queue size */
	bool wrap;
};

/* What the used descriptor of a chain needs. */
struct virtq_taken {
	u16 id; /* the driver's buffer ID: any number, even one that it has in use already */
	u16 nr; /* descriptors that it took in the ring */
	bool writable;
	u16 next_free;
};

/* Where the device stands in a packed queue. */
struct virtq_packed {
	struct virtq_pos avail; /* the next descriptor to look at */
	struct virtq_pos used; /* and to write */
	/*
	 * Used descriptors that the driver cannot see yet: the flags of the first are
	 * written last, by virtq_publish().
	 */
	struct virtq_pos batch;
	u16 batch_flags;
	u16 batch_nr; /* ring entries that they cover; 0: there are none */
	u16 held; /* ring entries that are not the driver's again: up to the queue size */
	/* By virtq_chain.head. The free ones are a list. */
	u16 free;
	struct virtq_taken taken[VIRTQ_MAX_SIZE];
};

struct virtq_layout;

struct virtq {
	struct virtio_device *vdev;
	unsigned int index;

	/* What the driver set up, by the transport. */
	u16 max_size;
	u16 size;
	/* IOVAs: descriptor area, driver area, device area (2.6). */
	u64 desc, avail, used;
	bool enabled;
	_Atomic u16 vector; /* MSI-X, or VIRTIO_NO_VECTOR; read by any thread that interrupts */

	/* As negotiated, while the queue runs. */
	const struct virtq_layout *layout;
	union {
		struct virtq_split split;
		struct virtq_packed packed;
	};
	_Atomic bool broken; /* written by who serves the queue */
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
 * telling the driver yet. Once for each chain, in any order. -EIO.
 */
int virtq_push(struct virtq *vq, u16 head, u32 len);

/*
 * Makes all pushed elements visible with one store, to the used index (2.7.8) or to the
 * flags of the first (2.8.2), and interrupts the driver if it wants that. Once a batch.
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

/*
 * For the transport: whether size and addresses are such as the negotiated layout allows
 * (2.7, 2.8.10.1), the start of a queue that the driver enabled, and its reset.
 */
bool virtq_is_valid(const struct virtq *vq);
void virtq_start(struct virtq *vq);
void virtq_reset(struct virtq *vq);

#endif /* LKVM_VIRTIO_QUEUE_H */
