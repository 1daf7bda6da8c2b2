// SPDX-License-Identifier: GPL-2.0-only
/* Arm SMMUv3: walks of AArch64 tables. Each is compared with the reference. */
#include <pthread.h>
#include <stdatomic.h>

#include "smmuv3-guest.h"

static const u8 granules[] = {12, 14, 16};

static bool leaf_at(unsigned int granule, unsigned int level)
{
	if (level == 1)
		return granule == 12 || (granule == 16 && smmu.limits.pa_bits > 48);
	return level == 2 || level == 3;
}

static void check_leaf(unsigned int granule, unsigned int tsz, bool upper, unsigned int level,
		       u64 va)
{
	u64 size = 1ULL << a64_level_bit(granule, level), cd[8];
	const u64 pa = 0x5a5a5a5a5a5aULL / size * size;
	struct a64_space space;

	table_memory_reset(&smmu.tm);
	a64_init(&space, &smmu.tm, granule, tsz, upper);
	a64_map(&space, va, level, pa, A64_RW);
	cd_fill(cd, &space, 9);
	cd[0] |= CD_IPS(6);
	smmu_attach_ssid(cd);
	if (!leaf_at(granule, level)) {
		CHECK_EQ(smmu_access(SSID, va, R), F_TRANSLATION);
		return;
	}
	CHECK_EQ(smmu_access(SSID, va, RW | X), 0);
	CHECK_EQ(smmu.result.start, va / size * size);
	CHECK_EQ(smmu.result.last, va / size * size + (size - 1));
	CHECK_EQ(smmu.result.gpa, pa);
	CHECK_EQ(smmu.result.id, 9);
	CHECK(!smmu.result.global);
	/* Its neighbours are not mapped. */
	CHECK_EQ(smmu_access(SSID, va / size * size - 1, R), F_TRANSLATION);
	CHECK_EQ(smmu_access(SSID, va / size * size + size, R), F_TRANSLATION);
}

static void check_leaves(unsigned int pa_bits)
{
	unsigned int i, tsz, level, half;

	smmu_start();
	smmu.limits.pa_bits = pa_bits;
	for (i = 0; i < ARRAY_SIZE(granules); i++)
		for (tsz = granules[i] == 16 ? 12 : 16; tsz <= 39; tsz++)
			for (half = 0; half < 2; half++) {
				struct a64_space space = {.granule = granules[i], .tsz = tsz};

				for (level = a64_first_level(&space); level <= 3; level++) {
					check_leaf(granules[i], tsz, half, level,
						   a64_va(tsz, half, 0));
					check_leaf(granules[i], tsz, half, level,
						   a64_va(tsz, half, ~0ULL));
					check_leaf(granules[i], tsz, half, level,
						   a64_va(tsz, half, unit_rand()));
				}
			}
	smmu_end();
}

TEST(leaves_of_each_granule_size_half_and_level)
{
	check_leaves(48);
}

TEST(leaves_with_52_bits_of_memory)
{
	check_leaves(52);
}

/* The page at 0 and what is around it. */
static struct a64_space page_space;
static u64 page_cd[8];
static u64 page_cd_gpa;

static void start_page(unsigned int granule, u64 attributes)
{
	a64_init(&page_space, &smmu.tm, granule, 16, false);
	a64_map(&page_space, 0, 3, 1ULL << granule, attributes);
	cd_fill(page_cd, &page_space, 1);
	page_cd_gpa = smmu_attach_ssid(page_cd);
}

static void set_cd0(u64 bit)
{
	table_put(&smmu.tm, page_cd_gpa, page_cd[0] | bit);
}

/* In the table descriptor at @level on the way. */
static void set_table(unsigned int level, u64 bit)
{
	u64 at = a64_entry(&page_space, 0, level);

	table_put(&smmu.tm, at, (table_get(&smmu.tm, at) & ~(0x1fULL << 59)) | bit);
}

static u32 allowed(u32 privilege)
{
	return smmu_access(SSID, 0, privilege) ? 0 : smmu.result.access;
}

