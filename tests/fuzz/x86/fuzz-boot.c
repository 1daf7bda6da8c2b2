// SPDX-License-Identifier: GPL-2.0-only
/*
 * The x86 kernel loader: the input as the file; or a bzImage, or an ELF file with or without a
 * PVH note, with what the input changes in it.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "initrd.h"
#include "x86/boot-images.h"

static const u64 memory_sizes[] = {64 * MiB, 1 * MiB, 16 * MiB};

/* Whatever is loaded lies in RAM, apart from the boot structures. */
static void check_state(u64 ram)
{
	CHECK(st.kernel_gpa >= BOOT_LOW_END);
	CHECK(st.kernel_end > st.kernel_gpa && st.kernel_end <= ram);
	CHECK(st.entry >= st.kernel_gpa && st.entry < st.kernel_end);
	if (st.initrd_size) {
		CHECK(st.initrd_gpa >= st.kernel_end ||
		      st.initrd_gpa + st.initrd_size <= st.kernel_gpa);
		CHECK(st.initrd_size <= ram && st.initrd_gpa <= ram - st.initrd_size);
	}
	CHECK(st.info_gpa == BOOT_PARAMS || st.info_gpa == BOOT_START_INFO);
}

void fuzz_one(void)
{
	u64 ram = fuzz_pick(memory_sizes);
	u8 how = fuzz_int(1);
	struct boot_config cfg = {
		.cmdline = how & 1 ? "console=ttyS0" : NULL,
		.initrd = how & 2 ? initrd_of(how >> 2) : NULL,
	};
	u8 what = unit_below(4);
	const u8 *rest;
	size_t len;
	void *copy;

	if (what == 0) {
		rest = fuzz_rest(&len);
		image_size = min(len, (size_t)IMAGE_ROOM);
		if (len)
			memcpy(image, rest, image_size);
	} else {
		if (what == 1)
			make_bzimage();
		else
			make_elf(what == 2);
		fuzz_change(image, &image_size, 0x290);
	}

	/* The exact size on the heap, so that a read behind it is seen. */
	copy = malloc(image_size);
	memcpy(copy, image, image_size);
	cfg.kernel_image = copy;
	cfg.kernel_size = image_size;
	memset(&mem, 0, sizeof(mem));
	if (guest_mem_add_bank(&mem, 0, ram))
		exit(2);
	if (!x86_load_kernel(&mem, &cfg, &st))
		check_state(ram);
	guest_mem_destroy(&mem);
	free(copy);
}
