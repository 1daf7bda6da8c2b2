// SPDX-License-Identifier: GPL-2.0-only
/* virtio 1.x: virtqueues, split (2.7) and packed (2.8). */
#include "rt/arch.h"
#include "rt/core.h"
#include "rt/virtio.h"

static u64 avail_size(u16 size)
{
	return sizeof(struct vq_avail) + 2 * size + 2;
}

static u64 used_size(u16 size)
{
	return sizeof(struct vq_used) + 8 * size + 2;
}

bool virtio_is_packed(const struct virtio_dev *v)
{
	return v->offered & VIRTIO_F_RING_PACKED;
}

void vq_alloc(struct vq *q, u16 size, u64 align)
{
	*q = (struct vq){.size = size};
	q->desc = mem_alloc(size * sizeof(struct vq_desc), align);
	q->avail = mem_alloc(avail_size(size), align);
	q->used = mem_alloc(used_size(size), align);
	q->drafts = mem_alloc(size * sizeof(struct vq_desc), 16);
	q->nr_taken = mem_alloc(size * sizeof(u16), 16);
	q->desc_dev = gpa_of(q->desc);
	q->avail_dev = gpa_of(q->avail);
	q->used_dev = gpa_of(q->used);
}

void vq_clear(struct vq *q)
{
	memset(q->desc, 0, q->size * sizeof(struct vq_desc));
	memset(q->avail, 0, avail_size(q->size));
	memset(q->used, 0, used_size(q->size));
	q->packed = q->v->features & VIRTIO_F_RING_PACKED;
	q->table = q->packed ? q->drafts : q->desc;
	q->avail_idx = 0;
	q->kicked_idx = 0;
	q->used_idx = 0;
	q->avail_pos = (struct vq_pos){.wrap = true};
	q->used_pos = q->avail_pos;
}

void vq_no_interrupts(struct vq *q)
{
	/* The second half word of an event structure has the flags. */
	if (q->packed)
		q->avail->idx = VQ_EVENT_DISABLE;
	else
		q->avail->flags = VQ_AVAIL_NO_INTERRUPT;
}

void vq_set_desc(struct vq *q, u16 i, u64 addr, u32 len, u16 flags, u16 next)
{
	q->table[i] = (struct vq_desc){.addr = addr, .len = len, .flags = flags, .next = next};
}

static void advance(const struct vq *q, struct vq_pos *pos, u16 n)
{
	pos->off += n;
	if (pos->off >= q->size) {
		pos->off -= q->size;
		pos->wrap = !pos->wrap;
	}
}

/* The flags of the first descriptor come last, for the device looks at them first. */
static void publish_packed(struct vq *q, u16 head)
{
	struct vq_packed_desc *first = &q->ring[q->avail_pos.off];
	u16 first_flags = 0, i = head, n = 0;
	bool more;

	do {
		const struct vq_desc *draft = &q->drafts[i];
		struct vq_packed_desc *d = &q->ring[q->avail_pos.off];
		u16 flags = draft->flags | (q->avail_pos.wrap ? VQ_PACKED_AVAIL : VQ_PACKED_USED);

		d->addr = draft->addr;
		d->len = draft->len;
		d->id = head;
		if (d == first)
			first_flags = flags;
		else
			d->flags = flags;
		advance(q, &q->avail_pos, 1);
		more = draft->flags & VQ_DESC_NEXT;
		i = draft->next;
		if (++n == q->size && more)
			panic("a chain of more than %u descriptors", n);
	} while (more);
	q->nr_taken[head] = n;
	__atomic_store_n(&first->flags, first_flags, __ATOMIC_RELEASE);
}

void vq_publish(struct vq *q, u16 head)
{
	if (q->packed) {
		publish_packed(q, head);
		return;
	}
	q->avail->ring[q->avail_idx % q->size] = head;
	__atomic_store_n(&q->avail->idx, ++q->avail_idx, __ATOMIC_RELEASE);
}

/* 2.7.10 and 2.8.10: more kicks than the device asks for do no harm. */
static bool wants_kick(const struct vq *q)
{
	u16 event;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	/* The event structure of the device has its flags in the second half word. */
	if (q->packed)
		return READ_ONCE(q->used->idx) != VQ_EVENT_DISABLE;
	if (!(q->v->features & VIRTIO_F_EVENT_IDX))
		return !(READ_ONCE(q->used->flags) & VQ_USED_NO_NOTIFY);
	event = READ_ONCE(*(u16 *)&q->used->ring[q->size]);
	return (u16)(q->avail_idx - event - 1) < (u16)(q->avail_idx - q->kicked_idx);
}

void vq_kick_if_asked(struct vq *q)
{
	bool asked = wants_kick(q);

	q->kicked_idx = q->avail_idx;
	if (asked)
		vq_kick(q);
}

static bool has_used(const struct vq *q)
{
	u16 flags, both = VQ_PACKED_AVAIL | VQ_PACKED_USED;

	if (!q->packed)
		return __atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE) != q->used_idx;
	flags = __atomic_load_n(&q->ring[q->used_pos.off].flags, __ATOMIC_ACQUIRE);
	return (flags & both) == (q->used_pos.wrap ? both : 0);
}

bool vq_take_used(struct vq *q, u32 *id, u32 *len)
{
	u32 used_id, used_len;

	if (!has_used(q))
		return false;
	if (q->packed) {
		const struct vq_packed_desc *d = &q->ring[q->used_pos.off];

		used_id = d->id;
		/* Without the flag the length means nothing. */
		used_len = d->flags & VQ_DESC_WRITE ? d->len : 0;
		if (used_id >= q->size)
			panic("the device used buffer %u, which it did not have", used_id);
		advance(q, &q->used_pos, q->nr_taken[used_id]);
	} else {
		used_id = q->used->ring[q->used_idx % q->size].id;
		used_len = q->used->ring[q->used_idx % q->size].len;
		q->used_idx++;
	}
	if (id)
		*id = used_id;
	if (len)
		*len = used_len;
	return true;
}

/* Polls first: what the device does inside the kick costs no timer and no register. */
int vq_wait(struct vq *q)
{
	u32 spins;

	for (spins = 0;; spins++) {
		if (has_used(q))
			return 0;
		cpu_relax();
		if (spins == 255)
			timeout_start(VIRTIO_HANG_MS);
		if ((spins & 255) != 255)
			continue;
		if (virtio_status(q->v) & VIRTIO_S_NEEDS_RESET)
			return has_used(q) ? 0 : VQ_BROKEN;
		if (timeout_expired())
			return VQ_TIMEOUT;
	}
}

int vq_wait_used(struct vq *q, u32 *id, u32 *len)
{
	int ret = vq_wait(q);

	if (!ret)
		vq_take_used(q, id, len);
	return ret;
}
