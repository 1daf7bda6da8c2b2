// SPDX-License-Identifier: GPL-2.0-only
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "fuzz.h"
#include "hostile-driver.h"

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
	memset(&hd, 0, sizeof(hd));
	if (guest_mem_add_bank(&hd.mem, 0, RAM_SIZE))
		exit(2);
	if (fuzz_bool())
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

static void start(void)
{
	u64 without = fuzz_bool() ? BIT_ULL(unit_below(64)) | BIT_ULL(unit_below(64)) : 0;

	without &= ~BIT_ULL(VIRTIO_F_VERSION_1);
	if (!fake_driver_negotiate(&hd.drv, hd.drv.vdev->offered & ~without))
		CHECK(fake_driver_negotiate(&hd.drv, hd.drv.vdev->offered));
	for (unsigned int i = 0; i < hd.nr_queues; i++)
		fake_queue_setup(&hd.queues[i], &hd.drv, i, SIZE, RINGS(i));
	hd.next_buffer = BUFFERS;
	hd.tampered = false;
	fake_driver_status(&hd.drv, VIRTIO_CONFIG_S_DRIVER_OK);
}

void hostile_start(struct virtio_device *vdev, unsigned int nr_queues)
{
	CHECK(nr_queues <= HOSTILE_MAX_QUEUES);
	hd.nr_queues = nr_queues;
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
		if (fuzz_bool())
			fake_queue_setup(&hd.queues[i], &hd.drv, i, SIZE, RINGS(i));
		return;
	}
	start();
}

static void kick(unsigned int queue)
{
	const struct virtq *vq = hd.queues[queue].vq;

	/* The transport would do that. */
	if (vq->kick_fd >= 0)
		eventfd_write(vq->kick_fd, 1);
	else
		fake_kick(&hd.queues[queue]);
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

void hostile_request(unsigned int queue, const void *out, u32 out_len, u32 in_len)
{
	struct fake_queue *q = &hd.queues[queue];
	unsigned int nr_out = 0, nr_in = 0, nr;
	struct fake_seg segs[8];
	u16 head;

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
		segs[unit_below(nr)].addr = fuzz_number();
		break;
	case 1:
		segs[unit_below(nr)].len = fuzz_number();
		break;
	}
	if (fuzz_bool() && virtio_has_feature(hd.drv.vdev, VIRTIO_RING_F_INDIRECT_DESC))
		head = fake_chain_indirect(q, segs, nr_out, nr_in, TABLE + unit_below(16) * 256);
	else
		head = fake_chain(q, segs, nr_out, nr_in);
	fake_offer(q, head);
	kick(queue);
}

void hostile_ring(unsigned int queue)
{
	struct fake_queue *q = &hd.queues[queue];
	u64 val = fuzz_int(8), at = fuzz_bool() ? RINGS(queue) : TABLE;

	hd.tampered = true;
	fake_write(&hd.drv, at + unit_below(RING_AREA), &val, 1 + unit_below(8));
	if (fuzz_bool())
		fake_offer(q, unit_below(SIZE));
	fake_used_event(q, fuzz_int(2));
	kick(queue);
}

void hostile_config(void)
{
	struct virtio_device *vdev = hd.drv.vdev;
	u32 size = vdev->ops->config_size, off, len;
	u8 buf[256];

	if (!size || size > sizeof(buf))
		return;
	off = unit_below(size);
	len = min(1U << unit_below(4), size - off);
	pthread_mutex_lock(&vdev->lock);
	if (fuzz_bool()) {
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

bool hostile_take(unsigned int queue)
{
	struct fake_queue *q = &hd.queues[queue];
	u32 id, len;

	/* There may be more than the ring holds: not every queue is looked at every time. */
	for (unsigned int i = 0; i <= UINT16_MAX && fake_take_used(q, &id, &len); i++)
		;
	return q->used_idx == q->avail_idx || hd.tampered || !q->vq->enabled || q->vq->broken;
}
