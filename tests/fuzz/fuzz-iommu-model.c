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

	unsigned int nr = 0;

	model_begin();
	/* Nobody reads the faults, of which there are many. */
	g.iommu.report = NULL;
	for (; fuzz_more(); nr++) {
		fuzz_pick(steps)();
		CHECK_EQ(g.iommu.nr_mappings, model_mappings());
		CHECK_EQ(g.iommu.nr_tables, model_tables());
		model_sample(unit_below(NR_ENDPOINTS));
		/* Takes nothing from the input: the more steps there are in it. */
		model_sweep(nr % NR_ENDPOINTS, nr / NR_ENDPOINTS % 2 ? DMA_READ : DMA_WRITE);
	}
	model_end();
}
