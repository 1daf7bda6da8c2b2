// SPDX-License-Identifier: GPL-2.0-only
/* Interrupts and kicks of packed virtqueues: virtio 1.3, 2.8.10. */
#include <linux/virtio_config.h>

#include "queue-guest.h"
#include "unit.h"

#define ODD_SIZE 5

static unsigned int interrupts(void)
{
	return atomic_load(&t.drv.interrupts[0]);
}

/* Offers and uses @nr buffers in one batch, each of @segs segments. */
static void use_batch(unsigned int nr, unsigned int segs)
{
	static const struct fake_seg seg[ODD_SIZE] = {
		{BUFFERS, 8}, {BUFFERS, 8}, {BUFFERS, 8}, {BUFFERS, 8}, {BUFFERS, 8}};
	u32 id, len;

	for (unsigned int i = 0; i < nr; i++) {
		packed_offer(&t.p, i, seg, 0, segs);
		pop();
		virtq_push(t.vq, t.chain.head, 0);
	}
	virtq_publish(t.vq);
	for (unsigned int i = 0; i < nr; i++)
		CHECK(packed_take_used(&t.p, &id, &len));
}

TEST(interrupts_by_flag)
{
	static const u64 features[] = {ALL_FEATURES, ~EVENT_IDX};

	for (unsigned int i = 0; i < ARRAY_SIZE(features); i++) {
		packed_start(features[i], SIZE);
		use_batch(1, 1);
		CHECK_EQ(interrupts(), 1);
		packed_driver_event(&t.p, VRING_PACKED_EVENT_FLAG_DISABLE, 0, false);
		use_batch(3, 2);
		CHECK_EQ(interrupts(), 1);
		/* The place means nothing here. */
		packed_driver_event(&t.p, VRING_PACKED_EVENT_FLAG_ENABLE, 1, true);
		use_batch(4, 1);
		CHECK_EQ(interrupts(), 2);
		device_end();
	}
}

/* A value that the driver must not use costs an interrupt, and loses none. */
TEST(flags_that_mean_nothing_ask_for_interrupts)
{
	packed_start(~EVENT_IDX, SIZE);
	packed_driver_event(&t.p, VRING_PACKED_EVENT_FLAG_DESC, 0, false);
	use_batch(1, 1);
	CHECK_EQ(interrupts(), 1);
	packed_driver_event(&t.p, 3, 0, false);
	use_batch(1, 1);
	CHECK_EQ(interrupts(), 2);
	device_end();
	packed_start(ALL_FEATURES, SIZE);
	packed_driver_event(&t.p, 3, 0, false);
	use_batch(1, 1);
	CHECK_EQ(interrupts(), 1);
	/* Reserved bits are no flags. */
	packed_driver_event(&t.p, 0xfffc | VRING_PACKED_EVENT_FLAG_DISABLE, 0, false);
	use_batch(1, 1);
	CHECK_EQ(interrupts(), 1);
	device_end();
}

/* From every place in both rounds, for every place in both: once if it is in the batch. */
TEST(interrupts_by_place)
{
	const unsigned int rounds = 2 * ODD_SIZE;

	for (unsigned int start = 0; start < rounds; start++) {
		for (unsigned int event = 0; event < rounds; event++) {
			for (unsigned int nr = 1; nr <= ODD_SIZE; nr++) {
				unsigned int before;

				packed_start(ALL_FEATURES, ODD_SIZE);
				for (unsigned int i = 0; i < start; i++)
					use_batch(1, 1);
				before = interrupts();
				packed_driver_event(&t.p, VRING_PACKED_EVENT_FLAG_DESC,
						    event % ODD_SIZE, event < ODD_SIZE);
				use_batch(nr, 1);
				CHECK_EQ(interrupts() - before,
					 (event + rounds - start) % rounds < nr);
				device_end();
			}
		}
	}
}

