// SPDX-License-Identifier: GPL-2.0-only
/* The virtio entropy device: what buffers get, and what bad ones do. */
#include <linux/virtio_config.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "capture.h"
#include "fake-guest.h"
#include "iommu/iommu.h"
#include "unit.h"
#include "virtio/rng.h"

#define RAM_SIZE (8 * MiB)
#define RINGS	 (64 * KiB)
#define BUFFERS	 (1 * MiB)
#define SIZE	 64
#define EP	 8
#define ENOUGH	 512 /* so many random bytes are not all zero */

/* A wait that takes so long is a completion that never comes. */
#define LOST_SECONDS 30

static struct guest_mem mem;
static struct iommu iommu;
static struct iommu_endpoint ep;
static struct virtio_rng *rng;
static struct fake_driver drv;
static struct fake_queue q;

static void driver_start(void)
{
	CHECK(fake_driver_negotiate(&drv, drv.vdev->offered));
	fake_queue_setup(&q, &drv, 0, SIZE, RINGS);
	fake_driver_status(&drv, VIRTIO_CONFIG_S_DRIVER_OK);
}

static void start(struct iommu_endpoint *behind)
{
	memset(&mem, 0, sizeof(mem));
	if (guest_mem_add_bank(&mem, 0, RAM_SIZE) || virtio_rng_create(&rng, &mem, behind))
		exit(2);
	fake_driver_init(&drv, &rng->vdev, &mem);
}

static void end(void)
{
	fake_driver_status(&drv, 0);
	virtio_rng_destroy(rng);
	guest_mem_destroy(&mem);
}

/* The used length of the next chain, or -1 if it is not @head's or never comes. */
static s64 wait_used(u16 head)
{
	time_t give_up = time(NULL) + LOST_SECONDS;
	u32 id, len;

	while (!fake_take_used(&q, &id, &len)) {
		if (time(NULL) > give_up)
			return -1;
		sched_yield();
	}
	return id == head ? (s64)len : -1;
}

static s64 run(const struct fake_seg *segs, unsigned int nr_out, unsigned int nr_in)
{
	u16 head = fake_chain(&q, segs, nr_out, nr_in);

	fake_offer(&q, head);
	fake_kick(&q);
	return wait_used(head);
}

static u8 *hva(u64 gpa)
{
	return guest_mem_ptr(&mem, gpa, 1);
}

static bool is_zero(u64 gpa, u64 len)
{
	const u8 *p = hva(gpa);

	return !*p && !memcmp(p, p + 1, len - 1);
}

TEST(device)
{
	start(NULL);
	CHECK_EQ(rng->vdev.ops->id, 4);
	CHECK_EQ(rng->vdev.nr_vqs, 1);
	CHECK_EQ(rng->vdev.ops->config_size, 0);
	driver_start();
	end();
}

TEST(buffers_are_filled_to_the_byte)
{
	const struct fake_seg segs[] = {
		{BUFFERS, 16}, /* what the device reads is left alone */
		{BUFFERS + 4096, ENOUGH},
		{BUFFERS + 8192, 1},
		{BUFFERS + 3 * 4096 + 5, 5000},
	};
	u8 before[ENOUGH];

	start(NULL);
	driver_start();
	CHECK_EQ(run(segs, 1, 3), ENOUGH + 1 + 5000);
	CHECK(is_zero(BUFFERS, 4096));
	CHECK(!is_zero(BUFFERS + 4096, ENOUGH));
	CHECK(is_zero(BUFFERS + 4096 + ENOUGH, 4096 - ENOUGH));
	CHECK(is_zero(BUFFERS + 8193, 4096 + 4));
	CHECK(!is_zero(BUFFERS + 3 * 4096 + 5, ENOUGH));
	CHECK(!is_zero(BUFFERS + 3 * 4096 + 5 + 5000 - ENOUGH, ENOUGH));
	CHECK(is_zero(BUFFERS + 3 * 4096 + 5 + 5000, 4096));
	CHECK_EQ(atomic_load(&rng->bytes), ENOUGH + 1 + 5000);
	CHECK(fake_interrupts(&q) >= 1);

	/* The next ones are others. */
	memcpy(before, hva(BUFFERS + 4096), ENOUGH);
	CHECK_EQ(run(&segs[1], 0, 1), ENOUGH);
	CHECK(memcmp(before, hva(BUFFERS + 4096), ENOUGH));
	end();
}

