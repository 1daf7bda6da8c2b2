// SPDX-License-Identifier: GPL-2.0-only
/*
 * RISC-V: a process directory of 1 to 3 levels, or one that the device keeps. DPE is what gives
 * accesses without a PASID entry 0. RISC-V IOMMU Architecture Specification,
 * "Process-Directory-Table"; docs/page-tables.md, "RISC-V".
 */
#include "pasid-table.h"
#include "rt/core.h"
#include "rt/pages.h"

#define FORMAT 4

#define TC_V	BIT_ULL(0)
#define TC_PDTV BIT_ULL(5)
#define TC_SADE BIT_ULL(8)
#define TC_DPE	BIT_ULL(9)

#define TA_V	     BIT_ULL(0)
#define TA_ENS	     BIT_ULL(1)
#define TA_SUM	     BIT_ULL(2)
#define TA_PSCID(id) ((u64)(id) << 12)

#define MODE(n) ((u64)(n) << 60)
#define SV39	8
#define SV48	9
#define SV57	10

#define FLAG_PASID   BIT(0)
#define FLAG_MANAGED BIT(1)

/* A pointer is a page number from bit 10 on. */
#define POINTER_SHIFT 2

/* Index bits of a PASID: 7:0, then 16:8, then 19:17. */
#define LEAF_MASK    0xff
#define MIDDLE_SHIFT 8
#define MIDDLE_MASK  0x1ff
#define TOP_SHIFT    17
#define NR_ENTRIES   512

struct descriptor {
	u64 tc, ta, fsc;
	u32 pasid;
	u32 flags;
};

static int riscv_alloc(struct pasid_table *t)
{
	t->base = pages_get(0);
	return t->base ? VIOMMU_S_OK : VIOMMU_S_NOMEM;
}

static void free_level(u64 *table, unsigned int level)
{
	unsigned int i;

	for (i = 0; level && i < NR_ENTRIES; i++) {
		u64 *next = pasid_table_next(&table[i], POINTER_SHIFT, 0, false);

		if (next)
			free_level(next, level - 1);
	}
	pages_put(table, 0);
}

static void riscv_free(struct pasid_table *t)
{
	if (t->base)
		free_level(t->base, t->cfg.vendor.riscv.directory - RISCV_PD8);
}

static u64 mode(enum page_table_kind kind)
{
	return MODE(kind == PAGE_TABLE_SV39 ? SV39 : kind == PAGE_TABLE_SV57 ? SV57 : SV48);
}

/* PC.ta and PC.fsc */
static void riscv_prepare(const struct pasid_table *t, const struct page_table *pt, u32 id,
			  struct pasid_entry *e)
{
	(void)t;
	e->word[0] = TA_V | TA_ENS | TA_SUM | TA_PSCID(id);
	e->word[1] = mode(pt->kind) | gpa_of(pt->root) >> PAGE_4K;
}

static int riscv_write(struct pasid_table *t, u32 pasid, const struct pasid_entry *e)
{
	enum riscv_directory directory = t->cfg.vendor.riscv.directory;
	u64 *table = t->base, *place;

	if (directory == RISCV_PD20)
		table = pasid_table_next(&table[pasid >> TOP_SHIFT], POINTER_SHIFT, 0, e);
	if (table && directory != RISCV_PD8)
		table = pasid_table_next(&table[pasid >> MIDDLE_SHIFT & MIDDLE_MASK], POINTER_SHIFT,
					 0, e);
	if (!table)
		return e ? VIOMMU_S_NOMEM : VIOMMU_S_OK;
	place = &table[2 * (pasid & LEAF_MASK)];
	if (e)
		pasid_table_store(place, e->word, 2);
	else
		__atomic_store_n(place, 0, __ATOMIC_SEQ_CST);
	return VIOMMU_S_OK;
}

static void request(const struct pasid_table *t, const struct descriptor *d,
		    struct viommu_req_attach_table *req)
{
	pasid_table_request(t, FORMAT, req);
	memcpy(req->descriptor, d, sizeof(*d));
}

/* DC.tc */
static u64 device_tc(const struct pasid_table *t)
{
	return TC_V | TC_PDTV | (t->cfg.plain == PLAIN_ENTRY_0 ? TC_DPE : 0) |
	       (t->cfg.vendor.riscv.marks ? TC_SADE : 0);
}

static void riscv_attach(const struct pasid_table *t, struct viommu_req_attach_table *req)
{
	const struct descriptor d = {
		.tc = device_tc(t),
		.fsc = MODE(t->cfg.vendor.riscv.directory) | gpa_of(t->base) >> PAGE_4K,
	};

	request(t, &d, req);
}

const struct pasid_table_ops pasid_table_riscv = {
	.alloc = riscv_alloc,
	.free = riscv_free,
	.prepare = riscv_prepare,
	.write = riscv_write,
	.sync = pasid_table_sync_entry,
	.attach = riscv_attach,
};

static int gipc_alloc(struct pasid_table *t)
{
	t->base = NULL;
	return VIOMMU_S_OK;
}

static void gipc_free(struct pasid_table *t)
{
	(void)t;
}

static int gipc_write(struct pasid_table *t, u32 pasid, const struct pasid_entry *e)
{
	struct descriptor d = {.pasid = pasid, .flags = FLAG_PASID};
	struct viommu_req_attach_table req;

	if (!e)
		return viommu_detach_pasid(t->iommu, t->domain, t->endpoint, pasid);
	d.ta = e->word[0];
	d.fsc = e->word[1];
	request(t, &d, &req);
	return viommu_request(t->iommu, &req, sizeof(req));
}

static void gipc_attach(const struct pasid_table *t, struct viommu_req_attach_table *req)
{
	const struct descriptor d = {.tc = device_tc(t), .flags = FLAG_MANAGED};

	request(t, &d, req);
}

const struct pasid_table_ops pasid_table_riscv_gipc = {
	.alloc = gipc_alloc,
	.free = gipc_free,
	.prepare = riscv_prepare,
	.write = gipc_write,
	.attach = gipc_attach,
};
