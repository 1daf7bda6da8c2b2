// SPDX-License-Identifier: GPL-2.0-only
/* Page tables of the format vtd: requests, properties, and walks of tables made for each rule. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build-x86.h"
#include "iommu/dma.h"
#include "unit.h"

#define RAM	   (1 * MiB) /* GPA and size */
#define TABLES	   (RAM + 64 * KiB)
#define PAGE	   4096ULL
#define PA_BITS	   40
#define PASID_BITS 20
#define PASID	   5

#define SRE	   1
#define EAFE	   2
#define WPE	   4
#define PASID_FLAG 0x100

static struct {
	struct guest_mem mem;
	struct iommu_limits limits;
	struct x86_build b;
	struct iommu_table base, table; /* without a PASID, of PASID */
	bool has_base, has_table;
	struct iommu_walk_result result;
} t;

static const struct iommu_table *lookup(const void *opaque, u32 pasid)
{
	CHECK(opaque == &t);
	return t.has_table && pasid == PASID ? &t.table : NULL;
}

static void make_desc(u8 *desc, u64 root, u32 pasid, u32 flags, u32 width)
{
	memset(desc, 0, IOMMU_DESCRIPTOR_SIZE);
	x86_put_desc(desc, 16, 8, root);
	x86_put_desc(desc, 24, 4, pasid);
	x86_put_desc(desc, 28, 4, flags);
	x86_put_desc(desc, 32, 4, width);
}

static int check(const u8 *desc, struct iommu_table *table)
{
	return format_vtd.check(&t.limits, VIOMMU_TABLE_INTEL_PT, desc, table);
}

/* One page table, for accesses without a PASID and for those with PASID alike. */
static void attach(u64 root, unsigned int levels, u32 flags)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	make_desc(desc, root, 0, flags, levels == 5 ? 57 : 48);
	CHECK_EQ(check(desc, &t.base), 0);
	make_desc(desc, root, PASID, flags | PASID_FLAG, levels == 5 ? 57 : 48);
	CHECK_EQ(check(desc, &t.table), 0);
	t.has_base = t.has_table = true;
}

static void begin(unsigned int levels, u32 flags)
{
	memset(&t, 0, sizeof(t));
	t.limits = (struct iommu_limits){.pa_bits = PA_BITS, .pasid_bits = PASID_BITS};
	if (guest_mem_add_bank(&t.mem, RAM, RAM))
		exit(2);
	x86_build_init(&t.b, &t.mem, TABLES, levels);
	attach(t.b.root, levels, flags);
}

static void end(void)
{
	guest_mem_destroy(&t.mem);
}

static int walk_pasid(u32 pasid, u64 iova, u32 access)
{
	struct iommu_walk walk = {
		.mem = &t.mem,
		.limits = &t.limits,
		.base = t.has_base ? &t.base : NULL,
		.lookup = lookup,
		.opaque = &t,
		.pasid = pasid,
		.iova = iova,
		.access = access,
	};

	return format_vtd.walk(&walk, &t.result);
}

static int walk(u64 iova, u32 access)
{
	return walk_pasid(PASID, iova, access);
}

static void check_fault(int ret, u32 code, enum iommu_fault_reason reason)
{
	CHECK_EQ(ret, -EFAULT);
	CHECK_EQ(t.result.code, code);
	CHECK_EQ(t.result.reason, reason);
	CHECK(t.result.why && *t.result.why);
	CHECK(!t.result.silent);
}

static u64 entry_at(u64 iova, unsigned int level)
{
	return x86_build_read(&t.mem, x86_build_entry(&t.b, iova, level));
}

static void change(u64 iova, unsigned int level, u64 xor)
{
	u64 at = x86_build_entry(&t.b, iova, level);

	x86_build_write(&t.mem, at, x86_build_read(&t.mem, at) ^ xor);
}

/* Requests. */

#define GOOD_ROOT 0x123456000ULL

static void good_desc(u8 *desc)
{
	make_desc(desc, GOOD_ROOT, 0, 0, 48);
}

static void expect(const u8 *desc, int ret)
{
	struct iommu_table table;

	CHECK_EQ(check(desc, &table), ret);
}

