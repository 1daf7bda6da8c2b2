/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page tables of RISC-V: Sv39, Sv48 and Sv57 with Svnapot, Svpbmt and Svrsw60t59b. The RISC-V
 * Instruction Set Manual, Volume II, "Supervisor-Level ISA".
 */
#ifndef LKVM_IOMMU_FORMAT_RISCV_WALK_H
#define LKVM_IOMMU_FORMAT_RISCV_WALK_H

#include "iommu/format.h"

/* The fourth is a group of 16 pages (Svnapot). */
#define RISCV_PAGE_SIZES (4 * KiB | 2 * MiB | GiB | 64 * KiB | 512 * GiB | 512 * 512 * GiB)

struct riscv_tables {
	u64 root; /* GPA, page aligned */
	unsigned int levels; /* 3 to 5: Sv39, Sv48, Sv57 */
	unsigned int pa_bits;
	bool supervisor; /* the access is one; else it is a user's */
	bool user_memory; /* SUM: supervisors may read and write pages of users */
	bool update; /* SADE: A and D are set */
};

enum riscv_walk_end {
	RISCV_WALK_DONE,
	RISCV_WALK_PAGE_FAULT,
	RISCV_WALK_ACCESS_FAULT, /* no memory at a table, or an address wider than pa_bits */
};

/*
 * Translates @iova for @access of DMA_READ, DMA_WRITE and DMA_EXEC. Fills in start, last, gpa,
 * access and global of @result if it is done, otherwise nothing. A and D are set only for
 * accesses that are allowed. Takes no lock.
 */
enum riscv_walk_end riscv_walk(const struct guest_mem *mem, const struct riscv_tables *tables,
			       u64 iova, u32 access, struct iommu_walk_result *result);

#endif /* LKVM_IOMMU_FORMAT_RISCV_WALK_H */
