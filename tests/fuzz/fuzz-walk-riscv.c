// SPDX-License-Identifier: GPL-2.0-only
/* Walks of the format riscv. */
#include "fuzz.h"
#include "walk-riscv.h"

void fuzz_one(void)
{
	walk_riscv(&format_riscv);
}
