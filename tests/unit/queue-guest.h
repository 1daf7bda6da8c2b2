/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device that does nothing of itself, with a driver of its queue 0: the test takes
 * chains and uses them as the device. There is one at a time.
 */
#ifndef LKVM_TESTS_QUEUE_GUEST_H
#define LKVM_TESTS_QUEUE_GUEST_H

#include "fake-guest.h"
#include "fake-packed.h"
#include "iommu/iommu.h"

#define RAM_SIZE    (8 * MiB)
#define OUTSIDE	    (RAM_SIZE + MiB)
#define RINGS	    (64 * KiB)
#define OTHER_RINGS (256 * KiB)
#define TABLE	    (1 * MiB) /* indirect tables */
#define BUFFERS	    (2 * MiB)
#define SIZE	    16
#define MAX_SIZE    256

#define ALL_FEATURES ~0ULL
#define EVENT_IDX    BIT_ULL(VIRTIO_RING_F_EVENT_IDX)

struct queue_guest {
	struct guest_mem mem;
	struct iommu iommu;
	struct iommu_endpoint ep;
	struct virtio_device vdev;
	struct fake_driver drv;
	struct fake_queue q; /* one of these, by what is negotiated */
	struct packed_queue p;
	u64 rings;
	struct virtq *vq;
	struct virtq_chain chain;
	unsigned int starts, stops, kicks;
};

extern struct queue_guest t;

/* With the rings at RINGS, of queue size @size, and @features of those that are offered. */
void device_start(u64 features, u16 size);
void device_end(void);

/* The same, of a device that offers packed queues. */
void packed_start(u64 features, u16 size);

/* The same in parts: the device alone, behind @ep if not NULL; then the driver. */
void device_create(struct iommu_endpoint *ep);
void driver_start(u64 features, u16 size, u64 rings);

/*
 * Behind an IOMMU where the IOVA pages from IOVA_BASE on are in memory, but in another
 * order and not next to each other; the rings are at the IOVA @rings.
 */
#define PAGE	  4096ULL
#define IOVA_BASE 0x123456000000ULL
#define NR_PAGES  32
void device_start_behind_iommu(u16 size, u64 rings);
void packed_start_behind_iommu(u16 size, u64 rings);
u64 scattered(u64 iova);
void iova_page_map(unsigned int page, u32 flags);
void iova_page_unmap(unsigned int page);

bool needs_reset(void);

/* Offers a buffer of 8 writable bytes; takes a used one. In either layout. */
void offer_one(void);
bool take_used(u32 *id, u32 *len);

/* Takes the chain that must be there. */
bool pop(void);

/* Offers a buffer, takes and uses it. */
void use_one(void);

/*
 * Nothing works any more, and that was said once, to the driver and by @text on the
 * terminal; or all is well.
 */
void check_broken(const char *text);
void check_works(void);

#endif /* LKVM_TESTS_QUEUE_GUEST_H */
