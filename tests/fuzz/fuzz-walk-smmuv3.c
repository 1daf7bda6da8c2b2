// SPDX-License-Identifier: GPL-2.0-only
/* Walks of the format smmuv3 in arbitrary memory against the reference. */
#include "fuzz.h"
#include "smmuv3-guest.h"
#include "table-poke.h"
#include "walk-watch.h"

/* A descriptor of the table of CDs, three words of a CD, a descriptor a level. */
#define MOST_ENTRIES 8

static const u8 granules[] = {12, 14, 16};

void fuzz_begin(void)
{
	smmu_start();
}

/* As a field of a descriptor, in which 52 bits have two places. */
static u64 address_field(void)
{
	u64 gpa = poke_page();

	return bits(gpa, 47, 0) | bits(gpa, 51, 48) << (fuzz_bool() ? 12 : 48);
}

static u64 descriptor(void)
{
	switch (unit_below(4)) {
	case 0:
		return fuzz_int(8);
	case 1:
		return address_field() | 3;
	case 2:
		return address_field() | 3 | fuzz_int(1) << 57;
	default:
		return address_field() | A64_RW | 1 | fuzz_int(2) | fuzz_int(2) << 48;
	}
}

/* A context descriptor that is valid but for one bit, maybe. */
static void put_cd(u64 gpa)
{
	struct a64_space lower = {&smmu.tm, fuzz_pick(granules), 12 + unit_below(28), false,
				  poke_page()};
	struct a64_space upper = {&smmu.tm, fuzz_pick(granules), 12 + unit_below(28), true,
				  poke_page()};
	u64 cd[8];

	cd_fill(cd, &lower, fuzz_int(2));
	cd_add(cd, &upper);
	cd[0] ^= fuzz_int(8) & (CD_AFFD | CD_WXN | CD_PAN | CD_TBI(0) | CD_TBI(1) | CD_R |
				CD_EPD(0) | CD_EPD(1) | CD_IPS(7));
	cd[1] ^= fuzz_int(1) & CD_HAD;
	if (fuzz_bool())
		cd[unit_below(8)] ^= 1ULL << unit_below(64);
	for (unsigned int i = 0; i < 8; i++)
		poke_word(&smmu.tm, gpa + i * 8, cd[i]);
}

static void attach(void)
{
	u64 ste0 =
		STE_V | STE_S1 | STE_FMT(unit_below(4)) | STE_CDMAX(unit_below(21)) | poke_page();
	u64 ste1 = unit_below(4);

	if (!unit_below(8))
		ste0 ^= 1ULL << unit_below(64);
	if (!unit_below(8))
		ste1 = fuzz_int(8);
	smmu_attach(ste0, ste1);
}

void fuzz_one(void)
{
	smmu.limits.pa_bits = 32 + unit_below(21);
	/* Something is attached from the start. */
	CHECK_EQ(smmu_attach(STE_V | STE_S1 | TABLE_BANK, 0), 0);
	while (fuzz_more()) {
		u8 step = fuzz_int(1);

		if (step < 16) {
			attach();
		} else if (step < 64) {
			put_cd(poke_page() + unit_below(64) * 64);
		} else if (step < 160) {
			poke_word(&smmu.tm, poke_page() + unit_below(512) * 8, descriptor());
		} else {
			u32 pasid = fuzz_bool() ? DMA_NO_PASID : fuzz_int(step & 3);
			u64 iova = fuzz_bool() ? fuzz_number() : fuzz_int(8);

			walk_watch_begin();
			smmu_access(pasid, iova, fuzz_int(1) & 15);
			walk_watch_end(MOST_ENTRIES);
		}
	}
	poke_undo(&smmu.tm);
}
