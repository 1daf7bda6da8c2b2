// SPDX-License-Identifier: GPL-2.0-only
/* Packed rings as no driver should write them: each breaks the queue, and nothing else. */
#include <errno.h>
#include <linux/virtio_config.h>

#include "capture.h"
#include "queue-guest.h"
#include "unit.h"

#define INDIRECT BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC)
#define NEXT	 VRING_DESC_F_NEXT
#define WRITE	 VRING_DESC_F_WRITE
#define TABLE_AT VRING_DESC_F_INDIRECT

/* A descriptor at the next place, available, with further @flags. */
static void put(u64 addr, u32 len, u16 flags)
{
	packed_desc(&t.drv, t.p.desc, t.p.avail, addr, len, 0, packed_avail_flags(&t.p) | flags);
	packed_advance(&t.p);
}

static void chain_without_end(void)
{
	for (unsigned int i = 0; i < SIZE; i++)
		put(BUFFERS, 1, NEXT);
}

static void chain_into_what_is_not_available(void)
{
	put(BUFFERS, 1, NEXT);
	put(BUFFERS, 1, NEXT);
}

static void chain_into_the_round_before(void)
{
	put(BUFFERS, 1, NEXT);
	packed_desc(&t.drv, t.p.desc, 1, BUFFERS, 1, 0, PACKED_USED);
}

static void readable_behind_writable(void)
{
	put(BUFFERS, 4, WRITE | NEXT);
	put(BUFFERS, 4, 0);
}

static void more_than_4_gib(void)
{
	put(BUFFERS, 0xffffffff, NEXT);
	put(BUFFERS, 2, WRITE);
}

static void indirect_of_no_entry(void)
{
	put(TABLE, 0, TABLE_AT);
}

static void indirect_of_odd_size(void)
{
	put(TABLE, 24, TABLE_AT);
}

static void indirect_with_next(void)
{
	put(TABLE, 16, TABLE_AT | NEXT);
	put(BUFFERS, 4, 0);
}

/* 2.8.19: not even as the last of a chain, unlike in a split ring. */
static void indirect_behind_a_normal_descriptor(void)
{
	put(BUFFERS, 4, NEXT);
	put(TABLE, 16, TABLE_AT);
}

static void readable_behind_writable_in_a_table(void)
{
	packed_desc(&t.drv, TABLE, 0, BUFFERS, 4, 0, WRITE);
	packed_desc(&t.drv, TABLE, 1, BUFFERS, 4, 0, 0);
	put(TABLE, 32, TABLE_AT);
}

static void more_than_4_gib_in_a_table(void)
{
	packed_desc(&t.drv, TABLE, 0, BUFFERS, 0xffffffff, 0, 0);
	packed_desc(&t.drv, TABLE, 1, BUFFERS, 2, 0, 0);
	put(TABLE, 32, TABLE_AT);
}

static void indirect_outside_of_memory(void)
{
	put(OUTSIDE, 16, TABLE_AT);
}

static void indirect_half_outside_of_memory(void)
{
	put(RAM_SIZE - 16, 32, TABLE_AT);
}

static void indirect_that_wraps(void)
{
	put(~0ULL - 15, 64, TABLE_AT);
}

static void too_many_segments(void)
{
	for (u16 i = 0; i <= VIRTQ_MAX_SEGS; i++)
		packed_desc(&t.drv, TABLE, i, BUFFERS, 1, 0, 0);
	put(TABLE, (VIRTQ_MAX_SEGS + 1) * 16, TABLE_AT);
}

static void table_of_4_gib(void)
{
	put(TABLE, 0xfffffff0, TABLE_AT);
}

