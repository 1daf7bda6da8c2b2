// SPDX-License-Identifier: GPL-2.0-only
/* The x86 kernel loader: images with errors, as they come. */
#include <stdlib.h>

#include "boot-images.h"

/* Whatever is loaded lies in RAM, apart from each other and the boot structures. */
static void check_state(u64 ram)
{
	CHECK(st.kernel_gpa >= BOOT_LOW_END);
	CHECK(st.kernel_end > st.kernel_gpa && st.kernel_end <= ram);
	CHECK(st.entry >= st.kernel_gpa && st.entry < st.kernel_end);
	CHECK(st.initrd_gpa >= MiB && st.initrd_gpa + st.initrd_size <= ram);
	CHECK(st.info_gpa == BOOT_PARAMS || st.info_gpa == BOOT_START_INFO);
	/* An ELF file may have room for it between its segments. */
	if (image[0] != ELFMAG0)
		CHECK(st.initrd_gpa + st.initrd_size <= st.kernel_gpa ||
		      st.initrd_gpa >= st.kernel_end);
}

static void fuzz(void (*make)(void), unsigned int rounds)
{
	const u64 ram = 64 * MiB;
	struct boot_config cfg;
	unsigned int i, flips, loaded = 0;
	char path[64];
	int fd;

	make_file(path, "initrd", 6, 3 * PAGE, &fd);
	make_memory(ram);
	for (i = 0; i < rounds; i++) {
		make();
		for (flips = unit_rand() % 5; flips; flips--) {
			u64 r = unit_rand();
			/* Mostly in the headers. */
			u64 at = r % (r & BIT_ULL(60) ? image_size : 0x290);

			switch (r >> 61) {
			case 0:
				image[at] = 0;
				break;
			case 1:
				image[at] = 0xff;
				break;
			case 2:
				image[at] ^= 1 << (r >> 40) % 8;
				break;
			default:
				image[at] = r >> 32;
				break;
			}
		}
		if (unit_rand() % 4 == 0)
			image_size = 1 + unit_rand() % image_size;
		else if (unit_rand() % 4 == 0)
			image_size = 1 + unit_rand() % 0x300;

		/* The exact size on the heap, so that a read behind it is seen. */
		cfg = config();
		cfg.kernel_image = memcpy(malloc(image_size), image, image_size);
		cfg.initrd = path;
		if (!load_config(&cfg)) {
			check_state(ram);
			loaded++;
		}
		free((void *)cfg.kernel_image);
	}
	CHECK(loaded > 0 && loaded < rounds);
	close(fd);
	guest_mem_destroy(&mem);
}

static void make_pvh(void)
{
	make_elf(true);
}

TEST(fuzz_bzimage)
{
	fuzz(make_bzimage, 4000);
}

TEST(fuzz_elf)
{
	fuzz(make_pvh, 4000);
}
