// SPDX-License-Identifier: GPL-2.0-only
/* Walks of the format vtd in arbitrary memory against the reference. */
#include "fuzz.h"
#include "vtd-guest.h"
#include "walk-watch.h"

static struct x86_twins twins;

void fuzz_begin(void)
{
	x86_twins_create(&twins);
}

void fuzz_one(void)
{
	unsigned int pa_bits = 34 + unit_below(19);

	vtd = (struct vtd_guest){0};
	x86_twins_clear(&twins);
	while (fuzz_more()) {
		if (fuzz_int(1) % 4) {
			x86_twins_random(&twins, pa_bits);
			continue;
		}
		walk_watch_begin();
		vtd_compare(&twins, pa_bits);
		walk_watch_end(5);
	}
	CHECK(x86_twins_equal(&twins));
}
