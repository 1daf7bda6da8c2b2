/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A fuzz target is one fuzz-NAME.c with fuzz_one(), linked with fuzz.c, libFuzzer, what it tests,
 * and the guests of the unit tests. It takes its decisions and its data from the input, and
 * whatever the input is, the same happens each time. A check that fails ends the program, and the
 * input is kept.
 *
 * For the guests, unit_rand() and unit_below() take from the input, too.
 */
#ifndef LKVM_TESTS_FUZZ_H
#define LKVM_TESTS_FUZZ_H

#include "unit.h"
#include "util/types.h"

/* The target's: once, before the first input; and for each input. */
void fuzz_begin(void);
void fuzz_one(void);

/* Whether there is any input left. What is taken behind its end is zero. */
bool fuzz_more(void);

/* Takes a number of @size bytes, little-endian. */
u64 fuzz_int(unsigned int size);
bool fuzz_bool(void);

/* Takes @len bytes. */
void fuzz_take(void *buf, size_t len);

/* Takes all that is left; it stays until fuzz_one() returns. */
const u8 *fuzz_rest(size_t *len);

/* A number that is likely to matter: small, near a power of two or to the last one there is. */
u64 fuzz_number(void);

/*
 * Changes a good file of *@size bytes, which is not 0, as the rest of the input says: mostly its
 * first @head bytes, and sometimes its size, to a smaller one.
 */
void fuzz_change(u8 *file, u64 *size, u64 head);

/* One of an array. */
#define fuzz_pick(array) ((array)[unit_below(ARRAY_SIZE(array))])

#endif /* LKVM_TESTS_FUZZ_H */
