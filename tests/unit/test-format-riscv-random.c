// SPDX-License-Identifier: GPL-2.0-only
/* RISC-V: random tables and arbitrary memory, against the reference. */
#include "riscv-guest.h"

static bool is_table(u64 pte)
{
	u64 gpa = bits(pte, 53, 10) << 12;

	return (pte & ~PTE_G & 0x3ff) == PTE_V && gpa >= TABLE_BANK && gpa < rv.tm.next;
}

/* Random leaves at random levels; accesses around them. */
static void random_tables(void)
{
	u64 va[64] = {};
	unsigned int i, n, mode = SV39 + unit_rand() % 3;

	table_memory_reset(&rv.tm);
	rv.limits.pa_bits = 40 + unit_rand() % 13;
	rv_attach_space(mode, unit_rand() % 2 ? TC_SADE : 0, unit_rand() & (TA_ENS | TA_SUM));
	for (n = 0; n < ARRAY_SIZE(va); n++) {
		unsigned int level = unit_rand() % rv_levels(mode);
		u64 attributes = unit_rand() & (unit_rand() | 0xff), pa, at;

		va[n] = n && unit_rand() % 2 ? va[unit_rand() % n] ^ (unit_rand() & 0x7fffffff)
					     : rv_sign_extend(mode, unit_rand());
		/* Not into a leaf that is above. */
		for (i = rv_levels(mode) - 1; i > level; i--) {
			at = rv_entry(&rv.space, va[n], i);
			if (table_get(&rv.tm, at) && !is_table(table_get(&rv.tm, at)))
				break;
			rv_entry(&rv.space, va[n], i - 1);
			if (unit_rand() % 16 == 0)
				table_put(&rv.tm, at, table_get(&rv.tm, at) | PTE_G);
		}
		pa = unit_rand() >> (12 + unit_rand() % 24) & ~((1ULL << (12 + 9 * i)) - 1);
		attributes = (attributes & 0xfe) | PTE_V;
		if (unit_rand() % 4)
			attributes |= PTE_R | PTE_U;
		if (unit_rand() % 8 == 0 && !i) {
			attributes |= PTE_N;
			pa = (pa & ~0xffffULL) | 0x8000;
		}
		table_put(&rv.tm, rv_entry(&rv.space, va[n], i), rv_leaf(pa, attributes));
	}
	for (i = 0; i < 400; i++) {
		u64 iova = va[unit_rand() % ARRAY_SIZE(va)];

		if (unit_rand() % 4 == 0)
			iova ^= 1ULL << unit_rand() % 64;
		rv_access(RV_PASID, iova, unit_rand() % 16);
	}
}

TEST(random_tables_against_the_reference)
{
	unsigned int i;

	rv_start(&format_riscv);
	for (i = 0; i < 600; i++)
		random_tables();
	rv_end();
	printf("# %lu walks compared\n", walks_compared);
}

#define GARBAGE (512 * KiB)

/* What a hostile guest might have in a word, mostly near something that is valid. */
static u64 garbage(void)
{
	u64 r = unit_rand(), bank = TABLE_BANK, gpa;

	if (r >> 60 == 0)
		bank = TABLE_BANK_45;
	else if (r >> 60 == 1)
		bank = TABLE_BANK_52;
	gpa = bank + (unit_rand() % GARBAGE & ~0xfffULL);
	switch (r % 8) {
	case 0:
		return unit_rand();
	case 1:
		return rv_leaf(gpa, unit_rand() & 0x3ff) | (unit_rand() & unit_rand()) << 54;
	case 2:
		return rv_leaf(gpa, PTE_ALL & ~(unit_rand() & (PTE_A | PTE_D | PTE_U)));
	case 3:
		return rv_leaf(gpa & ~0x1fffffULL, PTE_ALL);
	case 4:
		return 0;
	case 5:
		/* As fsc of a process context. */
		return gpa / 4096 | (SV39 + unit_rand() % 3) << 60;
	default:
		return rv_leaf(gpa, PTE_V);
	}
}

static void fill_garbage(u64 bank)
{
	u64 at;

	for (at = bank; at < bank + GARBAGE; at += 8)
		table_put(&rv.tm, at, garbage());
}

static u64 random_iova(void)
{
	u64 r = unit_rand(), va = rv_sign_extend(SV39 + r % 3, unit_rand());

	return r & 2048 ? va : va ^ 1ULL << (r >> 32) % 64;
}

static void fuzz(bool directory)
{
	unsigned int round, i, passed = 0, total = 0;

	rv_start(&format_riscv);
	rv.tm.next += GARBAGE;
	for (round = 0; round < 30; round++) {
		u64 ppn = (TABLE_BANK + (unit_rand() % GARBAGE & ~0xfffULL)) / 4096;
		u64 tc = (unit_rand() & (TC_DTF | TC_SADE)) | (directory ? TC_PDTV : 0);

		rv.limits.pa_bits = 32 + unit_rand() % 21;
		fill_garbage(TABLE_BANK);
		fill_garbage(TABLE_BANK_45);
		fill_garbage(TABLE_BANK_52);
		if (directory) {
			CHECK_EQ(rv_attach(tc | (unit_rand() & TC_DPE), 0,
					   ppn | (PD8 + unit_rand() % 3) << 60),
				 0);
			/* Some contexts that are good enough to have tables. */
			for (i = 0; i < GARBAGE; i += 16)
				if (unit_rand() % 4 == 0)
					table_put(&rv.tm, TABLE_BANK + i,
						  TA_V | (unit_rand() & (TA_ENS | TA_SUM)));
		} else {
			CHECK_EQ(rv_attach(tc, TA_PSCID(round),
					   ppn | (SV39 + unit_rand() % 3) << 60),
				 0);
		}
		for (i = 0; i < 2000; i++) {
			u32 pasid = directory ? unit_rand() & 0x1fffff : DMA_NO_PASID;

			if (unit_rand() % 8 == 0)
				pasid = DMA_NO_PASID;
			if (!rv_access(pasid, random_iova(), unit_rand() % 16))
				passed++;
			total++;
		}
	}
	CHECK(passed > total / 1000 && passed < total);
	printf("# %u of %u accesses passed\n", passed, total);
	rv_end();
}

TEST(fuzz_page_tables)
{
	fuzz(false);
}

TEST(fuzz_directories)
{
	fuzz(true);
}
