// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host stops while a qcow2 disk is written. What it was told to write since its last flush is
 * on its disk in part, sector by sector, in any order. The image has to be whole then, with
 * clusters that are counted too often at worst, and to have what the guest had flushed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/falloc.h>

#include "../../disk/qcow2-internal.h"
#include "qcow2-image.h"
#include "unit.h"

#define SECTOR	    512U
#define DISK_SIZE   (512 * KiB)
#define SECTORS	    (DISK_SIZE / SECTOR)
#define MAX_CHANGES 4096

/* The host's disk: what is on it for sure, and what it was told since. */
struct change {
	u64 off, len;
	u8 *data; /* NULL: zeroes */
};

static struct {
	int fd; /* -1: calls do as usual */
	struct image stable, after;
	struct change changes[MAX_CHANGES];
	unsigned int nr;
	u64 calls, crash_at; /* before which call it stops; 0: not */
	u64 len; /* of the file, as the program sees it */
} host = {.fd = -1};

/* The guest: each sector has the number of the write that was the last. */
static struct {
	u64 next;
	u64 flushed[SECTORS], last[SECTORS];
	bool zeroed[SECTORS]; /* since the flush */
	bool done; /* the host has stopped */
} guest;

static const char *path;

static void crash(void)
{
	struct image *after = &host.after;
	bool longer = unit_below(2);

	memcpy(after->data, host.stable.data, host.stable.len);
	after->len = host.stable.len;
	if (longer)
		image_room(after, 0, host.len);
	for (unsigned int i = 0; i < host.nr; i++) {
		struct change *c = &host.changes[i];

		for (u64 at = c->off; at < c->off + c->len;) {
			u64 part = min(c->off + c->len, align_down(at, SECTOR) + SECTOR) - at;

			if (unit_below(2) && at + part <= after->len) {
				if (c->data)
					memcpy(after->data + at, c->data + (at - c->off), part);
				else
					memset(after->data + at, 0, part);
			}
			at += part;
		}
	}
	guest.done = true;
}

/* What the program does from now on is not there any more. */
static void count_call(void)
{
	if (++host.calls == host.crash_at)
		crash();
}

static void note(u64 off, u64 len, const void *data)
{
	struct change *c = &host.changes[host.nr];

	if (host.nr == MAX_CHANGES)
		abort();
	*c = (struct change){.off = off, .len = len};
	if (data) {
		c->data = malloc(len);
		memcpy(c->data, data, len);
	}
	host.len = max(host.len, off + len);
	host.nr++;
}

ssize_t pwritev(int fd, const struct iovec *iov, int cnt, off_t off)
{
	u64 at = off;

	if (host.fd >= 0 && !guest.done) {
		count_call();
		for (int i = 0; i < cnt; at += iov[i++].iov_len) {
			if (iov[i].iov_len)
				note(at, iov[i].iov_len, iov[i].iov_base);
		}
	}
	return syscall(SYS_pwritev, fd, iov, cnt, off, 0);
}

int fallocate(int fd, int mode, off_t off, off_t len)
{
	if (host.fd >= 0 && !guest.done && (u64)off < host.len) {
		count_call();
		note(off, min((u64)len, host.len - off), NULL);
	}
	return syscall(SYS_fallocate, fd, mode, off, len);
}

int ftruncate(int fd, off_t len)
{
	if (host.fd >= 0 && !guest.done) {
		count_call();
		host.len = len;
	}
	return syscall(SYS_ftruncate, fd, len);
}

static void forget_changes(void)
{
	while (host.nr)
		free(host.changes[--host.nr].data);
}

int fdatasync(int fd)
{
	(void)fd;
	if (host.fd < 0 || guest.done)
		return 0;
	count_call();
	if (guest.done)
		return 0;
	image_room(&host.stable, 0, host.len);
	for (unsigned int i = 0; i < host.nr; i++) {
		struct change *c = &host.changes[i];

		if (c->data)
			memcpy(host.stable.data + c->off, c->data, c->len);
		else
			memset(host.stable.data + c->off, 0, c->len);
	}
	forget_changes();
	return 0;
}

static void fill(u8 *sector, u64 index, u64 number)
{
	memset(sector, 0, SECTOR);
	for (unsigned int i = 0; number && i < SECTOR; i += 16) {
		memcpy(sector + i, &number, 8);
		memcpy(sector + i + 8, &index, 8);
	}
}

/* What is in the sector: the number of a write of it, or 0; ~0 if it is neither. */
static u64 number_of(const u8 *sector, u64 index)
{
	u8 want[SECTOR];
	u64 number;

	memcpy(&number, sector, 8);
	fill(want, index, number);
	return memcmp(want, sector, SECTOR) ? ~0ULL : number;
}

static struct disk *open_image(void)
{
	struct disk_config config = {.format = DISK_FORMAT_QCOW2};
	struct disk *disk;

	strcpy(config.path, path);
	return CHECK_EQ(disk_open(&disk, &config), 0) ? disk : NULL;
}

static void change_sectors(struct disk *disk, u64 first, u64 nr, unsigned int how)
{
	static u8 buf[DISK_SIZE];
	struct iovec iov = {.iov_base = buf, .iov_len = nr * SECTOR};
	u64 number = how ? 0 : ++guest.next;

	for (u64 i = 0; i < nr && !how; i++)
		fill(buf + i * SECTOR, first + i, number);
	/* May be stable as soon as it is begun. */
	for (u64 i = first; i < first + nr; i++) {
		guest.last[i] = number;
		guest.zeroed[i] |= how > 0;
	}
	if (!how)
		CHECK_EQ(disk->ops->pwritev(disk, &iov, 1, first * SECTOR), 0);
	else
		CHECK_EQ(disk->ops->write_zeroes(disk, first * SECTOR, nr * SECTOR, how == 1), 0);
}

