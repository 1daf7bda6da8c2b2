// SPDX-License-Identifier: GPL-2.0-only
#include "suite.h"

static int mapping_attach(struct target *t)
{
	return viommu_attach(&iommu, t->domain, t->endpoint, 0);
}

static int mapping_enter(struct target *t, u32 domain)
{
	return viommu_attach(&iommu, domain, t->endpoint, 0);
}

static void mapping_release(struct target *t)
{
	(void)t;
}

static int mapping_open(struct space *s)
{
	return s->pasid ? VIOMMU_S_UNSUPP : VIOMMU_S_OK;
}

static int mapping_close(struct space *s)
{
	return viommu_unmap(&iommu, s->t->domain, iommu.input_start, iommu.input_end);
}

static void mapping_free(struct space *s)
{
	(void)s;
}

static int mapping_unmap(struct space *s, u64 iova, unsigned int size_log2)
{
	return viommu_unmap(&iommu, s->t->domain, iova, iova + BIT_ULL(size_log2) - 1);
}

static int mapping_map(struct space *s, u64 iova, u64 gpa, unsigned int size_log2, u32 flags)
{
	int ret = mapping_unmap(s, iova, size_log2);

	if (ret != VIOMMU_S_OK)
		return ret;
	return viommu_map(&iommu, s->t->domain, iova, gpa, BIT_ULL(size_log2),
			  VIOMMU_MAP_READ | (flags & PAGE_WRITE ? VIOMMU_MAP_WRITE : 0));
}

static int mapping_invalidate(struct space *s, enum inv_scope scope, u64 iova,
			      unsigned int size_log2)
{
	/* The answers to the requests said as much. */
	(void)s, (void)scope, (void)iova, (void)size_log2;
	return VIOMMU_S_OK;
}

static int mapping_take(struct space *main, u32 n)
{
	u64 iova = (u64)n << PAGE_4K;

	return viommu_map(&iommu, main->t->domain, iova, iova, PAGE_SIZE, VIOMMU_MAP_READ);
}

static int mapping_give(struct space *main, u32 n)
{
	return mapping_unmap(main, (u64)n << PAGE_4K, PAGE_4K);
}

const struct kind kind_mapping = {
	.attach = mapping_attach,
	.enter = mapping_enter,
	.release = mapping_release,
	.open = mapping_open,
	.close = mapping_close,
	.free = mapping_free,
	.map = mapping_map,
	.unmap = mapping_unmap,
	.invalidate = mapping_invalidate,
	.take = mapping_take,
	.give = mapping_give,
};

static int tables_attach(struct target *t)
{
	int ret = pasid_table_alloc(&t->table, &iommu, &t->cfg, t->domain, t->endpoint);

	return ret == VIOMMU_S_OK ? pasid_table_attach(&t->table) : ret;
}

static int tables_enter(struct target *t, u32 domain)
{
	t->table.domain = domain;
	return pasid_table_attach(&t->table);
}

static void tables_release(struct target *t)
{
	pasid_table_free(&t->table);
}

static int tables_open(struct space *s)
{
	if (!s->pt.root && !page_table_alloc(&s->pt, s->t->row->pages))
		return VIOMMU_S_NOMEM;
	return pasid_table_set(&s->t->table, s->pasid, &s->pt, s->id);
}

static int tables_close(struct space *s)
{
	return pasid_table_clear(&s->t->table, s->pasid);
}

static void tables_free(struct space *s)
{
	page_table_free(&s->pt);
}

static int tables_map(struct space *s, u64 iova, u64 gpa, unsigned int size_log2, u32 flags)
{
	if (s->t->row->marks == MARKS_SET)
		flags |= PAGE_UNMARKED;
	return page_table_map(&s->pt, iova, gpa, size_log2, flags) ? VIOMMU_S_OK : VIOMMU_S_NOMEM;
}

static int tables_unmap(struct space *s, u64 iova, unsigned int size_log2)
{
	(void)size_log2;
	page_table_unmap(&s->pt, iova);
	return VIOMMU_S_OK;
}

