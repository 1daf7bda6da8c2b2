/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A unit test program is one test-*.c with TEST() bodies, linked with unit.c and
 * what it tests. Tests run in the order of the file and print TAP; the exit status
 * is 1 when one failed. "--only NAME" runs a single test.
 */
#ifndef LKVM_TESTS_UNIT_H
#define LKVM_TESTS_UNIT_H

#include "util/types.h"

struct unit_test {
	const char *name;
	void (*run)(void);
	struct unit_test *next;
};

void unit_register(struct unit_test *test);

/* TEST(name) { ... } */
#define TEST(name)                                                          \
	static void test_##name(void);                                      \
	static struct unit_test unit_##name = {#name, test_##name, NULL};   \
	__attribute__((constructor)) static void unit_register_##name(void) \
	{                                                                   \
		unit_register(&unit_##name);                                \
	}                                                                   \
	static void test_##name(void)

/*
 * Each is an expression that is true when the check held. One that did not marks
 * the running test failed and prints where; the test goes on, unless it looks at
 * the result. Any thread may use them.
 */
#define CHECK(cond) unit_check(__FILE__, __LINE__, #cond, (cond) ? true : false)

/* Integers of any type and sign, compared by value. */
#define CHECK_EQ(a, b) unit_check_eq(__FILE__, __LINE__, #a " == " #b, (__int128)(a), (__int128)(b))

/* Either may be NULL. */
#define CHECK_STR_EQ(a, b) unit_check_str_eq(__FILE__, __LINE__, #a " == " #b, (a), (b))

void unit_failed(const char *file, int line, const char *what);
void unit_failed_eq(const char *file, int line, const char *what, __int128 a, __int128 b);
/* Here in the header, so that static analysis sees what holds behind a check. */
static inline bool unit_check(const char *file, int line, const char *what, bool ok)
{
	if (!ok)
		unit_failed(file, line, what);
	return ok;
}

static inline bool unit_check_eq(const char *file, int line, const char *what, __int128 a,
				 __int128 b)
{
	if (a != b)
		unit_failed_eq(file, line, what, a, b);
	return a == b;
}

bool unit_check_str_eq(const char *file, int line, const char *what, const char *a, const char *b);

/*
 * The seed of unit_rand(): LKVM_SEED of the environment, else a fresh one. The first
 * call prints it.
 */
unsigned long long unit_seed(void);

/*
 * Pseudo-random, and the same sequence for the same seed in each test, whichever
 * tests ran before. One thread only.
 */
u64 unit_rand(void);

/* The same, below @n. */
u64 unit_below(u64 n);

/* How many file descriptors are open; the same number means that none was left. */
unsigned int unit_open_fds(void);

/*
 * A test program may define it to add modes of its own: main() calls it when it does
 * not know argv[1]. The result is the exit status, or negative if the hook does not
 * know it either.
 */
int unit_main_hook(int argc, char **argv);

#endif /* LKVM_TESTS_UNIT_H */
