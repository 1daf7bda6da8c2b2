// SPDX-License-Identifier: GPL-2.0-only
/*
 * AMD: a GCR3 table of 1 to 3 levels, or one that the device keeps. GIOV is what gives accesses
 * without a PASID entry 0. AMD I/O Virtualization Technology, "GCR3 table"; docs/page-tables.md,
 * "AMD".
 */
#include "pasid-table.h"
#include "rt/core.h"
#include "rt/pages.h"

#define FORMAT_GCR3  5
#define FORMAT_PASID 6

#define GCR3_VALID BIT_ULL(0)

#define LEVEL_BITS 9
#define LEVEL_MASK 511
#define NR_ENTRIES 512

struct descriptor {
	u64 gcr3_table;
	u8 glx;
	u8 giov;
	u8 guest_paging_mode;
	u8 vimuen;
	u8 gaupdatedis;
} __packed;

struct pasid_descriptor {
	u64 guest_page_table;
	u32 pasid;
} __packed;

static int amd_alloc(struct pasid_table *t)
{
	t->base = pages_get(0);
	return t->base ? VIOMMU_S_OK : VIOMMU_S_NOMEM;
}

static void free_level(u64 *table, unsigned int level)
{
	unsigned int i;

	for (i = 0; level && i < NR_ENTRIES; i++) {
		u64 *next = pasid_table_next(&table[i], 0, 0, false);

		if (next)
			free_level(next, level - 1);
	}
	pages_put(table, 0);
}

static void amd_free(struct pasid_table *t)
{
	if (t->base)
		free_level(t->base, t->cfg.vendor.amd.glx);
}

static void amd_prepare(const struct pasid_table *t, const struct page_table *pt, u32 id,
			struct pasid_entry *e)
{
	(void)t;
	(void)id;
	e->word[0] = gpa_of(pt->root) | GCR3_VALID;
}

static int amd_write(struct pasid_table *t, u32 pasid, const struct pasid_entry *e)
{
	unsigned int level = t->cfg.vendor.amd.glx;
	u64 *table = t->base;

	for (; table && level; level--)
		table = pasid_table_next(&table[pasid >> LEVEL_BITS * level & LEVEL_MASK], 0, 0, e);
	if (!table)
		return e ? VIOMMU_S_NOMEM : VIOMMU_S_OK;
	__atomic_store_n(&table[pasid & LEVEL_MASK], e ? e->word[0] : 0, __ATOMIC_SEQ_CST);
	return VIOMMU_S_OK;
}

/* All but the GCR3 table in memory. */
static struct descriptor describe(const struct pasid_table *t)
{
	return (struct descriptor){
		.giov = t->cfg.plain == PLAIN_ENTRY_0,
		.guest_paging_mode = t->cfg.pages == PAGE_TABLE_X86_64_5,
		.gaupdatedis = t->cfg.vendor.amd.unmarked,
	};
}

static void amd_attach(const struct pasid_table *t, struct viommu_req_attach_table *req)
{
	struct descriptor d = describe(t);

	d.gcr3_table = gpa_of(t->base);
	d.glx = t->cfg.vendor.amd.glx;
	pasid_table_request(t, FORMAT_GCR3, req);
	memcpy(req->descriptor, &d, sizeof(d));
}

const struct pasid_table_ops pasid_table_amd = {
	.alloc = amd_alloc,
	.free = amd_free,
	.prepare = amd_prepare,
	.write = amd_write,
	.sync = pasid_table_sync_entry,
	.attach = amd_attach,
};

static int pt_alloc(struct pasid_table *t)
{
	t->base = NULL;
	return VIOMMU_S_OK;
}

static void pt_free(struct pasid_table *t)
{
	(void)t;
}

static void pt_prepare(const struct pasid_table *t, const struct page_table *pt, u32 id,
		       struct pasid_entry *e)
{
	(void)t;
	(void)id;
	e->word[0] = gpa_of(pt->root);
}

static int pt_write(struct pasid_table *t, u32 pasid, const struct pasid_entry *e)
{
	struct viommu_req_attach_table req;
	struct pasid_descriptor d = {.pasid = pasid};

	if (!e)
		return viommu_detach_pasid(t->iommu, t->domain, t->endpoint, pasid);
	d.guest_page_table = e->word[0];
	pasid_table_request(t, FORMAT_PASID, &req);
	memcpy(req.descriptor, &d, sizeof(d));
	return viommu_request(t->iommu, &req, sizeof(req));
}

static void pt_attach(const struct pasid_table *t, struct viommu_req_attach_table *req)
{
	const struct descriptor d = describe(t);

	pasid_table_request(t, FORMAT_GCR3, req);
	memcpy(req->descriptor, &d, sizeof(d));
}

const struct pasid_table_ops pasid_table_amd_pt = {
	.alloc = pt_alloc,
	.free = pt_free,
	.prepare = pt_prepare,
	.write = pt_write,
	.attach = pt_attach,
};
