// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices at full speed, in address spaces of every kind at a time, against a driver that takes
 * pages away from them in every way there is. When a request has been answered, nobody touches
 * what it took: the driver gives each page to somebody else then, which is a write to all of it,
 * and looks later whether anything else was written; and a data race for who looks for those.
 *
 * LKVM_STRESS=SECONDS makes it go on for so long.
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "iommu-guest.h"
#include "space.h"
#include "unit.h"

#define ROUNDS 300

/* The kinds, another endpoint in the domain with mappings, and one of another vCPU. */
#define SECOND	   SPACE_KINDS
#define RIVAL	   (SPACE_KINDS + 1)
#define NR_DEVICES (SPACE_KINDS + 2)
#define NR_CHANS   2
#define FIRST_ID   100

/* Page tables, and the pages that a device gets one after the other. */
#define TABLES	  (4 * MiB)
#define POOL	  16
#define pool(n)	  (DATA_BASE + (n) * POOL * SPACE_PAGE)
#define FREE	  0xddddddddddddddddULL
#define WORDS	  (SPACE_PAGE / sizeof(u64))
#define HALF	  (WORDS / 2) /* has the mapping's number; the other half is written to */
#define SLICE	  32 /* words of a device there */
#define MAX_HELD  3
#define MAX_PAGES 2 /* of one access */

/* An access that is open. */
struct held {
	struct dma_chan *chan;
	dma_handle_t handle;
	u32 dir;
	u64 *pages[MAX_PAGES];
	unsigned int nr_pages;
};

/* A device: a thread with several channels, and several accesses open on each. */
struct device {
	unsigned int index, slice;
	pthread_t thread;
	u32 pasid;
	struct iommu_endpoint ep;
	struct dma_chan chans[NR_CHANS];
	u64 random;
	struct held held[MAX_HELD];
	unsigned int nr_held;
	_Atomic u64 done; /* accesses that came to their end */
};

/* What the driver knows of an address space. */
struct owner {
	struct space space;
	struct device *second; /* in the same domain, or NULL */
	bool attached;
	u64 gpa[SPACE_PAGES]; /* 0: not mapped; then the next one: */
	unsigned int next;
};

static struct device devices[NR_DEVICES];
static struct owner owners[SPACE_KINDS];
static struct table_memory tables;
static _Atomic bool stop;
static u64 stamp;

static u64 next_random(u64 *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 33;
}

static void work(const struct device *d, const struct held *h)
{
	for (unsigned int i = 0; i < h->nr_pages; i++) {
		u64 *words = h->pages[i];

		for (unsigned int j = 0; h->dir & DMA_READ && j < HALF; j += HALF / 8) {
			if (CHECK(words[j] != FREE) && CHECK_EQ(words[j], words[0]))
				continue;
			atomic_store(&stop, true);
			return;
		}
		for (unsigned int j = 0; h->dir & DMA_WRITE && j < SLICE; j++)
			words[HALF + d->slice * SLICE + j] = j;
	}
}

/* Where each page of an access is. */
static void find_pages(struct held *h, const struct iovec *iov, unsigned int nr)
{
	h->nr_pages = 0;
	for (unsigned int i = 0; i < nr; i++) {
		for (u64 off = 0; off < iov[i].iov_len; off += SPACE_PAGE)
			h->pages[h->nr_pages++] = (u64 *)((u8 *)iov[i].iov_base + off);
	}
}

static bool begin(struct device *d)
{
	static const u32 dirs[] = {DMA_READ, DMA_WRITE, DMA_READ | DMA_WRITE};
	struct held *h = &d->held[d->nr_held];
	unsigned int nr = 1 + next_random(&d->random) % MAX_PAGES;
	u64 page = next_random(&d->random) % (SPACE_PAGES - nr + 1);
	struct iovec iov[MAX_PAGES];
	int n;

	h->chan = &d->chans[next_random(&d->random) % NR_CHANS];
	h->dir = dirs[next_random(&d->random) % ARRAY_SIZE(dirs)];
	n = dma_map(h->chan, d->pasid, SPACE_IOVA + page * SPACE_PAGE, nr * SPACE_PAGE, h->dir, iov,
		    MAX_PAGES, &h->handle);
	if (n < 0)
		return false;
	find_pages(h, iov, n);
	d->nr_held++;
	work(d, h);
	return true;
}

