/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest RAM: a few banks of guest-physical addresses (GPA), each backed by a
 * memfd so that other processes and devices can map the same pages. This is the
 * only module that turns a GPA into a host virtual address (HVA).
 *
 * Banks are added before the first vCPU runs and stay until the end, so that
 * lookups need no lock.
 */
#ifndef LKVM_VM_MEMORY_H
#define LKVM_VM_MEMORY_H

#include "util/types.h"

#define GUEST_MEM_MAX_BANKS 16

struct guest_bank {
	u64 gpa;
	u64 size; /* bytes, page aligned */
	u8 *hva;
	int fd; /* memfd that holds the bank from offset 0 */
};

struct guest_mem {
	struct guest_bank banks[GUEST_MEM_MAX_BANKS]; /* sorted by gpa, disjoint */
	unsigned int nr_banks;
};

/*
 * Adds a zeroed bank of @size bytes at @gpa, both page aligned. Prints the reason
 * on failure. -EINVAL: overlap or alignment; -ENOSPC: too many banks; -ENOMEM:
 * the host has not enough memory.
 */
int guest_mem_add_bank(struct guest_mem *mem, u64 gpa, u64 size);

void guest_mem_destroy(struct guest_mem *mem);

/* Sum of the banks' sizes, in bytes. */
u64 guest_mem_size(const struct guest_mem *mem);

/*
 * The HVA of @gpa, and in @run how many of the @len bytes from there on (at least
 * one) are contiguous in host memory. NULL if @gpa is not in a bank or @len is 0.
 */
void *guest_mem_run(const struct guest_mem *mem, u64 gpa, u64 len, u64 *run);

/* The HVA of [gpa, gpa + len), or NULL unless one bank holds all of it. */
void *guest_mem_ptr(const struct guest_mem *mem, u64 gpa, u64 len);

/* Copies across bank borders. -EFAULT, with nothing copied, if a byte is missing. */
int guest_mem_read(const struct guest_mem *mem, u64 gpa, void *buf, u64 len);
int guest_mem_write(const struct guest_mem *mem, u64 gpa, const void *buf, u64 len);

#endif /* LKVM_VM_MEMORY_H */