TEST(attach_is_accepted)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];
	struct iommu_table table, other;

	begin(4, 0);
	good_desc(desc);
	memset(&table, 0xff, sizeof(table));
	CHECK_EQ(check(desc, &table), 0);
	CHECK_EQ(table.wire_format, 2);
	CHECK_EQ(table.pasid, DMA_NO_PASID);
	for (u32 flags = 0; flags < 8; flags++) {
		make_desc(desc, GOOD_ROOT, 0, flags, 57);
		CHECK_EQ(check(desc, &table), 0);
		make_desc(desc, GOOD_ROOT, 0xfffff, flags | PASID_FLAG, 57);
		CHECK_EQ(check(desc, &table), 0);
		CHECK_EQ(table.pasid, 0xfffff);
	}
	/* Equal requests are equal in every byte of the table. */
	memset(&other, 0x55, sizeof(other));
	CHECK_EQ(check(desc, &other), 0);
	CHECK(!memcmp(&table, &other, sizeof(table)));
	end();
}

TEST(attach_reserved_bytes_are_zero)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	begin(4, 0);
	for (unsigned int at = 13; at < 124; at++) {
		if (at >= 16 && at < 36)
			continue;
		for (unsigned int bit = 0; bit < 8; bit++) {
			good_desc(desc);
			x86_put_desc(desc, at, 1, 1 << bit);
			expect(desc, -EINVAL);
		}
	}
	end();
}

TEST(attach_pointer_is_aligned)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	begin(4, 0);
	for (unsigned int bit = 0; bit < 12; bit++) {
		make_desc(desc, GOOD_ROOT | 1ULL << bit, 0, 0, 48);
		expect(desc, -EINVAL);
	}
	end();
}

TEST(attach_pointer_is_no_wider_than_gpas)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	begin(4, 0);
	for (t.limits.pa_bits = 32; t.limits.pa_bits <= 52; t.limits.pa_bits++) {
		for (unsigned int bit = 12; bit < 64; bit++) {
			make_desc(desc, 1ULL << bit, 0, 0, 48);
			expect(desc, bit < t.limits.pa_bits ? 0 : -EINVAL);
		}
	}
	end();
}

TEST(attach_unknown_flags_are_refused)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	begin(4, 0);
	for (unsigned int bit = 0; bit < 32; bit++) {
		make_desc(desc, GOOD_ROOT, bit == 8, 1U << bit, 48);
		expect(desc, bit < 3 || bit == 8 ? 0 : -EINVAL);
	}
	end();
}

TEST(attach_width_is_48_or_57)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	begin(4, 0);
	for (u32 width = 0; width < 300; width++) {
		make_desc(desc, GOOD_ROOT, 0, 0, width);
		expect(desc, width == 48 || width == 57 ? 0 : -EINVAL);
	}
	for (unsigned int bit = 6; bit < 32; bit++) {
		make_desc(desc, GOOD_ROOT, 0, 0, 48 | 1U << bit);
		expect(desc, -EINVAL);
	}
	end();
}

TEST(attach_pasid_comes_with_its_flag)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	begin(4, 0);
	make_desc(desc, GOOD_ROOT, 1, 0, 48);
	expect(desc, -EINVAL);
	make_desc(desc, GOOD_ROOT, ~0U, 0, 48);
	expect(desc, -EINVAL);
	end();
}

TEST(attach_pasid_0_is_refused)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	begin(4, 0);
	make_desc(desc, GOOD_ROOT, 0, PASID_FLAG, 48);
	expect(desc, -EINVAL);
	end();
}

TEST(attach_pasid_is_in_range)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	begin(4, 0);
	for (t.limits.pasid_bits = 0; t.limits.pasid_bits <= 20; t.limits.pasid_bits++) {
		u32 nr = 1U << t.limits.pasid_bits;

		make_desc(desc, GOOD_ROOT, nr, PASID_FLAG, 48);
		expect(desc, -ERANGE);
		make_desc(desc, GOOD_ROOT, ~0U, PASID_FLAG, 48);
		expect(desc, -ERANGE);
		make_desc(desc, GOOD_ROOT, nr - 1, PASID_FLAG, 48);
		expect(desc, nr > 1 ? 0 : -EINVAL);
	}
	/* What is malformed is so whatever the PASID. */
	make_desc(desc, GOOD_ROOT | 1, ~0U, PASID_FLAG, 48);
	expect(desc, -EINVAL);
	end();
}

TEST(attach_other_formats_are_not_offered)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];
	struct iommu_table table;

	begin(4, 0);
	good_desc(desc);
	for (unsigned int format = 0; format < 256; format++)
		CHECK_EQ(format_vtd.check(&t.limits, format, desc, &table),
			 format == 2 ? 0 : -EOPNOTSUPP);
	end();
}

