// SPDX-License-Identifier: GPL-2.0-only
/* Arm SMMUv3: the property, the rules of ATTACH_TABLE, and how a CD is found. */
#include <errno.h>

#include "smmuv3-guest.h"

#define NONE DMA_NO_PASID
/* The two words as a driver sends them, for a CD at 64 MiB. */
#define GOOD0 (STE_V | STE_S1 | TABLE_BANK)
#define GOOD1 0

static void check_property(unsigned int pa_bits, unsigned int oas)
{
	const struct iommu_limits limits = {.pa_bits = pa_bits, .pasid_bits = 16};
	u8 buf[IOMMU_PROPERTY_MAX];
	u64 idr0, idr1, idr3, idr5;

	CHECK_EQ(format_smmuv3.property(&limits, buf), 56);
	CHECK_EQ(prop_get(buf, 0, 2), VIOMMU_PROBE_T_HW_ARM_SMMU3);
	CHECK_EQ(prop_get(buf, 2, 2), 52);
	CHECK_EQ(prop_get(buf, 4, 4), 0);
	CHECK_EQ(prop_get(buf, 24, 8), 0);
	CHECK_EQ(prop_get(buf, 40, 8), 0);

	idr0 = prop_get(buf, 8, 8);
	CHECK_EQ(bits(idr0, 0, 0), 0); /* S2P */
	CHECK_EQ(bits(idr0, 1, 1), 1); /* S1P */
	CHECK_EQ(bits(idr0, 3, 2), 2); /* TTF: AArch64 */
	CHECK_EQ(bits(idr0, 4, 4), 1); /* COHACC */
	CHECK_EQ(bits(idr0, 5, 5), 0); /* BTM */
	CHECK_EQ(bits(idr0, 7, 6), 0); /* HTTU */
	CHECK_EQ(bits(idr0, 11, 8), 0); /* ATS and others */
	CHECK_EQ(bits(idr0, 12, 12), 1); /* ASID16 */
	CHECK_EQ(bits(idr0, 18, 13), 0); /* MSI, SEV, ATOS, PRI, VMW, VMID16 */
	CHECK_EQ(bits(idr0, 19, 19), 1); /* CD2L */
	CHECK_EQ(bits(idr0, 20, 20), 0);
	CHECK_EQ(bits(idr0, 22, 21), 2); /* TTENDIAN: little */
	CHECK_EQ(bits(idr0, 23, 23), 0);
	CHECK_EQ(bits(idr0, 25, 24), 1); /* STALL_MODEL: none */
	CHECK_EQ(bits(idr0, 26, 26), 1); /* TERM_MODEL: aborts only */
	CHECK_EQ(bits(idr0, 28, 27), 1); /* ST_LEVEL */
	CHECK_EQ(bits(idr0, 63, 29), 0);

	idr1 = prop_get(buf, 16, 8);
	CHECK_EQ(bits(idr1, 5, 0), 17); /* SIDSIZE */
	CHECK_EQ(bits(idr1, 10, 6), 16); /* SSIDSIZE */
	CHECK_EQ(bits(idr1, 20, 11), 0);
	CHECK_EQ(bits(idr1, 25, 21), 8); /* CMDQS */
	CHECK_EQ(bits(idr1, 63, 26), 0);

	idr3 = prop_get(buf, 32, 8);
	CHECK_EQ(idr3, 1 << 2 | 1 << 10); /* HAD, RIL */

	idr5 = prop_get(buf, 48, 8);
	CHECK_EQ(bits(idr5, 2, 0), oas);
	CHECK_EQ(bits(idr5, 6, 4), 7); /* granules */
	CHECK_EQ(bits(idr5, 7, 7), 0); /* DS */
	CHECK_EQ(bits(idr5, 11, 10), 1); /* VAX */
	CHECK_EQ(idr5 & ~0xc77ULL, 0);
}

TEST(property_has_an_output_size_that_covers_memory)
{
	static const u8 oas[] = {0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 4, 4, 5, 5, 5, 5, 6, 6, 6, 6};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(oas); i++)
		check_property(32 + i, oas[i]);
}

