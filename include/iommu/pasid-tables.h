/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which PASID has which page table, where the device keeps that and no table of the guest does.
 * Lookups take no lock; changes are serialised by the caller, who also frees what they replace,
 * once no access relies on it.
 */
#ifndef LKVM_IOMMU_PASID_TABLES_H
#define LKVM_IOMMU_PASID_TABLES_H

#include "iommu/format.h"

#define PASID_MAX_BITS 20

/* NULL when out of memory. */
struct pasid_tables *pasid_tables_new(void);

/* Frees the tables, too. */
void pasid_tables_free(struct pasid_tables *tables);

/* An iommu_table_lookup. */
const struct iommu_table *pasid_tables_find(const void *tables, u32 pasid);

/* Makes room for @pasid, so that a set cannot fail. -ENOMEM. */
int pasid_tables_reserve(struct pasid_tables *tables, u32 pasid);

/* Puts @table (NULL: none) there, after a reserve if there is one. Returns what was there. */
struct iommu_table *pasid_tables_set(struct pasid_tables *tables, u32 pasid,
				     struct iommu_table *table);

/* How many there are. */
u32 pasid_tables_count(const struct pasid_tables *tables);

/* The first one at @pasid or above; NULL: none. */
const struct iommu_table *pasid_tables_next(const struct pasid_tables *tables, u32 pasid);

#endif /* LKVM_IOMMU_PASID_TABLES_H */
