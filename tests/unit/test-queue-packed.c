// SPDX-License-Identifier: GPL-2.0-only
/* Packed virtqueues from the device's side: virtio 1.3, 2.8. */
#include <errno.h>
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "queue-guest.h"
#include "unit.h"

#define INDIRECT BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC)
#define PACKED	 BIT_ULL(VIRTIO_F_RING_PACKED)

#define ODD_SIZE 7

static const struct fake_seg in_8 = {BUFFERS, 8};

/* @nr buffers of one segment with IDs from @id on. */
static void offer(unsigned int nr, u16 id)
{
	while (nr--)
		packed_offer(&t.p, id++, &in_8, 0, 1);
}

static u16 popped(void)
{
	pop();
	return t.chain.head;
}

static void check_used(u32 want_id, u32 want_len)
{
	u32 id, len;

	CHECK(packed_take_used(&t.p, &id, &len) && id == want_id && len == want_len);
}

static void check_none_used(void)
{
	u32 id, len;

	CHECK(!packed_take_used(&t.p, &id, &len));
}

/* Goes on until the next buffer is at place @off. */
static void go_to(u16 off)
{
	while (t.p.avail != off) {
		use_one();
		check_used(0, 0);
	}
}

TEST(chain_is_what_the_driver_made)
{
	const struct fake_seg segs[] = {
		{BUFFERS, 16}, {BUFFERS + 100, 1}, {0xfeedface00000001, 4096}, {BUFFERS + 7, 3}};

	packed_start(ALL_FEATURES, SIZE);
	CHECK_EQ(virtq_pop(t.vq, &t.chain), 0);
	packed_offer(&t.p, 7, segs, 2, 2);
	if (pop()) {
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

/* 2.8.6: the ID is in the last descriptor, and it is the driver's to choose. */
TEST(any_buffer_id_comes_back)
{
	static const u16 ids[] = {0, 1, SIZE - 1, SIZE, 0x7fff, 0x8000, 0xffff};
	const struct fake_seg segs[] = {in_8, in_8, in_8};

	packed_start(ALL_FEATURES, SIZE);
	for (unsigned int i = 0; i < ARRAY_SIZE(ids); i++) {
		packed_offer(&t.p, ids[i], segs, 1, i % 3);
		CHECK_EQ(virtq_push(t.vq, popped(), i), 0);
		virtq_publish(t.vq);
		check_used(ids[i], i);
	}
	device_end();
}

/* An ID that is in use already is the driver's mistake: each buffer keeps its own length. */
TEST(buffers_with_the_same_id_keep_their_places)
{
	const struct fake_seg segs[] = {in_8, in_8, in_8};
	u16 heads[3];

	packed_start(ALL_FEATURES, ODD_SIZE);
	for (unsigned int round = 0; round < 20; round++) {
		for (unsigned int i = 0; i < 3; i++) {
			packed_offer(&t.p, 5, segs, 0, 1 + i);
			heads[i] = popped();
		}
		for (unsigned int i = 0; i < 3; i++) {
			CHECK_EQ(virtq_push(t.vq, heads[2 - i], i), 0);
			virtq_publish(t.vq);
			/* The driver has to know which of them it was. */
			t.p.nr[5] = 3 - i;
			check_used(5, i);
		}
	}
	check_works();
	device_end();
}

/* 2.8.1: the flags count only if they fit the wrap counter of that place. */
TEST(what_is_not_available_is_not_taken)
{
	static const u16 not_available[] = {0, PACKED_AVAIL | PACKED_USED, PACKED_USED};

	packed_start(ALL_FEATURES, 4);
	for (unsigned int i = 0; i < ARRAY_SIZE(not_available); i++) {
		packed_desc(&t.drv, t.p.desc, 0, BUFFERS, 8, 0, not_available[i]);
		CHECK_EQ(virtq_pop(t.vq, &t.chain), 0);
	}
	/* In the next round it is the other way round. */
	go_to(3);
	go_to(0);
	CHECK(!t.p.avail_wrap);
	packed_desc(&t.drv, t.p.desc, 0, BUFFERS, 8, 0, PACKED_AVAIL);
	CHECK_EQ(virtq_pop(t.vq, &t.chain), 0);
	packed_desc(&t.drv, t.p.desc, 0, BUFFERS, 8, 0, PACKED_USED);
	pop();
	CHECK(!needs_reset());
	device_end();
}

/* 2.8.6: the first descriptor makes a chain available, whatever the others say. */
TEST(chain_is_available_by_its_first_descriptor)
{
	packed_start(ALL_FEATURES, SIZE);
	packed_desc(&t.drv, t.p.desc, 1, BUFFERS, 8, 3, PACKED_AVAIL | VRING_DESC_F_WRITE);
	CHECK_EQ(virtq_pop(t.vq, &t.chain), 0);
	packed_desc(&t.drv, t.p.desc, 0, BUFFERS, 4, 0, PACKED_AVAIL | VRING_DESC_F_NEXT);
	if (pop())
		CHECK(t.chain.out_len == 4 && t.chain.in_len == 8);
	device_end();
}

/* 2.8.2: the driver looks at the next place only, so that one store shows a batch. */
TEST(used_descriptors_are_seen_after_publish)
{
	u16 heads[3];

	packed_start(ALL_FEATURES, SIZE);
	offer(3, 10);
	for (unsigned int i = 0; i < 3; i++)
		heads[i] = popped();
	CHECK_EQ(virtq_push(t.vq, heads[2], 5), 0);
	CHECK_EQ(virtq_push(t.vq, heads[0], 0xdeadbeef), 0);
	CHECK_EQ(packed_flags(&t.p, 0), PACKED_AVAIL | VRING_DESC_F_WRITE);
	check_none_used();
	virtq_publish(t.vq);
	check_used(12, 5);
	check_used(10, 0xdeadbeef);
	check_none_used();
	CHECK_EQ(virtq_push(t.vq, heads[1], 1), 0);
	check_none_used();
	virtq_publish(t.vq);
	check_used(11, 1);
	device_end();
}

TEST(publish_of_nothing_does_nothing)
{
	packed_start(ALL_FEATURES, SIZE);
	virtq_publish(t.vq);
	use_one();
	virtq_publish(t.vq);
	CHECK_EQ(atomic_load(&t.drv.interrupts[0]), 1);
	device_end();
}

/* 2.8.3: whether anything was written, which a length of 0 does not say. */
TEST(used_descriptor_tells_of_writable_parts)
{
	const struct fake_seg segs[] = {in_8, in_8};

	packed_start(ALL_FEATURES, SIZE);
	packed_offer(&t.p, 0, segs, 1, 0);
	virtq_push(t.vq, popped(), 0);
	packed_offer(&t.p, 1, segs, 1, 1);
	virtq_push(t.vq, popped(), 0);
	virtq_publish(t.vq);
	CHECK_EQ(packed_flags(&t.p, 0), PACKED_AVAIL | PACKED_USED);
	CHECK_EQ(packed_flags(&t.p, 1), PACKED_AVAIL | PACKED_USED | VRING_DESC_F_WRITE);
	device_end();
}

/* 2.8: not a power of two, as with split queues. */
TEST(places_wrap_at_every_queue_size)
{
	for (u16 size = 1; size <= MAX_SIZE; size++) {
		packed_start(ALL_FEATURES, size);
		for (u32 i = 0; i < 5U * size + 3; i++) {
			u16 id = i * 7;

			packed_offer(&t.p, id, &(struct fake_seg){BUFFERS + i, 8}, 0, 1);
			if (!pop() || !CHECK_EQ(t.chain.segs[0].iova, BUFFERS + i))
				break;
			CHECK_EQ(virtq_pop(t.vq, &t.chain), 0);
			virtq_push(t.vq, t.chain.head, i);
			virtq_publish(t.vq);
			check_used(id, i);
			check_none_used();
		}
		device_end();
	}
}

TEST(chains_across_the_end_of_the_ring)
{
	for (unsigned int nr = 1; nr <= ODD_SIZE; nr++) {
		struct fake_seg segs[ODD_SIZE];

		for (unsigned int i = 0; i < nr; i++)
			segs[i] = (struct fake_seg){BUFFERS + i, i + 1};
		packed_start(ALL_FEATURES, ODD_SIZE);
		for (unsigned int round = 0; round < 4 * ODD_SIZE; round++) {
			packed_offer(&t.p, round, segs, nr / 2, nr - nr / 2);
			pop();
			CHECK_EQ(t.chain.nr_out, nr / 2);
			CHECK_EQ(t.chain.nr_in, nr - nr / 2);
			for (unsigned int i = 0; i < nr; i++)
				CHECK(t.chain.segs[i].iova == segs[i].addr);
			CHECK_EQ(virtq_pop(t.vq, &t.chain), 0);
			virtq_push(t.vq, t.chain.head, round);
			virtq_publish(t.vq);
			check_used(round, round);
		}
		device_end();
	}
}

TEST(batches_across_the_end_of_the_ring)
{
	for (u16 start = 0; start < ODD_SIZE; start++) {
		for (unsigned int nr = 1; nr <= ODD_SIZE; nr++) {
			u16 heads[ODD_SIZE];

			packed_start(ALL_FEATURES, ODD_SIZE);
			go_to(start);
			offer(nr, 20);
			for (unsigned int i = 0; i < nr; i++)
				heads[i] = popped();
			for (unsigned int i = 0; i < nr; i++) {
				virtq_push(t.vq, heads[nr - 1 - i], i);
				check_none_used();
			}
			virtq_publish(t.vq);
			for (unsigned int i = 0; i < nr; i++)
				check_used(20 + nr - 1 - i, i);
			check_none_used();
			check_works();
			device_end();
		}
	}
}

/* 2.8.6: as many places are skipped as the buffer had, whichever is complete first. */
TEST(chains_complete_out_of_order)
{
	const struct fake_seg segs[] = {in_8, in_8, in_8};
	u16 heads[3];

	packed_start(ALL_FEATURES, ODD_SIZE);
	for (unsigned int round = 0; round < 100; round++) {
		unsigned int first = round % 3, second = (first + 1 + round / 3 % 2) % 3;
		unsigned int third = 3 - first - second;

		/* 1, 2 and 3 descriptors: 6 of 7 places. */
		for (unsigned int i = 0; i < 3; i++) {
			packed_offer(&t.p, i, segs, i, 1);
			heads[i] = popped();
		}
		virtq_push(t.vq, heads[first], 1);
		virtq_publish(t.vq);
		check_used(first, 1);
		check_none_used();
		/* One that is new goes to a place that was that of another. */
		packed_offer(&t.p, 9, segs, 0, 1);
		virtq_push(t.vq, heads[second], 2);
		virtq_push(t.vq, popped(), 3);
		virtq_push(t.vq, heads[third], 4);
		virtq_publish(t.vq);
		check_used(second, 2);
		check_used(9, 3);
		check_used(third, 4);
		check_none_used();
	}
	CHECK(!needs_reset());
	device_end();
}

TEST(full_ring_in_one_batch)
{
	u16 heads[ODD_SIZE];

	packed_start(ALL_FEATURES, ODD_SIZE);
	use_one();
	check_used(0, 0);
	for (unsigned int round = 0; round < 5; round++) {
		offer(ODD_SIZE, 0);
		for (unsigned int i = 0; i < ODD_SIZE; i++)
			heads[i] = popped();
		CHECK_EQ(virtq_pop(t.vq, &t.chain), 0);
		for (unsigned int i = 0; i < ODD_SIZE; i++)
			virtq_push(t.vq, heads[i], i);
		CHECK_EQ(virtq_pop(t.vq, &t.chain), 0);
		virtq_publish(t.vq);
		CHECK_EQ(virtq_pop(t.vq, &t.chain), 0);
		for (unsigned int i = 0; i < ODD_SIZE; i++)
			check_used(i, i);
	}
	device_end();
}

TEST(chain_of_the_whole_ring_is_no_loop)
{
	struct fake_seg segs[ODD_SIZE];

	packed_start(ALL_FEATURES, ODD_SIZE);
	for (unsigned int i = 0; i < ODD_SIZE; i++)
		segs[i] = in_8;
	for (unsigned int round = 0; round < 4; round++) {
		packed_offer(&t.p, 1, segs, ODD_SIZE, 0);
		if (pop())
			CHECK_EQ(t.chain.nr_out, ODD_SIZE);
		virtq_push(t.vq, t.chain.head, 0);
		virtq_publish(t.vq);
		check_used(1, 0);
	}
	device_end();
}

/* 2.8.7: all entries of a table, in their order, for one descriptor of the ring. */
TEST(indirect_tables)
{
	struct fake_seg segs[100];

	packed_start(ALL_FEATURES, ODD_SIZE);
	for (unsigned int i = 0; i < ARRAY_SIZE(segs); i++)
		segs[i] = (struct fake_seg){BUFFERS + i * 1000, i + 1};
	/* Around the number of entries that are fetched together, and beyond the ring. */
	for (unsigned int nr = 1; nr <= ARRAY_SIZE(segs); nr++) {
		unsigned int nr_out = nr / 3;

		packed_offer_indirect(&t.p, nr, segs, nr_out, nr - nr_out, TABLE);
		if (!pop())
			break;
		CHECK_EQ(t.chain.nr_out, nr_out);
		CHECK_EQ(t.chain.nr_in, nr - nr_out);
		for (unsigned int i = 0; i < nr; i++)
			CHECK(t.chain.segs[i].iova == segs[i].addr &&
			      t.chain.segs[i].len == segs[i].len);
		virtq_push(t.vq, t.chain.head, nr);
		virtq_publish(t.vq);
		check_used(nr, nr);
	}
	device_end();
}

/* 2.8.7: in a table only WRITE means something, in the descriptor that names it nothing. */
TEST(reserved_flags_of_indirect_tables_are_ignored)
{
	const u16 others = PACKED_AVAIL | PACKED_USED | VRING_DESC_F_NEXT | VRING_DESC_F_INDIRECT;

	packed_start(ALL_FEATURES, SIZE);
	packed_desc(&t.drv, TABLE, 0, BUFFERS, 1, 0xffff, others);
	packed_desc(&t.drv, TABLE, 1, BUFFERS, 2, 0xffff, 0);
	packed_desc(&t.drv, TABLE, 2, BUFFERS, 4, 0xffff, others | VRING_DESC_F_WRITE);
	packed_desc(&t.drv, t.p.desc, 0, TABLE, 48, 3,
		    PACKED_AVAIL | VRING_DESC_F_INDIRECT | VRING_DESC_F_WRITE);
	t.p.nr[3] = 1;
	if (pop()) {
		CHECK(t.chain.nr_out == 2 && t.chain.out_len == 3);
		CHECK(t.chain.nr_in == 1 && t.chain.in_len == 4);
		virtq_push(t.vq, t.chain.head, 4);
		virtq_publish(t.vq);
		check_used(3, 4);
	}
	device_end();
}

/* 2.8.5: buffers of either kind in one ring. */
TEST(tables_and_chains_take_turns)
{
	const struct fake_seg segs[] = {in_8, in_8, in_8, in_8, in_8};

	packed_start(ALL_FEATURES, ODD_SIZE);
	for (unsigned int i = 0; i < 50; i++) {
		u16 first;

		packed_offer(&t.p, 1, segs, 2, 2);
		first = popped();
		packed_offer_indirect(&t.p, 2, segs, 4, 1, TABLE);
		pop();
		CHECK_EQ(t.chain.nr_out, 4);
		virtq_push(t.vq, t.chain.head, 0);
		virtq_push(t.vq, first, 0);
		virtq_publish(t.vq);
		check_used(2, 0);
		check_used(1, 0);
	}
	device_end();
}

TEST(longest_chain_and_most_bytes)
{
	static struct fake_seg segs[VIRTQ_MAX_SEGS];

	packed_start(ALL_FEATURES, SIZE);
	for (unsigned int i = 0; i < VIRTQ_MAX_SEGS; i++)
		segs[i] = (struct fake_seg){BUFFERS, 4 * MiB};
	packed_offer_indirect(&t.p, 0, segs, 1000, 24, TABLE);
	if (pop())
		CHECK_EQ(t.chain.out_len + t.chain.in_len, 4 * GiB);
	device_end();
}

/* Life of a queue. */

static void queue_reset(void)
{
	pthread_mutex_lock(&t.vdev.lock);
	virtio_queue_reset(&t.vdev, 0);
	pthread_mutex_unlock(&t.vdev.lock);
}

TEST(queue_reset_starts_it_anew)
{
	packed_start(ALL_FEATURES, ODD_SIZE);
	/* Wrap counters of 0, a buffer that is not used, and one that is not published. */
	for (unsigned int i = 0; i < ODD_SIZE + 2; i++) {
		use_one();
		check_used(0, 0);
	}
	offer(2, 0);
	pop();
	virtq_push(t.vq, popped(), 0);
	queue_reset();
	CHECK_EQ(t.stops, 1);
	CHECK(!t.vq->enabled);

	/* Elsewhere, with another size. */
	packed_setup(&t.p, &t.drv, 0, 3, OTHER_RINGS);
	CHECK_EQ(t.starts, 2);
	virtq_publish(t.vq);
	check_none_used();
	for (unsigned int i = 0; i < 10; i++)
		check_works();
	device_end();
}

TEST(driver_may_decline_and_choose_again)
{
	packed_start(ALL_FEATURES, ODD_SIZE);
	check_works();
	fake_driver_status(&t.drv, 0);
	/* 7 is no size for a split queue. */
	driver_start(~PACKED, SIZE, RINGS);
	for (unsigned int i = 0; i < 2 * SIZE; i++)
		check_works();
	fake_driver_status(&t.drv, 0);
	driver_start(ALL_FEATURES, ODD_SIZE, RINGS);
	for (unsigned int i = 0; i < 2 * SIZE; i++)
		check_works();
	device_end();
}

TEST(packed_is_not_accepted_unless_offered)
{
	memset(&t, 0, sizeof(t));
	if (guest_mem_add_bank(&t.mem, 0, RAM_SIZE))
		exit(2);
	device_create(NULL);
	CHECK(!(t.vdev.offered & PACKED));
	CHECK(!fake_driver_negotiate(&t.drv, t.vdev.offered | PACKED));
	device_end();
}

/* 2.8.10.1: sizes and alignments. */
TEST(queue_of_odd_size_or_alignment_is_refused)
{
	static const struct {
		u16 size;
		u64 desc, driver, device;
		bool ok;
	} cases[] = {
		{0, 0, 0x1000, 0x2000, false},	    {MAX_SIZE + 1, 0, 0x2000, 0x3000, false},
		{0xffff, 0, 0x1000, 0x2000, false}, {16, 8, 0x1000, 0x2000, false},
		{16, 0, 0x1002, 0x2000, false},	    {16, 0, 0x1000, 0x2002, false},
		{1, 0x10, 0x1004, 0x2004, true},    {3, 0x10, 0x1004, 0x2004, true},
		{255, 0x10, 0x1ffc, 0x2004, true},  {MAX_SIZE, 0x10, 0x1ffc, 0x2004, true},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		struct virtq *vq;

		packed_start(ALL_FEATURES, SIZE);
		vq = &t.vdev.vqs[1];
		vq->size = cases[i].size;
		vq->desc = cases[i].desc;
		vq->avail = cases[i].driver;
		vq->used = cases[i].device;
		capture_begin();
		pthread_mutex_lock(&t.vdev.lock);
		virtio_queue_enable(&t.vdev, 1);
		pthread_mutex_unlock(&t.vdev.lock);
		if (cases[i].ok)
			CHECK_STR_EQ(capture_end(), "");
		else
			CHECK(capture_one_line(capture_end(), "odd size or alignment"));
		CHECK_EQ(vq->enabled, cases[i].ok);
		CHECK_EQ(needs_reset(), !cases[i].ok);
		device_end();
	}
}

TEST(requests_and_interrupts_are_counted)
{
	packed_start(ALL_FEATURES, ODD_SIZE);
	offer(3, 0);
	for (unsigned int i = 0; i < 3; i++)
		virtq_push(t.vq, popped(), 0);
	virtq_publish(t.vq);
	packed_driver_event(&t.p, VRING_PACKED_EVENT_FLAG_DISABLE, 0, false);
	use_one();
	CHECK_EQ(atomic_load(&t.vq->nr_requests), 4);
	CHECK_EQ(atomic_load(&t.vq->nr_interrupts), 1);
	device_end();
}
