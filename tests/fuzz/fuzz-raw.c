// SPDX-License-Identifier: GPL-2.0-only
/*
 * Raw disks, with the host's page cache or without: requests at any place, of any number of pieces
 * at any addresses, on a host that wants them aligned, and moves fewer bytes than it is asked to.
 * What the file holds is compared with an array.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "disk/disk.h"
#include "disk/raw.h"
#include "fuzz.h"

#define SIZE	(384 * KiB)
#define SECTORS (SIZE / DISK_SECTOR_SIZE)
#define ROOM	(2 * SIZE)
#define MAX_IOV 8

static u8 *file; /* what the host has */
static u8 model[SIZE];
static u8 pattern[SIZE + 256]; /* what is written is a part of it */
static u8 memory[ROOM] __attribute__((aligned(4096)));
static int fd;
static struct disk *disk;

/* What this host wants, and what it can do. */
static u32 io_align, mem_align;
static bool is_direct, makes_holes;

ssize_t __wrap_preadv(int from, const struct iovec *iov, int nr, off_t off);
ssize_t __real_preadv(int from, const struct iovec *iov, int nr, off_t off);
ssize_t __wrap_pwritev(int to, const struct iovec *iov, int nr, off_t off);
ssize_t __real_pwritev(int to, const struct iovec *iov, int nr, off_t off);
int __wrap_fcntl(int of, int cmd, ...);
int __real_fcntl(int of, int cmd, ...);
int __wrap_statx(int dir, const char *path, int flags, unsigned int mask, struct statx *stx);
int __real_statx(int dir, const char *path, int flags, unsigned int mask, struct statx *stx);
int __wrap_fallocate(int of, int mode, off_t off, off_t len);
int __real_fallocate(int of, int mode, off_t off, off_t len);

/* What the host moves at a time: not always all of it. Returns how many of @part there are. */
static int cut(struct iovec *part, const struct iovec *iov, int nr, off_t off)
{
	u64 most = unit_below(4) ? ~0ULL : (1 + unit_below(64)) * io_align;
	int n = 0;

	CHECK(nr > 0 && nr <= MAX_IOV * 2);
	for (int i = 0; i < nr; i++) {
		if (is_direct) {
			CHECK((uintptr_t)iov[i].iov_base % mem_align == 0);
			CHECK(iov[i].iov_len % io_align == 0 && off % io_align == 0);
		}
		part[n] = iov[i];
		part[n].iov_len = min((u64)iov[i].iov_len, most);
		most -= part[n++].iov_len;
	}
	return n;
}

ssize_t __wrap_preadv(int from, const struct iovec *iov, int nr, off_t off)
{
	struct iovec part[MAX_IOV * 2];

	if (unit_below(32) == 1) {
		errno = EINTR;
		return -1;
	}
	return __real_preadv(from, part, cut(part, iov, nr, off), off);
}

ssize_t __wrap_pwritev(int to, const struct iovec *iov, int nr, off_t off)
{
	struct iovec part[MAX_IOV * 2];

	if (unit_below(32) == 1) {
		errno = EINTR;
		return -1;
	}
	return __real_pwritev(to, part, cut(part, iov, nr, off), off);
}

/* Memory has no O_DIRECT. */
int __wrap_fcntl(int of, int cmd, ...)
{
	va_list args;
	void *arg;

	va_start(args, cmd);
	arg = va_arg(args, void *);
	va_end(args);
	if (cmd == F_SETFL) {
		is_direct = true;
		return 0;
	}
	return __real_fcntl(of, cmd, arg);
}

int __wrap_statx(int dir, const char *path, int flags, unsigned int mask, struct statx *stx)
{
	int ret = __real_statx(dir, path, flags, mask, stx);

#ifdef STATX_DIOALIGN
	stx->stx_mask |= STATX_DIOALIGN;
	stx->stx_dio_mem_align = mem_align;
	stx->stx_dio_offset_align = io_align;
#endif
	return ret;
}

