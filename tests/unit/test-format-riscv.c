// SPDX-License-Identifier: GPL-2.0-only
/* RISC-V: the property, the rules of ATTACH_TABLE, and how a process context is found. */
#include <errno.h>

#include "riscv-guest.h"

#define NONE	DMA_NO_PASID
#define PASID	1U
#define MANAGED 2U
/* iosatp of a table at 64 MiB */
#define GOOD_FSC   (TABLE_BANK / 4096 | (u64)SV48 << 60)
#define PDTP(mode) (TABLE_BANK / 4096 | (u64)(mode) << 60)

static u64 capabilities(const struct iommu_format *format, unsigned int pa_bits,
			unsigned int pasid_bits, unsigned int flags)
{
	const struct iommu_limits limits = {.pa_bits = pa_bits, .pasid_bits = pasid_bits};
	u8 buf[IOMMU_PROPERTY_MAX];

	CHECK_EQ(format->property(&limits, buf), 24);
	CHECK_EQ(prop_get(buf, 0, 2), VIOMMU_PROBE_T_HW_RISCV);
	CHECK_EQ(prop_get(buf, 2, 2), 20);
	CHECK_EQ(prop_get(buf, 4, 4), 0); /* fctl */
	CHECK_EQ(prop_get(buf, 16, 1), pasid_bits);
	CHECK_EQ(prop_get(buf, 17, 1), flags);
	CHECK_EQ(prop_get(buf, 18, 6), 0);
	return prop_get(buf, 8, 8);
}

TEST(property)
{
	unsigned int pa_bits;

	for (pa_bits = 32; pa_bits <= 52; pa_bits++) {
		u64 caps = capabilities(&format_riscv, pa_bits, 16, 0);

		CHECK_EQ(bits(caps, 7, 0), 0x10); /* version 1.0 */
		CHECK_EQ(bits(caps, 8, 8), 0); /* Sv32 */
		CHECK_EQ(bits(caps, 11, 9), 7); /* Sv39, Sv48, Sv57 */
		CHECK_EQ(bits(caps, 13, 12), 0);
		CHECK_EQ(bits(caps, 15, 14), 3); /* Svrsw60t59b, Svpbmt */
		CHECK_EQ(bits(caps, 23, 16), 0); /* second stage, messages */
		CHECK_EQ(bits(caps, 24, 24), 1); /* AMO_HWAD */
		CHECK_EQ(bits(caps, 31, 25), 0); /* ATS, T2GPA, END, IGS, HPM, DBG */
		CHECK_EQ(bits(caps, 37, 32), pa_bits); /* PAS */
		CHECK_EQ(bits(caps, 40, 38), 3); /* PD8, PD17 */
		CHECK_EQ(bits(caps, 41, 41), 0); /* QOSID */
		CHECK_EQ(bits(caps, 43, 42), 3); /* NL, S */
		CHECK_EQ(bits(caps, 63, 44), 0); /* GIPC */
	}
}

TEST(property_has_directories_for_the_pasids)
{
	unsigned int width;

	for (width = 0; width <= 20; width++) {
		u64 pd = bits(capabilities(&format_riscv, 48, width, 0), 40, 38);

		CHECK_EQ(pd, width > 17 ? 7 : width > 8 ? 3 : width > 0 ? 1 : 0);
	}
}

/* No directory of the guest's own. */
TEST(property_of_gipc)
{
	CHECK_EQ(bits(capabilities(&format_riscv_gipc, 48, 20, 1), 40, 38), 0);
	CHECK_EQ(bits(capabilities(&format_riscv_gipc, 48, 0, 1), 37, 32), 48);
}

TEST(format_states_its_numbers_and_pages)
{
	u64 pages = 1ULL << 12 | 1ULL << 16 | 1ULL << 21 | 1ULL << 30 | 1ULL << 39 | 1ULL << 48;

	CHECK_STR_EQ(format_riscv.name, "riscv");
	CHECK_EQ(format_riscv.base_format, 4);
	CHECK_EQ(format_riscv.pasid_format, 0);
	CHECK_EQ(format_riscv.page_sizes, pages);
	CHECK_STR_EQ(format_riscv_gipc.name, "riscv-gipc");
	CHECK_EQ(format_riscv_gipc.base_format, 4);
	CHECK_EQ(format_riscv_gipc.pasid_format, 4);
	CHECK(format_riscv_gipc.needs_base);
	CHECK_EQ(format_riscv_gipc.page_sizes, pages);
}

