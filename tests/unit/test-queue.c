// SPDX-License-Identifier: GPL-2.0-only
/* Split virtqueues from the device's side: virtio 1.3, 2.6 and 2.7. */
#include <endian.h>
#include <errno.h>
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "queue-guest.h"
#include "unit.h"

#define INDIRECT BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC)
#define RING_RST BIT_ULL(40)

TEST(chain_is_what_the_driver_made)
{
	const struct fake_seg segs[] = {
		{BUFFERS, 16}, {BUFFERS + 100, 1}, {0xfeedface00000001, 4096}, {BUFFERS + 7, 3}};

	device_start(ALL_FEATURES, SIZE);
	CHECK_EQ(virtq_pop(t.vq, &t.chain), 0);
	fake_offer(&t.q, fake_chain(&t.q, segs, 2, 2));
	if (pop()) {
		CHECK_EQ(t.chain.head, 0);
		CHECK_EQ(t.chain.nr_out, 2);
		CHECK_EQ(t.chain.nr_in, 2);
		CHECK_EQ(t.chain.out_len, 17);
		CHECK_EQ(t.chain.in_len, 4099);
		for (unsigned int i = 0; i < 4; i++) {
			CHECK_EQ(t.chain.segs[i].iova, segs[i].addr);
			CHECK_EQ(t.chain.segs[i].len, segs[i].len);
		}
	}
	CHECK_EQ(virtq_pop(t.vq, &t.chain), 0);
	device_end();
}

TEST(chains_of_one_kind_only)
{
	const struct fake_seg segs[] = {{BUFFERS, 8}, {BUFFERS + 8, 8}};

	device_start(ALL_FEATURES, SIZE);
	fake_offer(&t.q, fake_chain(&t.q, segs, 2, 0));
	fake_offer(&t.q, fake_chain(&t.q, segs, 0, 2));
	if (pop())
		CHECK(t.chain.nr_out == 2 && t.chain.nr_in == 0 && t.chain.out_len == 16);
	if (pop())
		CHECK(t.chain.nr_out == 0 && t.chain.nr_in == 2 && t.chain.in_len == 16);
	device_end();
}

TEST(used_elements_are_seen_after_publish)
{
	u32 id, len;

	device_start(ALL_FEATURES, SIZE);
	for (unsigned int i = 0; i < 3; i++) {
		fake_offer(&t.q, fake_chain(&t.q, &(struct fake_seg){BUFFERS, 8}, 0, 1));
		pop();
	}
	/* In an order of its own. */
	CHECK_EQ(virtq_push(t.vq, 2, 5), 0);
	CHECK_EQ(virtq_push(t.vq, 0, 0xdeadbeef), 0);
	CHECK(!fake_take_used(&t.q, &id, &len));
	virtq_publish(t.vq);
	CHECK(fake_take_used(&t.q, &id, &len) && id == 2 && len == 5);
	CHECK(fake_take_used(&t.q, &id, &len) && id == 0 && len == 0xdeadbeef);
	CHECK(!fake_take_used(&t.q, &id, &len));
	CHECK_EQ(virtq_push(t.vq, 1, 1), 0);
	virtq_publish(t.vq);
	CHECK(fake_take_used(&t.q, &id, &len) && id == 1 && len == 1);
	device_end();
}

TEST(publish_of_nothing_does_nothing)
{
	device_start(~EVENT_IDX, SIZE);
	virtq_publish(t.vq);
	CHECK_EQ(fake_interrupts(&t.q), 0);
	device_end();
}

TEST(indices_wrap_at_every_queue_size)
{
	for (u16 size = 1; size <= 256; size *= 2) {
		u32 id, len;

		device_start(ALL_FEATURES, size);
		for (u32 i = 0; i < 70000; i++) {
			u16 head = fake_chain(&t.q, &(struct fake_seg){BUFFERS + i, 8}, 0, 1);

			fake_offer(&t.q, head);
			if (!pop() || !CHECK_EQ(t.chain.segs[0].iova, BUFFERS + i))
				break;
			virtq_push(t.vq, t.chain.head, i);
			virtq_publish(t.vq);
			if (!CHECK(fake_take_used(&t.q, &id, &len) && id == head && len == i))
				break;
		}
		device_end();
	}
}