int __wrap_fallocate(int of, int mode, off_t off, off_t len)
{
	if (makes_holes)
		return __real_fallocate(of, mode, off, len);
	errno = EOPNOTSUPP;
	return -1;
}

void fuzz_begin(void)
{
	fd = memfd_create("disk", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, SIZE))
		exit(2);
	file = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (file == MAP_FAILED)
		exit(2);
	for (u64 i = 0; i < sizeof(pattern); i++)
		pattern[i] = i % 251;
}

/* Sectors that a request is about: mostly a few. */
static u64 range(u64 *len)
{
	u64 first = unit_below(SECTORS), nr = unit_below(unit_below(4) ? 20 : SECTORS);

	*len = min(nr, SECTORS - first) * DISK_SECTOR_SIZE;
	return first * DISK_SECTOR_SIZE;
}

/* Pieces of @len bytes in all, with more or less between them. */
static unsigned int scatter(struct iovec *iov, u64 len)
{
	unsigned int nr = 1 + unit_below(MAX_IOV);
	u64 at = unit_below(4) ? 0 : unit_below(4096);

	for (unsigned int i = 0; i < nr; i++) {
		u64 part = len;

		if (i < nr - 1)
			part = fuzz_bool() ? min(len, unit_below(8) * 4096) : unit_below(len + 1);
		/* An empty one may be nowhere. */
		iov[i] = (struct iovec){part ? memory + at : NULL, part};
		len -= part;
		at += part;
		if (!unit_below(4))
			at += unit_below(4096);
		else if (fuzz_bool())
			at = align_up(at, 4096);
	}
	return nr;
}

static void transfer(bool write)
{
	struct iovec iov[MAX_IOV], used_up[MAX_IOV];
	u64 len, off = range(&len), at = off;
	unsigned int nr = scatter(iov, len);
	u8 byte = fuzz_int(1);

	memcpy(used_up, iov, sizeof(iov));
	for (unsigned int i = 0; i < nr; i++) {
		u64 part = iov[i].iov_len;

		if (part)
			memcpy(iov[i].iov_base, pattern + byte, part);
		if (write && part)
			memcpy(model + at, iov[i].iov_base, part);
		at += iov[i].iov_len;
	}
	if (write)
		CHECK(!disk->ops->pwritev(disk, used_up, nr, off));
	else
		CHECK(!disk->ops->preadv(disk, used_up, nr, off));
	at = off;
	for (unsigned int i = 0; i < nr; i++) {
		if (iov[i].iov_len)
			CHECK(!memcmp(model + at, iov[i].iov_base, iov[i].iov_len));
		at += iov[i].iov_len;
	}
}

static void write_zeroes(void)
{
	u64 len, off = range(&len);

	CHECK(!disk->ops->write_zeroes(disk, off, len, fuzz_bool()));
	memset(model + off, 0, len);
}

static void discard(void)
{
	u64 len, off = range(&len);

	if (!disk->can_discard)
		return;
	CHECK(!disk->ops->discard(disk, off, len));
	/* They may be anything. */
	memcpy(model + off, file + off, len);
}

void fuzz_one(void)
{
	struct disk_config config = {.direct = fuzz_bool()};

	io_align = DISK_SECTOR_SIZE << unit_below(4);
	mem_align = min(1U << unit_below(13), io_align);
	makes_holes = fuzz_bool();
	is_direct = false;
	memset(model, 0, SIZE);
	memset(file, 0, SIZE);
	snprintf(config.path, sizeof(config.path), "/proc/self/fd/%d", fd);
	CHECK(!raw_open(&disk, &config));
	while (fuzz_more()) {
		u8 step = fuzz_int(1);

		if (step < 128)
			transfer(true);
		else if (step < 192)
			transfer(false);
		else if (step < 232)
			write_zeroes();
		else if (step < 252)
			discard();
		else
			CHECK(!disk->ops->flush(disk));
	}
	disk_close(disk);
	CHECK(!memcmp(model, file, SIZE));
}
