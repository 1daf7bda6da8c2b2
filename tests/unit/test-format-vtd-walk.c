// SPDX-License-Identifier: GPL-2.0-only
/* Walks of tables of the format vtd, made for each rule. */
#include "vtd-guest.h"

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

				vtd_begin(levels, 0);
				x86_build_map(&vtd.b, at, level, pa | X86_ALL | X86_A | X86_D,
					      X86_ALL | X86_A);
				CHECK_EQ(vtd_walk(at + off, DMA_READ), 0);
				CHECK_EQ(vtd.result.start, at);
				CHECK_EQ(vtd.result.last, at + size - 1);
				CHECK_EQ(vtd.result.gpa, pa & ~(size - 1));
				CHECK_EQ(vtd.result.access, DMA_READ | DMA_WRITE | DMA_EXEC);
				CHECK_EQ(vtd.result.pasid, PASID);
				CHECK_EQ(vtd.result.id, IOMMU_NO_ID);
				CHECK(!vtd.result.global);
				vtd_end();
			}
		}
	}
}

TEST(walk_5_levels_use_all_57_bits)
{
	const u64 high[] = {1ULL << 48, 1ULL << 55, 0xff00000000000000ULL, 0xff7f000000000000ULL};

	for (unsigned int i = 0; i < ARRAY_SIZE(high); i++) {
		vtd_begin(5, 0);
		x86_build_map(&vtd.b, high[i], 1, RAM | X86_ALL, X86_ALL);
		CHECK_EQ(vtd_walk(high[i], DMA_READ), 0);
		CHECK_EQ(vtd.result.gpa, RAM);
		vtd_check_fault(vtd_walk(high[i] ^ 1ULL << 49, DMA_READ), 0x71,
				IOMMU_FAULT_MAPPING);
		vtd_end();
	}
}

TEST(walk_address_is_canonical)
{
	for (unsigned int levels = 4; levels <= 5; levels++) {
		unsigned int bits = levels == 5 ? 57 : 48;

		vtd_begin(levels, 0);
		for (unsigned int bit = bits - 1; bit < 64; bit++) {
			vtd_check_fault(vtd_walk(1ULL << bit, DMA_READ), 0x80, IOMMU_FAULT_MAPPING);
			vtd_check_fault(vtd_walk(~(1ULL << bit), DMA_READ), 0x80,
					IOMMU_FAULT_MAPPING);
			vtd_check_fault(vtd_walk_pasid(DMA_NO_PASID, 1ULL << bit, DMA_READ), 0x80,
					IOMMU_FAULT_MAPPING);
		}
		vtd_check_fault(vtd_walk((1ULL << (bits - 1)) - 1, DMA_READ), 0x71,
				IOMMU_FAULT_MAPPING);
		vtd_check_fault(vtd_walk(0 - (1ULL << (bits - 1)), DMA_READ), 0x71,
				IOMMU_FAULT_MAPPING);
		vtd_end();
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
		vtd_begin(levels, SRE | (wpe ? WPE : 0));
		x86_build_map(&vtd.b, iova & ~(x86_build_size(leaf) - 1), leaf,
			      GiB | X86_ALL | X86_D, X86_ALL);
		vtd_change(iova, level, lacks | (bits & 4 ? X86_XD : 0));
		ret = vtd_walk(iova, access | (priv ? DMA_PRIV : 0));
		if (!user)
			vtd_check_fault(ret, 0x81, IOMMU_FAULT_MAPPING);
		else if (access & DMA_WRITE && !write)
			vtd_check_fault(ret, 0x85, IOMMU_FAULT_MAPPING);
		else if (access & DMA_EXEC && !exec)
			vtd_check_fault(ret, 0x82, IOMMU_FAULT_MAPPING);
		else {
			CHECK_EQ(ret, 0);
			CHECK_EQ(vtd.result.access,
				 DMA_READ | (write ? DMA_WRITE : 0) | (exec ? DMA_EXEC : 0));
		}
		vtd_end();
	}
}

TEST(walk_permissions_of_different_levels_add_up)
{
	vtd_begin(4, 0);
	x86_build_map(&vtd.b, 0, 1, RAM | X86_ALL, X86_ALL);
	vtd_change(0, 3, X86_RW);
	vtd_change(0, 2, X86_XD);
	CHECK_EQ(vtd_walk(0, DMA_READ), 0);
	CHECK_EQ(vtd.result.access, DMA_READ);
	vtd_end();
}

