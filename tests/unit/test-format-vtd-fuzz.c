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
			seen[vtd_compare(&twins, pa_bits)]++;
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
			vtd_compare(&twins, 34 + unit_rand() % 19);
		CHECK(x86_twins_equal(&twins));
	}
	x86_twins_destroy(&twins);
}
