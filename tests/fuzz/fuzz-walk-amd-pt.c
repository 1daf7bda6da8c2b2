// SPDX-License-Identifier: GPL-2.0-only
/* Walks of the format amd-pt. */
#include "fuzz.h"
#include "walk-amd.h"

void fuzz_one(void)
{
	walk_amd(true);
}
