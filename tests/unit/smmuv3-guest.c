// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>

#include "smmuv3-guest.h"

struct smmuv3_guest smmu;

void smmu_start(void)
{
	smmu = (struct smmuv3_guest){.limits = {.pa_bits = 48, .pasid_bits = 20}};
	table_memory_init(&smmu.tm);
}

void smmu_end(void)
{
	table_memory_destroy(&smmu.tm);
}

int smmu_attach(u64 ste0, u64 ste1)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE] = {};
	int ret;

	desc_put(desc, 16, 8, ste0);
	desc_put(desc, 24, 8, ste1);
	ret = format_smmuv3.check(&smmu.limits, VIOMMU_TABLE_ARM_SMMU3, desc, &smmu.table);
	if (!ret) {
		smmu.ste[0] = ste0;
		smmu.ste[1] = ste1;
	}
	return ret;
}

static u64 attach_cd(u64 ste0, u32 index, const u64 cd[8])
{
	u64 gpa = cd_entry(&smmu.tm, ste0, index);

	cd_put(&smmu.tm, gpa, cd);
	CHECK_EQ(smmu_attach(ste0, STE_DSS(0)), 0);
	return gpa;
}

u64 smmu_attach_cd(const u64 cd[8])
{
	return attach_cd(cd_table(&smmu.tm, FMT_LINEAR, 0), 0, cd);
}

u64 smmu_attach_ssid(const u64 cd[8])
{
	return attach_cd(cd_table(&smmu.tm, FMT_LINEAR, 4), SSID, cd);
}

u32 smmu_access(u32 pasid, u64 iova, u32 access)
{
	const struct iommu_walk walk = {
		.mem = &smmu.tm.mem,
		.limits = &smmu.limits,
		.base = &smmu.table,
		.pasid = pasid,
		.iova = iova,
		.access = access,
	};
	struct iommu_walk_result ref = {};
	int ret = format_smmuv3.walk(&walk, &smmu.result);
	int ref_ret =
		a64_reference(&smmu.tm.mem, &smmu.limits, smmu.ste, pasid, iova, access, &ref);

	same_walk(ret, &smmu.result, ref_ret, &ref, pasid, iova, access);
	return ret ? smmu.result.code : 0;
}
