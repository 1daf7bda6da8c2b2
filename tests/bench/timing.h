/* SPDX-License-Identifier: GPL-2.0-only */
/* What the benchmarks of single operations share. They exit when something is not as it should. */
#ifndef LKVM_TESTS_TIMING_H
#define LKVM_TESTS_TIMING_H

#include "util/types.h"

/* How often what costs some nanoseconds is done, to be told from what else the machine does. */
#define MIN_OPS (1 << 19)

u64 now_ns(void);

/* The same numbers in each run. */
u64 next_rand(void);

void shuffle(u64 *numbers, u64 nr);

/* Zeroed. */
void *must_alloc(size_t nr, size_t size);
void must(bool ok, const char *what);

/*
 * Of @steps times of @batch operations each, in ns: what one costs, without that of looking at the
 * clock. The mean of the middle half: what else runs on the machine disturbs some of them, not
 * most. Sorts @times.
 */
double per_op(u64 *times, u64 steps, unsigned int batch);

/* A line for the table of benchmarks, see table.awk. */
void print_ns(const char *measure, const char *who, double ns);

#endif /* LKVM_TESTS_TIMING_H */