TEST(permissions_of_leaves)
{
	static const struct {
		u64 attributes;
		u32 user, privileged;
	} rows[] = {
		{0, X, RW | X},
		{A64_UXN, 0, RW | X},
		{A64_PXN, X, RW},
		{A64_USER, RW | X, RW},
		{A64_USER | A64_UXN, RW, RW},
		{A64_READ_ONLY, X, R | X},
		{A64_READ_ONLY | A64_UXN | A64_PXN, 0, R},
		{A64_USER | A64_READ_ONLY, R | X, R | X},
		{A64_USER | A64_READ_ONLY | A64_UXN, R, R | X},
	};
	unsigned int i;

	smmu_start();
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		table_memory_reset(&smmu.tm);
		start_page(12, rows[i].attributes | A64_AF);
		CHECK_EQ(allowed(0), rows[i].user);
		CHECK_EQ(allowed(P), rows[i].privileged);
		CHECK_EQ(smmu_access(SSID, 0, W), rows[i].user & W ? 0 : F_PERMISSION);
		CHECK_EQ(smmu_access(SSID, 0, R), rows[i].user & R ? 0 : F_PERMISSION);
		CHECK_EQ(smmu_access(SSID, 0, P | W), rows[i].privileged & W ? 0 : F_PERMISSION);
	}
	smmu_end();
}

TEST(permissions_of_tables)
{
	unsigned int level;

	smmu_start();
	start_page(12, A64_USER | A64_AF);
	for (level = 0; level < 3; level++) {
		set_table(level, A64_TABLE_READ_ONLY);
		CHECK_EQ(allowed(0), R | X);
		CHECK_EQ(allowed(P), R | X);
		set_table(level, A64_TABLE_NO_USER);
		CHECK_EQ(allowed(0), X);
		CHECK_EQ(allowed(P), RW | X);
		set_table(level, A64_TABLE_UXN);
		CHECK_EQ(allowed(0), RW);
		set_table(level, A64_TABLE_NO_USER | A64_TABLE_PXN);
		CHECK_EQ(allowed(P), RW);
		set_table(level, 0);
		CHECK_EQ(allowed(0), RW | X);
	}
	smmu_end();
}

TEST(had_ignores_permissions_of_tables)
{
	smmu_start();
	start_page(12, A64_USER | A64_AF);
	set_table(1, A64_TABLE_READ_ONLY | A64_TABLE_NO_USER | A64_TABLE_UXN | A64_TABLE_PXN);
	CHECK_EQ(allowed(0), 0);
	table_put(&smmu.tm, page_cd_gpa + 8, page_cd[1] | CD_HAD);
	CHECK_EQ(allowed(0), RW | X);
	/* HAD1 is for the other half. */
	table_put(&smmu.tm, page_cd_gpa + 8, page_cd[1]);
	table_put(&smmu.tm, page_cd_gpa + 16, CD_HAD);
	CHECK_EQ(allowed(0), 0);
	smmu_end();
}

/* Nothing is privileged then, and what is executed is read. */
TEST(permissions_without_pasid)
{
	unsigned int access;

	smmu_start();
	start_page(12, A64_USER | A64_AF | A64_UXN);
	smmu_attach_cd(page_cd);
	CHECK_EQ(smmu_access(DMA_NO_PASID, 0, R | X), 0);
	CHECK_EQ(smmu.result.access, RW | X);
	table_memory_reset(&smmu.tm);
	start_page(12, A64_AF);
	smmu_attach_cd(page_cd);
	CHECK_EQ(smmu_access(DMA_NO_PASID, 0, X), F_PERMISSION);
	CHECK_EQ(smmu_access(DMA_NO_PASID, 0, P | R), F_PERMISSION);
	for (access = 0; access < 16; access++)
		smmu_access(DMA_NO_PASID, 0, access);
	smmu_end();
}

TEST(wxn_and_pan)
{
	smmu_start();
	start_page(12, A64_USER | A64_AF);
	set_cd0(CD_WXN);
	CHECK_EQ(allowed(0), RW);
	set_cd0(CD_PAN);
	CHECK_EQ(allowed(0), RW | X);
	CHECK_EQ(allowed(P), 0);
	CHECK_EQ(smmu_access(SSID, 0, P | R), F_PERMISSION);

	table_memory_reset(&smmu.tm);
	start_page(12, A64_AF);
	set_cd0(CD_WXN);
	CHECK_EQ(allowed(P), RW);
	set_cd0(CD_PAN);
	CHECK_EQ(allowed(P), RW | X);
	smmu_end();
}

