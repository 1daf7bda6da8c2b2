// SPDX-License-Identifier: GPL-2.0-only
/*
 * Intel VT-d, first stage of the scalable mode: the guest attaches page tables, one for accesses
 * without a PASID and one for each PASID; the device has what stands for a PASID table.
 * docs/page-tables.md, "Intel VT-d".
 */
#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "iommu/dma.h"
#include "iommu/format-plain.h"
#include "iommu/format-x86-walk.h"
#include "util/bytes.h"
#include "util/report.h"

/* Capability and extended capability registers. */
#define CAP_MGAW  GENMASK_ULL(21, 16) /* - 1 */
#define CAP_FS1GP BIT_ULL(56)
#define CAP_FS5LP BIT_ULL(60)

#define ECAP_C	    BIT_ULL(0)
#define ECAP_NEST   BIT_ULL(26)
#define ECAP_ERS    BIT_ULL(30)
#define ECAP_SRS    BIT_ULL(31)
#define ECAP_NWFS   BIT_ULL(33)
#define ECAP_EAFS   BIT_ULL(34)
#define ECAP_PSS    GENMASK_ULL(39, 35) /* - 1 */
#define ECAP_PASID  BIT_ULL(40)
#define ECAP_SMTS   BIT_ULL(43)
#define ECAP_FSTS   BIT_ULL(47)
#define ECAP_SMPWCS BIT_ULL(48)

#define PSS_SHIFT  35
#define MGAW_SHIFT 16

#define FLAG_SRE   BIT(0)
#define FLAG_EAFE  BIT(1)
#define FLAG_WPE   BIT(2)
#define FLAG_PASID BIT(8)

struct descriptor {
	u8 reserved0[3];
	u64 fsptptr;
	u32 pasid;
	u32 flags;
	u32 addr_width;
	u8 reserved1[88];
} __packed;
static_assert(sizeof(struct descriptor) == IOMMU_DESCRIPTOR_SIZE, "ATTACH_TABLE");

struct property {
	u16 type;
	u16 length;
	u32 flags;
	u64 cap;
	u64 ecap;
} __packed;
static_assert(sizeof(struct property) == 24, "PROBE");

/* iommu_table.word[] */
enum {
	WORD_ROOT,
	WORD_FLAGS,
	WORD_ADDR_WIDTH,
};

/* Fault reasons of the scalable mode, as VT-d numbers them. */
static const struct x86_fault no_table = {0x59, IOMMU_FAULT_DOMAIN, "no table for this PASID"};
static const struct x86_fault no_supervisor = {0x5d, IOMMU_FAULT_MAPPING, "supervisor without SRE"};
static const struct x86_fault faults[X86_WALK_ENDS] = {
	[X86_WALK_ADDRESS] = {0x80, IOMMU_FAULT_MAPPING, "address not canonical"},
	[X86_WALK_ROOT_UNREADABLE] = {0x73, IOMMU_FAULT_UNKNOWN, "root table not in memory"},
	[X86_WALK_UNREADABLE] = {0x70, IOMMU_FAULT_UNKNOWN, "table not in memory"},
	[X86_WALK_NOT_PRESENT] = {0x71, IOMMU_FAULT_MAPPING, "entry not present"},
	[X86_WALK_RESERVED] = {0x72, IOMMU_FAULT_UNKNOWN, "reserved bit set in an entry"},
	[X86_WALK_USER] = {0x81, IOMMU_FAULT_MAPPING, "supervisor page"},
	[X86_WALK_WRITE] = {0x85, IOMMU_FAULT_MAPPING, "no write permission"},
	[X86_WALK_EXEC] = {0x82, IOMMU_FAULT_MAPPING, "no execute permission"},
};

static unsigned int vtd_property(const struct iommu_limits *limits, u8 *buf)
{
	u64 ecap = ECAP_C | ECAP_ERS | ECAP_SRS | ECAP_EAFS | ECAP_SMTS | ECAP_FSTS | ECAP_SMPWCS;
	u64 cap = CAP_FS5LP | CAP_FS1GP | (u64)(57 - 1) << MGAW_SHIFT;
	struct property property = {
		.type = htole16(VIOMMU_PROBE_T_HW_INTEL_VTD),
		.length = htole16(sizeof(property) - 4),
		.cap = htole64(cap),
	};

	if (limits->pasid_bits)
		ecap |= ECAP_PASID | (u64)(limits->pasid_bits - 1) << PSS_SHIFT;
	property.ecap = htole64(ecap);
	memcpy(buf, &property, sizeof(property));
	return sizeof(property);
}

