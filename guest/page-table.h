/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page tables as an IOMMU walks them, with pages of 4 KiB and leaves of 2 MiB, of addresses up
 * to 2^38: the least that all of these kinds have.
 */
#ifndef LKVM_GUEST_PAGE_TABLE_H
#define LKVM_GUEST_PAGE_TABLE_H

#include "util/types.h"

enum page_table_kind {
	PAGE_TABLE_AARCH64, /* granule 4 KiB, 48 bits */
	PAGE_TABLE_X86_64, /* 4 levels */
	PAGE_TABLE_SV39,
	PAGE_TABLE_SV48,
};

/* Permissions. What is mapped can be read. */
#define PAGE_WRITE BIT(0)
#define PAGE_EXEC  BIT(1)
#define PAGE_USER  BIT(2)

#define PAGE_4K 12
#define PAGE_2M 21

struct page_table {
	enum page_table_kind kind;
	u64 *root;
};

/* False if there is no memory. */
bool page_table_alloc(struct page_table *pt, enum page_table_kind kind);

/* Gives back all tables. Nothing may be using them. */
void page_table_free(struct page_table *pt);

/*
 * Writes one leaf of 2^@size_log2 bytes (PAGE_4K, PAGE_2M), whatever was there. What the IOMMU
 * has cached is the caller's business. False if there is no memory for a table, or if there is
 * a leaf of 2 MiB where a table would have to be.
 */
bool page_table_map(struct page_table *pt, u64 iova, u64 gpa, unsigned int size_log2, u32 flags);

/* Clears the leaf that translates @iova, if there is one. */
void page_table_unmap(struct page_table *pt, u64 iova);

/* The entry that translates @iova, or would; NULL if no table leads there. */
u64 *page_table_leaf(const struct page_table *pt, u64 iova);

/* Whether the IOMMU marked the page that it accessed, and wrote to (@dirty). Only of X86_64. */
bool page_table_is_marked(const struct page_table *pt, u64 iova, bool dirty);

#endif /* LKVM_GUEST_PAGE_TABLE_H */