TEST(a_large_buffer_gets_a_part)
{
	const struct fake_seg segs[] = {{BUFFERS, 60 * KiB}, {BUFFERS + MiB, 2 * MiB}};
	const struct fake_seg huge = {BUFFERS, UINT32_MAX};

	start(NULL);
	driver_start();
	CHECK_EQ(run(segs, 0, 2), 64 * KiB);
	CHECK(!is_zero(BUFFERS + 60 * KiB - ENOUGH, ENOUGH));
	CHECK(!is_zero(BUFFERS + MiB + 4 * KiB - ENOUGH, ENOUGH));
	CHECK(is_zero(BUFFERS + MiB + 4 * KiB, 2 * MiB - 4 * KiB));
	/* It ends outside of memory, which the device does not come to. */
	CHECK_EQ(run(&huge, 0, 1), 64 * KiB);
	end();
}

TEST(nothing_to_fill)
{
	const struct fake_seg segs[] = {{BUFFERS, 16}, {BUFFERS, 0}};

	start(NULL);
	driver_start();
	CHECK_EQ(run(&segs[0], 1, 0), 0);
	CHECK_EQ(run(&segs[1], 0, 1), 0);
	CHECK(is_zero(BUFFERS, 4096));
	CHECK_EQ(run(&segs[0], 0, 1), 16);
	CHECK_EQ(atomic_load(&rng->bytes), 16);
	end();
}

TEST(a_buffer_outside_of_memory)
{
	const struct fake_seg segs[] = {{BUFFERS, 4096}, {RAM_SIZE, 16}};
	const struct fake_seg good = {BUFFERS, 100};

	start(NULL);
	driver_start();
	/* No more is promised than was written. */
	CHECK_EQ(run(segs, 0, 2), 4096);
	CHECK_EQ(run(&segs[1], 0, 1), 0);
	CHECK_EQ(run(&good, 0, 1), 100);
	end();
}

/* More buffers than there is time for: a reset does not wait for them. */
TEST(a_reset_in_a_flood)
{
	const struct fake_seg seg = {BUFFERS, 64 * KiB};

	start(NULL);
	for (unsigned int round = 0; round < 20; round++) {
		driver_start();
		for (unsigned int i = 0; i < SIZE; i++)
			fake_offer(&q, fake_chain(&q, &seg, 0, 1));
		fake_kick(&q);
		/* At least the first is there before the reset of every other round. */
		if (round % 2)
			CHECK_EQ(wait_used(0), 64 * KiB);
		fake_driver_status(&drv, 0);
		memset(hva(BUFFERS), 0, 64 * KiB);
		CHECK(is_zero(BUFFERS, 64 * KiB));
	}
	driver_start();
	CHECK_EQ(run(&seg, 0, 1), 64 * KiB);
	end();
}

static void map(u64 iova, u64 gpa, u64 len)
{
	const struct mapping m = {.start = iova,
				  .last = iova + len - 1,
				  .gpa = gpa,
				  .flags = MAPPING_READ | MAPPING_WRITE};

	CHECK_EQ(iommu_map(&iommu, 1, &m), 0);
}

TEST(behind_an_iommu)
{
	static const struct iommu_config config = {
		.page_size_mask = ~4095ULL,
		.input_last = UINT64_MAX,
		.domain_last = 10,
		.max_mappings = 1000,
	};
	const struct fake_seg good = {3 * GiB, 8192}, bad = {2 * GiB, 8192};

	if (iommu_init(&iommu, &config) || iommu_add_endpoint(&iommu, &ep, EP) ||
	    iommu_attach(&iommu, 1, EP, false))
		exit(2);
	start(&ep);
	map(RINGS, RINGS, 64 * KiB);
	map(3 * GiB, BUFFERS + 4096, 4096);
	map(3 * GiB + 4096, BUFFERS, 4096);
	driver_start();
	CHECK_EQ(run(&good, 0, 1), 8192);
	CHECK(!is_zero(BUFFERS, 4096) && !is_zero(BUFFERS + 4096, 4096));
	CHECK_EQ(run(&bad, 0, 1), 0);

	/* The buffer was taken away: nothing more is written there. */
	CHECK_EQ(iommu_unmap(&iommu, 1, 3 * GiB, 3 * GiB + 8191), 0);
	memset(hva(BUFFERS), 0, 8192);
	CHECK_EQ(run(&good, 0, 1), 0);
	CHECK(is_zero(BUFFERS, 8192));
	end();
	iommu_destroy(&iommu);
}

TEST(options)
{
	struct rng_config config;

	CHECK_EQ(rng_parse(NULL, &config), 0);
	CHECK_EQ(config.options.iommu, VIRTIO_CHOICE_DEFAULT);
	CHECK_EQ(rng_parse("iommu=off", &config), 0);
	CHECK_EQ(config.options.iommu, VIRTIO_CHOICE_OFF);
	capture_begin();
	CHECK(rng_parse("iommu=maybe", &config) < 0);
	CHECK(capture_one_line(capture_end(), "--rng: iommu=maybe: expected on or off"));
}
