// SPDX-License-Identifier: GPL-2.0-only
/* Walks of the formats amd and amd-pt in random tables and arbitrary memory against the reference.
 */
#include <string.h>

#include "amd-guest.h"

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
		amd_choose_gcr3_pages();
		for (unsigned int n = 0; n < AMD_GCR3_ENTRIES && !pt; n++)
			amd_random_gcr3(&twins, n);
		for (int n = 0; n < 2000; n++)
			seen[amd_compare(&twins, pa_bits)]++;
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
