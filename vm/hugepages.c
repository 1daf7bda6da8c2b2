// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "util/log.h"
#include "vm/hugepages.h"

#define POOLS	   "/sys/kernel/mm/hugepages"
#define THP_SWITCH "/sys/kernel/mm/transparent_hugepage/enabled"

/* A number of the pool of pages of @page_size, 0 if it is not there. */
static u64 pool_number(u64 page_size, const char *name)
{
	char path[128];
	u64 n = 0;
	FILE *f;

	snprintf(path, sizeof(path), POOLS "/hugepages-%" PRIu64 "kB/%s", page_size / KiB, name);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%" SCNu64, &n) != 1)
		n = 0;
	fclose(f);
	return n;
}

static u64 at_least_0(u64 a, u64 b)
{
	return a > b ? a - b : 0;
}

int hugepages_check(u64 page_size, u64 size)
{
	const char *unit = page_size < GiB ? "M" : "G";
	u64 in_unit = page_size < GiB ? page_size / MiB : page_size / GiB;
	u64 total = pool_number(page_size, "nr_hugepages");
	/* Some may be promised to others, and the pool may be allowed to grow. */
	u64 free = at_least_0(pool_number(page_size, "free_hugepages"),
			      pool_number(page_size, "resv_hugepages"));
	u64 more = at_least_0(pool_number(page_size, "nr_overcommit_hugepages"),
			      pool_number(page_size, "surplus_hugepages"));
	u64 needed = size / page_size;

	if (needed <= free + more)
		return 0;
	pr_err("--hugepages=%" PRIu64 "%s: the guest needs %" PRIu64 " of these pages, and %" PRIu64
	       " of the host's %" PRIu64 " are free: write %" PRIu64 " to " POOLS
	       "/hugepages-%" PRIu64 "kB/nr_hugepages",
	       in_unit, unit, needed, free, total, total + needed - free, page_size / KiB);
	return -ENOMEM;
}

void hugepages_check_thp(void)
{
	FILE *f = fopen(THP_SWITCH, "re");
	char line[128] = "";

	if (f) {
		if (!fgets(line, sizeof(line), f))
			line[0] = '\0';
		fclose(f);
	}
	/* The choice is in brackets. */
	if (!f || strstr(line, "[never]"))
		pr_warn("--hugepages=thp: this host has small pages only%s",
			f ? ": write madvise to " THP_SWITCH : "");
}