TEST(attach_reserved_bytes)
{
	const struct iommu_limits limits = {.pa_bits = 48, .pasid_bits = 20};
	unsigned int at, gipc;

	for (gipc = 0; gipc < 2; gipc++)
		for (at = 13; at < 124; at++) {
			const struct iommu_format *format =
				gipc ? &format_riscv_gipc : &format_riscv;
			u8 desc[IOMMU_DESCRIPTOR_SIZE] = {};
			struct iommu_table table;

			if (at >= 16 && at < 48)
				continue;
			desc_put(desc, 32, 8, GOOD_FSC);
			desc_put(desc, 44, 4, gipc ? PASID : 0);
			CHECK_EQ(format->check(&limits, 4, desc, &table), 0);
			desc_put(desc, at, 1, 1 << at % 8);
			CHECK_EQ(format->check(&limits, 4, desc, &table), -EINVAL);
		}
}

TEST(attach_keeps_the_words)
{
	rv_start(&format_riscv);
	CHECK_EQ(rv_attach(TC_V | TC_SADE, TA_PSCID(5), GOOD_FSC), 0);
	CHECK_EQ(rv.base.wire_format, 4);
	CHECK_EQ(rv.base.pasid, NONE);
	CHECK_EQ(rv.base.word[0], TC_V | TC_SADE);
	CHECK_EQ(rv.base.word[1], TA_PSCID(5));
	CHECK_EQ(rv.base.word[2], GOOD_FSC);
	rv_end();
	rv_start(&format_riscv_gipc);
	CHECK_EQ(rv_keep(77, TA_V | TA_SUM, GOOD_FSC), 0);
	CHECK_EQ(rv.kept[0].pasid, 77);
	CHECK_EQ(rv.kept[0].word[1], TA_V | TA_SUM);
	CHECK_EQ(rv.kept[0].word[2], GOOD_FSC);
	rv_end();
}

TEST(attach_flags)
{
	unsigned int bit;

	rv_start(&format_riscv);
	CHECK_EQ(rv_check(0, 0, GOOD_FSC, 0, 0), 0);
	CHECK_EQ(rv_check(0, 0, GOOD_FSC, 0, PASID), -EOPNOTSUPP);
	CHECK_EQ(rv_check(TC_PDTV, 0, 0, 0, MANAGED), -EOPNOTSUPP);
	CHECK_EQ(rv_check(0, 0, GOOD_FSC, 0, PASID | MANAGED), -EINVAL);
	for (bit = 2; bit < 32; bit++)
		CHECK_EQ(rv_check(0, 0, GOOD_FSC, 0, 1U << bit), -EINVAL);
	rv_end();

	rv_start(&format_riscv_gipc);
	CHECK_EQ(rv_check(0, 0, GOOD_FSC, 0, 0), -EOPNOTSUPP);
	CHECK_EQ(rv_check(0, 0, GOOD_FSC, 0, PASID), 0);
	CHECK_EQ(rv_check(TC_PDTV, 0, 0, 0, MANAGED), 0);
	CHECK_EQ(rv_check(0, 0, GOOD_FSC, 0, PASID | MANAGED), -EINVAL);
	for (bit = 2; bit < 32; bit++)
		CHECK_EQ(rv_check(0, 0, GOOD_FSC, 0, 1U << bit | PASID), -EINVAL);
	rv_end();
}

/* What is malformed comes first, then the width, then what there is not. */
TEST(attach_order_of_errors)
{
	rv_start(&format_riscv);
	rv.limits.pasid_bits = 8;
	CHECK_EQ(rv_check(0, 0, 1, 256, PASID), -EINVAL);
	CHECK_EQ(rv_check(0, 0, GOOD_FSC, 256, PASID), -ERANGE);
	CHECK_EQ(rv_check(0, 0, GOOD_FSC, 255, PASID), -EOPNOTSUPP);
	CHECK_EQ(rv_check(TC_PDTV, 0, 1, 0, MANAGED), -EINVAL);
	rv_end();
	rv_start(&format_riscv_gipc);
	CHECK_EQ(rv_check(0, 1, GOOD_FSC, 0, 0), -EINVAL);
	CHECK_EQ(rv_check(TC_PDTV, 0, PDTP(PD8), 0, 0), -EOPNOTSUPP);
	rv_end();
}

