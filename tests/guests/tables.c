// SPDX-License-Identifier: GPL-2.0-only
/*
 * Drives DMA engines (--device dma-engine) over mappings, and over tables of whatever format each
 * shows in its PROBE properties. Command line: nothing; "tables", for no mappings of one engine;
 * "pairs", for nothing but what takes two; or "max-mappings=N" for a device that has that option,
 * and nothing else then.
 */
#include "rt/pci.h"
#include "tables/suite.h"

struct viommu iommu;

static struct dma_engine engines[MAX_ENGINES];
static struct target targets[MAX_ENGINES];
static struct pasid_table_cfg probed[MAX_ENGINES];
static bool has_format[MAX_ENGINES];
static unsigned int nr_engines;

#define FEATURES                                                                              \
	(VIOMMU_F_INPUT_RANGE | VIOMMU_F_DOMAIN_RANGE | VIOMMU_F_MAP_UNMAP | VIOMMU_F_PROBE | \
	 VIOMMU_F_MMIO | VIOMMU_F_BYPASS_CONFIG | VIOMMU_F_ATTACH_TABLE)

/* The engine's interrupts. Messages that are translated need a mapping of their doorbell. */
static void route(struct target *t)
{
	t->has_messages = dma_engine_route(t->engine, 0, LINE_DONE);
	if (t->has_messages && !viommu_has_msi_region(&iommu, t->endpoint))
		t->doorbell = pci_msix_address(t->engine->at.bdf, 0);
}

static void find_engines(void)
{
	struct fw_device at;
	int pos = -1;

	while (nr_engines < MAX_ENGINES && fw_next(&pos, &at)) {
		struct target *t = &targets[nr_engines];

		if (!dma_engine_open(&engines[nr_engines], &at) || !fw_endpoint(&at, &t->endpoint))
			continue;
		t->index = nr_engines;
		t->engine = &engines[nr_engines];
		t->domain = iommu.domain_first + nr_engines;
		route(t);
		has_format[nr_engines] =
			pasid_table_probe_endpoint(&iommu, t->endpoint, &probed[nr_engines]);
		note("a DMA engine at %s, endpoint 0x%x, tables of %s", t->engine->name,
		     t->endpoint,
		     has_format[nr_engines] ? pasid_table_name(probed[nr_engines].format) : "none");
		nr_engines++;
	}
}

static void choose(unsigned int i, const struct row *row)
{
	targets[i].row = row;
	targets[i].cfg = (struct pasid_table_cfg){0};
	if (row->kind->has_pasids)
		row_choose(row, &probed[i], &targets[i].cfg);
}

static void run_rows(unsigned int i, const struct pasid_table_cfg *cfg)
{
	const struct row *row;

	for (row = row_next(cfg, NULL); row; row = row_next(cfg, row)) {
		choose(i, row);
		run_suite(&targets[i]);
	}
}

/* With the first row that the engine has, tables if it has them. */
static void choose_first(unsigned int i)
{
	choose(i, row_next(has_format[i] ? &probed[i] : NULL, NULL));
}

static bool same_format(unsigned int i, unsigned int j)
{
	return has_format[i] && has_format[j] && probed[i].format == probed[j].format;
}

/* All rows that both engines have. */
static void run_shared_rows(unsigned int i, unsigned int j, const struct pasid_table_cfg *cfg)
{
	const struct row *row;

	for (row = row_next(cfg, NULL); row; row = row_next(cfg, row)) {
		choose(i, row);
		choose(j, row);
		run_shared(&targets[i], &targets[j]);
	}
}

static void run_both(unsigned int i, unsigned int j)
{
	choose_first(i);
	choose_first(j);
	run_pair(&targets[i], &targets[j]);
	if (iommu.v.features & VIOMMU_F_MAP_UNMAP)
		run_shared_rows(i, j, NULL);
	if (same_format(i, j))
		run_shared_rows(i, j, &probed[i]);
}

static void run_singles(bool mappings)
{
	unsigned int i;

	for (i = 0; i < nr_engines; i++) {
		if (mappings && (iommu.v.features & VIOMMU_F_MAP_UNMAP))
			run_rows(i, NULL);
		if (has_format[i])
			run_rows(i, &probed[i]);
	}
}

static void run_pairs(void)
{
	unsigned int i, j;

	for (i = 0; i < nr_engines; i++) {
		for (j = i + 1; j < nr_engines; j++)
			run_both(i, j);
	}
}

/* The first engine, over mappings and its first tables, and the second. */
static void run_limits(u32 limit)
{
	struct target *second = nr_engines > 1 ? &targets[1] : NULL;

	if (second)
		choose_first(1);
	if (iommu.v.features & VIOMMU_F_MAP_UNMAP) {
		choose(0, row_next(NULL, NULL));
		run_limit(&targets[0], NULL, limit);
	}
	choose_first(0);
	if (has_format[0])
		run_limit(&targets[0], second, limit);
}

/* "max-mappings=N", which the device was given as well: 0 if not. */
static u32 given_limit(void)
{
	static const char name[] = "max-mappings=";
	const char *p = fw.cmdline;
	u32 limit = 0;

	if (strlen(p) < strlen(name) || memcmp(p, name, strlen(name)))
		return 0;
	for (p += strlen(name); *p >= '0' && *p <= '9'; p++)
		limit = limit * 10 + (*p - '0');
	return limit;
}

int guest_main(void)
{
	u32 limit = given_limit();

	section("DMA engines behind a virtio-iommu");
	if (!check(fw.iommu_source && viommu_open(&iommu, &fw.iommu) &&
			   viommu_start(&iommu, FEATURES),
		   "there is one, and it starts"))
		return check_report("tables");
	if (iommu.v.offered & VIOMMU_F_BYPASS_CONFIG)
		viommu_set_bypass(&iommu, 0);
	find_engines();
	check(nr_engines, "%u engines", nr_engines);
	if (limit && nr_engines) {
		run_limits(limit);
		return check_report("tables");
	}
	if (strcmp(fw.cmdline, "pairs"))
		run_singles(strcmp(fw.cmdline, "tables"));
	run_pairs();
	return check_report("tables");
}
