// SPDX-License-Identifier: GPL-2.0-only
/*
 * What MAP and UNMAP cost the device, in ns, at several numbers of live mappings: from a driver's
 * kick, with one request in it, to the answer in the ring. Mappings go and come back in the order
 * of their addresses, or in any. The baseline is the smallest number of mappings.
 */
#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "iommu-guest.h"
#include "timing.h"

/* Requests that are timed at once; all are in the ring at a time. */
#define BATCH_MAX 64
#define DOMAIN	  1
#define REQUESTS  DATA_BASE
#define ANSWERS	  (DATA_BASE + 64 * KiB)

static const u64 sizes[] = {10, 100, 1000, 10000, 100000, 1000000};

static u64 iova(u64 slot)
{
	return slot << 17;
}

static void put_request(unsigned int i, const void *req, u32 len)
{
	const struct fake_seg segs[] = {
		{REQUESTS + i * 64, len},
		{ANSWERS + i * sizeof(struct viommu_tail), sizeof(struct viommu_tail)},
	};

	fake_write(&g.drv, segs[0].addr, req, len);
	fake_fill(&g.drv, segs[1].addr, 0xff, segs[1].len);
	fake_chain(&g.requestq, segs, 1, 1);
}

static void put_map(unsigned int i, u64 slot)
{
	const struct viommu_map req = {
		.head.type = VIOMMU_T_MAP,
		.domain = htole32(DOMAIN),
		.virt_start = htole64(iova(slot)),
		.virt_end = htole64(iova(slot) + GRANULE - 1),
		.phys_start = htole64(slot % (RAM_SIZE / GRANULE) * GRANULE),
		.flags = htole32(VIOMMU_MAP_READ | VIOMMU_MAP_WRITE),
	};

	put_request(i, &req, sizeof(req));
}

static void put_unmap(unsigned int i, u64 slot)
{
	const struct viommu_unmap req = {
		.head.type = VIOMMU_T_UNMAP,
		.domain = htole32(DOMAIN),
		.virt_start = htole64(iova(slot)),
		.virt_end = htole64(iova(slot) + GRANULE - 1),
	};

	put_request(i, &req, sizeof(req));
}

/* What all of the @nr requests take that were put last, each with a kick. */
static u64 kick_each(unsigned int nr)
{
	u16 head = (g.requestq.next_desc + QUEUE_SIZE - 2 * nr) % QUEUE_SIZE;
	u64 begin = now_ns(), taken;
	u32 id, len;

	for (unsigned int i = 0; i < nr; i++) {
		fake_offer(&g.requestq, (head + 2 * i) % QUEUE_SIZE);
		fake_kick(&g.requestq);
	}
	taken = now_ns() - begin;
	for (unsigned int i = 0; i < nr; i++) {
		struct viommu_tail tail;

		fake_read(&g.drv, ANSWERS + i * sizeof(tail), &tail, sizeof(tail));
		must(fake_take_used(&g.requestq, &id, &len) && tail.status == VIOMMU_S_OK,
		     "a request was not served");
	}
	return taken;
}

static void run(bool random, u64 nr)
{
	unsigned int batch = min(nr / 2, (u64)BATCH_MAX);
	u64 steps = MIN_OPS / batch + 1, at = 0;
	u64 *mapping = must_alloc(steps, sizeof(*mapping));
	u64 *unmapping = must_alloc(steps, sizeof(*unmapping));
	u64 *slots = must_alloc(nr, sizeof(*slots));
	struct iommu_config config = default_config;
	char measure[80], who[32];

	config.max_mappings = nr;
	guest_start_with(&config, ALL_FEATURES);
	must(attach(DOMAIN, ep_id(0), 0) == VIOMMU_S_OK, "no domain");
	for (u64 i = 0; i < nr; i++)
		slots[i] = i;
	if (random)
		shuffle(slots, nr);
	for (u64 i = 0; i < nr; i++) {
		put_map(0, slots[i]);
		kick_each(1);
	}
	for (u64 step = 0; step < steps; step++) {
		for (unsigned int i = 0; i < batch; i++)
			put_unmap(i, slots[(at + i) % nr]);
		unmapping[step] = kick_each(batch);
		for (unsigned int i = 0; i < batch; i++)
			put_map(i, slots[(at + i) % nr]);
		mapping[step] = kick_each(batch);
		at = (at + batch) % nr;
	}
	guest_end();
	snprintf(who, sizeof(who), "%" PRIu64 " mappings", nr);
	snprintf(measure, sizeof(measure), "a kick, %s: MAP", random ? "random order" : "in order");
	print_ns(measure, who, per_op(mapping, steps, batch));
	snprintf(measure, sizeof(measure), "a kick, %s: UNMAP",
		 random ? "random order" : "in order");
	print_ns(measure, who, per_op(unmapping, steps, batch));
	free(mapping);
	free(unmapping);
	free(slots);
}

int main(void)
{
	for (int random = 0; random < 2; random++)
		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
			run(random, sizes[i]);
	return 0;
}
