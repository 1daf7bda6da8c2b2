// SPDX-License-Identifier: GPL-2.0-only
/*
 * Walks of the format vtd while a vCPU changes the tables, and walks of random tables and arbitrary
 * memory against the reference.
 */
#include <pthread.h>
#include <string.h>

#include "vtd-guest.h"

/* A vCPU changes entries while devices walk. */

static _Atomic bool stop;

static void *keep_writing(void *arg)
{
	u64 *pte = arg;
	u64 a = (RAM + PAGE) | X86_ALL | X86_A | X86_D;
	u64 b = (RAM + 2 * PAGE) | X86_P | X86_US | X86_XD | X86_A;

	while (!stop) {
		__atomic_store_n(pte, a, __ATOMIC_RELEASE);
		__atomic_store_n(pte, b, __ATOMIC_RELEASE);
	}
	return NULL;
}

TEST(walk_never_mixes_two_values_of_an_entry)
{
	struct iommu_walk_result *r = &vtd.result;
	pthread_t vcpu;
	u64 at;

	vtd_begin(4, 0);
	x86_build_map(&vtd.b, 0, 1, (RAM + PAGE) | X86_ALL | X86_A | X86_D, X86_ALL);
	at = x86_build_entry(&vtd.b, 0, 1);
	stop = false;
	pthread_create(&vcpu, NULL, keep_writing, guest_mem_ptr(&vtd.mem, at, 8));
	for (int i = 0; i < 100000; i++) {
		CHECK_EQ(vtd_walk(0, DMA_READ), 0);
		CHECK(r->gpa == RAM + PAGE ? r->access == (DMA_READ | DMA_WRITE | DMA_EXEC)
					   : r->gpa == RAM + 2 * PAGE && r->access == DMA_READ);
	}
	stop = true;
	pthread_join(vcpu, NULL);
	vtd_end();
}

static void *device(void *arg)
{
	struct iommu_walk walk = {.mem = &vtd.mem, .limits = &vtd.limits, .base = &vtd.base};
	struct iommu_walk_result result;

	walk.pasid = DMA_NO_PASID;
	walk.access = arg ? DMA_WRITE : DMA_READ;
	while (!stop) {
		CHECK_EQ(format_vtd.walk(&walk, &result), 0);
		CHECK_EQ(result.gpa, RAM);
	}
	return NULL;
}

/* The guest has a bit of its own in each entry, which nobody else sets or clears. */
TEST(walk_loses_no_change_of_others)
{
	const u64 own = 1ULL << 52;
	pthread_t threads[2];
	u64 *entries[4];

	vtd_begin(4, 0);
	x86_build_map(&vtd.b, 0, 1, RAM | X86_ALL, X86_ALL);
	for (unsigned int level = 1; level <= 4; level++)
		entries[level - 1] = guest_mem_ptr(&vtd.mem, x86_build_entry(&vtd.b, 0, level), 8);
	stop = false;
	pthread_create(&threads[0], NULL, device, NULL);
	pthread_create(&threads[1], NULL, device, &vtd);
	for (int i = 0; i < 100000; i++) {
		u64 *pte = entries[i % 4];

		CHECK(!(__atomic_fetch_or(pte, own, __ATOMIC_RELAXED) & own));
		CHECK(__atomic_fetch_and(pte, ~(own | X86_A | X86_D), __ATOMIC_RELAXED) & own);
	}
	stop = true;
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	CHECK_EQ(vtd_walk(0, DMA_WRITE), 0);
	vtd_check_marks(0, 4, 1, X86_A, X86_D);
	vtd_end();
}

/* Random tables against the reference. */

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

/* One access with everything random but the memory. */
static enum x86_ref_end compare_one(struct x86_twins *twins, unsigned int pa_bits)
{
	static const u32 accesses[] = {DMA_READ, DMA_WRITE, DMA_READ | DMA_WRITE,
				       DMA_READ | DMA_EXEC};
	u64 root = x86_twins_page() % (1ULL << pa_bits), iova = x86_random_iova();
	u32 access = accesses[unit_rand() % 4], flags = unit_rand() % 8 | SRE;
	unsigned int levels = 4 + unit_rand() % 2;
	bool priv = unit_rand() % 4 == 0, has_pasid = unit_rand() % 4;
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

TEST(fuzz_random_tables)
{
	unsigned int seen[REF_ENDS] = {0};
	struct x86_twins twins;

	memset(&vtd, 0, sizeof(vtd));
	x86_twins_create(&twins);
	for (int i = 0; i < 60; i++) {
		unsigned int pa_bits = 34 + unit_rand() % 19;

		x86_twins_tables(&twins, pa_bits);
		for (int n = 0; n < 2000; n++)
			seen[compare_one(&twins, pa_bits)]++;
		CHECK(x86_twins_equal(&twins));
	}
	/* Each end was there. */
	for (unsigned int how = 0; how < REF_ENDS; how++)
		CHECK(seen[how] > 0);
	x86_twins_destroy(&twins);
}

TEST(fuzz_arbitrary_memory)
{
	struct x86_twins twins;

	memset(&vtd, 0, sizeof(vtd));
	x86_twins_create(&twins);
	for (int i = 0; i < 20; i++) {
		x86_twins_garbage(&twins);
		for (int n = 0; n < 2000; n++)
			compare_one(&twins, 34 + unit_rand() % 19);
		CHECK(x86_twins_equal(&twins));
	}
	x86_twins_destroy(&twins);
}