/* All combinations of what has a say in it; the reference has the results. */
TEST(permissions_combined)
{
	unsigned int leaf, table, cd, access, granule;

	smmu_start();
	for (granule = 0; granule < ARRAY_SIZE(granules); granule++)
		for (leaf = 0; leaf < 16; leaf++) {
			table_memory_reset(&smmu.tm);
			start_page(granules[granule],
				   (u64)(leaf & 3) << 6 | (u64)(leaf >> 2) << 53 | A64_AF);
			for (table = 0; table < 16; table++)
				for (cd = 0; cd < 8; cd++) {
					set_table(2, (u64)table << 59);
					set_cd0((cd & 1 ? CD_WXN : 0) | (cd & 2 ? CD_PAN : 0));
					table_put(&smmu.tm, page_cd_gpa + 8,
						  page_cd[1] | (cd & 4 ? CD_HAD : 0));
					for (access = 0; access < 16; access++)
						smmu_access(SSID, 0x123, access);
				}
		}
	smmu_end();
}

/* Hierarchical bits of two levels add up. */
TEST(permissions_of_tables_add_up)
{
	smmu_start();
	start_page(12, A64_USER | A64_AF);
	set_table(0, A64_TABLE_READ_ONLY);
	set_table(2, A64_TABLE_UXN);
	CHECK_EQ(allowed(0), R);
	set_table(1, A64_TABLE_NO_USER);
	CHECK_EQ(allowed(0), 0);
	CHECK_EQ(allowed(P), R | X);
	smmu_end();
}

TEST(access_flag)
{
	smmu_start();
	start_page(16, A64_USER);
	CHECK_EQ(smmu_access(SSID, 0, R), F_ACCESS);
	CHECK_EQ(smmu.result.reason, IOMMU_FAULT_MAPPING);
	set_cd0(CD_AFFD);
	CHECK_EQ(smmu_access(SSID, 0, R), 0);

	/* Before the permission. */
	table_memory_reset(&smmu.tm);
	start_page(12, 0);
	CHECK_EQ(smmu_access(SSID, 0, W), F_ACCESS);
	set_cd0(CD_AFFD);
	CHECK_EQ(smmu_access(SSID, 0, W), F_PERMISSION);
	/* The walk writes nothing. */
	CHECK_EQ(bits(table_get(&smmu.tm, a64_entry(&page_space, 0, 3)), 10, 10), 0);
	smmu_end();
}

TEST(not_global)
{
	smmu_start();
	start_page(12, A64_USER | A64_AF);
	CHECK_EQ(smmu_access(SSID, 0, R), 0);
	CHECK(smmu.result.global);
	table_memory_reset(&smmu.tm);
	start_page(12, A64_USER | A64_AF | A64_NOT_GLOBAL);
	CHECK_EQ(smmu_access(SSID, 0, R), 0);
	CHECK(!smmu.result.global);
	smmu_end();
}

/* Only a hint: the result is the single page. */
TEST(contiguous_bit)
{
	unsigned int i;

	smmu_start();
	for (i = 0; i < ARRAY_SIZE(granules); i++) {
		table_memory_reset(&smmu.tm);
		start_page(granules[i], A64_RW | A64_CONTIGUOUS);
		CHECK_EQ(smmu_access(SSID, 0, R), 0);
		CHECK_EQ(smmu.result.last, (1ULL << granules[i]) - 1);
		CHECK_EQ(smmu_access(SSID, 1ULL << granules[i], R), F_TRANSLATION);
	}
	smmu_end();
}

/* Bits that change something are named; all others do not. */
TEST(each_bit_of_a_page)
{
	unsigned int bit;
	u64 leaf;

	smmu_start();
	start_page(12, A64_RW);
	leaf = table_get(&smmu.tm, a64_entry(&page_space, 0, 3));
	for (bit = 0; bit < 64; bit++) {
		u32 want = 0;

		if (bit < 2)
			want = F_TRANSLATION;
		else if (bit == 6 || bit == 7)
			want = F_PERMISSION;
		else if (bit == 10)
			want = F_ACCESS;
		table_put(&smmu.tm, a64_entry(&page_space, 0, 3), leaf ^ 1ULL << bit);
		CHECK_EQ(smmu_access(SSID, 0, RW), want);
		if (!want)
			CHECK_EQ(smmu.result.gpa,
				 bit >= 12 && bit < 48 ? 0x1000 ^ 1ULL << bit : 0x1000);
	}
	smmu_end();
}

