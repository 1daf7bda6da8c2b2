// SPDX-License-Identifier: GPL-2.0-only
/* Page tables of the formats amd and amd-pt. What they share with vtd is in test-format-vtd.c. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build-x86.h"
#include "iommu/dma.h"
#include "unit.h"

#define RAM	   (1 * MiB) /* GPA and size */
#define PAGE	   4096ULL
#define GCR3_ROOT  (RAM + 32 * KiB) /* and more GCR3 tables behind it */
#define TABLES	   (RAM + 64 * KiB)
#define PA_BITS	   40
#define PASID_BITS 20

/* Types of events. */
#define PAGE_FAULT     2
#define HARDWARE_ERROR 4

#define GCR3 5 /* ATTACH_TABLE's formats */
#define PT   6

/* The fields of format 5 that are not 0 everywhere. */
struct setup {
	u64 root;
	u8 glx, giov, mode, gaupdatedis;
};

static struct {
	struct guest_mem mem;
	struct iommu_limits limits;
	struct x86_build b;
	bool pt; /* the format amd-pt */
	struct iommu_table base, table; /* and, for amd-pt, of one PASID */
	bool has_table;
	struct iommu_walk_result result;
} t;

static const struct iommu_format *format(void)
{
	return t.pt ? &format_amd_pt : &format_amd;
}

static const struct iommu_table *lookup(const void *opaque, u32 pasid)
{
	CHECK(opaque == &t && t.pt);
	return t.has_table && pasid == t.table.pasid ? &t.table : NULL;
}

static int check(u8 wire_format, const u8 *desc, struct iommu_table *table)
{
	return format()->check(&t.limits, wire_format, desc, table);
}

static void gcr3_desc(u8 *desc, const struct setup *s)
{
	memset(desc, 0, IOMMU_DESCRIPTOR_SIZE);
	x86_put_desc(desc, 16, 8, s->root);
	x86_put_desc(desc, 24, 1, s->glx);
	x86_put_desc(desc, 25, 1, s->giov);
	x86_put_desc(desc, 26, 1, s->mode);
	x86_put_desc(desc, 28, 1, s->gaupdatedis);
}

static void pt_desc(u8 *desc, u64 root, u32 pasid)
{
	memset(desc, 0, IOMMU_DESCRIPTOR_SIZE);
	x86_put_desc(desc, 16, 8, root);
	x86_put_desc(desc, 24, 4, pasid);
}

static void attach(struct setup s)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	if (t.pt)
		s.root = 0;
	gcr3_desc(desc, &s);
	CHECK_EQ(check(GCR3, desc, &t.base), 0);
}

static u64 gcr3_index(u32 pasid, unsigned int level)
{
	while (level--)
		pasid /= 512;
	return pasid % 512;
}

/* Where the entry for @pasid is in tables from GCR3_ROOT on, each a page behind the one above. */
static u64 gcr3_entry(u32 pasid, unsigned int glx, unsigned int level)
{
	return GCR3_ROOT + (glx - level) * PAGE + 8 * gcr3_index(pasid, level);
}

/* The builder's tables are those of @pasid. */
static void set_pasid(u32 pasid, unsigned int glx)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	if (t.pt) {
		pt_desc(desc, t.b.root, pasid);
		CHECK_EQ(check(PT, desc, &t.table), 0);
		t.has_table = true;
		return;
	}
	for (unsigned int level = glx; level > 0; level--)
		x86_build_write(&t.mem, gcr3_entry(pasid, glx, level),
				(GCR3_ROOT + (glx - level + 1) * PAGE) | 1);
	x86_build_write(&t.mem, gcr3_entry(pasid, glx, 0), t.b.root | 1);
}

static void begin_empty(bool pt)
{
	memset(&t, 0, sizeof(t));
	t.pt = pt;
	t.limits = (struct iommu_limits){.pa_bits = PA_BITS, .pasid_bits = PASID_BITS};
	if (guest_mem_add_bank(&t.mem, RAM, RAM))
		exit(2);
}

/* A table of @pasid. */
static void begin(bool pt, struct setup s, u32 pasid)
{
	begin_empty(pt);
	x86_build_init(&t.b, &t.mem, TABLES, s.mode ? 5 : 4);
	s.root = GCR3_ROOT;
	attach(s);
	set_pasid(pasid, s.glx);
}

