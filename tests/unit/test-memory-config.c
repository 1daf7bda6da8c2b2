// SPDX-License-Identifier: GPL-2.0-only
/* What --mem and --hugepages accept. The words of refusals are in tests/mistakes.bats. */
#include <errno.h>
#include <stdio.h>

#include "capture.h"
#include "unit.h"
#include "vm/memory-config.h"

static const struct mem_hole holes[] = {
	{3 * GiB, 4 * GiB - 1, "something"},
	{1023 * GiB, 1024 * GiB - 1, "something else"},
};

static struct mem_config config;

/* All of @args, NULL-terminated: 0, or -EINVAL with one line. */
static int parse(const char *pages, const char *const *args)
{
	int ret = 0;

	config = (struct mem_config){0};
	capture_begin();
	if (pages)
		ret = mem_parse_pages(&config, pages);
	for (; !ret && *args; args++)
		ret = mem_parse(&config, *args);
	if (!ret)
		ret = mem_config_check(&config, 0, holes, ARRAY_SIZE(holes));
	if (ret)
		CHECK(capture_one_line(capture_end(), ": "));
	else
		CHECK_STR_EQ(capture_end(), "");
	return ret;
}

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

TEST(one_size)
{
	CHECK_EQ(parse(NULL, ARGS(NULL)), 0);
	CHECK_EQ(config.size, GiB);
	CHECK_EQ(config.pages, MEM_PAGES_DEFAULT);
	CHECK_EQ(parse(NULL, ARGS("64")), 0);
	CHECK_EQ(config.size, 64 * MiB);
	CHECK_EQ(config.nr_banks, 0);
	CHECK_EQ(parse(NULL, ARGS("64T")), 0);
	CHECK_EQ(mem_config_size(&config), 65536 * GiB);
	CHECK_EQ(parse(NULL, ARGS("0x80")), 0);
	CHECK_EQ(config.size, 128 * MiB);
	CHECK_EQ(parse(NULL, ARGS("63")), -EINVAL);
	CHECK_EQ(parse(NULL, ARGS("65537G")), -EINVAL);
	CHECK_EQ(parse(NULL, ARGS("64", "64")), -EINVAL);
}

TEST(banks)
{
	/* Sorted, whatever the order; they may touch each other and the holes. */
	CHECK_EQ(parse(NULL, ARGS("1G@4G", "64@0", "1M@64M", "2@0xbfe00000", "1T@1024G")), 0);
	CHECK_EQ(config.nr_banks, 5);
	CHECK_EQ(config.size, 0);
	CHECK_EQ(config.banks[0].gpa, 0);
	CHECK_EQ(config.banks[0].size, 64 * MiB);
	CHECK_EQ(config.banks[1].gpa, 64 * MiB);
	CHECK_EQ(config.banks[1].size, MiB);
	CHECK_EQ(config.banks[2].gpa, 0xbfe00000);
	CHECK_EQ(config.banks[2].size, 2 * MiB);
	CHECK_EQ(config.banks[3].gpa, 4 * GiB);
	CHECK_EQ(config.banks[4].gpa, 1024 * GiB);
	CHECK_EQ(mem_config_size(&config), 67 * MiB + 1025 * GiB);

	/* Only the last address of 64 bits is the end. */
	CHECK_EQ(parse(NULL, ARGS("64M@0", "2M@0xffffffffffe00000")), 0);
	CHECK_EQ(parse(NULL, ARGS("64M@0", "3M@0xffffffffffe00000")), -EINVAL);
}

TEST(refused_banks)
{
	static const char *const second[] = {
		"2M@62M", "1M@3M",     "64M@0",	     "64M@1M",	  "2G@2G",
		"1G@3G",  "2M@4094M",  "512M@3584M", "1G@2049M",  "1T@512G",
		"0@64M",  "1K@64M",    "1537K@64M",  "65T@1024G", "64T@64M",
		"64M@",	  "@64M",      "@",	     "64M@x",	  "64M@-2M",
		"-1@64M", "64M@1M@2M", "64M@2P",     "64M@64M ",  "64M@99999999999T",
		"64",
	};

	for (size_t i = 0; i < ARRAY_SIZE(second); i++) {
		if (!CHECK_EQ(parse(NULL, ARGS("64M@0", second[i])), -EINVAL))
			printf("# %s\n", second[i]);
	}
	CHECK_EQ(parse(NULL, ARGS("64M@2M")), -EINVAL);
	CHECK_EQ(parse(NULL, ARGS("63M@0", "64M@64M")), -EINVAL);
	CHECK_EQ(parse(NULL, ARGS("64M", "64M@64M")), -EINVAL);
	/* Each could be, but not all. */
	CHECK_EQ(parse(NULL, ARGS("64M@0", "40T@1T", "40T@50T")), -EINVAL);
}

TEST(too_many_banks)
{
	char text[GUEST_MEM_MAX_BANKS + 1][32];
	const char *args[GUEST_MEM_MAX_BANKS + 2] = {"64M@0"};

	for (unsigned int i = 1; i <= GUEST_MEM_MAX_BANKS; i++) {
		snprintf(text[i], sizeof(text[i]), "1M@%uM", 64 + 2 * i);
		args[i] = text[i];
	}
	CHECK_EQ(parse(NULL, args), -EINVAL);
	args[GUEST_MEM_MAX_BANKS] = NULL;
	CHECK_EQ(parse(NULL, args), 0);
	CHECK_EQ(config.nr_banks, GUEST_MEM_MAX_BANKS);
}

TEST(pages)
{
	CHECK_EQ(parse("thp", ARGS("65")), 0);
	CHECK_EQ(config.pages, MEM_PAGES_THP);
	CHECK_EQ(parse("off", ARGS("65")), 0);
	CHECK_EQ(config.pages, MEM_PAGES_OFF);
	CHECK_EQ(parse("2m", ARGS("66")), 0);
	CHECK_EQ(config.pages, MEM_PAGES_2M);
	CHECK_EQ(parse("1G", ARGS(NULL)), 0);
	CHECK_EQ(config.pages, MEM_PAGES_1G);
	CHECK_EQ(parse("1G", ARGS("1G@0", "2G@4G")), 0);
	CHECK_EQ(parse("2M", ARGS("65")), -EINVAL);
	CHECK_EQ(parse("1G", ARGS("1G@0", "1G@4098M")), -EINVAL);
	CHECK_EQ(parse("1G", ARGS("1G@0", "2M@4G")), -EINVAL);
	CHECK_EQ(parse("4K", ARGS("64")), -EINVAL);
	CHECK_EQ(parse("", ARGS("64")), -EINVAL);
}
