// SPDX-License-Identifier: GPL-2.0-only
/*
 * A second opinion of the virtio-iommu's walks: this CPU translates by the same tables. For each
 * DMA engine (--device dma-engine) whose format the CPU walks, too, cases are made, and what
 * becomes of each access is compared: whether it is allowed, where it leads, and what it leaves of
 * the tables. The command line may have seed=N and cases=N, of the random ones.
 */
#include "mmu/mmu.h"

struct viommu iommu;

#define FEATURES                                                                              \
	(VIOMMU_F_INPUT_RANGE | VIOMMU_F_DOMAIN_RANGE | VIOMMU_F_MAP_UNMAP | VIOMMU_F_PROBE | \
	 VIOMMU_F_MMIO | VIOMMU_F_BYPASS_CONFIG | VIOMMU_F_ATTACH_TABLE)

#define DEFAULT_SEED  1
#define DEFAULT_CASES 60

/* The number behind @name in the command line, if it is there. */
static u64 option(const char *name, u64 otherwise)
{
	const char *p = fw.cmdline ? fw.cmdline : "";
	size_t len = strlen(name);
	u64 n = 0;

	for (; *p && memcmp(p, name, min(len, strlen(p))); p++)
		;
	if (strlen(p) <= len)
		return otherwise;
	for (p += len; *p >= '0' && *p <= '9'; p++)
		n = n * 10 + *p - '0';
	return n;
}

int guest_main(void)
{
	u64 seed = option("seed=", DEFAULT_SEED);
	unsigned int nr_random = option("cases=", DEFAULT_CASES), nr_regimes = 0, i;
	struct engine e;
	struct fw_device at;
	int pos = -1;

	section("The CPU and the virtio-iommu: seed=%lu, %u random cases each", seed, nr_random);
	if (!check(fw.iommu_source && viommu_open(&iommu, &fw.iommu) &&
			   viommu_start(&iommu, FEATURES),
		   "there is one, and it starts"))
		return check_report("mmu");
	viommu_set_bypass(&iommu, 0);
	while (fw_next(&pos, &at)) {
		const struct regime *r;

		if (!dma_engine_open(&e.dma, &at) || !fw_endpoint(&at, &e.endpoint) ||
		    !pasid_table_probe_endpoint(&iommu, e.endpoint, &e.cfg))
			continue;
		for (i = 0; (r = mmu_regime(&e.cfg, i)); i++, nr_regimes++)
			compare(&e, r, seed, nr_random);
	}
	section("What was compared");
	check(nr_regimes, "%u ways to walk tables", nr_regimes);
	return check_report("mmu");
}
