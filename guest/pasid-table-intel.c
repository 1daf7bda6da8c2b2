// SPDX-License-Identifier: GPL-2.0-only
/*
 * VT-d: the device keeps the table, and each page table is attached for itself.
 * docs/page-tables.md, "Intel VT-d". Without an entry, accesses without a PASID have a page table
 * that is empty.
 */
#include "pasid-table.h"
#include "rt/core.h"
#include "rt/pages.h"

#define FORMAT 2

#define FLAG_SRE   BIT(0)
#define FLAG_EAFE  BIT(1)
#define FLAG_WPE   BIT(2)
#define FLAG_PASID BIT(8)

struct descriptor {
	u64 fsptptr;
	u32 pasid;
	u32 flags;
	u32 addr_width;
} __packed;

static int intel_alloc(struct pasid_table *t)
{
	t->base = pages_get(0);
	return t->base ? VIOMMU_S_OK : VIOMMU_S_NOMEM;
}

static void intel_free(struct pasid_table *t)
{
	pages_put(t->base, 0);
}

/* Both halves count. */
static u32 addr_width(enum page_table_kind kind)
{
	return page_table_bits(kind) + 1;
}

static void intel_prepare(const struct pasid_table *t, const struct page_table *pt, u32 id,
			  struct pasid_entry *e)
{
	(void)t;
	(void)id;
	e->word[0] = gpa_of(pt->root);
	e->word[1] = addr_width(pt->kind);
}

static void fill(const struct pasid_table *t, u32 pasid, u64 root, u32 width,
		 struct viommu_req_attach_table *req)
{
	const struct pasid_table_cfg *cfg = &t->cfg;
	const struct descriptor d = {
		.fsptptr = root,
		.pasid = pasid,
		.flags = (pasid ? FLAG_PASID : 0) | (cfg->vendor.intel.supervisor ? FLAG_SRE : 0) |
			 (cfg->vendor.intel.extended ? FLAG_EAFE : 0) |
			 (cfg->vendor.intel.write_protect ? FLAG_WPE : 0),
		.addr_width = width,
	};

	pasid_table_request(t, FORMAT, req);
	memcpy(req->descriptor, &d, sizeof(d));
}

static int intel_write(struct pasid_table *t, u32 pasid, const struct pasid_entry *e)
{
	struct viommu_req_attach_table req;

	if (pasid && !e)
		return viommu_detach_pasid(t->iommu, t->domain, t->endpoint, pasid);
	if (e)
		fill(t, pasid, e->word[0], e->word[1], &req);
	else
		fill(t, pasid, gpa_of(t->base), addr_width(t->cfg.pages), &req);
	return viommu_request(t->iommu, &req, sizeof(req));
}

static void intel_attach(const struct pasid_table *t, struct viommu_req_attach_table *req)
{
	fill(t, 0, gpa_of(t->base), addr_width(t->cfg.pages), req);
}

const struct pasid_table_ops pasid_table_intel = {
	.alloc = intel_alloc,
	.free = intel_free,
	.prepare = intel_prepare,
	.write = intel_write,
	.attach = intel_attach,
};
