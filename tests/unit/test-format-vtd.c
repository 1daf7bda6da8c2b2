// SPDX-License-Identifier: GPL-2.0-only
/* The format vtd: requests and properties. */
#include <string.h>

#include "vtd-guest.h"

#define GOOD_ROOT 0x123456000ULL

static void good_desc(u8 *desc)
{
	vtd_make_desc(desc, GOOD_ROOT, 0, 0, 48);
}

static void expect(const u8 *desc, int ret)
{
	struct iommu_table table;

	CHECK_EQ(vtd_check(desc, &table), ret);
}

TEST(attach_is_accepted)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];
	struct iommu_table table, other;

	vtd_begin(4, 0);
	good_desc(desc);
	memset(&table, 0xff, sizeof(table));
	CHECK_EQ(vtd_check(desc, &table), 0);
	CHECK_EQ(table.wire_format, 2);
	CHECK_EQ(table.pasid, DMA_NO_PASID);
	for (u32 flags = 0; flags < 8; flags++) {
		vtd_make_desc(desc, GOOD_ROOT, 0, flags, 57);
		CHECK_EQ(vtd_check(desc, &table), 0);
		vtd_make_desc(desc, GOOD_ROOT, 0xfffff, flags | PASID_FLAG, 57);
		CHECK_EQ(vtd_check(desc, &table), 0);
		CHECK_EQ(table.pasid, 0xfffff);
	}
	/* Equal requests are equal in every byte of the table. */
	memset(&other, 0x55, sizeof(other));
	CHECK_EQ(vtd_check(desc, &other), 0);
	CHECK(!memcmp(&table, &other, sizeof(table)));
	vtd_end();
}

TEST(attach_reserved_bytes_are_zero)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	vtd_begin(4, 0);
	for (unsigned int at = 13; at < 124; at++) {
		if (at >= 16 && at < 36)
			continue;
		for (unsigned int bit = 0; bit < 8; bit++) {
			good_desc(desc);
			x86_put_desc(desc, at, 1, 1 << bit);
			expect(desc, -EINVAL);
		}
	}
	vtd_end();
}

TEST(attach_pointer_is_aligned)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	vtd_begin(4, 0);
	for (unsigned int bit = 0; bit < 12; bit++) {
		vtd_make_desc(desc, GOOD_ROOT | 1ULL << bit, 0, 0, 48);
		expect(desc, -EINVAL);
	}
	vtd_end();
}

TEST(attach_pointer_is_no_wider_than_gpas)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	vtd_begin(4, 0);
	for (vtd.limits.pa_bits = 32; vtd.limits.pa_bits <= 52; vtd.limits.pa_bits++) {
		for (unsigned int bit = 12; bit < 64; bit++) {
			vtd_make_desc(desc, 1ULL << bit, 0, 0, 48);
			expect(desc, bit < vtd.limits.pa_bits ? 0 : -EINVAL);
		}
	}
	vtd_end();
}

TEST(attach_unknown_flags_are_refused)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	vtd_begin(4, 0);
	for (unsigned int bit = 0; bit < 32; bit++) {
		vtd_make_desc(desc, GOOD_ROOT, bit == 8, 1U << bit, 48);
		expect(desc, bit < 3 || bit == 8 ? 0 : -EINVAL);
	}
	vtd_end();
}

TEST(attach_width_is_48_or_57)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	vtd_begin(4, 0);
	for (u32 width = 0; width < 300; width++) {
		vtd_make_desc(desc, GOOD_ROOT, 0, 0, width);
		expect(desc, width == 48 || width == 57 ? 0 : -EINVAL);
	}
	for (unsigned int bit = 6; bit < 32; bit++) {
		vtd_make_desc(desc, GOOD_ROOT, 0, 0, 48 | 1U << bit);
		expect(desc, -EINVAL);
	}
	vtd_end();
}

TEST(attach_pasid_comes_with_its_flag)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	vtd_begin(4, 0);
	vtd_make_desc(desc, GOOD_ROOT, 1, 0, 48);
	expect(desc, -EINVAL);
	vtd_make_desc(desc, GOOD_ROOT, ~0U, 0, 48);
	expect(desc, -EINVAL);
	vtd_end();
}

