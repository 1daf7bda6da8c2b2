// SPDX-License-Identifier: GPL-2.0-only
/* poll=: a thread looks for requests, and the driver kicks only when it is asked to. */
#include <endian.h>
#include <linux/virtio_config.h>
#include <sched.h>

#include "iommu-guest.h"
#include "unit.h"

#define IOVA	0x40000000ULL
#define REPLY	(SCRATCH + 4 * KiB)
#define MAX_US	1000000
#define DOMAIN	1
#define ENOUGH	20
#define RESTART 20

static u64 kicked, not_kicked;

/* As a driver does it: the status. */
static int ask(const void *req, u32 out)
{
	const struct fake_seg segs[] = {{SCRATCH, out}, {REPLY, sizeof(struct viommu_tail)}};
	struct viommu_tail tail;
	u32 id, len;
	u16 head;

	fake_write(&g.drv, SCRATCH, req, out);
	fake_fill(&g.drv, REPLY, 0xee, sizeof(tail));
	head = fake_chain(&g.requestq, segs, 1, 1);
	fake_offer(&g.requestq, head);
	atomic_thread_fence(memory_order_seq_cst);
	if (fake_kick_wanted(&g.requestq, 1)) {
		fake_kick(&g.requestq);
		kicked++;
	} else {
		not_kicked++;
	}
	while (!fake_take_used(&g.requestq, &id, &len))
		sched_yield();
	CHECK_EQ(id, head);
	CHECK_EQ(len, sizeof(tail));
	fake_read(&g.drv, REPLY, &tail, sizeof(tail));
	return tail.status;
}

static int ask_map(void)
{
	const struct viommu_map req = {
		.head.type = VIOMMU_T_MAP,
		.domain = htole32(DOMAIN),
		.virt_start = htole64(IOVA),
		.virt_end = htole64(IOVA + GRANULE - 1),
		.phys_start = htole64(DATA_BASE),
		.flags = htole32(VIOMMU_MAP_READ),
	};

	return ask(&req, sizeof(req));
}

static int ask_unmap(void)
{
	const struct viommu_unmap req = {
		.head.type = VIOMMU_T_UNMAP,
		.domain = htole32(DOMAIN),
		.virt_start = htole64(IOVA),
		.virt_end = htole64(IOVA + GRANULE - 1),
	};

	return ask(&req, sizeof(req));
}

static void start(u64 poll_us, u64 features)
{
	const struct viommu_attach req = {
		.head.type = VIOMMU_T_ATTACH,
		.domain = htole32(DOMAIN),
		.endpoint = htole32(ep_id(0)),
	};
	struct iommu_config config = default_config;

	config.poll_us = poll_us;
	kicked = 0;
	not_kicked = 0;
	guest_start_with(&config, features);
	CHECK_EQ(ask(&req, sizeof(req)), VIOMMU_S_OK);
}

/* A MAP is there when it is answered, and gone when its UNMAP is. */
static void round_trip(void)
{
	CHECK_EQ(ask_map(), VIOMMU_S_OK);
	CHECK_EQ(reach(0, IOVA, DMA_READ), DATA_BASE);
	CHECK_EQ(ask_unmap(), VIOMMU_S_OK);
	CHECK_EQ(reach(0, IOVA, DMA_READ), NOWHERE);
}

static void answers_without_kicks(u64 features)
{
	start(MAX_US, features);
	/* On a busy machine the thread rests now and then, and kicks are asked for. */
	while (not_kicked < ENOUGH)
		round_trip();
	guest_end();
}

TEST(answers_without_kicks_by_event_index)
{
	answers_without_kicks(ALL_FEATURES);
}

TEST(answers_without_kicks_by_flag)
{
	answers_without_kicks(~BIT_ULL(VIRTIO_RING_F_EVENT_IDX));
}

TEST(asks_for_kicks_when_none_came_for_a_while)
{
	start(1, ALL_FEATURES);
	/* The thread may be at it when the next request comes, but not for long. */
	while (kicked < ENOUGH) {
		round_trip();
		while (fake_avail_event(&g.requestq) != g.requestq.avail_idx)
			sched_yield();
	}
	guest_end();
}

TEST(reset_while_it_looks)
{
	for (unsigned int i = 0; i < RESTART; i++) {
		start(MAX_US, ALL_FEATURES);
		round_trip();
		round_trip();
		fake_driver_status(&g.drv, 0);
		guest_negotiate(ALL_FEATURES);
		guest_setup_queues();
		fake_driver_status(&g.drv, VIRTIO_CONFIG_S_DRIVER_OK);
		CHECK_EQ(ask_map(), VIOMMU_S_NOENT);
		guest_end();
	}
}

TEST(ends_while_it_looks)
{
	start(MAX_US, ALL_FEATURES);
	round_trip();
	atomic_store(&g.stopping, true);
	guest_end();
}
