// SPDX-License-Identifier: GPL-2.0-only
#include "riscv-guest.h"

struct riscv_guest rv;

void rv_start(const struct iommu_format *format)
{
	rv = (struct riscv_guest){
		.limits = {.pa_bits = 56, .pasid_bits = 20},
		.format = format,
	};
	table_memory_init(&rv.tm);
}

void rv_end(void)
{
	table_memory_destroy(&rv.tm);
}

static int check(u64 tc, u64 ta, u64 fsc, u32 pasid, u32 flags, struct iommu_table *table)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE] = {};

	desc_put(desc, 16, 8, tc);
	desc_put(desc, 24, 8, ta);
	desc_put(desc, 32, 8, fsc);
	desc_put(desc, 40, 4, pasid);
	desc_put(desc, 44, 4, flags);
	return rv.format->check(&rv.limits, VIOMMU_TABLE_RISCV, desc, table);
}

int rv_check(u64 tc, u64 ta, u64 fsc, u32 pasid, u32 flags)
{
	struct iommu_table table;

	return check(tc, ta, fsc, pasid, flags, &table);
}

int rv_attach(u64 tc, u64 ta, u64 fsc)
{
	int ret = check(tc, ta, fsc, 0, rv.format->pasid_format ? 2 : 0, &rv.base);

	if (!ret) {
		rv.dc[0] = tc;
		rv.dc[1] = ta;
		rv.dc[2] = fsc;
	}
	return ret;
}

void rv_attach_space(unsigned int mode, u64 tc, u64 ta)
{
	u64 pdtp, pc;

	rv_init(&rv.space, &rv.tm, mode);
	pdtp = pdt_init(&rv.tm, PD8);
	pc = pdt_entry(&rv.tm, pdtp, RV_PASID);
	table_put(&rv.tm, pc, TA_V | ta);
	table_put(&rv.tm, pc + 8, rv_iosatp(&rv.space));
	CHECK_EQ(rv_attach(TC_PDTV | tc, 0, pdtp), 0);
}

int rv_keep(u32 pasid, u64 ta, u64 fsc)
{
	int ret = check(0, ta, fsc, pasid, 1, &rv.kept[rv.nr_kept]);

	if (!ret)
		rv.nr_kept++;
	return ret;
}

static const struct iommu_table *lookup(const void *opaque, u32 pasid)
{
	const struct riscv_guest *guest = opaque;
	unsigned int i;

	for (i = 0; i < guest->nr_kept; i++)
		if (guest->kept[i].pasid == pasid)
			return &guest->kept[i];
	return NULL;
}

u32 rv_access(u32 pasid, u64 iova, u32 access)
{
	const struct iommu_walk walk = {
		.mem = &rv.tm.mem,
		.limits = &rv.limits,
		.base = &rv.base,
		.lookup = lookup,
		.opaque = &rv,
		.pasid = pasid,
		.iova = iova,
		.access = access,
	};
	bool managed = rv.format->pasid_format;
	const struct iommu_table *kept =
		managed ? lookup(&rv, pasid == DMA_NO_PASID ? 0 : pasid) : NULL;
	u64 pc[2] = {kept ? kept->word[1] : 0, kept ? kept->word[2] : 0};
	struct iommu_walk_result ref = {};
	struct rv_pte last = {};
	int ref_ret = rv_reference(&rv.tm.mem, &rv.limits, rv.dc, managed, kept ? pc : NULL, pasid,
				   iova, access, &ref, &last);
	int ret = rv.format->walk(&walk, &rv.result);

	same_walk(ret, &rv.result, ref_ret, &ref, pasid, iova, access);
	if (last.gpa != ~0ULL)
		CHECK_EQ(table_get(&rv.tm, last.gpa), last.val);
	return ret ? rv.result.code : 0;
}
