// SPDX-License-Identifier: GPL-2.0-only
/* Reports of faults: virtio 1.3, 5.13.6.8. */
#include <endian.h>
#include <linux/virtio_config.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "iommu-guest.h"
#include "unit.h"

#define EVENT_SIZE sizeof(struct viommu_fault)
#define BUFFER(n)  (64ULL * (n) + EVENT_BASE)

static const u64 event_idx = BIT_ULL(VIRTIO_RING_F_EVENT_IDX);

/* Offers a buffer of @len bytes, all 0xee, without a kick. */
static void offer_buffer(unsigned int n, u32 len)
{
	fake_fill(&g.drv, BUFFER(n), 0xee, 64);
	fake_offer(&g.eventq, fake_chain(&g.eventq, &(struct fake_seg){BUFFER(n), len}, 0, 1));
}

/* The next used buffer must be an event in buffer @n. */
static struct viommu_fault take_event(unsigned int n)
{
	struct viommu_fault fault = {0};
	u32 id, len;

	if (CHECK(fake_take_used(&g.eventq, &id, &len)) && CHECK_EQ(len, EVENT_SIZE))
		fake_read(&g.drv, BUFFER(n), &fault, sizeof(fault));
	return fault;
}

static bool no_event(void)
{
	return fake_used_idx(&g.eventq) == g.eventq.used_idx;
}

/* An access that faults, known by its address. */
static void fault_at(u64 iova)
{
	CHECK_EQ(reach(0, iova, DMA_READ), NOWHERE);
}

TEST(report_byte_by_byte)
{
	static const u8 expected[EVENT_SIZE] = {
		0x02, 0x00, 0x00, 0x00, /* reason: mapping; reserved */
		0x02, 0x01, 0x00, 0x00, /* flags: write, address */
		0x10, 0x00, 0x00, 0x00, /* endpoint */
		0x00, 0x00, 0x00, 0x00, /* reserved */
		0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01, /* address */
	};
	u8 event[32];
	u32 id, len;

	guest_start();
	CHECK_EQ(attach(1, ep_id(1), 0), VIOMMU_S_OK);
	offer_buffer(0, sizeof(event));
	CHECK_EQ(reach(1, 0x0102030405060708, DMA_WRITE), NOWHERE);
	CHECK(fake_take_used(&g.eventq, &id, &len));
	CHECK_EQ(len, EVENT_SIZE);
	CHECK_EQ(fake_interrupts(&g.eventq), 1);
	fake_read(&g.drv, BUFFER(0), event, sizeof(event));
	for (unsigned int i = 0; i < sizeof(event); i++)
		CHECK_EQ(event[i], i < EVENT_SIZE ? expected[i] : 0xee);
	guest_end();
}

