/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counters that any thread reads, and one at a time raises: that is a load and a store, and no
 * locked instruction.
 */
#ifndef LKVM_UTIL_COUNTER_H
#define LKVM_UTIL_COUNTER_H

#include <stdatomic.h>

#include "util/types.h"

static inline u64 counter_get(const _Atomic u64 *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static inline void counter_add(_Atomic u64 *counter, u64 n)
{
	atomic_store_explicit(counter, counter_get(counter) + n, memory_order_relaxed);
}

#endif /* LKVM_UTIL_COUNTER_H */