TEST(full_ring_at_once)
{
	device_start(ALL_FEATURES, SIZE);
	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < SIZE; i++)
			fake_offer(&t.q, fake_chain(&t.q, &(struct fake_seg){BUFFERS, i}, 0, 1));
		for (unsigned int i = 0; i < SIZE; i++) {
			if (pop())
				CHECK_EQ(t.chain.in_len, i);
		}
		CHECK_EQ(virtq_pop(t.vq, &t.chain), 0);
	}
	device_end();
}

TEST(indirect_tables)
{
	struct fake_seg segs[100];

	device_start(ALL_FEATURES, SIZE);
	for (unsigned int i = 0; i < ARRAY_SIZE(segs); i++)
		segs[i] = (struct fake_seg){BUFFERS + i * 1000, i + 1};
	/* Around the number of entries that are fetched together, and beyond the ring. */
	for (unsigned int nr = 1; nr <= ARRAY_SIZE(segs); nr++) {
		unsigned int nr_out = nr / 3;

		fake_offer(&t.q, fake_chain_indirect(&t.q, segs, nr_out, nr - nr_out, TABLE));
		if (!pop())
			break;
		CHECK_EQ(t.chain.nr_out, nr_out);
		CHECK_EQ(t.chain.nr_in, nr - nr_out);
		for (unsigned int i = 0; i < nr; i++)
			CHECK(t.chain.segs[i].iova == segs[i].addr &&
			      t.chain.segs[i].len == segs[i].len);
	}
	device_end();
}

/* A table as a queue of descriptors, to write what a driver would not. */
static struct fake_queue table_at(u64 addr)
{
	return (struct fake_queue){.drv = &t.drv, .desc = addr};
}

TEST(indirect_table_in_any_order)
{
	struct fake_queue table;

	device_start(ALL_FEATURES, SIZE);
	table = table_at(TABLE);
	/* 0, 90, 1, 89, ...: never in the batch that is there. */
	for (u16 i = 0; i < 45; i++) {
		fake_desc(&table, i, i, 1, VRING_DESC_F_NEXT, 90 - i);
		fake_desc(&table, 90 - i, 1000 + i, 1, i < 44 ? VRING_DESC_F_NEXT : 0, i + 1);
	}
	fake_desc(&t.q, 0, TABLE, 91 * 16, VRING_DESC_F_INDIRECT, 0);
	fake_offer(&t.q, 0);
	if (pop() && CHECK_EQ(t.chain.nr_out, 90)) {
		for (unsigned int i = 0; i < 90; i++)
			CHECK_EQ(t.chain.segs[i].iova, i / 2 + (i & 1 ? 1000 : 0));
	}
	device_end();
}

/* 2.7.5.3.2: normal descriptors, then a single indirect one whose WRITE flag means nothing. */
TEST(indirect_table_behind_normal_descriptors)
{
	struct fake_queue table;

	device_start(ALL_FEATURES, SIZE);
	table = table_at(TABLE);
	fake_desc(&t.q, 3, BUFFERS, 4, VRING_DESC_F_NEXT, 7);
	fake_desc(&t.q, 7, TABLE, 32, VRING_DESC_F_INDIRECT | VRING_DESC_F_WRITE, 0);
	fake_desc(&table, 0, BUFFERS + 4, 5, VRING_DESC_F_NEXT, 1);
	fake_desc(&table, 1, BUFFERS + 9, 6, VRING_DESC_F_WRITE, 0);
	fake_offer(&t.q, 3);
	if (pop()) {
		CHECK_EQ(t.chain.head, 3);
		CHECK_EQ(t.chain.out_len, 9);
		CHECK_EQ(t.chain.in_len, 6);
	}
	device_end();
}

