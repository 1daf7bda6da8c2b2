// SPDX-License-Identifier: GPL-2.0-only
/*
 * AMD: a GCR3 table, which is in guest memory or which the device keeps, leads to one page table a
 * PASID. docs/page-tables.md, "AMD".
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

/* Extended feature registers. */
#define EFR_NXSUP	   BIT_ULL(3)
#define EFR_GTSUP	   BIT_ULL(4)
#define EFR_GATS	   GENMASK_ULL(13, 12)
#define EFR_GLXSUP	   GENMASK_ULL(15, 14)
#define EFR_PASMAX	   GENMASK_ULL(36, 32) /* - 1 */
#define EFR_USSUP	   BIT_ULL(37)
#define EFR_GIOSUP	   BIT_ULL(48)
#define EFR_GAUPDATEDISSUP BIT_ULL(61)
#define EFR2_GCR3TRPMODE   BIT_ULL(3)

#define GATS_SHIFT   12
#define GLXSUP_SHIFT 14
#define PASMAX_SHIFT 32
#define GATS_5LEVEL  1ULL
#define GLX_MAX	     2ULL

#define GCR3_V	      BIT_ULL(0)
#define GCR3_ADDR     GENMASK_ULL(51, 12)
#define GCR3_RESERVED ~(GCR3_V | GCR3_ADDR)

/* As in AMD's CPUs, which ignore G only from level 3 on. */
#define PTE_TOP_RESERVED BIT_ULL(8)

#define DOMAIN_ID_MAX 0xffff

struct gcr3_descriptor {
	u8 reserved0[3];
	u64 gcr3_table_root_pointer;
	u8 glx;
	u8 giov;
	u8 guest_paging_mode; /* 0: 4 levels, 1: 5 levels */
	u8 vimuen;
	u8 gaupdatedis;
	u8 reserved1[3];
	u64 guest_command_control;
	u64 guest_event_control;
	u64 guest_event_logb;
	u64 guest_ppr_control;
	u64 guest_pprb_control;
	u32 domain_id;
	u8 reserved2[48];
} __packed;
static_assert(sizeof(struct gcr3_descriptor) == IOMMU_DESCRIPTOR_SIZE, "ATTACH_TABLE");

struct pt_descriptor {
	u8 reserved0[3];
	u64 guest_page_table_pointer;
	u32 pasid;
	u8 reserved1[96];
} __packed;
static_assert(sizeof(struct pt_descriptor) == IOMMU_DESCRIPTOR_SIZE, "ATTACH_TABLE");

struct property {
	u16 type;
	u16 length;
	u32 cap;
	u64 efr;
	u64 efr2;
	u8 viommu_mmio_bar;
	u8 reserved[7];
	u64 viommu_mmio_offset;
} __packed;
static_assert(sizeof(struct property) == 40, "PROBE");

/* iommu_table.word[] */
enum {
	WORD_ROOT, /* of the GCR3 table; or, of one PASID, of the page table */
	WORD_GLX,
	WORD_FLAGS,
	WORD_DOMAIN_ID,
};

#define FLAG_GIOV	 BIT(0)
#define FLAG_5LEVEL	 BIT(1)
#define FLAG_GAUPDATEDIS BIT(2)

/* Types of entries of the event log. */
#define IO_PAGE_FAULT		2
#define PAGE_TAB_HARDWARE_ERROR 4

static const struct x86_fault no_gcr3 = {IO_PAGE_FAULT, IOMMU_FAULT_DOMAIN, "no GCR3 table"};
static const struct x86_fault no_pasid = {IO_PAGE_FAULT, IOMMU_FAULT_DOMAIN, "GCR3 not valid"};
static const struct x86_fault wide_pasid = {IO_PAGE_FAULT, IOMMU_FAULT_DOMAIN,
					    "PASID beyond the GCR3 table"};
static const struct x86_fault gcr3_unreadable = {PAGE_TAB_HARDWARE_ERROR, IOMMU_FAULT_UNKNOWN,
						 "GCR3 table not in memory"};
