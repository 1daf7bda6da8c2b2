// SPDX-License-Identifier: GPL-2.0-only
#include "walk-riscv.h"
#include "fuzz.h"
#include "riscv-guest.h"
#include "table-poke.h"
#include "walk-watch.h"

/* Two of a directory, two words of a process context, five of a page table. */
#define MOST_ENTRIES 9

static u64 entry(void)
{
	switch (unit_below(5)) {
	case 0:
		return fuzz_int(8);
	case 1:
		return rv_leaf(poke_page(), PTE_V);
	case 2:
		return rv_leaf(poke_page(), fuzz_int(1) | PTE_V) | fuzz_int(2) << 48;
	case 3:
		/* As fsc of a process context. */
		return poke_page() / 4096 | (u64)unit_below(16) << 60;
	default:
		return TA_V | (fuzz_int(1) & (TA_ENS | TA_SUM)) | TA_PSCID(fuzz_int(1));
	}
}

static void attach(void)
{
	u64 tc = TC_V | (fuzz_int(2) & (TC_DTF | TC_PDTV | TC_SADE | TC_DPE));
	u64 ta = TA_PSCID(fuzz_int(1)), fsc = poke_page() / 4096 | (u64)unit_below(16) << 60;

	if (!unit_below(8))
		tc ^= 1ULL << unit_below(64);
	if (rv.format->pasid_format && fuzz_bool()) {
		if (rv.nr_kept < MAX_KEPT)
			rv_keep(fuzz_int(1), ta | (fuzz_int(1) & (TA_ENS | TA_SUM)), fsc);
		return;
	}
	rv_attach(tc, tc & TC_PDTV ? 0 : ta, rv.format->pasid_format ? 0 : fsc);
}

void walk_riscv(const struct iommu_format *format)
{
	if (!rv.format)
		rv_start(format);
	rv.limits.pa_bits = 32 + unit_below(25);
	rv.limits.pasid_bits = 8 + unit_below(13);
	rv.nr_kept = 0;
	if (format->pasid_format)
		CHECK_EQ(rv_attach(TC_V | TC_PDTV, 0, 0), 0);
	else
		CHECK_EQ(rv_attach(TC_V, 0, TABLE_BANK / 4096 | (u64)SV39 << 60), 0);
	while (fuzz_more()) {
		u8 step = fuzz_int(1);

		if (step < 32) {
			attach();
		} else if (step < 144) {
			poke_word(&rv.tm, poke_page() + unit_below(512) * 8, entry());
		} else {
			u32 pasid = fuzz_bool() ? DMA_NO_PASID : fuzz_int(step & 3);
			u64 iova = fuzz_bool() ? fuzz_number() : fuzz_int(step >> 2 & 7);

			walk_watch_begin();
			rv_access(pasid, iova, fuzz_int(1) & 15);
			walk_watch_end(MOST_ENTRIES);
		}
	}
	poke_undo(&rv.tm);
}
