// SPDX-License-Identifier: GPL-2.0-only
/*
 * A qcow2 disk on a host that has no memory for it: the first, the second, ... thing that it asks
 * for is refused. To open it fails with one line, or not at all; a request fails and is one that
 * can be made again; and the image stays whole.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture.h"
#include "disk/disk.h"
#include "fail-nth.h"
#include "qcow2-image.h"
#include "unit.h"

#define DISK_SIZE (512 * KiB)

static struct image image;
static char dir[] = "/tmp/lkvm-qcow2-XXXXXX";
static char overlay[64], base[64];
static u8 data[64 * KiB];

static void store(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		abort();
	image_store(&image, fd);
	close(fd);
}

/* An image with a snapshot upon one without, both with data. */
static void make_files(void)
{
	const struct image_format below = {
		.version = 3, .cluster_bits = 12, .ref_order = 4, .size = DISK_SIZE};
	const struct image_format above = {.version = 3,
					   .cluster_bits = 9,
					   .ref_order = 4,
					   .size = DISK_SIZE,
					   .backing = "base.qcow2",
					   .backing_format = "qcow2"};

	image_make(&image, &below);
	store(base);
	image_make(&image, &above);
	image_snapshot(&image);
	store(overlay);
}

static int open_overlay(struct disk **disk)
{
	struct disk_config config = {.format = DISK_FORMAT_QCOW2};

	strcpy(config.path, overlay);
	return disk_open(disk, &config);
}

static void check_whole(void)
{
	int fd = open(overlay, O_RDONLY | O_CLOEXEC);
	struct image_state state;

	if (!CHECK(fd >= 0 && image_read(&image, fd)))
		return;
	close(fd);
	image_examine(&image, &state);
	if (!CHECK_EQ(state.errors, 0))
		printf("# %s\n", state.what);
}

static bool open_fails(unsigned int nth, bool onward)
{
	struct stock before = take_stock();
	struct disk *disk;
	const char *text;
	bool failed;
	int ret;

	capture_begin();
	fail_begin(nth, onward);
	ret = open_overlay(&disk);
	failed = fail_end();
	text = capture_end();
	CHECK(failed || !ret);
	if (!ret)
		disk_close(disk);
	else if (!CHECK(capture_one_line(text, "lkvm: error: disk")))
		printf("# call %u\n", nth);
	same_stock(&before);
	return failed;
}

/* All kinds of requests; the first one that fails is made again. */
static bool request_fails(unsigned int nth, bool onward)
{
	struct disk *disk;
	bool failed;

	make_files();
	if (!CHECK_EQ(open_overlay(&disk), 0))
		return false;
	capture_begin();
	fail_begin(nth, onward);
	for (unsigned int i = 0; i < 6; i++) {
		struct iovec iov = {.iov_base = data, .iov_len = sizeof(data)};
		u64 off = i * 32 * KiB;

		memset(data, i + 1, sizeof(data));
		if (disk->ops->pwritev(disk, &iov, 1, off) && !onward) {
			iov = (struct iovec){.iov_base = data, .iov_len = sizeof(data)};
			memset(data, i + 1, sizeof(data));
			CHECK_EQ(disk->ops->pwritev(disk, &iov, 1, off), 0);
		}
		if (i == 2 && disk->ops->discard(disk, off, 8 * KiB) && !onward)
			CHECK_EQ(disk->ops->discard(disk, off, 8 * KiB), 0);
		if (i == 3 && disk->ops->write_zeroes(disk, off + 512, 5 * KiB, true) && !onward)
			CHECK_EQ(disk->ops->write_zeroes(disk, off + 512, 5 * KiB, true), 0);
		if (i == 4 && disk->ops->flush(disk) && !onward)
			CHECK_EQ(disk->ops->flush(disk), 0);
	}
	failed = fail_end();
	disk_close(disk);
	capture_end();
	check_whole();
	return failed;
}

static void begin(void)
{
	if (!mkdtemp(dir))
		abort();
	snprintf(overlay, sizeof(overlay), "%s/overlay.qcow2", dir);
	snprintf(base, sizeof(base), "%s/base.qcow2", dir);
	image.data = malloc(IMAGE_MAX);
	make_files();
}

static void end(void)
{
	unlink(overlay);
	unlink(base);
	CHECK_EQ(rmdir(dir), 0);
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	free(image.data);
}

TEST(open)
{
	unsigned int n = 1;

	begin();
	while (open_fails(n, false)) {
		open_fails(n, true);
		n++;
	}
	/* Names, headers, tables and caches of two images. */
	CHECK(n > 20);
	end();
}

TEST(requests)
{
	unsigned int n = 1;

	begin();
	while (request_fails(n, false)) {
		request_fails(n, true);
		n++;
	}
	/* Buffers for what is around the data, and for tables. */
	CHECK(n > 6);
	end();
}