static const struct x86_fault gcr3_reserved = {IO_PAGE_FAULT, IOMMU_FAULT_UNKNOWN,
					       "reserved bit set in a GCR3 entry"};
static const struct x86_fault faults[X86_WALK_ENDS] = {
	[X86_WALK_ADDRESS] = {IO_PAGE_FAULT, IOMMU_FAULT_MAPPING, "address beyond the table"},
	[X86_WALK_ROOT_UNREADABLE] = {PAGE_TAB_HARDWARE_ERROR, IOMMU_FAULT_UNKNOWN,
				      "root table not in memory"},
	[X86_WALK_UNREADABLE] = {PAGE_TAB_HARDWARE_ERROR, IOMMU_FAULT_UNKNOWN,
				 "table not in memory"},
	[X86_WALK_NOT_PRESENT] = {IO_PAGE_FAULT, IOMMU_FAULT_MAPPING, "entry not present"},
	[X86_WALK_RESERVED] = {IO_PAGE_FAULT, IOMMU_FAULT_UNKNOWN, "reserved bit set in an entry"},
	[X86_WALK_USER] = {IO_PAGE_FAULT, IOMMU_FAULT_MAPPING, "supervisor page"},
	[X86_WALK_WRITE] = {IO_PAGE_FAULT, IOMMU_FAULT_MAPPING, "no write permission"},
	[X86_WALK_EXEC] = {IO_PAGE_FAULT, IOMMU_FAULT_MAPPING, "no execute permission"},
};

/* As wide as @limits say, at most @max. */
static u64 pasmax(const struct iommu_limits *limits, u64 max)
{
	u64 bits = limits->pasid_bits;

	return bits ? min(bits - 1, max) << PASMAX_SHIFT : 0;
}

static unsigned int put_property(const struct iommu_limits *limits, u64 efr2, u8 *buf)
{
	u64 efr = EFR_NXSUP | EFR_GTSUP | GATS_5LEVEL << GATS_SHIFT | GLX_MAX << GLXSUP_SHIFT |
		  pasmax(limits, ~0ULL) | EFR_USSUP | EFR_GIOSUP | EFR_GAUPDATEDISSUP;
	struct property property = {
		.type = htole16(VIOMMU_PROBE_T_HW_AMD),
		.length = htole16(sizeof(property) - 4),
		.efr = htole64(efr),
		.efr2 = htole64(efr2),
	};

	memcpy(buf, &property, sizeof(property));
	return sizeof(property);
}

static unsigned int amd_property(const struct iommu_limits *limits, u8 *buf)
{
	return put_property(limits, EFR2_GCR3TRPMODE, buf);
}

static unsigned int amd_pt_property(const struct iommu_limits *limits, u8 *buf)
{
	return put_property(limits, 0, buf);
}

/* A field of the register with values up to @max; the others are reserved. */
static u64 known_field(u64 reg, u64 mask, u64 max)
{
	return (reg & mask) / (mask & -mask) <= max ? reg & mask : 0;
}

void amd_sanitize(const struct amd_regs *host, const struct iommu_limits *limits,
		  struct amd_regs *guest)
{
	*guest = (struct amd_regs){0};
	if (!(host->efr & EFR_GTSUP))
		return;
	guest->efr = host->efr & (EFR_GTSUP | EFR_GIOSUP);
	guest->efr |= known_field(host->efr, EFR_GATS, GATS_5LEVEL);
	guest->efr |= known_field(host->efr, EFR_GLXSUP, GLX_MAX);
	guest->efr |= pasmax(limits, (host->efr & EFR_PASMAX) >> PASMAX_SHIFT);
	/* Without GIoSup the host makes no parent of nested tables. */
	if (host->efr & EFR_GIOSUP)
		guest->efr2 = host->efr2 & EFR2_GCR3TRPMODE;
}

static int check_gcr3(const struct iommu_limits *limits, const u8 *desc, bool in_guest,
		      struct iommu_table *table)
{
	const struct gcr3_descriptor *d = (const void *)desc;
	u64 root = le64toh(d->gcr3_table_root_pointer);
	u32 domain_id = le32toh(d->domain_id);