TEST(attach_survives_any_bytes)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];
	struct iommu_table table;

	begin(4, 0);
	for (int i = 0; i < 20000; i++) {
		int ret;

		good_desc(desc);
		for (u64 n = unit_rand() % 4; n; n--)
			desc[unit_rand() % 24] = unit_rand();
		ret = check(desc, &table);
		CHECK(ret == 0 || ret == -EINVAL || ret == -ERANGE);
	}
	end();
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

/* Walks. */

/* One address for each half and level, with a different index in each table. */
static const u64 iovas[] = {
	0,
	0x0000123456789abcULL & ~0xfffULL,
	0x00007fffffffffffULL & ~0xfffULL,
	0xffff800000000000ULL,
	0xfffffffffffff000ULL,
};

TEST(walk_maps_each_page_size)
{
	for (unsigned int levels = 4; levels <= 5; levels++) {
		for (unsigned int level = 1; level <= 3; level++) {
			for (unsigned int i = 0; i < ARRAY_SIZE(iovas); i++) {
				u64 size = x86_build_size(level), at = iovas[i] & ~(size - 1);
				u64 pa = 5 * GiB + (level == 3 ? GiB : level * 2 * MiB);
				u64 off = (size - 1) & 0x3fedcba98ULL;

				begin(levels, 0);
				x86_build_map(&t.b, at, level, pa | X86_ALL | X86_A | X86_D,
					      X86_ALL | X86_A);
				CHECK_EQ(walk(at + off, DMA_READ), 0);
				CHECK_EQ(t.result.start, at);
				CHECK_EQ(t.result.last, at + size - 1);
				CHECK_EQ(t.result.gpa, pa & ~(size - 1));
				CHECK_EQ(t.result.access, DMA_READ | DMA_WRITE | DMA_EXEC);
				CHECK_EQ(t.result.pasid, PASID);
				CHECK_EQ(t.result.id, IOMMU_NO_ID);
				CHECK(!t.result.global);
				end();
			}
		}
	}
}

TEST(walk_5_levels_use_all_57_bits)
{
	const u64 high[] = {1ULL << 48, 1ULL << 55, 0xff00000000000000ULL, 0xff7f000000000000ULL};

	for (unsigned int i = 0; i < ARRAY_SIZE(high); i++) {
		begin(5, 0);
		x86_build_map(&t.b, high[i], 1, RAM | X86_ALL, X86_ALL);
		CHECK_EQ(walk(high[i], DMA_READ), 0);
		CHECK_EQ(t.result.gpa, RAM);
		check_fault(walk(high[i] ^ 1ULL << 49, DMA_READ), 0x71, IOMMU_FAULT_MAPPING);
		end();
	}
}

TEST(walk_address_is_canonical)
{
	for (unsigned int levels = 4; levels <= 5; levels++) {
		unsigned int bits = levels == 5 ? 57 : 48;

		begin(levels, 0);
		for (unsigned int bit = bits - 1; bit < 64; bit++) {
			check_fault(walk(1ULL << bit, DMA_READ), 0x80, IOMMU_FAULT_MAPPING);
			check_fault(walk(~(1ULL << bit), DMA_READ), 0x80, IOMMU_FAULT_MAPPING);
			check_fault(walk_pasid(DMA_NO_PASID, 1ULL << bit, DMA_READ), 0x80,
				    IOMMU_FAULT_MAPPING);
		}
		check_fault(walk((1ULL << (bits - 1)) - 1, DMA_READ), 0x71, IOMMU_FAULT_MAPPING);
		check_fault(walk(0 - (1ULL << (bits - 1)), DMA_READ), 0x71, IOMMU_FAULT_MAPPING);
		end();
	}
}