static void finish(struct device *d, unsigned int i)
{
	struct held *h = &d->held[i];

	work(d, h);
	dma_unmap(h->chan, h->handle);
	*h = d->held[--d->nr_held];
	atomic_fetch_add(&d->done, 1);
}

static void *device_run(void *opaque)
{
	struct device *d = opaque;

	while (!atomic_load(&stop)) {
		bool more = d->nr_held < MAX_HELD && next_random(&d->random) % 2;

		if (more && begin(d))
			continue;
		if (d->nr_held)
			finish(d, next_random(&d->random) % d->nr_held);
		else if (more)
			sched_yield();
	}
	while (d->nr_held)
		finish(d, 0);
	return NULL;
}

static u64 *words_of(u64 gpa)
{
	return guest_mem_ptr(&g.mem, gpa, SPACE_PAGE);
}

static void give(u64 gpa, u64 number)
{
	u64 *words = words_of(gpa);

	for (unsigned int i = 0; i < WORDS; i++)
		words[i] = i < HALF ? number : FREE;
}

static void check_untouched(u64 gpa)
{
	const u64 *words = words_of(gpa);

	for (unsigned int i = 0; i < WORDS; i++) {
		if (!CHECK_EQ(words[i], FREE)) {
			atomic_store(&stop, true);
			return;
		}
	}
}

static void set_up(struct owner *o)
{
	if (!o->attached) {
		CHECK_EQ(space_attach(&o->space), VIOMMU_S_OK);
		if (o->second)
			CHECK_EQ(attach(o->space.domain, o->second->ep.id, 0), VIOMMU_S_OK);
		o->attached = true;
	}
	for (unsigned int i = 0; i < SPACE_PAGES; i++) {
		if (o->gpa[i])
			continue;
		o->gpa[i] = pool(o - owners) + o->next++ % POOL * SPACE_PAGE;
		/* Given to others all the time since it was taken away. */
		check_untouched(o->gpa[i]);
		give(o->gpa[i], ++stamp);
		CHECK_EQ(space_map(&o->space, i, o->gpa[i]), VIOMMU_S_OK);
	}
}

/* These are somebody else's from now on. */
static void taken(struct owner *o, unsigned int page, unsigned int nr)
{
	for (unsigned int i = page; i < page + nr; i++) {
		give(o->gpa[i], FREE);
		o->gpa[i] = 0;
	}
}

/* The same for all of it; the endpoint is not where it was, or without its table. */
static void taken_all(struct owner *o)
{
	taken(o, 0, SPACE_PAGES);
	if (o->space.kind->format)
		space_clear(&o->space, 0, SPACE_PAGES);
	o->attached = false;
}

static void start_driver(void)
{
	guest_negotiate(ALL_FEATURES);
	guest_setup_queues();
	fake_driver_status(&g.drv, VIRTIO_CONFIG_S_DRIVER_OK);
}

static void take_by_unmap(struct owner *o)
{
	CHECK_EQ(space_unmap(&o->space, 0, SPACE_PAGES), VIOMMU_S_OK);
	taken(o, 0, SPACE_PAGES);
}

static void take_one_by_one(struct owner *o)
{
	for (unsigned int i = 0; i < SPACE_PAGES; i++) {
		CHECK_EQ(space_unmap(&o->space, i, 1), VIOMMU_S_OK);
		taken(o, i, 1);
	}
}

/* While the others stay. */
static void take_the_middle(struct owner *o)
{
	CHECK_EQ(space_unmap(&o->space, 1, SPACE_PAGES - 2), VIOMMU_S_OK);
	taken(o, 1, SPACE_PAGES - 2);
}

static void take_by_detach(struct owner *o)
{
	CHECK_EQ(space_detach(&o->space), VIOMMU_S_OK);
	if (o->second)
		CHECK_EQ(detach(o->space.domain, o->second->ep.id), VIOMMU_S_OK);
	taken_all(o);
}

/* To a domain of their own, with nothing in it. */
static void take_by_move(struct owner *o)
{
	u32 elsewhere = o->space.domain + 50;

	if (o->space.kind->format)
		CHECK_EQ(space_attach_empty(&o->space), VIOMMU_S_OK);
	else
		CHECK_EQ(attach(elsewhere, o->space.ep, 0), VIOMMU_S_OK);
	if (o->second)
		CHECK_EQ(attach(elsewhere, o->second->ep.id, 0), VIOMMU_S_OK);
	taken_all(o);
}

