// SPDX-License-Identifier: GPL-2.0-only
/*
 * Context descriptors (CD) of the SMMUv3: one table, or one behind a table of the first level
 * whose entries lead to 64 or 1024 of them. Arm IHI 0070, "Context Descriptor".
 */
#include "pasid-table.h"
#include "rt/core.h"
#include "rt/pages.h"

#define FORMAT 1

#define CD_WORDS     8
#define CD_SIZE_LOG2 6

#define CD_T0SZ(n)  ((u64)(n))
#define CD_TG0(n)   ((u64)(n) << 6)
#define CD_EPD1	    BIT_ULL(30)
#define CD_VALID    BIT_ULL(31)
#define CD_IPS(n)   ((u64)(n) << 32)
#define CD_AA64	    BIT_ULL(41)
#define CD_R	    BIT_ULL(45)
#define CD_A	    BIT_ULL(46)
#define CD_ASET	    BIT_ULL(47)
#define CD_ASID(id) ((u64)(id) << 48)

#define MAIR_WRITE_BACK 0xff

#define STE_VALID    BIT_ULL(0)
#define STE_STAGE_1  (5ULL << 1)
#define STE_FMT(fmt) ((u64)(fmt) << 4)
#define STE_CDMAX(n) ((u64)(n) << 59)

/* S1DSS */
#define STE_TERMINATE 0ULL
#define STE_BYPASS    1ULL
#define STE_CD_0      2ULL

/* log2 of the CDs behind an entry of the first level, and of the pages that they take. */
static unsigned int leaf_bits(const struct pasid_table *t)
{
	return t->cfg.vendor.arm.cd_table == ARM_CD_4K_LEAVES ? 6 : 10;
}

static unsigned int leaf_order(const struct pasid_table *t)
{
	return leaf_bits(t) + CD_SIZE_LOG2 - PAGE_4K;
}

static unsigned int bits_to_order(unsigned int bytes_log2)
{
	return bytes_log2 > PAGE_4K ? bytes_log2 - PAGE_4K : 0;
}

static unsigned int base_order(const struct pasid_table *t)
{
	if (t->cfg.vendor.arm.cd_table == ARM_CD_LINEAR)
		return bits_to_order(t->cfg.pasid_bits + CD_SIZE_LOG2);
	return t->cfg.pasid_bits > leaf_bits(t)
		       ? bits_to_order(t->cfg.pasid_bits - leaf_bits(t) + 3)
		       : 0;
}

static int arm_alloc(struct pasid_table *t)
{
	unsigned int order = base_order(t);

	t->base = order > PAGES_MAX_ORDER ? NULL : pages_get(order);
	return t->base ? VIOMMU_S_OK : VIOMMU_S_NOMEM;
}

static void arm_free(struct pasid_table *t)
{
	unsigned int i;

	for (i = 0; t->base && t->cfg.vendor.arm.cd_table != ARM_CD_LINEAR &&
		    i < (u64)PAGE_SIZE << base_order(t) >> 3;
	     i++)
		pages_put(pasid_table_next(&t->base[i], 0, 0, false), leaf_order(t));
	pages_put(t->base, base_order(t));
}

/* TG0, by log2 of the granule. */
static u64 granule(unsigned int page)
{
	return page == 16 ? 1 : page == 14 ? 2 : 0;
}

static void arm_prepare(const struct pasid_table *t, const struct page_table *pt, u32 id,
			struct pasid_entry *e)
{
	e->word[0] = CD_T0SZ(64 - page_table_bits(pt->kind)) |
		     CD_TG0(granule(page_table_page(pt->kind))) | CD_EPD1 | CD_VALID |
		     CD_IPS(t->cfg.vendor.arm.oas) | CD_AA64 | CD_R | CD_A | CD_ASET | CD_ASID(id);
	e->word[1] = gpa_of(pt->root);
	e->word[3] = MAIR_WRITE_BACK;
}

static int arm_write(struct pasid_table *t, u32 pasid, const struct pasid_entry *e)
{
	u64 *cds = t->base;
	u32 index = pasid;

	if (t->cfg.vendor.arm.cd_table != ARM_CD_LINEAR) {
		index &= BIT(leaf_bits(t)) - 1;
		cds = pasid_table_next(&cds[pasid >> leaf_bits(t)], 0, leaf_order(t), e);
	}
	if (!cds)
		return e ? VIOMMU_S_NOMEM : VIOMMU_S_OK;
	if (e)
		pasid_table_store(&cds[index * CD_WORDS], e->word, PASID_ENTRY_WORDS);
	else
		__atomic_store_n(&cds[index * CD_WORDS], 0, __ATOMIC_SEQ_CST);
	return VIOMMU_S_OK;
}

static void arm_attach(const struct pasid_table *t, struct viommu_req_attach_table *req)
{
	static const u64 s1dss[] = {
		[PLAIN_ENTRY_0] = STE_CD_0,
		[PLAIN_BYPASS] = STE_BYPASS,
		[PLAIN_REFUSED] = STE_TERMINATE,
	};
	const u64 ste[2] = {
		STE_VALID | STE_STAGE_1 | STE_FMT(t->cfg.vendor.arm.cd_table) | gpa_of(t->base) |
			STE_CDMAX(t->cfg.pasid_bits),
		s1dss[t->cfg.plain],
	};

	pasid_table_request(t, FORMAT, req);
	memcpy(req->descriptor, ste, sizeof(ste));
}

const struct pasid_table_ops pasid_table_arm = {
	.alloc = arm_alloc,
	.free = arm_free,
	.prepare = arm_prepare,
	.write = arm_write,
	.sync = pasid_table_sync_entry,
	.attach = arm_attach,
};
