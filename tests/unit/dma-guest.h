/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory in several banks, an IOMMU with two endpoints in a domain, and DMA channels of
 * theirs. There is one such guest at a time.
 */
#ifndef LKVM_TESTS_DMA_GUEST_H
#define LKVM_TESTS_DMA_GUEST_H

#include "iommu/dma.h"
#include "iommu/iommu.h"

#define PAGE	     4096ULL
#define DOMAIN	     1
#define NR_EPS	     2
#define CHANS_PER_EP 2
#define MAX_OPEN     4

/* Two banks that touch, of one page and of many, and one far away. */
#define BANK0	  0ULL
#define BANK1	  PAGE
#define BANK_HIGH (4 * GiB)
#define BANK_SIZE (2 * MiB)

struct dma_guest {
	struct guest_mem mem;
	struct iommu iommu;
	struct iommu_endpoint eps[NR_EPS];
	struct dma_chan chans[NR_EPS][CHANS_PER_EP];
	struct dma_chan direct; /* of no endpoint */

	/* The last fault that was reported, and how many. */
	struct iommu_fault fault;
	_Atomic unsigned int nr_faults;
};

extern struct dma_guest d;

void dma_guest_start(void);
void dma_guest_end(void);

/* Maps @nr pages, and removes them. */
void dma_guest_map(u64 iova, u64 gpa, unsigned int nr, u32 flags);
void dma_guest_unmap(u64 iova, unsigned int nr);
#define MAP_RW (MAPPING_READ | MAPPING_WRITE)

/* Where @gpa is. */
u8 *host(u64 gpa);

#endif /* LKVM_TESTS_DMA_GUEST_H */
