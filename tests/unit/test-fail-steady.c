// SPDX-License-Identifier: GPL-2.0-only
/*
 * In the steady state nothing is taken from the host: each call that would is made to fail, and
 * none is made.
 */
#include <errno.h>

#include "fail-nth.h"
#include "iommu-guest.h"
#include "unit.h"

#define DOMAIN	 1
#define NR_PAGES 900
#define ROUNDS	 20

static void map_all(void)
{
	for (u64 i = 0; i < NR_PAGES; i++)
		CHECK_EQ(map_page(DOMAIN, i * 2 * GRANULE, DATA_BASE), VIOMMU_S_OK);
}

static void access_all(void)
{
	u8 byte;

	for (u64 i = 0; i < NR_PAGES; i++) {
		CHECK_EQ(dma_read(&g.chans[0], i * 2 * GRANULE, &byte, 1), 0);
		CHECK_EQ(dma_read(&g.chans[0], (i * 2 + 1) * GRANULE, &byte, 1), -EFAULT);
	}
}

static void unmap_all(unsigned int round)
{
	if (round % 2) {
		CHECK_EQ(unmap(DOMAIN, 0, ~0ULL), VIOMMU_S_OK);
		return;
	}
	/* Those at odd places first. */
	for (u64 i = 0; i < NR_PAGES; i++) {
		u64 n = i < NR_PAGES / 2 ? 2 * i + 1 : 2 * (i - NR_PAGES / 2);

		CHECK_EQ(unmap_page(DOMAIN, n * 2 * GRANULE), VIOMMU_S_OK);
	}
}

TEST(requests_and_accesses_allocate_nothing)
{
	guest_start();
	CHECK_EQ(attach(DOMAIN, ep_id(0), 0), VIOMMU_S_OK);
	/* What the first round takes is kept. */
	map_all();
	unmap_all(1);
	fail_begin(1, true);
	for (unsigned int round = 0; round < ROUNDS; round++) {
		map_all();
		access_all();
		CHECK_EQ(attach(DOMAIN, ep_id(1), 0), VIOMMU_S_OK);
		CHECK_EQ(detach(DOMAIN, ep_id(1)), VIOMMU_S_OK);
		unmap_all(round);
	}
	CHECK(!fail_end());
	guest_end();
}
