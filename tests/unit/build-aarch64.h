/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a guest of an SMMUv3 would write to its memory: AArch64 page tables, context descriptors
 * (CD) and tables of them; and a slow walk that follows the manual word by word, for comparison.
 * It shares no line with the one that is tested.
 */
#ifndef LKVM_TESTS_BUILD_AARCH64_H
#define LKVM_TESTS_BUILD_AARCH64_H

#include "iommu/format.h"
#include "table-memory.h"

/* Bits of leaves */
#define A64_VALID      1ULL
#define A64_USER       (1ULL << 6)
#define A64_READ_ONLY  (1ULL << 7)
#define A64_AF	       (1ULL << 10)
#define A64_NOT_GLOBAL (1ULL << 11)
#define A64_CONTIGUOUS (1ULL << 52)
#define A64_PXN	       (1ULL << 53)
#define A64_UXN	       (1ULL << 54)
/* Bits of table descriptors */
#define A64_TABLE_PXN	    (1ULL << 59)
#define A64_TABLE_UXN	    (1ULL << 60)
#define A64_TABLE_NO_USER   (1ULL << 61)
#define A64_TABLE_READ_ONLY (1ULL << 62)

/* Read and write for everybody. */
#define A64_RW (A64_USER | A64_AF | A64_NOT_GLOBAL)

struct a64_space {
	struct table_memory *tm;
	unsigned int granule; /* log2 */
	unsigned int tsz;
	bool upper; /* TTB1 */
	u64 ttb;
};

/* An empty address space with its first table. */
void a64_init(struct a64_space *space, struct table_memory *tm, unsigned int granule,
	      unsigned int tsz, bool upper);

/* The lowest bit of an address that is translated at @level; the first level of a space. */
unsigned int a64_level_bit(unsigned int granule, unsigned int level);
unsigned int a64_first_level(const struct a64_space *space);

/* An address in the half of that size, with the low bits of @low. */
u64 a64_va(unsigned int tsz, bool upper, u64 low);

/* Where the descriptor of @va at @level is; makes the tables above. */
u64 a64_entry(const struct a64_space *space, u64 va, unsigned int level);

/* The descriptor of a leaf, which has @pa anywhere in it. */
u64 a64_leaf(const struct a64_space *space, unsigned int level, u64 pa, u64 attributes);

/* Puts it there. */
void a64_map(const struct a64_space *space, u64 va, unsigned int level, u64 pa, u64 attributes);

/* Fields of CD word 0 */
#define CD_EPD(upper) (1ULL << ((upper) ? 30 : 14))
#define CD_ENDI	      (1ULL << 15)
#define CD_V	      (1ULL << 31)
#define CD_IPS(x)     ((u64)(x) << 32)
#define CD_AFFD	      (1ULL << 35)
#define CD_WXN	      (1ULL << 36)
#define CD_UWXN	      (1ULL << 37)
#define CD_TBI(upper) (1ULL << ((upper) ? 39 : 38))
#define CD_PAN	      (1ULL << 40)
#define CD_AA64	      (1ULL << 41)
#define CD_HD	      (1ULL << 42)
#define CD_HA	      (1ULL << 43)
#define CD_S	      (1ULL << 44)
#define CD_R	      (1ULL << 45)
#define CD_A	      (1ULL << 46)
#define CD_ASET	      (1ULL << 47)
#define CD_ASID(x)    ((u64)(x) << 48)
/* Of words 1 and 2 */
#define CD_HAD (1ULL << 1)

/* As Linux has it: valid, aborts, records, 48 bits out, the other half disabled. */
void cd_fill(u64 cd[8], const struct a64_space *space, u16 asid);
/* Adds the other half to what cd_fill() made of the first. */
void cd_add(u64 cd[8], const struct a64_space *space);
void cd_put(const struct table_memory *tm, u64 gpa, const u64 cd[8]);

/* STE words */
#define STE_V	       1ULL
#define STE_S1	       (5ULL << 1)
#define STE_FMT(x)     ((u64)(x) << 4)
#define STE_CDMAX(x)   ((u64)(x) << 59)
#define STE_DSS(x)     ((u64)(x))
#define FMT_LINEAR     0
#define FMT_LEAVES_4K  1
#define FMT_LEAVES_64K 2

/*
 * Makes a CD table of 2^@cdmax entries in format @fmt, empty, and returns word 0 of the STE for
 * it; where the CD of @pasid is in it.
 */
u64 cd_table(struct table_memory *tm, unsigned int fmt, unsigned int cdmax);
u64 cd_entry(struct table_memory *tm, u64 ste0, u32 pasid);

/* What should come out of a walk from @ste on. 0 or -EFAULT. */
int a64_reference(const struct guest_mem *mem, const struct iommu_limits *limits, const u64 ste[2],
		  u32 pasid, u64 iova, u32 access, struct iommu_walk_result *result);

#endif /* LKVM_TESTS_BUILD_AARCH64_H */
