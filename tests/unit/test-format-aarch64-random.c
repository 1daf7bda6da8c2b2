// SPDX-License-Identifier: GPL-2.0-only
/* Arm SMMUv3: random tables and arbitrary memory, against the reference. */
#include "smmuv3-guest.h"

static const u8 granules[] = {12, 14, 16};

/* Random leaves at random levels, in both halves; accesses around them. */
static void random_tables(void)
{
	struct a64_space space[2];
	u64 cd[8], va[64] = {};
	unsigned int i, n, half;

	table_memory_reset(&smmu.tm);
	smmu.limits.pa_bits = unit_rand() % 2 ? 52 : 32 + unit_rand() % 21;
	for (half = 0; half < 2; half++) {
		unsigned int granule = granules[unit_rand() % 3];
		unsigned int least = granule == 16 ? 12 : 16;

		a64_init(&space[half], &smmu.tm, granule, least + unit_rand() % (40 - least), half);
	}
	cd_fill(cd, &space[0], unit_rand());
	cd_add(cd, &space[1]);
	cd[0] &= ~CD_IPS(7);
	cd[0] |= CD_IPS(unit_rand() % 8);
	for (i = 0; i < 5; i++) {
		static const u64 options[] = {CD_AFFD, CD_WXN, CD_PAN, CD_TBI(0), CD_TBI(1)};

		if (unit_rand() % 3 == 0)
			cd[0] |= options[i];
	}
	cd[1] |= unit_rand() % 3 ? 0 : CD_HAD;
	cd[2] |= unit_rand() % 3 ? 0 : CD_HAD;
	smmu_attach_ssid(cd);

	for (n = 0; n < ARRAY_SIZE(va); n++) {
		struct a64_space *s = &space[unit_rand() % 2];
		unsigned int first = a64_first_level(s);
		unsigned int level = max(first, (unsigned int)(unit_rand() % 4));
		u64 attributes = unit_rand() & (unit_rand() | 0xff0ULL) & 0x78000000000ffcULL;

		/* Sometimes near one that is there, so that tables fill up. */
		va[n] = n && unit_rand() % 2 ? va[unit_rand() % n] + (unit_rand() & 0x3ffffff)
					     : unit_rand();
		va[n] = a64_va(s->tsz, s->upper, va[n]);
		/* Not into a leaf that is above. */
		for (i = first; i < level; i++) {
			u64 at = a64_entry(s, va[n], i);

			if (table_get(&smmu.tm, at) && (table_get(&smmu.tm, at) & 3) != 3)
				break;
			/* Some tables of restricted permissions. */
			a64_entry(s, va[n], i + 1);
			if (unit_rand() % 8 == 0)
				table_put(&smmu.tm, at,
					  table_get(&smmu.tm, at) | (unit_rand() & 0xf) << 59);
		}
		a64_map(s, va[n], i,
			(unit_rand() >> (12 + unit_rand() % 30)) &
				~((1ULL << a64_level_bit(s->granule, i)) - 1),
			attributes | (unit_rand() % 4 ? A64_AF : 0));
	}
	for (i = 0; i < 400; i++) {
		u64 iova = va[unit_rand() % ARRAY_SIZE(va)];

		if (unit_rand() % 4 == 0)
			iova ^= 1ULL << unit_rand() % 64;
		smmu_access(SSID, iova, unit_rand() % 16);
	}
}

TEST(random_tables_against_the_reference)
{
	unsigned int i;

	smmu_start();
	for (i = 0; i < 600; i++)
		random_tables();
	smmu_end();
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
	/* Where the bits above 47 are in descriptors, or in other pointers. */
	gpa = bits(gpa, 47, 0) | bits(gpa, 51, 48) << (r & 64 ? 12 : 48);
	switch (r % 8) {
	case 0:
		return unit_rand();
	case 1:
		return gpa | (unit_rand() & 0xfff);
	case 2:
		return gpa | A64_RW | 1 | (unit_rand() & 0xff80000000000000ULL);
	case 3:
		return gpa | A64_RW | 3 | (unit_rand() & 0xfc0);
	case 4:
		return 0;
	default:
		return gpa | 3 | (r & 0x700 ? 0 : (unit_rand() & 0xf) << 59);
	}
}

static void fill_garbage(u64 bank)
{
	u64 at;

	for (at = bank; at < bank + GARBAGE; at += 8)
		table_put(&smmu.tm, at, garbage());
}

/* A CD that is valid, but for what happens to it on the way. */
static void random_cd(u64 gpa)
{
	struct a64_space lower = {&smmu.tm, granules[unit_rand() % 3], 16 + unit_rand() % 24, false,
				  TABLE_BANK + (unit_rand() % GARBAGE & ~0x3fULL)};
	struct a64_space upper = {&smmu.tm, granules[unit_rand() % 3], 16 + unit_rand() % 24, true,
				  TABLE_BANK + (unit_rand() % GARBAGE & ~0x3fULL)};
	u64 cd[8];

	cd_fill(cd, &lower, unit_rand());
	cd_add(cd, &upper);
	cd[0] ^= unit_rand() &
		 (CD_AFFD | CD_WXN | CD_PAN | CD_TBI(0) | CD_TBI(1) | CD_R | CD_IPS(3));
	cd[1] ^= unit_rand() & CD_HAD;
	if (unit_rand() % 4 == 0)
		cd[unit_rand() % 3] ^= 1ULL << unit_rand() % 64;
	cd_put(&smmu.tm, gpa, cd);
}

static u64 random_iova(void)
{
	u64 r = unit_rand();
	u64 va = a64_va(12 + r % 28, r & 1024, unit_rand());

	return r & 2048 ? va : va ^ 1ULL << (r >> 32) % 64;
}

TEST(fuzz_arbitrary_memory)
{
	unsigned int round, i, passed = 0, total = 0;

	smmu_start();
	smmu.tm.next += GARBAGE;
	for (round = 0; round < 60; round++) {
		u64 table = TABLE_BANK + (unit_rand() % GARBAGE & ~0xffffULL);
		unsigned int cdmax = unit_rand() % 12, fmt = unit_rand() % 3;
		u64 ste0 = STE_V | STE_S1 | STE_FMT(fmt) | STE_CDMAX(cdmax);

		smmu.limits.pa_bits = 32 + unit_rand() % 21;
		fill_garbage(TABLE_BANK);
		fill_garbage(TABLE_BANK_45);
		fill_garbage(TABLE_BANK_52);
		/* As large a table as it takes; half of them inside. */
		if (fmt == FMT_LINEAR)
			table = align_down(table, 64ULL << cdmax);
		CHECK_EQ(smmu_attach(ste0 | table, unit_rand() % 3), 0);
		for (i = 0; i < 2000; i++) {
			u32 pasid = unit_rand() % 3 ? unit_rand() % (1U << cdmax) : unit_rand();

			if (unit_rand() % 3 == 0)
				pasid = DMA_NO_PASID;
			if (fmt == FMT_LINEAR && pasid < 1U << cdmax)
				random_cd(table + pasid * 64ULL);
			else if (pasid == DMA_NO_PASID && !cdmax)
				random_cd(table);
			if (!smmu_access(pasid, random_iova(), unit_rand() % 16))
				passed++;
			total++;
		}
	}
	CHECK(passed > total / 200 && passed < total);
	printf("# %u of %u accesses passed\n", passed, total);
	smmu_end();
}