TEST(output_beyond_ips)
{
	static const u8 width[] = {32, 36, 40, 42, 44, 48, 52};
	unsigned int ips, oas, bit, i;

	smmu_start();
	for (i = 0; i < ARRAY_SIZE(granules); i++)
		for (oas = 0; oas < ARRAY_SIZE(width); oas++)
			for (ips = 0; ips < ARRAY_SIZE(width); ips++) {
				unsigned int min = width[ips < oas ? ips : oas];

				smmu.limits.pa_bits = width[oas];
				table_memory_reset(&smmu.tm);
				start_page(granules[i], A64_RW);
				page_cd[0] &= ~CD_IPS(7);
				set_cd0(CD_IPS(ips));
				for (bit = 30; bit < 52; bit++) {
					u64 pa = 1ULL << bit;
					u32 want = bit < min ? 0 : F_ADDR_SIZE;

					/* What descriptors have no place for is no address. */
					if (bit >= 48 && (granules[i] < 16 || oas < 6))
						want = 0;
					a64_map(&page_space, 0, 3, pa, A64_RW);
					CHECK_EQ(smmu_access(SSID, 0, R), want);
				}
			}
	smmu_end();
}

TEST(table_beyond_ips)
{
	u64 at;

	smmu_start();
	start_page(12, A64_RW);
	page_cd[0] &= ~CD_IPS(7);
	set_cd0(CD_IPS(0));
	CHECK_EQ(smmu_access(SSID, 0, R), 0);
	at = a64_entry(&page_space, 0, 1);
	table_put(&smmu.tm, at, 1ULL << 32 | 3);
	CHECK_EQ(smmu_access(SSID, 0, R), F_ADDR_SIZE);
	table_put(&smmu.tm, at, 1ULL << 31 | 3);
	CHECK_EQ(smmu_access(SSID, 0, R), F_WALK_EABT);
	CHECK_EQ(smmu.result.reason, IOMMU_FAULT_UNKNOWN);
	smmu_end();
}

/* A table and a page behind an address of 52 bits. */
TEST(tables_at_52_bits)
{
	u64 cd[8];
	struct a64_space space;

	smmu_start();
	smmu.limits.pa_bits = 52;
	a64_init(&space, &smmu.tm, 16, 12, false);
	cd_fill(cd, &space, 1);
	cd[0] |= CD_IPS(6);
	smmu_attach_ssid(cd);
	/* 51:48 of the address are 8, in bits 15:12. */
	table_put(&smmu.tm, space.ttb, 8 << 12 | 3);
	table_put(&smmu.tm, TABLE_BANK_52, (8 << 12 | 0x10000) | 3);
	table_put(&smmu.tm, TABLE_BANK_52 + 0x10000,
		  a64_leaf(&space, 3, 0xf00000050000ULL | 5ULL << 48, A64_RW));
	CHECK_EQ(smmu_access(SSID, 0x123, R), 0);
	CHECK_EQ(smmu.result.gpa, 0x5f00000050000ULL);
	/* With fewer, the same bits are reserved. */
	smmu.limits.pa_bits = 48;
	CHECK_EQ(smmu_access(SSID, 0x123, R), F_WALK_EABT);
	smmu_end();
}

TEST(addresses_out_of_range)
{
	static const u8 sizes[] = {16, 25, 32, 39};
	struct a64_space lower, upper;
	unsigned int i, bit;
	u64 cd[8];

	smmu_start();
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		table_memory_reset(&smmu.tm);
		a64_init(&lower, &smmu.tm, 12, sizes[i], false);
		a64_init(&upper, &smmu.tm, 14, sizes[i], true);
		a64_map(&lower, 0, 3, 0x1000, A64_RW);
		a64_map(&upper, ~0ULL, 3, 0x4000, A64_RW);
		cd_fill(cd, &lower, 1);
		cd_add(cd, &upper);
		smmu_attach_ssid(cd);
		CHECK_EQ(smmu_access(SSID, 0, R), 0);
		CHECK_EQ(smmu_access(SSID, ~0ULL, R), 0);
		CHECK_EQ(smmu.result.gpa, 0x4000);
		for (bit = 64 - sizes[i]; bit < 64; bit++) {
			CHECK_EQ(smmu_access(SSID, 1ULL << bit, R), F_TRANSLATION);
			CHECK_EQ(smmu_access(SSID, ~0ULL ^ 1ULL << bit, R), F_TRANSLATION);
		}
	}
	smmu_end();
}

