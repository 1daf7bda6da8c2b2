// SPDX-License-Identifier: GPL-2.0-only
/* The x86 kernel loader: files of all kinds, the command line, and little memory. */
#include <errno.h>
#include <fcntl.h>

#include "boot-images.h"
#include "capture.h"
#include "util/file.h"

/* Whatever is named instead of a kernel is called by its name. */
TEST(strangers)
{
	static const struct {
		unsigned int off;
		const char *magic;
		unsigned int len;
		const char *words;
	} tests[] = {
		{0x38, "ARM\x64", 4, "arm64"},
		{0x38, "RSC\x05", 4, "RISC-V"},
		{0x30, "RISCV\0\0\0", 8, "RISC-V"},
		{0x24, "\x18\x28\x6f\x01", 4, "32-bit Arm"},
		{0, "MZ\0\0zimg", 8, "zboot"},
		{0, "\x27\x05\x19\x56", 4, "U-Boot"},
		{0, "\xd0\x0d\xfe\xed", 4, "device tree"},
		{0, "\x1f\x8b\x08\x00", 4, "gzip"},
		{0,
		 "\xfd"
		 "7zXZ",
		 6, "xz"},
		{0, "\x28\xb5\x2f\xfd", 4, "zstd"},
		{0, "\x02\x21\x4c\x18", 4, "lz4"},
		{0, "BZh9", 4, "bzip2"},
		{0, "070701", 6, "-i"},
		{0, "QFI\xfb", 4, "-d"},
		{0, "MZ\x90\0", 4, "EFI"},
		{0, "#!/bin/sh", 9, "no kernel"},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		memset(image, 0, sizeof(image));
		memcpy(image + tests[i].off, tests[i].magic, tests[i].len);
		image_size = 8192;
		refused(64 * MiB, -ENOEXEC, tests[i].words);
	}

	/* An arm64 Image with an EFI header, which may hold anything at 0x202. */
	make_bzimage();
	memcpy(image + 0x38, "ARM\x64", 4);
	refused(64 * MiB, -ENOEXEC, "arm64");

	memset(image, 0, sizeof(image));
	image_size = 1;
	refused(64 * MiB, -ENOEXEC, "1 bytes");
}

TEST(kernel_files)
{
	struct boot_config cfg = config();
	char path[64];
	int fd;

	make_memory(64 * MiB);
	cfg.kernel_image = NULL;
	CHECK_EQ(load_config(&cfg), -ENOENT);
	CHECK(strstr(message, "-k"));

	cfg.kernel = "/nonexistent/vmlinuz";
	CHECK_EQ(load_config(&cfg), -ENOENT);
	CHECK(strstr(message, "/nonexistent/vmlinuz"));
	cfg.kernel = "/";
	CHECK_EQ(load_config(&cfg), -EISDIR);
	CHECK(strstr(message, "directory"));
	cfg.kernel = "/dev/zero";
	CHECK_EQ(load_config(&cfg), -EINVAL);
	CHECK(strstr(message, "device"));
	cfg.kernel = make_file(path, "", 0, 0, &fd);
	CHECK_EQ(load_config(&cfg), -ENODATA);
	CHECK(strstr(message, "empty"));
	close(fd);

	make_bzimage();
	cfg.kernel = make_file(path, image, image_size, image_size, &fd);
	make_memory(64 * MiB);
	CHECK_EQ(load_config(&cfg), 0);
	CHECK(!memcmp(guest_mem_ptr(&mem, BZ_PREF, BZ_KERNEL_SIZE), image + BZ_SETUP_SIZE,
		      BZ_KERNEL_SIZE));
	CHECK_EQ(ftruncate(fd, image_size - 1), 0);
	make_memory(64 * MiB);
	CHECK_EQ(load_config(&cfg), -ERANGE);
	close(fd);
}

TEST(kernel_from_a_pipe)
{
	struct boot_config cfg;
	char path[64];
	int fds[2];

	make_elf(true);
	make_memory(64 * MiB);
	cfg = config();
	cfg.kernel = path;

	/* It fits into the pipe's buffer, so that no second thread has to write. */
	CHECK_EQ(pipe(fds), 0);
	CHECK_EQ(write(fds[1], image, image_size), (ssize_t)image_size);
	close(fds[1]);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
	CHECK_EQ(load_config(&cfg), 0);
	CHECK_EQ(st.mode, BOOT_PVH);
	CHECK(!memcmp(guest_mem_ptr(&mem, ELF_GPA, ELF_FILESZ), image + ELF_DATA, ELF_FILESZ));
	close(fds[0]);

	CHECK_EQ(pipe(fds), 0);
	close(fds[1]);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
	CHECK_EQ(load_config(&cfg), -ENODATA);
	close(fds[0]);
}

