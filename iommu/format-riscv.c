// SPDX-License-Identifier: GPL-2.0-only
/*
 * RISC-V IOMMU, first stage: the guest attaches what a device context says of it (DC.tc, ta and
 * fsc), with one page table or a process directory in its memory; or, with GIPC, the device keeps
 * the directory and the guest attaches the process context of each PASID (PC.ta and fsc). RISC-V
 * IOMMU Architecture Specification, "Data Structures"; docs/page-tables.md, "RISC-V".
 */
#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "iommu/format-plain.h"
#include "iommu/format-riscv-walk.h"
#include "util/bytes.h"
#include "util/report.h"

/* capabilities */
#define CAP_VERSION	GENMASK_ULL(7, 0)
#define CAP_VERSION_1_0 0x10
#define CAP_SV39	BIT_ULL(9)
#define CAP_SV48	BIT_ULL(10)
#define CAP_SV57	BIT_ULL(11)
#define CAP_SVRSW60T59B BIT_ULL(14)
#define CAP_SVPBMT	BIT_ULL(15)
#define CAP_AMO_HWAD	BIT_ULL(24)
#define CAP_PAS		GENMASK_ULL(37, 32)
#define CAP_PAS_POS	32
#define CAP_PD8		BIT_ULL(38)
#define CAP_PD17	BIT_ULL(39)
#define CAP_PD20	BIT_ULL(40)
#define CAP_NL		BIT_ULL(42)
#define CAP_S		BIT_ULL(43)

/* DC.tc */
#define TC_V	BIT_ULL(0)
#define TC_DTF	BIT_ULL(4)
#define TC_PDTV BIT_ULL(5)
#define TC_SADE BIT_ULL(8)
#define TC_DPE	BIT_ULL(9)

/* DC.ta and PC.ta */
#define TA_V	     BIT_ULL(0)
#define TA_ENS	     BIT_ULL(1)
#define TA_SUM	     BIT_ULL(2)
#define TA_PSCID     GENMASK_ULL(31, 12)
#define TA_PSCID_POS 12

/* DC.fsc and PC.fsc: iosatp or pdtp */
#define FSC_PPN	     GENMASK_ULL(43, 0)
#define FSC_MODE     GENMASK_ULL(63, 60)
#define FSC_MODE_POS 60

enum iosatp_mode {
	IOSATP_BARE = 0,
	IOSATP_SV39 = 8,
	IOSATP_SV48 = 9,
	IOSATP_SV57 = 10
};
enum pdtp_mode {
	PDTP_BARE,
	PDTP_PD8,
	PDTP_PD17,
	PDTP_PD20
};

/* A pointer in a process directory */
#define PDTE_V	 BIT_ULL(0)
#define PDTE_PPN GENMASK_ULL(53, 10)

#define PAGE_SHIFT 12

#define FLAG_PASID   BIT(0)
#define FLAG_MANAGED BIT(1)

/* Of the property: the device keeps the process directory. */
#define PROPERTY_MANAGED BIT(0)

struct descriptor {
	u8 reserved0[3];
	u64 tc, ta, fsc;
	u32 pasid, flags;
	u8 reserved1[76];
} __packed;
static_assert(sizeof(struct descriptor) == IOMMU_DESCRIPTOR_SIZE, "ATTACH_TABLE");

struct property {
	u16 type;
	u16 length;
	u32 fctl;
	u64 capabilities;
	u8 pasid_bits;
	u8 flags;
	u8 reserved[6];
} __packed;
static_assert(sizeof(struct property) == 24, "PROBE");

/* iommu_table.word[]; a PASID's table has no tc. */
enum {
	TABLE_TC,
	TABLE_TA,
	TABLE_FSC
};

enum cause {
	EXEC_ACCESS_FAULT = 1,
	READ_ACCESS_FAULT = 5,
	WRITE_ACCESS_FAULT = 7,
	EXEC_PAGE_FAULT = 12,
	READ_PAGE_FAULT = 13,
	WRITE_PAGE_FAULT = 15,
	DDT_INVALID = 258,
	DISALLOWED = 260,
	PDT_ACCESS_FAULT = 265,
	PDT_INVALID = 266,
	PDT_MISCONFIGURED = 267,
};

