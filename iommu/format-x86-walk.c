// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "iommu/dma.h"
#include "iommu/format-x86-walk.h"

#define PTE_P	 BIT_ULL(0)
#define PTE_RW	 BIT_ULL(1)
#define PTE_US	 BIT_ULL(2)
#define PTE_A	 BIT_ULL(5)
#define PTE_D	 BIT_ULL(6)
#define PTE_PS	 BIT_ULL(7)
#define PTE_EA	 BIT_ULL(10)
#define PTE_ADDR GENMASK_ULL(51, 12)
#define PTE_XD	 BIT_ULL(63)

#define TOP_LEVELS	5
#define TOP_LEAF_LEVEL	3
#define LEVEL_SHIFT(l)	(12 + 9 * ((l) - 1))
#define LEVELS(t)	((t)->five_levels ? 5U : 4U)
#define ADDRESS_BITS(t) (12 + 9 * LEVELS(t))

/* Of the path from the root, by level, as it was read. */
struct path {
	u64 gpa[TOP_LEVELS + 1];
	u64 entry[TOP_LEVELS + 1];
	unsigned int leaf; /* level */
};

bool x86_table_address(u64 gpa, unsigned int pa_bits)
{
	return is_aligned(gpa, 4 * KiB) && !(gpa >> pa_bits);
}

static bool address_ok(const struct x86_tables *t, u64 iova)
{
	unsigned int bits = ADDRESS_BITS(t);
	u64 above = t->sign_extended ? iova >> (bits - 1) : iova >> bits;

	return !above || (t->sign_extended && above == ~0ULL >> (bits - 1));
}

static bool is_leaf(unsigned int level, u64 entry)
{
	return level == 1 || entry & PTE_PS;
}

/*
 * Of an entry that is present. Bit 12 of a large leaf is not of its address, but PAT, which
 * does not matter here.
 */
static bool has_reserved(const struct x86_tables *t, unsigned int level, u64 entry)
{
	u64 reserved = PTE_ADDR & ~(BIT_ULL(t->pa_bits) - 1);

	if (level > TOP_LEAF_LEVEL)
		reserved |= PTE_PS | t->top_reserved;
	else if (level > 1 && entry & PTE_PS)
		reserved |= GENMASK_ULL(LEVEL_SHIFT(level) - 1, 13);
	return entry & reserved;
}

static enum x86_walk_end read_path(const struct guest_mem *mem, const struct x86_tables *t,
				   u64 iova, struct path *path)
{
	u64 table = t->root, entry;
	unsigned int level;

	for (level = LEVELS(t);; level--) {
		path->gpa[level] = table + 8 * (iova >> LEVEL_SHIFT(level) & 0x1ff);
		if (guest_mem_load64(mem, path->gpa[level], &entry))
			return level == LEVELS(t) ? X86_WALK_ROOT_UNREADABLE : X86_WALK_UNREADABLE;
		if (!(entry & PTE_P))
			return X86_WALK_NOT_PRESENT;
		if (has_reserved(t, level, entry))
			return X86_WALK_RESERVED;
		path->entry[level] = entry;
		if (is_leaf(level, entry))
			break;
		table = entry & PTE_ADDR;
	}
	path->leaf = level;
	return X86_WALK_DONE;
}

/* What is allowed along the path, whatever was asked for. */
static u32 path_access(const struct x86_tables *t, const struct path *path)
{
	u64 all = ~0ULL, any = 0;
	u32 access = DMA_READ;
	unsigned int level;

	for (level = path->leaf; level <= LEVELS(t); level++) {
		all &= path->entry[level];
		any |= path->entry[level];
	}
	if (!t->supervisor && !(all & PTE_US))
		return 0;
	if (all & PTE_RW || (t->supervisor && !t->write_protect))
		access |= DMA_WRITE;
	if (!(any & PTE_XD))
		access |= DMA_EXEC;
	return access;
}

/*
 * From the root down, each entry only if it still is what was read; false: it is not. That a
 * table is of its own parents does not matter: walks only ever add bits, so that after a few
 * restarts there is nothing left to do. A guest that changes an entry without end has to do so
 * between the read and the update of each restart.
 */
static bool update_path(const struct guest_mem *mem, const struct x86_tables *t, struct path *path,
			u32 access)
{
	unsigned int level;

	for (level = LEVELS(t); level >= path->leaf; level--) {
		u64 old = path->entry[level];
		u64 new = old | PTE_A | (t->extended_accessed ? PTE_EA : 0);

		if (level == path->leaf && access & DMA_WRITE)
			new |= PTE_D;
		/* It is in a bank, because it was read, and banks stay. */
		if (new != old && guest_mem_cmpxchg64(mem, path->gpa[level], old, new))
			return false;
		path->entry[level] = new;
	}
	return true;
}

/* False: another one changed an entry after it was read. */
static bool walk_once(const struct guest_mem *mem, const struct x86_tables *t, u64 iova, u32 access,
		      struct iommu_walk_result *result, enum x86_walk_end *end)
{
	struct path path;
	u32 allowed;
	u64 size;

	*end = read_path(mem, t, iova, &path);
	if (*end != X86_WALK_DONE)
		return true;
	allowed = path_access(t, &path);
	if (!(allowed & DMA_READ))
		*end = X86_WALK_USER;
	else if (access & DMA_WRITE & ~allowed)
		*end = X86_WALK_WRITE;
	else if (access & DMA_EXEC & ~allowed)
		*end = X86_WALK_EXEC;
	if (*end != X86_WALK_DONE)
		return true;
	if (t->update) {
		if (!update_path(mem, t, &path, access))
			return false;
		/* The first write has to come here, to set D. */
		if (!(path.entry[path.leaf] & PTE_D))
			allowed &= ~DMA_WRITE;
	}

	size = BIT_ULL(LEVEL_SHIFT(path.leaf));
	result->start = align_down(iova, size);
	result->last = result->start + (size - 1);
	result->gpa = path.entry[path.leaf] & PTE_ADDR & ~(size - 1);
	result->access = allowed;
	return true;
}

enum x86_walk_end x86_walk(const struct guest_mem *mem, const struct x86_tables *tables, u64 iova,
			   u32 access, struct iommu_walk_result *result)
{
	enum x86_walk_end end;

	if (!address_ok(tables, iova))
		return X86_WALK_ADDRESS;
	while (!walk_once(mem, tables, iova, access, result, &end))
		;
	return end;
}

int x86_fail(struct iommu_walk_result *result, const struct x86_fault *fault)
{
	result->code = fault->code;
	result->reason = fault->reason;
	result->why = fault->why;
	return -EFAULT;
}
