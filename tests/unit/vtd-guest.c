// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "vtd-guest.h"

struct vtd_guest vtd;

const struct iommu_table *vtd_lookup(const void *opaque, u32 pasid)
{
	CHECK(opaque == &vtd);
	return vtd.has_table && pasid == PASID ? &vtd.table : NULL;
}

void vtd_make_desc(u8 *desc, u64 root, u32 pasid, u32 flags, u32 width)
{
	memset(desc, 0, IOMMU_DESCRIPTOR_SIZE);
	x86_put_desc(desc, 16, 8, root);
	x86_put_desc(desc, 24, 4, pasid);
	x86_put_desc(desc, 28, 4, flags);
	x86_put_desc(desc, 32, 4, width);
}

int vtd_check(const u8 *desc, struct iommu_table *table)
{
	return format_vtd.check(&vtd.limits, VIOMMU_TABLE_INTEL_PT, desc, table);
}

void vtd_attach(u64 root, unsigned int levels, u32 flags)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	vtd_make_desc(desc, root, 0, flags, levels == 5 ? 57 : 48);
	CHECK_EQ(vtd_check(desc, &vtd.base), 0);
	vtd_make_desc(desc, root, PASID, flags | PASID_FLAG, levels == 5 ? 57 : 48);
	CHECK_EQ(vtd_check(desc, &vtd.table), 0);
	vtd.has_base = vtd.has_table = true;
}

void vtd_begin(unsigned int levels, u32 flags)
{
	memset(&vtd, 0, sizeof(vtd));
	vtd.limits = (struct iommu_limits){.pa_bits = PA_BITS, .pasid_bits = PASID_BITS};
	if (guest_mem_add_bank(&vtd.mem, RAM, RAM))
		exit(2);
	x86_build_init(&vtd.b, &vtd.mem, TABLES, levels);
	vtd_attach(vtd.b.root, levels, flags);
}

void vtd_end(void)
{
	guest_mem_destroy(&vtd.mem);
}

int vtd_walk_pasid(u32 pasid, u64 iova, u32 access)
{
	struct iommu_walk walk = {
		.mem = &vtd.mem,
		.limits = &vtd.limits,
		.base = vtd.has_base ? &vtd.base : NULL,
		.lookup = vtd_lookup,
		.opaque = &vtd,
		.pasid = pasid,
		.iova = iova,
		.access = access,
	};

	return format_vtd.walk(&walk, &vtd.result);
}

int vtd_walk(u64 iova, u32 access)
{
	return vtd_walk_pasid(PASID, iova, access);
}

void vtd_check_fault(int ret, u32 code, enum iommu_fault_reason reason)
{
	CHECK_EQ(ret, -EFAULT);
	CHECK_EQ(vtd.result.code, code);
	CHECK_EQ(vtd.result.reason, reason);
	CHECK(vtd.result.why && *vtd.result.why);
	CHECK(!vtd.result.silent);
}

static u64 vtd_entry_at(u64 iova, unsigned int level)
{
	return x86_build_read(&vtd.mem, x86_build_entry(&vtd.b, iova, level));
}

void vtd_change(u64 iova, unsigned int level, u64 bits)
{
	u64 at = x86_build_entry(&vtd.b, iova, level);

	x86_build_write(&vtd.mem, at, x86_build_read(&vtd.mem, at) ^ bits);
}

void vtd_check_marks(u64 iova, unsigned int levels, unsigned int leaf, u64 all, u64 of_leaf)
{
	for (unsigned int level = leaf; level <= levels; level++)
		CHECK_EQ(vtd_entry_at(iova, level) & (X86_A | X86_D | X86_EA),
			 level == leaf ? all | of_leaf : all);
}

static const struct {
	u32 code;
	enum iommu_fault_reason reason;
} ends[REF_ENDS] = {
	[REF_ADDRESS] = {0x80, IOMMU_FAULT_MAPPING},
	[REF_ROOT_UNREADABLE] = {0x73, IOMMU_FAULT_UNKNOWN},
	[REF_UNREADABLE] = {0x70, IOMMU_FAULT_UNKNOWN},
	[REF_NOT_PRESENT] = {0x71, IOMMU_FAULT_MAPPING},
	[REF_RESERVED] = {0x72, IOMMU_FAULT_UNKNOWN},
	[REF_USER] = {0x81, IOMMU_FAULT_MAPPING},
	[REF_WRITE] = {0x85, IOMMU_FAULT_MAPPING},
	[REF_EXEC] = {0x82, IOMMU_FAULT_MAPPING},
};

enum x86_ref_end vtd_compare(struct x86_twins *twins, unsigned int pa_bits)
{
	static const u32 accesses[] = {DMA_READ, DMA_WRITE, DMA_READ | DMA_WRITE,
				       DMA_READ | DMA_EXEC};
	u64 root = x86_twins_page() % (1ULL << pa_bits), iova = x86_random_iova();
	u32 access = accesses[unit_below(4)], flags = unit_below(8) | SRE;
	unsigned int levels = 4 + unit_below(2);
	bool priv = unit_below(4) == 0, has_pasid = unit_below(4);
	bool exec = access & DMA_EXEC && has_pasid;
	struct x86_ref ref = {
		.root = root,
		.levels = levels,
		.pa_bits = pa_bits,
		.sign_extended = true,
		.supervisor = priv && has_pasid,
		.write_protect = flags & WPE,
		.update = true,
		.extended_accessed = flags & EAFE,
	};
	struct iommu_limits limits = {.pa_bits = pa_bits, .pasid_bits = PASID_BITS};
	struct iommu_walk walk = {
		.mem = &twins->mem,
		.limits = &limits,
		.base = &vtd.base,
		.lookup = vtd_lookup,
		.opaque = &vtd,
		.pasid = has_pasid ? PASID : DMA_NO_PASID,
		.iova = iova,
		.access = access | (priv ? DMA_PRIV : 0),
	};
	struct x86_ref_result want = {0};
	struct iommu_walk_result got;
	enum x86_ref_end how;
	int ret;

	vtd.limits = limits;
	vtd_attach(root, levels, flags);
	how = x86_ref_walk(&twins->ref, &ref, iova, access & DMA_WRITE, exec, &want);
	ret = format_vtd.walk(&walk, &got);
	if (how != REF_DONE) {
		CHECK_EQ(ret, -EFAULT);
		CHECK_EQ(got.code, ends[how].code);
		CHECK_EQ(got.reason, ends[how].reason);
		return how;
	}
	CHECK_EQ(ret, 0);
	CHECK_EQ(got.start, want.start);
	CHECK_EQ(got.last, want.last);
	CHECK_EQ(got.gpa, want.gpa);
	CHECK_EQ(got.access, DMA_READ | (want.write ? DMA_WRITE : 0) |
				     (want.exec || !has_pasid ? DMA_EXEC : 0));
	return how;
}
