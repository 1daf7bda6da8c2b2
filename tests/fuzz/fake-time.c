// SPDX-License-Identifier: GPL-2.0-only
#include <time.h>

#include "fake-time.h"

struct fake_time fake_time;

int __real_clock_gettime(clockid_t clock, struct timespec *ts);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ts);

int __wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
	if (!fake_time.on || clock != CLOCK_MONOTONIC)
		return __real_clock_gettime(clock, ts);
	if (fake_time.looked)
		fake_time.looked();
	fake_time.now_us += fake_time.step_us;
	ts->tv_sec = fake_time.now_us / 1000000;
	ts->tv_nsec = fake_time.now_us % 1000000 * 1000;
	return 0;
}
