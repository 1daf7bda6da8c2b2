// SPDX-License-Identifier: GPL-2.0-only
/*
 * Disks: what -d accepts, what cannot be opened, and that every kind of disk holds what
 * was written, with the host's calls made difficult.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture.h"
#include "disk/disk.h"
#include "unit.h"
#include "virtio/blk.h"

#define DISK_SIZE    (256 * KiB)
#define DISK_SECTORS (DISK_SIZE / DISK_SECTOR_SIZE)

/* How the host behaves: the calls below take the place of the C library's. */
static struct {
	u32 io_align; /* O_DIRECT alignment that statx() tells, if not 0 */
	bool no_fallocate; /* nothing is possible */
	bool no_zero_range;
	bool short_transfers;
	u32 eintr_every; /* 0: never */
	const void *_Atomic seen; /* the first buffer of the last transfer */
	_Atomic unsigned int calls;
} host;

static ssize_t host_transfer(long nr, int fd, const struct iovec *iov, int cnt, off_t off)
{
	unsigned int call = ++host.calls;
	struct iovec one;
	int flags;

	host.seen = iov[0].iov_base;
	if (host.eintr_every && call % host.eintr_every == 0) {
		errno = EINTR;
		return -1;
	}
	flags = fcntl(fd, F_GETFL);
	if (host.io_align && (flags & O_DIRECT)) {
		for (int i = 0; i < cnt; i++) {
			if ((uintptr_t)iov[i].iov_base % host.io_align ||
			    iov[i].iov_len % host.io_align || off % host.io_align) {
				errno = EINVAL;
				return -1;
			}
		}
	}
	if (host.short_transfers && !(flags & O_DIRECT) && iov[0].iov_len > 1) {
		one = (struct iovec){iov[0].iov_base, (iov[0].iov_len + 1) / 2};
		return syscall(nr, fd, &one, 1, off, 0);
	}
	return syscall(nr, fd, iov, cnt, off, 0);
}

ssize_t preadv(int fd, const struct iovec *iov, int cnt, off_t off)
{
	return host_transfer(SYS_preadv, fd, iov, cnt, off);
}

ssize_t pwritev(int fd, const struct iovec *iov, int cnt, off_t off)
{
	return host_transfer(SYS_pwritev, fd, iov, cnt, off);
}

int fallocate(int fd, int mode, off_t off, off_t len)
{
	if (host.no_fallocate || (host.no_zero_range && (mode & FALLOC_FL_ZERO_RANGE))) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return syscall(SYS_fallocate, fd, mode, off, len);
}

int statx(int fd, const char *path, int flags, unsigned int mask, struct statx *stx)
{
	int ret = syscall(SYS_statx, fd, path, flags, mask, stx);

	if (!ret && host.io_align && (mask & STATX_DIOALIGN)) {
		stx->stx_mask |= STATX_DIOALIGN;
		stx->stx_dio_mem_align = host.io_align;
		stx->stx_dio_offset_align = host.io_align;
	}
	return ret;
}

static void host_normal(void)
{
	memset(&host, 0, sizeof(host));
}

static u8 *alloc_pages(size_t size)
{
	void *mem;

	if (posix_memalign(&mem, 4096, size))
		abort();
	return mem;
}

static char dir[] = "/tmp/lkvm-disk-XXXXXX";

static void remove_dir(void)
{
	char cmd[64];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	if (system(cmd))
		printf("# %s remains\n", dir);
}

/* A file of the test's directory, with @size bytes. */
static const char *make_file(const char *name, u64 size)
{
	static bool have_dir;
	static char path[128];
	int fd;

	if (!have_dir) {
		have_dir = mkdtemp(dir);
		if (!CHECK(have_dir))
			exit(2);
		chmod(dir, 0755);
		atexit(remove_dir);
	}
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	CHECK(fd >= 0);
	CHECK_EQ(ftruncate(fd, size), 0);
	close(fd);
	return path;
}

static int open_arg(struct disk **disk, const char *path, const char *opts)
{
	struct blk_config config;
	char arg[256];

	snprintf(arg, sizeof(arg), "%s%s", path, opts);
	if (!CHECK_EQ(blk_parse(arg, &config), 0))
		return -EINVAL;
	return disk_open(disk, &config.disk);
}

