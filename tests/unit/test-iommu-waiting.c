// SPDX-License-Identifier: GPL-2.0-only
/*
 * A request that waits for an access to end is answered when it has, and it alone waits: those
 * behind it in the queue, other vCPUs, other domains and who looks at the IOMMU do not.
 */
#include <endian.h>
#include <linux/virtio_config.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "iommu/report.h"
#include "request-ring.h"
#include "revoker.h"
#include "unit.h"

/* Endpoints 0 and 2 are in one domain, 1 is in another. */
#define SLOW  1
#define OTHER 2

#define page(n) ((n) * (u64)GRANULE)
#define GPA	(4 * MiB)

static dma_handle_t handle;

/* Pages 0 to @nr - 1 of both domains are where their numbers say. */
static void start(u64 poll_us, bool packed, unsigned int nr)
{
	struct iommu_config config = default_config;

	config.poll_us = poll_us;
	ring_guest_start(&config, packed, ALL_FEATURES);
	CHECK_EQ(iommu_attach(&g.iommu, SLOW, ep_id(0), false), 0);
	CHECK_EQ(iommu_attach(&g.iommu, OTHER, ep_id(1), false), 0);
	CHECK_EQ(iommu_attach(&g.iommu, SLOW, ep_id(2), false), 0);
	for (unsigned int n = 0; n < nr; n++) {
		const struct mapping m = {
			.start = page(n),
			.last = page(n + 1) - 1,
			.gpa = GPA + page(n),
			.flags = MAPPING_READ | MAPPING_WRITE,
		};

		CHECK_EQ(iommu_map(&g.iommu, SLOW, &m), 0);
		CHECK_EQ(iommu_map(&g.iommu, OTHER, &m), 0);
	}
}

/* Endpoint 0's access to @nr pages, which takes its time. */
static void begin_access(unsigned int nr)
{
	struct iovec iov;

	CHECK_EQ(dma_map(&g.chans[0], DMA_NO_PASID, 0, page(nr), DMA_READ, &iov, 1, &handle), 1);
}

static void end_access(void)
{
	dma_unmap(&g.chans[0], handle);
}

/* As a driver does, whose thread spins for the answer to @request. */
static void ask(unsigned int request)
{
	atomic_thread_fence(memory_order_seq_cst);
	if (ring_kick_wanted(1))
		ring_kick();
	CHECK_EQ(ring_wait(), request);
}

static bool is_free(pthread_mutex_t *lock)
{
	if (pthread_mutex_trylock(lock))
		return false;
	pthread_mutex_unlock(lock);
	return true;
}

/* What goes on while page 0 of SLOW is unmapped, which waits. */
static void check_others(void)
{
	const struct iommu_report_filter all = {.mappings = true};
	const struct timespec at_once = {0};
	struct report *r = report_new(true, 1 << 20);

	/* Other domains. */
	ask(ring_offer_map(OTHER, page(20), GPA));
	CHECK_EQ(reach(1, page(20), DMA_READ), GPA);
	ask(ring_offer_unmap(OTHER, page(20)));
	CHECK_EQ(reach(1, page(20), DMA_READ), NOWHERE);
	CHECK_EQ(reach(1, 0, DMA_WRITE), GPA);
	/* The same one, by the other endpoint in it. */
	CHECK_EQ(reach(2, page(3), DMA_READ), GPA + page(3));
	ask(ring_offer_unmap(SLOW, page(3)));
	CHECK_EQ(reach(2, page(3), DMA_READ), NOWHERE);
	/* The page itself is gone for all, and can be another one. */
	CHECK_EQ(reach(2, 0, DMA_READ), NOWHERE);
	ask(ring_offer_map(SLOW, 0, GPA + page(9)));
	CHECK_EQ(reach(2, 0, DMA_READ), GPA + page(9));
	ask(ring_offer_map(SLOW, page(3), GPA));

	CHECK(is_free(&g.iommu.lock));
	report_object_begin(r, NULL);
	CHECK_EQ(iommu_report(&g.iommu, r, &all, &at_once), 0);
	report_object_end(r);
	report_free(r);
}

