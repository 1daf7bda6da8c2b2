// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arm SMMUv3, stage 1: the guest attaches words 0 and 1 of a stream table entry (STE), which point
 * to context descriptors (CD) in its memory, one for each PASID (substream). Arm IHI 0070, 5.2 to
 * 5.5; docs/page-tables.md, "Arm SMMUv3".
 */
#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "iommu/format-aarch64-walk.h"
#include "iommu/format-plain.h"
#include "util/bytes.h"
#include "util/report.h"

/* ID registers */
#define IDR0_S1P	  BIT(1)
#define IDR0_TTF_AARCH64  BIT(3)
#define IDR0_COHACC	  BIT(4)
#define IDR0_ASID16	  BIT(12)
#define IDR0_CD2L	  BIT(19)
#define IDR0_TTENDIAN	  (3U << 21)
#define IDR0_TTENDIAN_LE  (2U << 21)
#define IDR0_STALL_MODEL  (3U << 24)
#define IDR0_STALL_NEVER  (1U << 24)
#define IDR0_STALL_ALWAYS (2U << 24)
#define IDR0_TERM_MODEL	  BIT(26)
#define IDR0_ST_LEVEL	  (3U << 27)
#define IDR0_ST_LEVEL_TWO (1U << 27)
#define IDR1_SSIDSIZE	  (31U << 6)
#define IDR1_SSIDSIZE_POS 6
#define IDR1_CMDQS_POS	  21
#define IDR3_HAD	  BIT(2)
#define IDR3_RIL	  BIT(10)
#define IDR3_BBML	  (3U << 11)
#define IDR5_OAS	  7U
#define IDR5_GRANULES	  (7U << 4)
#define IDR5_DS		  BIT(7)
#define IDR5_VAX	  (3U << 10)
#define IDR5_VAX_52	  (1U << 10)

/* Bits of an endpoint's ID: BDFs, and 0x10000 and up. */
#define ENDPOINT_BITS 17
/* There is no command queue, but drivers look at its size before they find that out. */
#define CMDQ_BITS 8

/* STE, word 0 and 1 */
#define STE0_VALID	 BIT_ULL(0)
#define STE0_CONFIG	 GENMASK_ULL(3, 1)
#define STE0_CONFIG_S1	 (5ULL << 1)
#define STE0_FMT	 GENMASK_ULL(5, 4)
#define STE0_FMT_POS	 4
#define STE0_CONTEXT_PTR GENMASK_ULL(51, 6)
#define STE0_RES0	 GENMASK_ULL(58, 52)
#define STE0_CDMAX_POS	 59
#define STE1_DSS	 GENMASK_ULL(1, 0)
#define STE1_CACHING	 GENMASK_ULL(7, 2) /* S1CIR, S1COR, S1CSH */
#define STE1_EATS	 GENMASK_ULL(29, 28)
#define STE1_EATS_TRANS	 (1ULL << 28)

enum ste_fmt {
	FMT_LINEAR,
	FMT_4K_LEAVES,
	FMT_64K_LEAVES
};
enum ste_dss {
	DSS_TERMINATE,
	DSS_BYPASS,
	DSS_SUBSTREAM_0
};

#define L1CD_VALID BIT_ULL(0)
#define L1CD_L2PTR GENMASK_ULL(55, 12)

#define CD_SIZE 64

/* CD, word 0 */
#define CD0_T0SZ_POS 0
#define CD0_TG0_POS  6
#define CD0_EPD0     BIT_ULL(14)
#define CD0_ENDI     BIT_ULL(15)
#define CD0_T1SZ_POS 16
#define CD0_TG1_POS  22
#define CD0_EPD1     BIT_ULL(30)
#define CD0_VALID    BIT_ULL(31)
#define CD0_IPS_POS  32
#define CD0_AFFD     BIT_ULL(35)
#define CD0_WXN	     BIT_ULL(36)
#define CD0_TBI0     BIT_ULL(38)
#define CD0_TBI1     BIT_ULL(39)
#define CD0_PAN	     BIT_ULL(40)
#define CD0_AA64     BIT_ULL(41)
#define CD0_HD	     BIT_ULL(42)
#define CD0_HA	     BIT_ULL(43)
#define CD0_STALL    BIT_ULL(44)
#define CD0_RECORD   BIT_ULL(45)
#define CD0_ABORT    BIT_ULL(46)
#define CD0_ASID_POS 48

