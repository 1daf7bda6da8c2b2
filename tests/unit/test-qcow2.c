// SPDX-License-Identifier: GPL-2.0-only
/* qcow2 images that are wrong, or not what they seem: refused, or I/O errors and no more damage. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture.h"
#include "disk/disk.h"
#include "qcow2-image.h"
#include "unit.h"
#include "virtio/blk.h"

#define DISK_SIZE MiB
#define CLUSTER	  4096U
#define L1	  (3 * CLUSTER)
#define REFBLOCK  (2 * CLUSTER)
#define TABLE	  (4 * CLUSTER) /* that the first write makes */
#define COPIED	  BIT_ULL(63)
#define PACKED	  BIT_ULL(62)

static struct image image;
static char dir[] = "/tmp/lkvm-qcow2-XXXXXX";

static void remove_dir(void)
{
	char cmd[64];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	if (system(cmd))
		printf("# %s remains\n", dir);
}

static const char *in_dir(const char *name)
{
	static char paths[4][128];
	static unsigned int next;
	static bool made;

	if (!made) {
		if (!mkdtemp(dir))
			abort();
		atexit(remove_dir);
		image.data = malloc(IMAGE_MAX);
		made = true;
	}
	next = (next + 1) % ARRAY_SIZE(paths);
	snprintf(paths[next], sizeof(paths[next]), "%s/%s", dir, name);
	return paths[next];
}

