/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page tables of x86-64 with 4 or 5 levels, as the first stage of Intel VT-d and the guest tables
 * of AMD have them. What the two do not agree on is in struct x86_tables.
 */
#ifndef LKVM_IOMMU_FORMAT_X86_WALK_H
#define LKVM_IOMMU_FORMAT_X86_WALK_H

#include "iommu/format.h"

#define X86_PAGE_SIZES (4 * KiB | 2 * MiB | 1 * GiB)

struct x86_tables {
	u64 root; /* GPA, page aligned */
	bool five_levels; /* and addresses of 57 bits; else 4 and 48 */
	unsigned int pa_bits;
	u64 top_reserved; /* in levels 4 and 5, beside PS */
	bool sign_extended; /* the rest of an address repeats its highest bit; else is 0 */
	bool supervisor; /* the access is one; else it is a user's */
	bool write_protect; /* supervisors do not write without R/W either */
	bool update; /* A and D are set */
	bool extended_accessed; /* with A, EA is set */
};

enum x86_walk_end {
	X86_WALK_DONE,
	X86_WALK_ADDRESS, /* not one of 48 or 57 bits */
	X86_WALK_ROOT_UNREADABLE,
	X86_WALK_UNREADABLE, /* a table below the root */
	X86_WALK_NOT_PRESENT,
	X86_WALK_RESERVED, /* a bit that must be 0 is not */
	X86_WALK_USER,
	X86_WALK_WRITE,
	X86_WALK_EXEC,
	X86_WALK_ENDS,
};

/*
 * Translates @iova for @access, DMA_READ, DMA_WRITE and DMA_EXEC. Fills in start, last, gpa and
 * access of @result if it is done, otherwise nothing. A and D are set only for accesses that are
 * allowed. Takes no lock.
 */
enum x86_walk_end x86_walk(const struct guest_mem *mem, const struct x86_tables *tables, u64 iova,
			   u32 access, struct iommu_walk_result *result);

/* What a vendor makes of the end of a walk; and of those that come before it. */
struct x86_fault {
	u32 code;
	enum iommu_fault_reason reason;
	const char *why;
};

/* Fills in @result; -EFAULT. */
int x86_fail(struct iommu_walk_result *result, const struct x86_fault *fault);

/* Whether a table may be there at all: page aligned, and no wider than @pa_bits. */
bool x86_table_address(u64 gpa, unsigned int pa_bits);

#endif /* LKVM_IOMMU_FORMAT_X86_WALK_H */