static void end(void)
{
	guest_mem_destroy(&t.mem);
}

static int walk(u32 pasid, u64 iova, u32 access)
{
	struct iommu_walk w = {
		.mem = &t.mem,
		.limits = &t.limits,
		.base = &t.base,
		.lookup = lookup,
		.opaque = &t,
		.pasid = pasid,
		.iova = iova,
		.access = access,
	};

	return format()->walk(&w, &t.result);
}

static void check_fault(int ret, u32 code, enum iommu_fault_reason reason)
{
	CHECK_EQ(ret, -EFAULT);
	CHECK_EQ(t.result.code, code);
	CHECK_EQ(t.result.reason, reason);
	CHECK(t.result.why && *t.result.why);
	CHECK(!t.result.silent);
}

/* Requests. */

#define GOOD_ROOT 0x123456000ULL

static void good_gcr3(u8 *desc)
{
	gcr3_desc(desc, &(struct setup){.root = t.pt ? 0 : GOOD_ROOT});
}

static void expect(u8 wire_format, const u8 *desc, int ret)
{
	struct iommu_table table;

	CHECK_EQ(check(wire_format, desc, &table), ret);
}

/* Both formats take @check_one. */
static void each_format(void (*check_one)(void))
{
	for (int pt = 0; pt < 2; pt++) {
		begin_empty(pt);
		check_one();
		end();
	}
}

static void gcr3_is_accepted(void)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];
	struct iommu_table table, other;

	memset(&table, 0xff, sizeof(table));
	memset(&other, 0x55, sizeof(other));
	for (int i = 0; i < 24; i++) {
		struct setup s = {.root = t.pt ? 0 : GOOD_ROOT,
				  .glx = i % 3,
				  .giov = i / 3 % 2,
				  .mode = i / 6 % 2,
				  .gaupdatedis = i / 12};

		gcr3_desc(desc, &s);
		x86_put_desc(desc, 72, 4, 0xffff);
		CHECK_EQ(check(GCR3, desc, &table), 0);
		CHECK_EQ(table.wire_format, GCR3);
		CHECK_EQ(table.pasid, DMA_NO_PASID);
		CHECK_EQ(check(GCR3, desc, &other), 0);
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

	begin_empty(false);
	for (unsigned int bit = 0; bit < 12; bit++) {
		gcr3_desc(desc, &(struct setup){.root = GOOD_ROOT | 1ULL << bit});
		expect(GCR3, desc, -EINVAL);
	}
	for (t.limits.pa_bits = 32; t.limits.pa_bits <= 52; t.limits.pa_bits++) {
		for (unsigned int bit = 12; bit < 64; bit++) {
			gcr3_desc(desc, &(struct setup){.root = 1ULL << bit});
			expect(GCR3, desc, bit < t.limits.pa_bits ? 0 : -EINVAL);
		}
	}
	gcr3_desc(desc, &(struct setup){.root = 0});
	expect(GCR3, desc, -EINVAL);
	end();
}

TEST(gcr3_pointer_of_amd_pt_is_zero)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	begin_empty(true);
	for (unsigned int bit = 0; bit < 64; bit++) {
		gcr3_desc(desc, &(struct setup){.root = 1ULL << bit});
		expect(GCR3, desc, -EINVAL);
	}
	end();
}

TEST(gcr3_glx)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	for (int pt = 0; pt < 2; pt++) {
		begin_empty(pt);
		for (unsigned int glx = 0; glx < 256; glx++) {
			good_gcr3(desc);
			x86_put_desc(desc, 24, 1, glx);
			/* Whoever keeps the table itself ignores it. */
			expect(GCR3, desc, pt || glx <= 2 ? 0 : -EINVAL);
		}
		end();
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

	begin_empty(true);
	pt_desc(desc, GOOD_ROOT, 0xfffff);
	CHECK_EQ(check(PT, desc, &table), 0);
	CHECK_EQ(table.wire_format, PT);
	CHECK_EQ(table.pasid, 0xfffff);
	end();
}

TEST(pt_reserved_bytes_are_zero)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	begin_empty(true);
	for (unsigned int at = 13; at < 124; at++) {
		if (at >= 16 && at < 28)
			continue;
		for (unsigned int bit = 0; bit < 8; bit++) {
			pt_desc(desc, GOOD_ROOT, 1);
			x86_put_desc(desc, at, 1, 1 << bit);
			expect(PT, desc, -EINVAL);
		}
	}
	end();
}