/* The places that a used descriptor skips are used with it. */
TEST(interrupts_by_a_place_inside_a_chain)
{
	for (unsigned int event = 0; event < ODD_SIZE; event++) {
		packed_start(ALL_FEATURES, ODD_SIZE);
		use_batch(1, 1);
		packed_driver_event(&t.p, VRING_PACKED_EVENT_FLAG_DESC, event, true);
		use_batch(1, 3);
		CHECK_EQ(interrupts(), 1 + (event >= 1 && event < 4));
		device_end();
	}
}

TEST(places_outside_of_the_ring_do_no_harm)
{
	packed_start(ALL_FEATURES, ODD_SIZE);
	for (u32 place = 0; place <= 0xffff; place += 97) {
		packed_driver_event(&t.p, VRING_PACKED_EVENT_FLAG_DESC, place & 0x7fff,
				    place >> 15);
		use_batch(2, 1);
	}
	packed_driver_event(&t.p, VRING_PACKED_EVENT_FLAG_DESC, 0x7fff, true);
	use_batch(1, 1);
	check_works();
	device_end();
}

/* What the driver asks for after its last look at the ring must not be missed. */
TEST(interrupts_between_batches)
{
	unsigned int want;

	packed_start(ALL_FEATURES, ODD_SIZE);
	packed_driver_event(&t.p, VRING_PACKED_EVENT_FLAG_DISABLE, 0, false);
	for (unsigned int i = 0; i < 1000; i++)
		use_batch(1 + i % ODD_SIZE, 1);
	CHECK_EQ(interrupts(), 0);
	want = 0;
	for (unsigned int i = 0; i < 1000; i++) {
		/* As a driver that waits for the next one. */
		packed_driver_event(&t.p, VRING_PACKED_EVENT_FLAG_DESC, t.p.used, t.p.used_wrap);
		use_batch(1 + i % 2, 1 + i % 2);
		CHECK_EQ(interrupts(), ++want);
		/* It has not asked again. */
		use_batch(1, 1);
		CHECK_EQ(interrupts(), want);
	}
	device_end();
}

static u32 place(u16 flags, u16 off, bool wrap)
{
	return (u32)flags << 16 | (u32)wrap << 15 | off;
}

TEST(kicks_by_flag)
{
	packed_start(~EVENT_IDX, SIZE);
	virtq_disable_kick(t.vq);
	CHECK_EQ(packed_device_event(&t.p), place(VRING_PACKED_EVENT_FLAG_DISABLE, 0, 0));
	CHECK(!virtq_enable_kick(t.vq));
	CHECK_EQ(packed_device_event(&t.p), place(VRING_PACKED_EVENT_FLAG_ENABLE, 0, 0));
	/* What came between the last look and the request is not lost. */
	virtq_disable_kick(t.vq);
	offer_one();
	CHECK(!packed_kick_wanted(&t.p, 1));
	CHECK(virtq_enable_kick(t.vq));
	device_end();
}

TEST(kicks_by_place)
{
	unsigned int off = 0, wrap = 1;

	packed_start(ALL_FEATURES, ODD_SIZE);
	for (unsigned int i = 0; i < 1000; i++) {
		CHECK(!virtq_enable_kick(t.vq));
		CHECK_EQ(packed_device_event(&t.p), place(VRING_PACKED_EVENT_FLAG_DESC, off, wrap));
		offer_one();
		CHECK(packed_kick_wanted(&t.p, 1));
		/* Until the device asks again, it wants none, with a request or without. */
		offer_one();
		CHECK(!packed_kick_wanted(&t.p, 1));
		CHECK(packed_kick_wanted(&t.p, 2));
		virtq_disable_kick(t.vq);
		CHECK(!packed_kick_wanted(&t.p, 2));
		CHECK(virtq_enable_kick(t.vq));
		for (unsigned int k = 0; k < 2; k++) {
			u32 id, len;

			pop();
			virtq_push(t.vq, t.chain.head, 0);
			virtq_publish(t.vq);
			CHECK(packed_take_used(&t.p, &id, &len));
			off++;
			if (off == ODD_SIZE) {
				off = 0;
				wrap ^= 1;
			}
		}
	}
	device_end();
}
