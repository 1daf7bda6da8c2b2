// SPDX-License-Identifier: GPL-2.0-only
/*
 * A kick is an exit of the vCPU, and one is enough for all requests that wait, in both layouts of
 * the queue: what they come to is made visible at once, with at most one interrupt. That is seen
 * from the middle of a batch, in which an UNMAP waits for an access that is open.
 */
#include <endian.h>
#include <linux/virtio_config.h>

#include "fake-packed.h"
#include "iommu-guest.h"
#include "revoker.h"
#include "unit.h"

#define RINGS	  (64 * KiB)
#define EVENT_IDX BIT_ULL(VIRTIO_RING_F_EVENT_IDX)
#define PACKED	  BIT_ULL(VIRTIO_F_RING_PACKED)
#define DOMAIN	  1
#define BEFORE	  7 /* requests before the UNMAP, and behind it */

static bool packed;
static struct packed_queue ring;
static unsigned int offered, taken;

static void start(bool with_packed, bool event_idx)
{
	packed = with_packed;
	offered = taken = 0;
	guest_create(&default_config);
	if (packed)
		g.viommu.vdev.offered |= PACKED;
	guest_negotiate(event_idx ? ALL_FEATURES : ~EVENT_IDX);
	if (packed)
		packed_setup(&ring, &g.drv, VIOMMU_REQUESTQ, QUEUE_SIZE, RINGS);
	else
		fake_queue_setup(&g.requestq, &g.drv, VIOMMU_REQUESTQ, QUEUE_SIZE, RINGS);
	fake_driver_status(&g.drv, VIRTIO_CONFIG_S_DRIVER_OK);
	CHECK_EQ(iommu_attach(&g.iommu, DOMAIN, ep_id(0), false), 0);
}

/* In a buffer of its own, without a kick. */
static void offer(const void *req, u32 len)
{
	u64 addr = DATA_BASE + offered * 64ULL;
	const struct fake_seg segs[] = {{addr, len}, {addr + 48, 4}};

	fake_write(&g.drv, addr, req, len);
	if (packed)
		packed_offer(&ring, offered, segs, 1, 1);
	else
		fake_offer(&g.requestq, fake_chain(&g.requestq, segs, 1, 1));
	offered++;
}

static void offer_maps(unsigned int nr)
{
	while (nr--) {
		u64 iova = (offered + 1ULL) * GRANULE;
		const struct viommu_map req = {
			.head.type = VIOMMU_T_MAP,
			.domain = htole32(DOMAIN),
			.virt_start = htole64(iova),
			.virt_end = htole64(iova + GRANULE - 1),
			.phys_start = htole64(DATA_BASE),
			.flags = htole32(RW),
		};

		offer(&req, sizeof(req));
	}
}

static void offer_unmap(void)
{
	const struct viommu_unmap req = {
		.head.type = VIOMMU_T_UNMAP,
		.domain = htole32(DOMAIN),
		.virt_end = htole64(GRANULE - 1),
	};

	offer(&req, sizeof(req));
}

/* Whether an answer is visible, which is taken then; it is OK. */
static bool take(void)
{
	struct viommu_tail tail;
	u32 id, len;

	if (!(packed ? packed_take_used(&ring, &id, &len) : fake_take_used(&g.requestq, &id, &len)))
		return false;
	fake_read(&g.drv, DATA_BASE + taken++ * 64ULL + 48, &tail, sizeof(tail));
	CHECK_EQ(len, sizeof(tail));
	CHECK_EQ(tail.status, VIOMMU_S_OK);
	return true;
}

static bool kick_wanted(u16 requests)
{
	return packed ? packed_kick_wanted(&ring, 2 * requests)
		      : fake_kick_wanted(&g.requestq, requests);
}

static void want_interrupts(bool want)
{
	if (packed)
		packed_driver_event(&ring,
				    want ? VRING_PACKED_EVENT_FLAG_ENABLE
					 : VRING_PACKED_EVENT_FLAG_DISABLE,
				    0, false);
	else if (virtio_has_feature(&g.viommu.vdev, VIRTIO_RING_F_EVENT_IDX))
		/* With the next one, or one that is not reached. */
		fake_used_event(&g.requestq, fake_used_idx(&g.requestq) + (want ? 0 : 1000));
	else
		fake_avail_flags(&g.requestq, want ? 0 : VRING_AVAIL_F_NO_INTERRUPT);
}

static unsigned int interrupts(void)
{
	return atomic_load(&g.drv.interrupts[VIOMMU_REQUESTQ]);
}

static void kick(void)
{
	virtio_kick(&g.viommu.vdev, VIOMMU_REQUESTQ);
}

static void check_batch(bool want)
{
	const struct mapping page = {.last = GRANULE - 1, .gpa = DATA_BASE, .flags = MAPPING_READ};
	unsigned int interrupts_before = interrupts(), nr_before = taken;
	dma_handle_t handle;
	struct iovec iov;
	struct revoker r;

	CHECK_EQ(iommu_map(&g.iommu, DOMAIN, &page), 0);
	CHECK_EQ(dma_map(&g.chans[0], DMA_NO_PASID, 0, 1, DMA_READ, &iov, 1, &handle), 1);
	want_interrupts(want);
	offer_maps(BEFORE);
	offer_unmap();
	offer_maps(BEFORE);
	CHECK(kick_wanted(2 * BEFORE + 1));

	revoker_start(&r, kick);
	CHECK(revoker_waits(&r, &g.chans[0]));
	/* Of those before it, which are done, nothing is to be seen. */
	CHECK(!take());
	CHECK_EQ(interrupts(), interrupts_before);
	/* What comes now needs no exit of its own. */
	offer_maps(BEFORE);
	if (!virtio_has_feature(&g.viommu.vdev, VIRTIO_RING_F_EVENT_IDX) || packed)
		CHECK(!kick_wanted(BEFORE));

	dma_unmap(&g.chans[0], handle);
	revoker_join(&r);
	while (take())
		;
	CHECK_EQ(taken - nr_before, 3 * BEFORE + 1);
	CHECK_EQ(interrupts() - interrupts_before, want);
}

TEST(a_batch_is_one_exit_one_update_and_at_most_one_interrupt)
{
	for (unsigned int i = 0; i < 4; i++) {
		start(i & 1, i & 2);
		for (unsigned int round = 0; round < 3; round++) {
			check_batch(true);
			check_batch(false);
		}
		guest_end();
	}
}