static void take_by_reset(struct owner *o)
{
	(void)o;
	fake_driver_status(&g.drv, 0);
	for (unsigned int i = 0; i < SPACE_KINDS; i++) {
		for (unsigned int page = 0; page < SPACE_PAGES; page++) {
			if (owners[i].gpa[page])
				taken(&owners[i], page, 1);
		}
		if (owners[i].space.kind->format)
			space_clear(&owners[i].space, 0, SPACE_PAGES);
		owners[i].attached = false;
	}
	start_driver();
}

static void take_by_invalidate(struct owner *o, u8 scope)
{
	space_clear(&o->space, 0, SPACE_PAGES);
	CHECK_EQ(space_invalidate(&o->space, scope, 0, SPACE_PAGES), VIOMMU_S_OK);
	taken(o, 0, SPACE_PAGES);
}

static void take_by_invalidate_domain(struct owner *o)
{
	take_by_invalidate(o, VIOMMU_INVALIDATE_DOMAIN);
}

static void take_by_invalidate_pasid(struct owner *o)
{
	take_by_invalidate(o, VIOMMU_INVALIDATE_PASID);
}

static void take_by_detach_pasid(struct owner *o)
{
	CHECK_EQ(detach_pasid(o->space.domain, o->space.ep, o->space.kind->pasid,
			      VIOMMU_DETACH_PASID),
		 VIOMMU_S_OK);
	taken_all(o);
}

static const struct {
	void (*take)(struct owner *o);
	bool of_tables, of_pasid_tables; /* only where there are those */
} ways[] = {
	{take_by_unmap, false, false},
	{take_one_by_one, false, false},
	{take_the_middle, false, false},
	{take_by_detach, false, false},
	{take_by_move, false, false},
	{take_by_reset, false, false},
	{take_by_invalidate_domain, true, false},
	{take_by_invalidate_pasid, true, false},
	{take_by_detach_pasid, true, true},
};

static bool has_way(const struct owner *o, unsigned int way)
{
	const struct iommu_format *format = o->space.kind->format;

	return (!ways[way].of_tables || format) &&
	       (!ways[way].of_pasid_tables || format->pasid_format);
}

static u64 accesses(const struct owner *o)
{
	return atomic_load(&devices[o - owners].done) +
	       (o->second ? atomic_load(&o->second->done) : 0);
}

/*
 * What other vCPUs do at the same time, with a domain of their own: past the queue, which one uses
 * at a time. A reset may take the domain away at any moment.
 */
#define RIVAL_DOMAIN 90

static int rival_map(u64 *gpa, unsigned int page)
{
	static unsigned int next;
	static u64 number = 1ULL << 40;
	const struct mapping m = {
		.start = SPACE_IOVA + page * SPACE_PAGE,
		.last = SPACE_IOVA + page * SPACE_PAGE + SPACE_PAGE - 1,
		.gpa = pool(SPACE_KINDS) + next++ % POOL * SPACE_PAGE,
		.flags = MAPPING_READ | MAPPING_WRITE,
	};

	*gpa = m.gpa;
	check_untouched(m.gpa);
	give(m.gpa, ++number);
	return iommu_map(&g.iommu, RIVAL_DOMAIN, &m);
}

static void *rival_run(void *opaque)
{
	u64 gpa[SPACE_PAGES];

	while (!atomic_load(&stop)) {
		unsigned int nr = 0;
		int ret = iommu_attach(&g.iommu, RIVAL_DOMAIN, devices[RIVAL].ep.id, false);

		CHECK_EQ(ret, 0);
		while (!ret && nr < SPACE_PAGES) {
			ret = rival_map(&gpa[nr], nr);
			nr++;
		}
		CHECK(!ret || ret == -ENOENT);
		iommu_set_bypass(&g.iommu, true);
		sched_yield();
		iommu_set_bypass(&g.iommu, false);
		ret = iommu_unmap(&g.iommu, RIVAL_DOMAIN, 0, UINT64_MAX);
		CHECK(!ret || ret == -ENOENT);
		while (nr)
			give(gpa[--nr], FREE);
	}
	return opaque;
}

