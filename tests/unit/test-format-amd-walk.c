// SPDX-License-Identifier: GPL-2.0-only
/* Walks of tables of the formats amd and amd-pt, made for each rule that vtd does not have. */
#include "amd-guest.h"

/* Walks: the GCR3 table. */

/* With different indices in each table, in as many bits as @glx has. */
static const u32 pasids[] = {0, 1, 511, 512, 0x12345, 0x3ffff, 0x40000, 0xfffff};

TEST(walk_gcr3_of_each_size)
{
	for (unsigned int i = 0; i < 3 * ARRAY_SIZE(pasids); i++) {
		unsigned int glx = i % 3;
		u32 pasid = pasids[i / 3], top = 512;

		for (unsigned int n = 0; n < glx; n++)
			top *= 512;
		amd_begin(false, (struct amd_setup){.glx = glx}, pasid < top ? pasid : 0);
		x86_build_map(&amd.b, 0, 1, RAM | X86_ALL | X86_D, X86_ALL);
		if (pasid < top) {
			CHECK_EQ(amd_walk(pasid, 0, DMA_READ), 0);
			CHECK_EQ(amd.result.gpa, RAM);
			CHECK_EQ(amd.result.access, DMA_READ | DMA_WRITE | DMA_EXEC);
			CHECK_EQ(amd.result.pasid, pasid);
			CHECK_EQ(amd.result.id, IOMMU_NO_ID);
			CHECK(!amd.result.global);
			/* A neighbour has none. */
			amd_check_fault(amd_walk(pasid ^ 2, 0, DMA_READ), PAGE_FAULT,
					IOMMU_FAULT_DOMAIN);
		} else {
			amd_check_fault(amd_walk(pasid, 0, DMA_READ), PAGE_FAULT,
					IOMMU_FAULT_DOMAIN);
		}
		amd_end();
	}
}

TEST(walk_gcr3_wider_pasid_does_not_wrap)
{
	amd_begin(false, (struct amd_setup){.glx = 0}, 3);
	x86_build_map(&amd.b, 0, 1, RAM | X86_ALL, X86_ALL);
	CHECK_EQ(amd_walk(3, 0, DMA_READ), 0);
	amd_check_fault(amd_walk(512 + 3, 0, DMA_READ), PAGE_FAULT, IOMMU_FAULT_DOMAIN);
	amd_end();
}

TEST(walk_gcr3_entry_not_valid)
{
	for (unsigned int level = 0; level <= 2; level++) {
		amd_begin(false, (struct amd_setup){.glx = 2}, 7);
		x86_build_write(&amd.mem, amd_gcr3_entry(7, 2, level), ~1ULL);
		amd_check_fault(amd_walk(7, 0, DMA_READ), PAGE_FAULT, IOMMU_FAULT_DOMAIN);
		amd_end();
	}
}

TEST(walk_gcr3_reserved_bits)
{
	for (unsigned int level = 0; level <= 2; level++) {
		amd_begin(false, (struct amd_setup){.glx = 2}, 7);
		x86_build_map(&amd.b, 0, 1, RAM | X86_ALL, X86_ALL);
		for (unsigned int bit = 1; bit < 64; bit++) {
			u64 at = amd_gcr3_entry(7, 2, level), entry = x86_build_read(&amd.mem, at);

			if (bit >= 12 && bit < PA_BITS)
				continue;
			x86_build_write(&amd.mem, at, entry | 1ULL << bit);
			amd_check_fault(amd_walk(7, 0, DMA_READ), PAGE_FAULT, IOMMU_FAULT_UNKNOWN);
			x86_build_write(&amd.mem, at, entry);
			CHECK_EQ(amd_walk(7, 0, DMA_READ), 0);
		}
		amd_end();
	}
}