/* Bits of one table or leaf are missing: for each level, page size, access, privilege and WPE. */
TEST(walk_permissions_of_each_level)
{
	const u64 iova = 0x123456789000ULL;
	const u32 accesses[] = {DMA_READ, DMA_WRITE, DMA_READ | DMA_WRITE, DMA_READ | DMA_EXEC};

	for (unsigned int i = 0; i < 2 * 3 * 2 * 5 * 8 * 2 * 4; i++) {
		unsigned int levels = 4 + i % 2, leaf = 1 + i / 2 % 3, wpe = i / 6 % 2;
		unsigned int level = 1 + i / 12 % 5, bits = i / 60 % 8, priv = i / 480 % 2;
		u32 access = accesses[i / 960 % 4];
		u64 lacks = (bits & 1 ? X86_RW : 0) | (bits & 2 ? X86_US : 0);
		bool user = priv || !(bits & 2), write, exec = !(bits & 4);
		int ret;

		if (level < leaf || level > levels)
			continue;
		write = !(bits & 1) || (priv && !wpe);
		begin(levels, SRE | (wpe ? WPE : 0));
		x86_build_map(&t.b, iova & ~(x86_build_size(leaf) - 1), leaf, GiB | X86_ALL | X86_D,
			      X86_ALL);
		change(iova, level, lacks | (bits & 4 ? X86_XD : 0));
		ret = walk(iova, access | (priv ? DMA_PRIV : 0));
		if (!user)
			check_fault(ret, 0x81, IOMMU_FAULT_MAPPING);
		else if (access & DMA_WRITE && !write)
			check_fault(ret, 0x85, IOMMU_FAULT_MAPPING);
		else if (access & DMA_EXEC && !exec)
			check_fault(ret, 0x82, IOMMU_FAULT_MAPPING);
		else {
			CHECK_EQ(ret, 0);
			CHECK_EQ(t.result.access,
				 DMA_READ | (write ? DMA_WRITE : 0) | (exec ? DMA_EXEC : 0));
		}
		end();
	}
}

TEST(walk_permissions_of_different_levels_add_up)
{
	begin(4, 0);
	x86_build_map(&t.b, 0, 1, RAM | X86_ALL, X86_ALL);
	change(0, 3, X86_RW);
	change(0, 2, X86_XD);
	CHECK_EQ(walk(0, DMA_READ), 0);
	CHECK_EQ(t.result.access, DMA_READ);
	end();
}

TEST(walk_supervisor_needs_sre)
{
	begin(4, 0);
	x86_build_map(&t.b, 0, 1, RAM | X86_ALL, X86_ALL);
	check_fault(walk(0, DMA_READ | DMA_PRIV), 0x5d, IOMMU_FAULT_MAPPING);
	/* WPE alone changes nothing. */
	attach(t.b.root, 4, WPE);
	check_fault(walk(0, DMA_READ | DMA_PRIV), 0x5d, IOMMU_FAULT_MAPPING);
	CHECK_EQ(walk(0, DMA_WRITE), 0);
	attach(t.b.root, 4, SRE);
	CHECK_EQ(walk(0, DMA_READ | DMA_PRIV), 0);
	end();
}

TEST(walk_privilege_and_execute_need_a_pasid)
{
	begin(4, 0);
	x86_build_map(&t.b, 0, 1, RAM | X86_ALL | X86_XD, X86_ALL);
	check_fault(walk(0, DMA_READ | DMA_EXEC), 0x82, IOMMU_FAULT_MAPPING);
	CHECK_EQ(walk_pasid(DMA_NO_PASID, 0, DMA_READ | DMA_EXEC), 0);
	CHECK_EQ(t.result.access, DMA_READ | DMA_EXEC);
	CHECK_EQ(walk_pasid(DMA_NO_PASID, 0, DMA_READ | DMA_PRIV), 0);
	attach(t.b.root, 4, SRE);
	change(0, 1, X86_US);
	check_fault(walk_pasid(DMA_NO_PASID, 0, DMA_READ | DMA_PRIV), 0x81, IOMMU_FAULT_MAPPING);
	end();
}

TEST(walk_not_present_at_each_level)
{
	for (unsigned int levels = 4; levels <= 5; levels++) {
		for (unsigned int level = 1; level <= levels; level++) {
			begin(levels, 0);
			x86_build_map(&t.b, GiB, 1, RAM | X86_ALL, X86_ALL);
			/* Whatever the other bits of an absent entry. */
			x86_build_write(&t.mem, x86_build_entry(&t.b, GiB, level), ~1ULL);
			check_fault(walk(GiB, DMA_READ), 0x71, IOMMU_FAULT_MAPPING);
			end();
		}
	}
}

/* Each bit of each entry is tried, with @bad saying whether it is reserved there. */
static void try_bits(unsigned int leaf,
		     bool (*bad)(unsigned int level, unsigned int leaf, unsigned int bit))
{
	for (unsigned int levels = 4; levels <= 5; levels++) {
		for (unsigned int level = leaf; level <= levels; level++) {
			for (unsigned int bit = 3; bit < 64; bit++) {
				int ret;

				/* Address bits that lead elsewhere are not of this test. */
				if (bit >= 12 && bit < PA_BITS && !bad(level, leaf, bit))
					continue;
				/* PS makes a table a leaf, or a leaf a table. */
				if (bit == 7 && level > 1 && level <= 3)
					continue;
				begin(levels, 0);
				x86_build_map(&t.b, 7 * GiB, leaf, 6 * GiB | X86_ALL, X86_ALL);
				change(7 * GiB, level, 1ULL << bit);
				ret = walk(7 * GiB, DMA_READ);
				if (bad(level, leaf, bit))
					check_fault(ret, 0x72, IOMMU_FAULT_UNKNOWN);
				else
					CHECK_EQ(ret, 0);
				end();
			}
		}
	}
}