TEST(reasons_and_flags)
{
	static const struct {
		u64 iova;
		u32 dir;
		u32 flags;
		u8 reason;
	} cases[] = {
		{0x1000, DMA_READ, 0x101, VIOMMU_FAULT_R_MAPPING}, /* not mapped */
		{0x2000, DMA_WRITE, 0x102, VIOMMU_FAULT_R_MAPPING}, /* read-only */
		{0x3000, DMA_READ, 0x101, VIOMMU_FAULT_R_MAPPING}, /* write-only */
		{0x2000, DMA_READ | DMA_WRITE, 0x103, VIOMMU_FAULT_R_MAPPING},
		{0x4000, DMA_READ, 0x101, VIOMMU_FAULT_R_UNKNOWN}, /* mapped to no memory */
	};
	struct viommu_fault fault;

	guest_start();
	for (unsigned int i = 0; i < 10; i++)
		offer_buffer(i, 64);
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	CHECK_EQ(map(1, 0x2000, 0x2fff, DATA_BASE, VIOMMU_MAP_READ), VIOMMU_S_OK);
	CHECK_EQ(map(1, 0x3000, 0x3fff, DATA_BASE, VIOMMU_MAP_WRITE), VIOMMU_S_OK);
	CHECK_EQ(map(1, 0x4000, 0x4fff, RAM_SIZE, RW), VIOMMU_S_OK);
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		CHECK_EQ(reach(0, cases[i].iova, cases[i].dir), NOWHERE);
		fault = take_event(i);
		CHECK_EQ(fault.reason, cases[i].reason);
		CHECK_EQ(le32toh(fault.flags), cases[i].flags);
		CHECK_EQ(le64toh(fault.address), cases[i].iova);
		CHECK_EQ(le32toh(fault.endpoint), ep_id(0));
	}
	/* Not attached at all. */
	CHECK_EQ(reach(3, 0x5000, DMA_WRITE), NOWHERE);
	fault = take_event(ARRAY_SIZE(cases));
	CHECK_EQ(fault.reason, VIOMMU_FAULT_R_DOMAIN);
	CHECK_EQ(le32toh(fault.endpoint), ep_id(3));
	/* Bypassing, to where there is no memory. */
	CHECK_EQ(attach(2, ep_id(2), VIOMMU_ATTACH_BYPASS), VIOMMU_S_OK);
	CHECK_EQ(reach(2, RAM_SIZE + 7, DMA_WRITE), NOWHERE);
	fault = take_event(ARRAY_SIZE(cases) + 1);
	CHECK_EQ(fault.reason, VIOMMU_FAULT_R_UNKNOWN);
	CHECK_EQ(le64toh(fault.address), RAM_SIZE + 7);
	CHECK(no_event());
	guest_end();
}

TEST(report_has_the_first_address_that_failed)
{
	u8 buf[3 * GRANULE] = {0};

	guest_start();
	offer_buffer(0, 64);
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	CHECK_EQ(map(1, 0x1000, 0x2fff, DATA_BASE, RW), VIOMMU_S_OK);
	CHECK(dma_read(&g.chans[0], 0x1800, buf, sizeof(buf)) < 0);
	CHECK_EQ(le64toh(take_event(0).address), 0x3000);
	CHECK(no_event());
	guest_end();
}

TEST(report_in_a_list_of_small_descriptors)
{
	struct fake_seg segs[EVENT_SIZE + 1];
	u32 id, len;
	u64 address;

	guest_start();
	/* A readable one first: it is not the device's business. */
	segs[0] = (struct fake_seg){SCRATCH, 8};
	for (unsigned int i = 0; i < EVENT_SIZE; i++)
		segs[1 + i] = (struct fake_seg){BUFFER(0) + i, 1};
	fake_offer(&g.eventq, fake_chain(&g.eventq, segs, 1, EVENT_SIZE));
	fault_at(0x123456789);
	CHECK(fake_take_used(&g.eventq, &id, &len));
	CHECK_EQ(len, EVENT_SIZE);
	fake_read(&g.drv, BUFFER(0) + offsetof(struct viommu_fault, address), &address, 8);
	CHECK_EQ(le64toh(address), 0x123456789);

	fake_offer(&g.eventq,
		   fake_chain_indirect(&g.eventq, segs, 1, EVENT_SIZE, EVENT_BASE + 32 * KiB));
	fault_at(0x987654321);
	CHECK(fake_take_used(&g.eventq, &id, &len));
	fake_read(&g.drv, BUFFER(0) + offsetof(struct viommu_fault, address), &address, 8);
	CHECK_EQ(le64toh(address), 0x987654321);
	guest_end();
}

TEST(report_is_never_spread_or_cut)
{
	u32 id, len;
	u8 byte;

	guest_start();
	offer_buffer(0, EVENT_SIZE - 1);
	offer_buffer(1, 12);
	offer_buffer(2, EVENT_SIZE);
	fault_at(0x1000);
	for (unsigned int i = 0; i < 2; i++) {
		CHECK(fake_take_used(&g.eventq, &id, &len));
		CHECK_EQ(len, 0);
		fake_read(&g.drv, BUFFER(i), &byte, 1);
		CHECK_EQ(byte, 0xee);
	}
	CHECK_EQ(le64toh(take_event(2).address), 0x1000);
	CHECK_EQ(g.viommu.dropped, 0);
	guest_end();
}

