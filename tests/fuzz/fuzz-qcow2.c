// SPDX-License-Identifier: GPL-2.0-only
/*
 * qcow2 images: the input as the file, or a good image with changes, and then requests of a guest.
 * The file is a memfd, so that what the image makes lkvm write is seen: never so much that the
 * file is beyond what the requests are worth.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk/disk.h"
#include "fuzz.h"
#include "qcow2-image.h"

#define MAX_STEPS 64
#define MAX_MOVE  (96 * KiB)
/* What a request may add: clusters of 2 MiB, copied and not, tables, and refcount blocks of theirs.
 */
#define MAX_GROWTH (64 * MiB)

static struct image image, backing;
static char path[32], backing_path[64];
static int fd, backing_fd;

void fuzz_begin(void)
{
	fd = memfd_create("image", MFD_CLOEXEC);
	backing_fd = memfd_create("backing", MFD_CLOEXEC);
	image.data = malloc(IMAGE_MAX);
	backing.data = malloc(IMAGE_MAX);
	if (fd < 0 || backing_fd < 0 || !image.data || !backing.data)
		exit(2);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	snprintf(backing_path, sizeof(backing_path), "/proc/self/fd/%d", backing_fd);
	image_room(&backing, 0, 10000);
	memset(backing.data, 0x5a, backing.len);
	image_store(&backing, backing_fd);
}

/* A cluster that is as long when compressed: a stored block of deflate, or a raw one of zstd. */
static void put_packed(u64 at, u64 cluster, bool zstd)
{
	if (zstd) {
		image_put(&image, at, 5, 0x28b52ffd60);
		image_put(&image, at + 5, 1, cluster - 256);
		image_put(&image, at + 6, 1, (cluster - 256) >> 8);
		for (unsigned int i = 0; i < 3; i++)
			image_put(&image, at + 7 + i, 1, (cluster << 3 | 1) >> 8 * i);
		return;
	}
	image_put(&image, at, 1, 1);
	for (unsigned int i = 0; i < 2; i++) {
		image_put(&image, at + 1 + i, 1, cluster >> 8 * i);
		image_put(&image, at + 3 + i, 1, ~cluster >> 8 * i);
	}
}

/* A good one, with clusters of some kinds in its first L2 table. */
static void make_image(void)
{
	struct image_format f = {
		.version = fuzz_bool() ? 3 : 2,
		.cluster_bits = 9 + unit_below(6),
		.ref_order = 4,
		.size = 512 * (1 + fuzz_int(2)),
	};
	u64 cluster, table, at;
	u8 how = fuzz_int(1);

	if (f.version == 3)
		f.ref_order = unit_below(7);
	f.subclusters = f.version == 3 && f.cluster_bits == 14 && (how & 1);
	if (how & 2) {
		f.backing = "x";
		f.backing_format = "raw";
	}
	image_make(&image, &f);
	if (how & 4)
		return;
	cluster = 1ULL << f.cluster_bits;
	table = align_up(image.len, cluster);
	image_room(&image, table, cluster * 6);
	at = image_get(&image, 40, 8);
	if (at >= image.len)
		return;
	image_put(&image, at, 8, table | (how & 8 ? BIT_ULL(63) : 0));
	for (unsigned int i = 0; i < 8; i++) {
		u64 entry = f.subclusters ? 16 : 8, host = table + cluster * (1 + i % 5);
		u64 val = fuzz_bool()	? host | BIT_ULL(63)
			  : fuzz_bool() ? host
			  : fuzz_bool()
				  ? BIT_ULL(62) | cluster >> 9 << (62 - (f.cluster_bits - 8)) | host
				  : fuzz_int(1);

		image_put(&image, table + i * entry, 8, val);
		if (f.subclusters)
			image_put(&image, table + i * entry + 8, 8, fuzz_int(8));
	}
	if ((how & 64) && f.version == 3) {
		image_put(&image, 79, 1, image_get(&image, 79, 1) | 8);
		image_put(&image, 104, 1, 1);
	}
	for (unsigned int i = 1; i < 6 && (how & 128); i++)
		put_packed(table + cluster * i, cluster, how & 64);
	/* Their refcounts, where these are of two bytes. */
	for (unsigned int i = 0; i < 6 && f.ref_order == 4; i++)
		image_put(&image, cluster * 2 + ((table >> f.cluster_bits) + i) * 2, 2,
			  1 + (i && how & 16));
	if (how & 32)
		image_snapshot(&image);
}

