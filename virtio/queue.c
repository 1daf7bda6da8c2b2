// SPDX-License-Identifier: GPL-2.0-only
/* Split virtqueues, the device's side: virtio 1.3, 2.7. */
#include <endian.h>
#include <errno.h>
#include <linux/virtio_ring.h>
#include <string.h>

#include "virtio/device.h"
#include "virtio/queue.h"

/* The specification allows no chain of more bytes than this (2.7.4.2). */
#define CHAIN_MAX_BYTES (1ULL << 32)

#define DESC_SIZE sizeof(struct vring_desc)
/* Descriptors of an indirect table that are fetched at a time. */
#define INDIRECT_BATCH 32

/* Only one thread at a time writes it. */
static void count(_Atomic u64 *counter)
{
	u64 n = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, n + 1, memory_order_relaxed);
}

static u64 avail_idx_addr(const struct virtq *vq)
{
	return vq->avail + 2;
}

static u64 avail_ring_addr(const struct virtq *vq, u16 idx)
{
	return vq->avail + 4 + 2 * (u64)(idx % vq->size);
}

static u64 used_event_addr(const struct virtq *vq)
{
	return vq->avail + 4 + 2 * (u64)vq->size;
}

static u64 used_idx_addr(const struct virtq *vq)
{
	return vq->used + 2;
}

static u64 used_elem_addr(const struct virtq *vq, u16 idx)
{
	return vq->used + 4 + 8 * (u64)(idx % vq->size);
}

static u64 avail_event_addr(const struct virtq *vq)
{
	return vq->used + 4 + 8 * (u64)vq->size;
}

static int broken(struct virtq *vq, const char *why)
{
	if (!vq->broken) {
		vq->broken = true;
		virtio_needs_reset(vq->vdev, why);
	}
	return -EIO;
}

static int ring_unreachable(struct virtq *vq)
{
	return broken(vq, "a ring is at an address that the device cannot reach");
}

