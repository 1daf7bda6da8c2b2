/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A table format of no vendor, so simple that what is tested is what is around a format. A table
 * is a page of 512 entries, for the first 512 pages of IOVAs, whatever is in bits 63:56:
 *	0 present, 1 writable, 2 global, 51:12 address
 */
#ifndef LKVM_TESTS_TOY_FORMAT_H
#define LKVM_TESTS_TOY_FORMAT_H

#include "iommu/format.h"

#define TOY_BASE  100 /* number of the table for the whole endpoint */
#define TOY_PASID 101 /* and of that of one PASID */

#define TOY_P BIT_ULL(0)
#define TOY_W BIT_ULL(1)
#define TOY_G BIT_ULL(2)

struct toy_descriptor {
	u8 reserved[3]; /* anything else than 0 is malformed */
	u64 table; /* GPA */
	u32 pasid; /* with TOY_PASID */
	u32 id;
	u8 rest[111 - 19];
} __packed;

/* Tables of PASIDs need one for the endpoint. */
extern const struct iommu_format toy_format;
/* They do not; and they name a domain only. */
extern const struct iommu_format toy_free_format;
extern const struct iommu_format toy_domain_format;

/* How many walks there were. */
extern _Atomic unsigned int toy_walks;

#endif /* LKVM_TESTS_TOY_FORMAT_H */
