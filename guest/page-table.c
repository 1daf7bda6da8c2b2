// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arm Architecture Reference Manual, "VMSAv8-64 translation table format descriptors"; Intel
 * Software Developer's Manual, volume 3A, "4-level paging and 5-level paging"; RISC-V privileged
 * architecture, "Sv39", "Sv48" and "Sv57".
 */
#include "page-table.h"

#include "rt/core.h"
#include "rt/pages.h"

#define ENTRY_SIZE_LOG2 3
#define MAX_SIZES	6

struct layout {
	u8 bits; /* of the addresses from 0 on */
	u8 page; /* log2, of tables as well */
	u8 levels;
	/* Leaves: what all entries of one translate, and what one of them does; log2. */
	struct {
		u8 size, entry;
	} leaves[MAX_SIZES];
	u64 present; /* of any valid entry */
	u64 table; /* what is added for one that leads to a table */
	u64 group; /* what entries have that are one leaf together */
	u64 accessed, dirty;
	/* @entry: 2^@entry bytes; @grouped: one of several of a leaf. */
	u64 (*leaf)(u64 gpa, unsigned int entry, bool grouped, u32 flags);
	bool (*is_table)(u64 entry); /* of a valid entry that is not of the last level */
	u64 (*encode)(u64 gpa);
	u64 (*decode)(u64 entry);
};

static u64 encode_plain(u64 gpa)
{
	return gpa;
}

/* No table is where more bits are needed; below the address are attributes. */
static u64 decode_47_12(u64 entry)
{
	return entry & GENMASK_ULL(47, 12);
}

#define A64_VALID      BIT_ULL(0)
#define A64_TABLE      BIT_ULL(1) /* in the last level: a page */
#define A64_USER       BIT_ULL(6)
#define A64_RDONLY     BIT_ULL(7)
#define A64_INNER      (3ULL << 8)
#define A64_AF	       BIT_ULL(10)
#define A64_NG	       BIT_ULL(11)
#define A64_CONTIGUOUS BIT_ULL(52)
#define A64_PXN	       BIT_ULL(53)
#define A64_UXN	       BIT_ULL(54)

/* The largest page; there are no blocks that are as small as that. */
#define A64_MAX_PAGE 16

