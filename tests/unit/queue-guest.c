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

void driver_start(u64 features, u16 size, u64 rings)
{
	CHECK(fake_driver_negotiate(&t.drv, features & t.vdev.offered));
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

void device_start(u64 features, u16 size)
{
	memset(&t, 0, sizeof(t));
	if (guest_mem_add_bank(&t.mem, 0, RAM_SIZE))
		exit(2);
	device_create(NULL);
	driver_start(features, size, RINGS);
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

void device_start_behind_iommu(u16 size, u64 rings)
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
	driver_start(ALL_FEATURES, size, rings);
}

void use_one(void)
{
	fake_offer(&t.q, fake_chain(&t.q, &(struct fake_seg){BUFFERS, 8}, 0, 1));
	pop();
	virtq_push(t.vq, t.chain.head, 0);
	virtq_publish(t.vq);
}

void check_broken(const char *text)
{
	unsigned int interrupts = fake_interrupts(&t.q);
	u16 used = fake_used_idx(&t.q);

	CHECK(capture_one_line(text, "queue-test at the-slot stopped until the guest resets it"));
	CHECK(needs_reset());
	CHECK_EQ(atomic_load(&t.drv.config_interrupts), 1);
	CHECK_EQ(virtq_pop(t.vq, &t.chain), -EIO);
	CHECK_EQ(virtq_push(t.vq, 0, 0), -EIO);
	virtq_publish(t.vq);
	virtq_disable_kick(t.vq);
	CHECK(!virtq_enable_kick(t.vq));
	fake_kick(&t.q);
	CHECK_EQ(t.kicks, 0);
	CHECK_EQ(fake_used_idx(&t.q), used);
	CHECK_EQ(fake_interrupts(&t.q), interrupts);
	CHECK_EQ(atomic_load(&t.drv.config_interrupts), 1);
}

void check_works(void)
{
	u32 id, len;

	fake_offer(&t.q, fake_chain(&t.q, &(struct fake_seg){BUFFERS, 8}, 0, 1));
	if (!pop())
		return;
	CHECK_EQ(virtq_push(t.vq, t.chain.head, 8), 0);
	virtq_publish(t.vq);
	CHECK(fake_take_used(&t.q, &id, &len) && len == 8);
	CHECK(!needs_reset());
}