TEST(buffer_outside_of_memory_goes_back_unused)
{
	u32 id, len;

	guest_start();
	fake_offer(&g.eventq, fake_chain(&g.eventq, &(struct fake_seg){RAM_SIZE - 8, 64}, 0, 1));
	offer_buffer(1, 64);
	fault_at(0x1000);
	CHECK(fake_take_used(&g.eventq, &id, &len));
	CHECK_EQ(len, 0);
	CHECK_EQ(le64toh(take_event(1).address), 0x1000);
	guest_end();
}

TEST(faults_wait_for_buffers_up_to_a_limit)
{
	const unsigned int limit = VIRTIO_IOMMU_MAX_PENDING;

	guest_start();
	for (unsigned int i = 0; i < limit + 5; i++)
		fault_at(i * 0x1000ULL);
	CHECK(no_event());
	CHECK_EQ(g.viommu.nr_pending, limit);
	CHECK_EQ(g.viommu.dropped, 5);
	CHECK_EQ(fake_interrupts(&g.eventq), 0);

	/* A few buffers, then many: the oldest come first. */
	for (unsigned int i = 0; i < 3; i++)
		offer_buffer(i, 64);
	fake_kick(&g.eventq);
	for (unsigned int i = 0; i < 3; i++)
		CHECK_EQ(le64toh(take_event(i).address), i * 0x1000ULL);
	CHECK(no_event());
	CHECK_EQ(fake_interrupts(&g.eventq), 1);
	for (unsigned int i = 0; i < limit; i++)
		offer_buffer(i, 64);
	fake_kick(&g.eventq);
	for (unsigned int i = 3; i < limit; i++)
		CHECK_EQ(le64toh(take_event(i - 3).address), i * 0x1000ULL);
	CHECK(no_event());
	CHECK_EQ(g.viommu.nr_pending, 0);
	guest_end();
}

TEST(fault_is_not_dropped_when_there_are_buffers)
{
	guest_start();
	for (unsigned int i = 0; i < VIRTIO_IOMMU_MAX_PENDING; i++)
		fault_at(i * 0x1000ULL);
	/* The driver has not come to its kick yet. */
	for (unsigned int i = 0; i <= VIRTIO_IOMMU_MAX_PENDING; i++)
		offer_buffer(i, 64);
	fault_at(0xabc000);
	CHECK_EQ(g.viommu.dropped, 0);
	for (unsigned int i = 0; i < VIRTIO_IOMMU_MAX_PENDING; i++)
		take_event(i);
	CHECK_EQ(le64toh(take_event(VIRTIO_IOMMU_MAX_PENDING).address), 0xabc000);
	guest_end();
}

/* A driver kicks only if the device asks for it: it has to, while faults wait. */
TEST(device_asks_for_a_kick_while_faults_wait)
{
	static const u64 features[] = {ALL_FEATURES, ~event_idx};

	for (unsigned int i = 0; i < ARRAY_SIZE(features); i++) {
		guest_start_with(&default_config, features[i]);
		offer_buffer(0, 64);
		if (fake_kick_wanted(&g.eventq, 1))
			fake_kick(&g.eventq);
		for (unsigned int n = 0; n < 40; n++) {
			fault_at(0x1000);
			fault_at(0x2000);
			CHECK_EQ(le64toh(take_event(0).address), 0x1000);
			CHECK(no_event());
			offer_buffer(0, 64);
			if (CHECK(fake_kick_wanted(&g.eventq, 1)))
				fake_kick(&g.eventq);
			CHECK_EQ(le64toh(take_event(0).address), 0x2000);
			offer_buffer(0, 64);
			if (fake_kick_wanted(&g.eventq, 1))
				fake_kick(&g.eventq);
		}
		guest_end();
	}
}

