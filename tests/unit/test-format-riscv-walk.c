// SPDX-License-Identifier: GPL-2.0-only
/* RISC-V: walks of Sv39 to Sv57. Each is compared with the reference. */
#include <endian.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "riscv-guest.h"

static void check_leaf(unsigned int mode, unsigned int level, u64 va)
{
	u64 size = 1ULL << (12 + 9 * level);
	u64 pa = 0x5a5a5a5a5a5a5aULL / size * size;

	table_memory_reset(&rv.tm);
	rv_attach_space(mode, 0, 0);
	rv_map(&rv.space, va, level, pa, PTE_ALL);
	CHECK_EQ(rv_access(RV_PASID, va, RW | X), 0);
	CHECK_EQ(rv.result.start, va / size * size);
	CHECK_EQ(rv.result.last, va / size * size + (size - 1));
	CHECK_EQ(rv.result.gpa, pa);
	CHECK(!rv.result.global);
	CHECK_EQ(rv_access(RV_PASID, va / size * size + size, R), 13);
	CHECK_EQ(rv_access(RV_PASID, va / size * size - 1, R), 13);
}

TEST(leaves_of_each_mode_and_level)
{
	unsigned int mode, level, i;

	rv_start(&format_riscv);
	for (mode = SV39; mode <= SV57; mode++)
		for (level = 0; level < rv_levels(mode); level++) {
			check_leaf(mode, level, 0);
			check_leaf(mode, level, ~0ULL);
			for (i = 0; i < 16; i++)
				check_leaf(mode, level, rv_sign_extend(mode, unit_rand()));
		}
	rv_end();
}

/* Nothing for the rest of the address but copies of its highest bit. */
TEST(addresses_that_are_not_sign_extended)
{
	unsigned int mode, bit;

	rv_start(&format_riscv);
	for (mode = SV39; mode <= SV57; mode++) {
		unsigned int width = 12 + 9 * rv_levels(mode);

		table_memory_reset(&rv.tm);
		rv_attach_space(mode, 0, 0);
		rv_map(&rv.space, 0, rv_levels(mode) - 1, 0, PTE_ALL);
		rv_map(&rv.space, ~0ULL, rv_levels(mode) - 1, 0, PTE_ALL);
		CHECK_EQ(rv_access(RV_PASID, 0, R), 0);
		CHECK_EQ(rv_access(RV_PASID, ~0ULL, R), 0);
		for (bit = width; bit < 64; bit++) {
			CHECK_EQ(rv_access(RV_PASID, 1ULL << bit, R), 13);
			CHECK_EQ(rv_access(RV_PASID, ~0ULL ^ 1ULL << bit, R), 13);
		}
	}
	rv_end();
}

static u32 allowed(u64 attributes, u64 ta, u32 privilege)
{
	table_memory_reset(&rv.tm);
	rv_attach_space(SV39, 0, ta);
	rv_map(&rv.space, 0, 0, 0x1000, PTE_V | PTE_A | PTE_D | attributes);
	return rv_access(RV_PASID, 0, privilege) ? 0 : rv.result.access;
}

TEST(permissions)
{
	static const struct {
		u64 attributes;
		u32 access;
	} rows[] = {
		{PTE_R, R},
		{PTE_X, X},
		{PTE_R | PTE_W, RW},
		{PTE_R | PTE_X, R | X},
		{PTE_R | PTE_W | PTE_X, RW | X},
	};
	unsigned int i;

	rv_start(&format_riscv);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		u64 bits = rows[i].attributes;
		u32 access = rows[i].access;

		CHECK_EQ(allowed(bits | PTE_U, 0, 0), access);
		CHECK_EQ(allowed(bits, 0, 0), 0);
		CHECK_EQ(allowed(bits, TA_ENS, P), access);
		CHECK_EQ(allowed(bits | PTE_U, TA_ENS, P), 0);
		CHECK_EQ(allowed(bits | PTE_U, TA_ENS | TA_SUM, P), access & ~X);
		CHECK_EQ(rv_access(RV_PASID, 0, P | X), 12);
		CHECK_EQ(allowed(bits, TA_ENS | TA_SUM, P), access);
		/* SUM is nothing to users. */
		CHECK_EQ(allowed(bits, TA_SUM, 0), 0);
		/* Not without ENS. */
		CHECK_EQ(allowed(bits, 0, P), 0);
		CHECK_EQ(rv_access(RV_PASID, 0, P | R), 260);
	}
	/* Reserved: writes without reads. */
	CHECK_EQ(allowed(PTE_W | PTE_U, 0, 0), 0);
	CHECK_EQ(allowed(PTE_W | PTE_X | PTE_U, 0, 0), 0);
	rv_end();
}

