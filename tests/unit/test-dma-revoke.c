// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accesses against those who take a translation away: once UNMAP, DETACH or a reset has
 * returned, no access runs that began before.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dma-guest.h"
#include "iommu/revocation.h"
#include "revoker.h"
#include "unit.h"

#define IOVA 0x7000000000ULL

static dma_handle_t open_access(struct dma_chan *chan, u64 iova, u64 len)
{
	struct iovec iov[4];
	dma_handle_t handle = 0;

	if (!CHECK(dma_map(chan, DMA_NO_PASID, iova, len, DMA_READ, iov, 4, &handle) > 0))
		exit(1);
	return handle;
}

static bool reaches(struct dma_chan *chan, u64 iova)
{
	u8 byte;

	return !dma_read(chan, iova, &byte, 1);
}

static void do_unmap(void)
{
	dma_guest_unmap(IOVA, 1);
}

static void do_unmap_all(void)
{
	CHECK_EQ(iommu_unmap(&d.iommu, DOMAIN, 0, UINT64_MAX), 0);
}

static void do_detach(void)
{
	CHECK_EQ(iommu_detach(&d.iommu, DOMAIN, 0), 0);
}

static void do_move(void)
{
	CHECK_EQ(iommu_attach(&d.iommu, 2, 0, false), 0);
}

static void do_move_to_bypass(void)
{
	CHECK_EQ(iommu_attach(&d.iommu, 2, 0, true), 0);
}

static void do_detach_all(void)
{
	iommu_detach_all(&d.iommu);
}

TEST(revocation_waits_for_an_open_access)
{
	static void (*const revokes[])(void) = {do_unmap, do_unmap_all,	     do_detach,
						do_move,  do_move_to_bypass, do_detach_all};

	for (unsigned int i = 0; i < ARRAY_SIZE(revokes); i++) {
		struct dma_chan *chan = &d.chans[0][0];
		struct revoker r;
		dma_handle_t handle;

		dma_guest_start();
		dma_guest_map(IOVA, BANK1, 1, MAP_RW);
		handle = open_access(chan, IOVA + 10, 100);
		CHECK(reaches(chan, IOVA));
		revoker_start(&r, revokes[i]);
		CHECK(revoker_waits(&r, chan));
		/* New accesses see the new state already, by a warm cache and a cold one. */
		CHECK(!reaches(chan, IOVA));
		CHECK(!reaches(&d.chans[0][1], IOVA));
		CHECK(!atomic_load(&r.done));
		dma_unmap(chan, handle);
		revoker_join(&r);
		CHECK_EQ(atomic_load(&chan->waiting), 0);
		dma_guest_end();
	}
}

static void do_bypass_off(void)
{
	iommu_set_bypass(&d.iommu, false);
}

static void do_attach_first(void)
{
	CHECK_EQ(iommu_attach(&d.iommu, DOMAIN, 0, false), 0);
}

TEST(end_of_bypass_waits_for_an_open_access)
{
	static void (*const revokes[])(void) = {do_bypass_off, do_attach_first};

	for (unsigned int i = 0; i < ARRAY_SIZE(revokes); i++) {
		struct dma_chan *chan = &d.chans[0][0];
		struct revoker r;
		dma_handle_t handle;

		dma_guest_start();
		CHECK_EQ(iommu_detach(&d.iommu, DOMAIN, 0), 0);
		iommu_set_bypass(&d.iommu, true);
		handle = open_access(chan, BANK1, 100);
		revoker_start(&r, revokes[i]);
		CHECK(revoker_waits(&r, chan));
		CHECK(!reaches(chan, BANK1));
		dma_unmap(chan, handle);
		revoker_join(&r);
		dma_guest_end();
	}
}

/* Does it wait for an access to [iova, iova + len) when page 1 of three is unmapped? */

static void do_unmap_page_1(void)
{
	dma_guest_unmap(IOVA + PAGE, 1);
}

