// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "capture.h"
#include "unit.h"
#include "util/parse.h"

#define UNTOUCHED 0xdeadULL

struct number_case {
	const char *text;
	int ret;
	u64 val; /* what is left in the variable */
};

static void check_numbers(int (*parse)(const char *, u64 *), const struct number_case *cases,
			  size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		u64 val = UNTOUCHED;
		bool ok = CHECK_EQ(parse(cases[i].text, &val), cases[i].ret);

		if (!CHECK_EQ(val, cases[i].ret ? UNTOUCHED : cases[i].val) || !ok)
			printf("# for '%s'\n", cases[i].text ? cases[i].text : "(null)");
	}
}

TEST(u64)
{
	static const struct number_case cases[] = {
		{"0", 0, 0},
		{"1", 0, 1},
		{"010", 0, 10},
		{"0x10", 0, 16},
		{"0XfF", 0, 255},
		{"18446744073709551615", 0, ~0ULL},
		{"0xffffffffffffffff", 0, ~0ULL},
		{"0x00000000000000000001", 0, 1},
		{"18446744073709551616", -ERANGE, 0},
		{"18446744073709551619", -ERANGE, 0},
		{"99999999999999999999999", -ERANGE, 0},
		{"0x10000000000000000", -ERANGE, 0},
		{"99999999999999999999999z", -EINVAL, 0},
		{NULL, -EINVAL, 0},
		{"", -EINVAL, 0},
		{" 1", -EINVAL, 0},
		{"1 ", -EINVAL, 0},
		{"+1", -EINVAL, 0},
		{"-1", -EINVAL, 0},
		{"-0", -EINVAL, 0},
		{"0x", -EINVAL, 0},
		{"0xg", -EINVAL, 0},
		{"x1", -EINVAL, 0},
		{"1a", -EINVAL, 0},
		{"1k", -EINVAL, 0},
		{"1.5", -EINVAL, 0},
	};

	check_numbers(parse_u64, cases, ARRAY_SIZE(cases));
}

TEST(size)
{
	static const struct number_case cases[] = {
		{"0", 0, 0},
		{"512", 0, 512},
		{"1k", 0, 1024},
		{"1K", 0, 1024},
		{"3M", 0, 3 * MiB},
		{"2g", 0, 2 * GiB},
		{"5T", 0, 5 * 1024 * GiB},
		{"0x10M", 0, 16 * MiB},
		{"0T", 0, 0},
		{"16777215T", 0, 16777215ULL << 40},
		{"16777216T", -ERANGE, 0},
		{"18014398509481983K", 0, 18014398509481983ULL << 10},
		{"18014398509481984K", -ERANGE, 0},
		{"99999999999999999999k", -ERANGE, 0},
		{"99999999999999999999q", -EINVAL, 0},
		{NULL, -EINVAL, 0},
		{"", -EINVAL, 0},
		{"K", -EINVAL, 0},
		{"1KB", -EINVAL, 0},
		{"1Ki", -EINVAL, 0},
		{"1kk", -EINVAL, 0},
		{"1 K", -EINVAL, 0},
		{"1P", -EINVAL, 0},
		{"-1K", -EINVAL, 0},
		{"1.5G", -EINVAL, 0},
	};

	check_numbers(parse_size, cases, ARRAY_SIZE(cases));
}