static const char *cause_name(enum cause cause)
{
	switch (cause) {
	case EXEC_ACCESS_FAULT:
		return "instruction access fault";
	case READ_ACCESS_FAULT:
		return "read access fault";
	case WRITE_ACCESS_FAULT:
		return "write/AMO access fault";
	case EXEC_PAGE_FAULT:
		return "instruction page fault";
	case READ_PAGE_FAULT:
		return "read page fault";
	case WRITE_PAGE_FAULT:
		return "write/AMO page fault";
	case DDT_INVALID:
		return "DDT entry not valid";
	case DISALLOWED:
		return "transaction type disallowed";
	case PDT_ACCESS_FAULT:
		return "PDT entry load access fault";
	case PDT_INVALID:
		return "PDT entry not valid";
	case PDT_MISCONFIGURED:
		return "PDT entry misconfigured";
	}
	return NULL;
}

/* @tc is that of the endpoint; 0 before one is attached. */
static int fault(struct iommu_walk_result *result, u64 tc, enum iommu_fault_reason reason,
		 enum cause cause)
{
	result->reason = reason;
	result->code = cause;
	result->why = cause_name(cause);
	result->silent = tc & TC_DTF && cause != DDT_INVALID;
	return -EFAULT;
}

static int page_fault(struct iommu_walk_result *result, u64 tc, u32 access)
{
	return fault(result, tc, IOMMU_FAULT_MAPPING,
		     access & DMA_WRITE	 ? WRITE_PAGE_FAULT
		     : access & DMA_EXEC ? EXEC_PAGE_FAULT
					 : READ_PAGE_FAULT);
}

static int access_fault(struct iommu_walk_result *result, u64 tc, enum iommu_fault_reason reason,
			u32 access)
{
	return fault(result, tc, reason,
		     access & DMA_WRITE	 ? WRITE_ACCESS_FAULT
		     : access & DMA_EXEC ? EXEC_ACCESS_FAULT
					 : READ_ACCESS_FAULT);
}

/* As many modes of the directory as PASIDs of that width have a use for. */
static u64 directory_caps(unsigned int pasid_bits)
{
	return (pasid_bits > 0 ? CAP_PD8 : 0) | (pasid_bits > 8 ? CAP_PD17 : 0) |
	       (pasid_bits > 17 ? CAP_PD20 : 0);
}

static unsigned int property(const struct iommu_limits *limits, bool managed, u8 *buf)
{
	u64 caps = CAP_VERSION_1_0 | CAP_SV39 | CAP_SV48 | CAP_SV57 | CAP_SVRSW60T59B | CAP_SVPBMT |
		   CAP_AMO_HWAD | (u64)limits->pa_bits << CAP_PAS_POS | CAP_NL | CAP_S;
	struct property property = {
		.type = htole16(VIOMMU_PROBE_T_HW_RISCV),
		.length = htole16(sizeof(property) - 4),
		.pasid_bits = limits->pasid_bits,
		.flags = managed ? PROPERTY_MANAGED : 0,
	};

	if (!managed)
		caps |= directory_caps(limits->pasid_bits);
	property.capabilities = htole64(caps);
	memcpy(buf, &property, sizeof(property));
	return sizeof(property);
}

static unsigned int riscv_property(const struct iommu_limits *limits, u8 *buf)
{
	return property(limits, false, buf);
}

static unsigned int gipc_property(const struct iommu_limits *limits, u8 *buf)
{
	return property(limits, true, buf);
}

/* 0 for a mode that there is not, and for Bare. */
static unsigned int iosatp_levels(u64 fsc)
{
	switch (fsc >> FSC_MODE_POS) {
	case IOSATP_SV39:
		return 3;
	case IOSATP_SV48:
		return 4;
	case IOSATP_SV57:
		return 5;
	default:
		return 0;
	}
}

/* How wide a PASID the directory has room for; 0 as above. */
static unsigned int pdtp_bits(u64 fsc)
{
	switch (fsc >> FSC_MODE_POS) {
	case PDTP_PD8:
		return 8;
	case PDTP_PD17:
		return 17;
	case PDTP_PD20:
		return 20;
	default:
		return 0;
	}
}

static u64 fsc_address(u64 fsc)
{
	return (fsc & FSC_PPN) << PAGE_SHIFT;
}