TEST(longest_chain_and_most_bytes)
{
	static struct fake_seg segs[VIRTQ_MAX_SEGS];

	device_start(ALL_FEATURES, SIZE);
	for (unsigned int i = 0; i < VIRTQ_MAX_SEGS; i++)
		segs[i] = (struct fake_seg){BUFFERS, 4 * MiB};
	fake_offer(&t.q, fake_chain_indirect(&t.q, segs, 1000, 24, TABLE));
	if (pop())
		CHECK_EQ(t.chain.out_len + t.chain.in_len, 4 * GiB);
	device_end();
}

/* What breaks a queue. Each is offered as head 0 unless the function offers. */

static void offer0(void)
{
	fake_offer(&t.q, 0);
}

static void head_out_of_range(void)
{
	fake_offer(&t.q, SIZE);
}

static void head_far_out_of_range(void)
{
	fake_offer(&t.q, 0xffff);
}

static void next_out_of_range(void)
{
	fake_desc(&t.q, 0, BUFFERS, 4, VRING_DESC_F_NEXT, SIZE);
	offer0();
}

static void loop_of_one(void)
{
	fake_desc(&t.q, 0, BUFFERS, 4, VRING_DESC_F_NEXT, 0);
	offer0();
}

static void loop_of_all(void)
{
	for (u16 i = 0; i < SIZE; i++)
		fake_desc(&t.q, i, BUFFERS, 0, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE,
			  (i + 1) % SIZE);
	offer0();
}

static void readable_behind_writable(void)
{
	const struct fake_seg segs[] = {{BUFFERS, 4}, {BUFFERS, 4}};

	fake_chain(&t.q, segs, 0, 2);
	fake_desc(&t.q, 1, BUFFERS, 4, 0, 0);
	offer0();
}

static void more_than_4_gib(void)
{
	const struct fake_seg segs[] = {{BUFFERS, 0xffffffff}, {BUFFERS, 2}};

	fake_offer(&t.q, fake_chain(&t.q, segs, 1, 1));
}

static void available_index_jumps(void)
{
	for (unsigned int i = 0; i <= SIZE; i++)
		offer0();
}

static void available_index_goes_back(void)
{
	t.q.avail_idx = 0xfffe;
	offer0();
}

static void indirect_of_no_entry(void)
{
	fake_desc(&t.q, 0, TABLE, 0, VRING_DESC_F_INDIRECT, 0);
	offer0();
}

static void indirect_of_odd_size(void)
{
	fake_desc(&t.q, 0, TABLE, 24, VRING_DESC_F_INDIRECT, 0);
	offer0();
}

static void indirect_with_next(void)
{
	fake_desc(&t.q, 0, TABLE, 16, VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT, 1);
	offer0();
}

static void indirect_in_a_table(void)
{
	struct fake_queue table = table_at(TABLE);

	fake_desc(&table, 0, TABLE, 16, VRING_DESC_F_INDIRECT, 0);
	fake_desc(&t.q, 0, TABLE, 16, VRING_DESC_F_INDIRECT, 0);
	offer0();
}

static void indirect_next_out_of_range(void)
{
	struct fake_queue table = table_at(TABLE);

	fake_desc(&table, 0, BUFFERS, 4, VRING_DESC_F_NEXT, 2);
	fake_desc(&t.q, 0, TABLE, 32, VRING_DESC_F_INDIRECT, 0);
	offer0();
}

static void indirect_loop(void)
{
	struct fake_queue table = table_at(TABLE);

	for (u16 i = 0; i < 50; i++)
		fake_desc(&table, i, BUFFERS, 0, VRING_DESC_F_NEXT, (i + 1) % 50);
	fake_desc(&t.q, 0, TABLE, 50 * 16, VRING_DESC_F_INDIRECT, 0);
	offer0();
}

static void indirect_outside_of_memory(void)
{
	fake_desc(&t.q, 0, OUTSIDE, 16, VRING_DESC_F_INDIRECT, 0);
	offer0();
}

