// SPDX-License-Identifier: GPL-2.0-only
/* Kernels of arm64 and riscv64 with errors, as they come. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "images.h"

/* Whatever is loaded lies in RAM, apart from each other. */
static void check_places(u64 ram)
{
	u64 end = RAM_BASE + ram;

	CHECK(places.entry >= RAM_BASE && places.entry < places.fdt);
	CHECK(places.fdt % 8 == 0 && places.fdt + FDT_MAX <= end);
	CHECK(places.initrd >= places.fdt + FDT_MAX);
	CHECK(places.initrd + places.initrd_size <= end && places.initrd < end);
}

static void spoil(u64 header)
{
	for (unsigned int flips = unit_rand() % 5; flips; flips--) {
		u64 r = unit_rand();
		/* Mostly in the headers. */
		u64 at = r % (r & BIT_ULL(60) ? file_size : min(header, file_size));

		switch (r >> 61) {
		case 0:
			file[at] = 0;
			break;
		case 1:
			file[at] = 0xff;
			break;
		case 2:
			file[at] ^= 1 << (r >> 40) % 8;
			break;
		default:
			file[at] = r >> 32;
			break;
		}
	}
	if (unit_rand() % 4 == 0)
		file_size = 1 + unit_rand() % file_size;
}

static void fuzz(enum image_kind of, void (*make)(void), u64 header, unsigned int rounds)
{
	const u64 ram = 64 * MiB;
	struct image_config cfg;
	unsigned int good = 0;
	char path[64];
	int fd;

	make_file(path, "initrd", 6, 12288, &fd);
	make_memory(ram);
	for (unsigned int i = 0; i < rounds; i++) {
		make_plain(of);
		make();
		spoil(header);
		/* The exact size on the heap, so that a read behind it is seen. */
		cfg = config();
		cfg.builtin = memcpy(malloc(file_size), file, file_size);
		cfg.initrd = path;
		if (!load_config(&cfg)) {
			check_places(ram);
			good++;
		}
		free((void *)cfg.builtin);
	}
	CHECK(good > 0 && good < rounds);
	close(fd);
	guest_mem_destroy(&mem);
}

static void make_nothing(void)
{
}

static void make_gzip(void)
{
	file_size = 0;
	append_gzip(plain, sizeof(plain) / 8);
	append_gzip(plain, sizeof(plain) / 8);
}

static void make_zstd(void)
{
	file_size = 0;
	append_zstd(plain, sizeof(plain) / 8);
	append_zstd(plain, sizeof(plain) / 8);
}

static void make_zboot(void)
{
	make_gzip();
	wrap_zboot("gzip");
}

TEST(fuzz_arm64)
{
	fuzz(IMAGE_ARM64, make_nothing, 64, 2000);
}

TEST(fuzz_riscv64)
{
	fuzz(IMAGE_RISCV64, make_nothing, 64, 2000);
}

TEST(fuzz_gzip)
{
	fuzz(IMAGE_ARM64, make_gzip, 32, 500);
}

TEST(fuzz_zstd)
{
	fuzz(IMAGE_RISCV64, make_zstd, 32, 500);
}

TEST(fuzz_zboot)
{
	fuzz(IMAGE_ARM64, make_zboot, 64, 500);
}