TEST(faults_before_driver_ok_are_not_kept)
{
	guest_create(&default_config);
	fault_at(0x1000);
	guest_negotiate(ALL_FEATURES);
	guest_setup_queues();
	offer_buffer(0, 64);
	fake_kick(&g.eventq);
	fault_at(0x2000);
	CHECK(no_event());
	CHECK_EQ(g.viommu.dropped, 2);
	fake_driver_status(&g.drv, VIRTIO_CONFIG_S_DRIVER_OK);
	CHECK(no_event());
	fault_at(0x3000);
	CHECK_EQ(le64toh(take_event(0).address), 0x3000);
	guest_end();
}

TEST(device_without_an_event_queue_only_counts)
{
	guest_create(&default_config);
	guest_negotiate(ALL_FEATURES);
	fake_queue_setup(&g.requestq, &g.drv, VIOMMU_REQUESTQ, QUEUE_SIZE, 64 * KiB);
	fake_driver_status(&g.drv, VIRTIO_CONFIG_S_DRIVER_OK);
	for (unsigned int i = 0; i < 100; i++)
		fault_at(0x1000);
	CHECK_EQ(g.viommu.dropped, 100);
	CHECK_EQ(faults(0), 100);
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	guest_end();
}

TEST(reset_forgets_the_faults_that_wait)
{
	guest_start();
	fault_at(0x1000);
	CHECK_EQ(g.viommu.nr_pending, 1);
	fake_driver_status(&g.drv, 0);
	fault_at(0x2000);
	guest_negotiate(ALL_FEATURES);
	guest_setup_queues();
	offer_buffer(0, 64);
	fake_driver_status(&g.drv, VIRTIO_CONFIG_S_DRIVER_OK);
	fake_kick(&g.eventq);
	CHECK(no_event());
	fault_at(0x3000);
	CHECK_EQ(le64toh(take_event(0).address), 0x3000);
	guest_end();
}

TEST(queue_reset_forgets_the_faults_that_wait)
{
	guest_start();
	fault_at(0x1000);
	pthread_mutex_lock(&g.viommu.vdev.lock);
	virtio_queue_reset(&g.viommu.vdev, VIOMMU_EVENTQ);
	pthread_mutex_unlock(&g.viommu.vdev.lock);
	fault_at(0x2000);
	/* Requests go on meanwhile. */
	CHECK_EQ(attach(1, ep_id(1), 0), VIOMMU_S_OK);
	fake_queue_setup(&g.eventq, &g.drv, VIOMMU_EVENTQ, 16, 256 * KiB);
	offer_buffer(0, 64);
	fake_kick(&g.eventq);
	CHECK(no_event());
	fault_at(0x3000);
	CHECK_EQ(le64toh(take_event(0).address), 0x3000);
	guest_end();
}

TEST(no_interrupt_when_the_driver_wants_none)
{
	guest_start_with(&default_config, ~event_idx);
	fake_avail_flags(&g.eventq, VRING_AVAIL_F_NO_INTERRUPT);
	offer_buffer(0, 64);
	fault_at(0x1000);
	CHECK_EQ(le64toh(take_event(0).address), 0x1000);
	CHECK_EQ(fake_interrupts(&g.eventq), 0);
	guest_end();
}

TEST(broken_event_queue_asks_for_a_reset_and_requests_go_on)
{
	guest_start();
	fake_offer(&g.eventq, QUEUE_SIZE + 1);
	capture_begin();
	fault_at(0x1000);
	fault_at(0x2000);
	CHECK(capture_one_line(capture_end(), "virtio-iommu"));
	CHECK(atomic_load(&g.viommu.vdev.status) & VIRTIO_CONFIG_S_NEEDS_RESET);
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	CHECK_EQ(map_page(1, 0, DATA_BASE), VIOMMU_S_OK);
	CHECK_EQ(reach(0, 0, DMA_READ), DATA_BASE);
	guest_end();
}

