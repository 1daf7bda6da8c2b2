/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Both ends of a table format: the bytes of ATTACH_TABLE, and walks that are compared with those
 * of a reference.
 */
#ifndef LKVM_TESTS_FORMAT_GUEST_H
#define LKVM_TESTS_FORMAT_GUEST_H

#include <stdio.h>

#include "iommu/dma.h"
#include "iommu/format.h"
#include "table-memory.h"
#include "unit.h"

#define R  DMA_READ
#define W  DMA_WRITE
#define X  DMA_EXEC
#define P  DMA_PRIV
#define RW (R | W)

/* A field of the request, by its offset there as in the documentation (the first is 13). */
void desc_put(u8 *desc, unsigned int offset, unsigned int size, u64 val);

/* A field of a property. */
u64 prop_get(const u8 *buf, unsigned int offset, unsigned int size);

/* Whether two walks ended in the same way; prints how not. */
bool same_walk(int ret, const struct iommu_walk_result *result, int ref_ret,
	       const struct iommu_walk_result *ref, u32 pasid, u64 iova, u32 access);

/* How many walks were compared, for a line of the test's output. */
extern unsigned long walks_compared;

#endif /* LKVM_TESTS_FORMAT_GUEST_H */
