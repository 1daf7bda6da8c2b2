// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests to a disk that come while it is at work: no kick for them, one update of the used index
 * and one interrupt for all that are done in a short time, and none if the driver wants none. The
 * disk does one request at a time, when the test says so, and no time passes for the device but
 * what the test lets pass.
 */
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include "blk-guest.h"

#define NR 5
/* More than the device keeps an answer back. */
#define LONG_NS 1000000000ULL

static pthread_t driver;
static _Atomic u64 device_ns;

int __real_clock_gettime(clockid_t clock, struct timespec *ts);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ts);

int __wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
	u64 now = atomic_load(&device_ns);

	if (pthread_equal(pthread_self(), driver))
		return __real_clock_gettime(clock, ts);
	*ts = (struct timespec){.tv_sec = now / 1000000000, .tv_nsec = now % 1000000000};
	return 0;
}

static unsigned int interrupts(struct driver_queue *q)
{
	unsigned int nr;

	pthread_mutex_lock(&q->lock);
	nr = q->interrupts;
	pthread_mutex_unlock(&q->lock);
	return nr;
}

/* NR requests, of which the first has been kicked for and is in the disk. */
static struct driver_queue *start(u64 without)
{
	struct driver_queue *q = &guest.queues[0];

	driver = pthread_self();
	blk_guest_start(&(struct blk_guest_options){.queues = 1, .without = without});
	gate_close();
	add_read(q, 0, 0, DATA_BASE, 512);
	CHECK(kick_wanted(q, 1));
	kick(q, 1);
	gate_wait(1);
	for (unsigned int n = 1; n < NR; n++) {
		add_read(q, n, n, DATA_BASE, 512);
		CHECK(!kick_wanted(q, 1));
	}
	return q;
}

/* The first @nr of them leave the disk, and the next one is in it. */
static void pass(unsigned int nr)
{
	gate_pass();
	gate_wait_finished(nr);
	gate_wait(1);
}

static void one_update(u64 without)
{
	struct driver_queue *q = start(without);

	for (unsigned int nr = 1; nr < NR; nr++) {
		pass(nr);
		CHECK_EQ(used_now(q), 0);
		CHECK_EQ(interrupts(q), 0);
	}
	gate_open();
	wait_used(q, NR);
	blk_guest_end();
	CHECK_EQ(interrupts(q), 1);
}

TEST(one_update_for_all)
{
	one_update(0);
}

TEST(one_update_for_all_without_event_idx)
{
	one_update(BIT_ULL(VIRTIO_RING_F_EVENT_IDX));
}

TEST(nothing_is_kept_back_for_long)
{
	struct driver_queue *q = start(BIT_ULL(VIRTIO_RING_F_EVENT_IDX));

	for (unsigned int nr = 1; nr < NR; nr++) {
		atomic_fetch_add(&device_ns, LONG_NS);
		pass(nr);
		CHECK_EQ(used_now(q), nr);
		CHECK_EQ(interrupts(q), nr);
	}
	gate_open();
	wait_used(q, NR);
	blk_guest_end();
}

static void no_interrupt(u64 without, u16 flags, u16 event)
{
	struct driver_queue *q = start(without);

	q->avail->flags = htole16(flags);
	q->avail->ring[RING_SIZE] = htole16(event);
	gate_open();
	while (used_now(q) != NR)
		sched_yield();
	blk_guest_end();
	CHECK_EQ(interrupts(q), 0);
}

TEST(no_interrupt_by_flag)
{
	no_interrupt(BIT_ULL(VIRTIO_RING_F_EVENT_IDX), VRING_AVAIL_F_NO_INTERRUPT, 0);
}

TEST(no_interrupt_by_event_idx)
{
	no_interrupt(0, 0, NR);
}