TEST(range)
{
	static const struct {
		const char *text;
		int ret;
		u64 start, end;
	} cases[] = {
		{"0-0", 0, 0, 0},
		{"1-2", 0, 1, 2},
		{"0x1000-0x1fff", 0, 0x1000, 0x1fff},
		{"0-0xffffffffffffffff", 0, 0, ~0ULL},
		{"10-0xa", 0, 10, 10},
		{"2-1", -EINVAL, 0, 0},
		{"18446744073709551616-1", -ERANGE, 0, 0},
		{"1-18446744073709551616", -ERANGE, 0, 0},
		{"18446744073709551616-x", -EINVAL, 0, 0},
		{NULL, -EINVAL, 0, 0},
		{"", -EINVAL, 0, 0},
		{"1", -EINVAL, 0, 0},
		{"1-", -EINVAL, 0, 0},
		{"-1", -EINVAL, 0, 0},
		{"-", -EINVAL, 0, 0},
		{"1--2", -EINVAL, 0, 0},
		{"1-2-3", -EINVAL, 0, 0},
		{"1 - 2", -EINVAL, 0, 0},
		{"1:2", -EINVAL, 0, 0},
		{"1K-2K", -EINVAL, 0, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		u64 start = UNTOUCHED, end = UNTOUCHED;
		int ret = cases[i].ret;
		bool ok = CHECK_EQ(parse_range(cases[i].text, &start, &end), ret);

		ok &= CHECK_EQ(start, ret ? UNTOUCHED : cases[i].start);
		ok &= CHECK_EQ(end, ret ? UNTOUCHED : cases[i].end);
		if (!ok)
			printf("# for '%s'\n", cases[i].text ? cases[i].text : "(null)");
	}
}

TEST(bool_words)
{
	static const char *const wrong[] = {"", "ON", "Off", "1", "yes", "true", "onn", "o", NULL};
	bool val = false;

	CHECK_EQ(parse_bool("on", &val), 0);
	CHECK(val);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		CHECK_EQ(parse_bool(wrong[i], &val), -EINVAL);
	CHECK(val);
	CHECK_EQ(parse_bool("off", &val), 0);
	CHECK(!val);
}

TEST(nearest)
{
	static const char *const names[] = {"granule", "bypass", "queues", "direct", "ro",
					    "iommu",   "inputs", "input",  NULL};
	static const struct {
		const char *word, *name;
	} cases[] = {
		{"granule", "granule"},
		{"granul", "granule"},
		{"grannule", "granule"},
		{"garnule", "granule"},
		{"GRANULE", "granule"},
		{"bipass", "bypass"},
		{"byapss", "bypass"},
		{"queue", "queues"},
		{"qeues", "queues"},
		{"or", "ro"},
		{"rw", "ro"},
		{"iomu", "iommu"},
		{"imomu", "iommu"},
		{"inputt", "inputs"}, /* as near to "input": the first one */
		{"inptu", "input"},
		{"mmu", "iommu"},
		{"", NULL},
		{"x", NULL},
		{"xy", NULL},
		{"memory", NULL},
		{"grxxxxe", NULL},
		{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		 NULL},
	};
	static const char *const none[] = {NULL};
	static const char *const edges[] = {
		"abcdefghijklmnopqrstuvwxyzabcdef",
		"abcdefghijklmnopqrstuvwxyzabcdefg",
		NULL,
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (!CHECK_STR_EQ(nearest_name(cases[i].word, names), cases[i].name))
			printf("# for '%s'\n", cases[i].word);
	}
	CHECK_STR_EQ(nearest_name("ro", none), NULL);
	CHECK_STR_EQ(nearest_name("bcdefghijklmnopqrstuvwxyzabcdef", edges), edges[0]);
	CHECK_STR_EQ(nearest_name(edges[1], edges), NULL);
}

/* What the last subopts() printed. */
static const char *output;

static int subopts(const char *list, const struct subopt *opts, void *opaque)
{
	int ret;

	capture_begin();
	ret = parse_subopts("--disk", list, opts, opaque);
	output = capture_end();
	return ret;
}

/* The calls that the parsers below got. */
struct seen {
	char calls[256];
	int ret; /* of "size" */
};

static void see(struct seen *seen, const char *name, const char *value)
{
	size_t len = strlen(seen->calls);

	snprintf(seen->calls + len, sizeof(seen->calls) - len, "%s<%s>", name,
		 value ? value : "null");
}

static int see_ro(void *opaque, const char *value)
{
	see(opaque, "ro", value);
	return 0;
}

static int see_size(void *opaque, const char *value)
{
	struct seen *seen = opaque;

	see(seen, "size", value);
	return seen->ret;
}

static const struct subopt disk_opts[] = {
	{"ro", see_ro, true},
	{"size", see_size, true},
	{"", NULL, false},
};

TEST(subopts_known)
{
	static const struct {
		const char *list, *calls;
	} cases[] = {
		{"ro", "ro<null>"},
		{"ro,size=5", "ro<null>size<5>"},
		{"size=5,ro", "size<5>ro<null>"},
		{"size=", "size<>"},
		{"size==a=b", "size<=a=b>"},
		{"size=1,size=2", "size<1>size<2>"},
		{"", ""},
		{NULL, ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct seen seen = {.ret = 0};

		CHECK_EQ(subopts(cases[i].list, disk_opts, &seen), 0);
		CHECK_STR_EQ(seen.calls, cases[i].calls);
		CHECK_STR_EQ(output, "");
	}
}

TEST(subopts_unknown)
{
	static const struct subopt no_opts[] = {{NULL, NULL, false}};
	struct seen seen = {.ret = 0};

	CHECK_EQ(subopts("ro,szie=5,ro", disk_opts, &seen), -EINVAL);
	CHECK_STR_EQ(seen.calls, "ro<null>");
	CHECK_STR_EQ(output, "lkvm: error: --disk: unknown option 'szie', did you mean 'size'?\n");

	CHECK_EQ(subopts("cache=none", disk_opts, &seen), -EINVAL);
	CHECK_STR_EQ(output, "lkvm: error: --disk: unknown option 'cache', known are: ro, size\n");

	CHECK_EQ(subopts("siz", disk_opts, &seen), -EINVAL);
	CHECK_STR_EQ(output, "lkvm: error: --disk: unknown option 'siz', did you mean 'size'?\n");

	CHECK_EQ(subopts("a", no_opts, &seen), -EINVAL);
	CHECK_STR_EQ(output, "lkvm: error: --disk: unknown option 'a', none is known here\n");
	CHECK_STR_EQ(seen.calls, "ro<null>");
}

TEST(subopts_empty_item)
{
	static const char *const lists[] = {",", "ro,", ",ro", "ro,,ro"};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct seen seen = {.ret = 0};
		char expected[256];

		CHECK_EQ(subopts(lists[i], disk_opts, &seen), -EINVAL);
		snprintf(expected, sizeof(expected),
			 "lkvm: error: --disk: '%s' has an empty option, remove the extra comma\n",
			 lists[i]);
		CHECK_STR_EQ(output, expected);
	}
}

TEST(subopts_value_refused)
{
	struct seen seen = {.ret = -ERANGE};

	CHECK_EQ(subopts("size=9,ro", disk_opts, &seen), -ERANGE);
	CHECK_STR_EQ(seen.calls, "size<9>");
	CHECK_STR_EQ(output, "");
}

/* More names than one line lists. */
TEST(subopts_many_names)
{
	static char names[60][20];
	static struct subopt opts[61];
	struct seen seen = {.ret = 0};

	for (size_t i = 0; i < 60; i++) {
		snprintf(names[i], sizeof(names[i]), "option-number-%zu", i);
		opts[i].name = names[i];
		opts[i].parse = see_ro;
	}
	CHECK_EQ(subopts("zzz", opts, &seen), -EINVAL);
	CHECK(strlen(output) > 500 && strlen(output) < 700);
	CHECK_EQ(subopts("option-number-59", opts, &seen), 0);
	CHECK_STR_EQ(seen.calls, "ro<null>");
}

TEST(subopts_given_twice)
{
	static const struct subopt opts[] = {
		{"once", see_ro, false},
		{"often", see_size, true},
		{NULL, NULL, false},
	};
	struct seen seen = {0};

	capture_begin();
	CHECK_EQ(parse_subopts("-d", "once,often=1,often=2,once", opts, &seen), -EINVAL);
	CHECK(capture_one_line(capture_end(), "-d: 'once' is given twice"));
}

TEST(subopts_of_several_modules)
{
	static const struct subopt first[] = {{"ro", see_ro, false}, {NULL, NULL, false}};
	static const struct subopt second[] = {
		{"size", see_size, true}, {"speed", see_ro, false}, {NULL, NULL, false}};
	static const struct subopt empty[] = {{NULL, NULL, false}};
	struct seen a = {0}, b = {0};
	const struct subopt_set sets[] = {{empty, NULL}, {first, &a}, {empty, NULL}, {second, &b}};

	CHECK_EQ(parse_subopt_sets("-x", "size=1,ro,size=2", sets, 4), 0);
	CHECK(strstr(a.calls, "ro") && !strstr(a.calls, "size"));
	CHECK(strstr(b.calls, "size") && !strstr(b.calls, "ro"));
	capture_begin();
	CHECK_EQ(parse_subopt_sets("-x", "ro,speed,ro", sets, 4), -EINVAL);
	CHECK(capture_one_line(capture_end(), "-x: 'ro' is given twice"));
	capture_begin();
	CHECK_EQ(parse_subopt_sets("-x", "sped", sets, 4), -EINVAL);
	CHECK(capture_one_line(capture_end(), "did you mean 'speed'?"));
	capture_begin();
	CHECK_EQ(parse_subopt_sets("-x", "unheard", sets, 4), -EINVAL);
	CHECK(capture_one_line(capture_end(), "known are: ro, size, speed"));
	capture_begin();
	CHECK_EQ(parse_subopt_sets("-x", "unheard", sets, 1), -EINVAL);
	CHECK(capture_one_line(capture_end(), "none is known here"));
}