static bool pdtp_offered(const struct iommu_limits *limits, u64 fsc)
{
	u64 caps = directory_caps(limits->pasid_bits);

	switch (pdtp_bits(fsc)) {
	case 8:
		return caps & CAP_PD8;
	case 17:
		return caps & CAP_PD17;
	case 20:
		return caps & CAP_PD20;
	default:
		return false;
	}
}

/* What iosatp and pdtp have in common, for those that a guest attaches. */
static bool fsc_well_formed(const struct iommu_limits *limits, u64 fsc, bool directory)
{
	if (!(fsc >> FSC_MODE_POS))
		return !fsc;
	if (directory ? !pdtp_offered(limits, fsc) : !iosatp_levels(fsc))
		return false;
	return !(fsc & ~(FSC_PPN | FSC_MODE)) && !(fsc_address(fsc) >> limits->pa_bits);
}

/* EN_ATS, EN_PRI and PRPR need ATS; T2GPA and GADE a second stage, which is not the guest's. */
static bool tc_well_formed(u64 tc)
{
	if (tc & ~(TC_V | TC_DTF | TC_PDTV | TC_SADE | TC_DPE))
		return false;
	return !(tc & TC_DPE) || tc & TC_PDTV;
}

/* The request in the host's byte order. */
static int parse(const u8 *desc, struct descriptor *d)
{
	memcpy(d, desc, sizeof(*d));
	if (!all_zero(d->reserved0, sizeof(d->reserved0)) ||
	    !all_zero(d->reserved1, sizeof(d->reserved1)))
		return -EINVAL;
	d->tc = le64toh(d->tc);
	d->ta = le64toh(d->ta);
	d->fsc = le64toh(d->fsc);
	d->pasid = le32toh(d->pasid);
	d->flags = le32toh(d->flags);

	if (d->flags & ~(FLAG_PASID | FLAG_MANAGED) || d->flags == (FLAG_PASID | FLAG_MANAGED))
		return -EINVAL;
	if (!(d->flags & FLAG_PASID) && d->pasid)
		return -EINVAL;
	return 0;
}

static bool descriptor_well_formed(const struct iommu_limits *limits, const struct descriptor *d)
{
	bool directory = d->tc & TC_PDTV;

	if (d->flags & FLAG_PASID)
		return !d->tc && !(d->ta & ~(TA_V | TA_ENS | TA_SUM | TA_PSCID)) &&
		       fsc_well_formed(limits, d->fsc, false);
	if (!tc_well_formed(d->tc))
		return false;
	if (d->flags & FLAG_MANAGED)
		return directory && !d->ta && !d->fsc;
	return !(d->ta & ~TA_PSCID) && fsc_well_formed(limits, d->fsc, directory);
}

static int check(const struct iommu_limits *limits, bool managed, u8 wire_format, const u8 *desc,
		 struct iommu_table *table)
{
	struct descriptor d;
	int ret = parse(desc, &d);

	if (ret)
		return ret;
	if (!descriptor_well_formed(limits, &d))
		return -EINVAL;
	if (d.flags & FLAG_PASID && d.pasid >> limits->pasid_bits)
		return -ERANGE;
	if (managed != (d.flags != 0))
		return -EOPNOTSUPP;

	*table = (struct iommu_table){
		.wire_format = wire_format,
		.pasid = d.flags & FLAG_PASID ? d.pasid : DMA_NO_PASID,
		.word = {[TABLE_TC] = d.tc, [TABLE_TA] = d.ta, [TABLE_FSC] = d.fsc},
	};
	return 0;
}

static int riscv_check(const struct iommu_limits *limits, u8 wire_format, const u8 *desc,
		       struct iommu_table *table)
{
	return check(limits, false, wire_format, desc, table);
}

static int gipc_check(const struct iommu_limits *limits, u8 wire_format, const u8 *desc,
		      struct iommu_table *table)
{
	return check(limits, true, wire_format, desc, table);
}

/* A first stage, and the rest of what decides over an access. */
struct context {
	u64 tc;
	u64 ta; /* of the PC; of the DC without the bits that it has not */
	u64 fsc; /* iosatp */
	u32 pasid; /* that found it */
};

