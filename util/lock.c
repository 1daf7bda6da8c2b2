// SPDX-License-Identifier: GPL-2.0-only
#include "util/lock.h"

static bool is_over(const struct timespec *deadline)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > deadline->tv_sec ||
	       (now.tv_sec == deadline->tv_sec && now.tv_nsec >= deadline->tv_nsec);
}

bool mutex_lock_until(pthread_mutex_t *mutex, const struct timespec *deadline)
{
	static const struct timespec look = {.tv_nsec = 100000};

	while (pthread_mutex_trylock(mutex)) {
		if (is_over(deadline))
			return false;
		nanosleep(&look, NULL);
	}
	return true;
}