void vtd_sanitize(const struct vtd_regs *host, const struct iommu_limits *limits,
		  struct vtd_regs *guest)
{
	const u64 needs = ECAP_SMTS | ECAP_FSTS | ECAP_NEST;
	u64 pss = (host->ecap & ECAP_PSS) >> PSS_SHIFT;

	*guest = (struct vtd_regs){0};
	if ((host->ecap & needs) != needs)
		return;
	guest->cap = host->cap & (CAP_FS5LP | CAP_FS1GP | CAP_MGAW);
	guest->ecap = ECAP_C | (host->ecap & (ECAP_SRS | ECAP_NWFS | ECAP_EAFS | ECAP_SMTS |
					      ECAP_FSTS | ECAP_SMPWCS));
	if (host->ecap & ECAP_PASID && limits->pasid_bits) {
		pss = min(pss, (u64)limits->pasid_bits - 1);
		guest->ecap |= ECAP_PASID | pss << PSS_SHIFT;
	}
}

static int vtd_check(const struct iommu_limits *limits, u8 wire_format, const u8 *desc,
		     struct iommu_table *table)
{
	const struct descriptor *d = (const void *)desc;
	u64 root = le64toh(d->fsptptr);
	u32 flags = le32toh(d->flags), pasid = le32toh(d->pasid), width = le32toh(d->addr_width);

	if (wire_format != VIOMMU_TABLE_INTEL_PT)
		return -EOPNOTSUPP;
	if (!all_zero(d->reserved0, sizeof(d->reserved0)) ||
	    !all_zero(d->reserved1, sizeof(d->reserved1)) ||
	    flags & ~(FLAG_SRE | FLAG_EAFE | FLAG_WPE | FLAG_PASID) ||
	    (width != 48 && width != 57) || !x86_table_address(root, limits->pa_bits))
		return -EINVAL;
	/* PASID 0 is what accesses without a PASID have, so their table is its table. */
	if (!(flags & FLAG_PASID) != !pasid)
		return -EINVAL;
	if (pasid >> limits->pasid_bits)
		return -ERANGE;

	memset(table, 0, sizeof(*table));
	table->wire_format = wire_format;
	table->pasid = pasid ? pasid : DMA_NO_PASID;
	table->word[WORD_ROOT] = root;
	table->word[WORD_FLAGS] = flags & ~FLAG_PASID;
	table->word[WORD_ADDR_WIDTH] = width;
	return 0;
}

static int vtd_walk(const struct iommu_walk *walk, struct iommu_walk_result *result)
{
	bool has_pasid = walk->pasid != DMA_NO_PASID;
	u32 access = has_pasid ? walk->access : plain_request(walk->access), flags;
	const struct iommu_table *table = walk->base;
	struct x86_tables x86 = {0};
	enum x86_walk_end end;

	*result = (struct iommu_walk_result){.pasid = DMA_NO_PASID, .id = IOMMU_NO_ID};
	if (has_pasid && walk->pasid) {
		table = walk->lookup(walk->opaque, walk->pasid);
		result->pasid = walk->pasid;
	}
	if (!table)
		return x86_fail(result, &no_table);

	flags = table->word[WORD_FLAGS];
	if (access & DMA_PRIV && !(flags & FLAG_SRE))
		return x86_fail(result, &no_supervisor);
	x86.root = table->word[WORD_ROOT];
	x86.five_levels = table->word[WORD_ADDR_WIDTH] == 57;
	x86.pa_bits = walk->limits->pa_bits;
	x86.sign_extended = true;
	x86.supervisor = access & DMA_PRIV;
	x86.write_protect = flags & FLAG_WPE;
	x86.update = true;
	x86.extended_accessed = flags & FLAG_EAFE;
	end = x86_walk(walk->mem, &x86, walk->iova, access, result);
	if (end != X86_WALK_DONE)
		return x86_fail(result, &faults[end]);
	if (!has_pasid)
		result->access = plain_result(result->access);
	return 0;
}

static void vtd_describe(const struct iommu_table *table, struct report *r)
{
	report_hex(r, "fsptptr", table->word[WORD_ROOT]);
	report_hex(r, "flags", table->word[WORD_FLAGS]);
	report_u64(r, "addr_width", table->word[WORD_ADDR_WIDTH]);
}

const struct iommu_format format_vtd = {
	.name = "vtd",
	.base_format = VIOMMU_TABLE_INTEL_PT,
	.pasid_format = VIOMMU_TABLE_INTEL_PT,
	.property = vtd_property,
	.check = vtd_check,
	.walk = vtd_walk,
	.describe = vtd_describe,
	.id_bits = 16,
	.page_sizes = X86_PAGE_SIZES,
};
