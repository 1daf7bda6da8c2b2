// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/log.h"
#include "util/parse.h"
#include "vm/memory-config.h"

#define DEFAULT_SIZE (1 * GiB)
#define MIN_SIZE     (64 * MiB)
#define MAX_SIZE     (64 * 1024 * GiB)

/* A huge page of the host can back a guest's only where that is aligned, too. */
#define BANK_ALIGN (2 * MiB)

/* A plain number is in MiB, as nobody means bytes. */
static int parse_mib(const char *text, u64 *size)
{
	int ret = parse_u64(text, size);

	if (ret)
		return parse_size(text, size);
	if (*size > UINT64_MAX / MiB)
		return -ERANGE;
	*size *= MiB;
	return 0;
}

static int check_size(const char *arg, int parsed, u64 size, u64 least)
{
	if (parsed == -EINVAL)
		pr_err("--mem: '%s' is not a size: a number of MiB, or with K, M, G or T", arg);
	else if (parsed || size > MAX_SIZE)
		pr_err("--mem: %s is too much, a guest can have up to 64T", arg);
	else if (size < least)
		pr_err("--mem: %s is too little, a guest needs 64M or more", arg);
	else if (!is_aligned(size, MiB))
		pr_err("--mem: %s is not a multiple of 1M", arg);
	else
		return 0;
	return -EINVAL;
}

static int mixed(const char *without, const char *with)
{
	pr_err("--mem: '%s' has no address, but '%s' has: give each bank one, as SIZE@ADDRESS",
	       without, with);
	return -EINVAL;
}

static int parse_bank(struct mem_config *config, const char *arg, size_t size_len)
{
	struct mem_bank_config bank = {.arg = arg};
	char size[32];
	int ret;

	if (config->size_arg)
		return mixed(config->size_arg, arg);
	if (config->nr_banks == GUEST_MEM_MAX_BANKS) {
		pr_err("--mem: '%s' is one bank too many, %d are possible", arg,
		       GUEST_MEM_MAX_BANKS);
		return -EINVAL;
	}
	/* Longer than any number: cut off, it is none. */
	snprintf(size, sizeof(size), "%.*s", (int)min(size_len, sizeof(size)), arg);
	ret = parse_mib(size, &bank.size);
	if (!ret && !bank.size)
		ret = -EINVAL;
	if (check_size(arg, ret, bank.size, 0))
		return -EINVAL;
	ret = parse_size(arg + size_len + 1, &bank.gpa);
	if (ret == -EINVAL) {
		pr_err("--mem: '%s': behind the @ belongs an address, a number or one with K, M, G "
		       "or T",
		       arg);
		return ret;
	}
	if (ret || bank.gpa + (bank.size - 1) < bank.gpa) {
		pr_err("--mem: '%s' ends beyond the last address of 64 bits", arg);
		return -EINVAL;
	}
	if (!is_aligned(bank.gpa, BANK_ALIGN)) {
		pr_err("--mem: '%s': the address has to be a multiple of 2M", arg);
		return -EINVAL;
	}
	config->banks[config->nr_banks++] = bank;
	return 0;
}

int mem_parse(struct mem_config *config, const char *arg)
{
	const char *at = strchr(arg, '@');
	int ret;

	if (at)
		return parse_bank(config, arg, at - arg);
	if (config->size_arg) {
		pr_err("--mem is given twice: '%s' and '%s'", config->size_arg, arg);
		return -EINVAL;
	}
	if (config->nr_banks)
		return mixed(arg, config->banks[0].arg);
	config->size_arg = arg;
	ret = parse_mib(arg, &config->size);
	return check_size(arg, ret, config->size, MIN_SIZE);
}

int mem_parse_pages(struct mem_config *config, const char *arg)
{
	static const char *const names[] = {
		[MEM_PAGES_OFF] = "off",
		[MEM_PAGES_THP] = "thp",
		[MEM_PAGES_2M] = "2M",
		[MEM_PAGES_1G] = "1G",
	};

	if (config->pages_arg) {
		pr_err("--hugepages is given twice: '%s' and '%s'", config->pages_arg, arg);
		return -EINVAL;
	}
	config->pages_arg = arg;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (names[i] && !strcasecmp(names[i], arg)) {
			config->pages = i;
			return 0;
		}
	}
	pr_err("--hugepages: '%s' is not one of 2M, 1G, thp and off", arg);
	return -EINVAL;
}

