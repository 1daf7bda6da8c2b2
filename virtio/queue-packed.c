// SPDX-License-Identifier: GPL-2.0-only
/* Packed virtqueues, the device's side: virtio 1.3, 2.8. */
#include <endian.h>
#include <errno.h>
#include <stddef.h>

#include "queue-internal.h"

#define FLAG_AVAIL BIT(VRING_PACKED_DESC_F_AVAIL)
#define FLAG_USED  BIT(VRING_PACKED_DESC_F_USED)

/*
 * An event suppression structure (2.8.10) is one little-endian word, so that offset and
 * flags are never of two writes: the offset with the wrap counter, then the flags.
 */
#define EVENT_WRAP	 BIT(VRING_PACKED_EVENT_F_WRAP_CTR)
#define EVENT_FLAG_SHIFT 16
#define EVENT_FLAG_MASK	 3

static u64 desc_addr(const struct virtq *vq, struct virtq_pos pos)
{
	return vq->desc + (u64)pos.off * DESC_SIZE;
}

static u64 flags_addr(const struct virtq *vq, struct virtq_pos pos)
{
	return desc_addr(vq, pos) + offsetof(struct vring_packed_desc, flags);
}

/* By @nr descriptors, at most the queue size. */
static void advance(const struct virtq *vq, struct virtq_pos *pos, u16 nr)
{
	u32 off = pos->off + (u32)nr;

	if (off >= vq->size) {
		off -= vq->size;
		pos->wrap = !pos->wrap;
	}
	pos->off = off;
}

static bool packed_is_valid(const struct virtq *vq)
{
	return is_aligned(vq->desc, 16) && is_aligned(vq->avail, 4) && is_aligned(vq->used, 4);
}

static void packed_start(struct virtq *vq)
{
	struct virtq_packed *p = &vq->packed;

	p->avail = (struct virtq_pos){.wrap = true};
	p->used = p->avail;
	p->batch_nr = 0;
	p->held = 0;
	p->free = 0;
	for (unsigned int i = 0; i < vq->size; i++)
		p->taken[i].next_free = i + 1;
}

/* 2.8.1 */
static bool is_available(struct virtq_pos pos, u16 flags)
{
	return !!(flags & FLAG_AVAIL) == pos.wrap && !!(flags & FLAG_USED) != pos.wrap;
}

/* Whether a chain waits, and the flags of its first descriptor, which its rest follows. */
static int head_flags(struct virtq *vq, u16 *flags)
{
	if (dma_load16(&vq->dma, flags_addr(vq, vq->packed.avail), flags))
		return virtq_break_unreachable(vq);
	*flags = le16toh(*flags);
	return is_available(vq->packed.avail, *flags);
}

static int packed_pending(struct virtq *vq)
{
	u16 flags;

	return head_flags(vq, &flags);
}

/* 2.8.7: all entries in their order, of which only the flag WRITE means something. */
static int walk_indirect(struct virtq *vq, struct virtq_chain *chain,
			 const struct vring_packed_desc *desc)
{
	struct virtq_table table;

	if (virtq_table_open(vq, &table, le64toh(desc->addr), le32toh(desc->len)))
		return -EIO;
	for (u32 i = 0; i < table.nr; i++) {
		const struct vring_packed_desc *entry = virtq_table_entry(vq, &table, i);

		if (!entry || virtq_add_seg(vq, chain, le64toh(entry->addr), le32toh(entry->len),
					    le16toh(entry->flags)))
			return -EIO;
	}
	return 0;
}

/*
 * One descriptor of the ring, the @nr-th of its chain. 1: the next one belongs to the
 * chain; 0: it was the last.
 */
static int take_desc(struct virtq *vq, struct virtq_chain *chain,
		     const struct vring_packed_desc *desc, u16 flags, unsigned int nr)
{
	/* Whatever is in the ring beyond that cannot be the driver's to offer. */
	if (nr > (unsigned int)vq->size - vq->packed.held)
		return virtq_break(vq, "more descriptors are available than the ring has");
	if (flags & VRING_DESC_F_INDIRECT) {
		if (!vq->indirect || nr > 1 || (flags & VRING_DESC_F_NEXT))
			return virtq_break(vq, "an indirect descriptor is not allowed here");
		return walk_indirect(vq, chain, desc);
	}
	if (virtq_add_seg(vq, chain, le64toh(desc->addr), le32toh(desc->len), flags))
		return -EIO;
	return !!(flags & VRING_DESC_F_NEXT);
}

