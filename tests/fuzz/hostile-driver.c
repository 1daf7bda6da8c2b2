// SPDX-License-Identifier: GPL-2.0-only
#include <linux/virtio_config.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "fuzz.h"
#include "hostile-driver.h"
#include "util/report.h"

#define RAM_SIZE  (8 * MiB)
#define RINGS(i)  (64 * KiB + (i) * 8 * KiB)
#define RING_AREA (2 * KiB)
#define SIZE	  16
#define TABLE	  (512 * KiB)
#define BUFFERS	  (1 * MiB)
#define PART	  (1 * MiB) /* of memory, that is mapped or not */
#define DOMAIN	  1
#define EP_ID	  8

struct hostile_driver hd;

/* Those of hd, if they are packed: too large to be cleared each time. */
static struct packed_queue packed_queues[HOSTILE_MAX_QUEUES];

static const struct iommu_config config = {
	.page_size_mask = ~4095ULL,
	.input_last = UINT64_MAX,
	.domain_last = 10,
	.max_mappings = 100,
};

static void map_part(unsigned int part, u32 flags)
{
	const struct mapping map = {
		.start = part * PART,
		.last = part * PART + PART - 1,
		.gpa = part * PART,
		.flags = flags,
	};

	iommu_map(&hd.iommu, DOMAIN, &map);
}

struct iommu_endpoint *hostile_begin(void)
{
	u8 how = fuzz_int(1);

	memset(&hd, 0, sizeof(hd));
	hd.offer_packed = how & 2;
	if (guest_mem_add_bank(&hd.mem, 0, RAM_SIZE))
		exit(2);
	if (how & 1)
		return NULL;
	if (iommu_init(&hd.iommu, &config) || iommu_add_endpoint(&hd.iommu, &hd.ep, EP_ID) ||
	    iommu_attach(&hd.iommu, DOMAIN, EP_ID, false))
		exit(2);
	for (unsigned int i = 0; i < RAM_SIZE / PART; i++)
		map_part(i, MAPPING_READ | MAPPING_WRITE);
	return &hd.ep;
}

void hostile_end(void)
{
	if (hd.ep.iommu)
		iommu_destroy(&hd.iommu);
	guest_mem_destroy(&hd.mem);
}

static void setup_queue(unsigned int i)
{
	hd.in_use[i] = 0;
	if (hd.packed)
		packed_setup(&packed_queues[i], &hd.drv, i, SIZE, RINGS(i));
	else
		fake_queue_setup(&hd.queues[i], &hd.drv, i, SIZE, RINGS(i));
}

static void start(void)
{
	u64 without = fuzz_bool() ? BIT_ULL(unit_below(64)) | BIT_ULL(unit_below(64)) : 0;

	without &= ~BIT_ULL(VIRTIO_F_VERSION_1);
	if (!fake_driver_negotiate(&hd.drv, hd.drv.vdev->offered & ~without))
		CHECK(fake_driver_negotiate(&hd.drv, hd.drv.vdev->offered));
	hd.packed = virtio_has_feature(hd.drv.vdev, VIRTIO_F_RING_PACKED);
	for (unsigned int i = 0; i < hd.nr_queues; i++)
		setup_queue(i);
	hd.next_buffer = BUFFERS;
	hd.tampered = false;
	fake_driver_status(&hd.drv, VIRTIO_CONFIG_S_DRIVER_OK);
}

void hostile_start(struct virtio_device *vdev, unsigned int nr_queues)
{
	CHECK(nr_queues <= HOSTILE_MAX_QUEUES);
	hd.nr_queues = nr_queues;
	if (hd.offer_packed)
		vdev->offered |= BIT_ULL(VIRTIO_F_RING_PACKED);
	fake_driver_init(&hd.drv, vdev, &hd.mem);
	start();
}

void hostile_restart(void)
{
	unsigned int i = unit_below(2 * hd.nr_queues);

	if (i < hd.nr_queues) {
		pthread_mutex_lock(&hd.drv.vdev->lock);
		virtio_queue_reset(hd.drv.vdev, i);
		pthread_mutex_unlock(&hd.drv.vdev->lock);
		/* One that goes on all the same is not set up again. */
		if (fuzz_bool() && !hd.drv.vdev->vqs[i].enabled)
			setup_queue(i);
		return;
	}
	start();
}

static void kick(unsigned int queue)
{
	const struct virtq *vq = &hd.drv.vdev->vqs[queue];

	/* The transport would do that. */
	if (vq->kick_fd >= 0)
		eventfd_write(vq->kick_fd, 1);
	else
		virtio_kick(hd.drv.vdev, queue);
}

/* Cuts @len bytes at hd.next_buffer into up to four segments. */
static unsigned int cut(struct fake_seg *segs, u32 len)
{
	unsigned int nr = 1 + unit_below(4);

	for (unsigned int i = 0; i < nr; i++) {
		u32 part = i == nr - 1 ? len : unit_below((u64)len + 1);

		segs[i] = (struct fake_seg){hd.next_buffer, part};
		hd.next_buffer += part;
		len -= part;
	}
	return nr;
}

/* To anywhere: if that is in a ring, the device writes there in the driver's name. */
static void move_segment(struct fake_seg *seg)
{
	seg->addr = fuzz_number();
	if (seg->addr < BUFFERS && seg->addr + seg->len > RINGS(0))
		hd.tampered = true;
}

static void offer_split(unsigned int queue, const struct fake_seg *segs, unsigned int nr_out,
			unsigned int nr_in, u64 table)
{
	struct fake_queue *q = &hd.queues[queue];

	fake_offer(q, table ? fake_chain_indirect(q, segs, nr_out, nr_in, table)
			    : fake_chain(q, segs, nr_out, nr_in));
}

