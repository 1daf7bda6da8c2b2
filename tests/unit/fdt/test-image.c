// SPDX-License-Identifier: GPL-2.0-only
/* Kernels of arm64 and riscv64: their header, and where everything goes. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "images.h"

TEST(arm64_image)
{
	make_plain(IMAGE_ARM64);
	loaded(64 * MiB);
	CHECK_EQ(places.entry, RAM_BASE);
	CHECK_EQ(places.fdt, RAM_BASE + 2 * MiB);
	CHECK_EQ(places.initrd_size, 0);

	/* Before Linux 5.8 there was one. */
	put64(file + HDR_TEXT_OFFSET, 0x80000);
	put64(plain + HDR_TEXT_OFFSET, 0x80000);
	loaded(64 * MiB);
	CHECK_EQ(places.entry, RAM_BASE + 0x80000);
}

TEST(riscv64_image)
{
	make_plain(IMAGE_RISCV64);
	loaded(64 * MiB);
	CHECK_EQ(places.entry, RAM_BASE + 2 * MiB);
	CHECK_EQ(places.fdt, RAM_BASE + 4 * MiB);

	/* The first version of the header has only the other magic number. */
	put32(file + HDR_MAGIC, 0);
	put32(plain + HDR_MAGIC, 0);
	memcpy(file + HDR_RISCV_MAGIC, "RISCV\0\0\0", 8);
	memcpy(plain + HDR_RISCV_MAGIC, "RISCV\0\0\0", 8);
	loaded(64 * MiB);
}

TEST(wrong_kernels)
{
	make_plain(IMAGE_ARM64);
	put64(file + HDR_FLAGS, 1);
	refused(64 * MiB, -ENOEXEC, "big-endian");
	make_plain(IMAGE_ARM64);
	kind = IMAGE_RISCV64;
	refused(64 * MiB, -ENOEXEC, "is one for arm64; this guest is riscv64");
	make_plain(IMAGE_RISCV64);
	kind = IMAGE_ARM64;
	refused(64 * MiB, -ENOEXEC, "is one for riscv64; this guest is arm64");
	make_plain(IMAGE_RISCV64);
	put32(file + HDR_VERSION, 0x10000);
	refused(64 * MiB, -ENOEXEC, "version 1.0");
	make_plain(IMAGE_RISCV64);
	put64(file + HDR_IMAGE_SIZE, 0);
	refused(64 * MiB, -ENOEXEC, "image_size in its header is 0");
	make_plain(IMAGE_ARM64);
	put64(file + HDR_TEXT_OFFSET, 0x123);
	refused(64 * MiB, -ENOEXEC, "text_offset in its header is 0x123");
}

TEST(no_kernels)
{
	static const struct {
		unsigned int off;
		const char *magic;
		const char *words;
	} files[] = {
		{0x202, "HdrS", "x86"},
		{0,
		 "\x7f"
		 "ELF",
		 "ELF"},
		{0,
		 "\xfd"
		 "7zXZ",
		 "xz -d"},
		{0, "BZh9", "bzip2 -d"},
		{0, "070701", "with -i"},
		{0, "QFI\xfb", "with -d"},
		{0, "MZ", "EFI program"},
		{0, "hello", "no kernel"},
		{0, "\x02\x21\x4c\x18", "lz4 -d"},
	};

	kind = IMAGE_ARM64;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		memset(file, 0, 4096);
		file_size = 4096;
		memcpy(file + files[i].off, files[i].magic, strlen(files[i].magic));
		refused(64 * MiB, -ENOEXEC, files[i].words);
		/* Packed, it is the same. */
		file_size = 0;
		append_gzip(memcpy((u8[4096]){0}, file, 4096), 4096);
	}
	make_plain(IMAGE_ARM64);
	file_size = 63;
	refused(64 * MiB, -ENOEXEC, "it has 63 bytes");
	file_size = 1;
	refused(64 * MiB, -ENOEXEC, "it has 1 bytes");
}

TEST(sizes)
{
	static const u64 wrong[] = {1ULL << 59, 1ULL << 60, 1ULL << 63, ~0ULL, ~0ULL - 4095};

	make_plain(IMAGE_ARM64);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		put64(file + HDR_IMAGE_SIZE, wrong[i]);
		CHECK_EQ(load(64 * MiB), -ENOMEM);
	}
	make_plain(IMAGE_ARM64);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		put64(file + HDR_TEXT_OFFSET, align_down(wrong[i], 4096));
		CHECK_EQ(load(64 * MiB), -ENOMEM);
	}

	/* What the message says is what is enough, and no byte too much. */
	make_plain(IMAGE_ARM64);
	put64(file + HDR_IMAGE_SIZE, 70 * MiB);
	put64(plain + HDR_IMAGE_SIZE, 70 * MiB);
	refused(64 * MiB, -ENOMEM, "-m 72");
	refused(71 * MiB, -ENOMEM, "-m 72");
	loaded(72 * MiB);

	/* A file that is shorter than what it uses has .bss; one that is longer, a signature. */
	make_plain(IMAGE_ARM64);
	put64(file + HDR_IMAGE_SIZE, 4096);
	CHECK_EQ(load(64 * MiB), 0);
	CHECK_EQ(*(u8 *)guest_mem_ptr(&mem, RAM_BASE + 4096, 1), 0);
	CHECK_EQ(*(u8 *)guest_mem_ptr(&mem, RAM_BASE + 4095, 1), plain[4095]);
	put64(file + HDR_IMAGE_SIZE, 1);
	CHECK_EQ(load(64 * MiB), 0);
}