/* Groups of blocks may have a size that INVALIDATE does not know: several pages then. */
#define GROUP_16G 34
#define PAGE_1G	  30

static int tables_invalidate(struct space *s, enum inv_scope scope, u64 iova,
			     unsigned int size_log2)
{
	unsigned int page = size_log2 == GROUP_16G ? PAGE_1G : size_log2;
	struct viommu_req_invalidate req;

	switch (scope) {
	case INV_ADDRESS:
		pasid_table_inv_address(&s->t->table, s->pasid, iova, BIT_ULL(size_log2 - page),
					page, &req);
		break;
	case INV_PASID:
		pasid_table_inv_pasid(&s->t->table, s->pasid, &req);
		break;
	case INV_ID:
	case INV_ID_GLOBAL:
		pasid_table_inv_id(&s->t->table, s->id, scope == INV_ID_GLOBAL, &req);
		break;
	default:
		pasid_table_inv_domain(&s->t->table, &req);
	}
	return viommu_request(&iommu, &req, sizeof(req));
}

static int tables_take(struct space *main, u32 n)
{
	if (!main->pt.root && !page_table_alloc(&main->pt, main->t->row->pages))
		return VIOMMU_S_NOMEM;
	return pasid_table_set(&main->t->table, n + 1, &main->pt, n);
}

static int tables_give(struct space *main, u32 n)
{
	return pasid_table_clear(&main->t->table, n + 1);
}

const struct kind kind_tables = {
	.has_pasids = true,
	.attach = tables_attach,
	.enter = tables_enter,
	.release = tables_release,
	.open = tables_open,
	.close = tables_close,
	.free = tables_free,
	.map = tables_map,
	.unmap = tables_unmap,
	.invalidate = tables_invalidate,
	.take = tables_take,
	.give = tables_give,
};

/* What a row of tables has: format, PASID bits, shape, pages, and the vendor's own. */
#define TABLES(format_, bits, shape_, pages_)                                      \
	.kind = &kind_tables, .format = PASID_TABLE_##format_, .pasid_bits = bits, \
	.shape = shape_, .pages = PAGE_TABLE_##pages_