/* The process context of ctx->pasid in the guest's directory; its steps are 2.3.2's. */
static int read_directory(const struct iommu_walk *walk, u64 pdtp, struct context *ctx,
			  struct iommu_walk_result *result)
{
	static const u8 position[] = {0, 8, 17};
	static const u16 mask[] = {0xff, 0x1ff, 7};
	unsigned int pa_bits = walk->limits->pa_bits;
	unsigned int level = (pdtp >> FSC_MODE_POS) - PDTP_PD8;
	u64 table = fsc_address(pdtp), pdte;

	for (; level; level--) {
		u64 at = table + (ctx->pasid >> position[level] & mask[level]) * sizeof(pdte);

		if (at >> pa_bits || guest_mem_load64(walk->mem, at, &pdte))
			return fault(result, ctx->tc, IOMMU_FAULT_UNKNOWN, PDT_ACCESS_FAULT);
		if (!(pdte & PDTE_V))
			return fault(result, ctx->tc, IOMMU_FAULT_DOMAIN, PDT_INVALID);
		if (pdte & ~(PDTE_V | PDTE_PPN))
			return fault(result, ctx->tc, IOMMU_FAULT_UNKNOWN, PDT_MISCONFIGURED);
		table = (pdte & PDTE_PPN) << (PAGE_SHIFT - 10);
	}

	table += (ctx->pasid & mask[0]) * 2 * sizeof(u64);
	/* ta has V: read before fsc, as it is written behind it. */
	if (table >> pa_bits || guest_mem_load64(walk->mem, table, &ctx->ta) ||
	    guest_mem_load64(walk->mem, table + sizeof(u64), &ctx->fsc))
		return fault(result, ctx->tc, IOMMU_FAULT_UNKNOWN, PDT_ACCESS_FAULT);
	if (!(ctx->ta & TA_V))
		return fault(result, ctx->tc, IOMMU_FAULT_DOMAIN, PDT_INVALID);
	if (ctx->ta & ~(TA_V | TA_ENS | TA_SUM | TA_PSCID) || ctx->fsc & ~(FSC_PPN | FSC_MODE) ||
	    (!iosatp_levels(ctx->fsc) && ctx->fsc >> FSC_MODE_POS != IOSATP_BARE))
		return fault(result, ctx->tc, IOMMU_FAULT_UNKNOWN, PDT_MISCONFIGURED);
	return 0;
}

static int find_context(const struct iommu_walk *walk, bool managed, struct context *ctx,
			struct iommu_walk_result *result)
{
	const u64 *dc = walk->base->word;
	const struct iommu_table *pc;
	bool has_pasid = walk->pasid != DMA_NO_PASID;
	unsigned int bits;

	*ctx = (struct context){.tc = dc[TABLE_TC], .pasid = walk->pasid};
	if (has_pasid && !(ctx->tc & TC_PDTV))
		return fault(result, ctx->tc, IOMMU_FAULT_DOMAIN, DISALLOWED);
	if (!(ctx->tc & TC_PDTV)) {
		ctx->ta = dc[TABLE_TA];
		ctx->fsc = dc[TABLE_FSC];
		return 0;
	}

	bits = managed ? walk->limits->pasid_bits : pdtp_bits(dc[TABLE_FSC]);
	if (has_pasid && (managed || bits) && walk->pasid >> bits)
		return fault(result, ctx->tc, IOMMU_FAULT_DOMAIN, DISALLOWED);
	if (!has_pasid && ctx->tc & TC_DPE)
		ctx->pasid = 0;
	/* Bare, which is what the rest of ctx is. */
	if (ctx->pasid == DMA_NO_PASID || (!managed && !bits)) {
		ctx->pasid = DMA_NO_PASID;
		return 0;
	}

	if (!managed)
		return read_directory(walk, dc[TABLE_FSC], ctx, result);
	pc = walk->lookup(walk->opaque, ctx->pasid);
	if (!pc)
		return fault(result, ctx->tc, IOMMU_FAULT_DOMAIN, PDT_INVALID);
	ctx->ta = pc->word[TABLE_TA];
	ctx->fsc = pc->word[TABLE_FSC];
	return 0;
}

