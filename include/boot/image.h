/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernels with the header of 64 bytes that arm64 and riscv64 share (Documentation/arch/arm64/
 * booting.rst and riscv/boot-image-header.rst in Linux), plain, compressed by gzip or zstd, or in
 * an EFI zboot image, with an initrd and a device tree beside them. All of a file is distrusted,
 * except that what runs is what was loaded.
 */
#ifndef LKVM_BOOT_IMAGE_H
#define LKVM_BOOT_IMAGE_H

#include "util/file.h"
#include "util/types.h"
#include "vm/memory.h"

enum image_kind {
	IMAGE_ARM64,
	IMAGE_RISCV64,
};

struct image_config {
	enum image_kind kind;
	const char *kernel; /* NULL: builtin */
	const void *builtin; /* an image that is part of the program */
	size_t builtin_size;
	const char *initrd; /* NULL: none */
	bool banks_chosen; /* by the user: advice is about --mem SIZE@ADDRESS, not about -m */
	u64 fdt_max; /* bytes that the device tree may have: 2 MiB at most */
};

/* Where everything went, in guest-physical addresses. */
struct image_places {
	u64 entry;
	u64 initrd, initrd_size; /* 0: none */
	u64 fdt; /* fdt_max bytes of RAM from here on that nothing else is in */
};

/*
 * Loads kernel and initrd, and chooses the place of the device tree. All three are in the bank
 * with the lowest address of those that can hold them, as the kernels' boot protocols ask.
 * Prints the reason on failure, and how much memory would do. -ENOEXEC: no kernel that can be
 * started here; -ENOMEM: the guest has too little memory; -EINVAL, -ERANGE: damaged, truncated;
 * or what file_open() and file_read_at() return.
 */
int image_load(struct guest_mem *mem, const struct image_config *config,
	       struct image_places *places);

#endif /* LKVM_BOOT_IMAGE_H */
