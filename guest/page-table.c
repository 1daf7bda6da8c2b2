// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arm Architecture Reference Manual, "VMSAv8-64 translation table format descriptors"; Intel
 * Software Developer's Manual, volume 3A, "4-level paging"; RISC-V privileged architecture,
 * "Sv39" and "Sv48".
 */
#include "page-table.h"

#include "rt/core.h"
#include "rt/pages.h"

#define INDEX_BITS 9
#define INDEX_MASK 511
#define NR_ENTRIES 512

struct layout {
	unsigned int levels;
	u64 present; /* of any valid entry */
	u64 table; /* what is added for one that leads to a table */
	u64 (*leaf)(u64 gpa, unsigned int size_log2, u32 flags);
	bool (*is_table)(u64 entry); /* of a valid entry that is not of the last level */
	u64 (*encode)(u64 gpa);
	u64 (*decode)(u64 entry);
};

static u64 encode_plain(u64 gpa)
{
	return gpa;
}

static u64 decode_47_12(u64 entry)
{
	return entry & GENMASK_ULL(47, 12);
}

#define A64_VALID  BIT_ULL(0)
#define A64_TABLE  BIT_ULL(1) /* in the last level: a page */
#define A64_USER   BIT_ULL(6)
#define A64_RDONLY BIT_ULL(7)
#define A64_INNER  (3ULL << 8)
#define A64_AF	   BIT_ULL(10)
#define A64_NG	   BIT_ULL(11)
#define A64_PXN	   BIT_ULL(53)
#define A64_UXN	   BIT_ULL(54)

static u64 a64_leaf(u64 gpa, unsigned int size_log2, u32 flags)
{
	u64 leaf = gpa | A64_VALID | A64_INNER | A64_AF | A64_NG;

	if (size_log2 == PAGE_4K)
		leaf |= A64_TABLE;
	if (flags & PAGE_USER)
		leaf |= A64_USER;
	if (!(flags & PAGE_WRITE))
		leaf |= A64_RDONLY;
	if (!(flags & PAGE_EXEC))
		leaf |= A64_PXN | A64_UXN;
	return leaf;
}

static bool a64_is_table(u64 entry)
{
	return entry & A64_TABLE;
}

#define X86_PRESENT  BIT_ULL(0)
#define X86_WRITE    BIT_ULL(1)
#define X86_USER     BIT_ULL(2)
#define X86_ACCESSED BIT_ULL(5)
#define X86_DIRTY    BIT_ULL(6)
#define X86_LARGE    BIT_ULL(7)
#define X86_NX	     BIT_ULL(63)

static u64 x86_leaf(u64 gpa, unsigned int size_log2, u32 flags)
{
	u64 leaf = gpa | X86_PRESENT;

	if (size_log2 != PAGE_4K)
		leaf |= X86_LARGE;
	if (flags & PAGE_USER)
		leaf |= X86_USER;
	if (flags & PAGE_WRITE)
		leaf |= X86_WRITE;
	if (!(flags & PAGE_EXEC))
		leaf |= X86_NX;
	return leaf;
}

static bool x86_is_table(u64 entry)
{
	return !(entry & X86_LARGE);
}

#define SV_VALID    BIT_ULL(0)
#define SV_READ	    BIT_ULL(1)
#define SV_WRITE    BIT_ULL(2)
#define SV_EXEC	    BIT_ULL(3)
#define SV_USER	    BIT_ULL(4)
#define SV_ACCESSED BIT_ULL(6)
#define SV_DIRTY    BIT_ULL(7)

static u64 sv_encode(u64 gpa)
{
	return gpa >> 2;
}

static u64 sv_decode(u64 entry)
{
	return (entry & GENMASK_ULL(53, 10)) << 2;
}

static u64 sv_leaf(u64 gpa, unsigned int size_log2, u32 flags)
{
	u64 leaf = sv_encode(gpa) | SV_VALID | SV_READ | SV_ACCESSED;

	(void)size_log2;
	if (flags & PAGE_USER)
		leaf |= SV_USER;
	if (flags & PAGE_WRITE)
		leaf |= SV_WRITE | SV_DIRTY;
	if (flags & PAGE_EXEC)
		leaf |= SV_EXEC;
	return leaf;
}