static int by_address(const void *a, const void *b)
{
	const struct mem_bank_config *x = a, *y = b;

	return x->gpa < y->gpa ? -1 : x->gpa > y->gpa;
}

static int check_hole(const struct mem_bank_config *bank, const struct mem_hole *hole)
{
	if (bank->gpa > hole->last || bank->gpa + (bank->size - 1) < hole->start)
		return 0;
	pr_err("--mem: '%s' lies over 0x%" PRIx64 "-0x%" PRIx64 ", where the machine has %s",
	       bank->arg, hole->start, hole->last, hole->what);
	return -EINVAL;
}

static int check_banks(const struct mem_config *config, u64 start, const struct mem_hole *holes,
		       unsigned int nr)
{
	const struct mem_bank_config *bank = config->banks;
	u64 total = 0;

	for (unsigned int i = 0; i < config->nr_banks; i++, bank++) {
		if (i && bank->gpa - bank[-1].gpa < bank[-1].size) {
			pr_err("--mem: '%s' and '%s' overlap", bank[-1].arg, bank->arg);
			return -EINVAL;
		}
		for (unsigned int h = 0; h < nr; h++) {
			if (check_hole(bank, &holes[h]))
				return -EINVAL;
		}
		total += bank->size;
	}
	if (total > MAX_SIZE) {
		pr_err("--mem: the banks have %" PRIu64 " MiB together, a guest can have up to 64T",
		       total / MiB);
		return -EINVAL;
	}
	if (config->banks[0].gpa != start || config->banks[0].size < MIN_SIZE) {
		pr_err("--mem: a guest starts in the bank at address 0x%" PRIx64
		       ", which has to be there with 64M or more, as 64M@0x%" PRIx64,
		       start, start);
		return -EINVAL;
	}
	return 0;
}

static int check_pages(const struct mem_config *config)
{
	u64 page = mem_page_size(config->pages);

	if (!is_aligned(config->size, page)) {
		pr_err("--hugepages=%s: the %" PRIu64 " MiB of memory are not a multiple of it",
		       config->pages_arg, config->size / MiB);
		return -EINVAL;
	}
	for (unsigned int i = 0; i < config->nr_banks; i++) {
		if (is_aligned(config->banks[i].gpa | config->banks[i].size, page))
			continue;
		pr_err("--hugepages=%s: size and address of --mem '%s' are not both multiples of "
		       "it",
		       config->pages_arg, config->banks[i].arg);
		return -EINVAL;
	}
	return 0;
}

int mem_config_check(struct mem_config *config, u64 start, const struct mem_hole *holes,
		     unsigned int nr)
{
	if (config->nr_banks) {
		qsort(config->banks, config->nr_banks, sizeof(config->banks[0]), by_address);
		if (check_banks(config, start, holes, nr))
			return -EINVAL;
	} else if (!config->size_arg) {
		config->size = DEFAULT_SIZE;
	}
	return check_pages(config);
}

int mem_config_check_width(const struct mem_config *config, const struct guest_mem *mem,
			   unsigned int bits)
{
	const struct guest_bank *last = &mem->banks[mem->nr_banks - 1];
	u64 end = last->gpa + (last->size - 1);

	if (end < 1ULL << bits)
		return 0;
	pr_err("the guest's memory ends at 0x%" PRIx64 ", but vCPUs of this host have addresses "
	       "of %u bits, up to 0x%llx: %s",
	       end, bits, (1ULL << bits) - 1,
	       config->nr_banks ? "place the bank lower" : "use a smaller -m");
	return -EINVAL;
}

u64 mem_config_size(const struct mem_config *config)
{
	u64 size = config->size;

	for (unsigned int i = 0; i < config->nr_banks; i++)
		size += config->banks[i].size;
	return size;
}

const char mem_usage[] = "memory, in MiB or with K, M, G, T (1G); as SIZE@ADDRESS\n"
			 "a bank at that guest-physical address, one of them\n"
			 "where memory starts: 0 on x86, else 2G; may be repeated";

const char mem_pages_usage[] = "pages of the host for the guest's memory: 2M or 1G,\n"
			       "reserved at the start; thp: huge ones where it can,\n"
			       "with a warning if it cannot; off: only small ones";
