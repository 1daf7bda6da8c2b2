/* SPDX-License-Identifier: GPL-2.0-only */
/* Words that an input puts into the memory for tables, which the next input finds empty. */
#ifndef LKVM_TESTS_TABLE_POKE_H
#define LKVM_TESTS_TABLE_POKE_H

#include "table-memory.h"

/* So many pages of the first bank, then as many of the others, are what is used. */
#define POKE_PAGES	16
#define POKE_SIDE_PAGES 2

/* The GPA of one of these pages; sometimes of nowhere. */
u64 poke_page(void);

/* Writes a word, where there is memory. Drops it after some thousands. */
void poke_word(const struct table_memory *tm, u64 gpa, u64 val);

/* Zeroes what was written. */
void poke_undo(const struct table_memory *tm);

#endif /* LKVM_TESTS_TABLE_POKE_H */