static void check_wait(unsigned int ep, u64 off, u64 len, bool wait)
{
	struct dma_chan *chan = &d.chans[ep][0];
	struct revoker r;
	dma_handle_t handle;

	dma_guest_start();
	for (unsigned int i = 0; i < 3; i++)
		dma_guest_map(IOVA + i * PAGE, BANK1 + i * PAGE, 1, MAP_RW);
	handle = open_access(chan, IOVA + off, len);
	revoker_start(&r, do_unmap_page_1);
	CHECK_EQ(revoker_waits(&r, chan), wait);
	dma_unmap(chan, handle);
	revoker_join(&r);
	dma_guest_end();
}

TEST(unmap_waits_for_what_overlaps_and_nothing_else)
{
	check_wait(0, 0, PAGE, false);
	check_wait(0, 2 * PAGE, PAGE, false);
	check_wait(0, PAGE, 1, true);
	check_wait(0, 2 * PAGE - 1, 1, true);
	check_wait(0, 0, PAGE + 1, true);
	check_wait(0, 2 * PAGE - 1, PAGE, true);
	check_wait(0, 0, 3 * PAGE, true);
	/* Every endpoint of the domain counts. */
	check_wait(1, PAGE + 5, 5, true);
}

TEST(unmap_waits_for_each_of_several_accesses)
{
	struct dma_chan *chan = &d.chans[0][0], *other = &d.chans[1][1];
	dma_handle_t handles[3];
	struct revoker r;

	dma_guest_start();
	dma_guest_map(IOVA, BANK1, 1, MAP_RW);
	handles[0] = open_access(chan, IOVA, 1);
	handles[1] = open_access(chan, IOVA + 1, 1);
	handles[2] = open_access(other, IOVA, PAGE);
	revoker_start(&r, do_unmap);
	CHECK(revoker_waits(&r, chan));
	dma_unmap(chan, handles[0]);
	CHECK(revoker_waits(&r, chan));
	dma_unmap(chan, handles[1]);
	CHECK(revoker_waits(&r, other));
	dma_unmap(other, handles[2]);
	revoker_join(&r);
	dma_guest_end();
}

TEST(unmap_does_not_wait_for_endpoints_elsewhere)
{
	struct dma_chan *chan = &d.chans[1][0];
	const struct mapping m = {
		.start = IOVA, .last = IOVA + PAGE - 1, .gpa = BANK1, .flags = MAP_RW};
	dma_handle_t handle;
	struct revoker r;

	dma_guest_start();
	dma_guest_map(IOVA, BANK1, 1, MAP_RW);
	CHECK_EQ(iommu_attach(&d.iommu, 2, 1, false), 0);
	CHECK_EQ(iommu_map(&d.iommu, 2, &m), 0);
	handle = open_access(chan, IOVA, PAGE);
	revoker_start(&r, do_unmap);
	CHECK(!revoker_waits(&r, chan));
	revoker_join(&r);
	CHECK(reaches(chan, IOVA));
	dma_unmap(chan, handle);
	dma_guest_end();
}

static void do_unmap_hole(void)
{
	dma_guest_unmap(IOVA + PAGE, 8);
	CHECK_EQ(iommu_unmap(&d.iommu, DOMAIN, IOVA, IOVA + PAGE / 2), -ERANGE);
	CHECK_EQ(iommu_attach(&d.iommu, DOMAIN, 0, false), 0);
}

TEST(what_takes_nothing_away_does_not_wait)
{
	struct dma_chan *chan = &d.chans[0][0];
	dma_handle_t handle;
	struct revoker r;

	dma_guest_start();
	dma_guest_map(IOVA, BANK1, 1, MAP_RW);
	handle = open_access(chan, IOVA, PAGE);
	revoker_start(&r, do_unmap_hole);
	CHECK(!revoker_waits(&r, chan));
	revoker_join(&r);
	dma_unmap(chan, handle);
	dma_guest_end();
}