TEST(attach_pasid_without_its_flag)
{
	rv_start(&format_riscv);
	CHECK_EQ(rv_check(0, 0, GOOD_FSC, 1, 0), -EINVAL);
	rv_end();
	rv_start(&format_riscv_gipc);
	CHECK_EQ(rv_check(TC_PDTV, 0, 0, 1, MANAGED), -EINVAL);
	rv_end();
}

/* Alone, and with PDTV, which DPE needs. */
TEST(attach_each_bit_of_tc)
{
	unsigned int bit;

	rv_start(&format_riscv);
	for (bit = 0; bit < 64; bit++) {
		bool known = bit == 0 || bit == 4 || bit == 5 || bit == 8;

		/* As the fsc of a directory, GOOD_FSC has no mode that there is. */
		CHECK_EQ(rv_check(1ULL << bit, 0, bit == 5 ? PDTP(PD20) : GOOD_FSC, 0, 0),
			 known ? 0 : -EINVAL);
		CHECK_EQ(rv_check(1ULL << bit | TC_PDTV, 0, PDTP(PD20), 0, 0),
			 known || bit == 9 ? 0 : -EINVAL);
	}
	rv_end();

	rv_start(&format_riscv_gipc);
	for (bit = 0; bit < 64; bit++) {
		bool known = bit == 0 || bit == 4 || bit == 5 || bit == 8 || bit == 9;

		CHECK_EQ(rv_check(1ULL << bit | TC_PDTV, 0, 0, 0, MANAGED), known ? 0 : -EINVAL);
		CHECK_EQ(rv_check(1ULL << bit, 0, 0, 0, MANAGED), bit == 5 ? 0 : -EINVAL);
		CHECK_EQ(rv_check(1ULL << bit, 0, GOOD_FSC, 0, PASID), -EINVAL);
	}
	rv_end();
}

TEST(attach_each_bit_of_ta)
{
	unsigned int bit;

	rv_start(&format_riscv);
	for (bit = 0; bit < 64; bit++)
		CHECK_EQ(rv_check(0, 1ULL << bit, GOOD_FSC, 0, 0),
			 bit >= 12 && bit < 32 ? 0 : -EINVAL);
	rv_end();

	rv_start(&format_riscv_gipc);
	for (bit = 0; bit < 64; bit++) {
		CHECK_EQ(rv_check(0, 1ULL << bit, GOOD_FSC, 0, PASID),
			 bit < 3 || (bit >= 12 && bit < 32) ? 0 : -EINVAL);
		CHECK_EQ(rv_check(TC_PDTV, 1ULL << bit, 0, 0, MANAGED), -EINVAL);
	}
	rv_end();
}

TEST(attach_iosatp_mode)
{
	unsigned int mode;

	rv_start(&format_riscv);
	for (mode = 1; mode < 16; mode++)
		CHECK_EQ(rv_check(0, 0, TABLE_BANK / 4096 | (u64)mode << 60, 0, 0),
			 mode >= SV39 && mode <= SV57 ? 0 : -EINVAL);
	CHECK_EQ(rv_check(0, 0, 0, 0, 0), 0);
	rv_end();
	rv_start(&format_riscv_gipc);
	for (mode = 1; mode < 16; mode++)
		CHECK_EQ(rv_check(0, 0, TABLE_BANK / 4096 | (u64)mode << 60, 0, PASID),
			 mode >= SV39 && mode <= SV57 ? 0 : -EINVAL);
	CHECK_EQ(rv_check(0, 0, 0, 0, PASID), 0);
	rv_end();
}

TEST(attach_pdtp_mode)
{
	unsigned int mode, width;

	rv_start(&format_riscv);
	for (width = 0; width <= 20; width++) {
		unsigned int most = width > 17 ? PD20 : width > 8 ? PD17 : width > 0 ? PD8 : 0;

		rv.limits.pasid_bits = width;
		for (mode = 1; mode < 16; mode++)
			CHECK_EQ(rv_check(TC_PDTV, 0, PDTP(mode), 0, 0),
				 mode <= most ? 0 : -EINVAL);
		CHECK_EQ(rv_check(TC_PDTV, 0, 0, 0, 0), 0);
	}
	rv_end();
}