static bool is_reserved(unsigned int level, unsigned int leaf, unsigned int bit)
{
	if (bit >= PA_BITS && bit < 52)
		return true;
	if (level >= 4 && bit == 7)
		return true;
	return level == leaf && level > 1 && bit >= 13 && bit < 12 + 9 * (level - 1);
}

TEST(walk_reserved_bits_of_a_4k_page)
{
	try_bits(1, is_reserved);
}

TEST(walk_reserved_bits_of_a_2m_page)
{
	try_bits(2, is_reserved);
}

TEST(walk_reserved_bits_of_a_1g_page)
{
	try_bits(3, is_reserved);
}

TEST(walk_bit_12_of_a_large_page_is_no_address)
{
	for (unsigned int level = 2; level <= 3; level++) {
		begin(4, 0);
		x86_build_map(&t.b, 0, level, GiB | X86_PAT | X86_ALL, X86_ALL);
		CHECK_EQ(walk(0x123, DMA_READ), 0);
		CHECK_EQ(t.result.gpa, GiB);
		end();
	}
}

TEST(walk_address_width_is_the_machines)
{
	begin(4, 0);
	x86_build_map(&t.b, 0, 1, 1ULL << 51 | RAM | X86_ALL, X86_ALL);
	check_fault(walk(0, DMA_READ), 0x72, IOMMU_FAULT_UNKNOWN);
	t.limits.pa_bits = 52;
	CHECK_EQ(walk(0, DMA_READ), 0);
	CHECK_EQ(t.result.gpa, 1ULL << 51 | RAM);
	end();
}

/* A table in the middle of no memory, at an MMIO window say. */
TEST(walk_table_outside_memory)
{
	for (unsigned int levels = 4; levels <= 5; levels++) {
		for (unsigned int level = 2; level <= levels; level++) {
			begin(levels, 0);
			x86_build_map(&t.b, GiB, 1, RAM | X86_ALL, X86_ALL);
			x86_build_write(&t.mem, x86_build_entry(&t.b, GiB, level),
					0xfee00000ULL | X86_ALL);
			check_fault(walk(GiB, DMA_READ), 0x70, IOMMU_FAULT_UNKNOWN);
			end();
		}
		begin(levels, 0);
		attach(2 * RAM, levels, 0);
		check_fault(walk(GiB, DMA_READ), 0x73, IOMMU_FAULT_UNKNOWN);
		attach(0, levels, 0);
		check_fault(walk(GiB, DMA_READ), 0x73, IOMMU_FAULT_UNKNOWN);
		end();
	}
}

TEST(walk_page_outside_memory_is_not_its_business)
{
	begin(4, 0);
	x86_build_map(&t.b, 0, 1, 0xfee00000ULL | X86_ALL, X86_ALL);
	CHECK_EQ(walk(0, DMA_READ), 0);
	CHECK_EQ(t.result.gpa, 0xfee00000ULL);
	end();
}

/* What each entry of the path has of A, D and EA. */
static void check_marks(u64 iova, unsigned int levels, unsigned int leaf, u64 all, u64 of_leaf)
{
	for (unsigned int level = leaf; level <= levels; level++)
		CHECK_EQ(entry_at(iova, level) & (X86_A | X86_D | X86_EA),
			 level == leaf ? all | of_leaf : all);
}

TEST(walk_marks_accessed_and_dirty)
{
	const u64 iova = 3 * GiB;

	for (unsigned int levels = 4; levels <= 5; levels++) {
		for (unsigned int leaf = 1; leaf <= 3; leaf++) {
			for (u32 flags = 0; flags <= EAFE; flags += EAFE) {
				u64 all = X86_A | (flags ? X86_EA : 0);

				begin(levels, flags);
				x86_build_map(&t.b, iova, leaf, 0 | X86_ALL, X86_ALL);
				CHECK_EQ(walk(iova, DMA_READ), 0);
				CHECK_EQ(t.result.access, DMA_READ | DMA_EXEC);
				check_marks(iova, levels, leaf, all, 0);
				CHECK_EQ(walk(iova, DMA_WRITE), 0);
				CHECK_EQ(t.result.access, DMA_READ | DMA_WRITE | DMA_EXEC);
				check_marks(iova, levels, leaf, all, X86_D);
				/* From now on a read finds it dirty. */
				CHECK_EQ(walk(iova, DMA_READ), 0);
				CHECK_EQ(t.result.access, DMA_READ | DMA_WRITE | DMA_EXEC);
				end();
			}
		}
	}
}