TEST(event_ring_indices_wrap)
{
	guest_start();
	for (unsigned int i = 0; i < 66000; i++) {
		offer_buffer(0, 64);
		fault_at(i);
		if (!CHECK_EQ(le64toh(take_event(0).address), i))
			break;
	}
	CHECK_EQ(fake_used_idx(&g.eventq), (u16)66000);
	guest_end();
}

/* Devices fault, each in its thread, while the driver maps, unmaps and takes reports. */

#define NR_BUFFERS 16

static _Atomic bool enough;

static void *device_run(void *arg)
{
	unsigned int n = *(unsigned int *)arg;

	while (!atomic_load(&enough)) {
		reach(n, 0x1000, DMA_READ);
		reach(n, 0x2000 + n, DMA_WRITE);
	}
	return NULL;
}

/* Takes what is there, and gives the buffers back as a driver does. */
static unsigned int take_reports(void)
{
	unsigned int nr = 0;
	u32 id, len;

	while (fake_take_used(&g.eventq, &id, &len)) {
		struct viommu_fault fault;
		u32 n;

		CHECK_EQ(len, EVENT_SIZE);
		fake_read(&g.drv, BUFFER(id % NR_BUFFERS), &fault, sizeof(fault));
		n = (le32toh(fault.endpoint) - FIRST_EP) / EP_STEP;
		CHECK(n < NR_ENDPOINTS);
		if (le64toh(fault.address) == 0x1000)
			CHECK_EQ(le32toh(fault.flags), 0x101);
		else if (CHECK_EQ(le64toh(fault.address), 0x2000 + n))
			CHECK_EQ(le32toh(fault.flags), 0x102);
		offer_buffer(g.eventq.next_desc % NR_BUFFERS, 64);
		if (fake_kick_wanted(&g.eventq, 1))
			fake_kick(&g.eventq);
		nr++;
	}
	return nr;
}

TEST(faults_of_many_threads_while_requests_run)
{
	pthread_t threads[NR_ENDPOINTS];
	unsigned int index[NR_ENDPOINTS];
	u64 total = 0, taken = 0;

	guest_start();
	atomic_store(&enough, false);
	for (unsigned int i = 0; i < NR_BUFFERS; i++)
		offer_buffer(i, 64);
	fake_kick(&g.eventq);
	for (unsigned int n = 0; n < NR_ENDPOINTS; n++) {
		index[n] = n;
		if (pthread_create(&threads[n], NULL, device_run, &index[n]))
			abort();
	}
	for (unsigned int i = 0; taken < 2000; i++) {
		for (unsigned int n = 0; n < NR_ENDPOINTS; n++)
			CHECK_EQ(attach(1, ep_id(n), 0), VIOMMU_S_OK);
		CHECK_EQ(map_page(1, 0x1000, DATA_BASE), VIOMMU_S_OK);
		CHECK_EQ(map_page(1, 0x2000, DATA_BASE), VIOMMU_S_OK);
		taken += take_reports();
		CHECK_EQ(unmap_page(1, 0x1000), VIOMMU_S_OK);
		for (unsigned int n = 0; n < NR_ENDPOINTS; n++)
			CHECK_EQ(detach(1, ep_id(n)), VIOMMU_S_OK);
		taken += take_reports();
	}
	atomic_store(&enough, true);
	for (unsigned int n = 0; n < NR_ENDPOINTS; n++)
		pthread_join(threads[n], NULL);

	taken += take_reports();
	for (unsigned int n = 0; n < NR_ENDPOINTS; n++)
		total += faults(n);
	CHECK_EQ(total, taken + g.viommu.nr_pending + g.viommu.dropped);
	CHECK_EQ(g.viommu.nr_pending, 0);
	guest_end();
}