/* Bare has no address. */
TEST(attach_bare_with_an_address)
{
	rv_start(&format_riscv);
	CHECK_EQ(rv_check(0, 0, 1, 0, 0), -EINVAL);
	CHECK_EQ(rv_check(TC_PDTV, 0, 1, 0, 0), -EINVAL);
	rv_end();
	rv_start(&format_riscv_gipc);
	CHECK_EQ(rv_check(0, 0, 1, 0, PASID), -EINVAL);
	CHECK_EQ(rv_check(TC_PDTV, 0, 1, 0, MANAGED), -EINVAL);
	rv_end();
}

TEST(attach_each_bit_of_the_ppn)
{
	unsigned int bit, width;

	rv_start(&format_riscv);
	for (width = 32; width <= 56; width += 4)
		for (bit = 0; bit < 60; bit++) {
			int want = bit + 12 < width ? 0 : -EINVAL;

			rv.limits.pa_bits = width;
			CHECK_EQ(rv_check(0, 0, 1ULL << bit | (u64)SV39 << 60, 0, 0), want);
			CHECK_EQ(rv_check(TC_PDTV, 0, 1ULL << bit | (u64)PD8 << 60, 0, 0), want);
		}
	rv_end();
}

TEST(attach_pasid_width)
{
	unsigned int width;

	rv_start(&format_riscv_gipc);
	for (width = 0; width <= 20; width++) {
		rv.limits.pasid_bits = width;
		CHECK_EQ(rv_check(0, 0, GOOD_FSC, (1U << width) - 1, PASID), 0);
		CHECK_EQ(rv_check(0, 0, GOOD_FSC, 1U << width, PASID), -ERANGE);
		CHECK_EQ(rv_check(0, 0, GOOD_FSC, ~0U, PASID), -ERANGE);
		/* What is malformed comes first. */
		CHECK_EQ(rv_check(0, 0, 1, ~0U, PASID), -EINVAL);
	}
	rv_end();
}

/* A space with one page, at 0x1000, whose GPA tells @id. */
static u64 put_space(unsigned int id, u64 attributes)
{
	struct rv_space space;

	rv_init(&space, &rv.tm, SV39);
	rv_map(&space, 0x1000, 0, id * 0x1000ULL, attributes);
	return rv_iosatp(&space);
}

TEST(one_table)
{
	rv_start(&format_riscv);
	CHECK_EQ(rv_attach(0, TA_PSCID(0xabcde), put_space(9, PTE_ALL)), 0);
	CHECK_EQ(rv_access(NONE, 0x1234, RW), 0);
	CHECK_EQ(rv.result.start, 0x1000);
	CHECK_EQ(rv.result.last, 0x1fff);
	CHECK_EQ(rv.result.gpa, 0x9000);
	CHECK_EQ(rv.result.access, RW | X);
	CHECK_EQ(rv.result.id, 0xabcde);
	CHECK_EQ(rv.result.pasid, NONE);
	CHECK_EQ(rv_access(0, 0x1234, R), 260);
	CHECK_EQ(rv.result.reason, IOMMU_FAULT_DOMAIN);
	CHECK_STR_EQ(rv.result.why, "transaction type disallowed");
	rv_end();
}

TEST(one_table_bare)
{
	rv_start(&format_riscv);
	rv.limits.pa_bits = 40;
	CHECK_EQ(rv_attach(0, TA_PSCID(1), 0), 0);
	CHECK_EQ(rv_access(NONE, 0xffffffffffULL, RW), 0);
	CHECK_EQ(rv.result.start, 0);
	CHECK_EQ(rv.result.last, 0xffffffffffULL);
	CHECK_EQ(rv.result.gpa, 0);
	CHECK_EQ(rv.result.id, IOMMU_NO_ID);
	CHECK_EQ(rv_access(NONE, 0x10000000000ULL, R), 5);
	CHECK_EQ(rv.result.reason, IOMMU_FAULT_MAPPING);
	CHECK_EQ(rv_access(NONE, 0x10000000000ULL, W), 7);
	rv_end();
}

