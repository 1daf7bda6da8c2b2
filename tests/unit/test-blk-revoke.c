// SPDX-License-Identifier: GPL-2.0-only
/*
 * A disk as slow as can be, behind an IOMMU: its operations end when the test says so. Who takes
 * the memory of a request away gets the answer when the disk has left it; nobody else waits.
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <sched.h>

#include "blk-guest.h"
#include "capture.h"
#include "iommu/dma.h"
#include "iommu/report.h"
#include "revoker.h"

#define DOMAIN	1
#define DISK_EP 8
#define OTHER	9 /* another endpoint */

#define PAGE	 4096ULL
#define data(n)	 (DATA_BASE + (n) * PAGE)
#define NR_PAGES 8 /* that are mapped, one by one, each where it is */

/* A request works on two pages. */
#define REQUEST 2 * PAGE

/* What is in them at first, and what those who get them afterwards make of it. */
#define BEFORE 0xaa
#define AFTER  0x55

static void map(u32 domain, u64 start, u64 len)
{
	const struct mapping m = {
		.start = start,
		.last = start + len - 1,
		.gpa = start,
		.flags = MAPPING_READ | MAPPING_WRITE,
	};

	CHECK_EQ(iommu_map(&guest.iommu, domain, &m), 0);
}

static void start(unsigned int queues)
{
	blk_guest_start(&(struct blk_guest_options){.queues = queues, .iommu = true});
	map(DOMAIN, GUEST_BASE, DATA_BASE - GUEST_BASE);
	for (unsigned int i = 0; i < NR_PAGES; i++)
		map(DOMAIN, data(i), PAGE);
	memset(hva(data(0)), BEFORE, NR_PAGES * PAGE);
	status_set(VIRTIO_CONFIG_S_DRIVER_OK);
}

/* A request that gets as far as the disk, which keeps it. */
static void make_stuck(struct driver_queue *q, u32 type, unsigned int stuck)
{
	const struct seg segs[3] = {
		{q->scratch, 16}, {data(0), REQUEST}, {q->scratch + STATUS_OFF, 1}};

	gate_close();
	put_header(q, type, 0);
	add_chain(q, segs, type == VIRTIO_BLK_T_IN ? 1 : 2, type == VIRTIO_BLK_T_IN ? 2 : 1, 0);
	kick(q, 1);
	gate_wait(stuck);
}

static void unmap_page(void)
{
	CHECK_EQ(iommu_unmap(&guest.iommu, DOMAIN, data(1), data(2) - 1), 0);
}

static void unmap_all(void)
{
	CHECK_EQ(iommu_unmap(&guest.iommu, DOMAIN, 0, UINT64_MAX), 0);
}

static void detach(void)
{
	CHECK_EQ(iommu_detach(&guest.iommu, DOMAIN, DISK_EP), 0);
}

static void move(void)
{
	CHECK_EQ(iommu_attach(&guest.iommu, DOMAIN + 1, DISK_EP, false), 0);
}

static void move_to_bypass(void)
{
	CHECK_EQ(iommu_attach(&guest.iommu, DOMAIN + 1, DISK_EP, true), 0);
}

/* As the reset of the virtio-iommu does. */
static void reset(void)
{
	iommu_detach_all(&guest.iommu);
}

static void (*way)(void);
static unsigned int finished; /* operations of the disk when the answer was there */

/* The second page is somebody else's as soon as it can be. */
static void take_page(void)
{
	way();
	memset(hva(data(1)), AFTER, PAGE);
	finished = disk_count(&tdisk.finished);
}

static bool is_filled(const u8 *bytes, u8 byte, u64 len)
{
	for (u64 i = 0; i < len; i++) {
		if (bytes[i] != byte)
			return false;
	}
	return true;
}

static void check_disk_is_waited_for(u32 type)
{
	struct driver_queue *q = &guest.queues[0];
	struct revoker r;

	start(1);
	make_stuck(q, type, 1);
	revoker_start(&r, take_page);
	CHECK(revoker_waits(&r, &q->vq->dma));
	CHECK_EQ(disk_count(&tdisk.finished), 0);
	/* Where the device cannot reach its rings any more it says so. */
	capture_begin();
	gate_open();
	revoker_join(&r);
	CHECK_EQ(finished, 1);
	status_set(0);
	capture_end();
	CHECK(is_filled(hva(data(1)), AFTER, PAGE));
	if (type == VIRTIO_BLK_T_OUT)
		CHECK(is_filled(tdisk.data, BEFORE, REQUEST));
	blk_guest_end();
}

