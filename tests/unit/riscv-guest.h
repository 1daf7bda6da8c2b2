/* SPDX-License-Identifier: GPL-2.0-only */
/* An endpoint behind a RISC-V IOMMU: what is attached to it, and accesses. One at a time. */
#ifndef LKVM_TESTS_RISCV_GUEST_H
#define LKVM_TESTS_RISCV_GUEST_H

#include "build-riscv.h"
#include "format-guest.h"

#define MAX_KEPT 8

struct riscv_guest {
	struct table_memory tm;
	struct iommu_limits limits;
	const struct iommu_format *format;
	u64 dc[3]; /* tc, ta, fsc */
	struct iommu_table base; /* what became of them */
	struct iommu_table kept[MAX_KEPT]; /* by the device, for PASIDs */
	unsigned int nr_kept;
	struct rv_space space; /* of PASID RV_PASID, by rv_attach_space() */
	struct iommu_walk_result result; /* of the last access */
};

extern struct riscv_guest rv;

/* 56 bits of memory, PASIDs of 20 bits, nothing attached. */
void rv_start(const struct iommu_format *format);
void rv_end(void);

/* One ATTACH_TABLE, which is forgotten again. */
int rv_check(u64 tc, u64 ta, u64 fsc, u32 pasid, u32 flags);

/* The same for all accesses; they are attached if the format likes them. MANAGED with gipc. */
int rv_attach(u64 tc, u64 ta, u64 fsc);
/* An empty page table for PASID RV_PASID, in a directory, with those bits of tc and PC.ta. */
#define RV_PASID 5
void rv_attach_space(unsigned int mode, u64 tc, u64 ta);
/* For a PASID. */
int rv_keep(u32 pasid, u64 ta, u64 fsc);

/* The cause, or 0; compared with the reference. */
u32 rv_access(u32 pasid, u64 iova, u32 access);

#endif /* LKVM_TESTS_RISCV_GUEST_H */