/* What is in the ring stays there until it is used, and its ID is nobody else's. */
static void offer_packed(unsigned int queue, const struct fake_seg *segs, unsigned int nr_out,
			 unsigned int nr_in, u64 table)
{
	struct packed_queue *q = &packed_queues[queue];
	unsigned int nr = table ? 1 : nr_out + nr_in;
	u16 id = q->avail + q->avail_wrap * 0x100;

	if (hd.in_use[queue] + nr > SIZE)
		hostile_take(queue);
	if (hd.in_use[queue] + nr > SIZE && !hd.tampered)
		return;
	hd.in_use[queue] += nr;
	if (table)
		packed_offer_indirect(q, id, segs, nr_out, nr_in, table);
	else
		packed_offer(q, id, segs, nr_out, nr_in);
}

void hostile_request(unsigned int queue, const void *out, u32 out_len, u32 in_len)
{
	unsigned int nr_out = 0, nr_in = 0, nr;
	struct fake_seg segs[8];
	u64 table = 0;

	if (hd.next_buffer + out_len + in_len > RAM_SIZE - 64 * KiB)
		hd.next_buffer = BUFFERS;
	if (out_len) {
		fake_write(&hd.drv, hd.next_buffer, out, out_len);
		nr_out = cut(segs, out_len);
	}
	if (in_len || !nr_out)
		nr_in = cut(segs + nr_out, in_len);
	nr = nr_out + nr_in;
	switch (unit_below(16)) {
	case 0:
		move_segment(&segs[unit_below(nr)]);
		break;
	case 1:
		segs[unit_below(nr)].len = fuzz_number();
		break;
	}
	if (fuzz_bool() && virtio_has_feature(hd.drv.vdev, VIRTIO_RING_F_INDIRECT_DESC))
		table = TABLE + unit_below(16) * 256;
	if (hd.packed)
		offer_packed(queue, segs, nr_out, nr_in, table);
	else
		offer_split(queue, segs, nr_out, nr_in, table);
	kick(queue);
}

static void tamper_split(struct fake_queue *q)
{
	if (fuzz_bool())
		fake_offer(q, unit_below(SIZE));
	fake_used_event(q, fuzz_int(2));
}

static void tamper_packed(struct packed_queue *q)
{
	if (fuzz_bool()) {
		u16 flags = packed_flags(q, q->avail) & ~(PACKED_AVAIL | PACKED_USED);
		u64 where = q->desc + q->avail * sizeof(struct vring_packed_desc);

		fake_put16(&hd.drv, where + offsetof(struct vring_packed_desc, flags),
			   flags | packed_avail_flags(q));
		packed_advance(q);
	}
	packed_driver_event(q, unit_below(4), unit_below(SIZE), fuzz_bool());
}

void hostile_ring(unsigned int queue)
{
	u64 val = fuzz_int(8), at = fuzz_bool() ? RINGS(queue) : TABLE;

	hd.tampered = true;
	fake_write(&hd.drv, at + unit_below(RING_AREA), &val, 1 + unit_below(8));
	if (hd.packed)
		tamper_packed(&packed_queues[queue]);
	else
		tamper_split(&hd.queues[queue]);
	kick(queue);
}

/* With vdev->lock. */
static void tell_counters(struct virtio_device *vdev)
{
	struct report *r = report_new(true, 1 * MiB);
	size_t len;

	if (!r)
		exit(2);
	report_object_begin(r, NULL);
	vdev->ops->stat(vdev, r);
	report_object_end(r);
	CHECK(report_text(r, &len));
	report_free(r);
}

void hostile_config(void)
{
	struct virtio_device *vdev = hd.drv.vdev;
	u32 size = vdev->ops->config_size, off, len;
	u8 buf[256], how;

	if (!size || size > sizeof(buf))
		return;
	off = unit_below(size);
	len = min(1U << unit_below(4), size - off);
	how = fuzz_int(1);
	pthread_mutex_lock(&vdev->lock);
	if (how >= 0xf0) {
		tell_counters(vdev);
	} else if (how & 1) {
		fuzz_take(buf, len);
		if (vdev->ops->config_write)
			vdev->ops->config_write(vdev, off, buf, len);
	} else {
		vdev->ops->config_read(vdev, off, buf, len);
	}
	pthread_mutex_unlock(&vdev->lock);
}

void hostile_iommu(void)
{
	unsigned int part = unit_below(RAM_SIZE / PART);

	if (!hd.ep.iommu)
		return;
	iommu_unmap(&hd.iommu, DOMAIN, part * PART, part * PART + PART - 1);
	map_part(part, unit_below(4));
}

static bool take_split(struct fake_queue *q)
{
	u32 id, len;

	/* There may be more than the ring holds: not every queue is looked at every time. */
	for (unsigned int i = 0; i <= UINT16_MAX && fake_take_used(q, &id, &len); i++)
		;
	return q->used_idx == q->avail_idx;
}

static bool take_packed(unsigned int queue)
{
	struct packed_queue *q = &packed_queues[queue];
	u32 id, len;

	for (unsigned int i = 0; i < SIZE && packed_take_used(q, &id, &len); i++)
		hd.in_use[queue] -= min((unsigned int)q->nr[id], hd.in_use[queue]);
	return !hd.in_use[queue];
}

bool hostile_take(unsigned int queue)
{
	const struct virtq *vq = &hd.drv.vdev->vqs[queue];
	bool all = hd.packed ? take_packed(queue) : take_split(&hd.queues[queue]);

	return all || hd.tampered || !vq->enabled || vq->broken;
}
