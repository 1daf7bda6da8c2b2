/* SPDX-License-Identifier: GPL-2.0-only */
/* What tests and benchmarks see of a mapping store beside its interface. */
#ifndef LKVM_IOMMU_MAPPING_DEBUG_H
#define LKVM_IOMMU_MAPPING_DEBUG_H

#include "iommu/mapping.h"

/*
 * Where every store gets its memory from; as aligned_alloc(), and what it gives is
 * released with free(). A test replaces it to make an allocation fail.
 */
extern void *(*mapping_store_alloc)(size_t align, size_t size);

/* The memory that the store holds, in bytes, whether in use or kept for later. */
size_t mapping_store_bytes(const struct mapping_store *store);

/*
 * How many nodes adding and removing have come to since the store is there: what they cost but for
 * caches.
 */
u64 mapping_store_visits(const struct mapping_store *store);

/* Looks at the whole tree. NULL if it is well-formed, else what is wrong with it. */
const char *mapping_store_check(const struct mapping_store *store);

#endif /* LKVM_IOMMU_MAPPING_DEBUG_H */
