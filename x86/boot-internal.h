/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the kernel loader share. */
#ifndef LKVM_X86_BOOT_INTERNAL_H
#define LKVM_X86_BOOT_INTERNAL_H

#include <asm/bootparam.h>

#include "util/file.h"
#include "util/types.h"
#include "x86/boot.h"

/* Types of memory, by the numbers that E820 and PVH's memory map use. */
#define MEM_NONE     0
#define MEM_RAM	     1
#define MEM_RESERVED 2
#define MEM_ACPI     3

/* Program headers of an ELF file; what has more is not a kernel. */
#define BOOT_MAX_PHDRS 64

/*
 * A map starts with one range a bank, and each mem_map_set() adds at most two: eight
 * of them while it is built, then one for each thing that is loaded.
 */
#define MEM_MAP_MAX (16 + 2 * (8 + BOOT_MAX_PHDRS + 2))

/* [start, end) */
struct mem_range {
	u64 start;
	u64 end;
	u32 type;
};

/* Sorted, disjoint, neighbours of one type merged. */
struct mem_map {
	struct mem_range ranges[MEM_MAP_MAX];
	unsigned int nr;
};

/* Gives [start, end) this type, whatever it was before; MEM_NONE leaves a gap. */
void mem_map_set(struct mem_map *map, u64 start, u64 end, u32 type);

/* Whether all of [start, end) is RAM. */
bool mem_map_is_ram(const struct mem_map *map, u64 start, u64 end);

/*
 * The highest page-aligned place in RAM for @size bytes that lies in [first, end).
 * False if there is none.
 */
bool mem_map_find_high(const struct mem_map *map, u64 size, u64 first, u64 end, u64 *gpa);

struct boot_loader {
	struct guest_mem *mem;
	const struct boot_config *cfg;
	struct boot_state *st;
	struct file kernel;
	struct mem_map map; /* what the guest is told */
	struct mem_map free; /* RAM that holds nothing yet */

	/* What the kernel's format decides. */
	struct boot_params params; /* its setup header, for BOOT_LINUX64 */
	u32 cmdline_max; /* characters without the final NUL */
	/*
	 * Where the initrd has to end (exclusive): the first is tried first, because
	 * all kernels have to get at it there.
	 */
	u64 initrd_end[2];
};

/* "more is needed, up to this address": the value for -m, in MiB, or 0 if none helps. */
u64 boot_memory_needed(const struct boot_loader *ld, u64 end);

/* For messages: "no guest has", or "this guest has no", whose user can do something about it. */
const char *boot_who_has(const struct boot_loader *ld);

/* Copies a part of @f to RAM. */
int boot_copy_file(struct boot_loader *ld, const struct file *f, u64 off, u64 gpa, u64 len);

/*
 * Each checks the image, copies it to guest memory, takes its memory off ld->free and
 * fills what is said above, and ld->st but for the initrd.
 */
int boot_load_bzimage(struct boot_loader *ld);
int boot_load_elf(struct boot_loader *ld);

/* Fills ld->map and ld->free from the banks. */
int boot_make_map(struct boot_loader *ld);
/* The kernel is in place: its initrd, command line, and the structures for ld->st->mode. */
int boot_load_initrd(struct boot_loader *ld);
int boot_write_cmdline(struct boot_loader *ld);
int boot_write_info(struct boot_loader *ld);
/* The descriptor table and page tables that x86_boot_regs() refers to. */
int boot_write_tables(struct guest_mem *mem, enum boot_mode mode);

#endif /* LKVM_X86_BOOT_INTERNAL_H */
