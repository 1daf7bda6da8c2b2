// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <string.h>

#include "fake-guest.h"

#define PAGE 4096

static void count_interrupt(struct virtio_device *vdev, struct virtq *vq)
{
	struct fake_driver *drv = vdev->transport_priv;

	atomic_fetch_add(vq ? &drv->interrupts[vq->index] : &drv->config_interrupts, 1);
}

static int accept_kick_fd(struct virtio_device *vdev, struct virtq *vq, bool on)
{
	(void)vdev;
	(void)vq;
	(void)on;
	return 0;
}

static const struct virtio_transport_ops transport = {
	.interrupt = count_interrupt,
	.kick_fd_set = accept_kick_fd,
};

void fake_driver_init(struct fake_driver *drv, struct virtio_device *vdev,
		      const struct guest_mem *mem)
{
	*drv = (struct fake_driver){.vdev = vdev, .mem = mem};
	vdev->transport = &transport;
	vdev->transport_priv = drv;
	strcpy(vdev->where, "the-slot");
}

void fake_driver_status(struct fake_driver *drv, u8 bits)
{
	pthread_mutex_lock(&drv->vdev->lock);
	virtio_set_status(drv->vdev, bits ? atomic_load(&drv->vdev->status) | bits : 0);
	pthread_mutex_unlock(&drv->vdev->lock);
}