TEST(walk_gcr3_outside_memory)
{
	amd_begin(false, (struct amd_setup){.glx = 2}, 7);
	for (unsigned int level = 0; level <= 2; level++) {
		u64 at = amd_gcr3_entry(7, 2, level), entry = x86_build_read(&amd.mem, at);

		x86_build_write(&amd.mem, at, 0xfee00000 | 1);
		amd_check_fault(amd_walk(7, 0, DMA_READ), HARDWARE_ERROR, IOMMU_FAULT_UNKNOWN);
		x86_build_write(&amd.mem, at, entry);
	}
	amd.limits.pa_bits = 52;
	x86_build_write(&amd.mem, amd_gcr3_entry(7, 2, 0), 1ULL << 51 | 1);
	amd_check_fault(amd_walk(7, 0, DMA_READ), HARDWARE_ERROR, IOMMU_FAULT_UNKNOWN);
	amd_attach((struct amd_setup){.root = 0xfee00000});
	amd_check_fault(amd_walk(7, 0, DMA_READ), HARDWARE_ERROR, IOMMU_FAULT_UNKNOWN);
	amd_end();
}

TEST(walk_gcr3_in_itself)
{
	amd_begin_empty(false);
	amd_attach((struct amd_setup){.root = GCR3_ROOT, .glx = 2});
	/* The table of GCR3s and the page tables are one page. */
	for (u64 at = 0; at < PAGE; at += 8)
		x86_build_write(&amd.mem, GCR3_ROOT + at, GCR3_ROOT | 1);
	amd_check_fault(amd_walk(0x12345, 0, DMA_READ), PAGE_FAULT, IOMMU_FAULT_MAPPING);
	amd_end();
}

TEST(walk_gcr3_entries_are_not_marked)
{
	for (unsigned int level = 0; level <= 2; level++) {
		amd_begin(false, (struct amd_setup){.glx = 2}, 7);
		x86_build_map(&amd.b, 0, 1, RAM | X86_ALL, X86_ALL);
		CHECK_EQ(amd_walk(7, 0, DMA_WRITE), 0);
		CHECK_EQ(x86_build_read(&amd.mem, amd_gcr3_entry(7, 2, level)) % PAGE, 1);
		amd_end();
	}
}

TEST(walk_without_a_base)
{
	for (int pt = 0; pt < 2; pt++) {
		struct iommu_walk w = {
			.mem = &amd.mem, .limits = &amd.limits, .lookup = amd_lookup};
		const u32 from[] = {0, 1, DMA_NO_PASID};

		amd_begin(pt, (struct amd_setup){0}, 1);
		w.opaque = &amd;
		w.access = DMA_READ;
		for (unsigned int i = 0; i < ARRAY_SIZE(from); i++) {
			w.pasid = from[i];
			amd_check_fault(amd_format()->walk(&w, &amd.result), PAGE_FAULT,
					IOMMU_FAULT_DOMAIN);
		}
		amd_end();
	}
}

TEST(walk_device_kept_pasid_without_a_table)
{
	amd_begin(true, (struct amd_setup){0}, 1);
	x86_build_map(&amd.b, 0, 1, RAM | X86_ALL, X86_ALL);
	CHECK_EQ(amd_walk(1, 0, DMA_READ), 0);
	amd_check_fault(amd_walk(0, 0, DMA_READ), PAGE_FAULT, IOMMU_FAULT_DOMAIN);
	amd_check_fault(amd_walk(2, 0, DMA_READ), PAGE_FAULT, IOMMU_FAULT_DOMAIN);
	amd.has_table = false;
	amd_check_fault(amd_walk(1, 0, DMA_READ), PAGE_FAULT, IOMMU_FAULT_DOMAIN);
	amd_end();
}

/* Walks: accesses without a PASID. */

