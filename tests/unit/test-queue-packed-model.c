// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packed virtqueues at random: a driver and a device take turns with buffers of random
 * lengths, completed in a random order and in batches of a random size, over many rounds
 * of rings of random sizes. And both at the same time, in a thread each.
 */
#include <linux/virtio_config.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "queue-guest.h"
#include "unit.h"

#define QUEUES	 60
#define STEPS	 2000
#define MAX_SEGS 9
#define NR_IDS	 MAX_SIZE

/* A buffer as the driver knows it, by ID; the first segment's length tells the device which. */
struct buffer {
	bool offered;
	u16 nr_out, nr_in, places;
	u32 used_len;
};

static struct {
	struct buffer buffers[NR_IDS];
	u16 free; /* places */

	u16 held_head[MAX_SIZE], held_id[MAX_SIZE]; /* of the device */
	unsigned int nr_held;

	/* IDs in the order of completion: pushed, published, taken. */
	u16 done[4 * MAX_SIZE];
	unsigned int pushed, published, taken;
	u16 batch_places, batch_start; /* in places of two rounds */
	unsigned int interrupts;
	bool wrong; /* no need to go on */
} m;

static void driver_offers(void)
{
	struct fake_seg segs[MAX_SEGS];
	unsigned int nr = 1 + unit_rand() % MAX_SEGS;
	bool indirect = unit_rand() % 3 == 0;
	u16 id = unit_rand() % NR_IDS;
	struct buffer *b = &m.buffers[id];
	u32 event;
	bool wanted;

	if (b->offered || (indirect ? 1 : nr) > m.free)
		return;
	*b = (struct buffer){.offered = true, .places = indirect ? 1 : nr};
	b->nr_out = unit_rand() % (nr + 1);
	b->nr_in = nr - b->nr_out;
	for (unsigned int i = 0; i < nr; i++)
		segs[i] = (struct fake_seg){BUFFERS + id * 64 + i, i ? i : 1000U + id};
	m.free -= b->places;

	event = packed_device_event(&t.p);
	if (indirect)
		packed_offer_indirect(&t.p, id, segs, b->nr_out, b->nr_in, TABLE + id * 256);
	else
		packed_offer(&t.p, id, segs, b->nr_out, b->nr_in);
	/* With nothing in the ring the device has asked for a kick, and gets one. */
	wanted = packed_kick_wanted(&t.p, b->places);
	if (event >> 16 == VRING_PACKED_EVENT_FLAG_DISABLE)
		CHECK(!wanted);
}

static void device_pops(void)
{
	const struct buffer *b;
	u16 id;

	if (virtq_pop(t.vq, &t.chain) != 1) {
		/* Then there is none: all that is offered is held, or done and not taken. */
		CHECK(virtq_pop(t.vq, &t.chain) == 0);
		CHECK(!virtq_enable_kick(t.vq));
		return;
	}
	id = t.chain.segs[0].len - 1000;
	if (!CHECK(id < NR_IDS && m.buffers[id].offered) || !CHECK(m.nr_held < MAX_SIZE)) {
		m.wrong = true;
		return;
	}
	b = &m.buffers[id];
	CHECK(t.chain.nr_out == b->nr_out && t.chain.nr_in == b->nr_in);
	for (unsigned int i = 0; i < (unsigned int)b->nr_out + b->nr_in; i++)
		CHECK(t.chain.segs[i].iova == BUFFERS + id * 64 + i);
	for (unsigned int i = 0; i < m.nr_held; i++)
		CHECK(m.held_head[i] != t.chain.head && m.held_id[i] != id);
	m.held_head[m.nr_held] = t.chain.head;
	m.held_id[m.nr_held++] = id;
}

static void device_pushes(void)
{
	unsigned int i;
	u16 id;

	if (!m.nr_held)
		return;
	i = unit_rand() % m.nr_held;
	id = m.held_id[i];
	m.buffers[id].used_len = m.buffers[id].nr_in ? (u32)unit_rand() : 0;
	CHECK_EQ(virtq_push(t.vq, m.held_head[i], m.buffers[id].used_len), 0);
	m.nr_held--;
	m.held_head[i] = m.held_head[m.nr_held];
	m.held_id[i] = m.held_id[m.nr_held];
	m.done[m.pushed++ % ARRAY_SIZE(m.done)] = id;
	m.batch_places += m.buffers[id].places;
}

/* Whether the driver, by what it wrote, wants to hear of the batch. */
static bool interrupt_expected(void)
{
	u32 event = fake_get32(&t.drv, t.p.driver);
	u16 size = t.p.size, rounds = 2 * size;
	u16 at = (event & 0x7fff) + (event & 0x8000 ? 0 : size);

	switch (event >> 16) {
	case VRING_PACKED_EVENT_FLAG_ENABLE:
		return true;
	case VRING_PACKED_EVENT_FLAG_DISABLE:
		return false;
	}
	for (u16 i = 0; i < m.batch_places; i++) {
		if ((m.batch_start + i) % rounds == at)
			return true;
	}
	return false;
}

static void device_publishes(void)
{
	if (m.batch_places && interrupt_expected())
		m.interrupts++;
	virtq_publish(t.vq);
	CHECK_EQ(atomic_load(&t.drv.interrupts[0]), m.interrupts);
	m.batch_start = (m.batch_start + m.batch_places) % (2 * t.p.size);
	m.batch_places = 0;
	m.published = m.pushed;
}

