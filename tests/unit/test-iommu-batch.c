// SPDX-License-Identifier: GPL-2.0-only
/*
 * A kick is an exit of the vCPU, and one is enough for all requests that wait, in both layouts of
 * the queue: what they come to is made visible at once, with at most one interrupt. That is seen
 * from the middle of a batch, in which a DETACH waits for an access that is open.
 */
#include <endian.h>
#include <linux/virtio_config.h>

#include "request-ring.h"
#include "revoker.h"
#include "unit.h"

#define EVENT_IDX BIT_ULL(VIRTIO_RING_F_EVENT_IDX)
#define DOMAIN	  1
#define BEFORE	  7 /* requests before the DETACH, and behind it */

static unsigned int taken;

static void offer_maps(unsigned int nr)
{
	static unsigned int n;

	while (nr--)
		ring_offer_map(DOMAIN, ++n * (u64)GRANULE, DATA_BASE);
}

static void offer_detach(void)
{
	const struct viommu_detach req = {
		.head.type = VIOMMU_T_DETACH,
		.domain = htole32(DOMAIN),
		.endpoint = htole32(ep_id(0)),
	};

	ring_offer(&req, sizeof(req));
}

/* Whether an answer is visible, which is taken then; it is OK, and they come in order. */
static bool take(void)
{
	unsigned int request;
	int status;

	if (!ring_take(&request, &status))
		return false;
	CHECK_EQ(request, taken++);
	CHECK_EQ(status, VIOMMU_S_OK);
	return true;
}

static void check_batch(bool want, bool told_by_flags)
{
	unsigned int interrupts_before = ring_interrupts(), nr_before = taken;
	dma_handle_t handle;
	struct iovec iov;
	struct revoker r;

	CHECK_EQ(iommu_attach(&g.iommu, DOMAIN, ep_id(0), false), 0);
	CHECK_EQ(dma_map(&g.chans[0], DMA_NO_PASID, 0, 1, DMA_READ, &iov, 1, &handle), 1);
	ring_want_interrupts(want);
	offer_maps(BEFORE);
	offer_detach();
	offer_maps(BEFORE);
	CHECK(ring_kick_wanted(2 * BEFORE + 1));

	revoker_start(&r, ring_kick);
	CHECK(revoker_waits(&r, &g.chans[0]));
	/* Of those before it, which are done, nothing is to be seen. */
	CHECK(!take());
	CHECK_EQ(ring_interrupts(), interrupts_before);
	/* What comes now needs no exit of its own. */
	offer_maps(BEFORE);
	if (told_by_flags)
		CHECK(!ring_kick_wanted(BEFORE));

	dma_unmap(&g.chans[0], handle);
	revoker_join(&r);
	while (take())
		;
	CHECK_EQ(taken - nr_before, 3 * BEFORE + 1);
	CHECK_EQ(ring_interrupts() - interrupts_before, want);
}

TEST(a_batch_is_one_exit_one_update_and_at_most_one_interrupt)
{
	const struct mapping page = {.last = GRANULE - 1, .gpa = DATA_BASE, .flags = MAPPING_READ};

	for (unsigned int i = 0; i < 4; i++) {
		bool packed = i & 1, event_idx = i & 2;

		taken = 0;
		ring_guest_start(&default_config, packed, event_idx ? ALL_FEATURES : ~EVENT_IDX);
		/* The domain stays when the first endpoint leaves. */
		CHECK_EQ(iommu_attach(&g.iommu, DOMAIN, ep_id(1), false), 0);
		CHECK_EQ(iommu_map(&g.iommu, DOMAIN, &page), 0);
		for (unsigned int round = 0; round < 3; round++) {
			check_batch(true, packed || !event_idx);
			check_batch(false, packed || !event_idx);
		}
		guest_end();
	}
}
