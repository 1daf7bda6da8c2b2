// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests to the virtio-iommu against the model of the unit tests: the input says which, and with
 * what. After each one, translations are compared.
 */
#include "fuzz.h"
#include "iommu-model.h"

void fuzz_one(void)
{
	static void (*const steps[])(void) = {
		model_attach,	    model_attach,	model_detach,	  model_map,
		model_map,	    model_map,		model_map,	  model_unmap,
		model_unmap,	    model_probe,	model_bypass,	  model_attach_table,
		model_attach_table, model_detach_pasid, model_invalidate, model_table_entry,
		model_table_entry,  model_reset,
	};

	model_begin();
	while (fuzz_more()) {
		fuzz_pick(steps)();
		CHECK_EQ(g.iommu.nr_mappings, model_mappings());
		CHECK_EQ(g.iommu.nr_tables, model_tables());
		for (unsigned int n = 0; n < NR_ENDPOINTS; n++)
			model_sample(n);
		if (model_chance(2))
			model_sweep(unit_below(NR_ENDPOINTS));
	}
	model_end();
}