/* CD, words 1 and 2 */
#define CDT_HAD BIT_ULL(1)
#define CDT_TTB GENMASK_ULL(51, 4)

struct descriptor {
	u8 reserved0[3];
	u64 ste[2];
	u8 reserved1[92];
} __packed;
static_assert(sizeof(struct descriptor) == IOMMU_DESCRIPTOR_SIZE, "ATTACH_TABLE");

struct property {
	u16 type;
	u16 length;
	u32 reserved0;
	u64 idr0, idr1, reserved2, idr3, reserved4, idr5;
} __packed;
static_assert(sizeof(struct property) == 56, "PROBE");

enum event {
	EV_BAD_STREAMID,
	EV_STREAM_DISABLED,
	EV_BAD_SUBSTREAMID,
	EV_CD_FETCH,
	EV_BAD_CD,
	EV_WALK_EABT,
	EV_TRANSLATION,
	EV_ADDR_SIZE,
	EV_ACCESS,
	EV_PERMISSION,
};

static const struct {
	u8 code;
	const char *name;
	enum iommu_fault_reason reason;
} events[] = {
	[EV_BAD_STREAMID] = {0x02, "C_BAD_STREAMID", IOMMU_FAULT_DOMAIN},
	[EV_STREAM_DISABLED] = {0x06, "F_STREAM_DISABLED", IOMMU_FAULT_DOMAIN},
	[EV_BAD_SUBSTREAMID] = {0x08, "C_BAD_SUBSTREAMID", IOMMU_FAULT_DOMAIN},
	[EV_CD_FETCH] = {0x09, "F_CD_FETCH", IOMMU_FAULT_UNKNOWN},
	[EV_BAD_CD] = {0x0a, "C_BAD_CD", IOMMU_FAULT_UNKNOWN},
	[EV_WALK_EABT] = {0x0b, "F_WALK_EABT", IOMMU_FAULT_UNKNOWN},
	[EV_TRANSLATION] = {0x10, "F_TRANSLATION", IOMMU_FAULT_MAPPING},
	[EV_ADDR_SIZE] = {0x11, "F_ADDR_SIZE", IOMMU_FAULT_MAPPING},
	[EV_ACCESS] = {0x12, "F_ACCESS", IOMMU_FAULT_MAPPING},
	[EV_PERMISSION] = {0x13, "F_PERMISSION", IOMMU_FAULT_MAPPING},
};

static int fault(struct iommu_walk_result *result, enum event event)
{
	result->reason = events[event].reason;
	result->code = events[event].code;
	result->why = events[event].name;
	return -EFAULT;
}

/* What OAS and IPS stand for. */
static const u8 output_bits[] = {32, 36, 40, 42, 44, 48, 52};

/* The least OAS that reaches all of the machine's memory. */
static unsigned int oas_covering(unsigned int pa_bits)
{
	unsigned int oas = 0;

	while (oas < ARRAY_SIZE(output_bits) - 1 && output_bits[oas] < pa_bits)
		oas++;
	return oas;
}

/* The greatest OAS that a second stage for so many bits takes. */
static unsigned int oas_within(unsigned int pa_bits)
{
	unsigned int oas = ARRAY_SIZE(output_bits) - 1;

	while (oas && output_bits[oas] > pa_bits)
		oas--;
	return oas;
}

static unsigned int oas_bits(const struct iommu_limits *limits)
{
	return output_bits[oas_covering(limits->pa_bits)];
}

static unsigned int smmuv3_property(const struct iommu_limits *limits, u8 *buf)
{
	const struct property property = {
		.type = htole16(VIOMMU_PROBE_T_HW_ARM_SMMU3),
		.length = htole16(sizeof(property) - 4),
		.idr0 = htole64(IDR0_S1P | IDR0_TTF_AARCH64 | IDR0_COHACC | IDR0_ASID16 |
				IDR0_CD2L | IDR0_TTENDIAN_LE | IDR0_STALL_NEVER | IDR0_TERM_MODEL |
				IDR0_ST_LEVEL_TWO),
		.idr1 = htole64(CMDQ_BITS << IDR1_CMDQS_POS |
				limits->pasid_bits << IDR1_SSIDSIZE_POS | ENDPOINT_BITS),
		.idr3 = htole64(IDR3_HAD | IDR3_RIL),
		.idr5 = htole64(IDR5_VAX_52 | IDR5_GRANULES | oas_covering(limits->pa_bits)),
	};

	memcpy(buf, &property, sizeof(property));
	return sizeof(property);
}

