/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_UTIL_LOCK_H
#define LKVM_UTIL_LOCK_H

#include <pthread.h>
#include <time.h>

#include "util/types.h"

/*
 * Locks @mutex if that is possible until @deadline (CLOCK_MONOTONIC); tries once if that is
 * over. By looks, 100 us apart, and not by pthread_mutex_clocklock(), which thread
 * sanitizers do not know.
 */
bool mutex_lock_until(pthread_mutex_t *mutex, const struct timespec *deadline);

#endif /* LKVM_UTIL_LOCK_H */