static void driver_takes(void)
{
	u16 want = m.done[m.taken % ARRAY_SIZE(m.done)];
	u32 id, len;

	if (!packed_take_used(&t.p, &id, &len)) {
		m.wrong |= !CHECK_EQ(m.taken, m.published);
		return;
	}
	if (!CHECK(m.taken != m.published) || !CHECK_EQ(id, want)) {
		m.wrong = true;
		return;
	}
	CHECK_EQ(len, m.buffers[id].used_len);
	m.buffers[id].offered = false;
	m.free += m.buffers[id].places;
	m.taken++;
}

static void driver_asks(void)
{
	static const u16 flags[] = {VRING_PACKED_EVENT_FLAG_ENABLE, VRING_PACKED_EVENT_FLAG_DISABLE,
				    VRING_PACKED_EVENT_FLAG_DESC, VRING_PACKED_EVENT_FLAG_DESC};

	packed_driver_event(&t.p, flags[unit_rand() % 4], unit_rand() % t.p.size, unit_rand() & 1);
}

static void device_asks(void)
{
	if (unit_rand() & 1)
		virtq_disable_kick(t.vq);
	else
		virtq_enable_kick(t.vq);
}

TEST(driver_and_device_agree)
{
	static void (*const steps[])(void) = {
		driver_offers, driver_offers, driver_offers, device_pops,      device_pops,
		device_pops,   device_pushes, device_pushes, device_publishes, driver_takes,
		driver_takes,  driver_takes,  driver_asks,   device_asks,
	};

	for (unsigned int n = 0; n < QUEUES; n++) {
		u16 size = n % 2 ? 1 + unit_rand() % 16 : 1 + unit_rand() % MAX_SIZE;

		memset(&m, 0, sizeof(m));
		m.free = size;
		packed_start(ALL_FEATURES, size);
		for (unsigned int i = 0; i < STEPS; i++) {
			unsigned int k = unit_rand() % ARRAY_SIZE(steps);
			/* Of some, many at a time: a ring that is full, or empty. */
			unsigned int times = unit_rand() % 16 ? 1 : size;

			while (times--)
				steps[k]();
			m.wrong |= !CHECK(!needs_reset());
			if (m.wrong)
				break;
		}
		/* To the end: nothing is lost. */
		while (!m.wrong && virtq_enable_kick(t.vq))
			device_pops();
		while (!m.wrong && m.nr_held)
			device_pushes();
		device_publishes();
		while (!m.wrong && m.taken != m.published)
			driver_takes();
		CHECK_EQ(m.free, size);
		device_end();
		if (m.wrong)
			break;
	}
}

/* The driver's thread takes what the device used, and checks what that wrote. */

#define THREAD_BUFFERS 60000
#define THREAD_SIZE    13
/* Only to end a wait that would never end. */
#define THREAD_IDLE 100000000

static atomic_bool thread_stop;

static void *device_thread(void *opaque)
{
	unsigned int done = 0;

	(void)opaque;
	while (done < THREAD_BUFFERS && !atomic_load(&thread_stop)) {
		unsigned int batch = 0;

		while (batch < 4 && virtq_pop(t.vq, &t.chain) > 0) {
			u32 val;

			/* Writes back what it reads, behind it. */
			if (virtq_copy_out(t.vq, &t.chain, 0, &val, sizeof(val)) != sizeof(val) ||
			    virtq_copy_in(t.vq, &t.chain, 0, &val, sizeof(val)) != sizeof(val))
				break;
			virtq_push(t.vq, t.chain.head, val);
			batch++;
		}
		virtq_publish(t.vq);
		done += batch;
		if (!batch)
			sched_yield();
	}
	return NULL;
}

TEST(driver_and_device_at_the_same_time)
{
	unsigned int offered = 0, taken = 0, idle = 0;
	pthread_t thread;

	packed_start(ALL_FEATURES, THREAD_SIZE);
	atomic_store(&thread_stop, false);
	if (pthread_create(&thread, NULL, device_thread, NULL))
		return;
	while (taken < THREAD_BUFFERS && !needs_reset() && idle < THREAD_IDLE) {
		u32 id, len, val;

		/* Two descriptors each, so 6 at a time. */
		while (offered < THREAD_BUFFERS && offered - taken < THREAD_SIZE / 2) {
			u16 slot = offered % 64;
			const struct fake_seg segs[] = {{BUFFERS + slot * 64, 4},
							{BUFFERS + slot * 64 + 32, 4}};

			fake_write(&t.drv, segs[0].addr, &offered, 4);
			fake_fill(&t.drv, segs[1].addr, 0xff, 4);
			packed_offer(&t.p, slot, segs, 1, 1);
			offered++;
		}
		if (!packed_take_used(&t.p, &id, &len)) {
			sched_yield();
			idle++;
			continue;
		}
		idle = 0;
		fake_read(&t.drv, BUFFERS + id * 64 + 32, &val, 4);
		if (!CHECK_EQ(id, taken % 64) || !CHECK_EQ(len, taken) || !CHECK_EQ(val, taken))
			break;
		taken++;
	}
	CHECK_EQ(taken, THREAD_BUFFERS);
	atomic_store(&thread_stop, true);
	pthread_join(thread, NULL);
	device_end();
}
