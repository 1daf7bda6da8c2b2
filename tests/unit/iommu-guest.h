/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest with a virtio-iommu and a few endpoints behind it, each with one DMA
 * channel. Requests go through the request queue; what they mean is asked by DMA.
 * There is one such guest at a time.
 */
#ifndef LKVM_TESTS_IOMMU_GUEST_H
#define LKVM_TESTS_IOMMU_GUEST_H

#include "fake-guest.h"
#include "iommu/dma.h"
#include "iommu/iommu.h"
#include "virtio/iommu-wire.h"
#include "virtio/iommu.h"

#define RAM_SIZE   (8 * MiB) /* from GPA 0 on */
#define DATA_BASE  (1 * MiB) /* free for tests from here on */
#define SCRATCH	   (512 * KiB) /* requests and answers of the functions below */
#define EVENT_BASE (768 * KiB) /* free for buffers of events */
#define QUEUE_SIZE 256
#define PROBE_SIZE 512

#define NR_ENDPOINTS 4
/* The IDs of the endpoints are FIRST_EP, FIRST_EP + EP_STEP, ... */
#define FIRST_EP   8
#define EP_STEP	   8
#define ep_id(n)   (EP_STEP * (n) + FIRST_EP)
#define UNKNOWN_EP 9

#define GRANULE 4096

/* What a request comes to when the device writes no tail. */
#define NO_ANSWER (-1)

struct iommu_guest {
	struct guest_mem mem;
	struct iommu_config config;
	struct iommu iommu;
	struct iommu_endpoint eps[NR_ENDPOINTS];
	struct dma_chan chans[NR_ENDPOINTS];
	struct virtio_iommu viommu;
	_Atomic bool stopping;
	struct fake_driver drv;
	struct fake_queue requestq, eventq;
};

extern struct iommu_guest g;

/* 4 KiB pages, all IOVAs, domains 0 to 99, a thousand mappings, no region, no bypass. */
extern const struct iommu_config default_config;

#define ALL_FEATURES ~0ULL

/* Starts it, with @features of those that are offered, up to DRIVER_OK. */
void guest_start_with(const struct iommu_config *config, u64 features);
void guest_start(void);
void guest_end(void);

/* The same in parts, for what happens in between. */
void guest_create(const struct iommu_config *config);
void guest_negotiate(u64 features);
void guest_setup_queues(void);

/*
 * One request of @out bytes, in one readable and one writable descriptor of @in bytes.
 * The writable bytes are 0xee before, and in @reply afterwards. Returns the used length.
 */
u32 guest_request(const void *req, u32 out, void *reply, u32 in);

/* One request with a tail only; its status. */
int guest_status(const void *req, u32 out);

int attach(u32 domain, u32 endpoint, u32 flags);
int detach(u32 domain, u32 endpoint);
int map(u32 domain, u64 start, u64 last, u64 gpa, u32 flags);
int unmap(u32 domain, u64 start, u64 last);
#define RW (VIOMMU_MAP_READ | VIOMMU_MAP_WRITE)

/* ATTACH_TABLE with the first @len bytes of a descriptor, and what else there is with it. */
int attach_table(u32 domain, u32 endpoint, u8 format, const void *desc, size_t len);
int detach_pasid(u32 domain, u32 endpoint, u32 pasid, u32 flags);
int invalidate(const struct viommu_invalidate *req); /* but for its head */

/* Maps one page; most tests need no more. */
int map_page(u32 domain, u64 iova, u64 gpa);
int unmap_page(u32 domain, u64 iova);

/* Where endpoint @n's access to one byte at @iova ends: a GPA, or NOWHERE. */
u64 reach(unsigned int n, u64 iova, u32 dir);
#define NOWHERE (~0ULL)

/* How many faults have been counted for endpoint @n. */
u64 faults(unsigned int n);

void write_bypass(u8 val);
u8 read_bypass(void);

#endif /* LKVM_TESTS_IOMMU_GUEST_H */
