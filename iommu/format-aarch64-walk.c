// SPDX-License-Identifier: GPL-2.0-only
#include "iommu/format-aarch64-walk.h"
#include "iommu/dma.h"

/* Descriptors. Bits that are in none of these names do not matter for a walk in software. */
#define DESC_VALID BIT_ULL(0)
#define DESC_TABLE BIT_ULL(1) /* at level 3, a page */

#define LEAF_USER	BIT_ULL(6) /* AP[1] */
#define LEAF_READ_ONLY	BIT_ULL(7) /* AP[2] */
#define LEAF_ACCESSED	BIT_ULL(10)
#define LEAF_NOT_GLOBAL BIT_ULL(11)
#define LEAF_PXN	BIT_ULL(53)
#define LEAF_UXN	BIT_ULL(54)

/* What a table descriptor says of all leaves below. */
#define TABLE_PXN	BIT_ULL(59)
#define TABLE_UXN	BIT_ULL(60)
#define TABLE_NO_USER	BIT_ULL(61) /* APTable[0] */
#define TABLE_READ_ONLY BIT_ULL(62) /* APTable[1] */

#define LAST_LEVEL 3

/* The GPA in a descriptor, of a table or leaf that is aligned to 2^@shift. */
static u64 output_address(const struct aarch64_tables *tables, u64 desc, unsigned int shift)
{
	u64 gpa = desc & GENMASK_ULL(47, shift);

	if (tables->granule == 16 && tables->wide)
		gpa |= (desc & GENMASK_ULL(15, 12)) << (48 - 12);
	return gpa;
}

static bool block_allowed(const struct aarch64_tables *tables, unsigned int level)
{
	switch (tables->granule) {
	case 12:
		return level == 1 || level == 2;
	case 14:
		return level == 2;
	default:
		return level == 2 || (level == 1 && tables->wide);
	}
}

/*
 * What a leaf allows for the privilege of @access; @above has the bits of all table descriptors
 * on the way. Reading what is to be executed needs both permissions here.
 */
static u32 permissions(const struct aarch64_tables *tables, u64 leaf, u64 above, u32 access)
{
	bool user = leaf & LEAF_USER && !(above & TABLE_NO_USER);
	bool write = !(leaf & LEAF_READ_ONLY) && !(above & TABLE_READ_ONLY);
	bool read = true, exec;

	if (access & DMA_PRIV) {
		/* What users may write is never executed with privilege. */
		exec = !(leaf & LEAF_PXN) && !(above & TABLE_PXN) && !(user && write);
	} else {
		exec = !(leaf & LEAF_UXN) && !(above & TABLE_UXN);
		read = user;
		write = write && user;
	}
	if (tables->write_no_exec && write)
		exec = false;
	/* Behind WXN: it asks whether the page is writable at all. */
	if (access & DMA_PRIV && tables->priv_no_user && user)
		read = write = false;

	return (read ? DMA_READ : 0) | (write ? DMA_WRITE : 0) | (exec ? DMA_EXEC : 0);
}

/*
 * Makes the offset into the region that the table covers out of @iova. The bits above have to
 * repeat bit 55, which chose the table.
 */
static bool region_offset(const struct aarch64_tables *tables, u64 iova, u64 *offset)
{
	unsigned int bits = 64 - tables->unused_bits;
	u64 upper;

	if (tables->top_ignored)
		iova = (u64)((s64)(iova << 8) >> 8);
	upper = iova >> bits;
	*offset = iova & GENMASK_ULL(bits - 1, 0);
	return upper == (iova & BIT_ULL(55) ? ~0ULL >> bits : 0);
}

enum aarch64_walk_end aarch64_walk(const struct guest_mem *mem, const struct aarch64_tables *tables,
				   u64 iova, u32 access, struct iommu_walk_result *result)
{
	unsigned int granule = tables->granule;
	unsigned int stride = granule - 3;
	unsigned int bits = 64 - tables->unused_bits;
	unsigned int levels = (bits - granule + stride - 1) / stride;
	unsigned int shift = granule + stride * (levels - 1);
	unsigned int level = LAST_LEVEL + 1 - levels;
	u64 desc, gpa, offset, above = 0, table;
	u32 allowed;

	if (!region_offset(tables, iova, &offset))
		return AARCH64_WALK_TRANSLATION;

	/* The first table may be smaller than a page, and is aligned to what it is. */
	table = tables->base & ~(((u64)8 << (bits - shift)) - 1);

	for (;; level++, shift -= stride) {
		if (guest_mem_load64(mem, table + (offset >> shift) * 8, &desc))
			return AARCH64_WALK_UNREADABLE;
		if (!(desc & DESC_VALID))
			return AARCH64_WALK_TRANSLATION;
		if (level == LAST_LEVEL ? !(desc & DESC_TABLE)
					: !(desc & DESC_TABLE) && !block_allowed(tables, level))
			return AARCH64_WALK_TRANSLATION;
		if (level == LAST_LEVEL || !(desc & DESC_TABLE))
			break;

		table = output_address(tables, desc, granule);
		if (table >> tables->output_bits)
			return AARCH64_WALK_ADDRESS_SIZE;
		if (!tables->flat)
			above |= desc;
		offset &= ((u64)1 << shift) - 1;
	}

	gpa = output_address(tables, desc, shift);
	if (gpa >> tables->output_bits)
		return AARCH64_WALK_ADDRESS_SIZE;
	if (!(desc & LEAF_ACCESSED) && !tables->no_access_fault)
		return AARCH64_WALK_ACCESS_FLAG;
	allowed = permissions(tables, desc, above, access);
	if (access & (DMA_READ | DMA_WRITE | DMA_EXEC) & ~allowed)
		return AARCH64_WALK_PERMISSION;

	result->start = align_down(iova, (u64)1 << shift);
	result->last = result->start + (((u64)1 << shift) - 1);
	result->gpa = gpa;
	result->access = allowed;
	result->global = !(desc & LEAF_NOT_GLOBAL);
	result->top_ignored = tables->top_ignored;
	return AARCH64_WALK_DONE;
}