static void check_served(u64 poll_us, bool packed)
{
	unsigned int first, request;
	struct revoker vcpu;
	int status;

	start(poll_us, packed, 8);
	begin_access(2);
	/* Page 0, then others in the same kick. */
	first = ring_offer_unmap(SLOW, 0);
	ring_offer_map(OTHER, page(10), GPA);
	ring_offer_unmap(OTHER, 0);
	ring_offer_map(OTHER, 0, GPA);
	ring_offer_unmap(SLOW, page(4));
	revoker_start(&vcpu, ring_kick);
	CHECK(revoker_waits(&vcpu, &g.chans[0]));
	for (unsigned int n = 1; n < 5; n++)
		CHECK_EQ(ring_wait(), first + n);
	check_others();
	CHECK(!ring_take(&request, &status));
	CHECK(!atomic_load(&vcpu.done));
	end_access();
	CHECK_EQ(ring_wait(), first);
	revoker_join(&vcpu);
	CHECK_EQ(atomic_load(&g.chans[0].waiting), 0);
	guest_end();
}

#define LONG_US 1000000

TEST(nothing_else_waits)
{
	for (unsigned int packed = 0; packed < 2; packed++) {
		check_served(0, packed);
		check_served(LONG_US, packed);
	}
}

/* An UNMAP that whoever looks has to wait for: the thread of poll=, or a vCPU if it rests. */
static unsigned int offer_to_thread(struct revoker *vcpu, bool *kicked)
{
	unsigned int request;

	/* Now it looks, if it does not rest. */
	ask(ring_offer_map(OTHER, page(30), GPA));
	ask(ring_offer_unmap(OTHER, page(30)));
	request = ring_offer_unmap(SLOW, 0);
	atomic_thread_fence(memory_order_seq_cst);
	*kicked = ring_kick_wanted(1);
	if (*kicked)
		revoker_start(vcpu, ring_kick);
	while (!atomic_load(&g.chans[0].waiting))
		sched_yield();
	return request;
}

TEST(nothing_else_waits_for_the_thread)
{
	static const u64 patience[] = {1, LONG_US};

	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(patience); i++) {
		unsigned int first;
		struct revoker vcpu;
		bool kicked;

		start(patience[i / 2], i % 2, 8);
		begin_access(1);
		first = offer_to_thread(&vcpu, &kicked);
		check_others();
		end_access();
		CHECK_EQ(ring_wait(), first);
		if (kicked)
			revoker_join(&vcpu);
		guest_end();
	}
}

static void reset_queue(void)
{
	pthread_mutex_lock(&g.viommu.vdev.lock);
	virtio_queue_reset(&g.viommu.vdev, VIOMMU_REQUESTQ);
	pthread_mutex_unlock(&g.viommu.vdev.lock);
}

/*
 * The access has ended, but its thread has not yet looked whether somebody waits for that when
 * another vCPU serves the queue and gives the answer.
 */
TEST(an_answer_by_another_vcpu_wakes_who_waits)
{
	struct dma_slot *slot;
	struct revoker vcpu;
	unsigned int request;
	int status;

	start(0, false, 8);
	begin_access(1);
	slot = &g.chans[0].slots[handle];
	ring_offer_unmap(SLOW, 0);
	revoker_start(&vcpu, ring_kick);
	CHECK(revoker_waits(&vcpu, &g.chans[0]));
	atomic_fetch_add(&slot->seq, 1);
	ring_offer_map(OTHER, page(20), GPA);
	ring_kick();
	CHECK(ring_take(&request, &status));
	CHECK(ring_take(&request, &status));
	revoker_join(&vcpu);
	atomic_fetch_sub(&slot->seq, 1);
	end_access();
	guest_end();
}

