// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "queue-guest.h"
#include "unit.h"

struct queue_guest t;

static int queue_start(struct virtio_device *vdev, unsigned int index)
{
	(void)vdev;
	(void)index;
	t.starts++;
	return 0;
}

static void queue_stop(struct virtio_device *vdev, unsigned int index)
{
	(void)vdev;
	(void)index;
	t.stops++;
}

static void kick(struct virtio_device *vdev, unsigned int index)
{
	(void)vdev;
	(void)index;
	t.kicks++;
}

static const struct virtio_ops ops = {
	.name = "queue-test",
	.id = 42,
	.queue_start = queue_start,
	.queue_stop = queue_stop,
	.kick = kick,
};

static bool is_packed(void)
{
	return virtio_has_feature(&t.vdev, VIRTIO_F_RING_PACKED);
}

void driver_start(u64 features, u16 size, u64 rings)
{
	CHECK(fake_driver_negotiate(&t.drv, features & t.vdev.offered));
	t.rings = rings;
	if (is_packed())
		packed_setup(&t.p, &t.drv, 0, size, rings);
	else
		fake_queue_setup(&t.q, &t.drv, 0, size, rings);
	fake_driver_status(&t.drv, VIRTIO_CONFIG_S_DRIVER_OK);
}

void device_create(struct iommu_endpoint *ep)
{
	if (virtio_device_init(&t.vdev, &ops, 0, 2, MAX_SIZE, &t.mem, ep))
		exit(2);
	fake_driver_init(&t.drv, &t.vdev, &t.mem);
	t.vq = &t.vdev.vqs[0];
}

static void start(bool packed, u64 features, u16 size)
{
	memset(&t, 0, sizeof(t));
	if (guest_mem_add_bank(&t.mem, 0, RAM_SIZE))
		exit(2);
	device_create(NULL);
	if (packed)
		t.vdev.offered |= BIT_ULL(VIRTIO_F_RING_PACKED);
	driver_start(features, size, RINGS);
}

void device_start(u64 features, u16 size)
{
	start(false, features, size);
}

void packed_start(u64 features, u16 size)
{
	start(true, features, size);
}

void device_end(void)
{
	fake_driver_status(&t.drv, 0);
	virtio_device_destroy(&t.vdev);
	if (t.ep.iommu)
		iommu_destroy(&t.iommu);
	guest_mem_destroy(&t.mem);
}

bool needs_reset(void)
{
	return atomic_load(&t.vdev.status) & VIRTIO_CONFIG_S_NEEDS_RESET;
}

bool pop(void)
{
	return CHECK_EQ(virtq_pop(t.vq, &t.chain), 1);
}

u64 scattered(u64 iova)
{
	u64 page = (iova - IOVA_BASE) / PAGE;

	/* 5 and 32 have no common divisor: a permutation. */
	return 4 * MiB + page * 5 % NR_PAGES * 2 * PAGE + iova % PAGE;
}

void iova_page_map(unsigned int page, u32 flags)
{
	const struct mapping m = {
		.start = IOVA_BASE + page * PAGE,
		.last = IOVA_BASE + page * PAGE + PAGE - 1,
		.gpa = scattered(IOVA_BASE + page * PAGE),
		.flags = flags,
	};

	CHECK_EQ(iommu_map(&t.iommu, 1, &m), 0);
}

void iova_page_unmap(unsigned int page)
{
	CHECK_EQ(iommu_unmap(&t.iommu, 1, IOVA_BASE + page * PAGE,
			     IOVA_BASE + page * PAGE + PAGE - 1),
		 0);
}

static void start_behind_iommu(bool packed, u16 size, u64 rings)
{
	static const struct iommu_config config = {
		.page_size_mask = ~(PAGE - 1),
		.input_last = UINT64_MAX,
		.domain_last = 10,
		.max_mappings = 1000,
	};

	memset(&t, 0, sizeof(t));
	if (guest_mem_add_bank(&t.mem, 0, RAM_SIZE) || iommu_init(&t.iommu, &config) ||
	    iommu_add_endpoint(&t.iommu, &t.ep, 8) || iommu_attach(&t.iommu, 1, 8, false))
		exit(2);
	for (unsigned int i = 0; i < NR_PAGES; i++)
		iova_page_map(i, MAPPING_READ | MAPPING_WRITE);
	device_create(&t.ep);
	t.drv.to_gpa = scattered;
	if (packed)
		t.vdev.offered |= BIT_ULL(VIRTIO_F_RING_PACKED);
	driver_start(ALL_FEATURES, size, rings);
}

void device_start_behind_iommu(u16 size, u64 rings)
{
	start_behind_iommu(false, size, rings);
}

void packed_start_behind_iommu(u16 size, u64 rings)
{
	start_behind_iommu(true, size, rings);
}

void offer_one(void)
{
	const struct fake_seg seg = {BUFFERS, 8};

	if (is_packed())
		packed_offer(&t.p, 0, &seg, 0, 1);
	else
		fake_offer(&t.q, fake_chain(&t.q, &seg, 0, 1));
}

bool take_used(u32 *id, u32 *len)
{
	return is_packed() ? packed_take_used(&t.p, id, len) : fake_take_used(&t.q, id, len);
}

void use_one(void)
{
	offer_one();
	pop();
	virtq_push(t.vq, t.chain.head, 0);
	virtq_publish(t.vq);
}

void check_broken(const char *text)
{
	unsigned int interrupts = atomic_load(&t.drv.interrupts[0]);
	u8 before[1024], after[sizeof(before)];

	CHECK(capture_one_line(text, "queue-test at the-slot stopped until the guest resets it"));
	CHECK(needs_reset());
	CHECK_EQ(atomic_load(&t.drv.config_interrupts), 1);
	fake_read(&t.drv, t.rings, before, sizeof(before));
	CHECK_EQ(virtq_pop(t.vq, &t.chain), -EIO);
	CHECK_EQ(virtq_push(t.vq, 0, 0), -EIO);
	virtq_publish(t.vq);
	virtq_disable_kick(t.vq);
	CHECK(!virtq_enable_kick(t.vq));
	virtio_kick(&t.vdev, 0);
	CHECK_EQ(t.kicks, 0);
	fake_read(&t.drv, t.rings, after, sizeof(after));
	CHECK(!memcmp(before, after, sizeof(before)));
	CHECK_EQ(atomic_load(&t.drv.interrupts[0]), interrupts);
	CHECK_EQ(atomic_load(&t.drv.config_interrupts), 1);
}

void check_works(void)
{
	u32 id, len;

	offer_one();
	if (!pop())
		return;
	CHECK_EQ(virtq_push(t.vq, t.chain.head, 8), 0);
	virtq_publish(t.vq);
	CHECK(take_used(&id, &len) && len == 8);
	CHECK(!needs_reset());
}