TEST(pt_pointer_is_aligned_and_no_wider_than_gpas)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	begin_empty(true);
	for (unsigned int bit = 0; bit < 64; bit++) {
		pt_desc(desc, 1ULL << bit, 1);
		expect(PT, desc, bit >= 12 && bit < PA_BITS ? 0 : -EINVAL);
	}
	end();
}

TEST(pt_pasid_is_in_range)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	begin_empty(true);
	for (t.limits.pasid_bits = 0; t.limits.pasid_bits <= 20; t.limits.pasid_bits++) {
		/* PASID 0 may be that of accesses without one. */
		pt_desc(desc, GOOD_ROOT, 0);
		expect(PT, desc, 0);
		pt_desc(desc, GOOD_ROOT, (1U << t.limits.pasid_bits) - 1);
		expect(PT, desc, 0);
		pt_desc(desc, GOOD_ROOT, 1U << t.limits.pasid_bits);
		expect(PT, desc, -ERANGE);
		pt_desc(desc, GOOD_ROOT, ~0U);
		expect(PT, desc, -ERANGE);
	}
	pt_desc(desc, GOOD_ROOT | 1, ~0U);
	expect(PT, desc, -EINVAL);
	end();
}

TEST(attach_other_formats_are_not_offered)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE];

	for (unsigned int n = 0; n < 512; n++) {
		bool pt = n / 256;

		begin_empty(pt);
		good_gcr3(desc);
		expect(n % 256, desc, n % 256 == GCR3 || (pt && n % 256 == PT) ? 0 : -EOPNOTSUPP);
		end();
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
		ret = check(unit_rand() % 2 ? GCR3 : PT, desc, &table);
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

	for (t.limits.pasid_bits = 0; t.limits.pasid_bits <= 20; t.limits.pasid_bits++) {
		u64 pasmax = t.limits.pasid_bits ? t.limits.pasid_bits - 1 : 0;

		memset(buf, 0xff, sizeof(buf));
		CHECK_EQ(format()->property(&t.limits, buf), 40);
		memset(want, 0, sizeof(want));
		x86_put(want, 0, 0, 2, 5);
		x86_put(want, 0, 2, 2, 36);
		x86_put(want, 0, 8, 8, efr | pasmax << 32);
		/* GCR3TRPMode. */
		x86_put(want, 0, 16, 8, t.pt ? 0 : 1 << 3);
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
		begin(false, (struct setup){.glx = glx}, pasid < top ? pasid : 0);
		x86_build_map(&t.b, 0, 1, RAM | X86_ALL | X86_D, X86_ALL);
		if (pasid < top) {
			CHECK_EQ(walk(pasid, 0, DMA_READ), 0);
			CHECK_EQ(t.result.gpa, RAM);
			CHECK_EQ(t.result.access, DMA_READ | DMA_WRITE | DMA_EXEC);
			CHECK_EQ(t.result.pasid, pasid);
			CHECK_EQ(t.result.id, IOMMU_NO_ID);
			CHECK(!t.result.global);
			/* A neighbour has none. */
			check_fault(walk(pasid ^ 2, 0, DMA_READ), PAGE_FAULT, IOMMU_FAULT_DOMAIN);
		} else {
			check_fault(walk(pasid, 0, DMA_READ), PAGE_FAULT, IOMMU_FAULT_DOMAIN);
		}
		end();
	}
}

TEST(walk_gcr3_wider_pasid_does_not_wrap)
{
	begin(false, (struct setup){.glx = 0}, 3);
	x86_build_map(&t.b, 0, 1, RAM | X86_ALL, X86_ALL);
	CHECK_EQ(walk(3, 0, DMA_READ), 0);
	check_fault(walk(512 + 3, 0, DMA_READ), PAGE_FAULT, IOMMU_FAULT_DOMAIN);
	end();
}

TEST(walk_gcr3_entry_not_valid)
{
	for (unsigned int level = 0; level <= 2; level++) {
		begin(false, (struct setup){.glx = 2}, 7);
		x86_build_write(&t.mem, gcr3_entry(7, 2, level), ~1ULL);
		check_fault(walk(7, 0, DMA_READ), PAGE_FAULT, IOMMU_FAULT_DOMAIN);
		end();
	}
}

