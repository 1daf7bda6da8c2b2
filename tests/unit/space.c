// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "build-aarch64.h"
#include "build-riscv.h"
#include "build-x86.h"
#include "iommu-guest.h"
#include "space.h"

#define PASID 5
#define ID    7

static struct space_table *new_request(struct space_tree *tree, u8 format)
{
	struct space_table *t = &tree->requests[tree->nr_requests++];

	t->format = format;
	memset(t->desc, 0, sizeof(t->desc));
	return t;
}

/* A tree of the format of the CPU, on an otherwise empty page. */
static u64 build_x86(struct table_memory *tm, struct space_tree *tree)
{
	struct x86_build b;

	x86_build_init(&b, &tm->mem, table_alloc(tm, 32 * KiB), 4);
	for (unsigned int i = 0; i < SPACE_PAGES; i++) {
		u64 iova = SPACE_IOVA + i * SPACE_PAGE;

		x86_build_map(&b, iova, 1, 0, X86_ALL);
		tree->entries[i] = x86_build_entry(&b, iova, 1);
	}
	return b.root;
}

static u64 leaf_x86(u64 gpa)
{
	return gpa | X86_ALL;
}

static void build_vtd(const struct space_kind *kind, struct table_memory *tm,
		      struct space_tree *tree)
{
	struct space_table *t = new_request(tree, VIOMMU_TABLE_INTEL_PT);

	x86_put_desc(t->desc, 16, 8, build_x86(tm, tree));
	x86_put_desc(t->desc, 24, 4, kind->pasid);
	x86_put_desc(t->desc, 28, 4, 0x100); /* there is a PASID */
	x86_put_desc(t->desc, 32, 4, 48);
}

static void build_amd(const struct space_kind *kind, struct table_memory *tm,
		      struct space_tree *tree)
{
	struct space_table *t = new_request(tree, VIOMMU_TABLE_AMD_GCR3);
	u64 gcr3 = table_alloc(tm, 4 * KiB);

	table_put(tm, gcr3 + 8 * kind->pasid, build_x86(tm, tree) | 1);
	x86_put_desc(t->desc, 16, 8, gcr3);
}

static void build_amd_pt(const struct space_kind *kind, struct table_memory *tm,
			 struct space_tree *tree)
{
	struct space_table *t;

	new_request(tree, VIOMMU_TABLE_AMD_GCR3);
	t = new_request(tree, VIOMMU_TABLE_AMD_PT);
	x86_put_desc(t->desc, 16, 8, build_x86(tm, tree));
	x86_put_desc(t->desc, 24, 4, kind->pasid);
}

static u64 leaf_aarch64(u64 gpa)
{
	return gpa | A64_RW | 3;
}

static void build_smmuv3(const struct space_kind *kind, struct table_memory *tm,
			 struct space_tree *tree)
{
	struct space_table *t = new_request(tree, VIOMMU_TABLE_ARM_SMMU3);
	bool with_pasid = kind->pasid != DMA_NO_PASID;
	u64 ste = cd_table(tm, FMT_LINEAR, with_pasid ? 4 : 0), cd[8];
	struct a64_space space;

	a64_init(&space, tm, 12, 16, false);
	for (unsigned int i = 0; i < SPACE_PAGES; i++)
		tree->entries[i] = a64_entry(&space, SPACE_IOVA + i * SPACE_PAGE, 3);
	cd_fill(cd, &space, ID);
	cd_put(tm, cd_entry(tm, ste, with_pasid ? kind->pasid : 0), cd);
	x86_put_desc(t->desc, 16, 8, ste);
}

static u64 leaf_riscv(u64 gpa)
{
	return rv_leaf(gpa, PTE_ALL);
}

/* Returns what leads to the tree, iosatp. */
static u64 build_sv39(struct table_memory *tm, struct space_tree *tree)
{
	struct rv_space space;

	rv_init(&space, tm, SV39);
	for (unsigned int i = 0; i < SPACE_PAGES; i++)
		tree->entries[i] = rv_entry(&space, SPACE_IOVA + i * SPACE_PAGE, 0);
	return rv_iosatp(&space);
}

static struct space_table *new_riscv_request(struct space_tree *tree, u64 tc, u64 ta, u64 fsc)
{
	struct space_table *t = new_request(tree, VIOMMU_TABLE_RISCV);

	x86_put_desc(t->desc, 16, 8, tc);
	x86_put_desc(t->desc, 24, 8, ta);
	x86_put_desc(t->desc, 32, 8, fsc);
	return t;
}

static void build_riscv(const struct space_kind *kind, struct table_memory *tm,
			struct space_tree *tree)
{
	u64 iosatp = build_sv39(tm, tree), pdtp, pc;

	if (kind->pasid == DMA_NO_PASID) {
		new_riscv_request(tree, TC_V, TA_PSCID(ID), iosatp);
		return;
	}
	pdtp = pdt_init(tm, PD8);
	pc = pdt_entry(tm, pdtp, kind->pasid);
	table_put(tm, pc, TA_V | TA_PSCID(ID));
	table_put(tm, pc + 8, iosatp);
	new_riscv_request(tree, TC_V | TC_PDTV, 0, pdtp);
}