TEST(permissions_combined)
{
	unsigned int attributes, ta, access, sade;

	rv_start(&format_riscv);
	for (attributes = 0; attributes < 256; attributes++)
		for (ta = 0; ta < 4; ta++)
			for (sade = 0; sade < 2; sade++)
				for (access = 0; access < 16; access++) {
					table_memory_reset(&rv.tm);
					rv_attach_space(SV39, sade ? TC_SADE : 0, ta << 1);
					rv_map(&rv.space, 0, 0, 0x1000, attributes);
					rv_access(RV_PASID, 0, access);
				}
	rv_end();
}

TEST(codes_of_faults)
{
	rv_start(&format_riscv);
	rv_attach_space(SV39, 0, 0);
	CHECK_EQ(rv_access(RV_PASID, 0, R), 13);
	CHECK_STR_EQ(rv.result.why, "read page fault");
	CHECK_EQ(rv.result.reason, IOMMU_FAULT_MAPPING);
	CHECK_EQ(rv_access(RV_PASID, 0, W), 15);
	CHECK_STR_EQ(rv.result.why, "write/AMO page fault");
	CHECK_EQ(rv_access(RV_PASID, 0, RW), 15);
	CHECK_EQ(rv_access(RV_PASID, 0, R | X), 12);
	CHECK_STR_EQ(rv.result.why, "instruction page fault");
	/* No memory at the table, which is a whole one. */
	table_put(&rv.tm, rv.space.root, rv_leaf(0x1000, PTE_V));
	CHECK_EQ(rv_access(RV_PASID, 0, R), 5);
	CHECK_STR_EQ(rv.result.why, "read access fault");
	CHECK_EQ(rv.result.reason, IOMMU_FAULT_UNKNOWN);
	CHECK_EQ(rv_access(RV_PASID, 0, W), 7);
	CHECK_STR_EQ(rv.result.why, "write/AMO access fault");
	CHECK_EQ(rv_access(RV_PASID, 0, R | X), 1);
	CHECK_STR_EQ(rv.result.why, "instruction access fault");
	rv_end();
}

TEST(each_bit_of_a_page)
{
	unsigned int bit;

	rv_start(&format_riscv);
	rv_attach_space(SV48, 0, 0);
	for (bit = 0; bit < 64; bit++) {
		u64 leaf = rv_leaf(0x1000, PTE_ALL) ^ 1ULL << bit;
		u32 want = 0;

		/* V, R, W, U, A, D; reserved; N, with an address that is not for it */
		if (bit < 3 || bit == 4 || bit == 6 || bit == 7 || (bit >= 54 && bit < 59) ||
		    bit == 63)
			want = 15;
		table_put(&rv.tm, rv_entry(&rv.space, 0, 0), leaf);
		CHECK_EQ(rv_access(RV_PASID, 0, RW), want);
		if (!want)
			CHECK_EQ(rv.result.gpa,
				 bit >= 10 && bit < 54 ? 0x1000 ^ 1ULL << (bit + 2) : 0x1000);
	}
	rv_end();
}