TEST(format_states_its_numbers_and_pages)
{
	CHECK_STR_EQ(format_smmuv3.name, "smmuv3");
	CHECK_EQ(format_smmuv3.base_format, 1);
	CHECK_EQ(format_smmuv3.pasid_format, 0);
	CHECK(!format_smmuv3.needs_base);
	CHECK_EQ(format_smmuv3.page_sizes, 1ULL << 12 | 1ULL << 14 | 1ULL << 16 | 1ULL << 21 |
						   1ULL << 25 | 1ULL << 29 | 1ULL << 30 |
						   1ULL << 42);
}

TEST(attach_keeps_the_words)
{
	smmu_start();
	CHECK_EQ(smmu_attach(GOOD0 | STE_CDMAX(3), STE_DSS(2)), 0);
	CHECK_EQ(smmu.table.wire_format, 1);
	CHECK_EQ(smmu.table.pasid, NONE);
	CHECK_EQ(smmu.table.word[0], GOOD0 | STE_CDMAX(3));
	CHECK_EQ(smmu.table.word[1], STE_DSS(2));
	smmu_end();
}

TEST(attach_reserved_bytes)
{
	const struct iommu_limits limits = {.pa_bits = 48, .pasid_bits = 20};
	unsigned int at;

	for (at = 13; at < 124; at++) {
		u8 desc[IOMMU_DESCRIPTOR_SIZE] = {};
		struct iommu_table table;

		if (at >= 16 && at < 32)
			continue;
		desc_put(desc, 16, 8, GOOD0);
		CHECK_EQ(format_smmuv3.check(&limits, 1, desc, &table), 0);
		desc_put(desc, at, 1, 1 << at % 8);
		CHECK_EQ(format_smmuv3.check(&limits, 1, desc, &table), -EINVAL);
	}
}

/* Both fields may be left out; what is said must be stage 1. */
TEST(attach_v_and_cfg)
{
	u64 v, cfg;

	smmu_start();
	for (v = 0; v < 2; v++)
		for (cfg = 0; cfg < 8; cfg++)
			CHECK_EQ(smmu_attach(TABLE_BANK | v | cfg << 1, GOOD1),
				 cfg == 5 || (!v && !cfg) ? 0 : -EINVAL);
	smmu_end();
}

TEST(attach_s1fmt)
{
	u64 cdmax, fmt;

	smmu_start();
	for (cdmax = 0; cdmax < 2; cdmax++)
		for (fmt = 0; fmt < 4; fmt++)
			CHECK_EQ(smmu_attach(GOOD0 | STE_FMT(fmt) | STE_CDMAX(cdmax), GOOD1),
				 fmt == 3 ? -EINVAL : 0);
	smmu_end();
}

TEST(attach_s1cdmax)
{
	unsigned int max, cdmax;

	smmu_start();
	for (max = 0; max <= 20; max++) {
		smmu.limits.pasid_bits = max;
		for (cdmax = 0; cdmax < 32; cdmax++)
			CHECK_EQ(smmu_attach(GOOD0 | STE_CDMAX(cdmax), GOOD1),
				 cdmax > max ? -EINVAL : 0);
	}
	smmu_end();
}

TEST(attach_s1contextptr_width)
{
	unsigned int bit;

	smmu_start();
	for (bit = 6; bit < 59; bit++)
		CHECK_EQ(smmu_attach(STE_V | STE_S1 | 1ULL << bit, GOOD1), bit < 48 ? 0 : -EINVAL);
	smmu.limits.pa_bits = 52;
	for (bit = 6; bit < 59; bit++)
		CHECK_EQ(smmu_attach(STE_V | STE_S1 | 1ULL << bit, GOOD1), bit < 52 ? 0 : -EINVAL);
	smmu.limits.pa_bits = 36;
	for (bit = 6; bit < 59; bit++)
		CHECK_EQ(smmu_attach(STE_V | STE_S1 | 1ULL << bit, GOOD1), bit < 36 ? 0 : -EINVAL);
	smmu_end();
}

/* The size of the table in bytes, by the manual's words about S1Fmt. */
static u64 context_table_size(unsigned int fmt, unsigned int cdmax)
{
	u64 cds = 1ULL << cdmax;
	u64 size = fmt == FMT_LEAVES_4K ? cds / 64 * 8 : cds / 1024 * 8;

	if (fmt == FMT_LINEAR || cdmax == 0)
		return cds * 64;
	return size < 64 ? 64 : size;
}