TEST(walk_gcr3_reserved_bits)
{
	for (unsigned int level = 0; level <= 2; level++) {
		begin(false, (struct setup){.glx = 2}, 7);
		x86_build_map(&t.b, 0, 1, RAM | X86_ALL, X86_ALL);
		for (unsigned int bit = 1; bit < 64; bit++) {
			u64 at = gcr3_entry(7, 2, level), entry = x86_build_read(&t.mem, at);

			if (bit >= 12 && bit < PA_BITS)
				continue;
			x86_build_write(&t.mem, at, entry | 1ULL << bit);
			check_fault(walk(7, 0, DMA_READ), PAGE_FAULT, IOMMU_FAULT_UNKNOWN);
			x86_build_write(&t.mem, at, entry);
			CHECK_EQ(walk(7, 0, DMA_READ), 0);
		}
		end();
	}
}

TEST(walk_gcr3_outside_memory)
{
	begin(false, (struct setup){.glx = 2}, 7);
	for (unsigned int level = 0; level <= 2; level++) {
		u64 at = gcr3_entry(7, 2, level), entry = x86_build_read(&t.mem, at);

		x86_build_write(&t.mem, at, 0xfee00000 | 1);
		check_fault(walk(7, 0, DMA_READ), HARDWARE_ERROR, IOMMU_FAULT_UNKNOWN);
		x86_build_write(&t.mem, at, entry);
	}
	t.limits.pa_bits = 52;
	x86_build_write(&t.mem, gcr3_entry(7, 2, 0), 1ULL << 51 | 1);
	check_fault(walk(7, 0, DMA_READ), HARDWARE_ERROR, IOMMU_FAULT_UNKNOWN);
	attach((struct setup){.root = 0xfee00000});
	check_fault(walk(7, 0, DMA_READ), HARDWARE_ERROR, IOMMU_FAULT_UNKNOWN);
	end();
}

TEST(walk_gcr3_in_itself)
{
	begin_empty(false);
	attach((struct setup){.root = GCR3_ROOT, .glx = 2});
	/* The table of GCR3s and the page tables are one page. */
	for (u64 at = 0; at < PAGE; at += 8)
		x86_build_write(&t.mem, GCR3_ROOT + at, GCR3_ROOT | 1);
	check_fault(walk(0x12345, 0, DMA_READ), PAGE_FAULT, IOMMU_FAULT_MAPPING);
	end();
}

TEST(walk_gcr3_entries_are_not_marked)
{
	for (unsigned int level = 0; level <= 2; level++) {
		begin(false, (struct setup){.glx = 2}, 7);
		x86_build_map(&t.b, 0, 1, RAM | X86_ALL, X86_ALL);
		CHECK_EQ(walk(7, 0, DMA_WRITE), 0);
		CHECK_EQ(x86_build_read(&t.mem, gcr3_entry(7, 2, level)) % PAGE, 1);
		end();
	}
}

TEST(walk_without_a_base)
{
	for (int pt = 0; pt < 2; pt++) {
		struct iommu_walk w = {.mem = &t.mem, .limits = &t.limits, .lookup = lookup};
		const u32 from[] = {0, 1, DMA_NO_PASID};

		begin(pt, (struct setup){0}, 1);
		w.opaque = &t;
		w.access = DMA_READ;
		for (unsigned int i = 0; i < ARRAY_SIZE(from); i++) {
			w.pasid = from[i];
			check_fault(format()->walk(&w, &t.result), PAGE_FAULT, IOMMU_FAULT_DOMAIN);
		}
		end();
	}
}

TEST(walk_device_kept_pasid_without_a_table)
{
	begin(true, (struct setup){0}, 1);
	x86_build_map(&t.b, 0, 1, RAM | X86_ALL, X86_ALL);
	CHECK_EQ(walk(1, 0, DMA_READ), 0);
	check_fault(walk(0, 0, DMA_READ), PAGE_FAULT, IOMMU_FAULT_DOMAIN);
	check_fault(walk(2, 0, DMA_READ), PAGE_FAULT, IOMMU_FAULT_DOMAIN);
	t.has_table = false;
	check_fault(walk(1, 0, DMA_READ), PAGE_FAULT, IOMMU_FAULT_DOMAIN);
	end();
}

/* Walks: accesses without a PASID. */

