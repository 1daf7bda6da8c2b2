// SPDX-License-Identifier: GPL-2.0-only
#include "walk-amd.h"
#include "amd-guest.h"
#include "fuzz.h"
#include "walk-watch.h"

/* Three of the GCR3 table, five of the page table. */
#define MOST_ENTRIES 8

void walk_amd(bool pt)
{
	static struct x86_twins twins;
	unsigned int pa_bits = 34 + unit_below(19);

	if (!twins.mem.nr_banks)
		x86_twins_create(&twins);
	x86_twins_clear(&twins);
	amd = (struct amd_guest){.pt = pt, .limits.pasid_bits = PASID_BITS};
	amd_choose_gcr3_pages();
	while (fuzz_more()) {
		switch (fuzz_int(1) % 4) {
		case 0:
			walk_watch_begin();
			amd_compare(&twins, pa_bits);
			walk_watch_end(pt ? 5 : MOST_ENTRIES);
			break;
		case 1:
			amd_random_gcr3(&twins, unit_below(AMD_GCR3_ENTRIES));
			break;
		default:
			x86_twins_random(&twins, pa_bits);
		}
	}
	CHECK(x86_twins_equal(&twins));
}
