// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <stddef.h>
#include <stdlib.h>

#include "fake-packed.h"

#define DESC_SIZE sizeof(struct vring_packed_desc)

void packed_setup_at(struct packed_queue *q, struct fake_driver *drv, unsigned int index, u16 size,
		     u64 desc, u64 driver, u64 device)
{
	*q = (struct packed_queue){
		.drv = drv,
		.vq = &drv->vdev->vqs[index],
		.index = index,
		.size = size,
		.desc = desc,
		.driver = driver,
		.device = device,
		.avail_wrap = true,
		.used_wrap = true,
	};
	fake_fill(drv, desc, 0, DESC_SIZE * size);
	fake_fill(drv, driver, 0, 4);
	fake_fill(drv, device, 0, 4);
	pthread_mutex_lock(&drv->vdev->lock);
	q->vq->size = size;
	q->vq->desc = desc;
	q->vq->avail = driver;
	q->vq->used = device;
	virtio_queue_enable(drv->vdev, index);
	pthread_mutex_unlock(&drv->vdev->lock);
}

void packed_setup(struct packed_queue *q, struct fake_driver *drv, unsigned int index, u16 size,
		  u64 base)
{
	packed_setup_at(q, drv, index, size, base, base + DESC_SIZE * size,
			base + DESC_SIZE * size + 4);
}

void packed_desc(const struct fake_driver *drv, u64 table, u16 off, u64 addr, u32 len, u16 id,
		 u16 flags)
{
	const struct vring_packed_desc desc = {
		.addr = htole64(addr),
		.len = htole32(len),
		.id = htole16(id),
	};
	u64 where = table + off * DESC_SIZE;

	fake_write(drv, where, &desc, offsetof(struct vring_packed_desc, flags));
	fake_put16(drv, where + offsetof(struct vring_packed_desc, flags), flags);
}

u16 packed_avail_flags(const struct packed_queue *q)
{
	return q->avail_wrap ? PACKED_AVAIL : PACKED_USED;
}

void packed_advance(struct packed_queue *q)
{
	if (++q->avail == q->size) {
		q->avail = 0;
		q->avail_wrap = !q->avail_wrap;
	}
}

/* From the last descriptor to the first, which makes it available. */
void packed_offer(struct packed_queue *q, u16 id, const struct fake_seg *segs, unsigned int nr_out,
		  unsigned int nr_in)
{
	unsigned int nr = nr_out + nr_in;

	if (!nr || nr > q->size)
		abort();
	for (unsigned int i = nr; i--;) {
		u16 off = (q->avail + i) % q->size;
		bool wrap = q->avail + i < q->size ? q->avail_wrap : !q->avail_wrap;

		/* Only the ID of the last one counts. */
		packed_desc(q->drv, q->desc, off, segs[i].addr, segs[i].len,
			    i + 1 < nr ? id ^ 0x5555 : id,
			    (wrap ? PACKED_AVAIL : PACKED_USED) |
				    (i < nr_out ? 0 : VRING_DESC_F_WRITE) |
				    (i + 1 < nr ? VRING_DESC_F_NEXT : 0));
	}
	for (unsigned int i = 0; i < nr; i++)
		packed_advance(q);
	q->nr[id] = nr;
}

void packed_offer_indirect(struct packed_queue *q, u16 id, const struct fake_seg *segs,
			   unsigned int nr_out, unsigned int nr_in, u64 table)
{
	unsigned int nr = nr_out + nr_in;

	for (unsigned int i = 0; i < nr; i++)
		packed_desc(q->drv, table, i, segs[i].addr, segs[i].len, 0,
			    i < nr_out ? 0 : VRING_DESC_F_WRITE);
	packed_desc(q->drv, q->desc, q->avail, table, nr * DESC_SIZE, id,
		    packed_avail_flags(q) | VRING_DESC_F_INDIRECT);
	packed_advance(q);
	q->nr[id] = 1;
}

u16 packed_flags(const struct packed_queue *q, u16 off)
{
	return fake_get16(q->drv,
			  q->desc + off * DESC_SIZE + offsetof(struct vring_packed_desc, flags));
}

bool packed_take_used(struct packed_queue *q, u32 *id, u32 *len)
{
	u16 both = PACKED_AVAIL | PACKED_USED;
	struct vring_packed_desc desc;

	if ((packed_flags(q, q->used) & both) != (q->used_wrap ? both : 0))
		return false;
	fake_read(q->drv, q->desc + q->used * DESC_SIZE, &desc, sizeof(desc));
	*id = le16toh(desc.id);
	*len = le32toh(desc.len);
	q->used += q->nr[*id];
	if (q->used >= q->size) {
		q->used -= q->size;
		q->used_wrap = !q->used_wrap;
	}
	return true;
}

void packed_driver_event(struct packed_queue *q, u16 flags, u16 off, bool wrap)
{
	fake_put32(q->drv, q->driver, (u32)flags << 16 | (u32)wrap << 15 | off);
}

u32 packed_device_event(const struct packed_queue *q)
{
	return fake_get32(q->drv, q->device);
}

bool packed_kick_wanted(const struct packed_queue *q, u16 nr)
{
	u32 event = packed_device_event(q);
	u16 off = q->avail;
	bool wrap = q->avail_wrap;

	if (event >> 16 != VRING_PACKED_EVENT_FLAG_DESC)
		return event >> 16 == VRING_PACKED_EVENT_FLAG_ENABLE;
	/* One by one, backwards. */
	while (nr--) {
		if (!off) {
			off = q->size;
			wrap = !wrap;
		}
		off--;
		if ((event & 0xffff) == ((u32)wrap << 15 | off))
			return true;
	}
	return false;
}
