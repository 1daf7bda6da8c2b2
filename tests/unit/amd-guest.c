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

static const struct {
	u32 code;
	enum iommu_fault_reason reason;
} ends[REF_ENDS] = {
	[REF_ADDRESS] = {PAGE_FAULT, IOMMU_FAULT_MAPPING},
	[REF_ROOT_UNREADABLE] = {HARDWARE_ERROR, IOMMU_FAULT_UNKNOWN},
	[REF_UNREADABLE] = {HARDWARE_ERROR, IOMMU_FAULT_UNKNOWN},
	[REF_NOT_PRESENT] = {PAGE_FAULT, IOMMU_FAULT_MAPPING},
	[REF_RESERVED] = {PAGE_FAULT, IOMMU_FAULT_UNKNOWN},
	[REF_USER] = {PAGE_FAULT, IOMMU_FAULT_MAPPING},
	[REF_WRITE] = {PAGE_FAULT, IOMMU_FAULT_MAPPING},
	[REF_EXEC] = {PAGE_FAULT, IOMMU_FAULT_MAPPING},
};

static enum gcr3_end ref_gcr3(const struct guest_mem *mem, u64 root, unsigned int glx,
			      unsigned int pa_bits, u32 pasid, u64 *found)
{
	u64 entry, rest;

	for (unsigned int level = glx; level + 1 > 0; level--) {
		if (level == glx && pasid / 512 >> 9 * glx)
			return GCR3_NONE;
		if (!guest_mem_ptr(mem, root + 8 * amd_gcr3_index(pasid, level), 8))
			return GCR3_UNREADABLE;
		entry = x86_build_read(mem, root + 8 * amd_gcr3_index(pasid, level));
		if (entry % 2 == 0)
			return GCR3_NONE;
		rest = entry - 1;
		root = rest / PAGE * PAGE;
		if (rest % PAGE || root >= 1ULL << pa_bits)
			return GCR3_RESERVED;
	}
	*found = root;
	return GCR3_FOUND;
}

/* Which of the pages have entries of GCR3 tables. */
static u64 gcr3_pages[4];

unsigned int amd_compare(struct x86_twins *twins, unsigned int pa_bits)
{
	static const u32 accesses[] = {DMA_READ, DMA_WRITE, DMA_READ | DMA_WRITE,
				       DMA_READ | DMA_EXEC};
	u64 page = unit_below(8) ? gcr3_pages[unit_below(4)] : x86_twins_page();
	u64 root = page % (1ULL << pa_bits), iova = x86_random_iova();
	struct amd_setup s = {.root = root ? root : PAGE,
			      .glx = unit_below(3),
			      .giov = unit_below(4) > 0,
			      .mode = unit_below(2),
			      .gaupdatedis = unit_below(2)};
	u32 access = accesses[unit_below(4)], pasid = unit_rand() % (1 << unit_below(21));
	bool priv = unit_below(4) == 0, has_pasid = unit_below(4);
	u32 served = has_pasid ? pasid : 0;
	struct x86_ref ref = {
		.root = root,
		.levels = s.mode ? 5 : 4,
		.pa_bits = pa_bits,
		.sign_extended = served != 0,
		.supervisor = priv && has_pasid,
		.write_protect = true,
		.update = !s.gaupdatedis,
		.top_no_global = true,
	};
	struct iommu_walk w = {
		.mem = &twins->mem,
		.limits = &amd.limits,
		.base = &amd.base,
		.lookup = amd_lookup,
		.opaque = &amd,
		.pasid = has_pasid ? pasid : DMA_NO_PASID,
		.iova = iova,
		.access = access | (priv ? DMA_PRIV : 0),
	};
	struct x86_ref_result want = {0};
	unsigned int how = GCR3_FOUND;
	struct iommu_walk_result got;
	int ret;

	amd.limits.pa_bits = pa_bits;
	amd.b.root = root;
	amd_attach(s);
	if (amd.pt)
		amd_set_pasid(served, 0);
	ret = amd_format()->walk(&w, &got);
	if (!has_pasid && !s.giov) {
		CHECK_EQ(ret, 0);
		CHECK_EQ(got.last, ~0ULL);
		return REF_DONE;
	}
	if (!amd.pt)
		how = ref_gcr3(&twins->ref, s.root, s.glx, pa_bits, served, &ref.root);
	if (how == GCR3_FOUND) {
		how = x86_ref_walk(&twins->ref, &ref, iova, access & DMA_WRITE,
				   access & DMA_EXEC && has_pasid, &want);
		if (how != REF_DONE) {
			CHECK_EQ(got.code, ends[how].code);
			CHECK_EQ(got.reason, ends[how].reason);
		}
	} else {
		CHECK_EQ(got.code, how == GCR3_UNREADABLE ? HARDWARE_ERROR : PAGE_FAULT);
		CHECK_EQ(got.reason, how == GCR3_NONE ? IOMMU_FAULT_DOMAIN : IOMMU_FAULT_UNKNOWN);
	}
	CHECK_EQ(ret, how == REF_DONE ? 0 : -EFAULT);
	if (how != REF_DONE)
		return how;
	CHECK_EQ(got.start, want.start);
	CHECK_EQ(got.last, want.last);
	CHECK_EQ(got.gpa, want.gpa);
	CHECK_EQ(got.pasid, served);
	CHECK_EQ(got.access, DMA_READ | (want.write ? DMA_WRITE : 0) |
				     (want.exec || !has_pasid ? DMA_EXEC : 0));
	return how;
}

void amd_choose_gcr3_pages(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(gcr3_pages); i++)
		gcr3_pages[i] = x86_twins_page();
}

void amd_random_gcr3(struct x86_twins *twins, unsigned int n)
{
	u64 at = gcr3_pages[n / 512 % ARRAY_SIZE(gcr3_pages)] + n % 512 * 8;
	u64 entry = unit_below(2) ? gcr3_pages[unit_below(4)] : x86_twins_page();

	if (!guest_mem_ptr(&twins->mem, at, 8))
		return;
	entry |= unit_below(16) > 0;
	if (unit_below(32) == 0)
		entry |= 1ULL << unit_below(64);
	x86_twins_write(twins, at, entry);
}
