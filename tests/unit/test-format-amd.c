// SPDX-License-Identifier: GPL-2.0-only
/* The formats amd and amd-pt: requests and properties. */
#include <string.h>

#include "amd-guest.h"

#define GOOD_ROOT 0x123456000ULL

static void good_gcr3(u8 *desc)
{
	amd_gcr3_desc(desc, &(struct amd_setup){.root = amd.pt ? 0 : GOOD_ROOT});
}

static void expect(u8 wire_format, const u8 *desc, int ret)
{
	struct iommu_table table;

	CHECK_EQ(amd_check(wire_format, desc, &table), ret);
}

/* Both formats take @check_one. */
static void each_format(void (*check_one)(void))
{
	for (int pt = 0; pt < 2; pt++) {
		amd_begin_empty(pt);
		check_one();
		amd_end();
	}
}

static void gcr3_is_accepted(void)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];
	struct iommu_table table, other;

	memset(&table, 0xff, sizeof(table));
	memset(&other, 0x55, sizeof(other));
	for (int i = 0; i < 24; i++) {
		struct amd_setup s = {.root = amd.pt ? 0 : GOOD_ROOT,
				      .glx = i % 3,
				      .giov = i / 3 % 2,
				      .mode = i / 6 % 2,
				      .gaupdatedis = i / 12};

		amd_gcr3_desc(desc, &s);
		x86_put_desc(desc, 72, 4, 0xffff);
		CHECK_EQ(amd_check(GCR3, desc, &table), 0);
		CHECK_EQ(table.wire_format, GCR3);
		CHECK_EQ(table.pasid, DMA_NO_PASID);
		CHECK_EQ(amd_check(GCR3, desc, &other), 0);
		CHECK(!memcmp(&table, &other, sizeof(table)));
	}
}

TEST(gcr3_is_accepted)
{
	each_format(gcr3_is_accepted);
}

static void gcr3_reserved(void)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	for (unsigned int at = 13; at < 124; at++) {
		if ((at >= 16 && at < 29) || (at >= 32 && at < 76))
			continue;
		for (unsigned int bit = 0; bit < 8; bit++) {
			good_gcr3(desc);
			x86_put_desc(desc, at, 1, 1 << bit);
			expect(GCR3, desc, -EINVAL);
		}
	}
}

TEST(gcr3_reserved_bytes_are_zero)
{
	each_format(gcr3_reserved);
}

TEST(gcr3_pointer_of_amd)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	amd_begin_empty(false);
	for (unsigned int bit = 0; bit < 12; bit++) {
		amd_gcr3_desc(desc, &(struct amd_setup){.root = GOOD_ROOT | 1ULL << bit});
		expect(GCR3, desc, -EINVAL);
	}
	for (amd.limits.pa_bits = 32; amd.limits.pa_bits <= 52; amd.limits.pa_bits++) {
		for (unsigned int bit = 12; bit < 64; bit++) {
			amd_gcr3_desc(desc, &(struct amd_setup){.root = 1ULL << bit});
			expect(GCR3, desc, bit < amd.limits.pa_bits ? 0 : -EINVAL);
		}
	}
	amd_gcr3_desc(desc, &(struct amd_setup){.root = 0});
	expect(GCR3, desc, -EINVAL);
	amd_end();
}

TEST(gcr3_pointer_of_amd_pt_is_zero)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	amd_begin_empty(true);
	for (unsigned int bit = 0; bit < 64; bit++) {
		amd_gcr3_desc(desc, &(struct amd_setup){.root = 1ULL << bit});
		expect(GCR3, desc, -EINVAL);
	}
	amd_end();
}

TEST(gcr3_glx)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	for (int pt = 0; pt < 2; pt++) {
		amd_begin_empty(pt);
		for (unsigned int glx = 0; glx < 256; glx++) {
			good_gcr3(desc);
			x86_put_desc(desc, 24, 1, glx);
			/* Whoever keeps the table itself ignores it. */
			expect(GCR3, desc, glx <= 2 ? 0 : -EINVAL);
		}
		amd_end();
	}
}

/* The bytes that are 0 or 1. */
static void gcr3_flags(void)
{
	static const unsigned int at[] = {25, 26, 28};
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	for (unsigned int i = 0; i < ARRAY_SIZE(at); i++) {
		for (unsigned int val = 0; val < 256; val++) {
			good_gcr3(desc);
			x86_put_desc(desc, at[i], 1, val);
			expect(GCR3, desc, val <= 1 ? 0 : -EINVAL);
		}
	}
}

TEST(gcr3_giov_paging_mode_and_gaupdatedis)
{
	each_format(gcr3_flags);
}

static void gcr3_vimuen(void)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	for (unsigned int val = 1; val < 256; val++) {
		good_gcr3(desc);
		x86_put_desc(desc, 27, 1, val);
		expect(GCR3, desc, -EOPNOTSUPP);
		/* The queues are his. */
		x86_put_desc(desc, 32, 8, 0x1000);
		x86_put_desc(desc, 64, 8, ~0ULL);
		expect(GCR3, desc, -EOPNOTSUPP);
		/* What is malformed in any case. */
		x86_put_desc(desc, 13, 1, 1);
		expect(GCR3, desc, -EINVAL);
	}
}

TEST(gcr3_vimuen_is_not_offered)
{
	each_format(gcr3_vimuen);
}

static void gcr3_queues(void)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	for (unsigned int bit = 0; bit < 5 * 64; bit++) {
		good_gcr3(desc);
		x86_put_desc(desc, 32 + bit / 8, 1, 1 << bit % 8);
		expect(GCR3, desc, -EINVAL);
	}
}

