// SPDX-License-Identifier: GPL-2.0-only
/* Virtqueues in the packed layout. */
#include "fuzz.h"
#include "hostile-queue.h"

void fuzz_one(void)
{
	hostile_queue(true);
}