/* log2 of the size in bytes of what S1ContextPtr points to, which it is aligned to. */
static unsigned int context_table_order(enum ste_fmt fmt, unsigned int cdmax)
{
	switch (fmt) {
	case FMT_4K_LEAVES:
		return cdmax > 9 ? cdmax - 3 : 6;
	case FMT_64K_LEAVES:
		return cdmax > 13 ? cdmax - 7 : 6;
	default:
		return cdmax + 6;
	}
}

static int check_ste0(const struct iommu_limits *limits, u64 ste)
{
	unsigned int cdmax = ste >> STE0_CDMAX_POS;
	enum ste_fmt fmt = (ste & STE0_FMT) >> STE0_FMT_POS;
	u64 ptr = ste & STE0_CONTEXT_PTR;

	/* That an STE is attached is what makes it valid: a driver may leave both fields out. */
	if ((ste & STE0_CONFIG) != STE0_CONFIG_S1 && ste & (STE0_CONFIG | STE0_VALID))
		return -EINVAL;
	if (ste & STE0_RES0 || fmt > FMT_64K_LEAVES || cdmax > limits->pasid_bits)
		return -EINVAL;
	if (!cdmax)
		fmt = FMT_LINEAR;
	if (!is_aligned(ptr, (u64)1 << context_table_order(fmt, cdmax)) || ptr >> oas_bits(limits))
		return -EINVAL;
	return 0;
}

static int check_ste1(u64 ste)
{
	if ((ste & STE1_DSS) > DSS_SUBSTREAM_0 || ste & ~(STE1_DSS | STE1_CACHING | STE1_EATS))
		return -EINVAL;
	if ((ste & STE1_EATS) > STE1_EATS_TRANS)
		return -EINVAL;
	return ste & STE1_EATS ? -EOPNOTSUPP : 0;
}

static int smmuv3_check(const struct iommu_limits *limits, u8 wire_format, const u8 *desc,
			struct iommu_table *table)
{
	struct descriptor d;
	u64 ste0, ste1;
	int ret;

	memcpy(&d, desc, sizeof(d));
	if (!all_zero(d.reserved0, sizeof(d.reserved0)) ||
	    !all_zero(d.reserved1, sizeof(d.reserved1)))
		return -EINVAL;

	ste0 = le64toh(d.ste[0]);
	ste1 = le64toh(d.ste[1]);
	ret = check_ste0(limits, ste0);
	if (!ret)
		ret = check_ste1(ste1);
	if (ret)
		return ret;

	*table = (struct iommu_table){
		.wire_format = wire_format,
		.pasid = DMA_NO_PASID,
		.word = {ste0, ste1},
	};
	return 0;
}

/* A CD as far as it was read, and what follows from it. */
struct context {
	u64 word[3];
	unsigned int output_bits; /* that the least of IPS and OAS stands for */
	bool wide; /* OAS is 52 bits */
};

/* Of TTB0 or, if @upper, TTB1: their fields mean the same in other places. */
static struct aarch64_tables context_tables(const struct context *ctx, bool upper)
{
	static const u8 granule0[] = {12, 16, 14, 0};
	static const u8 granule1[] = {0, 14, 12, 16};
	u64 cd = ctx->word[0];
	u64 ttb = ctx->word[upper ? 2 : 1];
	struct aarch64_tables tables = {
		.base = ttb & CDT_TTB,
		.unused_bits = cd >> (upper ? CD0_T1SZ_POS : CD0_T0SZ_POS) & 63,
		.granule =
			upper ? granule1[cd >> CD0_TG1_POS & 3] : granule0[cd >> CD0_TG0_POS & 3],
		.output_bits = ctx->output_bits,
		.wide = ctx->wide,
		.top_ignored = cd & (upper ? CD0_TBI1 : CD0_TBI0),
		.flat = ttb & CDT_HAD,
		.no_access_fault = cd & CD0_AFFD,
		.write_no_exec = cd & CD0_WXN,
		.priv_no_user = cd & CD0_PAN,
	};

	/* As in registers of a CPU, which have the bits 51:48 there. */
	if (ctx->output_bits > 48)
		tables.base &= ~(u64)63;
	/* Smaller pages have no place for more. */
	if (tables.granule != 16)
		tables.output_bits = min(tables.output_bits, 48U);
	return tables;
}