static int translate(const struct iommu_walk *walk, bool managed, struct iommu_walk_result *result)
{
	bool has_pasid = walk->pasid != DMA_NO_PASID;
	u32 access = has_pasid ? walk->access : plain_request(walk->access);
	unsigned int pa_bits = walk->limits->pa_bits;
	struct riscv_tables tables;
	struct context ctx;
	int ret;

	*result = (struct iommu_walk_result){.pasid = DMA_NO_PASID, .id = IOMMU_NO_ID};
	if (!walk->base)
		return fault(result, 0, IOMMU_FAULT_DOMAIN, DDT_INVALID);
	ret = find_context(walk, managed, &ctx, result);
	if (ret)
		return ret;
	if (access & DMA_PRIV && ctx.pasid != DMA_NO_PASID && !(ctx.ta & TA_ENS))
		return fault(result, ctx.tc, IOMMU_FAULT_DOMAIN, DISALLOWED);

	tables = (struct riscv_tables){
		.root = fsc_address(ctx.fsc),
		.levels = iosatp_levels(ctx.fsc),
		.pa_bits = pa_bits,
		.supervisor = access & DMA_PRIV,
		.user_memory = ctx.ta & TA_SUM,
		.update = ctx.tc & TC_SADE,
	};
	result->pasid = ctx.pasid;
	if (!tables.levels) {
		if (walk->iova >> pa_bits)
			return access_fault(result, ctx.tc, IOMMU_FAULT_MAPPING, access);
		result->last = ((u64)1 << pa_bits) - 1;
		result->access = DMA_READ | DMA_WRITE | DMA_EXEC;
		return 0;
	}

	switch (riscv_walk(walk->mem, &tables, walk->iova, access, result)) {
	case RISCV_WALK_PAGE_FAULT:
		return page_fault(result, ctx.tc, access);
	case RISCV_WALK_ACCESS_FAULT:
		return access_fault(result, ctx.tc, IOMMU_FAULT_UNKNOWN, access);
	case RISCV_WALK_DONE:
		break;
	}
	if (!has_pasid)
		result->access = plain_result(result->access);
	result->id = (ctx.ta & TA_PSCID) >> TA_PSCID_POS;
	return 0;
}

static int riscv_format_walk(const struct iommu_walk *walk, struct iommu_walk_result *result)
{
	return translate(walk, false, result);
}

static int gipc_walk(const struct iommu_walk *walk, struct iommu_walk_result *result)
{
	return translate(walk, true, result);
}

static void riscv_describe(const struct iommu_table *table, struct report *r)
{
	if (table->pasid == DMA_NO_PASID)
		report_hex(r, "tc", table->word[TABLE_TC]);
	report_hex(r, "ta", table->word[TABLE_TA]);
	report_hex(r, "fsc", table->word[TABLE_FSC]);
}

void riscv_sanitize(const struct riscv_regs *host, const struct iommu_limits *limits,
		    struct riscv_regs *guest)
{
	u64 caps = host->capabilities;
	u64 pas = min((caps & CAP_PAS) >> CAP_PAS_POS, (u64)limits->pa_bits);
	u64 show = CAP_VERSION | CAP_SV39 | CAP_SVRSW60T59B | CAP_SVPBMT | CAP_AMO_HWAD |
		   directory_caps(limits->pasid_bits) | CAP_NL | CAP_S;

	/* Each includes those before it. */
	if (caps & CAP_SV39)
		show |= CAP_SV48;
	if (show & caps & CAP_SV48)
		show |= CAP_SV57;

	*guest = (struct riscv_regs){.capabilities = (caps & show) | pas << CAP_PAS_POS};
}

const struct iommu_format format_riscv = {
	.name = "riscv",
	.base_format = VIOMMU_TABLE_RISCV,
	.property = riscv_property,
	.check = riscv_check,
	.walk = riscv_format_walk,
	.describe = riscv_describe,
	.id_bits = 20,
	.page_sizes = RISCV_PAGE_SIZES,
};

const struct iommu_format format_riscv_gipc = {
	.name = "riscv-gipc",
	.base_format = VIOMMU_TABLE_RISCV,
	.pasid_format = VIOMMU_TABLE_RISCV,
	.needs_base = true,
	.property = gipc_property,
	.check = gipc_check,
	.walk = gipc_walk,
	.describe = riscv_describe,
	.id_bits = 20,
	.page_sizes = RISCV_PAGE_SIZES,
};