/* While the access is open: what waited for it is forgotten, and who waited goes on. */
TEST(a_reset_of_the_queue_waits_for_nothing)
{
	static const u64 patience[] = {0, 1, LONG_US};

	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(patience); i++) {
		unsigned int request;
		struct revoker vcpu;
		bool kicked;
		int status;

		start(patience[i / 2], i % 2, 8);
		begin_access(1);
		offer_to_thread(&vcpu, &kicked);
		reset_queue();
		if (kicked)
			revoker_join(&vcpu);
		CHECK_EQ(atomic_load(&g.chans[0].waiting), 0);
		end_access();
		CHECK(!ring_take(&request, &status));
		guest_end();
	}
}

static void reset_device(void)
{
	fake_driver_status(&g.drv, 0);
}

/* It detaches every endpoint, and waits for the access by itself. */
TEST(a_reset_of_the_device_waits)
{
	struct revoker vcpu, reset;
	unsigned int request;
	int status;

	start(0, false, 8);
	begin_access(1);
	ring_offer_unmap(SLOW, 0);
	revoker_start(&vcpu, ring_kick);
	CHECK(revoker_waits(&vcpu, &g.chans[0]));
	revoker_start(&reset, reset_device);
	/* The queue is no longer the one of the request. */
	while (is_free(&g.iommu.lock))
		sched_yield();
	CHECK(revoker_waits(&reset, &g.chans[0]));
	end_access();
	revoker_join(&reset);
	revoker_join(&vcpu);
	CHECK(!ring_take(&request, &status));
	CHECK_EQ(atomic_load(&g.viommu.vdev.vqs[VIOMMU_REQUESTQ].nr_requests), 1);
	ring_setup();
	CHECK_EQ(reach(0, 0, DMA_READ), NOWHERE);
	guest_end();
}

/* More requests than a queue has, which a driver gets by using descriptors that are in use. */
#define MANY	 300
#define NR_VCPUS 5
#define FOR_EACH (MANY / NR_VCPUS)

TEST(any_number_may_wait)
{
	struct revoker vcpus[NR_VCPUS];

	start(0, false, MANY);
	begin_access(MANY);
	for (unsigned int v = 0; v < NR_VCPUS; v++) {
		for (unsigned int n = 0; n < FOR_EACH; n++)
			ring_offer_unmap(SLOW, page(v * FOR_EACH + n));
		revoker_start(&vcpus[v], ring_kick);
		while (atomic_load(&g.viommu.nr_waiting) <
		       min((v + 1) * FOR_EACH, (unsigned int)VIRTIO_IOMMU_MAX_WAITING))
			sched_yield();
	}
	end_access();
	for (unsigned int v = 0; v < NR_VCPUS; v++)
		revoker_join(&vcpus[v]);
	CHECK_EQ(atomic_load(&g.viommu.nr_waiting), 0);
	CHECK_EQ(atomic_load(&g.viommu.answered[VIOMMU_T_UNMAP][VIOMMU_S_OK]), MANY);
	CHECK_EQ(fake_used_idx(&g.requestq), MANY);
	CHECK_EQ(mapping_store_count(atomic_load(&g.eps[0].domain)->mappings), 0);
	guest_end();
}

/*
 * Drivers that share the queue, each with a domain and a device of its own, which writes to pages
 * that may be mapped or not. A page that is unmapped is its driver's at once. A packed queue,
 * since IDs of buffers do not come round while one waits.
 */
#define NR_DRIVERS 3
#define WINDOW	   4 /* pages of a driver */
#define NR_ROUNDS  300
#define FREE	   0xdd

static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER; /* the drivers' */
static _Atomic bool answered[2 * NR_DRIVERS * NR_ROUNDS];
static _Atomic bool drivers_end;
static _Atomic unsigned int writes;

static u64 window_gpa(unsigned int driver, unsigned int n)
{
	return GPA + page(driver * WINDOW + n);
}