TEST(top_byte_ignored)
{
	struct a64_space lower, upper;
	unsigned int tbi, bit;
	u64 cd[8];

	smmu_start();
	a64_init(&lower, &smmu.tm, 12, 16, false);
	a64_init(&upper, &smmu.tm, 12, 16, true);
	a64_map(&lower, 0x5000, 3, 0x1000, A64_RW);
	a64_map(&upper, ~0xfffULL, 3, 0x2000, A64_RW);
	cd_fill(cd, &lower, 1);
	cd_add(cd, &upper);
	for (tbi = 0; tbi < 4; tbi++) {
		u64 with = cd[0] | (tbi & 1 ? CD_TBI(0) : 0) | (tbi & 2 ? CD_TBI(1) : 0);

		table_put(&smmu.tm, smmu_attach_ssid(cd), with);
		for (bit = 48; bit < 64; bit++) {
			CHECK_EQ(smmu_access(SSID, 0x5678 | 1ULL << bit, R),
				 tbi & 1 && bit >= 56 ? 0 : F_TRANSLATION);
			CHECK_EQ(smmu_access(SSID, ~0ULL ^ 1ULL << bit, R),
				 tbi & 2 && bit >= 56 ? 0 : F_TRANSLATION);
		}
		CHECK_EQ(smmu_access(SSID, 0x5678, R), 0);
		CHECK_EQ(smmu.result.top_ignored, tbi & 1);
	}
	/* The result is about the address as it came. */
	CHECK_EQ(smmu_access(SSID, 0xa500000000005678ULL, R), 0);
	CHECK_EQ(smmu.result.start, 0xa500000000005000ULL);
	CHECK_EQ(smmu.result.last, 0xa500000000005fffULL);
	smmu_end();
}

TEST(table_that_points_to_itself)
{
	unsigned int i;

	smmu_start();
	for (i = 0; i < ARRAY_SIZE(granules); i++) {
		u64 at;

		table_memory_reset(&smmu.tm);
		start_page(granules[i], A64_RW);
		/* The first table of the walk is a full one only here. */
		at = a64_entry(&page_space, 0, 1);
		table_put(&smmu.tm, at, align_down(at, 1ULL << granules[i]) | 3);
		smmu_access(SSID, 0, R);
	}
	smmu_end();
}

/* Each entry is read once: what comes out is one of its values, never half of each. */
static atomic_bool stop;
static u64 race_at, race_a, race_b;

static void *flip(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop)) {
		table_put(&smmu.tm, race_at, race_a);
		table_put(&smmu.tm, race_at, race_b);
	}
	return NULL;
}

TEST(entry_that_changes_meanwhile)
{
	unsigned int i;
	pthread_t thread;

	smmu_start();
	start_page(12, A64_RW);
	race_at = a64_entry(&page_space, 0, 3);
	race_a = a64_leaf(&page_space, 3, 0x1111000, A64_RW);
	race_b = a64_leaf(&page_space, 3, 0x2222000, A64_RW | A64_READ_ONLY);
	table_put(&smmu.tm, race_at, race_a);
	atomic_store(&stop, false);
	if (!CHECK_EQ(pthread_create(&thread, NULL, flip, NULL), 0))
		return;
	for (i = 0; i < 200000; i++) {
		const struct iommu_walk walk = {.mem = &smmu.tm.mem,
						.limits = &smmu.limits,
						.base = &smmu.table,
						.pasid = SSID,
						.access = R};
		struct iommu_walk_result result;

		if (!CHECK_EQ(format_smmuv3.walk(&walk, &result), 0))
			break;
		if (!CHECK_EQ(result.access, result.gpa == 0x1111000 ? RW | X : R | X))
			break;
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	smmu_end();
}