TEST(each_bit_of_a_pointer)
{
	unsigned int bit;
	u64 at, good;

	rv_start(&format_riscv);
	rv.limits.pa_bits = 48;
	rv_attach_space(SV48, 0, 0);
	rv_map(&rv.space, 0, 0, 0x1000, PTE_ALL);
	at = rv_entry(&rv.space, 0, 1);
	good = table_get(&rv.tm, at);
	for (bit = 0; bit < 64; bit++) {
		u32 want = 13;

		if (bit == 5 || bit == 8 || bit == 9 || bit == 59 || bit == 60)
			want = 0; /* G, RSW */
		else if (bit >= 25 && bit < 54)
			want = 5;
		else if (bit >= 10 && bit < 25)
			continue; /* other tables */
		table_put(&rv.tm, at, good ^ 1ULL << bit);
		CHECK_EQ(rv_access(RV_PASID, 0, R), want);
	}
	rv_end();
}

TEST(pbmt)
{
	unsigned int type;

	rv_start(&format_riscv);
	rv_attach_space(SV39, 0, 0);
	for (type = 0; type < 4; type++) {
		rv_map(&rv.space, 0, 0, 0x1000, PTE_ALL | PTE_PBMT(type));
		CHECK_EQ(rv_access(RV_PASID, 0, RW), type == 3 ? 15 : 0);
		table_put(&rv.tm, rv_entry(&rv.space, 1 << 21, 1),
			  rv_leaf(rv.space.root, PTE_V | PTE_PBMT(type)));
		CHECK_EQ(rv_access(RV_PASID, 1 << 21, R), 13);
	}
	rv_end();
}

TEST(napot)
{
	unsigned int low, i;

	rv_start(&format_riscv);
	rv_attach_space(SV39, 0, 0);
	for (i = 0; i < 16; i++)
		for (low = 0; low < 16; low++) {
			rv_map(&rv.space, 0x70000 + i * 0x1000, 0, 0x120000 + low * 0x1000,
			       PTE_ALL | PTE_N);
			CHECK_EQ(rv_access(RV_PASID, 0x70123 + i * 0x1000, R), low == 8 ? 0 : 13);
			if (low != 8)
				continue;
			CHECK_EQ(rv.result.start, 0x70000);
			CHECK_EQ(rv.result.last, 0x7ffff);
			CHECK_EQ(rv.result.gpa, 0x120000);
		}
	/* Only for pages. */
	rv_map(&rv.space, 1 << 21, 1, 8 << 21, PTE_ALL);
	CHECK_EQ(rv_access(RV_PASID, 1 << 21, R), 0);
	rv_map(&rv.space, 1 << 21, 1, 8 << 21, PTE_ALL | PTE_N);
	CHECK_EQ(rv_access(RV_PASID, 1 << 21, R), 13);
	rv_end();
}

TEST(misaligned_superpages)
{
	unsigned int level, bit;

	rv_start(&format_riscv);
	for (level = 1; level < 5; level++)
		for (bit = 12; bit < 56; bit++) {
			table_memory_reset(&rv.tm);
			rv_attach_space(SV57, 0, 0);
			rv_map(&rv.space, 0, level, 1ULL << bit, PTE_ALL);
			CHECK_EQ(rv_access(RV_PASID, 0, R), bit < 12 + 9 * level ? 13 : 0);
		}
	rv_end();
}

TEST(global_pointers_and_leaves)
{
	unsigned int level;

	rv_start(&format_riscv);
	for (level = 0; level < 4; level++) {
		u64 at;

		table_memory_reset(&rv.tm);
		rv_attach_space(SV48, 0, 0);
		rv_map(&rv.space, 0, 0, 0x1000, PTE_ALL);
		CHECK_EQ(rv_access(RV_PASID, 0, R), 0);
		CHECK(!rv.result.global);
		at = rv_entry(&rv.space, 0, level);
		table_put(&rv.tm, at, table_get(&rv.tm, at) | PTE_G);
		CHECK_EQ(rv_access(RV_PASID, 0, R), 0);
		CHECK(rv.result.global);
	}
	rv_end();
}