void virtq_start(struct virtq *vq)
{
	vq->last_avail = 0;
	vq->used_idx = 0;
	vq->published = 0;
	vq->signalled = 0;
	vq->signalled_valid = false;
	vq->broken = false;
	vq->event_idx = virtio_has_feature(vq->vdev, VIRTIO_RING_F_EVENT_IDX);
	vq->indirect = virtio_has_feature(vq->vdev, VIRTIO_RING_F_INDIRECT_DESC);
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

/* Adds one descriptor that is not a pointer to an indirect table. */
static int add_desc(struct virtq *vq, struct virtq_chain *chain, const struct vring_desc *desc)
{
	u16 flags = le16toh(desc->flags);
	u32 len = le32toh(desc->len);
	unsigned int n = chain->nr_out + chain->nr_in;

	if (n == VIRTQ_MAX_SEGS)
		return broken(vq, "a descriptor chain is too long");
	if (flags & VRING_DESC_F_WRITE) {
		chain->nr_in++;
		chain->in_len += len;
	} else {
		if (chain->nr_in)
			return broken(vq, "a readable descriptor follows a writable one");
		chain->nr_out++;
		chain->out_len += len;
	}
	if (chain->out_len + chain->in_len > CHAIN_MAX_BYTES)
		return broken(vq, "a descriptor chain has more than 4 GiB");
	chain->segs[n] = (struct virtq_seg){.iova = le64toh(desc->addr), .len = len};
	return 0;
}

/*
 * Follows the indirect table of @len bytes at IOVA @table. Entries are fetched in
 * batches, as drivers fill such tables in order.
 */
static int walk_indirect(struct virtq *vq, struct virtq_chain *chain, u64 table, u32 len)
{
	struct vring_desc batch[INDIRECT_BATCH];
	u32 nr = len / DESC_SIZE;
	u32 base = 0, have = 0, i = 0;

	if (!nr || len % DESC_SIZE)
		return broken(vq, "an indirect table has an odd size");
	/* Each step consumes one of @nr entries, so that a loop ends. */
	for (u32 steps = 0; steps < nr; steps++) {
		const struct vring_desc *desc;
		u16 flags;
		int ret;

		if (i < base || i >= base + have) {
			base = i;
			have = min(nr - i, (u32)INDIRECT_BATCH);
			if (dma_read(&vq->dma, table + base * DESC_SIZE, batch, have * DESC_SIZE))
				return broken(vq, "an indirect table cannot be reached");
		}
		desc = &batch[i - base];
		flags = le16toh(desc->flags);
		if (flags & VRING_DESC_F_INDIRECT)
			return broken(vq, "an indirect table holds another one");
		ret = add_desc(vq, chain, desc);
		if (ret)
			return ret;
		if (!(flags & VRING_DESC_F_NEXT))
			return 0;
		i = le16toh(desc->next);
		if (i >= nr)
			return broken(vq, "a descriptor index is out of range");
	}
	return broken(vq, "a descriptor chain loops");
}

static int walk_chain(struct virtq *vq, struct virtq_chain *chain)
{
	u16 i = chain->head;

	for (u32 steps = 0; steps < vq->size; steps++) {
		struct vring_desc desc;
		u16 flags;
		int ret;

		if (dma_read(&vq->dma, vq->desc + i * DESC_SIZE, &desc, sizeof(desc)))
			return ring_unreachable(vq);
		flags = le16toh(desc.flags);
		if (flags & VRING_DESC_F_INDIRECT) {
			if (!vq->indirect || (flags & VRING_DESC_F_NEXT))
				return broken(vq, "an indirect descriptor is not allowed here");
			return walk_indirect(vq, chain, le64toh(desc.addr), le32toh(desc.len));
		}
		ret = add_desc(vq, chain, &desc);
		if (ret)
			return ret;
		if (!(flags & VRING_DESC_F_NEXT))
			return 0;
		i = le16toh(desc.next);
		if (i >= vq->size)
			return broken(vq, "a descriptor index is out of range");
	}
	return broken(vq, "a descriptor chain loops");
}

/* How many chains wait, or -EIO. */
static int virtq_pending(struct virtq *vq)
{
	u16 idx;

	if (vq->broken)
		return -EIO;
	if (dma_load16(&vq->dma, avail_idx_addr(vq), &idx))
		return ring_unreachable(vq);
	idx = le16toh(idx) - vq->last_avail;
	if (idx > vq->size)
		return broken(vq, "the available index jumped by more than the queue size");
	return idx;
}

int virtq_pop(struct virtq *vq, struct virtq_chain *chain)
{
	int ret = virtq_pending(vq);
	u16 head;

	if (ret <= 0)
		return ret;
	if (dma_load16(&vq->dma, avail_ring_addr(vq, vq->last_avail), &head))
		return ring_unreachable(vq);
	head = le16toh(head);
	if (head >= vq->size)
		return broken(vq, "a descriptor index is out of range");

	chain->head = head;
	chain->nr_out = 0;
	chain->nr_in = 0;
	chain->out_len = 0;
	chain->in_len = 0;
	ret = walk_chain(vq, chain);
	if (ret)
		return ret;
	vq->last_avail++;
	count(&vq->nr_requests);
	return 1;
}

int virtq_push(struct virtq *vq, u16 head, u32 len)
{
	u64 elem = used_elem_addr(vq, vq->used_idx);

	if (vq->broken)
		return -EIO;
	/* Two words: an element may lie across a page border. */
	if (dma_store32(&vq->dma, elem, htole32(head)) ||
	    dma_store32(&vq->dma, elem + 4, htole32(len)))
		return ring_unreachable(vq);
	vq->used_idx++;
	return 0;
}

/* 2.7.7: whether the driver wants to hear of the elements up to vq->published. */
static bool wants_interrupt(struct virtq *vq)
{
	u16 val, old = vq->signalled, new = vq->published;
	bool valid = vq->signalled_valid;

	/* The index must be visible before we look whether anybody waits for it. */
	atomic_thread_fence(memory_order_seq_cst);
	if (!vq->event_idx) {
		if (dma_load16(&vq->dma, vq->avail, &val)) {
			ring_unreachable(vq);
			return false;
		}
		return !(le16toh(val) & VRING_AVAIL_F_NO_INTERRUPT);
	}
	if (dma_load16(&vq->dma, used_event_addr(vq), &val)) {
		ring_unreachable(vq);
		return false;
	}
	vq->signalled = new;
	vq->signalled_valid = true;
	return !valid || vring_need_event(le16toh(val), new, old);
}

void virtq_publish(struct virtq *vq)
{
	if (vq->broken || vq->published == vq->used_idx)
		return;
	if (dma_store16(&vq->dma, used_idx_addr(vq), htole16(vq->used_idx))) {
		ring_unreachable(vq);
		return;
	}
	vq->published = vq->used_idx;
	if (wants_interrupt(vq)) {
		count(&vq->nr_interrupts);
		vq->vdev->transport->interrupt(vq->vdev, vq);
	}
}

bool virtq_enable_kick(struct virtq *vq)
{
	int ret;

	if (vq->broken)
		return false;
	if (vq->event_idx)
		ret = dma_store16(&vq->dma, avail_event_addr(vq), htole16(vq->last_avail));
	else
		ret = dma_store16(&vq->dma, vq->used, 0);
	if (ret) {
		ring_unreachable(vq);
		return false;
	}
	/* The driver must see the request before we look for buffers once more. */
	atomic_thread_fence(memory_order_seq_cst);
	return virtq_pending(vq) > 0;
}

void virtq_disable_kick(struct virtq *vq)
{
	if (vq->broken || vq->event_idx)
		return;
	if (dma_store16(&vq->dma, vq->used, htole16(VRING_USED_F_NO_NOTIFY)))
		ring_unreachable(vq);
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