static void indirect_that_wraps(void)
{
	fake_desc(&t.q, 0, ~0ULL - 15, 64, VRING_DESC_F_INDIRECT, 0);
	offer0();
}

static void indirect_half_outside_of_memory(void)
{
	struct fake_queue table = table_at(RAM_SIZE - 16);

	fake_desc(&table, 0, BUFFERS, 4, 0, 0);
	fake_desc(&t.q, 0, RAM_SIZE - 16, 32, VRING_DESC_F_INDIRECT, 0);
	offer0();
}

static void too_many_segments(void)
{
	struct fake_queue table = table_at(TABLE);

	for (u16 i = 0; i <= VIRTQ_MAX_SEGS; i++)
		fake_desc(&table, i, BUFFERS, 1, i < VIRTQ_MAX_SEGS ? VRING_DESC_F_NEXT : 0, i + 1);
	fake_desc(&t.q, 0, TABLE, (VIRTQ_MAX_SEGS + 1) * 16, VRING_DESC_F_INDIRECT, 0);
	offer0();
}

static void table_of_4_gib(void)
{
	struct fake_queue table = table_at(TABLE);

	fake_desc(&table, 0, BUFFERS, 0, VRING_DESC_F_NEXT, 0);
	fake_desc(&t.q, 0, TABLE, 0xfffffff0, VRING_DESC_F_INDIRECT, 0);
	offer0();
}

TEST(broken_queue_needs_a_reset_and_a_reset_mends_it)
{
	static void (*const breaks[])(void) = {
		head_out_of_range,
		head_far_out_of_range,
		next_out_of_range,
		loop_of_one,
		loop_of_all,
		readable_behind_writable,
		more_than_4_gib,
		available_index_jumps,
		available_index_goes_back,
		indirect_of_no_entry,
		indirect_of_odd_size,
		indirect_with_next,
		indirect_in_a_table,
		indirect_next_out_of_range,
		indirect_loop,
		indirect_outside_of_memory,
		indirect_that_wraps,
		indirect_half_outside_of_memory,
		too_many_segments,
		table_of_4_gib,
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(breaks); i++) {
		device_start(ALL_FEATURES, SIZE);
		breaks[i]();
		capture_begin();
		CHECK_EQ(virtq_pop(t.vq, &t.chain), -EIO);
		check_broken(capture_end());
		fake_driver_status(&t.drv, 0);
		CHECK_EQ(atomic_load(&t.vdev.status), 0);
		driver_start(ALL_FEATURES, SIZE, RINGS);
		check_works();
		device_end();
	}
}

TEST(indirect_without_the_feature_breaks_the_queue)
{
	device_start(~INDIRECT, SIZE);
	fake_desc(&t.q, 0, TABLE, 16, VRING_DESC_F_INDIRECT, 0);
	offer0();
	capture_begin();
	CHECK_EQ(virtq_pop(t.vq, &t.chain), -EIO);
	check_broken(capture_end());
	device_end();
}

TEST(chain_of_the_whole_ring_is_no_loop)
{
	struct fake_seg segs[SIZE];

	device_start(ALL_FEATURES, SIZE);
	for (unsigned int i = 0; i < SIZE; i++)
		segs[i] = (struct fake_seg){BUFFERS, 1};
	fake_offer(&t.q, fake_chain(&t.q, segs, SIZE, 0));
	if (pop())
		CHECK_EQ(t.chain.nr_out, SIZE);
	device_end();
}

/* Interrupts: 2.7.7. */

TEST(interrupts_by_flag)
{
	device_start(~EVENT_IDX, SIZE);
	use_one();
	CHECK_EQ(fake_interrupts(&t.q), 1);
	fake_avail_flags(&t.q, VRING_AVAIL_F_NO_INTERRUPT);
	use_one();
	CHECK_EQ(fake_interrupts(&t.q), 1);
	/* The event index means nothing here. */
	fake_used_event(&t.q, 2);
	use_one();
	CHECK_EQ(fake_interrupts(&t.q), 1);
	fake_avail_flags(&t.q, 0);
	use_one();
	CHECK_EQ(fake_interrupts(&t.q), 2);
	device_end();
}