TEST(attach_s1contextptr_alignment)
{
	unsigned int fmt, cdmax, bit;

	smmu_start();
	for (fmt = 0; fmt < 3; fmt++)
		for (cdmax = 0; cdmax <= 20; cdmax++)
			for (bit = 6; bit < 30; bit++) {
				u64 ste = STE_V | STE_S1 | STE_FMT(fmt) | STE_CDMAX(cdmax) |
					  1ULL << bit;

				CHECK_EQ(smmu_attach(ste, GOOD1),
					 1ULL << bit >= context_table_size(fmt, cdmax) ? 0
										       : -EINVAL);
			}
	smmu_end();
}

TEST(attach_each_bit_of_word_1)
{
	unsigned int bit;

	smmu_start();
	for (bit = 0; bit < 64; bit++)
		CHECK_EQ(smmu_attach(GOOD0, 1ULL << bit), bit < 8     ? 0
							  : bit == 28 ? -EOPNOTSUPP
								      : -EINVAL);
	smmu_end();
}

TEST(attach_s1dss)
{
	smmu_start();
	CHECK_EQ(smmu_attach(GOOD0, 0), 0);
	CHECK_EQ(smmu_attach(GOOD0, 1), 0);
	CHECK_EQ(smmu_attach(GOOD0, 2), 0);
	CHECK_EQ(smmu_attach(GOOD0, 3), -EINVAL);
	smmu_end();
}

/* Which caches hold it makes no difference here. */
TEST(attach_s1cir_s1cor_s1csh_are_ignored)
{
	u64 x;

	smmu_start();
	for (x = 0; x < 64; x++)
		CHECK_EQ(smmu_attach(GOOD0, x << 2), 0);
	smmu_end();
}

/* There is no ATS to be had; the others are no values of it without a second stage. */
TEST(attach_eats)
{
	smmu_start();
	CHECK_EQ(smmu_attach(GOOD0, 1ULL << 28), -EOPNOTSUPP);
	CHECK_EQ(smmu_attach(GOOD0, 2ULL << 28), -EINVAL);
	CHECK_EQ(smmu_attach(GOOD0, 3ULL << 28), -EINVAL);
	smmu_end();
}

static void put_space(u64 cd[8], unsigned int asid)
{
	struct a64_space space;

	a64_init(&space, &smmu.tm, 12, 16, false);
	a64_map(&space, 0x1000, 3, TABLE_BANK + asid * 0x1000ULL, A64_RW);
	cd_fill(cd, &space, asid);
}

TEST(single_context)
{
	u64 cd[8];

	smmu_start();
	put_space(cd, 7);
	smmu_attach_cd(cd);
	CHECK_EQ(smmu_access(NONE, 0x1234, RW), 0);
	CHECK_EQ(smmu.result.start, 0x1000);
	CHECK_EQ(smmu.result.last, 0x1fff);
	CHECK_EQ(smmu.result.gpa, TABLE_BANK + 0x7000);
	CHECK_EQ(smmu.result.access, RW | X);
	CHECK_EQ(smmu.result.id, 7);
	CHECK_EQ(smmu.result.pasid, NONE);
	CHECK_EQ(smmu_access(0, 0x1234, R), C_BAD_SUBSTREAMID);
	CHECK_EQ(smmu.result.reason, IOMMU_FAULT_DOMAIN);
	CHECK_STR_EQ(smmu.result.why, "C_BAD_SUBSTREAMID");
	smmu_end();
}

/* S1DSS counts only for a table of CDs. */
TEST(single_context_without_s1dss)
{
	u64 cd[8], dss;

	smmu_start();
	put_space(cd, 7);
	smmu_attach_cd(cd);
	for (dss = 0; dss < 3; dss++) {
		CHECK_EQ(smmu_attach(smmu.ste[0], dss), 0);
		CHECK_EQ(smmu_access(NONE, 0x1234, R), 0);
		CHECK_EQ(smmu_access(0, 0x1234, R), C_BAD_SUBSTREAMID);
	}
	smmu_end();
}