static void flush(struct disk *disk)
{
	CHECK_EQ(disk->ops->flush(disk), 0);
	if (guest.done)
		return;
	memcpy(guest.flushed, guest.last, sizeof(guest.last));
	memset(guest.zeroed, 0, sizeof(guest.zeroed));
}

/* As when too much has gathered. */
static void write_back(struct disk *disk)
{
	struct qcow2 *q = to_qcow2(disk);

	pthread_mutex_lock(&q->alloc_lock);
	CHECK_EQ(qcow2_commit(q, false), 0);
	pthread_mutex_unlock(&q->alloc_lock);
}

static void work(struct disk *disk, unsigned int steps)
{
	while (steps-- && !guest.done) {
		u64 first = unit_below(SECTORS);
		u64 nr = 1 + unit_below(min(SECTORS - first, unit_below(4) ? (u64)16 : (u64)200));

		switch (unit_below(12)) {
		case 0:
		case 1:
			flush(disk);
			break;
		case 2:
			write_back(disk);
			break;
		case 3:
			change_sectors(disk, first, nr, 1);
			break;
		case 4:
			change_sectors(disk, first, nr, 2);
			break;
		default:
			change_sectors(disk, first, nr, 0);
		}
	}
}

/* Each sector has what was flushed, or something that came later. */
static bool check_sectors(struct disk *disk)
{
	static u8 buf[DISK_SIZE];
	struct iovec iov = {.iov_base = buf, .iov_len = sizeof(buf)};

	if (!CHECK_EQ(disk->ops->preadv(disk, &iov, 1, 0), 0))
		return false;
	for (u64 i = 0; i < SECTORS; i++) {
		u64 number = number_of(buf + i * SECTOR, i);

		if (number == guest.flushed[i] || (!number && guest.zeroed[i]))
			continue;
		if (number != ~0ULL && number > guest.flushed[i] && number <= guest.next)
			continue;
		printf("# sector %llu: %llu, flushed was %llu, last is %llu\n",
		       (unsigned long long)i, (unsigned long long)number,
		       (unsigned long long)guest.flushed[i], (unsigned long long)guest.last[i]);
		return CHECK(false);
	}
	return true;
}

static bool check_image(const struct image *image)
{
	struct image_state state;

	image_examine(image, &state);
	if (state.errors)
		printf("# %s\n", state.what);
	return CHECK_EQ(state.errors, 0);
}

/* After the crash: the image is whole, and goes on being it when it is used. */
static bool check_after(int fd)
{
	struct disk *disk;
	bool ok;

	if (!check_image(&host.after))
		return false;
	image_store(&host.after, fd);
	disk = open_image();
	if (!disk)
		return false;
	ok = check_sectors(disk);
	guest.done = false;
	work(disk, 20);
	disk_close(disk);
	return image_read(&host.after, fd) && check_image(&host.after) && ok;
}

/* Returns whether it came to the crash. */
static bool run(const struct image_format *format, bool snapshot, u64 crash_at, bool *ok)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct disk *disk;
	bool crashed;

	memset(&guest, 0, sizeof(guest));
	image_make(&host.stable, format);
	image_store(&host.stable, fd);
	if (snapshot) {
		disk = open_image();
		work(disk, 20);
		flush(disk);
		disk_close(disk);
		image_read(&host.stable, fd);
		image_snapshot(&host.stable);
		check_image(&host.stable);
		image_store(&host.stable, fd);
	}
	host.len = host.stable.len;
	host.calls = 0;
	host.crash_at = crash_at;
	disk = open_image();
	host.fd = fd;
	work(disk, 60);
	disk_close(disk);
	host.fd = -1;
	forget_changes();
	*ok = true;
	crashed = guest.done;
	if (crashed) {
		*ok = check_after(fd);
	} else if (image_read(&host.after, fd)) {
		struct image_state state;

		*ok = check_image(&host.after);
		image_examine(&host.after, &state);
		*ok &= CHECK_EQ(state.leaks, 0);
	}
	close(fd);
	return crashed;
}

static void many(struct image_format format, bool snapshot)
{
	static char dir[] = "/tmp/lkvm-qcow2-XXXXXX";
	static char file[64];
	bool ok = true;
	u64 at = 1;

	if (!path) {
		if (!mkdtemp(dir))
			abort();
		snprintf(file, sizeof(file), "%s/image.qcow2", dir);
		path = file;
		host.stable.data = malloc(IMAGE_MAX);
		host.after.data = malloc(IMAGE_MAX);
	}
	mkdir(dir, 0700);
	format.size = DISK_SIZE;
	while (ok && run(&format, snapshot, at, &ok))
		at += 1 + unit_below(5);
	CHECK(at > 20);
	if (!ok)
		printf("# at call %llu\n", (unsigned long long)at);
	unlink(path);
	rmdir(dir);
}

TEST(small_clusters)
{
	many((struct image_format){.version = 3, .cluster_bits = 9, .ref_order = 6}, false);
}

TEST(small_clusters_with_a_snapshot)
{
	many((struct image_format){.version = 3, .cluster_bits = 9, .ref_order = 1}, true);
}

TEST(clusters)
{
	many((struct image_format){.version = 3, .cluster_bits = 12, .ref_order = 4}, false);
}

TEST(clusters_with_a_snapshot)
{
	many((struct image_format){.version = 3, .cluster_bits = 12, .ref_order = 3}, true);
}

TEST(version_2)
{
	many((struct image_format){.version = 2, .cluster_bits = 11, .ref_order = 4}, true);
}

TEST(subclusters)
{
	many(
		(struct image_format){
			.version = 3, .cluster_bits = 14, .ref_order = 4, .subclusters = true},
		true);
}
