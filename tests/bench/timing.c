// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "timing.h"

u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

u64 next_rand(void)
{
	static u64 state = 1;
	u64 z = state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

void shuffle(u64 *numbers, u64 nr)
{
	for (u64 i = nr; i > 1; i--) {
		u64 j = next_rand() % i, tmp = numbers[i - 1];

		numbers[i - 1] = numbers[j];
		numbers[j] = tmp;
	}
}

void *must_alloc(size_t nr, size_t size)
{
	void *mem = calloc(nr, size);

	must(mem, "no memory");
	return mem;
}

void must(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "%s\n", what);
		exit(1);
	}
}

static int compare_u64(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return (x > y) - (x < y);
}

/* Of the half in the middle, which is finer than the clock. */
static double mean(u64 *times, u64 nr)
{
	u64 sum = 0, from = nr / 4, to = nr - nr / 4;

	qsort(times, nr, sizeof(*times), compare_u64);
	for (u64 i = from; i < to; i++)
		sum += times[i];
	return (double)sum / (to - from);
}

static double clock_cost(void)
{
	static double cost;
	u64 costs[10001];

	if (!cost) {
		for (size_t i = 0; i < ARRAY_SIZE(costs); i++) {
			costs[i] = now_ns();
			costs[i] = now_ns() - costs[i];
		}
		cost = mean(costs, ARRAY_SIZE(costs));
	}
	return cost;
}

double per_op(u64 *times, u64 steps, unsigned int batch)
{
	return (mean(times, steps) - clock_cost()) / batch;
}

void print_ns(const char *measure, const char *who, double ns)
{
	printf("%s|%s|%.1f|ns\n", measure, who, ns);
}