static int packed_pop(struct virtq *vq, struct virtq_chain *chain)
{
	struct virtq_packed *p = &vq->packed;
	struct virtq_pos pos = p->avail;
	struct vring_packed_desc desc;
	struct virtq_taken *taken;
	unsigned int nr = 1;
	u16 flags;
	int ret = head_flags(vq, &flags);

	if (ret <= 0)
		return ret;
	/* The flags are not read twice: the driver could have changed them. */
	if (dma_read(&vq->dma, desc_addr(vq, pos), &desc, offsetof(typeof(desc), flags)))
		return virtq_break_unreachable(vq);
	for (;;) {
		ret = take_desc(vq, chain, &desc, flags, nr);
		if (ret < 0)
			return ret;
		advance(vq, &pos, 1);
		if (!ret)
			break;
		nr++;
		if (dma_read(&vq->dma, desc_addr(vq, pos), &desc, sizeof(desc)))
			return virtq_break_unreachable(vq);
		flags = le16toh(desc.flags);
		if (!is_available(pos, flags))
			return virtq_break(vq, "a descriptor chain has no end");
	}

	/* There is a free one, since each in use holds a descriptor. */
	chain->head = p->free;
	taken = &p->taken[chain->head];
	p->free = taken->next_free;
	*taken = (struct virtq_taken){.id = le16toh(desc.id), .nr = nr, .writable = chain->nr_in};
	p->held += nr;
	p->avail = pos;
	return 1;
}

/*
 * Whatever the buffer was in the ring, its used descriptor is the next one in the order of
 * completion, and as many are skipped as it had (2.8.6).
 */
static int packed_push(struct virtq *vq, u16 head, u32 len)
{
	struct virtq_packed *p = &vq->packed;
	struct virtq_taken *taken = &p->taken[head];
	const struct vring_packed_desc desc = {.len = htole32(len), .id = htole16(taken->id)};
	const unsigned int first = offsetof(typeof(desc), len);
	u16 flags = (p->used.wrap ? FLAG_AVAIL | FLAG_USED : 0) |
		    (taken->writable ? VRING_DESC_F_WRITE : 0);

	if (dma_write(&vq->dma, desc_addr(vq, p->used) + first, (const u8 *)&desc + first,
		      offsetof(typeof(desc), flags) - first))
		return virtq_break_unreachable(vq);
	if (!p->batch_nr) {
		p->batch = p->used;
		p->batch_flags = flags;
	} else if (dma_store16(&vq->dma, flags_addr(vq, p->used), htole16(flags))) {
		return virtq_break_unreachable(vq);
	}
	p->batch_nr += taken->nr;
	advance(vq, &p->used, taken->nr);
	taken->next_free = p->free;
	p->free = head;
	return 0;
}

/* Whether @event, an offset with a wrap counter, is one of the @nr descriptors from @pos on. */
static bool passes_event(const struct virtq *vq, u16 event, struct virtq_pos pos, u16 nr)
{
	/* Offsets that count on in the rounds with a wrap counter of 0. */
	u32 rounds = 2 * (u32)vq->size;
	u32 at = (event & ~EVENT_WRAP & 0xffff) + (event & EVENT_WRAP ? 0 : vq->size);
	u32 from = pos.off + (pos.wrap ? 0 : vq->size);

	return (at + rounds - from) % rounds < nr;
}

static int packed_publish(struct virtq *vq)
{
	struct virtq_packed *p = &vq->packed;
	u16 nr = p->batch_nr;
	u32 event;

	if (!nr)
		return 0;
	if (dma_store16(&vq->dma, flags_addr(vq, p->batch), htole16(p->batch_flags)))
		return virtq_break_unreachable(vq);
	p->batch_nr = 0;
	p->held -= nr;
	/* The descriptors must be visible before we look whether anybody waits for them. */
	atomic_thread_fence(memory_order_seq_cst);
	if (dma_load32(&vq->dma, vq->avail, &event))
		return virtq_break_unreachable(vq);
	event = le32toh(event);
	switch (event >> EVENT_FLAG_SHIFT & EVENT_FLAG_MASK) {
	case VRING_PACKED_EVENT_FLAG_DISABLE:
		return 0;
	case VRING_PACKED_EVENT_FLAG_DESC:
		return !vq->event_idx || passes_event(vq, event, p->batch, nr);
	default:
		/* One too many does no harm. */
		return 1;
	}
}

static int packed_ask_kick(struct virtq *vq, bool on)
{
	struct virtq_pos pos = vq->packed.avail;
	u32 event;

	if (!on)
		event = VRING_PACKED_EVENT_FLAG_DISABLE << EVENT_FLAG_SHIFT;
	else if (vq->event_idx)
		event = (pos.off | (pos.wrap ? EVENT_WRAP : 0)) | VRING_PACKED_EVENT_FLAG_DESC
									  << EVENT_FLAG_SHIFT;
	else
		event = VRING_PACKED_EVENT_FLAG_ENABLE << EVENT_FLAG_SHIFT;
	return dma_store32(&vq->dma, vq->used, htole32(event)) ? virtq_break_unreachable(vq) : 0;
}

const struct virtq_layout virtq_packed_layout = {
	.is_valid = packed_is_valid,
	.start = packed_start,
	.pending = packed_pending,
	.pop = packed_pop,
	.push = packed_push,
	.publish = packed_publish,
	.ask_kick = packed_ask_kick,
};