/* At least the rest of the input decides what is changed where. */
static void change_image(void)
{
	unsigned int changes = fuzz_int(1) % 8;

	while (changes--) {
		u8 how = fuzz_int(1);
		u64 at = fuzz_int(2), val = how & 8 ? fuzz_number() : fuzz_int(8);

		at %= how & 16 ? image.len : 128;
		if (how & 32)
			at &= ~7ULL;
		if (at + 8 <= image.len)
			image_put(&image, at, 1 + (how & 7), val);
	}
	if (!unit_below(8))
		image.len = 1 + fuzz_int(3) % image.len;
}

static u8 buf[MAX_MOVE];

/* For an image that leaves no input for requests. */
static void touch(struct disk *disk)
{
	u64 len = min(disk->size, MAX_MOVE), end = disk->size - len;
	struct iovec iov = {buf, len};

	disk->ops->preadv(disk, &iov, 1, 0);
	iov = (struct iovec){buf, len};
	disk->ops->preadv(disk, &iov, 1, end);
	if (disk->read_only)
		return;
	iov = (struct iovec){buf, DISK_SECTOR_SIZE};
	disk->ops->pwritev(disk, &iov, 1, 0);
	iov = (struct iovec){buf, len};
	disk->ops->pwritev(disk, &iov, 1, end);
	disk->ops->discard(disk, 0, disk->size > GiB ? GiB : disk->size);
	disk->ops->flush(disk);
	iov = (struct iovec){buf, len};
	disk->ops->pwritev(disk, &iov, 1, 0);
}

static void step(struct disk *disk)
{
	u64 sectors = disk->size / DISK_SECTOR_SIZE;
	u64 first, nr, off, len, half;
	struct iovec iov[2];

	/* Such an image is refused. */
	if (!sectors)
		abort();
	first = fuzz_bool() ? unit_below(min(sectors, (u64)4096)) : fuzz_int(8) % sectors;
	nr = 1 + unit_below(min(sectors - first, MAX_MOVE / DISK_SECTOR_SIZE));
	off = first * DISK_SECTOR_SIZE;
	len = nr * DISK_SECTOR_SIZE;
	half = fuzz_int(2) % len;
	iov[0] = (struct iovec){buf, half};
	iov[1] = (struct iovec){buf + half, len - half};
	switch (fuzz_int(1) % 8) {
	case 0:
	case 1:
		disk->ops->preadv(disk, iov, 2, off);
		break;
	case 2:
	case 3:
	case 4:
		if (!disk->read_only)
			disk->ops->pwritev(disk, iov, 2, off);
		break;
	case 5:
		if (disk->can_discard)
			disk->ops->discard(disk, off, len);
		break;
	case 6:
		if (disk->can_write_zeroes)
			disk->ops->write_zeroes(disk, off, len, nr & 1);
		break;
	default:
		disk->ops->flush(disk);
	}
}

void fuzz_one(void)
{
	struct disk_config config = {.format = DISK_FORMAT_QCOW2};
	u8 kind = fuzz_int(1);
	unsigned int steps = 0;
	struct disk *disk;
	struct stat st;
	size_t len;
	const u8 *rest;
	u64 before;

	strcpy(config.path, path);
	config.read_only = kind & 1;
	if (kind & 2)
		strcpy(config.backing, backing_path);
	if (kind & 4) {
		rest = fuzz_rest(&len);
		image.len = 0;
		image_room(&image, 0, min(len, (size_t)IMAGE_MAX));
		if (len)
			memcpy(image.data, rest, image.len);
	} else {
		make_image();
		change_image();
	}
	image_store(&image, fd);
	before = image.len;
	if (disk_open(&disk, &config))
		return;
	CHECK(disk->size && disk->size % DISK_SECTOR_SIZE == 0);
	if (kind & 4)
		touch(disk);
	while (fuzz_more() && steps++ < MAX_STEPS)
		step(disk);
	disk_close(disk);
	CHECK_EQ(fstat(fd, &st), 0);
	/* A hostile refcount table may make the file long, but not large. */
	CHECK((u64)st.st_blocks * 512 <= before + MAX_GROWTH);
}