TEST(parse_good)
{
	struct blk_config c;

	CHECK_EQ(blk_parse("disk.img", &c), 0);
	CHECK_STR_EQ(c.disk.path, "disk.img");
	CHECK(!c.disk.read_only && !c.disk.direct);
	CHECK_EQ(c.queues, 1);
	CHECK_EQ(c.options.iommu, VIRTIO_CHOICE_DEFAULT);
	CHECK_STR_EQ(c.serial, "");

	CHECK_EQ(blk_parse("/a=b/c d,ro,direct,queues=16,iommu=off,serial=12345678901234567890",
			   &c),
		 0);
	CHECK_STR_EQ(c.disk.path, "/a=b/c d");
	CHECK(c.disk.read_only && c.disk.direct);
	CHECK_EQ(c.queues, 16);
	CHECK_EQ(c.options.iommu, VIRTIO_CHOICE_OFF);
	CHECK_STR_EQ(c.serial, "12345678901234567890");

	CHECK_EQ(blk_parse("x,ro=off,direct=off,iommu=on,serial=A b", &c), 0);
	CHECK(!c.disk.read_only && !c.disk.direct);
	CHECK_EQ(c.options.iommu, VIRTIO_CHOICE_ON);
	CHECK_STR_EQ(c.serial, "A b");
}

TEST(parse_bad)
{
	static const struct {
		const char *arg;
		const char *part;
	} bad[] = {
		{"", "file name"},
		{",ro", "file name"},
		{"f,", "comma"},
		{"f,,ro", "comma"},
		{"f,ro,", "comma"},
		{"f,dirct", "did you mean 'direct'"},
		{"f,queue=2", "did you mean 'queues'"},
		{"f,readonly", "known are: ro, direct, format, backing, queues"},
		{"f,queues", "from 1 to 16"},
		{"f,queues=0", "from 1 to 16"},
		{"f,queues=17", "queues=17"},
		{"f,queues=-1", "from 1 to 16"},
		{"f,queues=4x", "from 1 to 16"},
		{"f,queues=4294967297", "from 1 to 16"},
		{"f,iommu", "on or off"},
		{"f,iommu=yes", "iommu=yes"},
		{"f,ro=1", "ro=1"},
		{"f,direct=", "direct="},
		{"f,serial", "serial"},
		{"f,serial=", "serial"},
		{"f,serial=123456789012345678901", "longer than 20"},
		{"f,serial=a\x01", "printable"},
		{"f,serial=\xc3\xa9", "printable"},
	};
	struct blk_config c;
	char *longest;

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		capture_begin();
		CHECK_EQ(blk_parse(bad[i].arg, &c), -EINVAL);
		CHECK(capture_one_line(capture_end(), bad[i].part));
	}

	longest = malloc(PATH_MAX + 1);
	if (!CHECK(longest))
		return;
	memset(longest, 'x', PATH_MAX);
	longest[PATH_MAX] = '\0';
	capture_begin();
	CHECK_EQ(blk_parse(longest, &c), -ENAMETOOLONG);
	CHECK(capture_one_line(capture_end(), "longer than"));
	longest[PATH_MAX - 1] = '\0';
	CHECK_EQ(blk_parse(longest, &c), 0);
	free(longest);
}

static void check_refused(const char *path, const char *opts, int err, const char *part)
{
	struct disk *disk;
	int ret;

	capture_begin();
	ret = open_arg(&disk, path, opts);
	CHECK(capture_one_line(capture_end(), part));
	if (!CHECK_EQ(ret, err) && !ret)
		disk_close(disk);
}