TEST(attach_pasid_0_is_refused)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	vtd_begin(4, 0);
	vtd_make_desc(desc, GOOD_ROOT, 0, PASID_FLAG, 48);
	expect(desc, -EINVAL);
	vtd_end();
}

TEST(attach_pasid_is_in_range)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	vtd_begin(4, 0);
	for (vtd.limits.pasid_bits = 0; vtd.limits.pasid_bits <= 20; vtd.limits.pasid_bits++) {
		u32 nr = 1U << vtd.limits.pasid_bits;

		vtd_make_desc(desc, GOOD_ROOT, nr, PASID_FLAG, 48);
		expect(desc, -ERANGE);
		vtd_make_desc(desc, GOOD_ROOT, ~0U, PASID_FLAG, 48);
		expect(desc, -ERANGE);
		vtd_make_desc(desc, GOOD_ROOT, nr - 1, PASID_FLAG, 48);
		expect(desc, nr > 1 ? 0 : -EINVAL);
	}
	/* What is malformed is so whatever the PASID. */
	vtd_make_desc(desc, GOOD_ROOT | 1, ~0U, PASID_FLAG, 48);
	expect(desc, -EINVAL);
	vtd_end();
}

TEST(attach_other_formats_are_not_offered)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];
	struct iommu_table table;

	vtd_begin(4, 0);
	good_desc(desc);
	for (unsigned int format = 0; format < 256; format++)
		CHECK_EQ(format_vtd.check(&vtd.limits, format, desc, &table),
			 format == 2 ? 0 : -EOPNOTSUPP);
	vtd_end();
}

TEST(attach_survives_any_bytes)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];
	struct iommu_table table;

	vtd_begin(4, 0);
	for (int i = 0; i < 20000; i++) {
		int ret;

		good_desc(desc);
		for (u64 n = unit_rand() % 4; n; n--)
			desc[unit_rand() % 24] = unit_rand();
		ret = vtd_check(desc, &table);
		CHECK(ret == 0 || ret == -EINVAL || ret == -ERANGE);
	}
	vtd_end();
}

/* Properties. */

TEST(property_bytes)
{
	struct iommu_limits limits = {.pa_bits = 46, .pasid_bits = 20};
	u8 buf[IOMMU_PROPERTY_MAX], want[24] = {0};

	memset(buf, 0xff, sizeof(buf));
	CHECK_EQ(format_vtd.property(&limits, buf), 24);
	x86_put(want, 0, 0, 2, 3);
	x86_put(want, 0, 2, 2, 20);
	/* FS5LP, FS1GP, MGAW 57. */
	x86_put(want, 0, 8, 8, 1ULL << 60 | 1ULL << 56 | 56 << 16);
	/* SMPWCS, FSTS, SMTS, PASID, PSS 20, EAFS, SRS, ERS, C. */
	x86_put(want, 0, 16, 8,
		1ULL << 48 | 1ULL << 47 | 1ULL << 43 | 1ULL << 40 | 19ULL << 35 | 1ULL << 34 |
			1ULL << 31 | 1ULL << 30 | 1);
	CHECK(!memcmp(buf, want, sizeof(want)));
	CHECK_EQ(buf[24], 0xff);
}

TEST(property_has_the_pasid_width)
{
	struct iommu_limits limits = {.pa_bits = 46};
	u8 buf[IOMMU_PROPERTY_MAX];

	for (; limits.pasid_bits <= 20; limits.pasid_bits++) {
		u64 ecap = 0;

		format_vtd.property(&limits, buf);
		for (int i = 23; i >= 16; i--)
			ecap = ecap << 8 | buf[i];
		CHECK_EQ(ecap >> 40 & 1, limits.pasid_bits > 0);
		CHECK_EQ(ecap >> 35 & 31, limits.pasid_bits ? limits.pasid_bits - 1 : 0);
	}
}

TEST(page_sizes)
{
	CHECK_EQ(format_vtd.page_sizes, 1ULL << 12 | 1ULL << 21 | 1ULL << 30);
	CHECK(!format_vtd.needs_base);
	CHECK_EQ(format_vtd.base_format, 2);
	CHECK_EQ(format_vtd.pasid_format, 2);
	CHECK_STR_EQ(format_vtd.name, "vtd");
}