/* A device that goes on and on with other accesses keeps nobody waiting. */
TEST(unmap_does_not_wait_for_later_accesses)
{
	struct dma_chan *chan = &d.chans[0][0];
	dma_handle_t handle, later;
	struct revoker r;

	dma_guest_start();
	dma_guest_map(IOVA, BANK1, 1, MAP_RW);
	dma_guest_map(IOVA + PAGE, BANK1, 1, MAP_RW);
	handle = open_access(chan, IOVA, PAGE);
	revoker_start(&r, do_unmap);
	CHECK(revoker_waits(&r, chan));
	dma_unmap(chan, handle);
	/* In the slot of the one before. */
	later = open_access(chan, IOVA + PAGE, PAGE);
	CHECK_EQ(later, handle);
	revoker_join(&r);
	dma_unmap(chan, later);
	dma_guest_end();
}

static void do_wait(void)
{
	struct iommu_endpoint *ep = d.chans[0][0].ep;
	struct iommu_revocation rev;

	iommu_revocation_init(&rev, ep->iommu);
	rev.scope = (struct iommu_scope){
		.last = UINT64_MAX,
		.pasid = IOMMU_EACH_PASID,
		.id = IOMMU_NO_ID,
	};
	rev.endpoints[0] = BIT_ULL(ep->index);
	iommu_revocation_wait(&rev);
}

TEST(every_waiter_wakes_up)
{
	struct dma_chan *chan = &d.chans[0][0];
	struct revoker r[3];
	dma_handle_t handle;

	dma_guest_start();
	dma_guest_map(IOVA, BANK1, 1, MAP_RW);
	handle = open_access(chan, IOVA, 1);
	for (unsigned int i = 0; i < 3; i++)
		revoker_start(&r[i], do_wait);
	while (atomic_load(&chan->waiting) < 3)
		sched_yield();
	dma_unmap(chan, handle);
	for (unsigned int i = 0; i < 3; i++)
		revoker_join(&r[i]);
	dma_guest_end();
}

/*
 * Accessors at full speed against a mapper that gives the same IOVAs one page of memory
 * after the other. The first half of a page holds the number of its mapping while it is
 * mapped, and is read; each accessor writes a slice of the second half. What the mapper
 * puts into a page after UNMAP stays as it is, or somebody wrote too late.
 */
#define NR_ACCESSORS   3
#define WINDOW	       4 /* IOVA pages */
#define POOL	       64 /* pages of memory */
#define ROUNDS	       300
#define HALF	       (PAGE / 2)
#define SLICE	       (HALF / 4)
#define FREE	       0xdddddddddddddddd
#define WORDS_PER_HALF (HALF / sizeof(u64))

struct accessor {
	unsigned int index;
	pthread_t thread;
	struct dma_chan *chan;
	u64 random;
	_Atomic u64 done; /* accesses that were not refused */
};

static _Atomic bool stop;

static u64 next_random(u64 *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 33;
}

/* The words of a page are of one mapping, and of one that exists. */
static bool stamp_holds(const u64 *words)
{
	for (unsigned int i = 0; i < WORDS_PER_HALF; i++) {
		if (CHECK_EQ(words[i], words[0]) && CHECK(words[i] != FREE))
			continue;
		atomic_store(&stop, true);
		return false;
	}
	return true;
}

static void *accessor_run(void *arg)
{
	struct accessor *a = arg;
	const u64 slice = HALF + a->index * SLICE;
	u64 buf[WORDS_PER_HALF];

	while (!atomic_load(&stop)) {
		u64 iova = IOVA + next_random(&a->random) % WINDOW * PAGE;
		dma_handle_t handle;
		struct iovec iov[2];
		bool ok = false;

		switch (next_random(&a->random) % 4) {
		case 0:
			ok = !dma_read(a->chan, iova, buf, HALF);
			ok = ok && stamp_holds(buf);
			break;
		case 1:
			memset(buf, 0x11, SLICE);
			ok = !dma_write(a->chan, iova + slice, buf, SLICE);
			break;
		case 2:
			/* Held open while it is read, twice. */
			if (dma_map(a->chan, DMA_NO_PASID, iova, HALF, DMA_READ, iov, 1, &handle) !=
			    1)
				break;
			ok = stamp_holds(iov[0].iov_base);
			ok = ok && stamp_holds(iov[0].iov_base);
			dma_unmap(a->chan, handle);
			break;
		case 3:
			if (dma_map(a->chan, DMA_NO_PASID, iova + slice, SLICE, DMA_WRITE, iov, 1,
				    &handle) != 1)
				break;
			memset(iov[0].iov_base, 0x22, SLICE);
			memset(iov[0].iov_base, 0x33, SLICE);
			dma_unmap(a->chan, handle);
			ok = true;
			break;
		}
		if (ok)
			atomic_fetch_add(&a->done, 1);
		else
			sched_yield();
	}
	return NULL;
}

