/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest memory in which tests build I/O page tables: a bank where all is allocated, and two small
 * ones behind addresses that need 45 and 52 bits.
 */
#ifndef LKVM_TESTS_TABLE_MEMORY_H
#define LKVM_TESTS_TABLE_MEMORY_H

#include "vm/memory.h"

#define TABLE_BANK	(64 * MiB)
#define TABLE_BANK_SIZE (128 * MiB)
#define TABLE_BANK_45	(1ULL << 44)
#define TABLE_BANK_52	(1ULL << 51)
#define TABLE_SIDE_SIZE (4 * MiB)

struct table_memory {
	struct guest_mem mem;
	u64 next; /* what was not allocated yet, in the first bank */
};

/* All zero. Exits if the host has no memory. */
void table_memory_init(struct table_memory *tm);
void table_memory_destroy(struct table_memory *tm);

/* Forgets all that was allocated in the first bank, and zeroes it. */
void table_memory_reset(struct table_memory *tm);

/* @size bytes, a power of two, aligned to it. */
u64 table_alloc(struct table_memory *tm, u64 size);

/* A little-endian word, which is there. */
u64 table_get(const struct table_memory *tm, u64 gpa);
void table_put(const struct table_memory *tm, u64 gpa, u64 val);

/* Bits hi to lo of @val, as a manual names them. */
static inline u64 bits(u64 val, unsigned int hi, unsigned int lo)
{
	return val << (63 - hi) >> (63 - hi + lo);
}

#endif /* LKVM_TESTS_TABLE_MEMORY_H */
