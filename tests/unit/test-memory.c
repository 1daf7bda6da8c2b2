// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "capture.h"
#include "unit.h"
#include "vm/memory.h"

static char message[4096];

/* Adds a bank; what it prints goes to message[]. */
static int add(struct guest_mem *mem, u64 gpa, u64 size)
{
	int saved = dup(STDERR_FILENO), tmp = memfd_create("stderr", MFD_CLOEXEC), ret;
	ssize_t len;

	if (saved < 0 || tmp < 0)
		abort();
	dup2(tmp, STDERR_FILENO);
	ret = guest_mem_add_bank(mem, gpa, size);
	dup2(saved, STDERR_FILENO);
	len = pread(tmp, message, sizeof(message) - 1, 0);
	message[len > 0 ? len : 0] = '\0';
	close(saved);
	close(tmp);
	return ret;
}

static bool one_line(void)
{
	char *end = strchr(message, '\n');

	return end && end > message && !end[1];
}

TEST(banks_are_sorted_and_zero)
{
	struct guest_mem mem = {0};
	u64 page = sysconf(_SC_PAGESIZE);
	u8 byte = 1;

	CHECK_EQ(add(&mem, 4 * GiB, 2 * page), 0);
	CHECK_EQ(add(&mem, 0, page), 0);
	CHECK_EQ(add(&mem, 1 * GiB, 3 * page), 0);
	CHECK_STR_EQ(message, "");
	CHECK_EQ(mem.nr_banks, 3);
	CHECK_EQ(mem.banks[0].gpa, 0);
	CHECK_EQ(mem.banks[1].gpa, 1 * GiB);
	CHECK_EQ(mem.banks[2].gpa, 4 * GiB);
	CHECK_EQ(guest_mem_size(&mem), 6 * page);
	CHECK_EQ(guest_mem_read(&mem, 4 * GiB + 2 * page - 1, &byte, 1), 0);
	CHECK_EQ(byte, 0);
	guest_mem_destroy(&mem);
	CHECK_EQ(mem.nr_banks, 0);
	CHECK_EQ(guest_mem_size(&mem), 0);
}

TEST(refused_banks)
{
	struct guest_mem mem = {0};
	u64 page = sysconf(_SC_PAGESIZE);
	const struct {
		u64 gpa, size;
	} bad[] = {
		{0, 0},
		{page / 2, page},
		{0, page + 1},
		{0, 0 - page}, /* overlaps what is there */
		{0 - page, 2 * page}, /* beyond 2^64 */
		{16 * page, page}, /* the same */
		{15 * page, 2 * page}, /* over its start */
		{19 * page, 2 * page}, /* over its end */
		{17 * page, page}, /* inside */
		{15 * page, 10 * page}, /* around */
		{16 * page, 0 - 16 * page}, /* up to 2^64 */
	};
	size_t i;

	CHECK_EQ(add(&mem, 16 * page, 4 * page), 0);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		CHECK_EQ(add(&mem, bad[i].gpa, bad[i].size), -EINVAL);
		CHECK(one_line());
		CHECK_EQ(mem.nr_banks, 1);
	}
	CHECK_EQ(add(&mem, 15 * page, page), 0);
	CHECK_EQ(add(&mem, 20 * page, page), 0);
	guest_mem_destroy(&mem);
}

TEST(too_many_banks)
{
	struct guest_mem mem = {0};
	u64 page = sysconf(_SC_PAGESIZE), i;

	for (i = 0; i < GUEST_MEM_MAX_BANKS; i++)
		CHECK_EQ(add(&mem, 2 * i * page, page), 0);
	CHECK_EQ(add(&mem, 2 * i * page, page), -ENOSPC);
	CHECK(one_line());
	CHECK_EQ(mem.nr_banks, GUEST_MEM_MAX_BANKS);
	guest_mem_destroy(&mem);
}

TEST(more_than_the_host_has)
{
	struct guest_mem mem = {0};
	u64 page = sysconf(_SC_PAGESIZE);
	unsigned int fds = unit_open_fds();

	CHECK_EQ(add(&mem, 0, 1ULL << 50), -ENOMEM);
	CHECK(one_line());
	CHECK(strstr(message, "1073741824 MiB"));
	CHECK(strstr(message, "-m"));

	/* What is there counts too. */
	CHECK_EQ(add(&mem, 0, page), 0);
	CHECK_EQ(add(&mem, page, 0 - 2 * page), -ENOMEM);
	CHECK(one_line());
	CHECK_EQ(mem.nr_banks, 1);
	guest_mem_destroy(&mem);
	CHECK_EQ(unit_open_fds(), fds);
}

