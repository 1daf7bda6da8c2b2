// SPDX-License-Identifier: GPL-2.0-only
#include "table-poke.h"
#include "fuzz.h"

#define MAX_POKES 4096

static u64 poked[MAX_POKES];
static unsigned int nr_poked;

u64 poke_page(void)
{
	u8 n = fuzz_int(1);

	switch (n >> 4) {
	case 13:
		return TABLE_BANK_45 + n % POKE_SIDE_PAGES * 4096;
	case 14:
		return TABLE_BANK_52 + n % POKE_SIDE_PAGES * 4096;
	case 15:
		return (fuzz_number() & ~0xfffULL) % (1ULL << 52);
	default:
		return TABLE_BANK + n % POKE_PAGES * 4096;
	}
}

void poke_word(const struct table_memory *tm, u64 gpa, u64 val)
{
	if (nr_poked == MAX_POKES || !guest_mem_ptr(&tm->mem, gpa, sizeof(val)))
		return;
	table_put(tm, gpa, val);
	poked[nr_poked++] = gpa;
}

void poke_undo(const struct table_memory *tm)
{
	while (nr_poked)
		table_put(tm, poked[--nr_poked], 0);
}
