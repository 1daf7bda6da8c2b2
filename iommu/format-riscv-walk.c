// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "iommu/dma.h"
#include "iommu/format-riscv-walk.h"

#define PTE_V	 BIT_ULL(0)
#define PTE_R	 BIT_ULL(1)
#define PTE_W	 BIT_ULL(2)
#define PTE_X	 BIT_ULL(3)
#define PTE_U	 BIT_ULL(4)
#define PTE_G	 BIT_ULL(5)
#define PTE_A	 BIT_ULL(6)
#define PTE_D	 BIT_ULL(7)
#define PTE_PPN	 GENMASK_ULL(53, 10)
#define PTE_RES0 GENMASK_ULL(58, 54) /* 60:59 are software's, by Svrsw60t59b */
#define PTE_PBMT GENMASK_ULL(62, 61) /* 3 is reserved; the others make no difference here */
#define PTE_N	 BIT_ULL(63)

#define PAGE_SHIFT 12
#define LEVEL_BITS 9

/* The only NAPOT size: 16 pages, which the low bits of the PPN say. */
#define NAPOT_SHIFT (PAGE_SHIFT + 4)
#define NAPOT_PPN   (8 * 4 * KiB)
#define NAPOT_MASK  (15 * 4 * KiB)

static u64 pte_address(u64 pte)
{
	return (pte & PTE_PPN) << (PAGE_SHIFT - 10);
}

/* Whether a level can have such an entry, be it pointer or leaf. */
static bool well_formed(u64 pte, unsigned int level)
{
	if (!(pte & PTE_V) || (pte & (PTE_R | PTE_W)) == PTE_W)
		return false;
	if (pte & PTE_RES0 || (pte & PTE_PBMT) == PTE_PBMT || (level && pte & PTE_N))
		return false;
	if (!(pte & (PTE_R | PTE_X)))
		return level && !(pte & (PTE_A | PTE_D | PTE_U | PTE_PBMT));
	return true;
}

static u32 permissions(const struct riscv_tables *tables, u64 pte)
{
	u32 allowed = (pte & PTE_R ? DMA_READ : 0) | (pte & PTE_W ? DMA_WRITE : 0) |
		      (pte & PTE_X ? DMA_EXEC : 0);

	if (!tables->supervisor)
		return pte & PTE_U ? allowed : 0;
	if (!(pte & PTE_U))
		return allowed;
	/* Never executed by a supervisor, whatever SUM says. */
	return tables->user_memory ? allowed & ~DMA_EXEC : 0;
}

/* The leaf's size as log2 and its GPA; false if the address is no multiple of that. */
static bool leaf_address(u64 pte, unsigned int level, unsigned int *shift, u64 *gpa)
{
	*shift = PAGE_SHIFT + LEVEL_BITS * level;
	*gpa = pte_address(pte);
	if (pte & PTE_N) {
		if ((*gpa & NAPOT_MASK) != NAPOT_PPN)
			return false;
		*shift = NAPOT_SHIFT;
		*gpa &= ~NAPOT_MASK;
	}
	return is_aligned(*gpa, (u64)1 << *shift);
}

enum riscv_walk_end riscv_walk(const struct guest_mem *mem, const struct riscv_tables *tables,
			       u64 iova, u32 access, struct iommu_walk_result *result)
{
	unsigned int level = tables->levels - 1, shift;
	unsigned int unused = 64 - PAGE_SHIFT - LEVEL_BITS * tables->levels;
	u64 table = tables->root, pte, marks, at, gpa;
	u32 wanted = access & (DMA_READ | DMA_WRITE | DMA_EXEC), allowed;
	bool global = false;
	int ret;

	if ((u64)((s64)(iova << unused) >> unused) != iova)
		return RISCV_WALK_PAGE_FAULT;

	for (;;) {
		shift = PAGE_SHIFT + LEVEL_BITS * level;
		at = table + (iova >> shift & GENMASK_ULL(LEVEL_BITS - 1, 0)) * sizeof(pte);
		if (at >> tables->pa_bits || guest_mem_load64(mem, at, &pte))
			return RISCV_WALK_ACCESS_FAULT;
		if (!well_formed(pte, level))
			return RISCV_WALK_PAGE_FAULT;
		if (!(pte & (PTE_R | PTE_X))) {
			/* What a pointer says holds for all that is below. */
			global = global || pte & PTE_G;
			table = pte_address(pte);
			level--;
			continue;
		}

		allowed = permissions(tables, pte);
		if (wanted & ~allowed || !leaf_address(pte, level, &shift, &gpa))
			return RISCV_WALK_PAGE_FAULT;
		if (gpa >> tables->pa_bits)
			return RISCV_WALK_ACCESS_FAULT;

		marks = PTE_A | (wanted & DMA_WRITE ? PTE_D : 0);
		if ((pte & marks) == marks)
			break;
		if (!tables->update)
			return RISCV_WALK_PAGE_FAULT;
		ret = guest_mem_cmpxchg64(mem, at, pte, pte | marks);
		if (!ret) {
			pte |= marks;
			break;
		}
		if (ret != -EAGAIN)
			return RISCV_WALK_ACCESS_FAULT;
		/* The entry is another one now, of any kind. */
	}

	result->start = align_down(iova, (u64)1 << shift);
	result->last = result->start + (((u64)1 << shift) - 1);
	result->gpa = gpa;
	result->access = pte & PTE_D ? allowed : allowed & ~DMA_WRITE;
	result->global = global || pte & PTE_G;
	return RISCV_WALK_DONE;
}