static bool sv_is_table(u64 entry)
{
	return !(entry & (SV_READ | SV_WRITE | SV_EXEC));
}

static const struct layout layouts[] = {
	[PAGE_TABLE_AARCH64] = {4, A64_VALID, A64_TABLE, a64_leaf, a64_is_table, encode_plain,
				decode_47_12},
	[PAGE_TABLE_X86_64] = {4, X86_PRESENT, X86_WRITE | X86_USER, x86_leaf, x86_is_table,
			       encode_plain, decode_47_12},
	[PAGE_TABLE_SV39] = {3, SV_VALID, 0, sv_leaf, sv_is_table, sv_encode, sv_decode},
	[PAGE_TABLE_SV48] = {4, SV_VALID, 0, sv_leaf, sv_is_table, sv_encode, sv_decode},
};

static const struct layout *layout_of(const struct page_table *pt)
{
	return &layouts[pt->kind];
}

static u64 *table_at(u64 gpa)
{
	return (u64 *)(uintptr_t)gpa;
}

/* The place of @iova in a table whose entries translate 2^@shift bytes each. */
static unsigned int index_of(u64 iova, unsigned int shift)
{
	return iova >> shift & INDEX_MASK;
}

static unsigned int root_shift(const struct layout *l)
{
	return PAGE_4K + INDEX_BITS * (l->levels - 1);
}

bool page_table_alloc(struct page_table *pt, enum page_table_kind kind)
{
	pt->kind = kind;
	pt->root = pages_get(0);
	return pt->root;
}

static void free_table(const struct layout *l, u64 *table, unsigned int shift)
{
	unsigned int i;

	for (i = 0; i < NR_ENTRIES && shift > PAGE_4K; i++) {
		if ((table[i] & l->present) && l->is_table(table[i]))
			free_table(l, table_at(l->decode(table[i])), shift - INDEX_BITS);
	}
	pages_put(table, 0);
}

void page_table_free(struct page_table *pt)
{
	if (pt->root)
		free_table(layout_of(pt), pt->root, root_shift(layout_of(pt)));
	pt->root = NULL;
}

/* The table below @entry, a new one if there is none. NULL: no memory, or a leaf is there. */
static u64 *next_table(const struct layout *l, u64 *entry)
{
	u64 *table;

	if (*entry & l->present)
		return l->is_table(*entry) ? table_at(l->decode(*entry)) : NULL;
	table = pages_get(0);
	if (!table)
		return NULL;
	/* The device may look at any time: what it finds behind the entry is zeroed. */
	__atomic_store_n(entry, l->encode(gpa_of(table)) | l->present | l->table, __ATOMIC_RELEASE);
	return table;
}

bool page_table_map(struct page_table *pt, u64 iova, u64 gpa, unsigned int size_log2, u32 flags)
{
	const struct layout *l = layout_of(pt);
	unsigned int shift = root_shift(l);
	u64 *table = pt->root;

	for (; table && shift > size_log2; shift -= INDEX_BITS)
		table = next_table(l, &table[index_of(iova, shift)]);
	if (!table)
		return false;
	__atomic_store_n(&table[index_of(iova, shift)], l->leaf(gpa, size_log2, flags),
			 __ATOMIC_RELEASE);
	return true;
}

u64 *page_table_leaf(const struct page_table *pt, u64 iova)
{
	const struct layout *l = layout_of(pt);
	unsigned int shift = root_shift(l);
	u64 *table = pt->root;

	for (;; shift -= INDEX_BITS) {
		u64 *entry = &table[index_of(iova, shift)];

		if (shift == PAGE_4K)
			return entry;
		if (!(*entry & l->present))
			return NULL;
		if (!l->is_table(*entry))
			return entry;
		table = table_at(l->decode(*entry));
	}
}

void page_table_unmap(struct page_table *pt, u64 iova)
{
	u64 *entry = page_table_leaf(pt, iova);

	if (entry)
		__atomic_store_n(entry, 0, __ATOMIC_RELEASE);
}

bool page_table_is_marked(const struct page_table *pt, u64 iova, bool dirty)
{
	u64 *entry = page_table_leaf(pt, iova);

	return entry &&
	       (__atomic_load_n(entry, __ATOMIC_ACQUIRE) & (dirty ? X86_DIRTY : X86_ACCESSED));
}
