// SPDX-License-Identifier: GPL-2.0-only
/* Demo guest: page tables of its own, for each DMA engine in the format that it shows. */
#include "demo.h"
#include "pasid-table.h"
#include "rt/dma-engine.h"

#define MAX_ENGINES 8

#define RING_IOVA 0x10000000ULL
#define SRC_IOVA  0x20000000ULL
#define DST_IOVA  0x30000000ULL

#define PASID 5

#define WORD_A 0x0123456789abcdefULL
#define WORD_B 0xfedcba9876543210ULL

/* Page tables of one engine: of accesses without a PASID, where its ring is, and of PASID. */
struct spaces {
	struct pasid_table table;
	struct page_table plain, process;
};

static bool set_up(struct spaces *s, const struct dma_engine *e, const u64 *src, const u64 *dst)
{
	enum page_table_kind kind = pasid_table_pages(s->table.cfg.format);

	return page_table_alloc(&s->plain, kind) && page_table_alloc(&s->process, kind) &&
	       page_table_map(&s->plain, RING_IOVA, gpa_of(e->ring), PAGE_4K,
			      PAGE_USER | PAGE_WRITE) &&
	       page_table_map(&s->process, SRC_IOVA, gpa_of(src), PAGE_4K, PAGE_USER) &&
	       page_table_map(&s->process, DST_IOVA, gpa_of(dst), PAGE_4K, PAGE_USER | PAGE_WRITE);
}

static int copy(struct dma_engine *e, u64 from, u64 to)
{
	struct dma_desc d = {
		.op = DMA_COPY,
		.src_pasid = DMA_PASID | PASID,
		.dst_pasid = DMA_PASID | PASID,
		.len = PAGE_SIZE,
		.src = from,
		.dst = to,
	};

	viommu_drop_faults(&iommu);
	return dma_engine_do(e, &d);
}

static void drive(struct spaces *s, struct dma_engine *e, const u64 *other, const u64 *dst)
{
	struct viommu_req_invalidate req;
	struct viommu_fault f;

	check(copy(e, SRC_IOVA, DST_IOVA) == DMA_OK && dst[0] == WORD_A && dst[511] == WORD_A,
	      "a page copied, as PASID %u", PASID);
	check(copy(e, DST_IOVA, SRC_IOVA) == DMA_DST_FAULT && viommu_wait_fault(&iommu, &f, NULL) &&
		      f.reason == VIOMMU_FAULT_MAPPING && (f.flags & VIOMMU_FAULT_PASID) &&
		      f.pasid == PASID && f.address == SRC_IOVA,
	      "its source is read-only: a fault, with PASID %u", PASID);
	page_table_map(&s->process, SRC_IOVA, gpa_of(other), PAGE_4K, PAGE_USER);
	pasid_table_inv_address(&s->table, PASID, SRC_IOVA, 1, PAGE_4K, &req);
	check(viommu_request(&iommu, &req, sizeof(req)) == VIOMMU_S_OK &&
		      copy(e, SRC_IOVA, DST_IOVA) == DMA_OK && dst[0] == WORD_B,
	      "another page in its place, INVALIDATE, and that one is copied");
	check(pasid_table_clear(&s->table, PASID) == VIOMMU_S_OK &&
		      copy(e, SRC_IOVA, DST_IOVA) == DMA_SRC_FAULT,
	      "the PASID's entry cleared: it reaches nothing");
}

static void demo_engine(struct dma_engine *e, u32 endpoint)
{
	u64 *a = page_alloc(), *b = page_alloc(), *dst = page_alloc();
	struct pasid_table_cfg cfg;
	struct spaces s = {0};
	unsigned int i;

	if (!pasid_table_probe_endpoint(&iommu, endpoint, &cfg) || !cfg.pasid_bits) {
		note("the DMA engine at %s has mappings only", e->name);
		return;
	}
	section("Page tables of the guest: %s, at %s", pasid_table_name(cfg.format), e->name);
	for (i = 0; i < PAGE_SIZE / 8; i++) {
		a[i] = WORD_A;
		b[i] = WORD_B;
	}
	if (check(pasid_table_alloc(&s.table, &iommu, &cfg, scratch_domain(), endpoint) ==
				  VIOMMU_S_OK &&
			  set_up(&s, e, a, dst) && pasid_table_attach(&s.table) == VIOMMU_S_OK &&
			  pasid_table_set(&s.table, 0, &s.plain, 1) == VIOMMU_S_OK &&
			  pasid_table_set(&s.table, PASID, &s.process, 2) == VIOMMU_S_OK,
		  "attached, for accesses without a PASID and with PASID %u", PASID)) {
		dma_engine_start(e, RING_IOVA, 0);
		drive(&s, e, b, dst);
		dma_engine_stop(e);
	}
	viommu_detach(&iommu, scratch_domain(), endpoint);
	pasid_table_free(&s.table);
	page_table_free(&s.plain);
	page_table_free(&s.process);
}

void demo_tables(void)
{
	static struct dma_engine engines[MAX_ENGINES];
	struct fw_device at;
	unsigned int n = 0;
	u32 endpoint;
	int pos = -1;

	if (!(iommu.v.offered & VIOMMU_F_ATTACH_TABLE))
		return;
	while (n < MAX_ENGINES && fw_next(&pos, &at)) {
		if (!fw_endpoint(&at, &endpoint) || !dma_engine_open(&engines[n], &at))
			continue;
		if (!n && !viommu_start(&iommu, IOMMU_FEATURES | VIOMMU_F_ATTACH_TABLE))
			return;
		demo_engine(&engines[n++], endpoint);
	}
}
