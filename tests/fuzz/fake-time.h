/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CLOCK_MONOTONIC of a target that is linked with FUZZ_WRAP := clock_gettime: time goes by only
 * when somebody looks at it, so that an input always does the same.
 */
#ifndef LKVM_TESTS_FAKE_TIME_H
#define LKVM_TESTS_FAKE_TIME_H

#include "util/types.h"

struct fake_time {
	bool on; /* else it is the host's */
	u64 now_us;
	u64 step_us; /* from one look to the next */
	void (*looked)(void); /* what others do meanwhile; may be NULL */
};

extern struct fake_time fake_time;

#endif /* LKVM_TESTS_FAKE_TIME_H */