/* Whoever looks takes the answers of all. */
static void driver_ask(unsigned int (*offer)(unsigned int driver, unsigned int n),
		       unsigned int driver, unsigned int n)
{
	unsigned int request, taken;
	int status;
	bool wanted;

	pthread_mutex_lock(&queue_lock);
	request = offer(driver, n);
	atomic_thread_fence(memory_order_seq_cst);
	wanted = ring_kick_wanted(1);
	pthread_mutex_unlock(&queue_lock);
	if (wanted)
		ring_kick();
	while (!atomic_load(&answered[request])) {
		pthread_mutex_lock(&queue_lock);
		while (ring_take(&taken, &status)) {
			CHECK_EQ(status, VIOMMU_S_OK);
			atomic_store(&answered[taken], true);
		}
		pthread_mutex_unlock(&queue_lock);
		sched_yield();
	}
}

static unsigned int offer_window_map(unsigned int driver, unsigned int n)
{
	return ring_offer_map(driver + 1, page(n), window_gpa(driver, n));
}

static unsigned int offer_window_unmap(unsigned int driver, unsigned int n)
{
	return ring_offer_unmap(driver + 1, page(n));
}

static bool is_left_alone(const u8 *bytes)
{
	for (unsigned int i = 0; i < GRANULE; i++) {
		if (bytes[i] != FREE)
			return false;
	}
	return true;
}

static void *drive(void *opaque)
{
	unsigned int driver = *(unsigned int *)opaque;

	for (unsigned int round = 0; round < NR_ROUNDS; round++) {
		unsigned int n = round % WINDOW, before;
		u8 *memory = g.mem.banks[0].hva + window_gpa(driver, n);

		driver_ask(offer_window_map, driver, n);
		before = atomic_load(&writes);
		while (atomic_load(&writes) < before + 2)
			sched_yield();
		driver_ask(offer_window_unmap, driver, n);
		memset(memory, FREE, GRANULE);
		sched_yield();
		if (!CHECK(is_left_alone(memory)))
			break;
	}
	return NULL;
}

static void *device(void *opaque)
{
	unsigned int driver = *(unsigned int *)opaque, n = 0;

	while (!atomic_load(&drivers_end)) {
		dma_handle_t h;
		struct iovec iov;

		if (dma_map(&g.chans[driver], DMA_NO_PASID, page(n++ % WINDOW), GRANULE, DMA_WRITE,
			    &iov, 1, &h) < 0) {
			sched_yield();
			continue;
		}
		for (unsigned int i = 0; i < n % 5; i++)
			sched_yield();
		memset(iov.iov_base, n, iov.iov_len);
		atomic_fetch_add(&writes, 1);
		dma_unmap(&g.chans[driver], h);
	}
	return NULL;
}

static void check_drivers(u64 poll_us)
{
	pthread_t drivers[NR_DRIVERS], devices[NR_DRIVERS];
	unsigned int numbers[NR_DRIVERS];

	start(poll_us, true, 0);
	atomic_store(&drivers_end, false);
	memset((void *)answered, 0, sizeof(answered));
	for (unsigned int i = 0; i < NR_DRIVERS; i++) {
		numbers[i] = i;
		CHECK_EQ(iommu_attach(&g.iommu, i + 1, ep_id(i), false), 0);
	}
	for (unsigned int i = 0; i < NR_DRIVERS; i++) {
		if (pthread_create(&drivers[i], NULL, drive, &numbers[i]) ||
		    pthread_create(&devices[i], NULL, device, &numbers[i]))
			abort();
	}
	for (unsigned int i = 0; i < NR_DRIVERS; i++)
		pthread_join(drivers[i], NULL);
	atomic_store(&drivers_end, true);
	for (unsigned int i = 0; i < NR_DRIVERS; i++)
		pthread_join(devices[i], NULL);
	CHECK_EQ(atomic_load(&g.iommu.nr_mappings), 0);
	guest_end();
}

TEST(pages_are_their_drivers_when_the_answer_is_there)
{
	check_drivers(0);
	check_drivers(1);
	check_drivers(LONG_US);
}