static void build_riscv_gipc(const struct space_kind *kind, struct table_memory *tm,
			     struct space_tree *tree)
{
	struct space_table *t = new_riscv_request(tree, TC_PDTV, 0, 0);

	x86_put_desc(t->desc, 44, 4, 2); /* MANAGED */
	t = new_riscv_request(tree, 0, TA_PSCID(ID), build_sv39(tm, tree));
	x86_put_desc(t->desc, 40, 4, kind->pasid);
	x86_put_desc(t->desc, 44, 4, 1); /* PASID */
}

const struct space_kind space_kinds[SPACE_KINDS] = {
	{"mappings", NULL, DMA_NO_PASID, IOMMU_NO_ID, NULL, NULL},
	{"smmuv3", &format_smmuv3, DMA_NO_PASID, ID, leaf_aarch64, build_smmuv3},
	{"smmuv3 with PASIDs", &format_smmuv3, PASID, ID, leaf_aarch64, build_smmuv3},
	{"vtd", &format_vtd, PASID, IOMMU_NO_ID, leaf_x86, build_vtd},
	{"amd", &format_amd, PASID, IOMMU_NO_ID, leaf_x86, build_amd},
	{"amd-pt", &format_amd_pt, PASID, IOMMU_NO_ID, leaf_x86, build_amd_pt},
	{"riscv", &format_riscv, DMA_NO_PASID, ID, leaf_riscv, build_riscv},
	{"riscv with PASIDs", &format_riscv, PASID, ID, leaf_riscv, build_riscv},
	{"riscv-gipc", &format_riscv_gipc, PASID, ID, leaf_riscv, build_riscv_gipc},
};

void space_init(struct space *s, const struct space_kind *kind, struct table_memory *tm, u32 domain,
		u32 ep)
{
	const struct iommu_limits limits = {.pa_bits = 40, .pasid_bits = 8};

	*s = (struct space){.kind = kind, .domain = domain, .ep = ep, .tm = tm};
	iommu_set_format(iommu_find_endpoint(&g.iommu, ep), kind->format, &limits);
	if (!kind->format)
		return;
	kind->build(kind, tm, &s->tree);
	kind->build(kind, tm, &s->empty);
	space_clear(s, 0, SPACE_PAGES);
	for (unsigned int i = 0; i < SPACE_PAGES; i++)
		table_put(tm, s->empty.entries[i], 0);
}

static int attach_tree(struct space *s, const struct space_tree *tree)
{
	int status = VIOMMU_S_OK;

	for (unsigned int i = 0; i < tree->nr_requests && !status; i++)
		status = attach_table(s->domain, s->ep, tree->requests[i].format,
				      tree->requests[i].desc, IOMMU_DESCRIPTOR_SIZE);
	return status;
}

int space_attach(struct space *s)
{
	return s->kind->format ? attach_tree(s, &s->tree) : attach(s->domain, s->ep, 0);
}

int space_attach_empty(struct space *s)
{
	return attach_tree(s, &s->empty);
}

/* As a driver's own tables, which the device reads, and marks, at any time. */
static void put_entry(struct space *s, unsigned int page, u64 entry)
{
	u64 *p = guest_mem_ptr(&s->tm->mem, s->tree.entries[page], sizeof(*p));

	__atomic_store_n(p, htole64(entry), __ATOMIC_RELEASE);
}

int space_map(struct space *s, unsigned int page, u64 gpa)
{
	if (!s->kind->format)
		return map_page(s->domain, SPACE_IOVA + page * SPACE_PAGE, gpa);
	/* Nothing remembers that an entry was not valid. */
	put_entry(s, page, s->kind->leaf(gpa));
	return VIOMMU_S_OK;
}

void space_clear(struct space *s, unsigned int page, unsigned int nr)
{
	for (unsigned int i = page; i < page + nr; i++)
		put_entry(s, i, 0);
}

int space_invalidate(struct space *s, u8 scope, unsigned int page, unsigned int nr)
{
	struct viommu_invalidate req = {
		.scope = scope,
		.caches = VIOMMU_INVALIDATE_C_TLB,
		.domain = htole32(s->domain),
	};
	u16 flags = 0;

	if (scope != VIOMMU_INVALIDATE_DOMAIN && s->kind->pasid != DMA_NO_PASID) {
		flags |= VIOMMU_INVALIDATE_F_PASID;
		req.pasid = htole32(s->kind->pasid);
	}
	if (s->kind->id != IOMMU_NO_ID) {
		flags |= VIOMMU_INVALIDATE_F_ID;
		req.id = htole64(s->kind->id);
	}
	if (scope == VIOMMU_INVALIDATE_ADDRESS) {
		req.address = htole64(SPACE_IOVA + page * SPACE_PAGE);
		req.nr_pages = htole64(nr);
		req.page_size = 12;
	}
	req.flags = htole16(flags);
	return invalidate(&req);
}

int space_unmap(struct space *s, unsigned int page, unsigned int nr)
{
	u64 iova = SPACE_IOVA + page * SPACE_PAGE;

	if (!s->kind->format)
		return unmap(s->domain, iova, iova + nr * SPACE_PAGE - 1);
	space_clear(s, page, nr);
	return space_invalidate(s, VIOMMU_INVALIDATE_ADDRESS, page, nr);
}

int space_detach(struct space *s)
{
	return detach(s->domain, s->ep);
}
