// SPDX-License-Identifier: GPL-2.0-only
#include "pasid-table.h"

#include "rt/core.h"
#include "rt/pages.h"

static const struct pasid_table_ops *const vendors[] = {
	[PASID_TABLE_ARM] = &pasid_table_arm,
	[PASID_TABLE_INTEL] = &pasid_table_intel,
	[PASID_TABLE_AMD] = &pasid_table_amd,
	[PASID_TABLE_AMD_PT] = &pasid_table_amd_pt,
	[PASID_TABLE_RISCV] = &pasid_table_riscv,
	[PASID_TABLE_RISCV_GIPC] = &pasid_table_riscv_gipc,
};

const char *pasid_table_name(enum pasid_table_format format)
{
	static const char *const names[] = {
		[PASID_TABLE_ARM] = "SMMUv3",
		[PASID_TABLE_INTEL] = "VT-d",
		[PASID_TABLE_AMD] = "AMD, GCR3 table in memory",
		[PASID_TABLE_AMD_PT] = "AMD, GCR3 table of the device",
		[PASID_TABLE_RISCV] = "RISC-V, process directory in memory",
		[PASID_TABLE_RISCV_GIPC] = "RISC-V, process directory of the device",
	};

	return names[format];
}

enum page_table_kind pasid_table_pages(enum pasid_table_format format)
{
	switch (format) {
	case PASID_TABLE_ARM:
		return PAGE_TABLE_AARCH64;
	case PASID_TABLE_RISCV:
	case PASID_TABLE_RISCV_GIPC:
		return PAGE_TABLE_SV48;
	default:
		return PAGE_TABLE_X86_64;
	}
}

int pasid_table_alloc(struct pasid_table *t, struct viommu *iommu,
		      const struct pasid_table_cfg *cfg, u32 domain, u32 endpoint)
{
	*t = (struct pasid_table){
		.cfg = *cfg,
		.ops = vendors[cfg->format],
		.iommu = iommu,
		.domain = domain,
		.endpoint = endpoint,
	};
	return t->ops->alloc(t);
}

void pasid_table_free(struct pasid_table *t)
{
	t->ops->free(t);
	t->base = NULL;
}

void pasid_table_request(const struct pasid_table *t, u8 format,
			 struct viommu_req_attach_table *req)
{
	*req = (struct viommu_req_attach_table){
		.head.type = VIOMMU_T_ATTACH_TABLE,
		.domain = t->domain,
		.endpoint = t->endpoint,
		.format = format,
	};
}

int pasid_table_attach(struct pasid_table *t)
{
	struct viommu_req_attach_table req;

	t->ops->attach(t, &req);
	return viommu_request(t->iommu, &req, sizeof(req));
}

static int write_and_sync(struct pasid_table *t, u32 pasid, const struct pasid_entry *e)
{
	int ret = t->ops->write(t, pasid, e);

	if (ret == VIOMMU_S_OK && t->ops->sync)
		ret = t->ops->sync(t, pasid, true);
	return ret;
}

int pasid_table_set(struct pasid_table *t, u32 pasid, const struct page_table *pt, u32 id)
{
	struct pasid_entry e = {0};

	t->ops->prepare(t, pt, id, &e);
	return write_and_sync(t, pasid, &e);
}

int pasid_table_clear(struct pasid_table *t, u32 pasid)
{
	return write_and_sync(t, pasid, NULL);
}

static void inv_start(const struct pasid_table *t, u8 scope, struct viommu_req_invalidate *req)
{
	*req = (struct viommu_req_invalidate){
		.head.type = VIOMMU_T_INVALIDATE,
		.scope = scope,
		.caches = VIOMMU_CACHE_TLB,
		.domain = t->domain,
	};
}

static void inv_set_pasid(struct viommu_req_invalidate *req, u32 pasid)
{
	req->pasid = pasid;
	if (pasid)
		req->flags |= VIOMMU_INVALIDATE_F_PASID;
}

void pasid_table_inv_domain(const struct pasid_table *t, struct viommu_req_invalidate *req)
{
	inv_start(t, VIOMMU_INVALIDATE_DOMAIN, req);
}

void pasid_table_inv_id(const struct pasid_table *t, u32 id, bool global,
			struct viommu_req_invalidate *req)
{
	inv_start(t, VIOMMU_INVALIDATE_DOMAIN, req);
	req->flags = VIOMMU_INVALIDATE_F_ID | (global ? VIOMMU_INVALIDATE_F_GLOBAL : 0);
	req->id = id;
}

void pasid_table_inv_pasid(const struct pasid_table *t, u32 pasid,
			   struct viommu_req_invalidate *req)
{
	inv_start(t, VIOMMU_INVALIDATE_PASID, req);
	inv_set_pasid(req, pasid);
}

void pasid_table_inv_address(const struct pasid_table *t, u32 pasid, u64 address, u64 nr_pages,
			     unsigned int size_log2, struct viommu_req_invalidate *req)
{
	inv_start(t, VIOMMU_INVALIDATE_ADDRESS, req);
	inv_set_pasid(req, pasid);
	req->address = address;
	req->nr_pages = nr_pages;
	req->page_size = size_log2;
}

int pasid_table_sync_entry(struct pasid_table *t, u32 pasid, bool leaf)
{
	struct viommu_req_invalidate req;

	pasid_table_inv_pasid(t, pasid, &req);
	req.caches |= VIOMMU_CACHE_PASID;
	if (leaf)
		req.flags |= VIOMMU_INVALIDATE_F_LEAF;
	return viommu_request(t->iommu, &req, sizeof(req));
}

