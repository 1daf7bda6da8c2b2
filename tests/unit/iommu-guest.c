// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <string.h>

#include "iommu-guest.h"
#include "unit.h"

#define REQUEST_RINGS (64 * KiB)
#define EVENT_RINGS   (128 * KiB)

struct iommu_guest g;

const struct iommu_config default_config = {
	.page_size_mask = ~(GRANULE - 1ULL),
	.input_last = UINT64_MAX,
	.domain_last = 99,
	.max_mappings = 1000,
};

void guest_create(const struct iommu_config *config)
{
	memset(&g, 0, sizeof(g));
	g.config = *config;
	if (guest_mem_add_bank(&g.mem, 0, RAM_SIZE) || iommu_init(&g.iommu, config))
		exit(2);
	for (unsigned int n = 0; n < NR_ENDPOINTS; n++) {
		if (iommu_add_endpoint(&g.iommu, &g.eps[n], ep_id(n)) ||
		    dma_chan_init(&g.chans[n], &g.mem, &g.eps[n], 8))
			exit(2);
	}
	if (virtio_iommu_init(&g.viommu, &g.iommu, &g.mem, &g.stopping))
		exit(2);
	fake_driver_init(&g.drv, &g.viommu.vdev, &g.mem);
}

void guest_negotiate(u64 features)
{
	CHECK(fake_driver_negotiate(&g.drv, features & g.viommu.vdev.offered));
}

void guest_setup_queues(void)
{
	fake_queue_setup(&g.requestq, &g.drv, VIOMMU_REQUESTQ, QUEUE_SIZE, REQUEST_RINGS);
	fake_queue_setup(&g.eventq, &g.drv, VIOMMU_EVENTQ, QUEUE_SIZE, EVENT_RINGS);
}

void guest_start_with(const struct iommu_config *config, u64 features)
{
	guest_create(config);
	guest_negotiate(features);
	guest_setup_queues();
	fake_driver_status(&g.drv, VIRTIO_CONFIG_S_DRIVER_OK);
}

void guest_start(void)
{
	guest_start_with(&default_config, ALL_FEATURES);
}

void guest_end(void)
{
	fake_driver_status(&g.drv, 0);
	virtio_iommu_destroy(&g.viommu);
	for (unsigned int n = 0; n < NR_ENDPOINTS; n++)
		dma_chan_destroy(&g.chans[n]);
	iommu_destroy(&g.iommu);
	guest_mem_destroy(&g.mem);
}

u32 guest_request(const void *req, u32 out, void *reply, u32 in)
{
	const u64 in_addr = SCRATCH + 4 * KiB;
	const struct fake_seg segs[] = {{SCRATCH, out}, {in_addr, in}};
	u32 id, len;
	u16 head;

	fake_write(&g.drv, SCRATCH, req, out);
	fake_fill(&g.drv, in_addr, 0xee, in);
	head = fake_chain(&g.requestq, segs, 1, 1);
	fake_offer(&g.requestq, head);
	fake_kick(&g.requestq);
	if (!CHECK(fake_take_used(&g.requestq, &id, &len)) || !CHECK_EQ(id, head))
		return 0;
	fake_read(&g.drv, in_addr, reply, in);
	return len;
}

int guest_status(const void *req, u32 out)
{
	struct viommu_tail tail;

	if (guest_request(req, out, &tail, sizeof(tail)) != sizeof(tail))
		return NO_ANSWER;
	return tail.status;
}

int attach(u32 domain, u32 endpoint, u32 flags)
{
	const struct viommu_attach req = {
		.head.type = VIOMMU_T_ATTACH,
		.domain = htole32(domain),
		.endpoint = htole32(endpoint),
		.flags = htole32(flags),
	};

	return guest_status(&req, sizeof(req));
}

int detach(u32 domain, u32 endpoint)
{
	const struct viommu_detach req = {
		.head.type = VIOMMU_T_DETACH,
		.domain = htole32(domain),
		.endpoint = htole32(endpoint),
	};

	return guest_status(&req, sizeof(req));
}

int map(u32 domain, u64 start, u64 last, u64 gpa, u32 flags)
{
	const struct viommu_map req = {
		.head.type = VIOMMU_T_MAP,
		.domain = htole32(domain),
		.virt_start = htole64(start),
		.virt_end = htole64(last),
		.phys_start = htole64(gpa),
		.flags = htole32(flags),
	};

	return guest_status(&req, sizeof(req));
}

int unmap(u32 domain, u64 start, u64 last)
{
	const struct viommu_unmap req = {
		.head.type = VIOMMU_T_UNMAP,
		.domain = htole32(domain),
		.virt_start = htole64(start),
		.virt_end = htole64(last),
	};

	return guest_status(&req, sizeof(req));
}

int attach_table(u32 domain, u32 endpoint, u8 format, const void *desc, size_t len)
{
	struct viommu_attach_table req = {
		.head.type = VIOMMU_T_ATTACH_TABLE,
		.domain = htole32(domain),
		.endpoint = htole32(endpoint),
		.format = format,
	};

	memcpy(req.descriptor, desc, len);
	return guest_status(&req, sizeof(req));
}

int detach_pasid(u32 domain, u32 endpoint, u32 pasid, u32 flags)
{
	const struct viommu_detach req = {
		.head.type = VIOMMU_T_DETACH,
		.domain = htole32(domain),
		.endpoint = htole32(endpoint),
		.pasid = htole32(pasid),
		.flags = htole32(flags),
	};

	return guest_status(&req, sizeof(req));
}

int invalidate(const struct viommu_invalidate *req)
{
	struct viommu_invalidate r = *req;

	r.head.type = VIOMMU_T_INVALIDATE;
	return guest_status(&r, sizeof(r));
}

int map_page(u32 domain, u64 iova, u64 gpa)
{
	return map(domain, iova, iova + GRANULE - 1, gpa, RW);
}

int unmap_page(u32 domain, u64 iova)
{
	return unmap(domain, iova, iova + GRANULE - 1);
}

u64 reach(unsigned int n, u64 iova, u32 dir)
{
	dma_handle_t handle;
	struct iovec iov;
	u64 gpa;

	if (dma_map(&g.chans[n], DMA_NO_PASID, iova, 1, dir, &iov, 1, &handle) < 0)
		return NOWHERE;
	gpa = (u8 *)iov.iov_base - g.mem.banks[0].hva;
	dma_unmap(&g.chans[n], handle);
	return gpa;
}

u64 faults(unsigned int n)
{
	return atomic_load(&g.eps[n].faults);
}

void write_bypass(u8 val)
{
	pthread_mutex_lock(&g.viommu.vdev.lock);
	g.viommu.vdev.ops->config_write(&g.viommu.vdev, offsetof(struct viommu_config, bypass),
					&val, 1);
	pthread_mutex_unlock(&g.viommu.vdev.lock);
}

u8 read_bypass(void)
{
	u8 val;

	pthread_mutex_lock(&g.viommu.vdev.lock);
	g.viommu.vdev.ops->config_read(&g.viommu.vdev, offsetof(struct viommu_config, bypass), &val,
				       1);
	pthread_mutex_unlock(&g.viommu.vdev.lock);
	return val;
}
