/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The mapping store of a domain: disjoint ranges of I/O virtual addresses (IOVA),
 * each with the guest-physical address (GPA) it starts at and its permissions.
 * Ranges are inclusive at both ends, so that one can end at 2^64 - 1.
 *
 * A store has no lock of its own: the caller lets one thread at a time use it. Only
 * mapping_store_find() may be called at any time and by any thread, while others change the
 * store, too.
 */
#ifndef LKVM_IOMMU_MAPPING_H
#define LKVM_IOMMU_MAPPING_H

#include "util/types.h"

#define MAPPING_READ  BIT(0)
#define MAPPING_WRITE BIT(1)
#define MAPPING_MMIO  BIT(2)

struct mapping {
	u64 start; /* first IOVA */
	u64 last; /* last IOVA, >= start */
	u64 gpa; /* what start translates to */
	u32 flags; /* MAPPING_* */
};

struct mapping_store;

/* NULL when out of memory. */
struct mapping_store *mapping_store_new(void);
void mapping_store_free(struct mapping_store *store);

/* How many mappings are in the store. */
u64 mapping_store_count(const struct mapping_store *store);

/*
 * Adds a copy of @m. -EEXIST: it overlaps one that is there; -ENOMEM. On failure
 * the store is as it was.
 */
int mapping_store_add(struct mapping_store *store, const struct mapping *m);

/*
 * Finds the mapping that holds @iova; false if there is none. Takes no lock; sees each mapping as
 * it is before or after a change that runs meanwhile. A change waits for a lookup that was
 * disturbed again and again.
 */
bool mapping_store_find(struct mapping_store *store, u64 iova, struct mapping *out);

/*
 * The same, and @out is the mapping together with neighbours that go on where it begins or ends, to
 * the next GPA and with the same flags: all that are in the same node of the store.
 */
bool mapping_store_find_run(struct mapping_store *store, u64 iova, struct mapping *out);

/* Finds the first mapping that ends at or after @iova; false if there is none. */
bool mapping_store_next(const struct mapping_store *store, u64 iova, struct mapping *out);

/*
 * Removes every mapping inside [start, last]. -ERANGE, and nothing removed, if one
 * crosses an end of the range. Otherwise the number removed is put in @removed (may
 * be NULL) and the result is 0. O(log n + removed), never allocates, never fails
 * otherwise.
 */
int mapping_store_remove(struct mapping_store *store, u64 start, u64 last, u64 *removed);

/* Removes all. Keeps the memory for mappings to come. */
void mapping_store_clear(struct mapping_store *store);

#endif /* LKVM_IOMMU_MAPPING_H */
