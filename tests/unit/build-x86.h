/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page tables of x86-64 in guest memory, and a reference walker that is slow and obvious. Both
 * are made from the description of the format in docs/page-tables.md and share nothing with what
 * they test.
 */
#ifndef LKVM_TESTS_BUILD_X86_H
#define LKVM_TESTS_BUILD_X86_H

#include "iommu/format.h"
#include "util/types.h"
#include "vm/memory.h"

/*
 * A field of @size bytes at byte @at of a request ATTACH_TABLE, or of a property, whose byte
 * @begins is in buf[0].
 */
void x86_put(u8 *buf, unsigned int begins, unsigned int at, unsigned int size, u64 val);

/* ATTACH_TABLE's descriptor. */
#define x86_put_desc(desc, at, size, val) x86_put(desc, 13, at, size, val)

/* An entry. */
#define X86_P	(1ULL << 0)
#define X86_RW	(1ULL << 1)
#define X86_US	(1ULL << 2)
#define X86_A	(1ULL << 5)
#define X86_D	(1ULL << 6)
#define X86_PS	(1ULL << 7)
#define X86_G	(1ULL << 8)
#define X86_EA	(1ULL << 10)
#define X86_PAT (1ULL << 12) /* of a large leaf */
#define X86_XD	(1ULL << 63)
#define X86_ALL (X86_P | X86_RW | X86_US)

struct x86_build {
	struct guest_mem *mem;
	u64 next; /* pages for tables from here on */
	unsigned int levels;
	u64 root;
};

/* A root table, and room for others from @pages on. */
void x86_build_init(struct x86_build *b, struct guest_mem *mem, u64 pages, unsigned int levels);

/* A page of zeroes. */
u64 x86_build_page(struct x86_build *b);

/* Where the entry of @level is that @iova leads through; there has to be a table. */
u64 x86_build_entry(struct x86_build *b, u64 iova, unsigned int level);

/*
 * A leaf of @level (1: 4 KiB, 2: 2 MiB, 3: 1 GiB) for @iova, @entry but for P and PS. Tables above
 * that are not there are made, with @table_bits and P.
 */
void x86_build_map(struct x86_build *b, u64 iova, unsigned int level, u64 entry, u64 table_bits);

u64 x86_build_read(const struct guest_mem *mem, u64 gpa);
void x86_build_write(const struct guest_mem *mem, u64 gpa, u64 entry);

/* The size of a leaf. */
u64 x86_build_size(unsigned int level);

/* How an access ends, in the order in which that is looked at. */
enum x86_ref_end {
	REF_ADDRESS,
	REF_ROOT_UNREADABLE,
	REF_UNREADABLE,
	REF_NOT_PRESENT,
	REF_RESERVED,
	REF_USER,
	REF_WRITE,
	REF_EXEC,
	REF_DONE,
	REF_ENDS,
};

struct x86_ref {
	u64 root;
	unsigned int levels, pa_bits;
	bool sign_extended, supervisor, write_protect, update, extended_accessed;
	bool top_no_global; /* G is reserved in levels 4 and 5 */
};

struct x86_ref_result {
	u64 start, last, gpa;
	bool write, exec;
};

/* Translates, and marks the entries in memory. */
enum x86_ref_end x86_ref_walk(const struct guest_mem *mem, const struct x86_ref *ref, u64 iova,
			      bool write, bool exec, struct x86_ref_result *result);

/*
 * Two memories with the same small banks: a walk in one and the reference's in the other have to
 * leave the same behind.
 */
struct x86_twins {
	struct guest_mem mem, ref;
};

void x86_twins_create(struct x86_twins *twins);
void x86_twins_destroy(struct x86_twins *twins);

/* Fills both with entries: likely ones, that lead to each other, or any bits at all. */
void x86_twins_tables(struct x86_twins *twins, unsigned int pa_bits);
void x86_twins_garbage(struct x86_twins *twins);

/* An entry in both; a random one in a random place, or nowhere. */
void x86_twins_write(struct x86_twins *twins, u64 gpa, u64 entry);
void x86_twins_random(struct x86_twins *twins, unsigned int pa_bits);

/* Zeroes both. */
void x86_twins_clear(struct x86_twins *twins);

bool x86_twins_equal(const struct x86_twins *twins);

/* A page of these banks; sometimes of nowhere. */
u64 x86_twins_page(void);

/* An address that is likely canonical for 48 or 57 bits, and often at an end of a table. */
u64 x86_random_iova(void);

#endif /* LKVM_TESTS_BUILD_X86_H */