/* What EPD disables is not looked at. */
static bool tables_illegal(const struct context *ctx, bool upper)
{
	struct aarch64_tables tables = context_tables(ctx, upper);
	unsigned int least = tables.granule == 16 ? 12 : 16;

	if (ctx->word[0] & (upper ? CD0_EPD1 : CD0_EPD0))
		return false;
	return !tables.granule || tables.unused_bits < least || tables.unused_bits > 39 ||
	       tables.base >> tables.output_bits;
}

/* 5.4.2, with the ID registers that are in the property. */
static bool context_illegal(const struct context *ctx)
{
	u64 cd = ctx->word[0];

	if (!(cd & CD0_VALID) || !(cd & CD0_AA64) || !(cd & CD0_ABORT) ||
	    cd & (CD0_STALL | CD0_HA | CD0_HD))
		return true;
	if (cd & CD0_ENDI && (cd & (CD0_EPD0 | CD0_EPD1)) != (CD0_EPD0 | CD0_EPD1))
		return true;
	return tables_illegal(ctx, false) || tables_illegal(ctx, true);
}

/* The address of the CD of @substream, which the table has. */
static int find_context(const struct iommu_walk *walk, u64 ste, u32 substream, u64 *gpa,
			struct iommu_walk_result *result)
{
	enum ste_fmt fmt = (ste & STE0_FMT) >> STE0_FMT_POS;
	unsigned int split = fmt == FMT_4K_LEAVES ? 6 : 10;
	u64 table = ste & STE0_CONTEXT_PTR, l1cd;

	if (fmt != FMT_LINEAR && ste >> STE0_CDMAX_POS) {
		if (guest_mem_load64(walk->mem, table + (substream >> split) * sizeof(l1cd), &l1cd))
			return fault(result, EV_CD_FETCH);
		table = l1cd & L1CD_L2PTR;
		if (!(l1cd & L1CD_VALID) || table >> oas_bits(walk->limits))
			return fault(result, EV_BAD_SUBSTREAMID);
		substream &= (1U << split) - 1;
		table = align_down(table, (u64)CD_SIZE << split);
	}
	*gpa = table + substream * (u64)CD_SIZE;
	return 0;
}

static int read_context(const struct iommu_walk *walk, u64 gpa, struct context *ctx,
			struct iommu_walk_result *result)
{
	unsigned int i, oas = oas_covering(walk->limits->pa_bits);

	for (i = 0; i < ARRAY_SIZE(ctx->word); i++)
		if (guest_mem_load64(walk->mem, gpa + i * sizeof(u64), &ctx->word[i]))
			return fault(result, EV_CD_FETCH);
	ctx->output_bits = output_bits[min((unsigned int)(ctx->word[0] >> CD0_IPS_POS & 7), oas)];
	ctx->wide = output_bits[oas] == 52;
	return context_illegal(ctx) ? fault(result, EV_BAD_CD) : 0;
}

static int translate(const struct iommu_walk *walk, const struct context *ctx,
		     struct iommu_walk_result *result)
{
	static const enum event ends[AARCH64_WALK_ENDS] = {
		[AARCH64_WALK_TRANSLATION] = EV_TRANSLATION,
		[AARCH64_WALK_ADDRESS_SIZE] = EV_ADDR_SIZE,
		[AARCH64_WALK_ACCESS_FLAG] = EV_ACCESS,
		[AARCH64_WALK_PERMISSION] = EV_PERMISSION,
		[AARCH64_WALK_UNREADABLE] = EV_WALK_EABT,
	};
	bool upper = walk->iova & BIT_ULL(55), has_pasid = walk->pasid != DMA_NO_PASID;
	u32 access = has_pasid ? walk->access : plain_request(walk->access);
	struct aarch64_tables tables = context_tables(ctx, upper);
	enum aarch64_walk_end end = AARCH64_WALK_TRANSLATION;

	if (!(ctx->word[0] & (upper ? CD0_EPD1 : CD0_EPD0)))
		end = aarch64_walk(walk->mem, &tables, walk->iova, access, result);
	if (end == AARCH64_WALK_DONE) {
		if (!has_pasid)
			result->access = plain_result(result->access);
		return 0;
	}