static void store(const char *name)
{
	int fd = open(in_dir(name), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		abort();
	image_store(&image, fd);
	close(fd);
}

static void load(const char *name)
{
	int fd = open(in_dir(name), O_RDONLY | O_CLOEXEC);

	if (fd < 0 || !image_read(&image, fd))
		abort();
	close(fd);
}

static int open_arg(struct disk **disk, const char *name, const char *opts)
{
	struct blk_config config;
	char arg[512];

	snprintf(arg, sizeof(arg), "%s%s", in_dir(name), opts);
	if (!CHECK_EQ(blk_parse(arg, &config), 0))
		return -EINVAL;
	return disk_open(disk, &config.disk);
}

static void refused(const char *name, const char *opts, const char *part)
{
	struct disk *disk;
	int ret;

	capture_begin();
	ret = open_arg(&disk, name, opts);
	CHECK(capture_one_line(capture_end(), part));
	if (!CHECK(ret < 0))
		disk_close(disk);
}

static void accepted(const char *name, const char *opts)
{
	struct disk *disk;

	if (CHECK_EQ(open_arg(&disk, name, opts), 0))
		disk_close(disk);
}

static void make(const char *backing, const char *format)
{
	const struct image_format f = {.version = 3,
				       .cluster_bits = 12,
				       .ref_order = 4,
				       .size = DISK_SIZE,
				       .backing = backing,
				       .backing_format = format};

	in_dir("");
	image_make(&image, &f);
}

TEST(headers)
{
	static const struct {
		u64 off;
		unsigned int bytes;
		u64 val;
		const char *part;
		bool ro; /* refused for reading, too */
	} bad[] = {
		{0, 4, 0x51464900, "no qcow2 image; if it is a raw one write", true},
		{4, 4, 1, "version 1 is not known", true},
		{4, 4, 4, "version 4 is not known", true},
		{8, 8, 4097, "the name of its backing file has", true},
		{8, 8, ~0ULL, "the name of its backing file has", true},
		{8, 8, 8, "the name of its backing file has", true},
		{20, 4, 8, "clusters of 2^8", true},
		{20, 4, 22, "clusters of 2^22", true},
		{20, 4, 0x80000009, "clusters of 2^", true},
		{24, 8, 0, "it is empty; 'qemu-img resize", true},
		{24, 8, 2 * GiB, "an L1 table of 1 entries where", true},
		{24, 8, 1ULL << 50, "more than lkvm supports", true},
		{24, 8, ~0ULL, "a size of", true},
		{32, 4, 1, "encrypted, which lkvm does not know; 'qemu-img convert'", true},
		{32, 4, 2, "encrypted", true},
		{36, 4, 0, "an L1 table of 0", true},
		{36, 4, 0xffffffff, "an L1 table of 4294967295", true},
		{40, 8, 0, "L1 table cannot be at 0x0", true},
		{40, 8, L1 + 512, "L1 table cannot be at", true},
		{40, 8, MiB, "L1 table cannot be at", true},
		{40, 8, ~0xfffULL, "L1 table cannot be at", true},
		{40, 8, CLUSTER, "two tables at the same place", false},
		{40, 8, REFBLOCK, "a refcount block at 0x2000, where other metadata is", false},
		{48, 8, 0, "refcount table cannot be at 0x0", false},
		{48, 8, MiB, "refcount table cannot be at", false},
		{56, 4, 0, "a refcount table of 0", false},
		{56, 4, 100, "refcount table cannot be at", false},
		{56, 4, 0xffffffff, "a refcount table of 4294967295", false},
		{60, 4, 0xffffffff, "4294967295 snapshots", false},
		{60, 4, 1, "snapshot table cannot be at 0x0", false},
		{72, 8, 1, "not closed by its last user", false},
		{72, 8, 2, "marked as damaged and can only be read", false},
		{72, 8, 4, "its data is in another file", true},
		{72, 8, 8, "compression type 0 and its feature bit", true},
		{72, 8, 16, "subclusters of clusters of 4096", true},
		{72, 8, 32, "features that lkvm does not know (bits 0x20)", true},
		{72, 8, 1ULL << 63, "features that lkvm does not know", true},
		{96, 4, 7, "refcounts of 2^7 bits", true},
		{100, 4, 96, "a header of 96 bytes", true},
		{100, 4, 105, "a header of 105 bytes", true},
		{100, 4, 8192, "a header of 8192 bytes", true},
		{104, 1, 1, "compression type 1 and its feature bit", true},
		{112, 8, 0x1234567800001000, "a header extension of 4096 bytes", true},
		{112, 8, 0x12345678ffffffff, "a header extension of 4294967295", true},
		{CLUSTER, 8, 0, NULL, false},
		{CLUSTER, 8, REFBLOCK + 1, "a refcount block at 0x2001", false},
		{CLUSTER, 8, 1ULL << 40, "a refcount block at 0x10000000000", false},
		{CLUSTER, 8, CLUSTER, "where other metadata is", false},
		{CLUSTER + 8, 8, REFBLOCK, "where other metadata is", false},
		{L1, 8, COPIED | CLUSTER, "an L2 table at 0x1000, where other metadata is", false},
		{L1, 8, COPIED | REFBLOCK, "an L2 table at 0x2000, where other metadata is", false},
		{L1, 8, COPIED | 512, "an L2 table at 0x200", false},
		{L1, 8, COPIED | MiB, "an L2 table at 0x100000", false},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		make(NULL, NULL);
		image_put(&image, bad[i].off, bad[i].bytes, bad[i].val);
		store("bad.qcow2");
		if (bad[i].part)
			refused("bad.qcow2", "", bad[i].part);
		else
			accepted("bad.qcow2", "");
		if (bad[i].ro)
			refused("bad.qcow2", ",ro", bad[i].part);
		else
			accepted("bad.qcow2", ",ro");
	}
	/* Two L1 entries with the same table. */
	make(NULL, NULL);
	image_put(&image, 24, 8, 4 * MiB);
	image_put(&image, 36, 4, 2);
	image_put(&image, L1, 8, COPIED | TABLE);
	image_put(&image, L1 + 8, 8, COPIED | TABLE);
	image_room(&image, TABLE, CLUSTER);
	store("bad.qcow2");
	refused("bad.qcow2", "", "an L2 table at 0x4000, where other metadata is");
	/* What is no longer there, at any length. */
	for (u64 len = 0; len < 200; len += 7) {
		struct disk *disk;

		make(NULL, NULL);
		image.len = len;
		store("bad.qcow2");
		capture_begin();
		CHECK(open_arg(&disk, "bad.qcow2", "") < 0);
		capture_end();
	}
	make(NULL, NULL);
	image_put(&image, 60, 4, 1);
	image_put(&image, 64, 8, TABLE);
	image_put(&image, TABLE + 36, 4, 0xfffffff0);
	store("bad.qcow2");
	refused("bad.qcow2", "", "a snapshot table that does not end");
}

static int move(struct disk *disk, bool write, u64 off, u64 len)
{
	static u8 buf[64 * KiB];
	struct iovec iov = {.iov_base = buf, .iov_len = len};

	return write ? disk->ops->pwritev(disk, &iov, 1, off)
		     : disk->ops->preadv(disk, &iov, 1, off);
}

/*
 * What is found while it runs: an error for the guest, one line, the corrupt bit, and nothing
 * that is written after it. With @read a read finds it, else a write.
 */
static void breaks(const char *part, bool read)
{
	struct disk *disk;
	u64 len;

	store("broken.qcow2");
	if (!CHECK_EQ(open_arg(&disk, "broken.qcow2", ""), 0))
		return;
	capture_begin();
	CHECK_EQ(move(disk, !read, 0, 512), -EIO);
	CHECK_EQ(move(disk, true, 0, 512), -EIO);
	CHECK_EQ(move(disk, true, 512 * KiB, 512), -EIO);
	CHECK_EQ(disk->ops->discard(disk, 0, DISK_SIZE), -EIO);
	CHECK_EQ(disk->ops->flush(disk), -EIO);
	disk_close(disk);
	CHECK(capture_one_line(capture_end(), part));
	len = image.len;
	image_put(&image, 79, 1, image_get(&image, 79, 1) | 2);
	CHECK(image.len >= len);
	/* But for that bit, all is as it was where something was. */
	{
		u8 *before = malloc(len);

		memcpy(before, image.data, len);
		load("broken.qcow2");
		CHECK_EQ(memcmp(before, image.data, len), 0);
		free(before);
	}
	refused("broken.qcow2", "", "marked as damaged");
	accepted("broken.qcow2", ",ro");
}

static void make_entry(u64 entry)
{
	make(NULL, NULL);
	image_room(&image, TABLE, 8 * CLUSTER);
	image_put(&image, L1, 8, COPIED | TABLE);
	image_put(&image, TABLE, 8, entry);
	for (unsigned int i = 4; i < 7; i++)
		image_put(&image, REFBLOCK + 2 * i, 2, 1);
}

TEST(mapping)
{
	static const struct {
		u64 entry;
		const char *part;
		bool read; /* a read sees it, too */
	} bad[] = {
		{COPIED | CLUSTER, "data at 0x1000, where metadata is", false},
		{COPIED | REFBLOCK, "data at 0x2000, where metadata is", false},
		{COPIED | L1, "data at 0x3000, where metadata is", false},
		{COPIED | TABLE, "data at 0x4000, where metadata is", false},
		{COPIED | TABLE | 1, "data at 0x4000, where metadata is", false},
		{COPIED | 512, "the L2 entry of the disk's offset 0x0 is", true},
		{COPIED | (5 * CLUSTER) | 2, "the L2 entry of the disk's offset 0x0 is", true},
		{COPIED | (5 * CLUSTER) | BIT_ULL(60), "the L2 entry of", true},
		{COPIED | 1ULL << 40, "data at 0x10000000000 is behind the end", true},
		{PACKED | (5 * CLUSTER), "compressed data at 0x5000 cannot be unpacked", true},
		{PACKED | BIT_ULL(40), "compressed data at 0x10000000000 is behind", true},
		{PACKED | GENMASK_ULL(61, 0), "is behind the end of the file", true},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		make_entry(bad[i].entry);
		if (bad[i].read) {
			breaks(bad[i].part, true);
			make_entry(bad[i].entry);
		}
		breaks(bad[i].part, false);
	}
}

TEST(refcounts)
{
	/* Of all that is there: what is allocated lies over the header. */
	make(NULL, NULL);
	for (unsigned int i = 0; i < 4; i++)
		image_put(&image, REFBLOCK + 2 * i, 2, 0);
	breaks("the refcount of a table at 0x0 is 0", false);
	make(NULL, NULL);
	image_put(&image, REFBLOCK + 2 * 2, 2, 0);
	breaks("the refcount of a table at 0x2000 is 0", false);
}

TEST(freed_and_not_counted)
{
	struct disk *disk;

	make_entry(COPIED | (5 * CLUSTER));
	image_put(&image, REFBLOCK + 2 * 5, 2, 0);
	store("broken.qcow2");
	if (!CHECK_EQ(open_arg(&disk, "broken.qcow2", ""), 0))
		return;
	capture_begin();
	CHECK_EQ(disk->ops->discard(disk, 0, CLUSTER), 0);
	CHECK_EQ(disk->ops->flush(disk), -EIO);
	CHECK_EQ(move(disk, true, 0, 512), -EIO);
	disk_close(disk);
	CHECK(capture_one_line(capture_end(), "the refcount of cluster 0x5 is 0"));
}

/* A backing file that the image may name, or that the user has to. */
TEST(backing_files)
{
	char text[160], link[128];

	make(NULL, NULL);
	store("base.qcow2");
	mkdir(in_dir("below"), 0700);
	store("below/base.qcow2");

	make("base.qcow2", "qcow2");
	store("a.qcow2");
	accepted("a.qcow2", "");
	make("base.qcow2", "raw");
	store("a.qcow2");
	accepted("a.qcow2", "");
	make("below/base.qcow2", "qcow2");
	store("a.qcow2");
	accepted("a.qcow2", "");
	make("below/../base.qcow2", "qcow2");
	store("a.qcow2");
	accepted("a.qcow2", "");
	make(in_dir("base.qcow2"), "qcow2");
	store("a.qcow2");
	accepted("a.qcow2", "");

	/* Two guests can have the same. */
	{
		struct disk *first, *second;

		store("b.qcow2");
		if (CHECK_EQ(open_arg(&first, "a.qcow2", ""), 0)) {
			if (CHECK_EQ(open_arg(&second, "b.qcow2", ""), 0))
				disk_close(second);
			refused("base.qcow2", "", "it is in use");
			refused("a.qcow2", ",ro", "it is in use");
			disk_close(first);
		}
	}

	make("/etc/passwd", "raw");
	store("a.qcow2");
	refused("a.qcow2", "", "'/etc/passwd' is not in the folder of the image; if it is to be");
	snprintf(text, sizeof(text), ",backing=%s", in_dir("base.qcow2"));
	accepted("a.qcow2", text);
	make("../base.qcow2", "raw");
	store("below/a.qcow2");
	refused("below/a.qcow2", "", "is not in the folder of the image");
	strcpy(link, in_dir("link"));
	CHECK_EQ(symlink("/etc/passwd", link), 0);
	make("link", "raw");
	store("a.qcow2");
	refused("a.qcow2", "", "is not in the folder of the image");
	make("below", "raw");
	store("a.qcow2");
	refused("a.qcow2", "", "is not a regular file");
	make("nothing", "raw");
	store("a.qcow2");
	refused("a.qcow2", "", "backing file 'nothing': No such file");
	make("json:{\"driver\":\"nbd\"}", "raw");
	store("a.qcow2");
	refused("a.qcow2", "", "No such file");

	make("base.qcow2", NULL);
	store("a.qcow2");
	refused("a.qcow2", "",
		"does not say what format its backing file has; write that to it by "
		"'qemu-img rebase -u -b FILE -F raw'");
	make("base.qcow2", "vmdk");
	store("a.qcow2");
	refused("a.qcow2", "", "backing file is 'vmdk', lkvm knows raw and qcow2");
	refused("base.qcow2", ",backing=/etc/passwd", "it has no backing file, leave out backing=");
}

TEST(chains)
{
	char name[32], below[32];
	struct disk *disk;

	make("loop.qcow2", "qcow2");
	store("loop.qcow2");
	refused("loop.qcow2", "", "is the image itself, or one that it backs");
	refused("loop.qcow2", ",ro", "is the image itself, or one that it backs");
	make("loop2.qcow2", "qcow2");
	store("loop1.qcow2");
	make("loop1.qcow2", "qcow2");
	store("loop2.qcow2");
	refused("loop1.qcow2", ",ro", "is the image itself, or one that it backs");

	make(NULL, NULL);
	store("0.qcow2");
	for (unsigned int i = 1; i <= 16; i++) {
		snprintf(name, sizeof(name), "%u.qcow2", i);
		snprintf(below, sizeof(below), "%u.qcow2", i - 1);
		make(below, "qcow2");
		store(name);
	}
	if (CHECK_EQ(open_arg(&disk, "15.qcow2", ""), 0)) {
		CHECK_EQ(move(disk, false, 0, 512), 0);
		CHECK_EQ(move(disk, true, 0, 512), 0);
		disk_close(disk);
	}
	refused("16.qcow2", "", "more than 15 backing files");
}

TEST(formats)
{
	make(NULL, NULL);
	store("disk.img");
	refused("disk.img", "", "it begins as a qcow2 image does; write '-d");
	refused("disk.img", ",ro", "it begins as a qcow2 image does; write '-d");
	accepted("disk.img", ",format=raw");
	accepted("disk.img", ",format=qcow2");
	store("disk.qcow2");
	accepted("disk.qcow2", "");
	accepted("disk.qcow2", ",format=raw");
	refused("disk.img", ",backing=x", "a raw disk has no backing file");
	memset(image.data, 0, image.len);
	store("disk.qcow2");
	refused("disk.qcow2", "", "it is no qcow2 image; if it is a raw one write");
	accepted("disk.qcow2", ",format=raw");
	refused("none.qcow2", "", "none.qcow2: no such file");
}

/* Of other programs, which have to know when the contents change. */
TEST(autoclear)
{
	struct disk *disk;

	make(NULL, NULL);
	image_put(&image, 88, 8, 0x8000000000000001);
	store("bitmaps.qcow2");
	accepted("bitmaps.qcow2", "");
	load("bitmaps.qcow2");
	CHECK_EQ(image_get(&image, 88, 8), 0x8000000000000001);
	if (!CHECK_EQ(open_arg(&disk, "bitmaps.qcow2", ""), 0))
		return;
	capture_begin();
	CHECK_EQ(move(disk, true, 0, 512), 0);
	CHECK(capture_one_line(capture_end(), "its bitmaps for backups end"));
	load("bitmaps.qcow2");
	CHECK_EQ(image_get(&image, 88, 8), 0);
	disk_close(disk);
}
