// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "table-memory.h"

void table_memory_init(struct table_memory *tm)
{
	*tm = (struct table_memory){.next = TABLE_BANK};
	if (guest_mem_add_bank(&tm->mem, TABLE_BANK, TABLE_BANK_SIZE) ||
	    guest_mem_add_bank(&tm->mem, TABLE_BANK_45, TABLE_SIDE_SIZE) ||
	    guest_mem_add_bank(&tm->mem, TABLE_BANK_52, TABLE_SIDE_SIZE))
		exit(2);
}

void table_memory_destroy(struct table_memory *tm)
{
	guest_mem_destroy(&tm->mem);
}

void table_memory_reset(struct table_memory *tm)
{
	memset(guest_mem_ptr(&tm->mem, TABLE_BANK, TABLE_BANK_SIZE), 0, tm->next - TABLE_BANK);
	tm->next = TABLE_BANK;
}

u64 table_alloc(struct table_memory *tm, u64 size)
{
	u64 gpa = align_up(tm->next, size);

	tm->next = gpa + size;
	if (tm->next > TABLE_BANK + TABLE_BANK_SIZE) {
		fprintf(stderr, "table_alloc: no memory left\n");
		exit(2);
	}
	return gpa;
}

static u64 *word(const struct table_memory *tm, u64 gpa)
{
	u64 *p = guest_mem_ptr(&tm->mem, gpa, sizeof(u64));

	if (!p) {
		fprintf(stderr, "no memory at 0x%llx\n", (unsigned long long)gpa);
		exit(2);
	}
	return p;
}

u64 table_get(const struct table_memory *tm, u64 gpa)
{
	return le64toh(READ_ONCE(*word(tm, gpa)));
}

void table_put(const struct table_memory *tm, u64 gpa, u64 val)
{
	WRITE_ONCE(*word(tm, gpa), htole64(val));
}