/* Without a PASID nothing is privileged, and what is executed is read. */
TEST(without_pasid_privilege_and_execute_are_ignored)
{
	rv_start(&format_riscv);
	CHECK_EQ(rv_attach(0, 0, put_space(9, PTE_ALL & ~PTE_X)), 0);
	CHECK_EQ(rv_access(NONE, 0x1000, R | X), 0);
	CHECK_EQ(rv.result.access, RW | X);
	CHECK_EQ(rv_access(NONE, 0x1000, X), 0);
	CHECK_EQ(rv_attach(0, 0, put_space(9, PTE_ALL & ~PTE_U)), 0);
	CHECK_EQ(rv_access(NONE, 0x1000, R | P), 13);
	CHECK_EQ(rv_attach(0, 0, put_space(9, PTE_V | PTE_U | PTE_A | PTE_X)), 0);
	CHECK_EQ(rv_access(NONE, 0x1000, X), 13);
	rv_end();
}

static void put_pc(u64 pdtp, u32 pasid, u64 ta, u64 fsc)
{
	u64 at = pdt_entry(&rv.tm, pdtp, pasid);

	table_put(&rv.tm, at, ta);
	table_put(&rv.tm, at + 8, fsc);
}

TEST(directories_of_each_mode)
{
	static const u32 widths[] = {0, 8, 17, 20};
	unsigned int mode, i;

	rv_start(&format_riscv);
	for (mode = PD8; mode <= PD20; mode++) {
		const u32 max = (1U << widths[mode]) - 1;
		const u32 pasids[] = {0,	   1,		0x80,	       0xff,
				      0x100 & max, 0x1ff & max, 0x10000 & max, 0x20000 & max,
				      max};
		u64 pdtp = pdt_init(&rv.tm, mode), gpa[ARRAY_SIZE(pasids)];

		for (i = 0; i < ARRAY_SIZE(pasids); i++) {
			put_pc(pdtp, pasids[i], TA_V | TA_PSCID(pasids[i]),
			       put_space(pasids[i] + 1, PTE_ALL));
			gpa[i] = (pasids[i] + 1ULL) * 0x1000;
		}
		CHECK_EQ(rv_attach(TC_PDTV, 0, pdtp), 0);
		for (i = 0; i < ARRAY_SIZE(pasids); i++) {
			CHECK_EQ(rv_access(pasids[i], 0x1000, R), 0);
			CHECK_EQ(rv.result.gpa, gpa[i]);
			CHECK_EQ(rv.result.pasid, pasids[i]);
			CHECK_EQ(rv.result.id, pasids[i]);
		}
		CHECK_EQ(rv_access(2, 0x1000, R), 266);
		CHECK_EQ(rv.result.reason, IOMMU_FAULT_DOMAIN);
		CHECK_EQ(rv_access(max + 1, 0x1000, R), 260);
		CHECK_EQ(rv_access(0xfffffffe, 0x1000, R), 260);
	}
	rv_end();
}

TEST(directory_bare)
{
	rv_start(&format_riscv);
	CHECK_EQ(rv_attach(TC_PDTV | TC_DPE, 0, 0), 0);
	CHECK_EQ(rv_access(NONE, 0x123456, RW), 0);
	CHECK_EQ(rv_access(77, 0x123456, RW | P), 0);
	CHECK_EQ(rv.result.gpa, 0);
	CHECK_EQ(rv.result.pasid, NONE);
	rv_end();
}

TEST(dpe)
{
	u64 pdtp;

	rv_start(&format_riscv);
	pdtp = pdt_init(&rv.tm, PD17);
	put_pc(pdtp, 0, TA_V | TA_PSCID(3), put_space(4, PTE_ALL));
	CHECK_EQ(rv_attach(TC_PDTV, 0, pdtp), 0);
	CHECK_EQ(rv_access(NONE, 0x1000, R), 0);
	CHECK_EQ(rv.result.gpa, 0); /* not translated */
	CHECK_EQ(rv.result.pasid, NONE);
	CHECK_EQ(rv_attach(TC_PDTV | TC_DPE, 0, pdtp), 0);
	CHECK_EQ(rv_access(NONE, 0x1000, R), 0);
	CHECK_EQ(rv.result.gpa, 0x4000);
	CHECK_EQ(rv.result.pasid, 0);
	CHECK_EQ(rv.result.id, 3);
	/* It does not become privileged by that. */
	CHECK_EQ(rv_access(NONE, 0x1000, R | P), 0);
	rv_end();
}

TEST(process_context_bare)
{
	u64 pdtp;

	rv_start(&format_riscv);
	pdtp = pdt_init(&rv.tm, PD8);
	put_pc(pdtp, 5, TA_V, 0);
	CHECK_EQ(rv_attach(TC_PDTV, 0, pdtp), 0);
	CHECK_EQ(rv_access(5, 0x123456789000ULL, RW | X), 0);
	CHECK_EQ(rv.result.gpa, 0);
	CHECK_EQ(rv.result.pasid, 5);
	rv_end();
}