static void check_context_table(unsigned int fmt, unsigned int cdmax)
{
	const u32 max = (1U << cdmax) - 1;
	const u32 pasids[] = {1,
			      max / 2,
			      max,
			      max > 63 ? 63 : 1,
			      max > 64 ? 64 : 1,
			      max > 1023 ? 1023 : 1,
			      max > 1024 ? 1024 : 1};
	u64 ste0, cd[8];
	unsigned int i;

	table_memory_reset(&smmu.tm);
	ste0 = cd_table(&smmu.tm, fmt, cdmax);
	for (i = 0; i < ARRAY_SIZE(pasids); i++) {
		put_space(cd, i + 1);
		cd_put(&smmu.tm, cd_entry(&smmu.tm, ste0, pasids[i]), cd);
	}
	CHECK_EQ(smmu_attach(ste0, STE_DSS(0)), 0);
	for (i = 0; i < ARRAY_SIZE(pasids); i++) {
		CHECK_EQ(smmu_access(pasids[i], 0x1000, R), 0);
		CHECK_EQ(smmu.result.pasid, pasids[i]);
	}
	CHECK_EQ(smmu_access(max + 1, 0x1000, R), C_BAD_SUBSTREAMID);
	CHECK_EQ(smmu_access(0xfffffffe, 0x1000, R), C_BAD_SUBSTREAMID);
	CHECK_EQ(smmu_access(NONE, 0x1000, R), F_STREAM_DISABLED);
}

TEST(context_tables_of_each_format_and_size)
{
	unsigned int fmt, cdmax;

	smmu_start();
	for (fmt = 0; fmt < 3; fmt++)
		for (cdmax = 1; cdmax <= 20; cdmax++)
			check_context_table(fmt, cdmax);
	smmu_end();
}

static u64 put_table(unsigned int fmt)
{
	u64 ste0 = cd_table(&smmu.tm, fmt, 12), cd[8];

	put_space(cd, 1);
	cd_put(&smmu.tm, cd_entry(&smmu.tm, ste0, 0), cd);
	put_space(cd, 2);
	cd_put(&smmu.tm, cd_entry(&smmu.tm, ste0, 5), cd);
	return ste0;
}

TEST(s1dss_terminate)
{
	smmu_start();
	CHECK_EQ(smmu_attach(put_table(FMT_LEAVES_64K), STE_DSS(0)), 0);
	CHECK_EQ(smmu_access(NONE, 0x1000, R), F_STREAM_DISABLED);
	CHECK_EQ(smmu.result.reason, IOMMU_FAULT_DOMAIN);
	CHECK_EQ(smmu_access(0, 0x1000, R), 0);
	CHECK_EQ(smmu.result.pasid, 0);
	CHECK_EQ(smmu_access(5, 0x1000, R), 0);
	smmu_end();
}

TEST(s1dss_bypass)
{
	smmu_start();
	CHECK_EQ(smmu_attach(put_table(FMT_LINEAR), STE_DSS(1)), 0);
	CHECK_EQ(smmu_access(NONE, 0xffffffffffffULL, RW | X), 0);
	CHECK_EQ(smmu.result.start, 0);
	CHECK_EQ(smmu.result.last, 0xffffffffffffULL);
	CHECK_EQ(smmu.result.gpa, 0);
	CHECK_EQ(smmu.result.id, IOMMU_NO_ID);
	CHECK_EQ(smmu.result.pasid, NONE);
	CHECK_EQ(smmu_access(NONE, 0x1000000000000ULL, R), F_ADDR_SIZE);
	CHECK_EQ(smmu.result.reason, IOMMU_FAULT_MAPPING);
	CHECK(!smmu.result.silent);
	CHECK_EQ(smmu_access(0, 0x1000, R), 0);
	CHECK_EQ(smmu_access(5, 0x1000, R), 0);
	smmu_end();
}

TEST(s1dss_substream_0)
{
	smmu_start();
	CHECK_EQ(smmu_attach(put_table(FMT_LEAVES_4K), STE_DSS(2)), 0);
	CHECK_EQ(smmu_access(NONE, 0x1000, R), 0);
	CHECK_EQ(smmu.result.id, 1);
	CHECK_EQ(smmu.result.pasid, 0);
	CHECK_EQ(smmu_access(0, 0x1000, R), F_STREAM_DISABLED);
	CHECK_EQ(smmu_access(5, 0x1000, R), 0);
	smmu_end();
}