TEST(gcr3_queues_are_zero_without_vimuen)
{
	each_format(gcr3_queues);
}

static void gcr3_domain_id(void)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	for (unsigned int bit = 0; bit < 32; bit++) {
		good_gcr3(desc);
		x86_put_desc(desc, 72, 4, 1U << bit);
		expect(GCR3, desc, bit < 16 ? 0 : -EINVAL);
	}
}

TEST(gcr3_domain_id_has_16_bits)
{
	each_format(gcr3_domain_id);
}

TEST(pt_is_accepted)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];
	struct iommu_table table;

	amd_begin_empty(true);
	amd_pt_desc(desc, GOOD_ROOT, 0xfffff);
	CHECK_EQ(amd_check(PT, desc, &table), 0);
	CHECK_EQ(table.wire_format, PT);
	CHECK_EQ(table.pasid, 0xfffff);
	amd_end();
}

TEST(pt_reserved_bytes_are_zero)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	amd_begin_empty(true);
	for (unsigned int at = 13; at < 124; at++) {
		if (at >= 16 && at < 28)
			continue;
		for (unsigned int bit = 0; bit < 8; bit++) {
			amd_pt_desc(desc, GOOD_ROOT, 1);
			x86_put_desc(desc, at, 1, 1 << bit);
			expect(PT, desc, -EINVAL);
		}
	}
	amd_end();
}

TEST(pt_pointer_is_aligned_and_no_wider_than_gpas)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	amd_begin_empty(true);
	for (unsigned int bit = 0; bit < 64; bit++) {
		amd_pt_desc(desc, 1ULL << bit, 1);
		expect(PT, desc, bit >= 12 && bit < PA_BITS ? 0 : -EINVAL);
	}
	amd_end();
}

TEST(pt_pasid_is_in_range)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	amd_begin_empty(true);
	for (amd.limits.pasid_bits = 0; amd.limits.pasid_bits <= 20; amd.limits.pasid_bits++) {
		/* PASID 0 may be that of accesses without one. */
		amd_pt_desc(desc, GOOD_ROOT, 0);
		expect(PT, desc, 0);
		amd_pt_desc(desc, GOOD_ROOT, (1U << amd.limits.pasid_bits) - 1);
		expect(PT, desc, 0);
		amd_pt_desc(desc, GOOD_ROOT, 1U << amd.limits.pasid_bits);
		expect(PT, desc, -ERANGE);
		amd_pt_desc(desc, GOOD_ROOT, ~0U);
		expect(PT, desc, -ERANGE);
	}
	amd_pt_desc(desc, GOOD_ROOT | 1, ~0U);
	expect(PT, desc, -EINVAL);
	amd_end();
}

TEST(attach_other_formats_are_not_offered)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	for (unsigned int n = 0; n < 512; n++) {
		bool pt = n / 256;

		amd_begin_empty(pt);
		good_gcr3(desc);
		expect(n % 256, desc, n % 256 == GCR3 || (pt && n % 256 == PT) ? 0 : -EOPNOTSUPP);
		amd_end();
	}
}

static void any_bytes(void)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];
	struct iommu_table table;

	for (int i = 0; i < 20000; i++) {
		int ret;

		good_gcr3(desc);
		for (u64 n = unit_rand() % 4; n; n--)
			desc[unit_rand() % 64] = unit_rand();
		ret = amd_check(unit_rand() % 2 ? GCR3 : PT, desc, &table);
		CHECK(ret == 0 || ret == -EINVAL || ret == -ERANGE || ret == -EOPNOTSUPP);
	}
}

TEST(attach_survives_any_bytes)
{
	each_format(any_bytes);
}

/* Properties. */

static void property_bytes(void)
{
	/* GAUpdateDisSup, GIoSup, USSup, GLXSup 2, GATS 1, GTSup, NXSup. */
	const u64 efr = 1ULL << 61 | 1ULL << 48 | 1ULL << 37 | 2 << 14 | 1 << 12 | 1 << 4 | 1 << 3;
	u8 buf[IOMMU_PROPERTY_MAX], want[40];

	for (amd.limits.pasid_bits = 0; amd.limits.pasid_bits <= 20; amd.limits.pasid_bits++) {
		u64 pasmax = amd.limits.pasid_bits ? amd.limits.pasid_bits - 1 : 0;

		memset(buf, 0xff, sizeof(buf));
		CHECK_EQ(amd_format()->property(&amd.limits, buf), 40);
		memset(want, 0, sizeof(want));
		x86_put(want, 0, 0, 2, 5);
		x86_put(want, 0, 2, 2, 36);
		x86_put(want, 0, 8, 8, efr | pasmax << 32);
		/* GCR3TRPMode. */
		x86_put(want, 0, 16, 8, amd.pt ? 0 : 1 << 3);
		CHECK(!memcmp(buf, want, sizeof(want)));
		CHECK_EQ(buf[40], 0xff);
	}
}

TEST(property_bytes)
{
	each_format(property_bytes);
}

TEST(format_numbers)
{
	CHECK_EQ(format_amd.base_format, 5);
	CHECK_EQ(format_amd.pasid_format, 0);
	CHECK(!format_amd.needs_base);
	CHECK_EQ(format_amd_pt.base_format, 5);
	CHECK_EQ(format_amd_pt.pasid_format, 6);
	CHECK(format_amd_pt.needs_base);
	CHECK_EQ(format_amd.page_sizes, 1ULL << 12 | 1ULL << 21 | 1ULL << 30);
	CHECK_EQ(format_amd_pt.page_sizes, format_amd.page_sizes);
	CHECK_STR_EQ(format_amd.name, "amd");
	CHECK_STR_EQ(format_amd_pt.name, "amd-pt");
}