TEST(the_answer_comes_when_the_disk_has_left_the_memory)
{
	static void (*const ways[])(void) = {unmap_page, unmap_all,	 detach,
					     move,	 move_to_bypass, reset};

	for (unsigned int i = 0; i < ARRAY_SIZE(ways); i++) {
		way = ways[i];
		check_disk_is_waited_for(VIRTIO_BLK_T_IN);
		check_disk_is_waited_for(VIRTIO_BLK_T_OUT);
	}
}

TEST(unmap_waits_for_each_queue)
{
	struct revoker r;

	start(2);
	make_stuck(&guest.queues[0], VIRTIO_BLK_T_OUT, 1);
	make_stuck(&guest.queues[1], VIRTIO_BLK_T_OUT, 2);
	way = unmap_page;
	revoker_start(&r, take_page);
	CHECK(revoker_waits(&r, &guest.queues[0].vq->dma));
	gate_pass();
	gate_wait_finished(1);
	CHECK(!atomic_load(&r.done));
	gate_open();
	revoker_join(&r);
	CHECK_EQ(finished, 2);
	blk_guest_end();
}

static struct iommu_endpoint other;
static struct dma_chan other_chan;

static bool other_reaches(u64 iova)
{
	u8 byte;

	return !dma_read(&other_chan, iova, &byte, 1);
}

static void unmap_other_page(void)
{
	CHECK_EQ(iommu_unmap(&guest.iommu, DOMAIN, data(2), data(3) - 1), 0);
	CHECK(!other_reaches(data(2)));
	CHECK(other_reaches(data(0)));
}

static void unmap_nothing(void)
{
	CHECK_EQ(iommu_unmap(&guest.iommu, DOMAIN, data(NR_PAGES), UINT64_MAX), 0);
	/* Across the border of what the disk uses: refused, and nothing is waited for. */
	CHECK_EQ(iommu_unmap(&guest.iommu, DOMAIN, data(0) + 1, UINT64_MAX), -ERANGE);
}

static void map_more(void)
{
	map(DOMAIN, data(NR_PAGES), PAGE);
}

static void detach_other(void)
{
	CHECK_EQ(iommu_detach(&guest.iommu, DOMAIN, OTHER), 0);
	CHECK(!other_reaches(data(0)));
}

/* The same pages, at the same addresses, in a domain of its own. */
static void unmap_in_other_domain(void)
{
	CHECK_EQ(iommu_attach(&guest.iommu, DOMAIN + 2, OTHER, false), 0);
	map(DOMAIN + 2, data(0), REQUEST);
	CHECK(other_reaches(data(0)));
	CHECK_EQ(iommu_unmap(&guest.iommu, DOMAIN + 2, data(0), data(2) - 1), 0);
	CHECK(!other_reaches(data(0)));
}

static void change_bypass(void)
{
	CHECK_EQ(iommu_detach(&guest.iommu, DOMAIN, OTHER), 0);
	iommu_set_bypass(&guest.iommu, true);
	CHECK(other_reaches(data(NR_PAGES)));
	iommu_set_bypass(&guest.iommu, false);
	CHECK(!other_reaches(data(NR_PAGES)));
}

static void look(void)
{
	const struct iommu_report_filter all = {.mappings = true};
	const struct timespec at_once = {0};
	struct report *r = report_new(true, 1 << 20);

	report_object_begin(r, NULL);
	CHECK_EQ(iommu_report(&guest.iommu, r, &all, &at_once), 0);
	report_object_end(r);
	report_free(r);
}

static void (*const others[])(void) = {
	unmap_other_page, unmap_nothing,	 map_more, detach_other,
	change_bypass,	  unmap_in_other_domain, look};

/* The disk keeps a request, and there is another endpoint in its domain. */
static void start_with_other(void)
{
	start(1);
	CHECK_EQ(iommu_add_endpoint(&guest.iommu, &other, OTHER), 0);
	CHECK_EQ(dma_chan_init(&other_chan, &guest.mem, &other, 1), 0);
	CHECK_EQ(iommu_attach(&guest.iommu, DOMAIN, OTHER, false), 0);
	make_stuck(&guest.queues[0], VIRTIO_BLK_T_IN, 1);
}

