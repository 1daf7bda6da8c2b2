// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel loader of arm64 and riscv64: the input as the file; or an Image, plain, packed or in
 * an EFI zboot image, with what the input changes in it.
 */
#include <stdlib.h>
#include <string.h>

#include "fdt/images.h"
#include "fuzz.h"
#include "initrd.h"

#define HDR_PE_OFFSET 60
#define PE_OFFSET     64

/* Headers of a PE program, with as many sections as fit before the kernel itself, or not. */
static void put_sections(void)
{
	unsigned int nr = unit_below(4);

	put32(plain + HDR_PE_OFFSET, PE_OFFSET);
	memcpy(plain + PE_OFFSET, "PE\0\0", 4);
	put32(plain + PE_OFFSET + 4, fuzz_int(1) < 0xf0 ? nr << 16 : fuzz_int(4));
	put32(plain + PE_OFFSET + 20, unit_below(200));
	for (unsigned int i = 0; i < 4; i++) {
		put32(plain + PE_OFFSET + 24 + 40 * i + 16, unit_below(PLAIN_SIZE));
		put32(plain + PE_OFFSET + 24 + 40 * i + 20, unit_below(2) * 0x1000);
	}
}

static void make_file_of(u8 how)
{
	u64 len = PLAIN_SIZE;

	make_plain(how & 1 ? IMAGE_RISCV64 : IMAGE_ARM64);
	if (how & 32)
		put_sections();
	if (how & 2)
		len = 128 + fuzz_int(1);
	file_size = 0;
	switch (how >> 2 & 3) {
	case 0:
		append(plain, len);
		break;
	case 1:
		append_gzip(plain, len);
		break;
	default:
		append_zstd(plain, len);
	}
	if (how & 16)
		wrap_zboot(how & 8 ? "zstd22" : "gzip");
}

/* Whatever is loaded lies in RAM, apart from each other. */
static void check_places(u64 ram)
{
	CHECK(places.entry >= RAM_BASE && places.entry < places.fdt);
	if (places.initrd_size) {
		CHECK(places.initrd >= RAM_BASE && places.initrd_size <= ram);
		CHECK(places.initrd - RAM_BASE <= ram - places.initrd_size);
	}
	CHECK(places.fdt % 8 == 0 && places.fdt + FDT_MAX <= RAM_BASE + ram);
}

void fuzz_one(void)
{
	u8 how = fuzz_int(1);
	u64 ram = how & 1 ? 64 * MiB : 8 * MiB;
	struct image_config cfg = {.fdt_max = FDT_MAX};
	const u8 *rest;
	size_t len;
	void *copy;

	if (how & 2)
		cfg.initrd = initrd_of(how >> 2);
	cfg.kind = fuzz_bool() ? IMAGE_RISCV64 : IMAGE_ARM64;
	if (fuzz_bool()) {
		rest = fuzz_rest(&len);
		file_size = min(len, (size_t)FILE_ROOM);
		if (len)
			memcpy(file, rest, file_size);
	} else {
		make_file_of(fuzz_int(1));
		fuzz_change(file, &file_size, 128);
	}

	/* The exact size on the heap, so that a read behind it is seen. */
	copy = malloc(file_size);
	memcpy(copy, file, file_size);
	cfg.builtin = copy;
	cfg.builtin_size = file_size;
	memset(&mem, 0, sizeof(mem));
	if (guest_mem_add_bank(&mem, RAM_BASE, ram))
		exit(2);
	if (!image_load(&mem, &cfg, &places))
		check_places(ram);
	guest_mem_destroy(&mem);
	free(copy);
}
