// SPDX-License-Identifier: GPL-2.0-only
/* Walks of the formats amd and amd-pt in random tables and arbitrary memory against the reference.
 */
#include <string.h>

#include "amd-guest.h"

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

/* What the GCR3 table has for a PASID. */
enum gcr3_end {
	GCR3_FOUND = REF_ENDS,
	GCR3_NONE,
	GCR3_UNREADABLE,
	GCR3_RESERVED,
	ALL_ENDS,
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

static u64 gcr3_pages[4];

/* One access with everything random but the memory. */
static unsigned int compare_one(struct x86_twins *twins, unsigned int pa_bits)
{
	static const u32 accesses[] = {DMA_READ, DMA_WRITE, DMA_READ | DMA_WRITE,
				       DMA_READ | DMA_EXEC};
	u64 page = unit_rand() % 8 ? gcr3_pages[unit_rand() % 4] : x86_twins_page();
	u64 root = page % (1ULL << pa_bits), iova = x86_random_iova();
	struct amd_setup s = {.root = root ? root : PAGE,
			      .glx = unit_rand() % 3,
			      .giov = unit_rand() % 4 > 0,
			      .mode = unit_rand() % 2,
			      .gaupdatedis = unit_rand() % 2};
	u32 access = accesses[unit_rand() % 4], pasid = unit_rand() % (1 << unit_rand() % 21);
	bool priv = unit_rand() % 4 == 0, has_pasid = unit_rand() % 4;
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

/* Some pages get entries of GCR3 tables, which are not likely among the others. */
static void add_gcr3_tables(struct x86_twins *twins)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(gcr3_pages); i++)
		gcr3_pages[i] = x86_twins_page();
	for (unsigned int n = 0; n < ARRAY_SIZE(gcr3_pages) * 512; n++) {
		u64 at = gcr3_pages[n / 512] + n % 512 * 8;
		u64 entry = unit_rand() % 2 ? gcr3_pages[unit_rand() % 4] : x86_twins_page();

		if (!guest_mem_ptr(&twins->mem, at, 8))
			continue;
		entry |= unit_rand() % 16 > 0;
		if (unit_rand() % 32 == 0)
			entry |= 1ULL << unit_rand() % 64;
		x86_build_write(&twins->mem, at, entry);
		x86_build_write(&twins->ref, at, entry);
	}
}

static void fuzz(bool pt, bool garbage)
{
	unsigned int seen[ALL_ENDS] = {0};
	struct x86_twins twins;

	memset(&amd, 0, sizeof(amd));
	amd.pt = pt;
	amd.limits.pasid_bits = PASID_BITS;
	x86_twins_create(&twins);
	for (int i = 0; i < (garbage ? 10 : 60); i++) {
		unsigned int pa_bits = 34 + unit_rand() % 19;

		if (garbage)
			x86_twins_garbage(&twins);
		else
			x86_twins_tables(&twins, pa_bits);
		if (pt)
			for (unsigned int n = 0; n < ARRAY_SIZE(gcr3_pages); n++)
				gcr3_pages[n] = x86_twins_page();
		else
			add_gcr3_tables(&twins);
		for (int n = 0; n < 2000; n++)
			seen[compare_one(&twins, pa_bits)]++;
		CHECK(x86_twins_equal(&twins));
	}
	/* Each end was there. */
	for (unsigned int how = 0; how < ALL_ENDS && !garbage; how++)
		CHECK(how == GCR3_FOUND || (pt && how > GCR3_FOUND) || seen[how] > 0);
	x86_twins_destroy(&twins);
}

TEST(fuzz_random_tables_of_amd)
{
	fuzz(false, false);
}

TEST(fuzz_random_tables_of_amd_pt)
{
	fuzz(true, false);
}

TEST(fuzz_arbitrary_memory_of_amd)
{
	fuzz(false, true);
}

TEST(fuzz_arbitrary_memory_of_amd_pt)
{
	fuzz(true, true);
}
