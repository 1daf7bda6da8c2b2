/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calls that take something from the host (memory, descriptors, threads, files) and fail as a test
 * says. For programs test-fail-*, which the Makefile links so that these calls lead here.
 */
#ifndef LKVM_TESTS_FAIL_NTH_H
#define LKVM_TESTS_FAIL_NTH_H

#include "util/types.h"

/* From now on the @nth call fails, counted from 1; with @onward all that follow it, too. */
void fail_begin(unsigned int nth, bool onward);

/* None fails any more. Returns whether one did. */
bool fail_end(void);

/* For a test's own calls, where it has put something in the place of a library's function. */
bool fail_now(void);

/* What a test takes stock of: blocks that were allocated less those that were freed, and so on. */
struct stock {
	s64 blocks;
	unsigned int fds, threads;
};

struct stock take_stock(void);

/* Whether nothing more is there than before; prints what. */
bool same_stock(const struct stock *before);

#endif /* LKVM_TESTS_FAIL_NTH_H */