TEST(walk_without_giov_is_identity)
{
	const u64 iovas[] = {0, RAM + 5, 1ULL << 47, ~0ULL};

	for (unsigned int i = 0; i < 8; i++) {
		amd_begin(i / 4, (struct amd_setup){0}, 0);
		CHECK_EQ(amd_walk(DMA_NO_PASID, iovas[i % 4], DMA_READ | DMA_WRITE), 0);
		CHECK_EQ(amd.result.start, 0);
		CHECK_EQ(amd.result.last, ~0ULL);
		CHECK_EQ(amd.result.gpa, 0);
		CHECK_EQ(amd.result.access, DMA_READ | DMA_WRITE | DMA_EXEC);
		CHECK_EQ(amd.result.pasid, DMA_NO_PASID);
		amd_end();
	}
}

TEST(walk_with_giov_is_of_pasid_0)
{
	for (int pt = 0; pt < 2; pt++) {
		amd_begin(pt, (struct amd_setup){.giov = 1}, 0);
		x86_build_map(&amd.b, 0, 1, RAM | X86_ALL, X86_ALL);
		CHECK_EQ(amd_walk(DMA_NO_PASID, 0, DMA_READ), 0);
		CHECK_EQ(amd.result.gpa, RAM);
		CHECK_EQ(amd.result.last, PAGE - 1);
		CHECK_EQ(amd.result.pasid, 0);
		amd_end();
		/* There is none. */
		amd_begin(pt, (struct amd_setup){.giov = 1}, 1);
		amd_check_fault(amd_walk(DMA_NO_PASID, 0, DMA_READ), PAGE_FAULT,
				IOMMU_FAULT_DOMAIN);
		amd_end();
	}
}

TEST(walk_privilege_and_execute_need_a_pasid)
{
	for (int pt = 0; pt < 2; pt++) {
		amd_begin(pt, (struct amd_setup){.giov = 1}, 0);
		x86_build_map(&amd.b, 0, 1, RAM | X86_ALL | X86_XD, X86_ALL);
		x86_build_map(&amd.b, PAGE, 1, RAM | X86_P | X86_RW, X86_ALL);
		amd_check_fault(amd_walk(0, 0, DMA_READ | DMA_EXEC), PAGE_FAULT,
				IOMMU_FAULT_MAPPING);
		CHECK_EQ(amd_walk(DMA_NO_PASID, 0, DMA_READ | DMA_EXEC), 0);
		CHECK_EQ(amd.result.access, DMA_READ | DMA_EXEC);
		CHECK_EQ(amd_walk(0, PAGE, DMA_READ | DMA_PRIV), 0);
		amd_check_fault(amd_walk(DMA_NO_PASID, PAGE, DMA_READ | DMA_PRIV), PAGE_FAULT,
				IOMMU_FAULT_MAPPING);
		amd_end();
	}
}

/* Walks: the page table. */

TEST(walk_pasid_0_is_not_sign_extended)
{
	for (unsigned int i = 0; i < 8; i++) {
		bool pt = i % 2, mode = i / 2 % 2, giov = i / 4;
		unsigned int bits = mode ? 57 : 48;
		u32 pasid = giov ? DMA_NO_PASID : 0;
		u64 high = (1ULL << bits) - PAGE;

		amd_begin(pt, (struct amd_setup){.mode = mode, .giov = giov}, 0);
		x86_build_map(&amd.b, high, 1, RAM | X86_ALL, X86_ALL);
		CHECK_EQ(amd_walk(pasid, high, DMA_READ), 0);
		CHECK_EQ(amd.result.start, high);
		CHECK_EQ(amd.result.gpa, RAM);
		for (unsigned int bit = bits; bit < 64; bit++)
			amd_check_fault(amd_walk(pasid, high | 1ULL << bit, DMA_READ), PAGE_FAULT,
					IOMMU_FAULT_MAPPING);
		amd_check_fault(amd_walk(pasid, 0 - PAGE, DMA_READ), PAGE_FAULT,
				IOMMU_FAULT_MAPPING);
		amd_end();
	}
}

