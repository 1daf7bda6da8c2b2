/* SPDX-License-Identifier: GPL-2.0-only */
/* What the command line says of guest memory: how much, where, and in which pages. */
#ifndef LKVM_VM_MEMORY_CONFIG_H
#define LKVM_VM_MEMORY_CONFIG_H

#include "util/types.h"
#include "vm/memory.h"

/* A bank that the user placed: "--mem SIZE@ADDRESS". */
struct mem_bank_config {
	u64 gpa;
	u64 size; /* bytes */
	const char *arg; /* as it was given: for messages */
};

/* All zero before the first option is parsed. The arguments must outlive it. */
struct mem_config {
	/* How much, if the architecture places it; 0 if there are banks. */
	u64 size; /* bytes */
	const char *size_arg; /* NULL: the user did not say */
	struct mem_bank_config banks[GUEST_MEM_MAX_BANKS]; /* sorted, once checked */
	unsigned int nr_banks;
	enum mem_pages pages;
	const char *pages_arg; /* NULL: the user did not say */
};

/* Addresses where an architecture has something else than RAM, both ends included. */
struct mem_hole {
	u64 start;
	u64 last;
	const char *what; /* "PCI devices": for messages */
};

/* What --mem and --hugepages take, for the usage text. */
extern const char mem_usage[], mem_pages_usage[];
#define MEM_PAGES "2M|1G|thp|off"

/* One --mem, "SIZE" or "SIZE@ADDRESS". Prints the reason; -EINVAL. */
int mem_parse(struct mem_config *config, const char *arg);

/* One --hugepages. Prints the reason; -EINVAL. */
int mem_parse_pages(struct mem_config *config, const char *arg);

/*
 * After all options: sorts the banks, checks what concerns several options or the @nr
 * @holes, and fills in the default. One bank has to be at @start. Prints the reason; -EINVAL.
 */
int mem_config_check(struct mem_config *config, u64 start, const struct mem_hole *holes,
		     unsigned int nr);

/*
 * Whether a vCPU can address all of @mem, made of @config, with @bits of a guest-physical
 * address: KVM may not look, and the guest would meet that much later. Prints the reason; -EINVAL.
 */
int mem_config_check_width(const struct mem_config *config, const struct guest_mem *mem,
			   unsigned int bits);

/* Bytes of all of it, once checked. */
u64 mem_config_size(const struct mem_config *config);

#endif /* LKVM_VM_MEMORY_CONFIG_H */