TEST(directory_pointer_each_bit)
{
	unsigned int bit;
	u64 pdtp, at, good;

	rv_start(&format_riscv);
	rv.limits.pa_bits = 48;
	pdtp = pdt_init(&rv.tm, PD20);
	put_pc(pdtp, 5, TA_V, put_space(1, PTE_ALL));
	CHECK_EQ(rv_attach(TC_PDTV, 0, pdtp), 0);
	at = bits(pdtp, 43, 0) << 12;
	good = table_get(&rv.tm, at);
	for (bit = 0; bit < 64; bit++) {
		u32 want = 265; /* no memory there, or an address that is too wide */

		if (bit == 0)
			want = 266;
		else if (bit < 10 || bit >= 54)
			want = 267;
		else if (bit < 25)
			continue; /* other tables */
		/* At 64 MiB and 2^44, there is none either. */
		table_put(&rv.tm, at, good ^ 1ULL << bit);
		CHECK_EQ(rv_access(5, 0x1000, R), want);
		CHECK_EQ(rv.result.reason, want == 266 ? IOMMU_FAULT_DOMAIN : IOMMU_FAULT_UNKNOWN);
	}
	rv_end();
}

TEST(process_context_each_bit_of_ta)
{
	unsigned int bit;
	u64 pdtp, at;

	rv_start(&format_riscv);
	pdtp = pdt_init(&rv.tm, PD8);
	put_pc(pdtp, 5, TA_V, put_space(1, PTE_ALL));
	CHECK_EQ(rv_attach(TC_PDTV, 0, pdtp), 0);
	at = pdt_entry(&rv.tm, pdtp, 5);
	for (bit = 0; bit < 64; bit++) {
		u32 want = bit == 0 ? 266 : bit < 3 || (bit >= 12 && bit < 32) ? 0 : 267;

		table_put(&rv.tm, at, TA_V ^ 1ULL << bit);
		CHECK_EQ(rv_access(5, 0x1000, R), want);
	}
	rv_end();
}

TEST(process_context_mode_and_reserved_bits)
{
	unsigned int mode, bit;
	u64 pdtp, at, fsc;

	rv_start(&format_riscv);
	pdtp = pdt_init(&rv.tm, PD8);
	fsc = put_space(1, PTE_ALL);
	put_pc(pdtp, 5, TA_V, fsc);
	CHECK_EQ(rv_attach(TC_PDTV, 0, pdtp), 0);
	at = pdt_entry(&rv.tm, pdtp, 5) + 8;
	for (mode = 0; mode < 16; mode++) {
		table_put(&rv.tm, at, bits(fsc, 59, 0) | (u64)mode << 60);
		CHECK_EQ(rv_access(5, 0x1000, R) == 267, mode != 0 && (mode < 8 || mode > 10));
	}
	for (bit = 44; bit < 60; bit++) {
		table_put(&rv.tm, at, fsc | 1ULL << bit);
		CHECK_EQ(rv_access(5, 0x1000, R), 267);
		CHECK_EQ(rv.result.reason, IOMMU_FAULT_UNKNOWN);
	}
	rv_end();
}

TEST(directory_unreadable)
{
	rv_start(&format_riscv);
	CHECK_EQ(rv_attach(TC_PDTV, 0, 1 | (u64)PD8 << 60), 0);
	CHECK_EQ(rv_access(5, 0x1000, R), 265);
	CHECK_EQ(rv.result.reason, IOMMU_FAULT_UNKNOWN);
	CHECK_EQ(rv_attach(TC_PDTV, 0, 1 | (u64)PD20 << 60), 0);
	CHECK_EQ(rv_access(5, 0x1000, R), 265);
	rv_end();
}