/* Either half would do, both together would not. */
TEST(more_than_the_host_has_in_all)
{
	struct guest_mem mem = {0};
	struct sysinfo si;
	u64 half;

	CHECK_EQ(sysinfo(&si), 0);
	half = align_up(((u64)si.totalram + si.totalswap) * si.mem_unit / 2 + 1, 2 * MiB);
	CHECK_EQ(add(&mem, 0, half), 0);
	CHECK_EQ(add(&mem, 1ULL << 60, half), -ENOMEM);
	CHECK(one_line());
	CHECK_EQ(mem.nr_banks, 1);
	guest_mem_destroy(&mem);
}

TEST(address_space_limit)
{
	struct guest_mem mem = {0};
	unsigned int fds = unit_open_fds();
	struct rlimit old, small;
	unsigned long pages;
	FILE *statm = fopen("/proc/self/statm", "r");

	/* Room for what a sanitizer needs meanwhile, but not for the bank. */
	if (!statm)
		abort();
	if (fscanf(statm, "%lu", &pages) != 1)
		pages = 0;
	fclose(statm);
	if (!CHECK(pages))
		return;
	getrlimit(RLIMIT_AS, &old);
	small = old;
	small.rlim_cur = pages * sysconf(_SC_PAGESIZE) + 16 * MiB;
	setrlimit(RLIMIT_AS, &small);
	CHECK_EQ(add(&mem, 0, 64 * MiB), -ENOMEM);
	setrlimit(RLIMIT_AS, &old);
	CHECK(one_line());
	CHECK_EQ(mem.nr_banks, 0);
	CHECK_EQ(unit_open_fds(), fds);
}

TEST(lookups)
{
	struct guest_mem mem = {0};
	u64 page = sysconf(_SC_PAGESIZE), run;
	u8 *first, *second;

	CHECK_EQ(add(&mem, page, 2 * page), 0);
	CHECK_EQ(add(&mem, 3 * page, page), 0);
	first = mem.banks[0].hva;
	second = mem.banks[1].hva;

	CHECK(guest_mem_run(&mem, page, 10, &run) == first);
	CHECK_EQ(run, 10);
	CHECK(guest_mem_run(&mem, 3 * page - 1, 10, &run) == first + 2 * page - 1);
	CHECK_EQ(run, 1);
	CHECK(guest_mem_run(&mem, 3 * page, ~0ULL, &run) == second);
	CHECK_EQ(run, page);
	CHECK(!guest_mem_run(&mem, page, 0, &run));
	CHECK(!guest_mem_run(&mem, page - 1, 2, &run));
	CHECK(!guest_mem_run(&mem, 4 * page, 1, &run));
	CHECK(!guest_mem_run(&mem, ~0ULL, 1, &run));

	CHECK(guest_mem_ptr(&mem, page, 2 * page) == first);
	CHECK(guest_mem_ptr(&mem, 4 * page - 1, 1) == second + page - 1);
	CHECK(!guest_mem_ptr(&mem, page, 2 * page + 1));
	CHECK(!guest_mem_ptr(&mem, 4 * page - 1, 2));
	CHECK(!guest_mem_ptr(&mem, page, 0));
	CHECK(!guest_mem_ptr(&mem, page, ~0ULL));
	CHECK(!guest_mem_ptr(&mem, 0, 1));
	guest_mem_destroy(&mem);
}

TEST(copies_cross_banks)
{
	struct guest_mem mem = {0};
	u64 page = sysconf(_SC_PAGESIZE);
	const char text[] = "across";
	char buf[sizeof(text)];

	CHECK_EQ(add(&mem, 0, page), 0);
	CHECK_EQ(add(&mem, page, page), 0);
	CHECK_EQ(guest_mem_write(&mem, page - 3, text, sizeof(text)), 0);
	CHECK_EQ(guest_mem_read(&mem, page - 3, buf, sizeof(buf)), 0);
	CHECK_STR_EQ(buf, text);
	CHECK(!memcmp(mem.banks[0].hva + page - 3, "acr", 3));
	CHECK(!memcmp(mem.banks[1].hva, "oss", 4));

	/* One byte is missing: none is copied. */
	memset(buf, 'x', sizeof(buf));
	CHECK_EQ(guest_mem_read(&mem, 2 * page - sizeof(buf) + 1, buf, sizeof(buf)), -EFAULT);
	CHECK_EQ(buf[0], 'x');
	CHECK_EQ(guest_mem_write(&mem, 2 * page - sizeof(buf) + 1, buf, sizeof(buf)), -EFAULT);
	CHECK_EQ(mem.banks[1].hva[page - 1], 0);
	CHECK_EQ(mem.banks[1].hva[page - sizeof(buf) + 1], 0);
	CHECK_EQ(guest_mem_read(&mem, 2 * page, buf, 1), -EFAULT);

	CHECK_EQ(guest_mem_read(&mem, 1 * GiB, buf, 0), 0);
	CHECK_EQ(guest_mem_write(&mem, 1 * GiB, buf, 0), 0);
	guest_mem_destroy(&mem);
}

