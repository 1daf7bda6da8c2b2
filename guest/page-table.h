/* SPDX-License-Identifier: GPL-2.0-only */
/* Page tables as an IOMMU walks them, for the half of all addresses that begins at 0. */
#ifndef LKVM_GUEST_PAGE_TABLE_H
#define LKVM_GUEST_PAGE_TABLE_H

#include "util/types.h"

enum page_table_kind {
	PAGE_TABLE_AARCH64, /* granule 4 KiB, 48 bits */
	PAGE_TABLE_AARCH64_16K, /* 48 bits */
	PAGE_TABLE_AARCH64_64K, /* 52 bits */
	PAGE_TABLE_X86_64, /* 4 levels */
	PAGE_TABLE_X86_64_5, /* 5 levels */
	PAGE_TABLE_SV39,
	PAGE_TABLE_SV48,
	PAGE_TABLE_SV57,
};

/* Permissions. What is mapped can be read. */
#define PAGE_WRITE BIT(0)
#define PAGE_EXEC  BIT(1)
#define PAGE_USER  BIT(2)

/* In the translations of every ID; x86-64 has nothing of the kind. */
#define PAGE_GLOBAL BIT(3)

/* That it was accessed or written to is left to the IOMMU to mark, as always with x86-64. */
#define PAGE_UNMARKED BIT(4)

#define PAGE_4K 12
#define PAGE_2M 21

struct page_table {
	enum page_table_kind kind;
	u64 *root;
};

/* log2 of a page, which is the least that can be mapped, and of a table. */
unsigned int page_table_page(enum page_table_kind kind);

/* log2 of the addresses from 0 on that it translates. */
unsigned int page_table_bits(enum page_table_kind kind);

/*
 * Bit n: a leaf may have 2^n bytes. Some are groups of entries: AArch64's with the contiguous bit,
 * and RISC-V's NAPOT of 64 KiB. All kinds have PAGE_2M.
 */
u64 page_table_sizes(enum page_table_kind kind);

/* False if there is no memory. */
bool page_table_alloc(struct page_table *pt, enum page_table_kind kind);

/* Gives back all tables. Nothing may be using them. */
void page_table_free(struct page_table *pt);

/*
 * Writes one leaf of 2^@size_log2 bytes, one of page_table_sizes(), whatever leaf of that size
 * was there. What the IOMMU has cached is the caller's business. False if there is no memory
 * for a table, or if there is a larger leaf where a table would have to be.
 */
bool page_table_map(struct page_table *pt, u64 iova, u64 gpa, unsigned int size_log2, u32 flags);

/* Clears the leaf that translates @iova, all entries of it, if there is one. */
void page_table_unmap(struct page_table *pt, u64 iova);

/* The entry that translates @iova, or would; NULL if no table leads there. */
u64 *page_table_leaf(const struct page_table *pt, u64 iova);

/* Whether the page is marked as accessed, or as written to (@dirty). Not of AArch64. */
bool page_table_is_marked(const struct page_table *pt, u64 iova, bool dirty);

/* Of X86_64: whether it is marked as accessed by who has extended access flags, too. */
bool page_table_is_extended(const struct page_table *pt, u64 iova);

#endif /* LKVM_GUEST_PAGE_TABLE_H */
