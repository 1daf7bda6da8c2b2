// SPDX-License-Identifier: GPL-2.0-only
#include "suite.h"

static int mapping_attach(struct target *t)
{
	return viommu_attach(&iommu, t->domain, t->endpoint, 0);
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

const struct kind kind_mapping = {
	.attach = mapping_attach,
	.release = mapping_release,
	.open = mapping_open,
	.close = mapping_close,
	.free = mapping_free,
	.map = mapping_map,
	.unmap = mapping_unmap,
	.invalidate = mapping_invalidate,
};

static int tables_attach(struct target *t)
{
	int ret = pasid_table_alloc(&t->table, &iommu, &t->cfg, t->domain, t->endpoint);

	return ret == VIOMMU_S_OK ? pasid_table_attach(&t->table) : ret;
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
	return page_table_map(&s->pt, iova, gpa, size_log2, flags) ? VIOMMU_S_OK : VIOMMU_S_NOMEM;
}

static int tables_unmap(struct space *s, u64 iova, unsigned int size_log2)
{
	(void)size_log2;
	page_table_unmap(&s->pt, iova);
	return VIOMMU_S_OK;
}

static int tables_invalidate(struct space *s, enum inv_scope scope, u64 iova,
			     unsigned int size_log2)
{
	struct viommu_req_invalidate req;

	switch (scope) {
	case INV_ADDRESS:
		pasid_table_inv_address(&s->t->table, s->pasid, iova, 1, size_log2, &req);
		break;
	case INV_PASID:
		pasid_table_inv_pasid(&s->t->table, s->pasid, &req);
		break;
	case INV_ID:
		pasid_table_inv_id(&s->t->table, s->id, false, &req);
		break;
	default:
		pasid_table_inv_domain(&s->t->table, &req);
	}
	return viommu_request(&iommu, &req, sizeof(req));
}

const struct kind kind_tables = {
	.has_pasids = true,
	.attach = tables_attach,
	.release = tables_release,
	.open = tables_open,
	.close = tables_close,
	.free = tables_free,
	.map = tables_map,
	.unmap = tables_unmap,
	.invalidate = tables_invalidate,
};

/* What a row of tables has: format, PASID bits, shape, pages, reason without an entry. */
#define TABLES(format_, bits, shape_, pages_, reason)                              \
	.kind = &kind_tables, .format = PASID_TABLE_##format_, .pasid_bits = bits, \
	.shape = shape_, .pages = PAGE_TABLE_##pages_, .no_entry = VIOMMU_FAULT_##reason

static const struct row rows[] = {
	{"MAP and UNMAP", .kind = &kind_mapping},
	/* A context descriptor that is not valid is a broken one. */
	{"SMMUv3, one table of CDs", TABLES(ARM, 8, ARM_CD_LINEAR, AARCH64, UNKNOWN)},
	{"SMMUv3, CDs behind entries of 4K", TABLES(ARM, 16, ARM_CD_4K_LEAVES, AARCH64, UNKNOWN)},
	{"SMMUv3, CDs behind entries of 64K", TABLES(ARM, 20, ARM_CD_64K_LEAVES, AARCH64, UNKNOWN)},
	{"VT-d", TABLES(INTEL, 20, 0, X86_64, DOMAIN), .marks = true},
	{"AMD, GCR3 table of 1 level", TABLES(AMD, 9, 0, X86_64, DOMAIN), .marks = true},
	{"AMD, GCR3 table of 2 levels", TABLES(AMD, 18, 1, X86_64, DOMAIN), .marks = true},
	{"AMD, GCR3 table of 3 levels", TABLES(AMD, 20, 2, X86_64, DOMAIN), .marks = true},
	{"AMD, GCR3 table of the device", TABLES(AMD_PT, 20, 0, X86_64, DOMAIN), .marks = true},
	{"RISC-V, PD8 and Sv39", TABLES(RISCV, 8, RISCV_PD8, SV39, DOMAIN)},
	{"RISC-V, PD17 and Sv48", TABLES(RISCV, 17, RISCV_PD17, SV48, DOMAIN)},
	{"RISC-V, PD20 and Sv48", TABLES(RISCV, 20, RISCV_PD20, SV48, DOMAIN)},
	{"RISC-V, process directory of the device", TABLES(RISCV_GIPC, 20, 0, SV48, DOMAIN)},
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
	switch (row->format) {
	case PASID_TABLE_ARM:
		cfg->vendor.arm.cd_table = row->shape;
		break;
	case PASID_TABLE_AMD:
		cfg->vendor.amd.glx = row->shape;
		break;
	case PASID_TABLE_RISCV:
		cfg->vendor.riscv.directory = row->shape;
		break;
	default:
		break;
	}
}