TEST(walk_without_giov_is_identity)
{
	const u64 iovas[] = {0, RAM + 5, 1ULL << 47, ~0ULL};

	for (unsigned int i = 0; i < 8; i++) {
		begin(i / 4, (struct setup){0}, 0);
		CHECK_EQ(walk(DMA_NO_PASID, iovas[i % 4], DMA_READ | DMA_WRITE), 0);
		CHECK_EQ(t.result.start, 0);
		CHECK_EQ(t.result.last, ~0ULL);
		CHECK_EQ(t.result.gpa, 0);
		CHECK_EQ(t.result.access, DMA_READ | DMA_WRITE | DMA_EXEC);
		CHECK_EQ(t.result.pasid, DMA_NO_PASID);
		end();
	}
}

TEST(walk_with_giov_is_of_pasid_0)
{
	for (int pt = 0; pt < 2; pt++) {
		begin(pt, (struct setup){.giov = 1}, 0);
		x86_build_map(&t.b, 0, 1, RAM | X86_ALL, X86_ALL);
		CHECK_EQ(walk(DMA_NO_PASID, 0, DMA_READ), 0);
		CHECK_EQ(t.result.gpa, RAM);
		CHECK_EQ(t.result.last, PAGE - 1);
		CHECK_EQ(t.result.pasid, 0);
		end();
		/* There is none. */
		begin(pt, (struct setup){.giov = 1}, 1);
		check_fault(walk(DMA_NO_PASID, 0, DMA_READ), PAGE_FAULT, IOMMU_FAULT_DOMAIN);
		end();
	}
}

TEST(walk_privilege_and_execute_need_a_pasid)
{
	for (int pt = 0; pt < 2; pt++) {
		begin(pt, (struct setup){.giov = 1}, 0);
		x86_build_map(&t.b, 0, 1, RAM | X86_ALL | X86_XD, X86_ALL);
		x86_build_map(&t.b, PAGE, 1, RAM | X86_P | X86_RW, X86_ALL);
		check_fault(walk(0, 0, DMA_READ | DMA_EXEC), PAGE_FAULT, IOMMU_FAULT_MAPPING);
		CHECK_EQ(walk(DMA_NO_PASID, 0, DMA_READ | DMA_EXEC), 0);
		CHECK_EQ(t.result.access, DMA_READ | DMA_EXEC);
		CHECK_EQ(walk(0, PAGE, DMA_READ | DMA_PRIV), 0);
		check_fault(walk(DMA_NO_PASID, PAGE, DMA_READ | DMA_PRIV), PAGE_FAULT,
			    IOMMU_FAULT_MAPPING);
		end();
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

		begin(pt, (struct setup){.mode = mode, .giov = giov}, 0);
		x86_build_map(&t.b, high, 1, RAM | X86_ALL, X86_ALL);
		CHECK_EQ(walk(pasid, high, DMA_READ), 0);
		CHECK_EQ(t.result.start, high);
		CHECK_EQ(t.result.gpa, RAM);
		for (unsigned int bit = bits; bit < 64; bit++)
			check_fault(walk(pasid, high | 1ULL << bit, DMA_READ), PAGE_FAULT,
				    IOMMU_FAULT_MAPPING);
		check_fault(walk(pasid, 0 - PAGE, DMA_READ), PAGE_FAULT, IOMMU_FAULT_MAPPING);
		end();
	}
}

TEST(walk_other_pasids_are_sign_extended)
{
	for (unsigned int i = 0; i < 4; i++) {
		bool pt = i % 2, mode = i / 2;
		unsigned int bits = mode ? 57 : 48;

		begin(pt, (struct setup){.mode = mode}, 1);
		x86_build_map(&t.b, 0 - PAGE, 1, RAM | X86_ALL, X86_ALL);
		CHECK_EQ(walk(1, 0 - PAGE, DMA_READ), 0);
		CHECK_EQ(t.result.start, 0 - PAGE);
		CHECK_EQ(t.result.last, ~0ULL);
		check_fault(walk(1, (1ULL << bits) - PAGE, DMA_READ), PAGE_FAULT,
			    IOMMU_FAULT_MAPPING);
		for (unsigned int bit = bits - 1; bit < 64; bit++)
			check_fault(walk(1, 1ULL << bit, DMA_READ), PAGE_FAULT,
				    IOMMU_FAULT_MAPPING);
		end();
	}
}