static u64 a64_leaf(u64 gpa, unsigned int entry, bool grouped, u32 flags)
{
	u64 leaf = gpa | A64_VALID | A64_INNER;

	if (entry <= A64_MAX_PAGE)
		leaf |= A64_TABLE;
	if (grouped)
		leaf |= A64_CONTIGUOUS;
	if (!(flags & PAGE_UNMARKED))
		leaf |= A64_AF;
	if (!(flags & PAGE_GLOBAL))
		leaf |= A64_NG;
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
#define X86_EXTENDED BIT_ULL(10)
#define X86_NX	     BIT_ULL(63)

static u64 x86_leaf(u64 gpa, unsigned int entry, bool grouped, u32 flags)
{
	u64 leaf = gpa | X86_PRESENT;

	(void)grouped;
	if (entry != PAGE_4K)
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
#define SV_GLOBAL   BIT_ULL(5)
#define SV_ACCESSED BIT_ULL(6)
#define SV_DIRTY    BIT_ULL(7)
#define SV_N	    BIT_ULL(63)

/* All entries of a NAPOT leaf are the same: the lowest bits of its page number are its size. */
#define SV_NAPOT_SIZE 16
#define SV_NAPOT_MASK GENMASK_ULL(SV_NAPOT_SIZE - 1, PAGE_4K)
#define SV_NAPOT_BITS BIT_ULL(SV_NAPOT_SIZE - 1)

static u64 sv_encode(u64 gpa)
{
	return gpa >> 2;
}

static u64 sv_decode(u64 entry)
{
	return (entry & GENMASK_ULL(53, 10)) << 2;
}

static u64 sv_leaf(u64 gpa, unsigned int entry, bool grouped, u32 flags)
{
	u64 leaf = SV_VALID | SV_READ;

	(void)entry;
	if (grouped) {
		gpa = (gpa & ~SV_NAPOT_MASK) | SV_NAPOT_BITS;
		leaf |= SV_N;
	}
	leaf |= sv_encode(gpa);
	if (flags & PAGE_USER)
		leaf |= SV_USER;
	if (flags & PAGE_GLOBAL)
		leaf |= SV_GLOBAL;
	if (flags & PAGE_WRITE)
		leaf |= SV_WRITE;
	if (flags & PAGE_EXEC)
		leaf |= SV_EXEC;
	if (!(flags & PAGE_UNMARKED))
		leaf |= SV_ACCESSED | (flags & PAGE_WRITE ? SV_DIRTY : 0);
	return leaf;
}

static bool sv_is_table(u64 entry)
{
	return !(entry & (SV_READ | SV_WRITE | SV_EXEC));
}

#define AARCH64(bits_, page_, levels_, ...) \
	{.bits = bits_,                     \
	 .page = page_,                     \
	 .levels = levels_,                 \
	 .leaves = __VA_ARGS__,             \
	 .present = A64_VALID,              \
	 .table = A64_TABLE,                \
	 .group = A64_CONTIGUOUS,           \
	 .leaf = a64_leaf,                  \
	 .is_table = a64_is_table,          \
	 .encode = encode_plain,            \
	 .decode = decode_47_12}

#define X86_64(bits_, levels_)                     \
	{.bits = bits_,                            \
	 .page = 12,                               \
	 .levels = levels_,                        \
	 .leaves = {{12, 12}, {21, 21}, {30, 30}}, \
	 .present = X86_PRESENT,                   \
	 .table = X86_WRITE | X86_USER,            \
	 .accessed = X86_ACCESSED,                 \
	 .dirty = X86_DIRTY,                       \
	 .leaf = x86_leaf,                         \
	 .is_table = x86_is_table,                 \
	 .encode = encode_plain,                   \
	 .decode = decode_47_12}

#define SV(bits_, levels_, ...)                                           \
	{.bits = bits_,                                                   \
	 .page = 12,                                                      \
	 .levels = levels_,                                               \
	 .leaves = {{12, 12}, {16, 12}, {21, 21}, {30, 30}, __VA_ARGS__}, \
	 .present = SV_VALID,                                             \
	 .group = SV_N,                                                   \
	 .accessed = SV_ACCESSED,                                         \
	 .dirty = SV_DIRTY,                                               \
	 .leaf = sv_leaf,                                                 \
	 .is_table = sv_is_table,                                         \
	 .encode = sv_encode,                                             \
	 .decode = sv_decode}

/* Signed addresses have a bit less in each half. */
static const struct layout layouts[] = {
	[PAGE_TABLE_AARCH64] =
		AARCH64(48, 12, 4, {{12, 12}, {16, 12}, {21, 21}, {25, 21}, {30, 30}, {34, 30}}),
	[PAGE_TABLE_AARCH64_16K] = AARCH64(48, 14, 4, {{14, 14}, {21, 14}, {25, 25}, {30, 25}}),
	[PAGE_TABLE_AARCH64_64K] = AARCH64(52, 16, 3, {{16, 16}, {21, 16}, {29, 29}, {34, 29}}),
	[PAGE_TABLE_X86_64] = X86_64(47, 4),
	[PAGE_TABLE_X86_64_5] = X86_64(56, 5),
	[PAGE_TABLE_SV39] = SV(38, 3, {}),
	[PAGE_TABLE_SV48] = SV(47, 4, {39, 39}),
	[PAGE_TABLE_SV57] = SV(56, 5, {39, 39}, {48, 48}),
};

static const struct layout *layout_of(const struct page_table *pt)
{
	return &layouts[pt->kind];
}

unsigned int page_table_page(enum page_table_kind kind)
{
	return layouts[kind].page;
}

unsigned int page_table_bits(enum page_table_kind kind)
{
	return layouts[kind].bits;
}

u64 page_table_sizes(enum page_table_kind kind)
{
	const struct layout *l = &layouts[kind];
	u64 sizes = 0;
	unsigned int i;

	for (i = 0; i < MAX_SIZES && l->leaves[i].size; i++)
		sizes |= BIT_ULL(l->leaves[i].size);
	return sizes;
}

static u64 *table_at(u64 gpa)
{
	return (u64 *)(uintptr_t)gpa;
}

static unsigned int index_bits(const struct layout *l)
{
	return l->page - ENTRY_SIZE_LOG2;
}

static unsigned int table_order(const struct layout *l)
{
	return l->page - PAGE_4K;
}

/* The place of @iova in a table whose entries translate 2^@shift bytes each. */
static unsigned int index_of(const struct layout *l, u64 iova, unsigned int shift)
{
	return iova >> shift & (BIT(index_bits(l)) - 1);
}

static unsigned int root_shift(const struct layout *l)
{
	return l->page + index_bits(l) * (l->levels - 1);
}

bool page_table_alloc(struct page_table *pt, enum page_table_kind kind)
{
	pt->kind = kind;
	pt->root = pages_get(table_order(layout_of(pt)));
	return pt->root;
}

static void free_table(const struct layout *l, u64 *table, unsigned int shift)
{
	unsigned int i;

	for (i = 0; i < BIT(index_bits(l)) && shift > l->page; i++) {
		if ((table[i] & l->present) && l->is_table(table[i]))
			free_table(l, table_at(l->decode(table[i])), shift - index_bits(l));
	}
	pages_put(table, table_order(l));
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
	table = pages_get(table_order(l));
	if (!table)
		return NULL;
	/* The device may look at any time: what it finds behind the entry is zeroed. */
	__atomic_store_n(entry, l->encode(gpa_of(table)) | l->present | l->table, __ATOMIC_RELEASE);
	return table;
}

/* What one entry of a leaf of that size translates, log2. */
static unsigned int entry_of(const struct layout *l, unsigned int size_log2)
{
	unsigned int i;

	for (i = 0; l->leaves[i].size != size_log2; i++) {
		if (i == MAX_SIZES - 1)
			panic("no leaf has 2^%u bytes", size_log2);
	}
	return l->leaves[i].entry;
}

bool page_table_map(struct page_table *pt, u64 iova, u64 gpa, unsigned int size_log2, u32 flags)
{
	const struct layout *l = layout_of(pt);
	unsigned int entry = entry_of(l, size_log2), shift = root_shift(l);
	u64 *table = pt->root, i;

	for (; table && shift > entry; shift -= index_bits(l))
		table = next_table(l, &table[index_of(l, iova, shift)]);
	if (!table)
		return false;
	for (i = 0; i < BIT_ULL(size_log2 - entry); i++)
		__atomic_store_n(&table[index_of(l, iova, shift) + i],
				 l->leaf(gpa + (i << entry), entry, size_log2 != entry, flags),
				 __ATOMIC_RELEASE);
	return true;
}

/* As page_table_leaf(); *@shift is log2 of what the entry translates. */
static u64 *find_leaf(const struct page_table *pt, u64 iova, unsigned int *shift)
{
	const struct layout *l = layout_of(pt);
	u64 *table = pt->root;

	for (*shift = root_shift(l);; *shift -= index_bits(l)) {
		u64 *entry = &table[index_of(l, iova, *shift)];

		if (*shift == l->page)
			return entry;
		if (!(*entry & l->present))
			return NULL;
		if (!l->is_table(*entry))
			return entry;
		table = table_at(l->decode(*entry));
	}
}

u64 *page_table_leaf(const struct page_table *pt, u64 iova)
{
	unsigned int shift;

	return find_leaf(pt, iova, &shift);
}

/* How many entries are one leaf with this one. */
static u64 nr_entries(const struct layout *l, u64 entry, unsigned int shift)
{
	unsigned int i;

	for (i = 0; (entry & l->group) && i < MAX_SIZES; i++) {
		if (l->leaves[i].entry == shift && l->leaves[i].size > shift)
			return BIT_ULL(l->leaves[i].size - shift);
	}
	return 1;
}

void page_table_unmap(struct page_table *pt, u64 iova)
{
	const struct layout *l = layout_of(pt);
	unsigned int shift;
	u64 *entry = find_leaf(pt, iova, &shift), n;

	if (!entry)
		return;
	n = nr_entries(l, *entry, shift);
	entry -= index_of(l, iova, shift) % n;
	while (n--)
		__atomic_store_n(&entry[n], 0, __ATOMIC_RELEASE);
}

static bool has_bit(const struct page_table *pt, u64 iova, u64 bit)
{
	u64 *entry = page_table_leaf(pt, iova);

	return entry && (__atomic_load_n(entry, __ATOMIC_ACQUIRE) & bit);
}

bool page_table_is_marked(const struct page_table *pt, u64 iova, bool dirty)
{
	const struct layout *l = layout_of(pt);

	return has_bit(pt, iova, dirty ? l->dirty : l->accessed);
}

bool page_table_is_extended(const struct page_table *pt, u64 iova)
{
	return has_bit(pt, iova, X86_EXTENDED);
}