TEST(nothing_attached)
{
	const struct iommu_limits limits = {.pa_bits = 48};
	const struct guest_mem mem = {};
	const struct iommu_walk walk = {.mem = &mem, .limits = &limits, .pasid = NONE};
	struct iommu_walk_result result;

	CHECK_EQ(format_smmuv3.walk(&walk, &result), -EFAULT);
	CHECK_EQ(result.reason, IOMMU_FAULT_DOMAIN);
	CHECK_EQ(result.code, 2);
}

TEST(l1cd_invalid)
{
	u64 ste0, l1;

	smmu_start();
	ste0 = put_table(FMT_LEAVES_64K);
	l1 = bits(ste0, 51, 6) << 6;
	CHECK_EQ(smmu_attach(ste0, 0), 0);
	CHECK_EQ(smmu_access(5, 0x1000, R), 0);
	table_put(&smmu.tm, l1, table_get(&smmu.tm, l1) & ~1ULL);
	CHECK_EQ(smmu_access(5, 0x1000, R), C_BAD_SUBSTREAMID);
	CHECK_EQ(smmu_access(1024, 0x1000, R), C_BAD_SUBSTREAMID);
	smmu_end();
}

/* L2Ptr: the reserved bits below are nothing, those above the output size are an error. */
TEST(l1cd_each_bit)
{
	unsigned int bit, fmt;

	smmu_start();
	for (fmt = FMT_LEAVES_4K; fmt <= FMT_LEAVES_64K; fmt++) {
		u64 ste0 = put_table(fmt), l1 = bits(ste0, 51, 6) << 6, good;

		good = table_get(&smmu.tm, l1);
		CHECK_EQ(smmu_attach(ste0, 0), 0);
		for (bit = 1; bit < 64; bit++) {
			u32 want = 0;

			if (bit >= 48 && bit < 56)
				want = C_BAD_SUBSTREAMID;
			else if (bit >= 30 && bit < 48)
				want = F_CD_FETCH; /* no memory there */
			else if (bit >= (fmt == FMT_LEAVES_4K ? 12 : 16) && bit < 30)
				continue;
			table_put(&smmu.tm, l1, good | 1ULL << bit);
			CHECK_EQ(smmu_access(5, 0x1000, R), want);
		}
	}
	smmu_end();
}

TEST(context_unreadable)
{
	smmu_start();
	CHECK_EQ(smmu_attach(STE_V | STE_S1 | (TABLE_BANK - 64), 0), 0);
	CHECK_EQ(smmu_access(NONE, 0x1000, R), F_CD_FETCH);
	CHECK_EQ(smmu.result.reason, IOMMU_FAULT_UNKNOWN);
	CHECK_EQ(smmu_attach(STE_V | STE_S1 | STE_FMT(1) | STE_CDMAX(20) | 1ULL << 40, 0), 0);
	CHECK_EQ(smmu_access(77, 0x1000, R), F_CD_FETCH);
	/* The first CD of the table is in memory, the second is behind its end. */
	CHECK_EQ(smmu_attach(STE_V | STE_S1 | STE_CDMAX(1) | (TABLE_BANK + TABLE_BANK_SIZE - 128),
			     STE_DSS(2)),
		 0);
	CHECK_EQ(smmu_access(NONE, 0x1000, R), C_BAD_CD);
	smmu_end();
}

/* Whatever else these make of tables for another CD, the reference knows. */
TEST(context_each_bit_of_word_0)
{
	/* T0SZ 0 and 48, ENDI, TG1 = 0, V, AA64, HD, HA, S, A */
	const u64 bad = 1ULL << 4 | 1ULL << 5 | CD_ENDI | CD_EPD(1) | CD_V | CD_AA64 | CD_HD |
			CD_HA | CD_S | CD_A;
	u64 cd[8], gpa;
	unsigned int bit;

	smmu_start();
	put_space(cd, 7);
	gpa = smmu_attach_cd(cd);
	for (bit = 0; bit < 64; bit++) {
		table_put(&smmu.tm, gpa, cd[0] ^ 1ULL << bit);
		CHECK_EQ(smmu_access(NONE, 0x1000, R) == C_BAD_CD, bits(bad, bit, bit));
	}
	smmu_end();
}