TEST(walk_other_pasids_are_sign_extended)
{
	for (unsigned int i = 0; i < 4; i++) {
		bool pt = i % 2, mode = i / 2;
		unsigned int bits = mode ? 57 : 48;

		amd_begin(pt, (struct amd_setup){.mode = mode}, 1);
		x86_build_map(&amd.b, 0 - PAGE, 1, RAM | X86_ALL, X86_ALL);
		CHECK_EQ(amd_walk(1, 0 - PAGE, DMA_READ), 0);
		CHECK_EQ(amd.result.start, 0 - PAGE);
		CHECK_EQ(amd.result.last, ~0ULL);
		amd_check_fault(amd_walk(1, (1ULL << bits) - PAGE, DMA_READ), PAGE_FAULT,
				IOMMU_FAULT_MAPPING);
		for (unsigned int bit = bits - 1; bit < 64; bit++)
			amd_check_fault(amd_walk(1, 1ULL << bit, DMA_READ), PAGE_FAULT,
					IOMMU_FAULT_MAPPING);
		amd_end();
	}
}

TEST(walk_maps_each_page_size)
{
	for (unsigned int i = 0; i < 2 * 2 * 3; i++) {
		bool pt = i % 2, mode = i / 2 % 2;
		unsigned int level = 1 + i / 4;
		u64 size = x86_build_size(level), iova = 0x123456789000ULL / size * size;

		amd_begin(pt, (struct amd_setup){.mode = mode}, 9);
		x86_build_map(&amd.b, iova, level, 3 * GiB | X86_ALL, X86_ALL);
		CHECK_EQ(amd_walk(9, iova + size - 1, DMA_WRITE), 0);
		CHECK_EQ(amd.result.start, iova);
		CHECK_EQ(amd.result.last, iova + size - 1);
		CHECK_EQ(amd.result.gpa, 3 * GiB);
		amd_end();
	}
}

/* As in AMD's CPUs; Intel ignores it. */
TEST(walk_global_bit_is_reserved_in_levels_4_and_5)
{
	for (unsigned int levels = 4; levels <= 5; levels++) {
		for (unsigned int level = 1; level <= levels; level++) {
			int ret;

			amd_begin(level % 2, (struct amd_setup){.mode = levels == 5}, 9);
			x86_build_map(&amd.b, GiB, 1, RAM | X86_ALL | (level == 1 ? X86_G : 0),
				      X86_ALL);
			if (level > 1) {
				u64 at = x86_build_entry(&amd.b, GiB, level);

				x86_build_write(&amd.mem, at, x86_build_read(&amd.mem, at) | X86_G);
			}
			ret = amd_walk(9, GiB, DMA_READ);
			if (level >= 4)
				amd_check_fault(ret, PAGE_FAULT, IOMMU_FAULT_UNKNOWN);
			else
				CHECK_EQ(ret, 0);
			amd_end();
		}
	}
}

TEST(walk_permissions_of_each_level)
{
	const u32 accesses[] = {DMA_READ, DMA_WRITE, DMA_READ | DMA_WRITE, DMA_READ | DMA_EXEC};
	const u64 iova = 0x123456789000ULL;

	for (unsigned int i = 0; i < 2 * 3 * 5 * 8 * 2 * 4; i++) {
		unsigned int levels = 4 + i % 2, leaf = 1 + i / 2 % 3, level = 1 + i / 6 % 5;
		unsigned int bits = i / 30 % 8, priv = i / 240 % 2;
		u32 access = accesses[i / 480];
		u64 at;
		int ret;

		if (level < leaf || level > levels)
			continue;
		amd_begin(i % 3 == 0, (struct amd_setup){.mode = levels == 5}, 9);
		x86_build_map(&amd.b, iova & ~(x86_build_size(leaf) - 1), leaf,
			      GiB | X86_ALL | X86_D, X86_ALL);
		at = x86_build_entry(&amd.b, iova, level);
		x86_build_write(&amd.mem, at,
				x86_build_read(&amd.mem, at) ^
					((bits & 1 ? X86_RW : 0) | (bits & 2 ? X86_US : 0) |
					 (bits & 4 ? X86_XD : 0)));
		ret = amd_walk(9, iova, access | (priv ? DMA_PRIV : 0));
		if ((bits & 2 && !priv) || (access & DMA_WRITE && bits & 1) ||
		    (access & DMA_EXEC && bits & 4)) {
			amd_check_fault(ret, PAGE_FAULT, IOMMU_FAULT_MAPPING);
		} else {
			CHECK_EQ(ret, 0);
			CHECK_EQ(amd.result.access,
				 DMA_READ | (bits & 1 ? 0 : DMA_WRITE) | (bits & 4 ? 0 : DMA_EXEC));
		}
		amd_end();
	}
}

