// SPDX-License-Identifier: GPL-2.0-only
/* Split virtqueues, the device's side: virtio 1.3, 2.7. */
#include <endian.h>
#include <errno.h>

#include "queue-internal.h"

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

static bool split_is_valid(const struct virtq *vq)
{
	return is_power_of_two(vq->size) && is_aligned(vq->desc, 16) && is_aligned(vq->avail, 2) &&
	       is_aligned(vq->used, 4);
}

static void split_start(struct virtq *vq)
{
	vq->split = (struct virtq_split){0};
}

static int add_desc(struct virtq *vq, struct virtq_chain *chain, const struct vring_desc *desc)
{
	return virtq_add_seg(vq, chain, le64toh(desc->addr), le32toh(desc->len),
			     le16toh(desc->flags));
}

/* Follows the indirect table of @len bytes at @iova. */
static int walk_indirect(struct virtq *vq, struct virtq_chain *chain, u64 iova, u32 len)
{
	struct virtq_table table;
	u32 i = 0;

	if (virtq_table_open(vq, &table, iova, len))
		return -EIO;
	/* Each step consumes one entry, so that a loop ends. */
	for (u32 steps = 0; steps < table.nr; steps++) {
		const struct vring_desc *desc = virtq_table_entry(vq, &table, i);
		u16 flags;
		int ret;

		if (!desc)
			return -EIO;
		flags = le16toh(desc->flags);
		if (flags & VRING_DESC_F_INDIRECT)
			return virtq_break(vq, "an indirect table holds another one");
		ret = add_desc(vq, chain, desc);
		if (ret)
			return ret;
		if (!(flags & VRING_DESC_F_NEXT))
			return 0;
		i = le16toh(desc->next);
		if (i >= table.nr)
			return virtq_break(vq, "a descriptor index is out of range");
	}
	return virtq_break(vq, "a descriptor chain loops");
}

static int walk_chain(struct virtq *vq, struct virtq_chain *chain)
{
	u16 i = chain->head;

	for (u32 steps = 0; steps < vq->size; steps++) {
		struct vring_desc desc;
		u16 flags;
		int ret;

		if (dma_read(&vq->dma, vq->desc + i * DESC_SIZE, &desc, sizeof(desc)))
			return virtq_break_unreachable(vq);
		flags = le16toh(desc.flags);
		if (flags & VRING_DESC_F_INDIRECT) {
			if (!vq->indirect || (flags & VRING_DESC_F_NEXT))
				return virtq_break(vq,
						   "an indirect descriptor is not allowed here");
			return walk_indirect(vq, chain, le64toh(desc.addr), le32toh(desc.len));
		}
		ret = add_desc(vq, chain, &desc);
		if (ret)
			return ret;
		if (!(flags & VRING_DESC_F_NEXT))
			return 0;
		i = le16toh(desc.next);
		if (i >= vq->size)
			return virtq_break(vq, "a descriptor index is out of range");
	}
	return virtq_break(vq, "a descriptor chain loops");
}

/* How many chains wait. */
static int split_pending(struct virtq *vq)
{
	u16 idx;

	if (dma_load16(&vq->dma, avail_idx_addr(vq), &idx))
		return virtq_break_unreachable(vq);
	idx = le16toh(idx) - vq->split.last_avail;
	if (idx > vq->size)
		return virtq_break(vq, "the available index jumped by more than the queue size");
	return idx;
}

static int split_pop(struct virtq *vq, struct virtq_chain *chain)
{
	int ret = split_pending(vq);
	u16 head;

	if (ret <= 0)
		return ret;
	if (dma_load16(&vq->dma, avail_ring_addr(vq, vq->split.last_avail), &head))
		return virtq_break_unreachable(vq);
	chain->head = le16toh(head);
	if (chain->head >= vq->size)
		return virtq_break(vq, "a descriptor index is out of range");
	ret = walk_chain(vq, chain);
	if (ret)
		return ret;
	vq->split.last_avail++;
	return 1;
}

static int split_push(struct virtq *vq, u16 head, u32 len)
{
	u64 elem = used_elem_addr(vq, vq->split.used_idx);

	/* Two words: an element may lie across a page border. */
	if (dma_store32(&vq->dma, elem, htole32(head)) ||
	    dma_store32(&vq->dma, elem + 4, htole32(len)))
		return virtq_break_unreachable(vq);
	vq->split.used_idx++;
	return 0;
}

/* 2.7.7: whether the driver wants to hear of the elements up to the published index. */
static int wants_interrupt(struct virtq *vq)
{
	struct virtq_split *s = &vq->split;
	u16 val, old = s->signalled;

	if (!vq->event_idx) {
		if (dma_load16(&vq->dma, vq->avail, &val))
			return virtq_break_unreachable(vq);
		return !(le16toh(val) & VRING_AVAIL_F_NO_INTERRUPT);
	}
	if (dma_load16(&vq->dma, used_event_addr(vq), &val))
		return virtq_break_unreachable(vq);
	s->signalled = s->published;
	return vring_need_event(le16toh(val), s->published, old);
}

static int split_publish(struct virtq *vq)
{
	struct virtq_split *s = &vq->split;

	if (s->published == s->used_idx)
		return 0;
	if (dma_store16(&vq->dma, used_idx_addr(vq), htole16(s->used_idx)))
		return virtq_break_unreachable(vq);
	s->published = s->used_idx;
	/* The index must be visible before we look whether anybody waits for it. */
	atomic_thread_fence(memory_order_seq_cst);
	return wants_interrupt(vq);
}

/* 2.7.10. With an event index, the driver does not look at the flags. */
static int split_ask_kick(struct virtq *vq, bool on)
{
	int ret = 0;

	if (!vq->event_idx)
		ret = dma_store16(&vq->dma, vq->used, on ? 0 : htole16(VRING_USED_F_NO_NOTIFY));
	else if (on)
		ret = dma_store16(&vq->dma, avail_event_addr(vq), htole16(vq->split.last_avail));
	return ret ? virtq_break_unreachable(vq) : 0;
}

const struct virtq_layout virtq_split_layout = {
	.is_valid = split_is_valid,
	.start = split_start,
	.pending = split_pending,
	.pop = split_pop,
	.push = split_push,
	.publish = split_publish,
	.ask_kick = split_ask_kick,
};