/* The table of sections of an EFI program with one, which ends @end bytes into the file. */
static void make_sections(u8 *image, u32 end)
{
	put32(image + 60, 64);
	memcpy(image + 64, "PE\0", 4);
	put32(image + 64 + 6, 1);
	put32(image + 64 + 20, 16);
	put32(image + 64 + 24 + 16 + 16, end - 0x1000);
	put32(image + 64 + 24 + 16 + 20, 0x1000);
}

TEST(truncated)
{
	make_plain(IMAGE_ARM64);
	make_sections(plain, PLAIN_SIZE);
	make_sections(file, PLAIN_SIZE);
	loaded(64 * MiB);
	make_sections(file, PLAIN_SIZE + 1);
	refused(64 * MiB, -ENODATA, "is truncated");
	/* What is no such table says nothing: where it is, how many sections it has. */
	put32(plain + 60, 0xffffffff);
	memcpy(file, plain, PLAIN_SIZE);
	loaded(64 * MiB);
	put32(plain + 60, 64);
	put32(plain + 64 + 6, 0xffff);
	memcpy(file, plain, PLAIN_SIZE);
	loaded(64 * MiB);
}

TEST(old_arm64)
{
	make_plain(IMAGE_ARM64);
	put64(file + HDR_IMAGE_SIZE, 0);
	put64(plain + HDR_IMAGE_SIZE, 0);
	loaded(64 * MiB);
	CHECK_EQ(places.entry, RAM_BASE + 0x80000);
	/* There is room for .bss of a size that nobody knows. */
	CHECK(places.fdt >= places.entry + sizeof(plain) + 16 * MiB);
	/* The tree is in the first 512 MiB. */
	CHECK(places.fdt + FDT_MAX <= RAM_BASE + 512 * MiB);

	file_size = 0;
	append_gzip(plain, sizeof(plain));
	loaded(128 * MiB);
}

/* All of it in the lowest bank that is large enough, apart from each other. */
TEST(banks)
{
	struct image_config cfg;
	char path[64];
	int fd;

	make_plain(IMAGE_ARM64);
	make_file(path, "initrd", 6, 100 * MiB, &fd);
	cfg = config();
	cfg.initrd = path;
	make_memory(64 * MiB);
	cfg.banks_chosen = true;
	CHECK_EQ(load_config(&cfg), -ENOMEM);
	CHECK(strstr(message, "a bank of memory of at least 104 MiB"));
	CHECK_EQ(guest_mem_add_bank(&mem, RAM_BASE + 65 * MiB, 128 * MiB), 0);
	CHECK_EQ(load_config(&cfg), 0);
	CHECK_EQ(places.entry, RAM_BASE + 66 * MiB);
	CHECK_EQ(places.fdt % 8, 0);
	CHECK(places.fdt >= places.entry + PLAIN_USES);
	CHECK(places.initrd >= places.fdt + FDT_MAX);
	CHECK_EQ(places.initrd % 4096, 0);
	CHECK_EQ(places.initrd_size, 100 * MiB);
	CHECK(places.initrd + places.initrd_size <= RAM_BASE + 193 * MiB);
	CHECK(!memcmp(guest_mem_ptr(&mem, places.initrd, 7), "initrd", 7));

	/* Nothing in the second bank when the first one does. */
	ftruncate(fd, 4096);
	CHECK_EQ(load_config(&cfg), 0);
	CHECK_EQ(places.entry, RAM_BASE);
	CHECK(places.initrd + places.initrd_size <= RAM_BASE + 64 * MiB);
	close(fd);
}

/* arm64: within 32 GiB from the kernel's multiple of 1 GiB on. The files are sparse. */
TEST(far_initrd)
{
	struct image_config cfg;
	char path[64];
	int fd;

	make_plain(IMAGE_ARM64);
	make_file(path, "initrd", 6, 32 * GiB, &fd);
	cfg = config();
	cfg.initrd = path;
	make_memory(64 * MiB);
	CHECK_EQ(load_config(&cfg), -ENOMEM);
	CHECK(strstr(message, "no guest has such memory"));
	make_plain(IMAGE_RISCV64);
	cfg.kind = kind;
	CHECK_EQ(load_config(&cfg), -ENOMEM);
	CHECK(strstr(message, "-m 32774"));
	close(fd);
}

TEST(files)
{
	struct image_config cfg;
	char path[64], initrd[64];
	int fd, initrd_fd, pipes[2];
	unsigned int open_before = unit_open_fds();

	make_plain(IMAGE_ARM64);
	make_memory(64 * MiB);
	cfg = config();
	cfg.kernel = make_file(path, file, file_size, file_size, &fd);
	CHECK_EQ(load_config(&cfg), 0);
	cfg.initrd = "/nonexistent";
	CHECK_EQ(load_config(&cfg), -ENOENT);
	cfg.initrd = "/";
	CHECK_EQ(load_config(&cfg), -EISDIR);
	cfg.initrd = make_file(initrd, "", 0, 0, &initrd_fd);
	CHECK_EQ(load_config(&cfg), -ENODATA);
	cfg.initrd = NULL;
	cfg.kernel = "/nonexistent";
	CHECK_EQ(load_config(&cfg), -ENOENT);

	/* Both may be pipes. */
	if (CHECK_EQ(pipe(pipes), 0)) {
		CHECK_EQ(write(pipes[1], file, 32 * KiB), 32 * KiB);
		close(pipes[1]);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", pipes[0]);
		cfg.kernel = path;
		CHECK_EQ(load_config(&cfg), 0);
		CHECK(!memcmp(guest_mem_ptr(&mem, places.entry, 32 * KiB), plain, 32 * KiB));
		close(pipes[0]);
	}
	close(fd);
	close(initrd_fd);
	guest_mem_destroy(&mem);
	/* The memory of the first test is gone, too. */
	CHECK(unit_open_fds() <= open_before);
}