static void end_with_other(void)
{
	CHECK(wait_used(&guest.queues[0], 1));
	CHECK_EQ(get_status(&guest.queues[0]), VIRTIO_BLK_S_OK);
	dma_chan_destroy(&other_chan);
	blk_guest_end();
}

TEST(nobody_else_waits_for_the_disk)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(others); i++) {
		struct revoker r;

		start_with_other();
		revoker_start(&r, others[i]);
		CHECK(!revoker_waits(&r, &guest.queues[0].vq->dma));
		CHECK_EQ(disk_count(&tdisk.finished), 0);
		gate_open();
		revoker_join(&r);
		CHECK(wait_used(&guest.queues[0], 1));
		CHECK_EQ(memcmp(hva(data(0)), tdisk.data, REQUEST), 0);
		end_with_other();
	}
}

TEST(nobody_else_waits_for_who_waits_for_the_disk)
{
	way = unmap_page;
	for (unsigned int i = 0; i < ARRAY_SIZE(others); i++) {
		struct revoker r;

		start_with_other();
		revoker_start(&r, take_page);
		CHECK(revoker_waits(&r, &guest.queues[0].vq->dma));
		others[i]();
		CHECK(!atomic_load(&r.done));
		CHECK_EQ(disk_count(&tdisk.finished), 0);
		gate_open();
		revoker_join(&r);
		CHECK_EQ(finished, 1);
		end_with_other();
	}
}

/* A disk that lets requests go one by one, after a while. */
static void *pace(void *opaque)
{
	_Atomic bool *over = opaque;
	unsigned int n = 0;

	gate_close();
	while (!atomic_load(over)) {
		for (unsigned int i = 0; i < n % 7; i++)
			sched_yield();
		n++;
		if (disk_count(&tdisk.waiting))
			gate_pass();
	}
	gate_open();
	return NULL;
}

static _Atomic bool drivers_stop;
static _Atomic unsigned int moved; /* requests that found their page mapped */

#define QUEUES 3

/* Of @nr things one that no other queue uses: nobody orders what two requests do to the same. */
static u64 own(const struct driver_queue *q, u64 n, u64 nr)
{
	return n % (nr / QUEUES) * QUEUES + q->index;
}

/* Reads and writes of pages that may be mapped or not. */
static void *drive(void *opaque)
{
	struct driver_queue *q = opaque;
	u64 n = q->index;

	while (!atomic_load(&drivers_stop)) {
		bool in = n++ % 3;
		u8 status = request(q, in ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT, 8 * own(q, n, 16),
				    data(own(q, n * 5, NR_PAGES)), PAGE, in, NULL);

		if (!CHECK(status == VIRTIO_BLK_S_OK || status == VIRTIO_BLK_S_IOERR))
			break;
		if (status == VIRTIO_BLK_S_OK)
			atomic_fetch_add(&moved, 1);
	}
	return NULL;
}

#define ROUNDS 300

TEST(pages_are_taken_from_requests_on_their_way)
{
	_Atomic bool over = false;
	pthread_t pacer, drivers[QUEUES];

	start(QUEUES);
	atomic_store(&drivers_stop, false);
	atomic_store(&moved, 0);
	CHECK_EQ(pthread_create(&pacer, NULL, pace, &over), 0);
	for (unsigned int i = 0; i < QUEUES; i++)
		CHECK_EQ(pthread_create(&drivers[i], NULL, drive, &guest.queues[i]), 0);
	for (unsigned int round = 0; round < ROUNDS; round++) {
		u64 page = data(unit_rand() % NR_PAGES);
		unsigned int before = atomic_load(&moved);

		CHECK_EQ(iommu_unmap(&guest.iommu, DOMAIN, page, page + PAGE - 1), 0);
		memset(hva(page), AFTER, PAGE);
		/* Others go on. */
		while (atomic_load(&moved) == before)
			sched_yield();
		if (!CHECK(is_filled(hva(page), AFTER, PAGE)))
			break;
		map(DOMAIN, page, PAGE);
	}
	atomic_store(&drivers_stop, true);
	for (unsigned int i = 0; i < QUEUES; i++)
		pthread_join(drivers[i], NULL);
	atomic_store(&over, true);
	pthread_join(pacer, NULL);
	blk_guest_end();
}
