// SPDX-License-Identifier: GPL-2.0-only
/* What virtqueues of both layouts share: virtio 1.3, 2.6. */
#include <errno.h>
#include <linux/virtio_config.h>

#include "queue-internal.h"
#include "util/counter.h"
#include "virtio/device.h"

/* The specification allows no chain of more bytes than this (2.7.4.2). */
#define CHAIN_MAX_BYTES (1ULL << 32)

static const struct virtq_layout *negotiated_layout(const struct virtq *vq)
{
	return virtio_has_feature(vq->vdev, VIRTIO_F_RING_PACKED) ? &virtq_packed_layout
								  : &virtq_split_layout;
}

int virtq_break(struct virtq *vq, const char *why)
{
	if (!vq->broken) {
		vq->broken = true;
		virtio_needs_reset(vq->vdev, why);
	}
	return -EIO;
}

int virtq_break_unreachable(struct virtq *vq)
{
	return virtq_break(vq, "a ring is at an address that the device cannot reach");
}

bool virtq_is_valid(const struct virtq *vq)
{
	return vq->size && vq->size <= min(vq->max_size, VIRTQ_MAX_SIZE) &&
	       negotiated_layout(vq)->is_valid(vq);
}

void virtq_start(struct virtq *vq)
{
	vq->broken = false;
	vq->event_idx = virtio_has_feature(vq->vdev, VIRTIO_RING_F_EVENT_IDX);
	vq->indirect = virtio_has_feature(vq->vdev, VIRTIO_RING_F_INDIRECT_DESC);
	vq->layout = negotiated_layout(vq);
	vq->layout->start(vq);
}

void virtq_reset(struct virtq *vq)
{
	vq->enabled = false;
	vq->broken = false;
	vq->size = vq->max_size;
	vq->desc = 0;
	vq->avail = 0;
	vq->used = 0;
	vq->vector = VIRTIO_NO_VECTOR;
}

int virtq_add_seg(struct virtq *vq, struct virtq_chain *chain, u64 iova, u32 len, u16 flags)
{
	unsigned int n = chain->nr_out + chain->nr_in;

	if (n == VIRTQ_MAX_SEGS)
		return virtq_break(vq, "a descriptor chain is too long");
	if (flags & VRING_DESC_F_WRITE) {
		chain->nr_in++;
		chain->in_len += len;
	} else {
		if (chain->nr_in)
			return virtq_break(vq, "a readable descriptor follows a writable one");
		chain->nr_out++;
		chain->out_len += len;
	}
	if (chain->out_len + chain->in_len > CHAIN_MAX_BYTES)
		return virtq_break(vq, "a descriptor chain has more than 4 GiB");
	chain->segs[n] = (struct virtq_seg){.iova = iova, .len = len};
	return 0;
}

int virtq_table_open(struct virtq *vq, struct virtq_table *table, u64 iova, u32 len)
{
	if (!len || len % DESC_SIZE)
		return virtq_break(vq, "an indirect table has an odd size");
	table->iova = iova;
	table->nr = len / DESC_SIZE;
	table->base = 0;
	table->have = 0;
	return 0;
}

const void *virtq_table_entry(struct virtq *vq, struct virtq_table *table, u32 i)
{
	if (i < table->base || i >= table->base + table->have) {
		table->base = i;
		table->have = min(table->nr - i, (u32)VIRTQ_TABLE_BATCH);
		if (dma_read(&vq->dma, table->iova + (u64)i * DESC_SIZE, table->batch,
			     table->have * DESC_SIZE)) {
			virtq_break(vq, "an indirect table cannot be reached");
			return NULL;
		}
	}
	return table->batch[i - table->base];
}

int virtq_pop(struct virtq *vq, struct virtq_chain *chain)
{
	int ret;

	if (vq->broken)
		return -EIO;
	chain->nr_out = 0;
	chain->nr_in = 0;
	chain->out_len = 0;
	chain->in_len = 0;
	ret = vq->layout->pop(vq, chain);
	if (ret > 0)
		counter_add(&vq->nr_requests, 1);
	return ret;
}