static u64 pool_page(unsigned int i)
{
	return (i & 1 ? BANK1 : BANK_HIGH) + i * PAGE;
}

static void fill_page(u64 gpa, u64 first_half)
{
	u64 *words = (u64 *)host(gpa);

	for (unsigned int i = 0; i < WORDS_PER_HALF; i++) {
		words[i] = first_half;
		words[WORDS_PER_HALF + i] = FREE;
	}
}

static void check_free(u64 gpa)
{
	const u64 *words = (u64 *)host(gpa);

	for (unsigned int i = 0; i < 2 * WORDS_PER_HALF; i++) {
		if (!CHECK_EQ(words[i], FREE))
			return;
	}
}

static void wait_for_access(struct accessor *accessors)
{
	u64 before = 0, now;

	for (unsigned int i = 0; i < NR_ACCESSORS; i++)
		before += atomic_load(&accessors[i].done);
	do {
		sched_yield();
		now = 0;
		for (unsigned int i = 0; i < NR_ACCESSORS; i++)
			now += atomic_load(&accessors[i].done);
	} while (now == before && !atomic_load(&stop));
}

/* Takes all of the window away, in one of several ways. */
static void revoke_window(unsigned int round)
{
	if (round % 8 == 0) {
		for (u32 n = 0; n < NR_EPS; n++)
			CHECK_EQ(iommu_detach(&d.iommu, DOMAIN, n), 0);
	} else if (round % 8 == 1) {
		iommu_detach_all(&d.iommu);
	} else if (round % 8 == 2) {
		for (unsigned int i = 0; i < WINDOW; i++)
			dma_guest_unmap(IOVA + i * PAGE, 1);
	} else {
		dma_guest_unmap(IOVA, WINDOW);
	}
}

TEST(no_access_outlives_its_translation)
{
	static struct accessor accessors[NR_ACCESSORS];
	u64 stamp = 1;

	dma_guest_start();
	d.iommu.report = NULL;
	atomic_store(&stop, false);
	for (unsigned int i = 0; i < POOL; i++)
		fill_page(pool_page(i), FREE);
	for (unsigned int i = 0; i < NR_ACCESSORS; i++) {
		accessors[i].index = i;
		accessors[i].chan = &d.chans[i % NR_EPS][i / NR_EPS];
		accessors[i].random = unit_rand();
		atomic_store(&accessors[i].done, 0);
		if (pthread_create(&accessors[i].thread, NULL, accessor_run, &accessors[i]))
			abort();
	}
	for (unsigned int round = 0; round < ROUNDS && !atomic_load(&stop); round++) {
		unsigned int first = round * WINDOW % POOL;

		for (u32 n = 0; n < NR_EPS; n++)
			CHECK_EQ(iommu_attach(&d.iommu, DOMAIN, n, false), 0);
		for (unsigned int i = 0; i < WINDOW; i++) {
			u64 gpa = pool_page(first + i);

			/* Unmapped for a whole round of the pool. */
			check_free(gpa);
			fill_page(gpa, stamp++);
			dma_guest_map(IOVA + i * PAGE, gpa, 1, MAP_RW);
		}
		wait_for_access(accessors);
		revoke_window(round);
		for (unsigned int i = 0; i < WINDOW; i++)
			fill_page(pool_page(first + i), FREE);
	}
	atomic_store(&stop, true);
	for (unsigned int i = 0; i < NR_ACCESSORS; i++)
		pthread_join(accessors[i].thread, NULL);
	for (unsigned int i = 0; i < POOL; i++)
		check_free(pool_page(i));
	dma_guest_end();
}