	/* 5.5: R is for what the walk found, but not for external aborts. */
	result->silent = end != AARCH64_WALK_UNREADABLE && !(ctx->word[0] & CD0_RECORD);
	return fault(result, ends[end]);
}

/* An access that stage 1 does not translate. */
static int bypass(const struct iommu_walk *walk, struct iommu_walk_result *result)
{
	unsigned int bits = oas_bits(walk->limits);

	if (walk->iova >> bits)
		return fault(result, EV_ADDR_SIZE);
	result->last = ((u64)1 << bits) - 1;
	result->access = DMA_READ | DMA_WRITE | DMA_EXEC;
	return 0;
}

static int smmuv3_walk(const struct iommu_walk *walk, struct iommu_walk_result *result)
{
	struct context ctx;
	u32 substream = walk->pasid;
	u64 ste0, ste1, gpa;
	unsigned int cdmax;
	int ret;

	*result = (struct iommu_walk_result){.pasid = DMA_NO_PASID, .id = IOMMU_NO_ID};
	if (!walk->base)
		return fault(result, EV_BAD_STREAMID);
	ste0 = walk->base->word[0];
	ste1 = walk->base->word[1];
	cdmax = ste0 >> STE0_CDMAX_POS;

	if (walk->pasid == DMA_NO_PASID) {
		substream = 0;
		if (cdmax && (ste1 & STE1_DSS) == DSS_TERMINATE)
			return fault(result, EV_STREAM_DISABLED);
		if (cdmax && (ste1 & STE1_DSS) == DSS_BYPASS)
			return bypass(walk, result);
	} else {
		if (!cdmax || walk->pasid >> cdmax)
			return fault(result, EV_BAD_SUBSTREAMID);
		/* It stands for accesses without a PASID. */
		if (!walk->pasid && (ste1 & STE1_DSS) == DSS_SUBSTREAM_0)
			return fault(result, EV_STREAM_DISABLED);
	}

	ret = find_context(walk, ste0, substream, &gpa, result);
	if (!ret)
		ret = read_context(walk, gpa, &ctx, result);
	if (!ret)
		ret = translate(walk, &ctx, result);
	if (ret)
		return ret;

	result->pasid = cdmax ? substream : DMA_NO_PASID;
	result->id = ctx.word[0] >> CD0_ASID_POS;
	return 0;
}

static void smmuv3_describe(const struct iommu_table *table, struct report *r)
{
	report_hex(r, "ste0", table->word[0]);
	report_hex(r, "ste1", table->word[1]);
}

void smmuv3_sanitize(const struct smmuv3_regs *host, const struct iommu_limits *limits,
		     struct smmuv3_regs *guest)
{
	const u32 *idr = host->idr;
	u32 ssid_bits = (idr[1] & IDR1_SSIDSIZE) >> IDR1_SSIDSIZE_POS;

	*guest = (struct smmuv3_regs){};
	guest->idr[0] = IDR0_S1P | IDR0_COHACC |
			(idr[0] & (IDR0_TTF_AARCH64 | IDR0_ASID16 | IDR0_CD2L | IDR0_TTENDIAN |
				   IDR0_TERM_MODEL | IDR0_ST_LEVEL));
	/* Nobody answers a stall; but hardware that has nothing else has to be told to. */
	guest->idr[0] |= (idr[0] & IDR0_STALL_MODEL) == IDR0_STALL_ALWAYS ? IDR0_STALL_ALWAYS
									  : IDR0_STALL_NEVER;
	guest->idr[1] = CMDQ_BITS << IDR1_CMDQS_POS |
			min(ssid_bits, limits->pasid_bits) << IDR1_SSIDSIZE_POS | ENDPOINT_BITS;
	guest->idr[3] = idr[3] & (IDR3_RIL | IDR3_BBML);
	guest->idr[5] = (idr[5] & (IDR5_GRANULES | IDR5_DS | IDR5_VAX)) |
			min(idr[5] & IDR5_OAS, oas_within(limits->pa_bits));
}

const struct iommu_format format_smmuv3 = {
	.name = "smmuv3",
	.base_format = VIOMMU_TABLE_ARM_SMMU3,
	.property = smmuv3_property,
	.check = smmuv3_check,
	.walk = smmuv3_walk,
	.describe = smmuv3_describe,
	.id_bits = 16,
	.page_sizes = AARCH64_PAGE_SIZES,
};
