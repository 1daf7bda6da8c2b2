// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "iommu/pasid-tables.h"

#define LEAF_BITS 10
#define LEAF_SIZE (1U << LEAF_BITS)
#define NR_LEAVES (1U << (PASID_MAX_BITS - LEAF_BITS))

struct leaf {
	_Atomic(struct iommu_table *) tables[LEAF_SIZE];
};

struct pasid_tables {
	_Atomic(struct leaf *) leaves[NR_LEAVES]; /* stay until the end */
	u32 count;
};

struct pasid_tables *pasid_tables_new(void)
{
	return calloc(1, sizeof(struct pasid_tables));
}

void pasid_tables_free(struct pasid_tables *tables)
{
	for (u32 i = 0; i < NR_LEAVES; i++) {
		struct leaf *leaf = atomic_load(&tables->leaves[i]);

		for (u32 j = 0; leaf && j < LEAF_SIZE; j++)
			free(atomic_load(&leaf->tables[j]));
		free(leaf);
	}
	free(tables);
}

const struct iommu_table *pasid_tables_find(const void *opaque, u32 pasid)
{
	const struct pasid_tables *tables = opaque;
	struct leaf *leaf;

	if (pasid >> PASID_MAX_BITS)
		return NULL;
	leaf = atomic_load(&tables->leaves[pasid >> LEAF_BITS]);
	return leaf ? atomic_load(&leaf->tables[pasid % LEAF_SIZE]) : NULL;
}

int pasid_tables_reserve(struct pasid_tables *tables, u32 pasid)
{
	struct leaf *leaf = atomic_load(&tables->leaves[pasid >> LEAF_BITS]);

	if (leaf)
		return 0;
	leaf = calloc(1, sizeof(*leaf));
	if (!leaf)
		return -ENOMEM;
	atomic_store(&tables->leaves[pasid >> LEAF_BITS], leaf);
	return 0;
}

struct iommu_table *pasid_tables_set(struct pasid_tables *tables, u32 pasid,
				     struct iommu_table *table)
{
	struct leaf *leaf = atomic_load(&tables->leaves[pasid >> LEAF_BITS]);
	struct iommu_table *old;

	if (!leaf)
		return NULL;
	old = atomic_exchange(&leaf->tables[pasid % LEAF_SIZE], table);
	tables->count += !!table - !!old;
	return old;
}

u32 pasid_tables_count(const struct pasid_tables *tables)
{
	return tables->count;
}

const struct iommu_table *pasid_tables_next(const struct pasid_tables *tables, u32 pasid)
{
	while (pasid >> PASID_MAX_BITS == 0) {
		struct leaf *leaf = atomic_load(&tables->leaves[pasid >> LEAF_BITS]);
		const struct iommu_table *table;

		if (!leaf) {
			pasid = (pasid | (LEAF_SIZE - 1)) + 1;
			continue;
		}
		table = atomic_load(&leaf->tables[pasid % LEAF_SIZE]);
		if (table)
			return table;
		pasid++;
	}
	return NULL;
}