TEST(walk_marks_nothing_else)
{
	static u8 before[RAM];
	unsigned int changed = 0;

	begin(4, 0);
	for (u64 iova = 0; iova < 16 * PAGE; iova += PAGE)
		x86_build_map(&t.b, iova, 1, RAM | X86_ALL, X86_ALL);
	guest_mem_read(&t.mem, RAM, before, RAM);
	CHECK_EQ(walk(3 * PAGE, DMA_WRITE), 0);
	for (u64 at = 0; at < RAM; at++)
		changed += before[at] != *(u8 *)guest_mem_ptr(&t.mem, RAM + at, 1);
	CHECK_EQ(changed, 4);
	end();
}

TEST(walk_without_permission_marks_nothing)
{
	begin(4, SRE | EAFE);
	x86_build_map(&t.b, 0, 1, RAM | X86_P | X86_US | X86_XD, X86_ALL);
	CHECK_EQ(walk(0, DMA_WRITE), -EFAULT);
	CHECK_EQ(walk(0, DMA_READ | DMA_EXEC), -EFAULT);
	change(0, 1, X86_US);
	CHECK_EQ(walk(0, DMA_READ), -EFAULT);
	change(0, 1, X86_P);
	CHECK_EQ(walk(0, DMA_READ), -EFAULT);
	check_marks(0, 4, 1, 0, 0);
	end();
}

TEST(walk_read_only_page_never_gives_write)
{
	begin(4, SRE);
	x86_build_map(&t.b, 0, 1, RAM | X86_P | X86_US | X86_D, X86_ALL);
	CHECK_EQ(walk(0, DMA_READ), 0);
	CHECK_EQ(t.result.access, DMA_READ | DMA_EXEC);
	/* A supervisor may, and then it is dirty already. */
	CHECK_EQ(walk(0, DMA_READ | DMA_PRIV), 0);
	CHECK_EQ(t.result.access, DMA_READ | DMA_WRITE | DMA_EXEC);
	end();
}

TEST(walk_finds_the_table_of_the_pasid)
{
	struct iommu_table base;

	begin(4, 0);
	x86_build_map(&t.b, 0, 1, RAM | X86_ALL, X86_ALL);
	base = t.base;
	x86_build_init(&t.b, &t.mem, t.b.next, 5);
	x86_build_map(&t.b, 0, 1, (RAM + PAGE) | X86_ALL, X86_ALL);
	attach(t.b.root, 5, 0);
	t.base = base;
	CHECK_EQ(walk_pasid(DMA_NO_PASID, 0, DMA_READ), 0);
	CHECK_EQ(t.result.gpa, RAM);
	CHECK_EQ(t.result.pasid, DMA_NO_PASID);
	CHECK_EQ(walk(0, DMA_READ), 0);
	CHECK_EQ(t.result.gpa, RAM + PAGE);
	CHECK_EQ(t.result.pasid, PASID);
	end();
}

/* RID_PASID is 0. */
TEST(walk_pasid_0_has_the_table_of_no_pasid)
{
	begin(4, SRE);
	x86_build_map(&t.b, 0, 1, RAM | X86_P | X86_XD, X86_ALL);
	t.has_table = false;
	check_fault(walk_pasid(0, 0, DMA_READ), 0x81, IOMMU_FAULT_MAPPING);
	check_fault(walk_pasid(0, 0, DMA_READ | DMA_EXEC | DMA_PRIV), 0x82, IOMMU_FAULT_MAPPING);
	CHECK_EQ(walk_pasid(0, 0, DMA_READ | DMA_PRIV), 0);
	CHECK_EQ(t.result.gpa, RAM);
	CHECK_EQ(t.result.pasid, DMA_NO_PASID);
	end();
}