TEST(walk_supervisor_needs_sre)
{
	vtd_begin(4, 0);
	x86_build_map(&vtd.b, 0, 1, RAM | X86_ALL, X86_ALL);
	vtd_check_fault(vtd_walk(0, DMA_READ | DMA_PRIV), 0x5d, IOMMU_FAULT_MAPPING);
	/* WPE alone changes nothing. */
	vtd_attach(vtd.b.root, 4, WPE);
	vtd_check_fault(vtd_walk(0, DMA_READ | DMA_PRIV), 0x5d, IOMMU_FAULT_MAPPING);
	CHECK_EQ(vtd_walk(0, DMA_WRITE), 0);
	vtd_attach(vtd.b.root, 4, SRE);
	CHECK_EQ(vtd_walk(0, DMA_READ | DMA_PRIV), 0);
	vtd_end();
}

TEST(walk_privilege_and_execute_need_a_pasid)
{
	vtd_begin(4, 0);
	x86_build_map(&vtd.b, 0, 1, RAM | X86_ALL | X86_XD, X86_ALL);
	vtd_check_fault(vtd_walk(0, DMA_READ | DMA_EXEC), 0x82, IOMMU_FAULT_MAPPING);
	CHECK_EQ(vtd_walk_pasid(DMA_NO_PASID, 0, DMA_READ | DMA_EXEC), 0);
	CHECK_EQ(vtd.result.access, DMA_READ | DMA_EXEC);
	CHECK_EQ(vtd_walk_pasid(DMA_NO_PASID, 0, DMA_READ | DMA_PRIV), 0);
	vtd_attach(vtd.b.root, 4, SRE);
	vtd_change(0, 1, X86_US);
	vtd_check_fault(vtd_walk_pasid(DMA_NO_PASID, 0, DMA_READ | DMA_PRIV), 0x81,
			IOMMU_FAULT_MAPPING);
	vtd_end();
}