/* Not for 256 to 259, which are about the device. */
TEST(dtf_silences_faults)
{
	const struct iommu_walk walk = {
		.mem = &rv.tm.mem, .limits = &rv.limits, .pasid = NONE, .access = R};
	struct iommu_walk_result result;
	u64 pdtp;

	rv_start(&format_riscv);
	pdtp = pdt_init(&rv.tm, PD8);
	put_pc(pdtp, 5, TA_V, put_space(1, PTE_ALL));
	put_pc(pdtp, 6, TA_V | 8, 0);
	put_pc(pdtp, 7, TA_V, 1 | (u64)SV39 << 60);
	CHECK_EQ(rv_attach(TC_PDTV | TC_DTF, 0, pdtp), 0);
	CHECK_EQ(rv_access(5, 0x1000, R), 0);
	CHECK_EQ(rv_access(5, 0x2000, R), 13);
	CHECK(rv.result.silent);
	CHECK_EQ(rv_access(5, 0x1000, P | R), 260);
	CHECK(rv.result.silent);
	CHECK_EQ(rv_access(4, 0x1000, R), 266);
	CHECK(rv.result.silent);
	CHECK_EQ(rv_access(6, 0x1000, R), 267);
	CHECK(rv.result.silent);
	CHECK_EQ(rv_access(7, 0x1000, W), 7);
	CHECK(rv.result.silent);

	CHECK_EQ(format_riscv.walk(&walk, &result), -EFAULT);
	CHECK_EQ(result.code, 258);
	CHECK_EQ(result.reason, IOMMU_FAULT_DOMAIN);
	CHECK(!result.silent);
	rv_end();
}

TEST(gipc)
{
	rv_start(&format_riscv_gipc);
	CHECK_EQ(rv_attach(TC_PDTV, 0, 0), 0);
	CHECK_EQ(rv_keep(0, TA_V | TA_PSCID(1), put_space(1, PTE_ALL)), 0);
	CHECK_EQ(rv_keep(0xfffff, TA_PSCID(2) | TA_ENS, put_space(2, PTE_ALL & ~PTE_U)), 0);
	CHECK_EQ(rv_keep(7, 0, 0), 0);
	CHECK_EQ(rv_access(0, 0x1000, RW), 0);
	CHECK_EQ(rv.result.gpa, 0x1000);
	CHECK_EQ(rv.result.id, 1);
	CHECK_EQ(rv.result.pasid, 0);
	CHECK_EQ(rv_access(0xfffff, 0x1000, R | P), 0);
	CHECK_EQ(rv.result.gpa, 0x2000);
	CHECK_EQ(rv_access(0xfffff, 0x1000, R), 13);
	CHECK_EQ(rv_access(0, 0x1000, R | P), 260);
	CHECK_EQ(rv_access(7, 0x1000, RW), 0);
	CHECK_EQ(rv.result.gpa, 0);
	CHECK_EQ(rv_access(8, 0x1000, R), 266);
	CHECK_EQ(rv.result.reason, IOMMU_FAULT_DOMAIN);
	CHECK_EQ(rv_access(0x100000, 0x1000, R), 260);
	CHECK_EQ(rv_access(0xfffffffe, 0x1000, R), 260);
	/* Without a PASID: as it comes, or by DPE the one of PASID 0. */
	CHECK_EQ(rv_access(NONE, 0x5000, RW), 0);
	CHECK_EQ(rv.result.gpa, 0);
	CHECK_EQ(rv_attach(TC_PDTV | TC_DPE | TC_DTF, 0, 0), 0);
	CHECK_EQ(rv_access(NONE, 0x5000, RW), 15);
	CHECK(rv.result.silent);
	CHECK_EQ(rv_access(NONE, 0x1000, RW), 0);
	CHECK_EQ(rv.result.pasid, 0);
	rv_end();
}

/* Before the base there is no endpoint's context; SADE is the base's. */
TEST(gipc_base)
{
	struct iommu_walk_result result;
	const struct iommu_walk walk = {
		.mem = &rv.tm.mem, .limits = &rv.limits, .pasid = 3, .access = R};

	rv_start(&format_riscv_gipc);
	CHECK_EQ(format_riscv_gipc.walk(&walk, &result), -EFAULT);
	CHECK_EQ(result.code, 258);
	CHECK_EQ(result.reason, IOMMU_FAULT_DOMAIN);
	CHECK_EQ(rv_attach(TC_PDTV, 0, 0), 0);
	CHECK_EQ(rv_keep(3, TA_V, put_space(1, PTE_ALL & ~PTE_A)), 0);
	CHECK_EQ(rv_access(3, 0x1000, R), 13);
	CHECK_EQ(rv_attach(TC_PDTV | TC_SADE, 0, 0), 0);
	CHECK_EQ(rv_access(3, 0x1000, R), 0);
	rv_end();
}
