// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <linux/virtio_config.h>
#include <sched.h>
#include <stdlib.h>

#include "fake-packed.h"
#include "request-ring.h"
#include "unit.h"

#define RINGS	     (64 * KiB)
#define BUFFER	     64ULL
#define TAIL	     48
#define MAX_REQUESTS 4096

static bool packed;
static u64 wanted;
static struct packed_queue packed_ring;
static unsigned int offered;
static unsigned int by_id[65536]; /* the request */

void ring_setup(void)
{
	offered = 0;
	if (packed)
		g.viommu.vdev.offered |= BIT_ULL(VIRTIO_F_RING_PACKED);
	guest_negotiate(wanted);
	if (packed)
		packed_setup(&packed_ring, &g.drv, VIOMMU_REQUESTQ, QUEUE_SIZE, RINGS);
	else
		fake_queue_setup(&g.requestq, &g.drv, VIOMMU_REQUESTQ, QUEUE_SIZE, RINGS);
	fake_driver_status(&g.drv, VIRTIO_CONFIG_S_DRIVER_OK);
}

void ring_guest_start(const struct iommu_config *config, bool with_packed, u64 features)
{
	packed = with_packed;
	wanted = features;
	guest_create(config);
	ring_setup();
}

unsigned int ring_offer(const void *req, u32 len)
{
	u64 addr = DATA_BASE + offered * BUFFER;
	const struct fake_seg segs[] = {{addr, len}, {addr + TAIL, sizeof(struct viommu_tail)}};

	if (offered == MAX_REQUESTS)
		abort();
	fake_write(&g.drv, addr, req, len);
	if (packed) {
		by_id[offered] = offered;
		packed_offer(&packed_ring, offered, segs, 1, 1);
	} else {
		u16 head = fake_chain(&g.requestq, segs, 1, 1);

		by_id[head] = offered;
		fake_offer(&g.requestq, head);
	}
	return offered++;
}

unsigned int ring_offer_map(u32 domain, u64 iova, u64 gpa)
{
	const struct viommu_map req = {
		.head.type = VIOMMU_T_MAP,
		.domain = htole32(domain),
		.virt_start = htole64(iova),
		.virt_end = htole64(iova + GRANULE - 1),
		.phys_start = htole64(gpa),
		.flags = htole32(RW),
	};

	return ring_offer(&req, sizeof(req));
}

unsigned int ring_offer_unmap(u32 domain, u64 iova)
{
	const struct viommu_unmap req = {
		.head.type = VIOMMU_T_UNMAP,
		.domain = htole32(domain),
		.virt_start = htole64(iova),
		.virt_end = htole64(iova + GRANULE - 1),
	};

	return ring_offer(&req, sizeof(req));
}

void ring_kick(void)
{
	virtio_kick(&g.viommu.vdev, VIOMMU_REQUESTQ);
}

bool ring_kick_wanted(u16 requests)
{
	return packed ? packed_kick_wanted(&packed_ring, 2 * requests)
		      : fake_kick_wanted(&g.requestq, requests);
}

bool ring_take(unsigned int *request, int *status)
{
	struct viommu_tail tail;
	u32 id, len;

	if (!(packed ? packed_take_used(&packed_ring, &id, &len)
		     : fake_take_used(&g.requestq, &id, &len)))
		return false;
	*request = by_id[id % ARRAY_SIZE(by_id)];
	fake_read(&g.drv, DATA_BASE + *request * BUFFER + TAIL, &tail, sizeof(tail));
	*status = tail.status;
	return CHECK_EQ(len, sizeof(tail));
}

unsigned int ring_wait(void)
{
	unsigned int request;
	int status;

	while (!ring_take(&request, &status))
		sched_yield();
	CHECK_EQ(status, VIOMMU_S_OK);
	return request;
}

void ring_want_interrupts(bool want)
{
	if (packed)
		packed_driver_event(&packed_ring,
				    want ? VRING_PACKED_EVENT_FLAG_ENABLE
					 : VRING_PACKED_EVENT_FLAG_DISABLE,
				    0, false);
	else if (virtio_has_feature(&g.viommu.vdev, VIRTIO_RING_F_EVENT_IDX))
		/* With the next one, or one that is not reached. */
		fake_used_event(&g.requestq, fake_used_idx(&g.requestq) + (want ? 0 : 1000));
	else
		fake_avail_flags(&g.requestq, want ? 0 : VRING_AVAIL_F_NO_INTERRUPT);
}

unsigned int ring_interrupts(void)
{
	return atomic_load(&g.drv.interrupts[VIOMMU_REQUESTQ]);
}