	if (!all_zero(d->reserved0, sizeof(d->reserved0)) ||
	    !all_zero(d->reserved1, sizeof(d->reserved1)) ||
	    !all_zero(d->reserved2, sizeof(d->reserved2)) || d->giov > 1 ||
	    d->guest_paging_mode > 1 || d->gaupdatedis > 1 || domain_id > DOMAIN_ID_MAX ||
	    d->glx > GLX_MAX)
		return -EINVAL;
	if (in_guest ? !root || !x86_table_address(root, limits->pa_bits) : root != 0)
		return -EINVAL;
	if (d->vimuen)
		return -EOPNOTSUPP;
	if (d->guest_command_control || d->guest_event_control || d->guest_event_logb ||
	    d->guest_ppr_control || d->guest_pprb_control)
		return -EINVAL;

	table->pasid = DMA_NO_PASID;
	table->word[WORD_ROOT] = root;
	table->word[WORD_GLX] = in_guest ? d->glx : 0;
	table->word[WORD_FLAGS] = (d->giov ? FLAG_GIOV : 0) |
				  (d->guest_paging_mode ? FLAG_5LEVEL : 0) |
				  (d->gaupdatedis ? FLAG_GAUPDATEDIS : 0);
	table->word[WORD_DOMAIN_ID] = domain_id;
	return 0;
}

static int check_pt(const struct iommu_limits *limits, const u8 *desc, struct iommu_table *table)
{
	const struct pt_descriptor *d = (const void *)desc;
	u64 root = le64toh(d->guest_page_table_pointer);

	if (!all_zero(d->reserved0, sizeof(d->reserved0)) ||
	    !all_zero(d->reserved1, sizeof(d->reserved1)) ||
	    !x86_table_address(root, limits->pa_bits))
		return -EINVAL;
	table->pasid = le32toh(d->pasid);
	table->word[WORD_ROOT] = root;
	/* There is a PASID 0 in any case, for giov. */
	return table->pasid >> limits->pasid_bits ? -ERANGE : 0;
}

static int amd_check(const struct iommu_limits *limits, u8 wire_format, const u8 *desc,
		     struct iommu_table *table)
{
	memset(table, 0, sizeof(*table));
	table->wire_format = wire_format;
	return wire_format == VIOMMU_TABLE_AMD_GCR3 ? check_gcr3(limits, desc, true, table)
						    : -EOPNOTSUPP;
}

static int amd_pt_check(const struct iommu_limits *limits, u8 wire_format, const u8 *desc,
			struct iommu_table *table)
{
	memset(table, 0, sizeof(*table));
	table->wire_format = wire_format;
	switch (wire_format) {
	case VIOMMU_TABLE_AMD_GCR3:
		return check_gcr3(limits, desc, false, table);
	case VIOMMU_TABLE_AMD_PT:
		return check_pt(limits, desc, table);
	default:
		return -EOPNOTSUPP;
	}
}

/* The root of a PASID's page table. */
typedef const struct x86_fault *find_root(const struct iommu_walk *walk, u32 pasid, u64 *root);

static const struct x86_fault *find_in_guest(const struct iommu_walk *walk, u32 pasid, u64 *root)
{
	u64 gpa = walk->base->word[WORD_ROOT], entry;
	int level = walk->base->word[WORD_GLX];

	if (pasid >> 9 * (level + 1))
		return &wide_pasid;
	for (; level >= 0; level--) {
		if (guest_mem_load64(walk->mem, gpa + 8 * (pasid >> 9 * level & 0x1ff), &entry))
			return &gcr3_unreadable;
		if (!(entry & GCR3_V))
			return &no_pasid;
		gpa = entry & GCR3_ADDR;
		if (entry & GCR3_RESERVED || !x86_table_address(gpa, walk->limits->pa_bits))
			return &gcr3_reserved;
	}
	*root = gpa;
	return NULL;
}

