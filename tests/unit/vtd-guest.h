/* SPDX-License-Identifier: GPL-2.0-only */
/* A guest with tables of the format vtd, made by the builder, and walks of them. */
#ifndef LKVM_TESTS_VTD_GUEST_H
#define LKVM_TESTS_VTD_GUEST_H

#include <errno.h>

#include "build-x86.h"
#include "iommu/dma.h"
#include "iommu/format.h"
#include "unit.h"

#define RAM	   (1 * MiB) /* GPA and size */
#define TABLES	   (RAM + 64 * KiB)
#define PAGE	   4096ULL
#define PA_BITS	   40
#define PASID_BITS 20
#define PASID	   5

#define SRE	   1
#define EAFE	   2
#define WPE	   4
#define PASID_FLAG 0x100

struct vtd_guest {
	struct guest_mem mem;
	struct iommu_limits limits;
	struct x86_build b;
	struct iommu_table base, table; /* without a PASID, of PASID */
	bool has_base, has_table;
	struct iommu_walk_result result;
};

/* There is one at a time. */
extern struct vtd_guest vtd;

/* Memory, and an empty root table that is attached with @flags, as vtd_attach() does. */
void vtd_begin(unsigned int levels, u32 flags);
void vtd_end(void);

/* ATTACH_TABLE: its bytes, and what the format says to them. */
void vtd_make_desc(u8 *desc, u64 root, u32 pasid, u32 flags, u32 width);
int vtd_check(const u8 *desc, struct iommu_table *table);

/* One page table, for accesses without a PASID and for those with PASID alike. */
void vtd_attach(u64 root, unsigned int levels, u32 flags);

/* What a walk finds tables of PASIDs with. @opaque is &vtd. */
iommu_table_lookup vtd_lookup;

/* What it finds is in vtd.result. */
int vtd_walk_pasid(u32 pasid, u64 iova, u32 access);
int vtd_walk(u64 iova, u32 access); /* of PASID */
void vtd_check_fault(int ret, u32 code, enum iommu_fault_reason reason);

/* Flips bits of an entry that is there. */
void vtd_change(u64 iova, unsigned int level, u64 bits);

/* What each entry of the path has of A, D and EA. */
void vtd_check_marks(u64 iova, unsigned int levels, unsigned int leaf, u64 all, u64 of_leaf);

/*
 * One access with everything random but the memory, in one of the twins, against the reference
 * in the other.
 */
enum x86_ref_end vtd_compare(struct x86_twins *twins, unsigned int pa_bits);

#endif /* LKVM_TESTS_VTD_GUEST_H */