/* A context descriptor that is not valid is a broken one. */
#define ARM(bits, shape_, pages_)                                          \
	TABLES(ARM, bits, ARM_CD_##shape_, pages_), .marks = MARKS_NEEDED, \
		.no_entry = VIOMMU_FAULT_UNKNOWN

#define INTEL(pages_)                                                            \
	TABLES(INTEL, 20, 0, pages_), .marks = MARKS_SET, .keeps = KEEPS_PASIDS, \
		.no_entry = VIOMMU_FAULT_DOMAIN

#define AMD(bits, levels, pages_) \
	TABLES(AMD, bits, (levels) - 1, pages_), .no_entry = VIOMMU_FAULT_DOMAIN

#define AMD_PT(pages_) \
	TABLES(AMD_PT, 20, 0, pages_), .keeps = KEEPS_ALL, .no_entry = VIOMMU_FAULT_DOMAIN

#define RISCV(bits, pages_) \
	TABLES(RISCV, bits, RISCV_PD##bits, pages_), .no_entry = VIOMMU_FAULT_DOMAIN

#define RISCV_GIPC(pages_) \
	TABLES(RISCV_GIPC, 20, 0, pages_), .keeps = KEEPS_ALL, .no_entry = VIOMMU_FAULT_DOMAIN

static const struct row rows[] = {
	{"MAP and UNMAP", .kind = &kind_mapping},

	{"SMMUv3, one table of CDs", ARM(8, LINEAR, AARCH64)},
	{"SMMUv3, CDs behind entries of 4K", ARM(16, 4K_LEAVES, AARCH64), .brief = true},
	{"SMMUv3, CDs behind entries of 64K", ARM(20, 64K_LEAVES, AARCH64), .brief = true},
	{"SMMUv3, granule 16K, bypass", ARM(8, LINEAR, AARCH64_16K), .plain = PLAIN_BYPASS,
	 .brief = true},
	{"SMMUv3, granule 64K, terminate", ARM(8, LINEAR, AARCH64_64K), .plain = PLAIN_REFUSED,
	 .brief = true},

	{"VT-d", INTEL(X86_64), .writes_all = true},
	{"VT-d, 5 levels, WPE and EAFE", INTEL(X86_64_5), .extended = true, .brief = true},

	{"AMD, GCR3 table of 1 level", AMD(9, 1, X86_64), .marks = MARKS_SET},
	{"AMD, GCR3 table of 2 levels", AMD(18, 2, X86_64), .marks = MARKS_SET, .brief = true},
	{"AMD, GCR3 table of 3 levels", AMD(20, 3, X86_64), .marks = MARKS_SET, .brief = true},
	{"AMD, 5 levels, nothing marked, bypass", AMD(9, 1, X86_64_5), .plain = PLAIN_BYPASS,
	 .brief = true},
	{"AMD, GCR3 table of the device", AMD_PT(X86_64), .marks = MARKS_SET},
	{"AMD, the device's, 5 levels, nothing marked, bypass", AMD_PT(X86_64_5),
	 .plain = PLAIN_BYPASS, .brief = true},

	{"RISC-V, PD8 and Sv39", RISCV(8, SV39), .marks = MARKS_NEEDED},
	{"RISC-V, PD17 and Sv48", RISCV(17, SV48), .marks = MARKS_NEEDED, .brief = true},
	{"RISC-V, PD20 and Sv48", RISCV(20, SV48), .marks = MARKS_NEEDED, .brief = true},
	{"RISC-V, Sv57, SADE, bypass", RISCV(8, SV57), .marks = MARKS_SET, .plain = PLAIN_BYPASS,
	 .brief = true},
	{"RISC-V, process directory of the device", RISCV_GIPC(SV48), .marks = MARKS_NEEDED},
	{"RISC-V, the device's, Sv57, SADE, bypass", RISCV_GIPC(SV57), .marks = MARKS_SET,
	 .plain = PLAIN_BYPASS, .brief = true},
};

const struct row *row_next(const struct pasid_table_cfg *probed, const struct row *row)
{
	for (row = row ? row + 1 : rows; row < rows + ARRAY_SIZE(rows); row++) {
		if (probed ? row->kind == &kind_tables && row->format == probed->format
			   : row->kind == &kind_mapping)
			return row;
	}
	return NULL;
}

void row_choose(const struct row *row, const struct pasid_table_cfg *probed,
		struct pasid_table_cfg *cfg)
{
	*cfg = *probed;
	cfg->pasid_bits = min(row->pasid_bits, probed->pasid_bits);
	cfg->pages = row->pages;
	cfg->plain = row->plain;
	switch (row->format) {
	case PASID_TABLE_ARM:
		cfg->vendor.arm.cd_table = row->shape;
		break;
	case PASID_TABLE_INTEL:
		cfg->vendor.intel.write_protect = !row->writes_all;
		cfg->vendor.intel.extended = row->extended;
		break;
	case PASID_TABLE_AMD:
	case PASID_TABLE_AMD_PT:
		cfg->vendor.amd.glx = row->shape;
		cfg->vendor.amd.unmarked = row->marks == MARKS_NONE;
		break;
	case PASID_TABLE_RISCV:
	case PASID_TABLE_RISCV_GIPC:
		cfg->vendor.riscv.directory = row->shape;
		cfg->vendor.riscv.marks = row->marks == MARKS_SET;
		break;
	default:
		break;
	}
}

unsigned int row_page(const struct row *row)
{
	return row->kind == &kind_tables ? page_table_page(row->pages) : PAGE_4K;
}

u64 row_sizes(const struct row *row)
{
	return row->kind == &kind_tables ? page_table_sizes(row->pages)
					 : BIT_ULL(PAGE_4K) | BIT_ULL(PAGE_2M) | BIT_ULL(PAGE_1G);
}

u64 row_high(const struct row *row)
{
	return row->kind == &kind_tables ? BIT_ULL(page_table_bits(row->pages) - 1)
					 : (iommu.input_end >> 1) + 1;
}