TEST(walk_without_a_table)
{
	begin(4, 0);
	t.has_base = t.has_table = false;
	check_fault(walk_pasid(DMA_NO_PASID, 0, DMA_READ), 0x59, IOMMU_FAULT_DOMAIN);
	check_fault(walk_pasid(0, 0, DMA_READ), 0x59, IOMMU_FAULT_DOMAIN);
	check_fault(walk_pasid(PASID, 0, DMA_READ), 0x59, IOMMU_FAULT_DOMAIN);
	/* One without the other. */
	t.has_base = true;
	check_fault(walk_pasid(PASID + 1, 0, DMA_READ), 0x59, IOMMU_FAULT_DOMAIN);
	t.has_base = false;
	t.has_table = true;
	check_fault(walk_pasid(PASID, 0, DMA_READ), 0x71, IOMMU_FAULT_MAPPING);
	end();
}

TEST(walk_of_a_table_in_itself)
{
	for (unsigned int levels = 4; levels <= 5; levels++) {
		begin(levels, EAFE);
		for (u64 at = 0; at < PAGE; at += 8)
			x86_build_write(&t.mem, t.b.root + at, t.b.root | X86_ALL);
		/* The same word is the entry of each level. */
		CHECK_EQ(walk(0, DMA_WRITE), 0);
		CHECK_EQ(t.result.gpa, t.b.root);
		CHECK_EQ(x86_build_read(&t.mem, t.b.root),
			 t.b.root | X86_ALL | X86_A | X86_D | X86_EA);
		CHECK_EQ(walk(0x7fffffff8123ULL, DMA_READ), 0);
		CHECK_EQ(t.result.last, 0x7fffffff8fffULL);
		end();
	}
}

/* A vCPU changes entries while devices walk. */

static _Atomic bool stop;

static void *keep_writing(void *arg)
{
	u64 *pte = arg;
	u64 a = (RAM + PAGE) | X86_ALL | X86_A | X86_D;
	u64 b = (RAM + 2 * PAGE) | X86_P | X86_US | X86_XD | X86_A;

	while (!stop) {
		__atomic_store_n(pte, a, __ATOMIC_RELEASE);
		__atomic_store_n(pte, b, __ATOMIC_RELEASE);
	}
	return NULL;
}

TEST(walk_never_mixes_two_values_of_an_entry)
{
	struct iommu_walk_result *r = &t.result;
	pthread_t vcpu;
	u64 at;

	begin(4, 0);
	x86_build_map(&t.b, 0, 1, (RAM + PAGE) | X86_ALL | X86_A | X86_D, X86_ALL);
	at = x86_build_entry(&t.b, 0, 1);
	stop = false;
	pthread_create(&vcpu, NULL, keep_writing, guest_mem_ptr(&t.mem, at, 8));
	for (int i = 0; i < 100000; i++) {
		CHECK_EQ(walk(0, DMA_READ), 0);
		CHECK(r->gpa == RAM + PAGE ? r->access == (DMA_READ | DMA_WRITE | DMA_EXEC)
					   : r->gpa == RAM + 2 * PAGE && r->access == DMA_READ);
	}
	stop = true;
	pthread_join(vcpu, NULL);
	end();
}

static void *device(void *arg)
{
	struct iommu_walk walk = {.mem = &t.mem, .limits = &t.limits, .base = &t.base};
	struct iommu_walk_result result;

	walk.pasid = DMA_NO_PASID;
	walk.access = arg ? DMA_WRITE : DMA_READ;
	while (!stop) {
		CHECK_EQ(format_vtd.walk(&walk, &result), 0);
		CHECK_EQ(result.gpa, RAM);
	}
	return NULL;
}

/* The guest has a bit of its own in each entry, which nobody else sets or clears. */
TEST(walk_loses_no_change_of_others)
{
	const u64 own = 1ULL << 52;
	pthread_t threads[2];
	u64 *entries[4];

	begin(4, 0);
	x86_build_map(&t.b, 0, 1, RAM | X86_ALL, X86_ALL);
	for (unsigned int level = 1; level <= 4; level++)
		entries[level - 1] = guest_mem_ptr(&t.mem, x86_build_entry(&t.b, 0, level), 8);
	stop = false;
	pthread_create(&threads[0], NULL, device, NULL);
	pthread_create(&threads[1], NULL, device, &t);
	for (int i = 0; i < 100000; i++) {
		u64 *pte = entries[i % 4];

		CHECK(!(__atomic_fetch_or(pte, own, __ATOMIC_RELAXED) & own));
		CHECK(__atomic_fetch_and(pte, ~(own | X86_A | X86_D), __ATOMIC_RELAXED) & own);
	}
	stop = true;
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	CHECK_EQ(walk(0, DMA_WRITE), 0);
	check_marks(0, 4, 1, X86_A, X86_D);
	end();
}