bool fake_driver_negotiate(struct fake_driver *drv, u64 features)
{
	fake_driver_status(drv, 0);
	fake_driver_status(drv, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	pthread_mutex_lock(&drv->vdev->lock);
	virtio_set_features(drv->vdev, features);
	pthread_mutex_unlock(&drv->vdev->lock);
	drv->features = features;
	fake_driver_status(drv, VIRTIO_CONFIG_S_FEATURES_OK);
	return atomic_load(&drv->vdev->status) & VIRTIO_CONFIG_S_FEATURES_OK;
}

/* The host's address of @addr, and how many bytes follow it there. */
static u8 *at(const struct fake_driver *drv, u64 addr, u64 len, u64 *run)
{
	u8 *hva;

	if (drv->to_gpa) {
		len = min(len, PAGE - addr % PAGE);
		addr = drv->to_gpa(addr);
	}
	hva = guest_mem_run(drv->mem, addr, len, run);
	if (!hva)
		abort();
	return hva;
}

void fake_write(const struct fake_driver *drv, u64 addr, const void *buf, u64 len)
{
	const u8 *from = buf;
	u64 run;

	for (; len; addr += run, from += run, len -= run) {
		u8 *hva = at(drv, addr, len, &run);

		memcpy(hva, from, run);
	}
}

void fake_read(const struct fake_driver *drv, u64 addr, void *buf, u64 len)
{
	u8 *to = buf;
	u64 run;

	for (; len; addr += run, to += run, len -= run) {
		const u8 *hva = at(drv, addr, len, &run);

		memcpy(to, hva, run);
	}
}

void fake_fill(const struct fake_driver *drv, u64 addr, u8 byte, u64 len)
{
	u64 run;

	for (; len; addr += run, len -= run) {
		u8 *hva = at(drv, addr, len, &run);

		memset(hva, byte, run);
	}
}

/* The words that the other side may read or write at the same time. */

void fake_put16(const struct fake_driver *drv, u64 addr, u16 val)
{
	u64 run;

	__atomic_store_n((u16 *)at(drv, addr, sizeof(val), &run), htole16(val), __ATOMIC_RELEASE);
}

u16 fake_get16(const struct fake_driver *drv, u64 addr)
{
	u64 run;

	return le16toh(__atomic_load_n((u16 *)at(drv, addr, sizeof(u16), &run), __ATOMIC_ACQUIRE));
}

void fake_put32(const struct fake_driver *drv, u64 addr, u32 val)
{
	u64 run;

	__atomic_store_n((u32 *)at(drv, addr, sizeof(val), &run), htole32(val), __ATOMIC_RELEASE);
}

u32 fake_get32(const struct fake_driver *drv, u64 addr)
{
	u64 run;

	return le32toh(__atomic_load_n((u32 *)at(drv, addr, sizeof(u32), &run), __ATOMIC_ACQUIRE));
}

/* 2.7: descriptors, then the available ring with its event index, then the used ring. */
static u64 avail_off(u16 size)
{
	return sizeof(struct vring_desc) * size;
}

static u64 used_off(u16 size)
{
	return align_up(avail_off(size) + 6 + 2 * (u64)size, 4);
}

void fake_queue_setup_at(struct fake_queue *q, struct fake_driver *drv, unsigned int index,
			 u16 size, u64 desc, u64 avail, u64 used)
{
	*q = (struct fake_queue){
		.drv = drv,
		.vq = &drv->vdev->vqs[index],
		.index = index,
		.size = size,
		.desc = desc,
		.avail = avail,
		.used = used,
	};
	fake_fill(drv, desc, 0, avail_off(size));
	fake_fill(drv, avail, 0, 6 + 2 * (u64)size);
	fake_fill(drv, used, 0, 6 + 8 * (u64)size);
	pthread_mutex_lock(&drv->vdev->lock);
	q->vq->size = size;
	q->vq->desc = desc;
	q->vq->avail = avail;
	q->vq->used = used;
	virtio_queue_enable(drv->vdev, index);
	pthread_mutex_unlock(&drv->vdev->lock);
}

void fake_queue_setup(struct fake_queue *q, struct fake_driver *drv, unsigned int index, u16 size,
		      u64 base)
{
	fake_queue_setup_at(q, drv, index, size, base, base + avail_off(size),
			    base + used_off(size));
}

void fake_desc(struct fake_queue *q, u16 i, u64 addr, u32 len, u16 flags, u16 next)
{
	const struct vring_desc desc = {
		.addr = htole64(addr),
		.len = htole32(len),
		.flags = htole16(flags),
		.next = htole16(next),
	};

	fake_write(q->drv, q->desc + i * sizeof(desc), &desc, sizeof(desc));
}

u16 fake_chain(struct fake_queue *q, const struct fake_seg *segs, unsigned int nr_out,
	       unsigned int nr_in)
{
	unsigned int nr = nr_out + nr_in;
	u16 head = q->next_desc;

	if (!nr || nr > q->size)
		abort();
	for (unsigned int i = 0; i < nr; i++) {
		u16 next = (q->next_desc + 1) % q->size;

		fake_desc(q, q->next_desc, segs[i].addr, segs[i].len,
			  (i < nr_out ? 0 : VRING_DESC_F_WRITE) |
				  (i + 1 < nr ? VRING_DESC_F_NEXT : 0),
			  i + 1 < nr ? next : 0);
		q->next_desc = next;
	}
	return head;
}

u16 fake_chain_indirect(struct fake_queue *q, const struct fake_seg *segs, unsigned int nr_out,
			unsigned int nr_in, u64 table)
{
	/* The table is a ring of descriptors elsewhere. */
	struct fake_queue t = {.drv = q->drv, .size = nr_out + nr_in, .desc = table};
	u16 head = q->next_desc;

	fake_chain(&t, segs, nr_out, nr_in);
	fake_desc(q, head, table, t.size * sizeof(struct vring_desc), VRING_DESC_F_INDIRECT, 0);
	q->next_desc = (head + 1) % q->size;
	return head;
}

void fake_offer(struct fake_queue *q, u16 head)
{
	fake_put16(q->drv, q->avail + 4 + 2 * (q->avail_idx % q->size), head);
	q->avail_idx++;
	fake_put16(q->drv, q->avail + 2, q->avail_idx);
}

void fake_kick(struct fake_queue *q)
{
	virtio_kick(q->drv->vdev, q->index);
}

u16 fake_used_flags(struct fake_queue *q)
{
	return fake_get16(q->drv, q->used);
}

u16 fake_avail_event(struct fake_queue *q)
{
	return fake_get16(q->drv, q->used + 4 + 8 * (u64)q->size);
}

bool fake_kick_wanted(struct fake_queue *q, u16 added)
{
	if (q->drv->features & BIT_ULL(VIRTIO_RING_F_EVENT_IDX))
		return vring_need_event(fake_avail_event(q), q->avail_idx, q->avail_idx - added);
	return !(fake_used_flags(q) & VRING_USED_F_NO_NOTIFY);
}

void fake_avail_flags(struct fake_queue *q, u16 flags)
{
	fake_put16(q->drv, q->avail, flags);
}

void fake_used_event(struct fake_queue *q, u16 idx)
{
	fake_put16(q->drv, q->avail + 4 + 2 * (u64)q->size, idx);
}

u16 fake_used_idx(struct fake_queue *q)
{
	return fake_get16(q->drv, q->used + 2);
}

bool fake_take_used(struct fake_queue *q, u32 *id, u32 *len)
{
	struct vring_used_elem elem;

	if (q->used_idx == fake_used_idx(q))
		return false;
	fake_read(q->drv, q->used + 4 + sizeof(elem) * (q->used_idx % q->size), &elem,
		  sizeof(elem));
	q->used_idx++;
	*id = le32toh(elem.id);
	*len = le32toh(elem.len);
	return true;
}

unsigned int fake_interrupts(struct fake_queue *q)
{
	return atomic_load(&q->drv->interrupts[q->index]);
}