static void one_round(void)
{
	struct owner *o = &owners[unit_rand() % SPACE_KINDS];
	unsigned int way = unit_rand() % ARRAY_SIZE(ways);
	u64 before;

	while (!has_way(o, way))
		way = unit_rand() % ARRAY_SIZE(ways);
	set_up(o);
	before = accesses(o);
	while (accesses(o) - before < 3 && !atomic_load(&stop))
		sched_yield();
	ways[way].take(o);
}

static void make_device(unsigned int i)
{
	struct device *d = &devices[i];

	memset(d, 0, sizeof(*d));
	d->index = i;
	d->pasid = i < SPACE_KINDS ? space_kinds[i].pasid : DMA_NO_PASID;
	d->slice = i == SECOND;
	d->random = unit_rand();
	if (iommu_add_endpoint(&g.iommu, &d->ep, FIRST_ID + i))
		exit(2);
	for (unsigned int n = 0; n < NR_CHANS; n++) {
		if (dma_chan_init(&d->chans[n], &g.mem, &d->ep, MAX_HELD))
			exit(2);
	}
}

static void start(void)
{
	struct iommu_config config = default_config;

	config.offer_tables = true;
	guest_create(&config);
	tables = (struct table_memory){.mem = g.mem, .next = TABLES};
	for (unsigned int i = 0; i < NR_DEVICES; i++)
		make_device(i);
	start_driver();
	for (unsigned int i = 0; i < SPACE_KINDS; i++) {
		owners[i] = (struct owner){.second = i ? NULL : &devices[SECOND]};
		space_init(&owners[i].space, &space_kinds[i], &tables, i, FIRST_ID + i);
	}
	for (unsigned int page = 0; page < (SPACE_KINDS + 1) * POOL; page++)
		give(pool(0) + page * SPACE_PAGE, FREE);
	atomic_store(&stop, false);
}

static void end(void)
{
	for (unsigned int i = 0; i < NR_DEVICES; i++) {
		for (unsigned int n = 0; n < NR_CHANS; n++) {
			CHECK_EQ(devices[i].chans[n].nr_free, MAX_HELD);
			dma_chan_destroy(&devices[i].chans[n]);
		}
	}
	guest_end();
}

/* Before anything races: each kind of space is one, and each way takes it away. */
TEST(each_way_takes_the_pages_away)
{
	start();
	for (unsigned int i = 0; i < NR_DEVICES; i++) {
		struct device *d = &devices[i];
		struct owner *o = i < SPACE_KINDS ? &owners[i] : &owners[0];

		if (i == RIVAL)
			continue;
		for (unsigned int way = 0; way < ARRAY_SIZE(ways); way++) {
			if (!has_way(o, way))
				continue;
			set_up(o);
			while (d->nr_held < MAX_HELD) {
				if (!CHECK(begin(d))) {
					printf("# %s, way %u\n", o->space.kind->name, way);
					return;
				}
			}
			while (d->nr_held)
				finish(d, 0);
			ways[way].take(o);
			for (unsigned int n = 0; n < 20; n++) {
				if (begin(d) && CHECK(ways[way].take == take_the_middle))
					finish(d, 0);
			}
		}
	}
	end();
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

TEST(no_access_outlives_the_answer)
{
	const char *env = getenv("LKVM_STRESS");
	double until = seconds() + (env ? atof(env) : 0);
	unsigned int round = 0;
	pthread_t rival;
	u64 sum = 0;

	start();
	for (unsigned int i = 0; i < NR_DEVICES; i++) {
		if (pthread_create(&devices[i].thread, NULL, device_run, &devices[i]))
			abort();
	}
	if (pthread_create(&rival, NULL, rival_run, NULL))
		abort();
	while (!atomic_load(&stop) && (round < ROUNDS || seconds() < until)) {
		one_round();
		round++;
	}
	atomic_store(&stop, true);
	for (unsigned int i = 0; i < NR_DEVICES; i++) {
		pthread_join(devices[i].thread, NULL);
		sum += atomic_load(&devices[i].done);
	}
	pthread_join(rival, NULL);
	take_by_reset(NULL);
	for (unsigned int page = 0; page < (SPACE_KINDS + 1) * POOL; page++)
		check_untouched(pool(0) + page * SPACE_PAGE);
	printf("# %u rounds, %llu accesses\n", round, (unsigned long long)sum);
	end();
}