TEST(broken_rings)
{
	static const struct {
		void (*offer)(void);
		const char *why;
	} cases[] = {
		{chain_without_end, "a descriptor chain has no end"},
		{chain_into_what_is_not_available, "a descriptor chain has no end"},
		{chain_into_the_round_before, "a descriptor chain has no end"},
		{readable_behind_writable, "a readable descriptor follows a writable one"},
		{more_than_4_gib, "more than 4 GiB"},
		{indirect_of_no_entry, "odd size"},
		{indirect_of_odd_size, "odd size"},
		{indirect_with_next, "not allowed here"},
		{indirect_behind_a_normal_descriptor, "not allowed here"},
		{readable_behind_writable_in_a_table, "follows a writable one"},
		{more_than_4_gib_in_a_table, "more than 4 GiB"},
		{indirect_outside_of_memory, "cannot be reached"},
		{indirect_half_outside_of_memory, "cannot be reached"},
		{indirect_that_wraps, "cannot be reached"},
		{too_many_segments, "too long"},
		{table_of_4_gib, "too long"},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *text;

		packed_start(ALL_FEATURES, SIZE);
		cases[i].offer();
		capture_begin();
		CHECK_EQ(virtq_pop(t.vq, &t.chain), -EIO);
		text = capture_end();
		CHECK(capture_one_line(text, cases[i].why));
		check_broken(text);

		/* A reset, and all is well. */
		fake_driver_status(&t.drv, 0);
		driver_start(ALL_FEATURES, SIZE, RINGS);
		check_works();
		device_end();
	}
}

TEST(indirect_without_the_feature_breaks_the_queue)
{
	packed_start(~INDIRECT, SIZE);
	packed_desc(&t.drv, TABLE, 0, BUFFERS, 4, 0, 0);
	put(TABLE, 16, TABLE_AT);
	capture_begin();
	CHECK_EQ(virtq_pop(t.vq, &t.chain), -EIO);
	check_broken(capture_end());
	device_end();
}

/* A driver that makes places available that are the device's. */
TEST(more_in_flight_than_the_ring_has_breaks_the_queue)
{
	const char *text;

	/* While nothing is used, and while what is used is not published. */
	for (unsigned int push = 0; push < 2; push++) {
		packed_start(ALL_FEATURES, SIZE);
		for (unsigned int i = 0; i < SIZE; i++) {
			put(BUFFERS, 8, WRITE);
			pop();
			if (push)
				CHECK_EQ(virtq_push(t.vq, t.chain.head, 0), 0);
		}
		put(BUFFERS, 8, WRITE);
		capture_begin();
		CHECK_EQ(virtq_pop(t.vq, &t.chain), -EIO);
		text = capture_end();
		CHECK(capture_one_line(text, "more descriptors are available than the ring has"));
		check_broken(text);
		device_end();
	}
}

/* Nor a chain that is longer than what is left of it. */
TEST(chain_over_places_of_the_device_breaks_the_queue)
{
	const char *text;

	packed_start(ALL_FEATURES, 4);
	put(BUFFERS, 8, WRITE);
	pop();
	for (unsigned int i = 0; i < 3; i++)
		put(BUFFERS, 8, NEXT);
	put(BUFFERS, 8, 0);
	capture_begin();
	CHECK_EQ(virtq_pop(t.vq, &t.chain), -EIO);
	text = capture_end();
	CHECK(capture_one_line(text, "more descriptors are available than the ring has"));
	check_broken(text);
	device_end();
}

/* Any bytes at all: it ends, and each buffer that comes out is what a buffer can be. */
TEST(rings_of_random_bytes)
{
	for (unsigned int round = 0; round < 3000; round++) {
		u16 size = 1 + unit_rand() % 40;

		packed_start(ALL_FEATURES, size);
		for (u32 i = 0; i < size; i++) {
			static const u16 flags[] = {PACKED_AVAIL, PACKED_USED, NEXT, WRITE,
						    TABLE_AT};
			u16 f = unit_rand() % 8 ? PACKED_AVAIL : 0;

			for (unsigned int k = 0; k < ARRAY_SIZE(flags); k++)
				f ^= unit_rand() % 8 ? 0 : flags[k];
			packed_desc(&t.drv, t.p.desc, i,
				    unit_rand() % 4 ? RINGS + unit_rand() % 600 : unit_rand(),
				    unit_rand() % 4 ? 16 * (unit_rand() % 20) : unit_rand(),
				    unit_rand(), f);
		}
		capture_begin();
		for (unsigned int i = 0; i < 3U * size && !t.vq->broken; i++) {
			if (virtq_pop(t.vq, &t.chain) <= 0)
				break;
			CHECK(t.chain.head < size);
			CHECK(t.chain.nr_out + t.chain.nr_in <= VIRTQ_MAX_SEGS);
			if (unit_rand() % 4)
				virtq_push(t.vq, t.chain.head, unit_rand());
			if (unit_rand() % 4 == 0)
				virtq_publish(t.vq);
		}
		CHECK_EQ(needs_reset(), t.vq->broken);
		capture_end();
		device_end();
	}
}
