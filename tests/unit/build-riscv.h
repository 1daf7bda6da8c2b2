/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a guest of a RISC-V IOMMU would write to its memory: page tables and process directories;
 * and a slow walk that follows the manual word by word, for comparison. It shares no line with the
 * one that is tested.
 */
#ifndef LKVM_TESTS_BUILD_RISCV_H
#define LKVM_TESTS_BUILD_RISCV_H

#include "iommu/format.h"
#include "table-memory.h"

#define PTE_V	    (1ULL << 0)
#define PTE_R	    (1ULL << 1)
#define PTE_W	    (1ULL << 2)
#define PTE_X	    (1ULL << 3)
#define PTE_U	    (1ULL << 4)
#define PTE_G	    (1ULL << 5)
#define PTE_A	    (1ULL << 6)
#define PTE_D	    (1ULL << 7)
#define PTE_N	    (1ULL << 63)
#define PTE_PBMT(x) ((u64)(x) << 61)
/* Everything for users, used already. */
#define PTE_ALL (PTE_V | PTE_R | PTE_W | PTE_X | PTE_U | PTE_A | PTE_D)

/* MODE of iosatp, also as the number of levels less 3; and of pdtp */
#define SV39 8
#define SV48 9
#define SV57 10
#define PD8  1
#define PD17 2
#define PD20 3

#define TC_V	(1ULL << 0)
#define TC_DTF	(1ULL << 4)
#define TC_PDTV (1ULL << 5)
#define TC_SADE (1ULL << 8)
#define TC_DPE	(1ULL << 9)

#define TA_V	    (1ULL << 0)
#define TA_ENS	    (1ULL << 1)
#define TA_SUM	    (1ULL << 2)
#define TA_PSCID(x) ((u64)(x) << 12)

struct rv_space {
	struct table_memory *tm;
	unsigned int mode; /* SV39 to SV57 */
	u64 root;
};

void rv_init(struct rv_space *space, struct table_memory *tm, unsigned int mode);
unsigned int rv_levels(unsigned int mode);
/* iosatp */
u64 rv_iosatp(const struct rv_space *space);

/* An address with the low bits of @va, as it has to be. */
u64 rv_sign_extend(unsigned int mode, u64 va);

/* Where the PTE of @va at @level (0: of pages of 4 KiB) is; makes the tables above. */
u64 rv_entry(const struct rv_space *space, u64 va, unsigned int level);
u64 rv_leaf(u64 pa, u64 attributes);
void rv_map(const struct rv_space *space, u64 va, unsigned int level, u64 pa, u64 attributes);

/* An empty process directory of a mode, as pdtp; where the PC of @pasid is in it. */
u64 pdt_init(struct table_memory *tm, unsigned int mode);
u64 pdt_entry(struct table_memory *tm, u64 pdtp, u32 pasid);

/*
 * What should come out of a walk. @dc is tc, ta and fsc. With @managed, @pc is the ta and fsc that
 * the device keeps for the PASID that the access uses, or NULL. Memory stays as it is: @last is
 * the last entry that is read of the page table, and what has to be in it then; its GPA is ~0 if
 * there is none. 0 or -EFAULT.
 */
struct rv_pte {
	u64 gpa, val;
};

int rv_reference(const struct guest_mem *mem, const struct iommu_limits *limits, const u64 dc[3],
		 bool managed, const u64 *pc, u32 pasid, u64 iova, u32 access,
		 struct iommu_walk_result *result, struct rv_pte *last);

#endif /* LKVM_TESTS_BUILD_RISCV_H */