TEST(walk_not_present_at_each_level)
{
	for (unsigned int levels = 4; levels <= 5; levels++) {
		for (unsigned int level = 1; level <= levels; level++) {
			vtd_begin(levels, 0);
			x86_build_map(&vtd.b, GiB, 1, RAM | X86_ALL, X86_ALL);
			/* Whatever the other bits of an absent entry. */
			x86_build_write(&vtd.mem, x86_build_entry(&vtd.b, GiB, level), ~1ULL);
			vtd_check_fault(vtd_walk(GiB, DMA_READ), 0x71, IOMMU_FAULT_MAPPING);
			vtd_end();
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
				vtd_begin(levels, 0);
				x86_build_map(&vtd.b, 7 * GiB, leaf, 6 * GiB | X86_ALL, X86_ALL);
				vtd_change(7 * GiB, level, 1ULL << bit);
				ret = vtd_walk(7 * GiB, DMA_READ);
				if (bad(level, leaf, bit))
					vtd_check_fault(ret, 0x72, IOMMU_FAULT_UNKNOWN);
				else
					CHECK_EQ(ret, 0);
				vtd_end();
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
		vtd_begin(4, 0);
		x86_build_map(&vtd.b, 0, level, GiB | X86_PAT | X86_ALL, X86_ALL);
		CHECK_EQ(vtd_walk(0x123, DMA_READ), 0);
		CHECK_EQ(vtd.result.gpa, GiB);
		vtd_end();
	}
}

TEST(walk_address_width_is_the_machines)
{
	vtd_begin(4, 0);
	x86_build_map(&vtd.b, 0, 1, 1ULL << 51 | RAM | X86_ALL, X86_ALL);
	vtd_check_fault(vtd_walk(0, DMA_READ), 0x72, IOMMU_FAULT_UNKNOWN);
	vtd.limits.pa_bits = 52;
	CHECK_EQ(vtd_walk(0, DMA_READ), 0);
	CHECK_EQ(vtd.result.gpa, 1ULL << 51 | RAM);
	vtd_end();
}

/* A table in the middle of no memory, at an MMIO window say. */
TEST(walk_table_outside_memory)
{
	for (unsigned int levels = 4; levels <= 5; levels++) {
		for (unsigned int level = 2; level <= levels; level++) {
			vtd_begin(levels, 0);
			x86_build_map(&vtd.b, GiB, 1, RAM | X86_ALL, X86_ALL);
			x86_build_write(&vtd.mem, x86_build_entry(&vtd.b, GiB, level),
					0xfee00000ULL | X86_ALL);
			vtd_check_fault(vtd_walk(GiB, DMA_READ), 0x70, IOMMU_FAULT_UNKNOWN);
			vtd_end();
		}
		vtd_begin(levels, 0);
		vtd_attach(2 * RAM, levels, 0);
		vtd_check_fault(vtd_walk(GiB, DMA_READ), 0x73, IOMMU_FAULT_UNKNOWN);
		vtd_attach(0, levels, 0);
		vtd_check_fault(vtd_walk(GiB, DMA_READ), 0x73, IOMMU_FAULT_UNKNOWN);
		vtd_end();
	}
}

TEST(walk_page_outside_memory_is_not_its_business)
{
	vtd_begin(4, 0);
	x86_build_map(&vtd.b, 0, 1, 0xfee00000ULL | X86_ALL, X86_ALL);
	CHECK_EQ(vtd_walk(0, DMA_READ), 0);
	CHECK_EQ(vtd.result.gpa, 0xfee00000ULL);
	vtd_end();
}

TEST(walk_marks_accessed_and_dirty)
{
	const u64 iova = 3 * GiB;

	for (unsigned int levels = 4; levels <= 5; levels++) {
		for (unsigned int leaf = 1; leaf <= 3; leaf++) {
			for (u32 flags = 0; flags <= EAFE; flags += EAFE) {
				u64 all = X86_A | (flags ? X86_EA : 0);

				vtd_begin(levels, flags);
				x86_build_map(&vtd.b, iova, leaf, 0 | X86_ALL, X86_ALL);
				CHECK_EQ(vtd_walk(iova, DMA_READ), 0);
				CHECK_EQ(vtd.result.access, DMA_READ | DMA_EXEC);
				vtd_check_marks(iova, levels, leaf, all, 0);
				CHECK_EQ(vtd_walk(iova, DMA_WRITE), 0);
				CHECK_EQ(vtd.result.access, DMA_READ | DMA_WRITE | DMA_EXEC);
				vtd_check_marks(iova, levels, leaf, all, X86_D);
				/* From now on a read finds it dirty. */
				CHECK_EQ(vtd_walk(iova, DMA_READ), 0);
				CHECK_EQ(vtd.result.access, DMA_READ | DMA_WRITE | DMA_EXEC);
				vtd_end();
			}
		}
	}
}

TEST(walk_marks_nothing_else)
{
	static u8 before[RAM];
	unsigned int changed = 0;

	vtd_begin(4, 0);
	for (u64 iova = 0; iova < 16 * PAGE; iova += PAGE)
		x86_build_map(&vtd.b, iova, 1, RAM | X86_ALL, X86_ALL);
	guest_mem_read(&vtd.mem, RAM, before, RAM);
	CHECK_EQ(vtd_walk(3 * PAGE, DMA_WRITE), 0);
	for (u64 at = 0; at < RAM; at++)
		changed += before[at] != *(u8 *)guest_mem_ptr(&vtd.mem, RAM + at, 1);
	CHECK_EQ(changed, 4);
	vtd_end();
}

TEST(walk_without_permission_marks_nothing)
{
	vtd_begin(4, SRE | EAFE);
	x86_build_map(&vtd.b, 0, 1, RAM | X86_P | X86_US | X86_XD, X86_ALL);
	CHECK_EQ(vtd_walk(0, DMA_WRITE), -EFAULT);
	CHECK_EQ(vtd_walk(0, DMA_READ | DMA_EXEC), -EFAULT);
	vtd_change(0, 1, X86_US);
	CHECK_EQ(vtd_walk(0, DMA_READ), -EFAULT);
	vtd_change(0, 1, X86_P);
	CHECK_EQ(vtd_walk(0, DMA_READ), -EFAULT);
	vtd_check_marks(0, 4, 1, 0, 0);
	vtd_end();
}

TEST(walk_read_only_page_never_gives_write)
{
	vtd_begin(4, SRE);
	x86_build_map(&vtd.b, 0, 1, RAM | X86_P | X86_US | X86_D, X86_ALL);
	CHECK_EQ(vtd_walk(0, DMA_READ), 0);
	CHECK_EQ(vtd.result.access, DMA_READ | DMA_EXEC);
	/* A supervisor may, and then it is dirty already. */
	CHECK_EQ(vtd_walk(0, DMA_READ | DMA_PRIV), 0);
	CHECK_EQ(vtd.result.access, DMA_READ | DMA_WRITE | DMA_EXEC);
	vtd_end();
}

TEST(walk_finds_the_table_of_the_pasid)
{
	struct iommu_table base;

	vtd_begin(4, 0);
	x86_build_map(&vtd.b, 0, 1, RAM | X86_ALL, X86_ALL);
	base = vtd.base;
	x86_build_init(&vtd.b, &vtd.mem, vtd.b.next, 5);
	x86_build_map(&vtd.b, 0, 1, (RAM + PAGE) | X86_ALL, X86_ALL);
	vtd_attach(vtd.b.root, 5, 0);
	vtd.base = base;
	CHECK_EQ(vtd_walk_pasid(DMA_NO_PASID, 0, DMA_READ), 0);
	CHECK_EQ(vtd.result.gpa, RAM);
	CHECK_EQ(vtd.result.pasid, DMA_NO_PASID);
	CHECK_EQ(vtd_walk(0, DMA_READ), 0);
	CHECK_EQ(vtd.result.gpa, RAM + PAGE);
	CHECK_EQ(vtd.result.pasid, PASID);
	vtd_end();
}

/* RID_PASID is 0. */
TEST(walk_pasid_0_has_the_table_of_no_pasid)
{
	vtd_begin(4, SRE);
	x86_build_map(&vtd.b, 0, 1, RAM | X86_P | X86_XD, X86_ALL);
	vtd.has_table = false;
	vtd_check_fault(vtd_walk_pasid(0, 0, DMA_READ), 0x81, IOMMU_FAULT_MAPPING);
	vtd_check_fault(vtd_walk_pasid(0, 0, DMA_READ | DMA_EXEC | DMA_PRIV), 0x82,
			IOMMU_FAULT_MAPPING);
	CHECK_EQ(vtd_walk_pasid(0, 0, DMA_READ | DMA_PRIV), 0);
	CHECK_EQ(vtd.result.gpa, RAM);
	CHECK_EQ(vtd.result.pasid, DMA_NO_PASID);
	vtd_end();
}

TEST(walk_without_a_table)
{
	vtd_begin(4, 0);
	vtd.has_base = vtd.has_table = false;
	vtd_check_fault(vtd_walk_pasid(DMA_NO_PASID, 0, DMA_READ), 0x59, IOMMU_FAULT_DOMAIN);
	vtd_check_fault(vtd_walk_pasid(0, 0, DMA_READ), 0x59, IOMMU_FAULT_DOMAIN);
	vtd_check_fault(vtd_walk_pasid(PASID, 0, DMA_READ), 0x59, IOMMU_FAULT_DOMAIN);
	/* One without the other. */
	vtd.has_base = true;
	vtd_check_fault(vtd_walk_pasid(PASID + 1, 0, DMA_READ), 0x59, IOMMU_FAULT_DOMAIN);
	vtd.has_base = false;
	vtd.has_table = true;
	vtd_check_fault(vtd_walk_pasid(PASID, 0, DMA_READ), 0x71, IOMMU_FAULT_MAPPING);
	vtd_end();
}

TEST(walk_of_a_table_in_itself)
{
	for (unsigned int levels = 4; levels <= 5; levels++) {
		vtd_begin(levels, EAFE);
		for (u64 at = 0; at < PAGE; at += 8)
			x86_build_write(&vtd.mem, vtd.b.root + at, vtd.b.root | X86_ALL);
		/* The same word is the entry of each level. */
		CHECK_EQ(vtd_walk(0, DMA_WRITE), 0);
		CHECK_EQ(vtd.result.gpa, vtd.b.root);
		CHECK_EQ(x86_build_read(&vtd.mem, vtd.b.root),
			 vtd.b.root | X86_ALL | X86_A | X86_D | X86_EA);
		CHECK_EQ(vtd_walk(0x7fffffff8123ULL, DMA_READ), 0);
		CHECK_EQ(vtd.result.last, 0x7fffffff8fffULL);
		vtd_end();
	}
}