TEST(walk_maps_each_page_size)
{
	for (unsigned int i = 0; i < 2 * 2 * 3; i++) {
		bool pt = i % 2, mode = i / 2 % 2;
		unsigned int level = 1 + i / 4;
		u64 size = x86_build_size(level), iova = 0x123456789000ULL / size * size;

		begin(pt, (struct setup){.mode = mode}, 9);
		x86_build_map(&t.b, iova, level, 3 * GiB | X86_ALL, X86_ALL);
		CHECK_EQ(walk(9, iova + size - 1, DMA_WRITE), 0);
		CHECK_EQ(t.result.start, iova);
		CHECK_EQ(t.result.last, iova + size - 1);
		CHECK_EQ(t.result.gpa, 3 * GiB);
		end();
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
		begin(i % 3 == 0, (struct setup){.mode = levels == 5}, 9);
		x86_build_map(&t.b, iova & ~(x86_build_size(leaf) - 1), leaf, GiB | X86_ALL | X86_D,
			      X86_ALL);
		at = x86_build_entry(&t.b, iova, level);
		x86_build_write(&t.mem, at,
				x86_build_read(&t.mem, at) ^
					((bits & 1 ? X86_RW : 0) | (bits & 2 ? X86_US : 0) |
					 (bits & 4 ? X86_XD : 0)));
		ret = walk(9, iova, access | (priv ? DMA_PRIV : 0));
		if ((bits & 2 && !priv) || (access & DMA_WRITE && bits & 1) ||
		    (access & DMA_EXEC && bits & 4)) {
			check_fault(ret, PAGE_FAULT, IOMMU_FAULT_MAPPING);
		} else {
			CHECK_EQ(ret, 0);
			CHECK_EQ(t.result.access,
				 DMA_READ | (bits & 1 ? 0 : DMA_WRITE) | (bits & 4 ? 0 : DMA_EXEC));
		}
		end();
	}
}

TEST(walk_marks_accessed_and_dirty)
{
	for (int pt = 0; pt < 2; pt++) {
		u64 at;

		begin(pt, (struct setup){0}, 9);
		x86_build_map(&t.b, 0, 1, RAM | X86_ALL, X86_ALL);
		at = x86_build_entry(&t.b, 0, 1);
		CHECK_EQ(walk(9, 0, DMA_READ), 0);
		CHECK_EQ(t.result.access, DMA_READ | DMA_EXEC);
		CHECK_EQ(x86_build_read(&t.mem, at), RAM | X86_ALL | X86_A);
		CHECK_EQ(walk(9, 0, DMA_WRITE), 0);
		CHECK_EQ(t.result.access, DMA_READ | DMA_WRITE | DMA_EXEC);
		CHECK_EQ(x86_build_read(&t.mem, at), RAM | X86_ALL | X86_A | X86_D);
		for (unsigned int level = 2; level <= 4; level++)
			CHECK_EQ(x86_build_read(&t.mem, x86_build_entry(&t.b, 0, level)) % PAGE,
				 X86_ALL | X86_A);
		end();
	}
}

TEST(walk_with_gaupdatedis_marks_nothing)
{
	for (int pt = 0; pt < 2; pt++) {
		begin(pt, (struct setup){.gaupdatedis = 1}, 9);
		x86_build_map(&t.b, 0, 1, RAM | X86_ALL, X86_ALL);
		CHECK_EQ(walk(9, 0, DMA_READ), 0);
		/* There is nothing to wait for before a write. */
		CHECK_EQ(t.result.access, DMA_READ | DMA_WRITE | DMA_EXEC);
		CHECK_EQ(walk(9, 0, DMA_WRITE), 0);
		for (unsigned int level = 1; level <= 4; level++)
			CHECK_EQ(x86_build_read(&t.mem, x86_build_entry(&t.b, 0, level)) % PAGE,
				 X86_ALL);
		end();
	}
}

TEST(walk_faults_by_reason)
{
	for (int pt = 0; pt < 2; pt++) {
		u64 at;

		begin(pt, (struct setup){0}, 9);
		check_fault(walk(9, 0, DMA_READ), PAGE_FAULT, IOMMU_FAULT_MAPPING);
		x86_build_map(&t.b, 0, 1, RAM | X86_ALL, X86_ALL);
		at = x86_build_entry(&t.b, 0, 4);
		x86_build_write(&t.mem, at, x86_build_read(&t.mem, at) | X86_PS);
		check_fault(walk(9, 0, DMA_READ), PAGE_FAULT, IOMMU_FAULT_UNKNOWN);
		x86_build_write(&t.mem, at, 0xfee00000 | X86_ALL);
		check_fault(walk(9, 0, DMA_READ), HARDWARE_ERROR, IOMMU_FAULT_UNKNOWN);
		end();
		begin(pt, (struct setup){0}, 9);
		t.b.root = 0xfee00000;
		set_pasid(9, 0);
		check_fault(walk(9, 0, DMA_READ), HARDWARE_ERROR, IOMMU_FAULT_UNKNOWN);
		end();
	}
}