TEST(end_of_the_address_space)
{
	struct guest_mem mem = {0};
	u64 page = sysconf(_SC_PAGESIZE);
	u8 buf[2] = {1, 2};

	CHECK_EQ(add(&mem, 0, page), 0);
	CHECK_EQ(add(&mem, 0 - page, page), 0);
	CHECK(guest_mem_ptr(&mem, ~0ULL, 1) == mem.banks[1].hva + page - 1);
	CHECK(!guest_mem_ptr(&mem, ~0ULL, 2));
	/* It does not go on at 0. */
	CHECK_EQ(guest_mem_write(&mem, ~0ULL, buf, 2), -EFAULT);
	CHECK_EQ(guest_mem_read(&mem, ~0ULL, buf, 2), -EFAULT);
	CHECK_EQ(mem.banks[0].hva[0], 0);
	CHECK_EQ(guest_mem_write(&mem, ~0ULL, buf, 1), 0);
	guest_mem_destroy(&mem);
}

TEST(banks_are_where_huge_pages_fit)
{
	struct guest_mem mem = {0};
	u64 page = sysconf(_SC_PAGESIZE);
	u8 *hva;

	CHECK_EQ(add(&mem, 2 * MiB + page, 4 * MiB), 0);
	hva = mem.banks[0].hva;
	/* Huge pages need the same offset in host and guest. */
	CHECK_EQ((uintptr_t)hva % (2 * MiB), page);
	guest_mem_destroy(&mem);
	CHECK(msync(hva, page, MS_ASYNC) < 0 && errno == ENOMEM);
}

/* More than any host has: nothing is taken. */
TEST(a_pool_that_is_too_small)
{
	unsigned int fds = unit_open_fds();
	struct guest_mem mem = {0};

	capture_begin();
	CHECK_EQ(guest_mem_set_pages(&mem, MEM_PAGES_2M, 1ULL << 46), -ENOMEM);
	CHECK(capture_one_line(capture_end(), "the guest needs 33554432 of these pages"));
	capture_begin();
	CHECK_EQ(guest_mem_set_pages(&mem, MEM_PAGES_1G, 1ULL << 46), -ENOMEM);
	CHECK(capture_one_line(capture_end(), "--hugepages=1G: the guest needs 65536"));
	/* The pool may have shrunk since it was looked at. */
	mem.pages = MEM_PAGES_2M;
	CHECK_EQ(add(&mem, 0, 1ULL << 46), -ENOMEM);
	CHECK(one_line());
	CHECK(strstr(message, "/hugepages-2048kB/nr_hugepages"));
	CHECK_EQ(mem.nr_banks, 0);
	CHECK_EQ(unit_open_fds(), fds);

	/* Neither size nor address of such a bank may be in the middle of a page. */
	CHECK_EQ(add(&mem, 0, 3 * MiB), -EINVAL);
	CHECK_EQ(add(&mem, MiB, 2 * MiB), -EINVAL);
	CHECK_EQ(guest_mem_set_pages(&mem, MEM_PAGES_OFF, 1ULL << 46), 0);
}

/* Sparse: only what is touched takes memory of the host. */
TEST(large_banks_cost_nothing)
{
	struct guest_mem mem = {.pages = MEM_PAGES_OFF};
	u64 page = sysconf(_SC_PAGESIZE);

	CHECK_EQ(add(&mem, 0, 512 * MiB), 0);
	CHECK_EQ(add(&mem, GiB, 2 * MiB), 0);
	CHECK_EQ(guest_mem_resident(&mem), 0);
	mem.banks[0].hva[256 * MiB] = 1;
	mem.banks[1].hva[2 * MiB - 1] = 1;
	/* To read what was never written takes none. */
	CHECK_EQ(*(volatile u8 *)mem.banks[0].hva, 0);
	CHECK_EQ(guest_mem_resident(&mem), 2 * page);
	guest_mem_destroy(&mem);
	CHECK_EQ(guest_mem_resident(&mem), 0);
}