TEST(output_wider_than_memory)
{
	unsigned int width, bit;

	rv_start(&format_riscv);
	for (width = 32; width <= 52; width++) {
		rv.limits.pa_bits = width;
		table_memory_reset(&rv.tm);
		rv_attach_space(SV39, TC_SADE, 0);
		for (bit = 28; bit < 56; bit++) {
			rv_map(&rv.space, 0, 0, 1ULL << bit, PTE_ALL & ~PTE_A);
			CHECK_EQ(rv_access(RV_PASID, 0, R), bit < width ? 0 : 5);
			/* No mark on a page that is no good. */
			CHECK_EQ(bits(table_get(&rv.tm, rv_entry(&rv.space, 0, 0)), 6, 6),
				 bit < width);
		}
	}
	rv_end();
}

static u64 page(void)
{
	return table_get(&rv.tm, rv_entry(&rv.space, 0, 0));
}

TEST(access_and_dirty_without_sade)
{
	rv_start(&format_riscv);
	rv_attach_space(SV39, 0, 0);
	rv_map(&rv.space, 0, 0, 0x1000, PTE_ALL & ~(PTE_A | PTE_D));
	CHECK_EQ(rv_access(RV_PASID, 0, R), 13);
	CHECK_EQ(rv_access(RV_PASID, 0, W), 15);
	rv_map(&rv.space, 0, 0, 0x1000, PTE_ALL & ~PTE_D);
	CHECK_EQ(rv_access(RV_PASID, 0, R), 0);
	CHECK_EQ(rv.result.access, R | X);
	CHECK_EQ(rv_access(RV_PASID, 0, W), 15);
	rv_map(&rv.space, 0, 0, 0x1000, PTE_ALL & ~PTE_A);
	CHECK_EQ(rv_access(RV_PASID, 0, W), 15);
	CHECK_EQ(page(), rv_leaf(0x1000, PTE_ALL & ~PTE_A));
	rv_end();
}

TEST(access_and_dirty_with_sade)
{
	rv_start(&format_riscv);
	rv_attach_space(SV39, TC_SADE, 0);
	rv_map(&rv.space, 0, 0, 0x1000, PTE_ALL & ~(PTE_A | PTE_D));
	CHECK_EQ(rv_access(RV_PASID, 0, R), 0);
	CHECK_EQ(rv.result.access, R | X);
	CHECK_EQ(page(), rv_leaf(0x1000, PTE_ALL & ~PTE_D));
	CHECK_EQ(rv_access(RV_PASID, 0, W), 0);
	CHECK_EQ(rv.result.access, RW | X);
	CHECK_EQ(page(), rv_leaf(0x1000, PTE_ALL));
	rv_map(&rv.space, 0, 0, 0x1000, PTE_ALL & ~(PTE_A | PTE_D));
	CHECK_EQ(rv_access(RV_PASID, 0, W), 0);
	CHECK_EQ(page(), rv_leaf(0x1000, PTE_ALL));
	/* What is not allowed leaves no mark. */
	rv_map(&rv.space, 0, 0, 0x1000, PTE_V | PTE_R | PTE_U);
	CHECK_EQ(rv_access(RV_PASID, 0, W), 15);
	CHECK_EQ(page(), rv_leaf(0x1000, PTE_V | PTE_R | PTE_U));
	/* Pointers get none. */
	CHECK_EQ(bits(table_get(&rv.tm, rv.space.root), 7, 6), 0);
	rv_end();
}

TEST(table_that_points_to_itself)
{
	unsigned int mode;

	rv_start(&format_riscv);
	for (mode = SV39; mode <= SV57; mode++) {
		table_memory_reset(&rv.tm);
		rv_attach_space(mode, 0, 0);
		table_put(&rv.tm, rv.space.root, rv_leaf(rv.space.root, PTE_V));
		CHECK_EQ(rv_access(RV_PASID, 0, R), 13);
	}
	rv_end();
}

static atomic_bool stop;
static u64 race_at, race_a, race_b;

static void *flip(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop)) {
		table_put(&rv.tm, race_at, race_a);
		table_put(&rv.tm, race_at, race_b);
	}
	return NULL;
}