TEST(open_refused)
{
	char path[128];

	host_normal();
	check_refused("/nowhere/disk.img", "", -ENOENT, "no such file");
	check_refused("/tmp", "", -EISDIR, "directory");
	check_refused("/tmp", ",ro", -EISDIR, "directory");
	check_refused("/dev/null", "", -EINVAL, "neither a file nor a block device");
	check_refused(make_file("empty", 0), "", -EINVAL, "empty");
	check_refused(make_file("odd", 1000), "", -EINVAL, "1000 bytes");
	snprintf(path, sizeof(path), "%s/fifo", dir);
	CHECK_EQ(mkfifo(path, 0600), 0);
	check_refused(path, ",ro", -EINVAL, "neither a file nor a block device");

	check_refused("ram:", "", -EINVAL, "not a size");
	check_refused("ram:1Q", "", -EINVAL, "not a size");
	check_refused("ram:0", "", -EINVAL, "multiple of 512");
	check_refused("ram:1000", "", -EINVAL, "multiple of 512");
	check_refused("ram:16000000T", "", -ERANGE, "too big");
	check_refused("ram:99999999999999999999", "", -ERANGE, "too big");
	check_refused("ram:1M", ",direct", -EINVAL, "'direct' is for files");
}

/* Permissions do not stop root: a child looks without its rights. */
static void check_unprivileged(const char *path, const char *opts, int err, const char *part)
{
	struct disk *disk;
	int status, ret;
	pid_t pid;

	pid = fork();
	if (!pid) {
		if (!geteuid() && setuid(65534))
			_exit(2);
		capture_begin();
		ret = open_arg(&disk, path, opts);
		_exit(ret == err && capture_one_line(capture_end(), part) ? 0 : 1);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

TEST(open_permissions)
{
	const char *path = make_file("mine", MiB);

	host_normal();
	chmod(path, 0444);
	check_unprivileged(path, "", -EACCES, ",ro'");
	chmod(path, 0);
	check_unprivileged(path, "", -EACCES, "Permission denied");
	check_unprivileged(path, ",ro", -EACCES, "Permission denied");
}

TEST(open_in_use)
{
	const char *path = make_file("used", MiB);
	struct disk *first, *second;

	host_normal();
	if (!CHECK_EQ(open_arg(&first, path, ""), 0))
		return;
	check_refused(path, "", -EBUSY, "in use");
	check_refused(path, ",ro", -EBUSY, "in use");
	disk_close(first);

	if (!CHECK_EQ(open_arg(&first, path, ",ro"), 0))
		return;
	if (CHECK_EQ(open_arg(&second, path, ",ro"), 0)) {
		check_refused(path, "", -EBUSY, "in use");
		disk_close(first);
		first = second;
	}
	check_refused(path, "", -EBUSY, "in use");
	disk_close(first);
	if (CHECK_EQ(open_arg(&first, path, ""), 0))
		disk_close(first);
}

/* A read or write of [off, off + len), in one piece or in pieces of any size. */
static int rw(struct disk *disk, bool write, u8 *buf, u64 len, u64 off, bool whole)
{
	struct iovec iov[64];
	unsigned int nr = 0;

	while (nr < ARRAY_SIZE(iov) - 1 && len && !whole) {
		u64 part = unit_rand() % (unit_rand() % 2 ? 32 : 4096);

		part = min(part, len);
		iov[nr++] = (struct iovec){.iov_base = part ? buf : NULL, .iov_len = part};
		buf += part;
		len -= part;
	}
	if (len)
		iov[nr++] = (struct iovec){.iov_base = buf, .iov_len = len};
	return write ? disk->ops->pwritev(disk, iov, nr, off)
		     : disk->ops->preadv(disk, iov, nr, off);
}

/* Does what comes to mind, and compares the disk with an array after each step. */
static void check_model(struct disk *disk, unsigned int steps)
{
	u8 *model = calloc(1, DISK_SIZE);
	u8 *mem = alloc_pages(DISK_SIZE + 4096), *buf;

	CHECK_EQ(disk->size, DISK_SIZE);
	for (unsigned int i = 0; i < steps; i++) {
		u64 off = unit_rand() % DISK_SECTORS;
		u64 len = 1 + unit_rand() % (DISK_SECTORS - off);
		bool whole = unit_rand() % 4 == 0;
		u64 before = unit_rand() % 8;

		if (unit_rand() % 2)
			len = min(len, (u64)16);
		off *= DISK_SECTOR_SIZE;
		len *= DISK_SECTOR_SIZE;
		buf = mem + (unit_rand() % 2 ? unit_rand() % 4096 : 0);
		switch (unit_rand() % 24 ? unit_rand() % 5 : 5) {
		case 0:
		case 1:
		case 2:
			for (u64 j = 0; j < len; j++)
				buf[j] = unit_rand();
			memcpy(model + off, buf, len);
			if (!CHECK_EQ(rw(disk, true, buf, len, off, whole), 0))
				goto out;
			break;
		case 3:
			memset(model + off, 0, len);
			if (!CHECK_EQ(disk->ops->write_zeroes(disk, off, len, before & 1), 0))
				goto out;
			break;
		case 4:
			/* The contents are free now: write them anew. */
			if (disk->can_discard && !CHECK_EQ(disk->ops->discard(disk, off, len), 0))
				goto out;
			memcpy(buf, model + off, len);
			if (!CHECK_EQ(rw(disk, true, buf, len, off, whole), 0))
				goto out;
			break;
		default:
			CHECK_EQ(disk->ops->flush(disk), 0);
		}
		/* The change and what is around it. */
		off -= min(off, before * DISK_SECTOR_SIZE);
		len = min(len + 2 * before * DISK_SECTOR_SIZE, DISK_SIZE - off);
		memset(buf, 0xa5, len);
		if (!CHECK_EQ(rw(disk, false, buf, len, off, whole), 0) ||
		    !CHECK_EQ(memcmp(buf, model + off, len), 0))
			goto out;
	}
	if (CHECK_EQ(rw(disk, false, mem, DISK_SIZE, 0, true), 0))
		CHECK_EQ(memcmp(mem, model, DISK_SIZE), 0);
out:
	free(mem);
	free(model);
}

static void check_file_model(const char *opts, unsigned int steps)
{
	const char *path = make_file("model", DISK_SIZE);
	struct disk *disk;
	struct stat st;

	if (!CHECK_EQ(open_arg(&disk, path, opts), 0))
		return;
	CHECK_EQ(disk->block_size, 512);
	CHECK(disk->can_write_zeroes);
	check_model(disk, steps);
	disk_close(disk);
	CHECK_EQ(stat(path, &st), 0);
	CHECK_EQ(st.st_size, DISK_SIZE);
}

TEST(model_file)
{
	host_normal();
	check_file_model("", 400);
}

TEST(model_file_difficult)
{
	host_normal();
	host.short_transfers = true;
	host.eintr_every = 5;
	host.no_zero_range = true;
	check_file_model("", 400);
	host.no_fallocate = true;
	check_file_model("", 400);
}

TEST(model_direct)
{
	host_normal();
	check_file_model(",direct", 100);
	for (host.io_align = 512; host.io_align <= 32 * KiB; host.io_align *= 8)
		check_file_model(",direct", 100);
}

TEST(model_ram)
{
	struct disk *disk;

	host_normal();
	if (!CHECK_EQ(open_arg(&disk, "ram:256K", ""), 0))
		return;
	CHECK(disk->can_discard && disk->can_unmap && disk->can_write_zeroes);
	check_model(disk, 400);
	disk_close(disk);
}

TEST(read_only)
{
	struct disk *disk;

	host_normal();
	if (!CHECK_EQ(open_arg(&disk, make_file("ro", MiB), ",ro"), 0))
		return;
	CHECK(disk->read_only);
	CHECK(!disk->can_discard && !disk->can_write_zeroes && !disk->can_unmap);
	CHECK_EQ(disk->ops->flush(disk), 0);
	disk_close(disk);
}

TEST(discard_gives_back)
{
	const char *path = make_file("holes", DISK_SIZE);
	struct disk *disk;
	struct stat st;
	u8 *buf;

	host_normal();
	if (!CHECK_EQ(open_arg(&disk, path, ""), 0))
		return;
	buf = malloc(DISK_SIZE);
	if (!CHECK(buf))
		goto out;
	if (!disk->can_discard) {
		printf("# skipped: no holes in files of this file system\n");
		goto out;
	}
	memset(buf, 1, DISK_SIZE);
	for (unsigned int i = 0; i < 2; i++) {
		CHECK_EQ(rw(disk, true, buf, DISK_SIZE, 0, true), 0);
		CHECK_EQ(disk->ops->flush(disk), 0);
		CHECK_EQ(stat(path, &st), 0);
		CHECK(st.st_blocks * 512 >= (off_t)DISK_SIZE);
		CHECK_EQ(i ? disk->ops->discard(disk, 0, DISK_SIZE)
			   : disk->ops->write_zeroes(disk, 0, DISK_SIZE, true),
			 0);
		CHECK_EQ(stat(path, &st), 0);
		CHECK_EQ(st.st_size, DISK_SIZE);
		CHECK_EQ(st.st_blocks, 0);
	}
	/* Zeroes that have to keep their storage. */
	CHECK_EQ(rw(disk, true, buf, DISK_SIZE, 0, true), 0);
	CHECK_EQ(disk->ops->write_zeroes(disk, 0, DISK_SIZE, false), 0);
	CHECK_EQ(stat(path, &st), 0);
	CHECK(st.st_blocks * 512 >= (off_t)DISK_SIZE);
out:
	disk_close(disk);
	free(buf);
}

TEST(file_shrinks)
{
	static const char *const opts[] = {"", ",direct"};
	u8 *buf;

	host_normal();
	buf = alloc_pages(DISK_SIZE);
	for (unsigned int i = 0; i < ARRAY_SIZE(opts); i++) {
		const char *path = make_file("shrinks", DISK_SIZE);
		struct disk *disk;

		if (!CHECK_EQ(open_arg(&disk, path, opts[i]), 0))
			break;
		CHECK_EQ(truncate(path, DISK_SIZE / 2 + 100), 0);
		capture_begin();
		CHECK(rw(disk, false, buf, DISK_SIZE, 0, true) < 0);
		CHECK(rw(disk, false, buf, 512, DISK_SIZE - 512, true) < 0);
		CHECK(rw(disk, false, buf, 512, DISK_SIZE - 512, false) < 0);
		/* The user hears of the first only. */
		CHECK(capture_one_line(capture_end(), "a read failed"));
		CHECK_EQ(rw(disk, false, buf, DISK_SIZE / 2, 0, true), 0);
		disk_close(disk);
	}
	free(buf);
}

TEST(direct_has_no_copy)
{
	struct disk *disk;
	u8 *buf;

	host_normal();
	host.io_align = 4096;
	buf = alloc_pages(16 * KiB);
	if (!CHECK_EQ(open_arg(&disk, make_file("nocopy", DISK_SIZE), ",direct"), 0))
		return;
	CHECK_EQ(disk->block_size, 512);
	CHECK_EQ(disk->physical_block_size, 4096);
	host.calls = 0;
	CHECK_EQ(rw(disk, true, buf, 16 * KiB, 4096, true), 0);
	CHECK(host.seen == buf);
	CHECK_EQ(rw(disk, false, buf, 16 * KiB, 8192, true), 0);
	CHECK(host.seen == buf);
	CHECK_EQ(host.calls, 2);
	/* A part of a block: two blocks are read, and all is written at once. */
	host.calls = 0;
	CHECK_EQ(rw(disk, true, buf, 12 * KiB, 512, true), 0);
	CHECK(host.seen != buf);
	CHECK_EQ(host.calls, 3);
	host.calls = 0;
	CHECK_EQ(rw(disk, true, buf, 512, 512, true), 0);
	CHECK_EQ(host.calls, 2);
	disk_close(disk);
	free(buf);

	/* The last block must be whole. */
	check_refused(make_file("tail", 4096 + 512), ",direct", -EINVAL, "multiple of 4096");
}

/* The sectors of one block, each written by a thread of its own. */
struct neighbour {
	struct disk *disk;
	unsigned int sector;
};

static void *neighbour_run(void *opaque)
{
	struct neighbour *n = opaque;
	u8 buf[DISK_SECTOR_SIZE], back[DISK_SECTOR_SIZE] = {0};

	for (unsigned int i = 0; i < 2000; i++) {
		struct iovec iov = {buf, sizeof(buf)};
		struct iovec back_iov = {back, sizeof(back)};

		memset(buf, i * 4 + n->sector, sizeof(buf));
		if (n->disk->ops->pwritev(n->disk, &iov, 1, n->sector * 512) ||
		    n->disk->ops->preadv(n->disk, &back_iov, 1, n->sector * 512) ||
		    memcmp(buf, back, sizeof(buf)))
			return n;
	}
	return NULL;
}

TEST(neighbours_in_a_block)
{
	struct neighbour n[4];
	pthread_t threads[4];
	struct disk *disk;
	void *lost;

	host_normal();
	host.io_align = 4096;
	if (!CHECK_EQ(open_arg(&disk, make_file("neighbours", DISK_SIZE), ",direct"), 0))
		return;
	for (unsigned int i = 0; i < ARRAY_SIZE(n); i++) {
		n[i] = (struct neighbour){disk, i};
		CHECK_EQ(pthread_create(&threads[i], NULL, neighbour_run, &n[i]), 0);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(n); i++) {
		CHECK_EQ(pthread_join(threads[i], &lost), 0);
		CHECK(!lost);
	}
	disk_close(disk);
}

/* A loop device over @path with blocks of @block bytes; needs to be root. */
static int loop_attach(const char *path, u32 block, u32 flags, char *dev, size_t size)
{
	struct loop_config config = {.block_size = block};
	int ctl = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int fd = -1, nr;

	if (ctl < 0)
		return -1;
	nr = ioctl(ctl, LOOP_CTL_GET_FREE);
	close(ctl);
	if (nr < 0)
		return -1;
	snprintf(dev, size, "/dev/loop%d", nr);
	config.fd = open(path, O_RDWR | O_CLOEXEC);
	config.info.lo_flags = LO_FLAGS_AUTOCLEAR | flags;
	fd = open(dev, O_RDWR | O_CLOEXEC);
	if (fd >= 0 && ioctl(fd, LOOP_CONFIGURE, &config)) {
		close(fd);
		fd = -1;
	}
	close(config.fd);
	return fd;
}

TEST(block_device)
{
	static const char *const opts[] = {"", ",direct"};

	host_normal();
	for (unsigned int i = 0; i < 4; i++) {
		const char *path = make_file("loop", DISK_SIZE);
		u32 block = i / 2 ? 4096 : 512;
		struct disk *disk;
		char dev[32];
		int holder, fd = loop_attach(path, block, 0, dev, sizeof(dev));

		if (fd < 0) {
			printf("# skipped: cannot make a loop device\n");
			return;
		}
		if (CHECK_EQ(open_arg(&disk, dev, opts[i % 2]), 0)) {
			CHECK_EQ(disk->block_size, block);
			CHECK(disk->physical_block_size >= block);
			CHECK(disk->can_discard);
			check_model(disk, 200);
			check_refused(dev, "", -EBUSY, "in use");
			check_refused(dev, ",ro", -EBUSY, "in use");
			disk_close(disk);
		}
		/* What a mount does. */
		holder = open(dev, O_RDONLY | O_EXCL | O_CLOEXEC);
		CHECK(holder >= 0);
		check_refused(dev, "", -EBUSY, "in use");
		close(holder);
		if (CHECK_EQ(open_arg(&disk, dev, ",ro"), 0))
			disk_close(disk);
		close(fd);
	}
}

TEST(block_device_read_only)
{
	const char *path = make_file("loop-ro", DISK_SIZE);
	struct disk *disk;
	char dev[32];
	int fd, ret;

	host_normal();
	fd = loop_attach(path, 512, LO_FLAGS_READ_ONLY, dev, sizeof(dev));
	if (fd < 0) {
		printf("# skipped: cannot make a loop device\n");
		return;
	}
	capture_begin();
	ret = open_arg(&disk, dev, "");
	CHECK(capture_one_line(capture_end(), ",ro'"));
	/* Kernels differ in whether the open itself fails. */
	CHECK(ret == -EROFS || ret == -EACCES);
	if (CHECK_EQ(open_arg(&disk, dev, ",ro"), 0))
		disk_close(disk);
	close(fd);
}