/* Reserved ones as well: no ID register shows what they might be. */
TEST(context_each_bit_of_words_1_and_2)
{
	u64 cd[8], gpa;
	unsigned int bit, word;

	smmu_start();
	put_space(cd, 7);
	gpa = smmu_attach_cd(cd);
	for (word = 1; word < 8; word++)
		for (bit = 0; bit < 64; bit++) {
			u32 want = 0;

			if (word == 1 && bit >= 48 && bit < 52)
				want = C_BAD_CD;
			else if (word == 1 && bit >= 12 && bit < 48)
				want = F_WALK_EABT;
			if (word == 1 && (bit == 44 || (bit >= 12 && bit < 27)))
				continue;
			cd_put(&smmu.tm, gpa, cd);
			table_put(&smmu.tm, gpa + word * 8, cd[word] ^ 1ULL << bit);
			CHECK_EQ(smmu_access(NONE, 0x1000, R), want);
		}
	smmu_end();
}

/* The access of 0x1000 with another CD than put_space() makes. */
static u32 access_with(u64 clear, u64 set)
{
	u64 cd[8];

	table_memory_reset(&smmu.tm);
	put_space(cd, 7);
	cd[0] = (cd[0] & ~clear) | set;
	smmu_attach_cd(cd);
	return smmu_access(NONE, 0x1000, R);
}

TEST(context_t0sz)
{
	static const struct {
		unsigned int granule, tg, least;
	} rows[] = {{12, 0, 16}, {16, 1, 12}, {14, 2, 16}};
	unsigned int i, tsz;

	smmu_start();
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		for (tsz = 0; tsz < 64; tsz++) {
			u32 code = access_with(0xff, tsz | rows[i].tg << 6);

			CHECK_EQ(code == C_BAD_CD, tsz < rows[i].least || tsz > 39);
		}
	smmu_end();
}

TEST(context_t1sz)
{
	static const struct {
		unsigned int granule, tg, least;
	} rows[] = {{14, 1, 16}, {12, 2, 16}, {16, 3, 12}};
	unsigned int i, tsz;

	smmu_start();
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		for (tsz = 0; tsz < 64; tsz++) {
			u64 set = (u64)tsz << 16 | (u64)rows[i].tg << 22;

			CHECK_EQ(access_with(CD_EPD(1), set) == C_BAD_CD,
				 tsz < rows[i].least || tsz > 39);
			/* Not looked at if it is disabled. */
			CHECK_EQ(access_with(0, set), 0);
		}
	smmu_end();
}

TEST(context_reserved_granules)
{
	smmu_start();
	CHECK_EQ(access_with(0, 3 << 6), C_BAD_CD);
	CHECK_EQ(access_with(CD_EPD(1), 16 << 16 | 0 << 22), C_BAD_CD);
	CHECK_EQ(access_with(CD_EPD(1), 16 << 16 | 2 << 22), 0);
	smmu_end();
}

/* What EPD disables is no error, whatever is there; ENDI if both are. */
TEST(context_epd)
{
	smmu_start();
	CHECK_EQ(access_with(0x3f, CD_EPD(0) | 3 << 6 | 63), F_TRANSLATION);
	CHECK_EQ(smmu.result.reason, IOMMU_FAULT_MAPPING);
	CHECK_EQ(access_with(0, CD_ENDI), C_BAD_CD);
	CHECK_EQ(access_with(0, CD_ENDI | CD_EPD(0)), F_TRANSLATION);
	CHECK_EQ(smmu_access(NONE, 0xffffffffffffffffULL, R), F_TRANSLATION);
	smmu_end();
}