int virtq_push(struct virtq *vq, u16 head, u32 len)
{
	return vq->broken ? -EIO : vq->layout->push(vq, head, len);
}

void virtq_publish(struct virtq *vq)
{
	if (vq->broken || vq->layout->publish(vq) <= 0)
		return;
	counter_add(&vq->nr_interrupts, 1);
	vq->vdev->transport->interrupt(vq->vdev, vq);
}

bool virtq_enable_kick(struct virtq *vq)
{
	if (vq->broken || vq->layout->ask_kick(vq, true))
		return false;
	/* The driver must see the request before we look for buffers once more. */
	atomic_thread_fence(memory_order_seq_cst);
	return vq->layout->pending(vq) > 0;
}

void virtq_disable_kick(struct virtq *vq)
{
	if (!vq->broken)
		vq->layout->ask_kick(vq, false);
}

/* A walk over [off, off + len) of the readable or the writable part of a chain. */
struct seg_walk {
	const struct virtq_seg *seg;
	unsigned int nr;
	u64 off; /* into *seg */
	u64 left;
};

static struct seg_walk seg_walk_start(const struct virtq_chain *chain, bool in, u64 off, u64 len)
{
	struct seg_walk w = {
		.seg = in ? chain->segs + chain->nr_out : chain->segs,
		.nr = in ? chain->nr_in : chain->nr_out,
		.off = off,
		.left = len,
	};

	return w;
}

/* The next piece, in IOVAs; false at the end of the range or of the chain. */
static bool seg_walk_next(struct seg_walk *w, u64 *iova, u64 *len)
{
	while (w->nr && w->off >= w->seg->len) {
		w->off -= w->seg->len;
		w->seg++;
		w->nr--;
	}
	if (!w->nr || !w->left)
		return false;
	*iova = w->seg->iova + w->off;
	*len = min(w->left, w->seg->len - w->off);
	w->left -= *len;
	w->off += *len;
	return true;
}

ssize_t virtq_copy_out(struct virtq *vq, const struct virtq_chain *chain, u64 off, void *buf,
		       size_t len)
{
	struct seg_walk w = seg_walk_start(chain, false, off, len);
	size_t done = 0;
	u64 iova, part;

	while (seg_walk_next(&w, &iova, &part)) {
		if (dma_read(&vq->dma, iova, (u8 *)buf + done, part))
			return -EFAULT;
		done += part;
	}
	return done;
}

ssize_t virtq_copy_in(struct virtq *vq, const struct virtq_chain *chain, u64 off, const void *buf,
		      size_t len)
{
	struct seg_walk w = seg_walk_start(chain, true, off, len);
	size_t done = 0;
	u64 iova, part;

	while (seg_walk_next(&w, &iova, &part)) {
		if (dma_write(&vq->dma, iova, (const u8 *)buf + done, part))
			return -EFAULT;
		done += part;
	}
	return done;
}

int virtq_map(struct virtq *vq, const struct virtq_chain *chain, bool in, u64 off, u64 len,
	      struct iovec *iov, dma_handle_t *handles, unsigned int max, unsigned int *nr_handles)
{
	struct seg_walk w = seg_walk_start(chain, in, off, len);
	unsigned int n = 0, opened = 0;
	u64 iova, part;

	while (seg_walk_next(&w, &iova, &part)) {
		int ret = n == max ? -E2BIG
				   : dma_map(&vq->dma, DMA_NO_PASID, iova, part,
					     in ? DMA_WRITE : DMA_READ, iov + n, max - n,
					     &handles[opened]);

		if (ret < 0) {
			virtq_unmap(vq, handles, opened);
			return ret;
		}
		n += ret;
		opened++;
	}
	*nr_handles = opened;
	return n;
}

void virtq_unmap(struct virtq *vq, const dma_handle_t *handles, unsigned int nr_handles)
{
	while (nr_handles)
		dma_unmap(&vq->dma, handles[--nr_handles]);
}