/* Random tables against the reference. */

static const struct {
	u32 code;
	enum iommu_fault_reason reason;
} ends[REF_ENDS] = {
	[REF_ADDRESS] = {0x80, IOMMU_FAULT_MAPPING},
	[REF_ROOT_UNREADABLE] = {0x73, IOMMU_FAULT_UNKNOWN},
	[REF_UNREADABLE] = {0x70, IOMMU_FAULT_UNKNOWN},
	[REF_NOT_PRESENT] = {0x71, IOMMU_FAULT_MAPPING},
	[REF_RESERVED] = {0x72, IOMMU_FAULT_UNKNOWN},
	[REF_USER] = {0x81, IOMMU_FAULT_MAPPING},
	[REF_WRITE] = {0x85, IOMMU_FAULT_MAPPING},
	[REF_EXEC] = {0x82, IOMMU_FAULT_MAPPING},
};

/* One access with everything random but the memory. */
static enum x86_ref_end compare_one(struct x86_twins *twins, unsigned int pa_bits)
{
	static const u32 accesses[] = {DMA_READ, DMA_WRITE, DMA_READ | DMA_WRITE,
				       DMA_READ | DMA_EXEC};
	u64 root = x86_twins_page() % (1ULL << pa_bits), iova = x86_random_iova();
	u32 access = accesses[unit_rand() % 4], flags = unit_rand() % 8 | SRE;
	unsigned int levels = 4 + unit_rand() % 2;
	bool priv = unit_rand() % 4 == 0, has_pasid = unit_rand() % 4;
	bool exec = access & DMA_EXEC && has_pasid;
	struct x86_ref ref = {
		.root = root,
		.levels = levels,
		.pa_bits = pa_bits,
		.sign_extended = true,
		.supervisor = priv && has_pasid,
		.write_protect = flags & WPE,
		.update = true,
		.extended_accessed = flags & EAFE,
	};
	struct iommu_limits limits = {.pa_bits = pa_bits, .pasid_bits = PASID_BITS};
	struct iommu_walk walk = {
		.mem = &twins->mem,
		.limits = &limits,
		.base = &t.base,
		.lookup = lookup,
		.opaque = &t,
		.pasid = has_pasid ? PASID : DMA_NO_PASID,
		.iova = iova,
		.access = access | (priv ? DMA_PRIV : 0),
	};
	struct x86_ref_result want = {0};
	struct iommu_walk_result got;
	enum x86_ref_end how;
	int ret;

	t.limits = limits;
	attach(root, levels, flags);
	how = x86_ref_walk(&twins->ref, &ref, iova, access & DMA_WRITE, exec, &want);
	ret = format_vtd.walk(&walk, &got);
	if (how != REF_DONE) {
		CHECK_EQ(ret, -EFAULT);
		CHECK_EQ(got.code, ends[how].code);
		CHECK_EQ(got.reason, ends[how].reason);
		return how;
	}
	CHECK_EQ(ret, 0);
	CHECK_EQ(got.start, want.start);
	CHECK_EQ(got.last, want.last);
	CHECK_EQ(got.gpa, want.gpa);
	CHECK_EQ(got.access, DMA_READ | (want.write ? DMA_WRITE : 0) |
				     (want.exec || !has_pasid ? DMA_EXEC : 0));
	return how;
}

TEST(fuzz_random_tables)
{
	unsigned int seen[REF_ENDS] = {0};
	struct x86_twins twins;

	memset(&t, 0, sizeof(t));
	x86_twins_create(&twins);
	for (int i = 0; i < 60; i++) {
		unsigned int pa_bits = 34 + unit_rand() % 19;

		x86_twins_tables(&twins, pa_bits);
		for (int n = 0; n < 2000; n++)
			seen[compare_one(&twins, pa_bits)]++;
		CHECK(x86_twins_equal(&twins));
	}
	/* Each end was there. */
	for (unsigned int how = 0; how < REF_ENDS; how++)
		CHECK(seen[how] > 0);
	x86_twins_destroy(&twins);
}

TEST(fuzz_arbitrary_memory)
{
	struct x86_twins twins;

	memset(&t, 0, sizeof(t));
	x86_twins_create(&twins);
	for (int i = 0; i < 20; i++) {
		x86_twins_garbage(&twins);
		for (int n = 0; n < 2000; n++)
			compare_one(&twins, 34 + unit_rand() % 19);
		CHECK(x86_twins_equal(&twins));
	}
	x86_twins_destroy(&twins);
}