TEST(file_from_a_long_pipe)
{
	static u8 data[200 * KiB], back[200 * KiB];
	struct file f;
	char path[64];
	int fds[2];

	fill_pattern(data, sizeof(data));
	CHECK_EQ(pipe(fds), 0);
	CHECK(fcntl(fds[1], F_SETPIPE_SZ, 256 * KiB) >= 0);
	CHECK_EQ(write(fds[1], data, sizeof(data)), (ssize_t)sizeof(data));
	close(fds[1]);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
	if (CHECK_EQ(file_open(&f, "initrd", path, sizeof(data)), 0)) {
		CHECK_EQ(f.size, sizeof(data));
		CHECK_EQ(file_read_at(&f, 0, back, sizeof(back)), 0);
		CHECK(!memcmp(data, back, sizeof(data)));
		file_close(&f);
	}
	close(fds[0]);

	CHECK_EQ(pipe(fds), 0);
	CHECK_EQ(write(fds[1], data, 1001), 1001);
	close(fds[1]);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
	capture_begin();
	CHECK_EQ(file_open(&f, "initrd", path, 1000), -EFBIG);
	snprintf(message, sizeof(message), "%s", capture_end());
	CHECK(one_line());
	close(fds[0]);
}

TEST(file_that_shrinks)
{
	struct file f;
	char path[64];
	u8 buf[10];
	int fd;

	make_file(path, "0123456789", 10, 10, &fd);
	CHECK_EQ(file_open(&f, "initrd", path, 0), 0);
	CHECK_EQ(ftruncate(fd, 5), 0);
	CHECK_EQ(file_read_at(&f, 0, buf, 5), 0);
	capture_begin();
	CHECK_EQ(file_read_at(&f, 0, buf, 6), -EIO);
	snprintf(message, sizeof(message), "%s", capture_end());
	CHECK(one_line());
	capture_begin();
	CHECK_EQ(file_read_at(&f, 1, buf, 10), -ERANGE);
	snprintf(message, sizeof(message), "%s", capture_end());
	CHECK(one_line());
	file_close(&f);
	close(fd);
}

TEST(command_line)
{
	struct boot_config cfg;
	static char line[BOOT_CMDLINE_MAX + 2];
	char *end;

	memset(line, 'a', BOOT_CMDLINE_MAX + 1);
	line[BOOT_CMDLINE_MAX + 1] = '\0';

	/* As much as the kernel says, */
	make_bzimage();
	make_memory(64 * MiB);
	cfg = config();
	cfg.cmdline = line + BOOT_CMDLINE_MAX + 1 - 2047;
	CHECK_EQ(load_config(&cfg), 0);
	end = guest_mem_ptr(&mem, BOOT_CMDLINE, 4096);
	CHECK_EQ(strnlen(end, 4096), 2047);
	cfg.cmdline--;
	CHECK_EQ(load_config(&cfg), -E2BIG);
	CHECK(strstr(message, "2048") && strstr(message, "2047"));

	/* but not more than there is room for, */
	bz->cmdline_size = 0xffffffff;
	cfg.cmdline = line;
	CHECK_EQ(load_config(&cfg), -E2BIG);
	cfg.cmdline = line + 1;
	CHECK_EQ(load_config(&cfg), 0);
	CHECK_EQ(guest_u32(BOOT_LOW_END - 4), 0x00616161);
	CHECK_EQ(guest_u32(BOOT_LOW_END), 0);

	/* and for an ELF file what Linux takes. */
	make_elf(false);
	make_memory(64 * MiB);
	cfg = config();
	cfg.cmdline = line + BOOT_CMDLINE_MAX + 1 - 2047;
	CHECK_EQ(load_config(&cfg), 0);
	make_memory(64 * MiB);
	cfg.cmdline--;
	CHECK_EQ(load_config(&cfg), -E2BIG);

	make_memory(64 * MiB);
	cfg.cmdline = NULL;
	CHECK_EQ(load_config(&cfg), 0);
	CHECK_EQ(guest_u32(BOOT_CMDLINE), 0);
}

TEST(hardly_any_memory)
{
	make_bzimage();
	refused(MiB, -ENOMEM, "-m 64");
	refused(PAGE, -ENOMEM, "-m 64");
}

TEST(files_are_closed)
{
	struct boot_config cfg = config();
	char kernel[64], initrd[64];
	int kernel_fd, initrd_fd;
	unsigned int fds;

	make_bzimage();
	make_memory(64 * MiB);
	cfg.kernel = make_file(kernel, image, image_size, image_size, &kernel_fd);
	cfg.initrd = make_file(initrd, "initrd", 6, 6, &initrd_fd);
	fds = unit_open_fds();
	CHECK_EQ(load_config(&cfg), 0);
	CHECK_EQ(unit_open_fds(), fds);

	CHECK_EQ(ftruncate(initrd_fd, 1 * GiB), 0);
	CHECK_EQ(load_config(&cfg), -ENOMEM);
	CHECK_EQ(unit_open_fds(), fds);

	CHECK_EQ(ftruncate(kernel_fd, 1000), 0);
	CHECK_EQ(load_config(&cfg), -ERANGE);
	CHECK_EQ(unit_open_fds(), fds);
	close(kernel_fd);
	close(initrd_fd);
}
