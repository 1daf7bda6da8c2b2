// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "amd-guest.h"

struct amd_guest amd;

const struct iommu_format *amd_format(void)
{
	return amd.pt ? &format_amd_pt : &format_amd;
}

const struct iommu_table *amd_lookup(const void *opaque, u32 pasid)
{
	CHECK(opaque == &amd && amd.pt);
	return amd.has_table && pasid == amd.table.pasid ? &amd.table : NULL;
}

int amd_check(u8 wire_format, const u8 *desc, struct iommu_table *table)
{
	return amd_format()->check(&amd.limits, wire_format, desc, table);
}

void amd_gcr3_desc(u8 *desc, const struct amd_setup *s)
{
	memset(desc, 0, IOMMU_DESCRIPTOR_SIZE);
	x86_put_desc(desc, 16, 8, s->root);
	x86_put_desc(desc, 24, 1, s->glx);
	x86_put_desc(desc, 25, 1, s->giov);
	x86_put_desc(desc, 26, 1, s->mode);
	x86_put_desc(desc, 28, 1, s->gaupdatedis);
}

void amd_pt_desc(u8 *desc, u64 root, u32 pasid)
{
	memset(desc, 0, IOMMU_DESCRIPTOR_SIZE);
	x86_put_desc(desc, 16, 8, root);
	x86_put_desc(desc, 24, 4, pasid);
}

void amd_attach(struct amd_setup s)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	if (amd.pt)
		s.root = 0;
	amd_gcr3_desc(desc, &s);
	CHECK_EQ(amd_check(GCR3, desc, &amd.base), 0);
}

u64 amd_gcr3_index(u32 pasid, unsigned int level)
{
	while (level--)
		pasid /= 512;
	return pasid % 512;
}

u64 amd_gcr3_entry(u32 pasid, unsigned int glx, unsigned int level)
{
	return GCR3_ROOT + (glx - level) * PAGE + 8 * amd_gcr3_index(pasid, level);
}

void amd_set_pasid(u32 pasid, unsigned int glx)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	if (amd.pt) {
		amd_pt_desc(desc, amd.b.root, pasid);
		CHECK_EQ(amd_check(PT, desc, &amd.table), 0);
		amd.has_table = true;
		return;
	}
	for (unsigned int level = glx; level > 0; level--)
		x86_build_write(&amd.mem, amd_gcr3_entry(pasid, glx, level),
				(GCR3_ROOT + (glx - level + 1) * PAGE) | 1);
	x86_build_write(&amd.mem, amd_gcr3_entry(pasid, glx, 0), amd.b.root | 1);
}

void amd_begin_empty(bool pt)
{
	memset(&amd, 0, sizeof(amd));
	amd.pt = pt;
	amd.limits = (struct iommu_limits){.pa_bits = PA_BITS, .pasid_bits = PASID_BITS};
	if (guest_mem_add_bank(&amd.mem, RAM, RAM))
		exit(2);
}

void amd_begin(bool pt, struct amd_setup s, u32 pasid)
{
	amd_begin_empty(pt);
	x86_build_init(&amd.b, &amd.mem, TABLES, s.mode ? 5 : 4);
	s.root = GCR3_ROOT;
	amd_attach(s);
	amd_set_pasid(pasid, s.glx);
}

void amd_end(void)
{
	guest_mem_destroy(&amd.mem);
}

int amd_walk(u32 pasid, u64 iova, u32 access)
{
	struct iommu_walk w = {
		.mem = &amd.mem,
		.limits = &amd.limits,
		.base = &amd.base,
		.lookup = amd_lookup,
		.opaque = &amd,
		.pasid = pasid,
		.iova = iova,
		.access = access,
	};

	return amd_format()->walk(&w, &amd.result);
}

void amd_check_fault(int ret, u32 code, enum iommu_fault_reason reason)
{
	CHECK_EQ(ret, -EFAULT);
	CHECK_EQ(amd.result.code, code);
	CHECK_EQ(amd.result.reason, reason);
	CHECK(amd.result.why && *amd.result.why);
	CHECK(!amd.result.silent);
}