TEST(walk_marks_accessed_and_dirty)
{
	for (int pt = 0; pt < 2; pt++) {
		u64 at;

		amd_begin(pt, (struct amd_setup){0}, 9);
		x86_build_map(&amd.b, 0, 1, RAM | X86_ALL, X86_ALL);
		at = x86_build_entry(&amd.b, 0, 1);
		CHECK_EQ(amd_walk(9, 0, DMA_READ), 0);
		CHECK_EQ(amd.result.access, DMA_READ | DMA_EXEC);
		CHECK_EQ(x86_build_read(&amd.mem, at), RAM | X86_ALL | X86_A);
		CHECK_EQ(amd_walk(9, 0, DMA_WRITE), 0);
		CHECK_EQ(amd.result.access, DMA_READ | DMA_WRITE | DMA_EXEC);
		CHECK_EQ(x86_build_read(&amd.mem, at), RAM | X86_ALL | X86_A | X86_D);
		for (unsigned int level = 2; level <= 4; level++)
			CHECK_EQ(x86_build_read(&amd.mem, x86_build_entry(&amd.b, 0, level)) % PAGE,
				 X86_ALL | X86_A);
		amd_end();
	}
}

TEST(walk_with_gaupdatedis_marks_nothing)
{
	for (int pt = 0; pt < 2; pt++) {
		amd_begin(pt, (struct amd_setup){.gaupdatedis = 1}, 9);
		x86_build_map(&amd.b, 0, 1, RAM | X86_ALL, X86_ALL);
		CHECK_EQ(amd_walk(9, 0, DMA_READ), 0);
		/* There is nothing to wait for before a write. */
		CHECK_EQ(amd.result.access, DMA_READ | DMA_WRITE | DMA_EXEC);
		CHECK_EQ(amd_walk(9, 0, DMA_WRITE), 0);
		for (unsigned int level = 1; level <= 4; level++)
			CHECK_EQ(x86_build_read(&amd.mem, x86_build_entry(&amd.b, 0, level)) % PAGE,
				 X86_ALL);
		amd_end();
	}
}

TEST(walk_faults_by_reason)
{
	for (int pt = 0; pt < 2; pt++) {
		u64 at;

		amd_begin(pt, (struct amd_setup){0}, 9);
		amd_check_fault(amd_walk(9, 0, DMA_READ), PAGE_FAULT, IOMMU_FAULT_MAPPING);
		x86_build_map(&amd.b, 0, 1, RAM | X86_ALL, X86_ALL);
		at = x86_build_entry(&amd.b, 0, 4);
		x86_build_write(&amd.mem, at, x86_build_read(&amd.mem, at) | X86_PS);
		amd_check_fault(amd_walk(9, 0, DMA_READ), PAGE_FAULT, IOMMU_FAULT_UNKNOWN);
		x86_build_write(&amd.mem, at, 0xfee00000 | X86_ALL);
		amd_check_fault(amd_walk(9, 0, DMA_READ), HARDWARE_ERROR, IOMMU_FAULT_UNKNOWN);
		amd_end();
		amd_begin(pt, (struct amd_setup){0}, 9);
		amd.b.root = 0xfee00000;
		amd_set_pasid(9, 0);
		amd_check_fault(amd_walk(9, 0, DMA_READ), HARDWARE_ERROR, IOMMU_FAULT_UNKNOWN);
		amd_end();
	}
}
