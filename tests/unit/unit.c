// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "unit.h"

static struct unit_test *tests;
static struct unit_test **tests_end = &tests;
static bool failed; /* the running test; atomic, because threads check too */

static unsigned long long seed;
static bool have_seed;
static u64 rand_state;

void unit_register(struct unit_test *test)
{
	*tests_end = test;
	tests_end = &test->next;
}

void unit_failed(const char *file, int line, const char *what)
{
	printf("# %s:%d: not true: %s\n", file, line, what);
	__atomic_store_n(&failed, true, __ATOMIC_RELAXED);
}

static void format_int(char buf[64], __int128 val)
{
	if (val < 0)
		snprintf(buf, 64, "%" PRId64, (s64)val);
	else
		snprintf(buf, 64, "%" PRIu64 " (0x%" PRIx64 ")", (u64)val, (u64)val);
}

void unit_failed_eq(const char *file, int line, const char *what, __int128 a, __int128 b)
{
	char abuf[64], bbuf[64];

	format_int(abuf, a);
	format_int(bbuf, b);
	unit_failed(file, line, what);
	printf("#     left  %s\n#     right %s\n", abuf, bbuf);
}

bool unit_check_str_eq(const char *file, int line, const char *what, const char *a, const char *b)
{
	if (a == b || (a && b && !strcmp(a, b)))
		return true;
	unit_failed(file, line, what);
	printf("#     left  %s\n#     right %s\n", a ? a : "(null)", b ? b : "(null)");
	return false;
}

unsigned long long unit_seed(void)
{
	const char *env = getenv("LKVM_SEED");
	char *end;

	if (have_seed)
		return seed;
	if (env) {
		errno = 0;
		seed = strtoull(env, &end, 0);
		if (errno || end == env || *end) {
			fprintf(stderr, "LKVM_SEED=%s: not a number\n", env);
			exit(2);
		}
	} else if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) {
		perror("getrandom");
		exit(2);
	}
	have_seed = true;
	printf("# seed %llu\n", seed);
	return seed;
}

/* splitmix64: any seed is good, 0 included. */
u64 unit_rand(void)
{
	u64 z;

	rand_state += 0x9e3779b97f4a7c15ULL;
	z = rand_state + unit_seed();
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

u64 unit_below(u64 n)
{
	return unit_rand() % n;
}

unsigned int unit_open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int nr = 0;

	if (!dir) {
		perror("/proc/self/fd");
		exit(2);
	}
	while (readdir(dir))
		nr++;
	closedir(dir);
	return nr;
}

__attribute__((weak)) int unit_main_hook(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return -1;
}

static int run_tests(const char *only)
{
	unsigned int nr = 0, i = 0, nr_failed = 0;
	struct unit_test *test;

	for (test = tests; test; test = test->next)
		nr += !only || !strcmp(test->name, only);
	if (!nr) {
		fprintf(stderr, "no test %s\n", only ? only : "here");
		return 2;
	}

	printf("1..%u\n", nr);
	for (test = tests; test; test = test->next) {
		if (only && strcmp(test->name, only))
			continue;
		__atomic_store_n(&failed, false, __ATOMIC_RELAXED);
		rand_state = 0;
		test->run();
		if (__atomic_load_n(&failed, __ATOMIC_RELAXED)) {
			printf("not ok %u - %s\n", ++i, test->name);
			nr_failed++;
		} else {
			printf("ok %u - %s\n", ++i, test->name);
		}
	}
	return nr_failed ? 1 : 0;
}

/* Weak: a benchmark that uses the helpers has its own. */
__attribute__((weak)) int main(int argc, char **argv)
{
	int ret;

	/* What was found before a crash has to be seen. */
	setvbuf(stdout, NULL, _IOLBF, 0);

	if (argc == 1)
		return run_tests(NULL);
	if (argc == 3 && !strcmp(argv[1], "--only"))
		return run_tests(argv[2]);

	ret = unit_main_hook(argc, argv);
	if (ret < 0) {
		fprintf(stderr, "%s: unknown argument '%s'; try --only TEST\n", argv[0], argv[1]);
		return 2;
	}
	return ret;
}