static int plain_walk(struct iommu_walk_result *result, u32 access)
{
	const struct iommu_walk walk = {.mem = &rv.tm.mem,
					.limits = &rv.limits,
					.base = &rv.base,
					.pasid = RV_PASID,
					.access = access};

	return format_riscv.walk(&walk, result);
}

/* Each entry is read once: what comes out is one of its values, never half of each. */
TEST(entry_that_changes_meanwhile)
{
	unsigned int i;
	pthread_t thread;

	rv_start(&format_riscv);
	rv_attach_space(SV39, 0, 0);
	race_at = rv_entry(&rv.space, 0, 0);
	race_a = rv_leaf(0x1111000, PTE_ALL);
	race_b = rv_leaf(0x2222000, PTE_ALL & ~PTE_W);
	table_put(&rv.tm, race_at, race_a);
	atomic_store(&stop, false);
	if (!CHECK_EQ(pthread_create(&thread, NULL, flip, NULL), 0))
		return;
	for (i = 0; i < 200000; i++) {
		struct iommu_walk_result result;

		if (!CHECK_EQ(plain_walk(&result, R), 0))
			break;
		if (!CHECK_EQ(result.access, result.gpa == 0x1111000 ? RW | X : R | X))
			break;
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	rv_end();
}

/*
 * A guest that changes an entry just when it is marked: the page is read-only to the walk, whose
 * first write ends in changed(), which writes before it.
 */
static u64 *changed_entry, other_val;
static void *page_hva;
static unsigned int nr_changes;

static void changed(int sig)
{
	(void)sig;
	nr_changes++;
	mprotect(page_hva, 4 * KiB, PROT_READ | PROT_WRITE);
	*changed_entry = htole64(other_val);
}

/* The cause of a write while the entry becomes @val instead. */
static u32 write_while_changed(u64 val)
{
	struct sigaction action = {.sa_handler = changed}, old;
	u64 at = rv_entry(&rv.space, 0, 0), table = align_down(at, 4 * KiB);
	struct iommu_walk_result result;
	int ret;

	rv_map(&rv.space, 0, 0, 0x1000, PTE_ALL & ~(PTE_A | PTE_D));
	page_hva = guest_mem_ptr(&rv.tm.mem, table, 4 * KiB);
	changed_entry = (u64 *)page_hva + (at - table) / 8;
	other_val = val;
	nr_changes = 0;
	sigaction(SIGSEGV, &action, &old);
	mprotect(page_hva, 4 * KiB, PROT_READ);
	ret = plain_walk(&result, W);
	sigaction(SIGSEGV, &old, NULL);
	CHECK_EQ(nr_changes, 1);
	rv.result = result;
	return ret ? result.code : 0;
}

/* A mark is set in the entry as it is then: the walk looks at it again. */
TEST(entry_that_changes_before_it_is_marked)
{
	u64 pointer;

	rv_start(&format_riscv);
	rv_attach_space(SV39, TC_SADE, 0);
	/* Another page */
	CHECK_EQ(write_while_changed(rv_leaf(0x2000, PTE_ALL & ~(PTE_A | PTE_D))), 0);
	CHECK_EQ(rv.result.gpa, 0x2000);
	CHECK_EQ(page(), rv_leaf(0x2000, PTE_ALL));
	/* The same one, marked by somebody else, and with a bit of software */
	CHECK_EQ(write_while_changed(rv_leaf(0x1000, PTE_ALL | 1 << 8)), 0);
	CHECK_EQ(page(), rv_leaf(0x1000, PTE_ALL | 1 << 8));
	/* None, a read-only one, a pointer */
	CHECK_EQ(write_while_changed(0), 15);
	CHECK_EQ(page(), 0);
	CHECK_EQ(write_while_changed(rv_leaf(0x1000, PTE_V | PTE_R | PTE_U)), 15);
	CHECK_EQ(page(), rv_leaf(0x1000, PTE_V | PTE_R | PTE_U));
	pointer = rv_leaf(rv.space.root, PTE_V);
	CHECK_EQ(write_while_changed(pointer), 15);
	CHECK_EQ(page(), pointer);
	rv_end();
}