/* Random tables against the reference. */

static const struct {
	u32 code;
	enum iommu_fault_reason reason;
} ends[REF_ENDS] = {
	[REF_ADDRESS] = {PAGE_FAULT, IOMMU_FAULT_MAPPING},
	[REF_ROOT_UNREADABLE] = {HARDWARE_ERROR, IOMMU_FAULT_UNKNOWN},
	[REF_UNREADABLE] = {HARDWARE_ERROR, IOMMU_FAULT_UNKNOWN},
	[REF_NOT_PRESENT] = {PAGE_FAULT, IOMMU_FAULT_MAPPING},
	[REF_RESERVED] = {PAGE_FAULT, IOMMU_FAULT_UNKNOWN},
	[REF_USER] = {PAGE_FAULT, IOMMU_FAULT_MAPPING},
	[REF_WRITE] = {PAGE_FAULT, IOMMU_FAULT_MAPPING},
	[REF_EXEC] = {PAGE_FAULT, IOMMU_FAULT_MAPPING},
};

/* What the GCR3 table has for a PASID. */
enum gcr3_end {
	GCR3_FOUND = REF_ENDS,
	GCR3_NONE,
	GCR3_UNREADABLE,
	GCR3_RESERVED,
	ALL_ENDS,
};

static enum gcr3_end ref_gcr3(const struct guest_mem *mem, u64 root, unsigned int glx,
			      unsigned int pa_bits, u32 pasid, u64 *found)
{
	u64 entry, rest;

	for (unsigned int level = glx; level + 1 > 0; level--) {
		if (level == glx && pasid / 512 >> 9 * glx)
			return GCR3_NONE;
		if (!guest_mem_ptr(mem, root + 8 * gcr3_index(pasid, level), 8))
			return GCR3_UNREADABLE;
		entry = x86_build_read(mem, root + 8 * gcr3_index(pasid, level));
		if (entry % 2 == 0)
			return GCR3_NONE;
		rest = entry - 1;
		root = rest / PAGE * PAGE;
		if (rest % PAGE || root >= 1ULL << pa_bits)
			return GCR3_RESERVED;
	}
	*found = root;
	return GCR3_FOUND;
}

static u64 gcr3_pages[4];

