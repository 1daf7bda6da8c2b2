/* SPDX-License-Identifier: GPL-2.0-only */
/* An endpoint behind an SMMUv3: what is attached to it, and accesses. One at a time. */
#ifndef LKVM_TESTS_SMMUV3_GUEST_H
#define LKVM_TESTS_SMMUV3_GUEST_H

#include "build-aarch64.h"
#include "format-guest.h"

#define F_STREAM_DISABLED 0x06
#define C_BAD_SUBSTREAMID 0x08
#define F_CD_FETCH	  0x09
#define C_BAD_CD	  0x0a
#define F_WALK_EABT	  0x0b
#define F_TRANSLATION	  0x10
#define F_ADDR_SIZE	  0x11
#define F_ACCESS	  0x12
#define F_PERMISSION	  0x13

struct smmuv3_guest {
	struct table_memory tm;
	struct iommu_limits limits;
	u64 ste[2];
	struct iommu_table table; /* what became of ste */
	struct iommu_walk_result result; /* of the last access */
};

extern struct smmuv3_guest smmu;

/* 48 bits of memory, PASIDs of 20 bits, nothing attached. */
void smmu_start(void);
void smmu_end(void);

/* What ATTACH_TABLE says to these words; they are attached if it likes them. */
int smmu_attach(u64 ste0, u64 ste1);

/* Attaches a single CD; or one for PASID SSID. Returns its GPA. */
#define SSID 5
u64 smmu_attach_cd(const u64 cd[8]);
u64 smmu_attach_ssid(const u64 cd[8]);

/* The code of the event, or 0; compared with the reference. */
u32 smmu_access(u32 pasid, u64 iova, u32 access);

#endif /* LKVM_TESTS_SMMUV3_GUEST_H */