TEST(interrupts_by_event_index)
{
	unsigned int want = 0;

	device_start(ALL_FEATURES, SIZE);
	/* From the first one on: a ring begins at 0. */
	fake_used_event(&t.q, 1000);
	use_one();
	CHECK_EQ(fake_interrupts(&t.q), want);
	fake_avail_flags(&t.q, VRING_AVAIL_F_NO_INTERRUPT); /* means nothing here */
	/* All along the indices, with a distance of 1 to 7 between interrupts. */
	for (u32 done = 1; done < 140000;) {
		unsigned int distance = 1 + done % 7;

		fake_used_event(&t.q, done + distance - 1);
		for (unsigned int i = 0; i < distance; i++) {
			CHECK_EQ(fake_interrupts(&t.q), want);
			use_one();
			done++;
		}
		if (!CHECK_EQ(fake_interrupts(&t.q), ++want))
			break;
	}
	device_end();
}

TEST(batch_that_passes_the_event_index_interrupts_once)
{
	device_start(ALL_FEATURES, SIZE);
	use_one();
	for (unsigned int event = 0; event < 10; event++) {
		unsigned int before = fake_interrupts(&t.q);
		u16 base = fake_used_idx(&t.q);

		fake_used_event(&t.q, base + event);
		for (unsigned int i = 0; i < 8; i++) {
			fake_offer(&t.q, fake_chain(&t.q, &(struct fake_seg){BUFFERS, 8}, 0, 1));
			pop();
			virtq_push(t.vq, t.chain.head, 0);
		}
		virtq_publish(t.vq);
		CHECK_EQ(fake_interrupts(&t.q), before + (event < 8));
	}
	device_end();
}

/* Kicks: 2.7.10. */

TEST(kicks_by_flag)
{
	device_start(~EVENT_IDX, SIZE);
	virtq_disable_kick(t.vq);
	CHECK_EQ(fake_used_flags(&t.q), VRING_USED_F_NO_NOTIFY);
	CHECK(!virtq_enable_kick(t.vq));
	CHECK_EQ(fake_used_flags(&t.q), 0);
	/* What came between the last look and the request is not lost. */
	virtq_disable_kick(t.vq);
	fake_offer(&t.q, fake_chain(&t.q, &(struct fake_seg){BUFFERS, 8}, 0, 1));
	CHECK(virtq_enable_kick(t.vq));
	device_end();
}

TEST(kicks_by_event_index)
{
	device_start(ALL_FEATURES, SIZE);
	for (u32 i = 0; i < 70000; i += 2) {
		virtq_disable_kick(t.vq);
		if (!CHECK(!virtq_enable_kick(t.vq)) || !CHECK_EQ(fake_avail_event(&t.q), (u16)i))
			break;
		fake_offer(&t.q, fake_chain(&t.q, &(struct fake_seg){BUFFERS, 8}, 0, 1));
		CHECK(fake_kick_wanted(&t.q, 1));
		pop();
		/* Until the device asks again, it wants none. */
		fake_offer(&t.q, fake_chain(&t.q, &(struct fake_seg){BUFFERS, 8}, 0, 1));
		CHECK(!fake_kick_wanted(&t.q, 1));
		CHECK(virtq_enable_kick(t.vq));
		pop();
	}
	CHECK_EQ(fake_used_flags(&t.q), 0);
	device_end();
}

TEST(kicks_reach_a_running_queue_only)
{
	device_start(ALL_FEATURES, SIZE);
	fake_kick(&t.q);
	CHECK_EQ(t.kicks, 1);
	virtio_kick(&t.vdev, 1);
	virtio_kick(&t.vdev, 2);
	virtio_kick(&t.vdev, 0xffff);
	CHECK_EQ(t.kicks, 1);
	fake_driver_status(&t.drv, 0);
	fake_kick(&t.q);
	CHECK_EQ(t.kicks, 1);
	device_end();
}