/* One access with everything random but the memory. */
static unsigned int compare_one(struct x86_twins *twins, unsigned int pa_bits)
{
	static const u32 accesses[] = {DMA_READ, DMA_WRITE, DMA_READ | DMA_WRITE,
				       DMA_READ | DMA_EXEC};
	u64 page = unit_rand() % 8 ? gcr3_pages[unit_rand() % 4] : x86_twins_page();
	u64 root = page % (1ULL << pa_bits), iova = x86_random_iova();
	struct setup s = {.root = root ? root : PAGE,
			  .glx = unit_rand() % 3,
			  .giov = unit_rand() % 4 > 0,
			  .mode = unit_rand() % 2,
			  .gaupdatedis = unit_rand() % 2};
	u32 access = accesses[unit_rand() % 4], pasid = unit_rand() % (1 << unit_rand() % 21);
	bool priv = unit_rand() % 4 == 0, has_pasid = unit_rand() % 4;
	u32 served = has_pasid ? pasid : 0;
	struct x86_ref ref = {
		.root = root,
		.levels = s.mode ? 5 : 4,
		.pa_bits = pa_bits,
		.sign_extended = served != 0,
		.supervisor = priv && has_pasid,
		.write_protect = true,
		.update = !s.gaupdatedis,
	};
	struct iommu_walk w = {
		.mem = &twins->mem,
		.limits = &t.limits,
		.base = &t.base,
		.lookup = lookup,
		.opaque = &t,
		.pasid = has_pasid ? pasid : DMA_NO_PASID,
		.iova = iova,
		.access = access | (priv ? DMA_PRIV : 0),
	};
	struct x86_ref_result want = {0};
	unsigned int how = GCR3_FOUND;
	struct iommu_walk_result got;
	int ret;

	t.limits.pa_bits = pa_bits;
	t.b.root = root;
	attach(s);
	if (t.pt)
		set_pasid(served, 0);
	ret = format()->walk(&w, &got);
	if (!has_pasid && !s.giov) {
		CHECK_EQ(ret, 0);
		CHECK_EQ(got.last, ~0ULL);
		return REF_DONE;
	}
	if (!t.pt)
		how = ref_gcr3(&twins->ref, s.root, s.glx, pa_bits, served, &ref.root);
	if (how == GCR3_FOUND) {
		how = x86_ref_walk(&twins->ref, &ref, iova, access & DMA_WRITE,
				   access & DMA_EXEC && has_pasid, &want);
		if (how != REF_DONE) {
			CHECK_EQ(got.code, ends[how].code);
			CHECK_EQ(got.reason, ends[how].reason);
		}
	} else {
		CHECK_EQ(got.code, how == GCR3_UNREADABLE ? HARDWARE_ERROR : PAGE_FAULT);
		CHECK_EQ(got.reason, how == GCR3_NONE ? IOMMU_FAULT_DOMAIN : IOMMU_FAULT_UNKNOWN);
	}
	CHECK_EQ(ret, how == REF_DONE ? 0 : -EFAULT);
	if (how != REF_DONE)
		return how;
	CHECK_EQ(got.start, want.start);
	CHECK_EQ(got.last, want.last);
	CHECK_EQ(got.gpa, want.gpa);
	CHECK_EQ(got.pasid, served);
	CHECK_EQ(got.access, DMA_READ | (want.write ? DMA_WRITE : 0) |
				     (want.exec || !has_pasid ? DMA_EXEC : 0));
	return how;
}

/* Some pages get entries of GCR3 tables, which are not likely among the others. */
static void add_gcr3_tables(struct x86_twins *twins)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(gcr3_pages); i++)
		gcr3_pages[i] = x86_twins_page();
	for (unsigned int n = 0; n < ARRAY_SIZE(gcr3_pages) * 512; n++) {
		u64 at = gcr3_pages[n / 512] + n % 512 * 8;
		u64 entry = unit_rand() % 2 ? gcr3_pages[unit_rand() % 4] : x86_twins_page();

		if (!guest_mem_ptr(&twins->mem, at, 8))
			continue;
		entry |= unit_rand() % 16 > 0;
		if (unit_rand() % 32 == 0)
			entry |= 1ULL << unit_rand() % 64;
		x86_build_write(&twins->mem, at, entry);
		x86_build_write(&twins->ref, at, entry);
	}
}

static void fuzz(bool pt, bool garbage)
{
	unsigned int seen[ALL_ENDS] = {0};
	struct x86_twins twins;

	memset(&t, 0, sizeof(t));
	t.pt = pt;
	t.limits.pasid_bits = PASID_BITS;
	x86_twins_create(&twins);
	for (int i = 0; i < (garbage ? 10 : 60); i++) {
		unsigned int pa_bits = 34 + unit_rand() % 19;

		if (garbage)
			x86_twins_garbage(&twins);
		else
			x86_twins_tables(&twins, pa_bits);
		if (pt)
			for (unsigned int n = 0; n < ARRAY_SIZE(gcr3_pages); n++)
				gcr3_pages[n] = x86_twins_page();
		else
			add_gcr3_tables(&twins);
		for (int n = 0; n < 2000; n++)
			seen[compare_one(&twins, pa_bits)]++;
		CHECK(x86_twins_equal(&twins));
	}
	/* Each end was there. */
	for (unsigned int how = 0; how < ALL_ENDS && !garbage; how++)
		CHECK(how == GCR3_FOUND || (pt && how > GCR3_FOUND) || seen[how] > 0);
	x86_twins_destroy(&twins);
}

TEST(fuzz_random_tables_of_amd)
{
	fuzz(false, false);
}

TEST(fuzz_random_tables_of_amd_pt)
{
	fuzz(true, false);
}

TEST(fuzz_arbitrary_memory_of_amd)
{
	fuzz(false, true);
}

TEST(fuzz_arbitrary_memory_of_amd_pt)
{
	fuzz(true, true);
}