u64 *pasid_table_next(u64 *entry, unsigned int shift, unsigned int order, bool alloc)
{
	u64 *table;

	if (*entry)
		return (u64 *)(uintptr_t)((*entry & ~1ULL) << shift);
	table = alloc ? pages_get(order) : NULL;
	if (table)
		__atomic_store_n(entry, gpa_of(table) >> shift | 1, __ATOMIC_RELEASE);
	return table;
}

void pasid_table_store(u64 *place, const u64 *word, unsigned int n)
{
	/* An access meanwhile finds no entry, rather than one that is made of two. */
	__atomic_store_n(&place[0], 0, __ATOMIC_SEQ_CST);
	while (--n)
		__atomic_store_n(&place[n], word[n], __ATOMIC_SEQ_CST);
	__atomic_store_n(&place[0], word[0], __ATOMIC_SEQ_CST);
}

/* Properties: type, whole size, and what is at an offset. */
#define PROPERTY_ARM   2
#define PROPERTY_INTEL 3
#define PROPERTY_RISCV 4
#define PROPERTY_AMD   5

static u64 property_word(const struct viommu_property *p, unsigned int at)
{
	u64 word;

	memcpy(&word, (const u8 *)p + at, sizeof(word));
	return word;
}

static u64 field(u64 word, unsigned int high, unsigned int low)
{
	return (word & GENMASK_ULL(high, low)) >> low;
}

static bool probe_arm(const struct viommu_property *p, struct pasid_table_cfg *cfg)
{
	u64 idr0 = property_word(p, 8), idr1 = property_word(p, 16), idr5 = property_word(p, 48);
	bool granule_4k = field(idr5, 4, 4), two_levels = field(idr0, 19, 19);

	cfg->format = PASID_TABLE_ARM;
	cfg->pasid_bits = field(idr1, 10, 6);
	cfg->has_id = true;
	cfg->vendor.arm.cd_table = two_levels ? ARM_CD_64K_LEAVES : ARM_CD_LINEAR;
	cfg->vendor.arm.oas = field(idr5, 2, 0);
	return granule_4k && field(idr0, 1, 1);
}

static bool probe_intel(const struct viommu_property *p, struct pasid_table_cfg *cfg)
{
	u64 ecap = property_word(p, 16);

	cfg->format = PASID_TABLE_INTEL;
	cfg->pasid_bits = field(ecap, 40, 40) ? field(ecap, 39, 35) + 1 : 0;
	cfg->vendor.intel.supervisor = field(ecap, 31, 31);
	return field(ecap, 47, 47);
}

static bool probe_amd(const struct viommu_property *p, struct pasid_table_cfg *cfg)
{
	u64 efr = property_word(p, 8), efr2 = property_word(p, 16);
	bool in_memory = field(efr2, 3, 3);

	cfg->format = in_memory ? PASID_TABLE_AMD : PASID_TABLE_AMD_PT;
	cfg->pasid_bits = field(efr, 36, 32) + 1;
	cfg->vendor.amd.glx = field(efr, 15, 14);
	return field(efr, 4, 4) && field(efr, 48, 48);
}

static bool probe_riscv(const struct viommu_property *p, struct pasid_table_cfg *cfg)
{
	u64 capabilities = property_word(p, 8);
	const u8 *bytes = (const u8 *)p;
	bool kept = bytes[17] & 1;

	cfg->format = kept ? PASID_TABLE_RISCV_GIPC : PASID_TABLE_RISCV;
	cfg->pasid_bits = bytes[16];
	cfg->has_id = true;
	cfg->vendor.riscv.directory = field(capabilities, 40, 40)   ? RISCV_PD20
				      : field(capabilities, 39, 39) ? RISCV_PD17
								    : RISCV_PD8;
	return field(capabilities, 10, 10) && (kept || field(capabilities, 40, 38));
}

static bool probe_property(const struct viommu_property *p, struct pasid_table_cfg *cfg)
{
	unsigned int len = sizeof(*p) + p->length;

	switch (p->type & VIOMMU_PROBE_TYPE_MASK) {
	case PROPERTY_ARM:
		return len == 56 && probe_arm(p, cfg);
	case PROPERTY_INTEL:
		return len == 24 && probe_intel(p, cfg);
	case PROPERTY_RISCV:
		return len == 24 && probe_riscv(p, cfg);
	case PROPERTY_AMD:
		return len == 40 && probe_amd(p, cfg);
	default:
		return false;
	}
}

bool pasid_table_probe(const struct viommu_property *p, struct pasid_table_cfg *cfg)
{
	*cfg = (struct pasid_table_cfg){0};
	if (!probe_property(p, cfg))
		return false;
	cfg->pages = pasid_table_pages(cfg->format);
	return true;
}

bool pasid_table_probe_endpoint(struct viommu *iommu, u32 endpoint, struct pasid_table_cfg *cfg)
{
	static u64 answer[PAGE_SIZE / 8];
	const struct viommu_property *p;
	bool bad = false, found = false;
	u32 pos = 0;

	if (!(iommu->v.features & VIOMMU_F_PROBE) ||
	    iommu->probe_size + sizeof(struct viommu_tail) > sizeof(answer) ||
	    viommu_probe(iommu, endpoint, answer) != VIOMMU_S_OK)
		return false;
	while (!found && (p = viommu_next_property(iommu, answer, &pos, &bad)))
		found = pasid_table_probe(p, cfg);
	return found;
}