TEST(context_valid_and_fixed_fields)
{
	smmu_start();
	CHECK_EQ(access_with(0, 0), 0);
	CHECK_EQ(access_with(CD_V, 0), C_BAD_CD);
	CHECK_EQ(smmu.result.reason, IOMMU_FAULT_UNKNOWN);
	CHECK(!smmu.result.silent);
	CHECK_EQ(access_with(CD_AA64, 0), C_BAD_CD);
	CHECK_EQ(access_with(CD_A, 0), C_BAD_CD);
	CHECK_EQ(access_with(0, CD_S), C_BAD_CD);
	CHECK_EQ(access_with(0, CD_HA), C_BAD_CD);
	CHECK_EQ(access_with(0, CD_HD), C_BAD_CD);
	CHECK_EQ(access_with(0, CD_UWXN), 0);
	CHECK_EQ(access_with(CD_ASET, 0), 0);
	CHECK_EQ(access_with(0, CD_ASID(0xffff)), 0);
	CHECK_EQ(smmu.result.id, 0xffff);
	smmu_end();
}

TEST(context_ttb_beyond_ips)
{
	static const u8 width[] = {32, 36, 40, 42, 44, 48, 48, 48};
	unsigned int ips, bit, upper;
	u64 cd[8];

	smmu_start();
	for (upper = 0; upper < 2; upper++)
		for (ips = 0; ips < 8; ips++)
			for (bit = 28; bit < 52; bit++) {
				struct a64_space space;

				table_memory_reset(&smmu.tm);
				a64_init(&space, &smmu.tm, 12, 16, upper);
				cd_fill(cd, &space, 1);
				cd[0] = (cd[0] & ~CD_IPS(7)) | CD_IPS(ips);
				cd[upper ? 2 : 1] = 1ULL << bit;
				smmu_attach_cd(cd);
				CHECK_EQ(smmu_access(NONE, upper ? ~0ULL : 0, R) == C_BAD_CD,
					 bit >= width[ips]);
			}
	smmu_end();
}

/* 52 bits are for pages of 64 KiB alone. */
TEST(context_ttb_of_52_bits)
{
	static const u8 granules[] = {12, 14, 16};
	unsigned int i, upper;
	u64 cd[8];

	smmu_start();
	smmu.limits.pa_bits = 52;
	for (upper = 0; upper < 2; upper++)
		for (i = 0; i < ARRAY_SIZE(granules); i++) {
			struct a64_space space;

			a64_init(&space, &smmu.tm, granules[i], 16, upper);
			space.ttb = TABLE_BANK_52;
			cd_fill(cd, &space, 1);
			cd[0] = (cd[0] & ~CD_IPS(7)) | CD_IPS(6);
			smmu_attach_cd(cd);
			CHECK_EQ(smmu_access(NONE, upper ? ~0ULL : 0, R),
				 granules[i] == 16 ? F_TRANSLATION : C_BAD_CD);
		}
	smmu_end();
}

/* R: only for what the walk finds; not for configurations and unreadable tables. */
TEST(context_silent_faults)
{
	struct a64_space space;
	u64 cd[8];

	smmu_start();
	a64_init(&space, &smmu.tm, 12, 16, false);
	a64_map(&space, 0x1000, 3, 1ULL << 44, A64_RW);
	a64_map(&space, 0x2000, 3, 0, A64_RW & ~A64_AF);
	a64_map(&space, 0x3000, 3, 0, A64_RW | A64_READ_ONLY);
	table_put(&smmu.tm, a64_entry(&space, 1ULL << 40, 0), 3);
	cd_fill(cd, &space, 1);
	cd[0] = (cd[0] & ~(CD_R | CD_IPS(7))) | CD_IPS(4);
	smmu_attach_cd(cd);
	CHECK_EQ(smmu_access(NONE, 0, R), F_TRANSLATION);
	CHECK(smmu.result.silent);
	CHECK_EQ(smmu_access(NONE, 1ULL << 63, R), F_TRANSLATION);
	CHECK(smmu.result.silent);
	CHECK_EQ(smmu_access(NONE, ~0ULL, R), F_TRANSLATION);
	CHECK(smmu.result.silent);
	CHECK_EQ(smmu_access(NONE, 0x1000, R), F_ADDR_SIZE);
	CHECK(smmu.result.silent);
	CHECK_EQ(smmu_access(NONE, 0x2000, R), F_ACCESS);
	CHECK(smmu.result.silent);
	CHECK_EQ(smmu_access(NONE, 0x3000, W), F_PERMISSION);
	CHECK(smmu.result.silent);
	CHECK_EQ(smmu_access(NONE, 1ULL << 40, R), F_WALK_EABT);
	CHECK(!smmu.result.silent);
	smmu_end();
}