/* Life of a queue: 2.6.1, 3.1. */

TEST(queue_reset_starts_it_anew)
{
	device_start(ALL_FEATURES, SIZE);
	use_one();
	use_one();
	pthread_mutex_lock(&t.vdev.lock);
	virtio_queue_reset(&t.vdev, 0);
	pthread_mutex_unlock(&t.vdev.lock);
	CHECK_EQ(t.stops, 1);
	CHECK(!t.vq->enabled);
	CHECK_EQ(t.vq->size, t.vq->max_size);
	CHECK_EQ(t.vq->desc | t.vq->avail | t.vq->used, 0);
	CHECK_EQ(t.vq->vector, VIRTIO_NO_VECTOR);
	fake_kick(&t.q);
	CHECK_EQ(t.kicks, 0);

	/* Elsewhere, with another size. */
	fake_queue_setup(&t.q, &t.drv, 0, 4 * SIZE, OTHER_RINGS);
	CHECK_EQ(t.starts, 2);
	check_works();
	fake_kick(&t.q);
	CHECK_EQ(t.kicks, 1);
	device_end();
}

TEST(queue_reset_without_the_feature_is_ignored)
{
	device_start(~RING_RST, SIZE);
	pthread_mutex_lock(&t.vdev.lock);
	virtio_queue_reset(&t.vdev, 0);
	pthread_mutex_unlock(&t.vdev.lock);
	CHECK_EQ(t.stops, 0);
	check_works();
	device_end();
}

TEST(queue_of_odd_size_or_alignment_is_refused)
{
	static const struct {
		u16 size;
		u64 desc, avail, used;
	} odd[] = {
		{0, 0, 0x1000, 0x2000},	     {3, 0, 0x1000, 0x2000},  {512, 0, 0x1000, 0x2000},
		{16, 8, 0x1000, 0x2000},     {16, 0, 0x1001, 0x2000}, {16, 0, 0x1000, 0x2002},
		{0xffff, 0, 0x1000, 0x2000},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(odd); i++) {
		struct virtq *vq;

		device_start(ALL_FEATURES, SIZE);
		vq = &t.vdev.vqs[1];
		vq->size = odd[i].size;
		vq->desc = odd[i].desc;
		vq->avail = odd[i].avail;
		vq->used = odd[i].used;
		capture_begin();
		pthread_mutex_lock(&t.vdev.lock);
		virtio_queue_enable(&t.vdev, 1);
		pthread_mutex_unlock(&t.vdev.lock);
		CHECK(capture_one_line(capture_end(), "odd size or alignment"));
		CHECK(!vq->enabled);
		CHECK(needs_reset());
		CHECK_EQ(t.starts, 1);
		device_end();
	}
}

TEST(queues_start_with_driver_ok_and_stop_with_the_reset)
{
	memset(&t, 0, sizeof(t));
	if (guest_mem_add_bank(&t.mem, 0, RAM_SIZE))
		exit(2);
	device_create(NULL);
	/* Before FEATURES_OK there is no queue to enable. */
	fake_queue_setup(&t.q, &t.drv, 0, SIZE, RINGS);
	CHECK(!t.vq->enabled);
	CHECK(fake_driver_negotiate(&t.drv, t.vdev.offered));
	fake_queue_setup(&t.q, &t.drv, 0, SIZE, RINGS);
	CHECK(t.vq->enabled);
	CHECK_EQ(t.starts, 0);
	fake_driver_status(&t.drv, VIRTIO_CONFIG_S_DRIVER_OK);
	CHECK_EQ(t.starts, 1);
	fake_queue_setup(&t.q, &t.drv, 1, SIZE, OTHER_RINGS);
	CHECK_EQ(t.starts, 2);
	fake_driver_status(&t.drv, 0);
	CHECK_EQ(t.stops, 2);
	fake_driver_status(&t.drv, 0);
	CHECK_EQ(t.stops, 2);
	device_end();
}
