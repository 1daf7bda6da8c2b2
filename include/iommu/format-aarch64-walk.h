/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page tables of AArch64 (VMSAv8-64, stage 1 of the regime EL1&0), as a context descriptor of an
 * SMMUv3 describes them. Arm Architecture Reference Manual, "The AArch64 Virtual Memory System
 * Architecture".
 */
#ifndef LKVM_IOMMU_FORMAT_AARCH64_WALK_H
#define LKVM_IOMMU_FORMAT_AARCH64_WALK_H

#include "iommu/format.h"

#define AARCH64_PAGE_SIZES \
	(4 * KiB | 16 * KiB | 64 * KiB | 2 * MiB | 32 * MiB | 512 * MiB | GiB | 4096 * GiB)

/* One of the two tables of an address space. */
struct aarch64_tables {
	u64 base; /* TTB: GPA; bits below the alignment of the table do not count */
	unsigned int unused_bits; /* TxSZ, 12 to 39: addresses have 64 minus that many bits */
	unsigned int granule; /* log2 of the page size: 12, 14, 16 */
	unsigned int output_bits; /* of the GPAs that may come out */
	bool wide; /* with 64 KiB pages: descriptors hold 52 bits, and there are blocks of 4 TiB */
	bool top_ignored; /* TBI: bits 63:56 of an address may be anything */
	bool flat; /* HAD: attributes in table descriptors are ignored */
	bool no_access_fault; /* AFFD: AF = 0 is no fault */
	bool write_no_exec; /* WXN */
	bool priv_no_user; /* PAN */
};

enum aarch64_walk_end {
	AARCH64_WALK_DONE,
	AARCH64_WALK_TRANSLATION, /* out of range, or an invalid descriptor */
	AARCH64_WALK_ADDRESS_SIZE, /* a descriptor's address has more than output_bits */
	AARCH64_WALK_ACCESS_FLAG,
	AARCH64_WALK_PERMISSION,
	AARCH64_WALK_UNREADABLE,
	AARCH64_WALK_ENDS,
};

/*
 * Translates @iova, which is for this table by its bit 55, for @access of DMA_READ, DMA_WRITE,
 * DMA_EXEC and DMA_PRIV. Fills in start, last, gpa, access, global and top_ignored of @result if
 * it is done, otherwise nothing. Changes no descriptor, takes no lock.
 */
enum aarch64_walk_end aarch64_walk(const struct guest_mem *mem, const struct aarch64_tables *tables,
				   u64 iova, u32 access, struct iommu_walk_result *result);

#endif /* LKVM_IOMMU_FORMAT_AARCH64_WALK_H */
