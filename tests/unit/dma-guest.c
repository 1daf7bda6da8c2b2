// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "dma-guest.h"
#include "unit.h"

struct dma_guest d;

static void report(void *opaque, const struct iommu_fault *fault)
{
	(void)opaque;
	/* Tests of one thread look at it. */
	if (!atomic_fetch_add(&d.nr_faults, 1))
		d.fault = *fault;
}

void dma_guest_start(void)
{
	static const struct iommu_config config = {
		.page_size_mask = ~(PAGE - 1),
		.input_last = UINT64_MAX,
		.domain_last = 9,
		.max_mappings = 1 << 20,
	};

	memset(&d, 0, sizeof(d));
	if (guest_mem_add_bank(&d.mem, BANK0, PAGE) ||
	    guest_mem_add_bank(&d.mem, BANK1, BANK_SIZE) ||
	    guest_mem_add_bank(&d.mem, BANK_HIGH, BANK_SIZE) || iommu_init(&d.iommu, &config) ||
	    dma_chan_init(&d.direct, &d.mem, NULL, MAX_OPEN))
		exit(2);
	d.iommu.report = report;
	for (u32 n = 0; n < NR_EPS; n++) {
		if (iommu_add_endpoint(&d.iommu, &d.eps[n], n) ||
		    iommu_attach(&d.iommu, DOMAIN, n, false))
			exit(2);
		for (unsigned int i = 0; i < CHANS_PER_EP; i++) {
			if (dma_chan_init(&d.chans[n][i], &d.mem, &d.eps[n], MAX_OPEN))
				exit(2);
		}
	}
}

void dma_guest_end(void)
{
	for (u32 n = 0; n < NR_EPS; n++) {
		for (unsigned int i = 0; i < CHANS_PER_EP; i++) {
			CHECK_EQ(d.chans[n][i].nr_free, MAX_OPEN);
			dma_chan_destroy(&d.chans[n][i]);
		}
	}
	dma_chan_destroy(&d.direct);
	iommu_destroy(&d.iommu);
	guest_mem_destroy(&d.mem);
}

void dma_guest_map(u64 iova, u64 gpa, unsigned int nr, u32 flags)
{
	const struct mapping m = {
		.start = iova, .last = iova + nr * PAGE - 1, .gpa = gpa, .flags = flags};

	CHECK_EQ(iommu_map(&d.iommu, DOMAIN, &m), 0);
}

void dma_guest_unmap(u64 iova, unsigned int nr)
{
	CHECK_EQ(iommu_unmap(&d.iommu, DOMAIN, iova, iova + nr * PAGE - 1), 0);
}

u8 *host(u64 gpa)
{
	u8 *hva = guest_mem_ptr(&d.mem, gpa, 1);

	if (!hva)
		abort();
	return hva;
}