static const struct x86_fault *find_in_device(const struct iommu_walk *walk, u32 pasid, u64 *root)
{
	const struct iommu_table *table = walk->lookup(walk->opaque, pasid);

	if (!table)
		return &no_pasid;
	*root = table->word[WORD_ROOT];
	return NULL;
}

static int walk_with(find_root *find, const struct iommu_walk *walk,
		     struct iommu_walk_result *result)
{
	bool has_pasid = walk->pasid != DMA_NO_PASID;
	u32 access = has_pasid ? walk->access : plain_request(walk->access), flags;
	const struct x86_fault *fault;
	struct x86_tables x86 = {0};
	enum x86_walk_end end;

	*result = (struct iommu_walk_result){.pasid = walk->pasid, .id = IOMMU_NO_ID};
	if (!walk->base)
		return x86_fail(result, &no_gcr3);
	flags = walk->base->word[WORD_FLAGS];
	if (!has_pasid) {
		if (!(flags & FLAG_GIOV)) {
			result->last = ~0ULL;
			result->access = DMA_READ | DMA_WRITE | DMA_EXEC;
			return 0;
		}
		result->pasid = 0;
	}
	fault = find(walk, result->pasid, &x86.root);
	if (fault)
		return x86_fail(result, fault);

	x86.five_levels = flags & FLAG_5LEVEL;
	x86.pa_bits = walk->limits->pa_bits;
	x86.top_reserved = PTE_TOP_RESERVED;
	x86.sign_extended = result->pasid != 0;
	x86.supervisor = access & DMA_PRIV;
	x86.write_protect = true;
	x86.update = !(flags & FLAG_GAUPDATEDIS);
	end = x86_walk(walk->mem, &x86, walk->iova, access, result);
	if (end != X86_WALK_DONE)
		return x86_fail(result, &faults[end]);
	if (!has_pasid)
		result->access = plain_result(result->access);
	return 0;
}

static int amd_walk(const struct iommu_walk *walk, struct iommu_walk_result *result)
{
	return walk_with(find_in_guest, walk, result);
}

static int amd_pt_walk(const struct iommu_walk *walk, struct iommu_walk_result *result)
{
	return walk_with(find_in_device, walk, result);
}

static void describe_base(const struct iommu_table *table, struct report *r)
{
	u64 flags = table->word[WORD_FLAGS];

	report_bool(r, "giov", flags & FLAG_GIOV);
	report_u64(r, "guest_paging_mode", flags & FLAG_5LEVEL ? 1 : 0);
	report_bool(r, "gaupdatedis", flags & FLAG_GAUPDATEDIS);
	report_u64(r, "domain_id", table->word[WORD_DOMAIN_ID]);
}

static void amd_describe(const struct iommu_table *table, struct report *r)
{
	report_hex(r, "gcr3_table_root_pointer", table->word[WORD_ROOT]);
	report_u64(r, "glx", table->word[WORD_GLX]);
	describe_base(table, r);
}

static void amd_pt_describe(const struct iommu_table *table, struct report *r)
{
	if (table->wire_format == VIOMMU_TABLE_AMD_PT)
		report_hex(r, "guest_page_table_pointer", table->word[WORD_ROOT]);
	else
		describe_base(table, r);
}

const struct iommu_format format_amd = {
	.name = "amd",
	.base_format = VIOMMU_TABLE_AMD_GCR3,
	.property = amd_property,
	.check = amd_check,
	.walk = amd_walk,
	.describe = amd_describe,
	.id_bits = 16,
	.page_sizes = X86_PAGE_SIZES,
};

const struct iommu_format format_amd_pt = {
	.name = "amd-pt",
	.base_format = VIOMMU_TABLE_AMD_GCR3,
	.pasid_format = VIOMMU_TABLE_AMD_PT,
	.needs_base = true,
	.whole_domain = true,
	.property = amd_pt_property,
	.check = amd_pt_check,
	.walk = amd_pt_walk,
	.describe = amd_pt_describe,
	.id_bits = 16,
	.page_sizes = X86_PAGE_SIZES,
};
