/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest RAM: a few banks of guest-physical addresses (GPA), each a mapping of anonymous memory,
 * which is what hosts give huge pages to. This is the only module that turns a GPA into a host
 * virtual address (HVA).
 *
 * Banks are added before the first vCPU runs and stay until the end, so that
 * lookups need no lock.
 */
#ifndef LKVM_VM_MEMORY_H
#define LKVM_VM_MEMORY_H

#include "util/types.h"

#define GUEST_MEM_MAX_BANKS 16

/* Which pages of the host back the memory. */
enum mem_pages {
	MEM_PAGES_DEFAULT, /* huge ones where the host does that, without a word if not */
	MEM_PAGES_OFF, /* small ones */
	MEM_PAGES_THP, /* as the default, with a warning if the host does not */
	MEM_PAGES_2M, /* from the host's pool of huge pages, taken at the start */
	MEM_PAGES_1G,
};

struct guest_bank {
	u64 gpa;
	u64 size; /* bytes, page aligned */
	u8 *hva;
};

struct guest_mem {
	struct guest_bank banks[GUEST_MEM_MAX_BANKS]; /* sorted by gpa, disjoint */
	unsigned int nr_banks;
	enum mem_pages pages;
};

/* The size in bytes of pages from a pool, 1 if @pages are of no pool. */
static inline u64 mem_page_size(enum mem_pages pages)
{
	return pages == MEM_PAGES_1G ? GiB : pages == MEM_PAGES_2M ? 2 * MiB : 1;
}

/*
 * Before the first bank: in which pages all of them will be, @size bytes together, and
 * whether the host can give those. Prints the reason on failure. -ENOMEM.
 */
int guest_mem_set_pages(struct guest_mem *mem, enum mem_pages pages, u64 size);

/*
 * Adds a zeroed bank of @size bytes at @gpa, both aligned to the pages that it is in, which
 * nobody takes away again if they are from a pool. Prints the reason on failure. -EINVAL: overlap
 * or alignment; -ENOSPC: too many banks; -ENOMEM: the host has not enough memory.
 */
int guest_mem_add_bank(struct guest_mem *mem, u64 gpa, u64 size);

void guest_mem_destroy(struct guest_mem *mem);

/* Sum of the banks' sizes, in bytes. */
u64 guest_mem_size(const struct guest_mem *mem);

/* How much of them the host holds in memory, in bytes; takes a look at each page. */
u64 guest_mem_resident(const struct guest_mem *mem);

/*
 * The HVA of @gpa, and in @run how many of the @len bytes from there on (at least
 * one) are contiguous in host memory. NULL if @gpa is not in a bank or @len is 0.
 */
void *guest_mem_run(const struct guest_mem *mem, u64 gpa, u64 len, u64 *run);

/*
 * The HVA of @gpa, and how many bytes of its bank are before it and behind it, that one not
 * counted. NULL if @gpa is not in a bank.
 */
void *guest_mem_around(const struct guest_mem *mem, u64 gpa, u64 *before, u64 *behind);

/* The HVA of [gpa, gpa + len), or NULL unless one bank holds all of it. */
void *guest_mem_ptr(const struct guest_mem *mem, u64 gpa, u64 len);

/*
 * One little-endian word at an address that is a multiple of 8, read at once, ordered as an
 * acquire. -EFAULT: not in a bank, or not aligned.
 */
int guest_mem_load64(const struct guest_mem *mem, u64 gpa, u64 *val);

/*
 * Makes such a word @new if it is @old, as one atomic step. -EAGAIN: it is not; -EFAULT as
 * above.
 */
int guest_mem_cmpxchg64(const struct guest_mem *mem, u64 gpa, u64 old, u64 new);

/* Copies across bank borders. -EFAULT, with nothing copied, if a byte is missing. */
int guest_mem_read(const struct guest_mem *mem, u64 gpa, void *buf, u64 len);
int guest_mem_write(const struct guest_mem *mem, u64 gpa, const void *buf, u64 len);

#endif /* LKVM_VM_MEMORY_H */
