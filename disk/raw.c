// SPDX-License-Identifier: GPL-2.0-only
/*
 * Raw disks: a regular file, a block device or a memfd.
 *
 * With O_DIRECT the kernel wants memory, offsets and lengths aligned. Requests that
 * are not go through a bounce buffer, and a write that covers a part of a block reads
 * the block first. So a guest may use 512-byte sectors on any host disk, and what a
 * file holds does not depend on where the file is.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "disk/iov.h"
#include "disk/raw.h"
#include "util/log.h"

#define BOUNCE_SIZE (256 * KiB)
#define ZERO_IOVS   16

struct raw_disk {
	struct disk disk;
	int fd;
	bool is_block;
	bool container;
	dev_t rdev;
	char *name;
	_Atomic u64 end; /* of what there is to read, in bytes: a container may grow */

	/* What O_DIRECT asks for: powers of two, in bytes. */
	bool direct;
	u32 mem_align;
	u32 io_align; /* offsets and lengths */
	/*
	 * Taken for writing while a part of a block is read and written back, and
	 * for reading by other changes. Not used if no such part is possible.
	 */
	pthread_rwlock_t block_lock;

	atomic_bool no_zero_range;
	atomic_bool complained;
};

static struct raw_disk *to_raw(struct disk *disk)
{
	return container_of(disk, struct raw_disk, disk);
}

/* An I/O error of the host: the guest hears of each, the user of the first. */
static int io_error(struct raw_disk *raw, const char *what, int err)
{
	if (err != -EOPNOTSUPP && !atomic_exchange(&raw->complained, true))
		pr_warn("disk %s: %s failed: %s; later errors are not shown", raw->name, what,
			err == -ENODATA ? "the file has become shorter" : strerror(-err));
	return err;
}

/* What is left of a read that met the end of the file, which was at @end before. */
static int read_end(struct iovec *iov, unsigned int nr, u64 off, u64 end)
{
	if (off < end)
		return -ENODATA;
	iov_zero(&iov, &nr, iov_bytes(iov, nr));
	return 0;
}

static int transfer_all(struct raw_disk *raw, bool write, struct iovec *iov, unsigned int nr,
			u64 off)
{
	/* Empty entries at the front would make no progress look like the end. */
	iov_skip(&iov, &nr, 0);
	while (nr) {
		/* Another thread may make the file longer meanwhile. */
		u64 end = atomic_load_explicit(&raw->end, memory_order_relaxed);
		int n = min(nr, (unsigned int)IOV_MAX);
		ssize_t done = write ? pwritev(raw->fd, iov, n, off) : preadv(raw->fd, iov, n, off);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		if (write && !done)
			return -EIO;
		off += done;
		iov_skip(&iov, &nr, done);
		/* With O_DIRECT the end may be inside of a block. */
		if (!write && nr && (!done || !is_aligned(off, raw->io_align)))
			return read_end(iov, nr, off, end);
	}
	return 0;
}

static int transfer_buf(struct raw_disk *raw, bool write, u8 *buf, size_t len, u64 off)
{
	struct iovec iov = {.iov_base = buf, .iov_len = len};

	return transfer_all(raw, write, &iov, 1, off);
}

static bool fits_direct(const struct raw_disk *raw, const struct iovec *iov, unsigned int nr,
			u64 off)
{
	if (!is_aligned(off, raw->io_align))
		return false;
	for (unsigned int i = 0; i < nr; i++) {
		if (!is_aligned((uintptr_t)iov[i].iov_base, raw->mem_align) ||
		    !is_aligned(iov[i].iov_len, raw->io_align))
			return false;
	}
	return true;
}

/* Whole blocks around [off, off + len), a buffer full at a time. */
static int transfer_bounced(struct raw_disk *raw, bool write, struct iovec *iov, unsigned int nr,
			    u64 off, u64 len)
{
	u32 align = raw->io_align;
	u64 end = off + len;
	u64 stop = align_up(end, align);
	size_t size = min(stop - align_down(off, align), (u64)BOUNCE_SIZE);
	void *mem;
	u8 *buf;
	int ret = 0;

	if (posix_memalign(&mem, max(raw->mem_align, DIO_MAX_ALIGN), size))
		return -ENOMEM;
	buf = mem;
	while (off < end && !ret) {
		u64 first = align_down(off, align);
		u64 blocks = min(stop - first, (u64)size);
		size_t skip = off - first;
		size_t part = min(end, first + blocks) - off;

		if (!write) {
			ret = transfer_buf(raw, false, buf, blocks, first);
			if (!ret)
				iov_copy(&iov, &nr, buf + skip, part, false);
		} else {
			if (skip)
				ret = transfer_buf(raw, false, buf, align, first);
			if (!ret && skip + part < blocks && (!skip || blocks > align))
				ret = transfer_buf(raw, false, buf + blocks - align, align,
						   first + blocks - align);
			if (!ret) {
				iov_copy(&iov, &nr, buf + skip, part, true);
				ret = transfer_buf(raw, true, buf, blocks, first);
			}
		}
		off += part;
	}
	free(mem);
	return ret;
}

/* Before a change of contents: @part_of_block if old contents are read for it. */
static void change_begin(struct raw_disk *raw, bool part_of_block)
{
	if (raw->io_align <= DISK_SECTOR_SIZE)
		return;
	if (part_of_block)
		pthread_rwlock_wrlock(&raw->block_lock);
	else
		pthread_rwlock_rdlock(&raw->block_lock);
}

static void change_end(struct raw_disk *raw)
{
	if (raw->io_align > DISK_SECTOR_SIZE)
		pthread_rwlock_unlock(&raw->block_lock);
}

static int transfer(struct raw_disk *raw, bool write, struct iovec *iov, unsigned int nr, u64 off)
{
	bool bounce = raw->direct && !fits_direct(raw, iov, nr, off);
	u64 len = bounce ? iov_bytes(iov, nr) : 0;
	int ret;

	if (write)
		change_begin(raw, bounce && !(is_aligned(off, raw->io_align) &&
					      is_aligned(len, raw->io_align)));
	if (bounce)
		ret = transfer_bounced(raw, write, iov, nr, off, len);
	else
		ret = transfer_all(raw, write, iov, nr, off);
	if (write)
		change_end(raw);
	return ret;
}

static int raw_preadv(struct disk *disk, struct iovec *iov, unsigned int nr, u64 off)
{
	struct raw_disk *raw = to_raw(disk);
	int ret = transfer(raw, false, iov, nr, off);

	return ret ? io_error(raw, "a read", ret) : 0;
}

static int raw_pwritev(struct disk *disk, struct iovec *iov, unsigned int nr, u64 off)
{
	struct raw_disk *raw = to_raw(disk);
	int ret = transfer(raw, true, iov, nr, off);

	return ret ? io_error(raw, "a write", ret) : 0;
}

static int raw_flush(struct disk *disk)
{
	struct raw_disk *raw = to_raw(disk);

	return fdatasync(raw->fd) ? io_error(raw, "a flush", -errno) : 0;
}

static int file_allocate(struct raw_disk *raw, int mode, u64 off, u64 len)
{
	int ret;

	do {
		ret = fallocate(raw->fd, mode | FALLOC_FL_KEEP_SIZE, off, len) ? -errno : 0;
	} while (ret == -EINTR);
	return ret;
}

static int block_ioctl(struct raw_disk *raw, unsigned long request, u64 off, u64 len)
{
	u64 range[2] = {off, len};

	return ioctl(raw->fd, request, range) ? -errno : 0;
}

static int raw_discard(struct disk *disk, u64 off, u64 len)
{
	struct raw_disk *raw = to_raw(disk);
	u64 end = off + len;
	int ret = 0;

	change_begin(raw, false);
	if (raw->is_block) {
		/* A part of a block cannot be discarded, and needs not be. */
		off = align_up(off, disk->block_size);
		end = align_down(end, disk->block_size);
		if (off < end)
			ret = block_ioctl(raw, BLKDISCARD, off, end - off);
	} else if (len) {
		ret = file_allocate(raw, FALLOC_FL_PUNCH_HOLE, off, len);
	}
	change_end(raw);
	return ret ? io_error(raw, "a discard", ret) : 0;
}

static int write_zeroes_slowly(struct raw_disk *raw, u64 off, u64 len)
{
	while (len) {
		struct iovec iov[ZERO_IOVS];
		unsigned int nr = 0;
		u64 round = 0;
		int ret;

		while (nr < ZERO_IOVS && round < len) {
			iov[nr].iov_base = disk_zeroes;
			iov[nr].iov_len = min(len - round, (u64)sizeof(disk_zeroes));
			round += iov[nr++].iov_len;
		}
		ret = transfer(raw, true, iov, nr, off);
		if (ret)
			return ret;
		off += round;
		len -= round;
	}
	return 0;
}

/* Asks the host to zero the range without data. -EOPNOTSUPP: it cannot. */
static int write_zeroes_fast(struct raw_disk *raw, u64 off, u64 len, bool unmap)
{
	int ret = -EOPNOTSUPP;

	change_begin(raw, false);
	if (unmap && raw->disk.can_unmap)
		ret = file_allocate(raw, FALLOC_FL_PUNCH_HOLE, off, len);
	if (ret == -EOPNOTSUPP && !atomic_load(&raw->no_zero_range)) {
		if (raw->is_block)
			ret = block_ioctl(raw, BLKZEROOUT, off, len);
		else
			ret = file_allocate(raw, FALLOC_FL_ZERO_RANGE, off, len);
		if (ret == -EOPNOTSUPP)
			atomic_store(&raw->no_zero_range, true);
	}
	change_end(raw);
	return ret;
}

static int write_zeroes(struct raw_disk *raw, u64 off, u64 len, bool unmap)
{
	/* A file takes any range, a block device only whole blocks. */
	u32 align = raw->is_block ? raw->disk.block_size : DISK_SECTOR_SIZE;
	u64 end = off + len;
	u64 first = align_up(off, align);
	u64 stop = align_down(end, align);
	int ret;

	if (first >= stop)
		return write_zeroes_slowly(raw, off, len);
	ret = write_zeroes_fast(raw, first, stop - first, unmap);
	if (ret == -EOPNOTSUPP)
		return write_zeroes_slowly(raw, off, len);
	if (!ret)
		ret = write_zeroes_slowly(raw, off, first - off);
	if (!ret)
		ret = write_zeroes_slowly(raw, stop, end - stop);
	return ret;
}

static int raw_write_zeroes(struct disk *disk, u64 off, u64 len, bool unmap)
{
	struct raw_disk *raw = to_raw(disk);
	int ret = write_zeroes(raw, off, len, unmap);

	return ret ? io_error(raw, "writing zeroes", ret) : 0;
}

static void raw_close(struct disk *disk)
{
	struct raw_disk *raw = to_raw(disk);

	pthread_rwlock_destroy(&raw->block_lock);
	close(raw->fd);
	free(raw->name);
	free(raw);
}

static const struct disk_ops raw_ops = {
	.preadv = raw_preadv,
	.pwritev = raw_pwritev,
	.flush = raw_flush,
	.discard = raw_discard,
	.write_zeroes = raw_write_zeroes,
	.close = raw_close,
};

/* An attribute of the block device's request queue; 0 if there is none. */
static u64 queue_attr(const struct raw_disk *raw, const char *attr)
{
	/* A partition has the queue of the disk that it is on. */
	static const char *const dirs[] = {"queue", "../queue"};

	for (unsigned int i = 0; i < ARRAY_SIZE(dirs); i++) {
		char path[128], text[32];
		ssize_t n;
		int fd;

		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s/%s", major(raw->rdev),
			 minor(raw->rdev), dirs[i], attr);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
		if (n <= 0)
			return 0;
		text[n] = '\0';
		return strtoull(text, NULL, 10);
	}
	return 0;
}

static int setup_block(struct raw_disk *raw)
{
	struct disk *disk = &raw->disk;
	unsigned int physical, io_min, io_opt;
	int block, align_offset, read_only, ret;

	if (ioctl(raw->fd, BLKGETSIZE64, &disk->size) || ioctl(raw->fd, BLKSSZGET, &block)) {
		ret = -errno;
		pr_err("disk %s: cannot ask for its size: %s", raw->name, strerror(-ret));
		return ret;
	}
	if (block < (int)DISK_SECTOR_SIZE || !is_power_of_two(block)) {
		pr_err("disk %s: blocks of %d bytes are not possible", raw->name, block);
		return -EINVAL;
	}
	if (!disk->read_only && !ioctl(raw->fd, BLKROGET, &read_only) && read_only) {
		pr_err("disk %s: it is a read-only device; for a read-only disk write '-d %s,ro'",
		       raw->name, raw->name);
		return -EROFS;
	}
	disk->block_size = block;
	disk->physical_block_size = block;
	if (!ioctl(raw->fd, BLKPBSZGET, &physical) && physical > disk->block_size &&
	    is_power_of_two(physical))
		disk->physical_block_size = physical;
	if (!ioctl(raw->fd, BLKIOMIN, &io_min))
		disk->min_io_size = io_min;
	if (!ioctl(raw->fd, BLKIOOPT, &io_opt))
		disk->opt_io_size = io_opt;
	if (!ioctl(raw->fd, BLKALIGNOFF, &align_offset) && align_offset > 0)
		disk->align_offset = align_offset;
	if (!disk->read_only) {
		disk->can_discard = queue_attr(raw, "discard_max_bytes");
		disk->discard_granularity = queue_attr(raw, "discard_granularity");
		disk->can_unmap = queue_attr(raw, "write_zeroes_max_bytes");
	}
	return 0;
}

static void setup_file(struct raw_disk *raw, const struct stat *st)
{
	struct disk *disk = &raw->disk;

	disk->size = st->st_size;
	disk->block_size = DISK_SECTOR_SIZE;
	disk->physical_block_size = DISK_SECTOR_SIZE;
	/* The page cache or the file system reads a block to change a part of it. */
	if (st->st_blksize > (blksize_t)DISK_SECTOR_SIZE && is_power_of_two(st->st_blksize))
		disk->physical_block_size = min((u32)st->st_blksize, 4096U);
	/* A hole behind the end changes nothing, and tells if holes are possible. */
	if (!disk->read_only &&
	    !file_allocate(raw, FALLOC_FL_PUNCH_HOLE, disk->size, DISK_SECTOR_SIZE)) {
		disk->can_discard = true;
		disk->can_unmap = true;
		disk->discard_granularity = disk->physical_block_size;
	}
}

static int check_size(const struct raw_disk *raw)
{
	u64 size = raw->disk.size;

	if (!size) {
		pr_err("disk %s: it is empty; 'truncate -s 1G %s' would give it a size", raw->name,
		       raw->name);
		return -EINVAL;
	}
	if (size % DISK_SECTOR_SIZE) {
		pr_err("disk %s: its size, %llu bytes, is not a multiple of %u; "
		       "'truncate -s %%%u %s' would fill it up",
		       raw->name, (unsigned long long)size, DISK_SECTOR_SIZE, DISK_SECTOR_SIZE,
		       raw->name);
		return -EINVAL;
	}
	return 0;
}

/* Kernels before 6.1 do not tell: the smallest read that works does. */
static u32 probe_alignment(const struct raw_disk *raw)
{
	u32 align = 0;
	void *buf;

	if (posix_memalign(&buf, DIO_MAX_ALIGN, 2 * DIO_MAX_ALIGN))
		return 0;
	for (u32 try = DISK_SECTOR_SIZE; try <= DIO_MAX_ALIGN && !align; try *= 2) {
		if (pread(raw->fd, (u8 *)buf + try, try, raw->disk.size > try ? try : 0) >= 0)
			align = try;
	}
	free(buf);
	return align;
}

static bool direct_alignment(struct raw_disk *raw)
{
#ifdef STATX_DIOALIGN
	struct statx stx;

	if (!statx(raw->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) &&
	    (stx.stx_mask & STATX_DIOALIGN)) {
		raw->mem_align = stx.stx_dio_mem_align;
		raw->io_align = stx.stx_dio_offset_align;
		return is_power_of_two(raw->mem_align) && is_power_of_two(raw->io_align);
	}
#endif
	raw->io_align = raw->is_block ? raw->disk.block_size : probe_alignment(raw);
	raw->mem_align = raw->io_align;
	return raw->io_align;
}

static int setup_direct(struct raw_disk *raw)
{
	struct disk *disk = &raw->disk;
	int flags = fcntl(raw->fd, F_GETFL);

	if (flags < 0 || fcntl(raw->fd, F_SETFL, flags | O_DIRECT) || !direct_alignment(raw)) {
		pr_err("disk %s: 'direct' is not possible, the file system has no O_DIRECT",
		       raw->name);
		return -EINVAL;
	}
	if (!raw->container && disk->size % raw->io_align) {
		pr_err("disk %s: 'direct' is not possible, the size is not a multiple of %u bytes",
		       raw->name, raw->io_align);
		return -EINVAL;
	}
	raw->direct = true;
	disk->physical_block_size = max(disk->physical_block_size, raw->io_align);
	return 0;
}

static struct raw_disk *raw_new(int fd, const char *name, bool read_only)
{
	struct raw_disk *raw = calloc(1, sizeof(*raw));

	if (raw)
		raw->name = strdup(name);
	if (!raw || !raw->name) {
		pr_err("disk %s: out of memory", name);
		free(raw);
		close(fd);
		return NULL;
	}
	raw->fd = fd;
	raw->mem_align = 1;
	raw->io_align = 1;
	raw->disk.ops = &raw_ops;
	raw->disk.read_only = read_only;
	raw->disk.can_write_zeroes = !read_only;
	pthread_rwlock_init(&raw->block_lock, NULL);
	return raw;
}

static int setup(struct raw_disk *raw, const struct stat *st, bool direct)
{
	int ret;

	raw->is_block = S_ISBLK(st->st_mode);
	raw->rdev = st->st_rdev;
	if (raw->is_block) {
		ret = setup_block(raw);
		if (ret)
			return ret;
	} else {
		setup_file(raw, st);
	}
	atomic_store(&raw->end, raw->disk.size);
	ret = raw->container ? 0 : check_size(raw);
	if (!ret && direct)
		ret = setup_direct(raw);
	return ret;
}

int raw_open_fd(struct disk **out, int fd, const char *name, bool read_only)
{
	struct raw_disk *raw = raw_new(fd, name, read_only);
	struct stat st;
	int ret;

	if (!raw)
		return -ENOMEM;
	if (fstat(fd, &st)) {
		ret = -errno;
		pr_err("disk %s: %s", name, strerror(-ret));
	} else {
		ret = setup(raw, &st, false);
	}
	if (ret) {
		raw_close(&raw->disk);
		return ret;
	}
	*out = &raw->disk;
	return 0;
}

static int in_use(const char *path)
{
	pr_err("disk %s: it is in use; guests can share a disk if all of them open it with ',ro'",
	       path);
	return -EBUSY;
}

static int open_failed(const char *path, bool read_only, bool container, int err)
{
	if (err == -ENOENT && container)
		pr_err("disk %s: no such file", path);
	else if (err == -ENOENT)
		pr_err("disk %s: no such file; 'truncate -s 1G %s' would make an empty disk", path,
		       path);
	else if (err == -EBUSY)
		return in_use(path);
	else if (!read_only && (err == -EACCES || err == -EPERM || err == -EROFS) &&
		 !faccessat(AT_FDCWD, path, R_OK, AT_EACCESS))
		pr_err("disk %s: it cannot be written: %s; for a read-only disk write '-d %s,ro'",
		       path, strerror(-err), path);
	else
		pr_err("disk %s: %s", path, strerror(-err));
	return err;
}

/*
 * The lock keeps this file to one guest, or to readers. It belongs to the open file,
 * so that it ends with the last descriptor of it, however the program ends.
 */
static int lock_file(const struct raw_disk *raw)
{
	struct flock lock = {
		.l_type = raw->disk.read_only ? F_RDLCK : F_WRLCK,
		.l_whence = SEEK_SET,
	};

	if (!fcntl(raw->fd, F_OFD_SETLK, &lock))
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return in_use(raw->name);
	pr_warn("disk %s: it cannot be locked: %s; make sure that nothing else uses it", raw->name,
		strerror(errno));
	return 0;
}

static int open_path(struct disk **out, const struct disk_config *config, bool container)
{
	const char *path = config->path;
	int flags = O_CLOEXEC | (config->read_only ? O_RDONLY : O_RDWR);
	struct raw_disk *raw;
	struct stat st;
	mode_t kind;
	int fd, ret;

	/* To open a pipe may block, to open a device may have effects: look first. */
	if (stat(path, &st))
		return open_failed(path, config->read_only, container, -errno);
	if (S_ISDIR(st.st_mode)) {
		pr_err("disk %s: it is a directory; name a file or a block device", path);
		return -EISDIR;
	}
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
		pr_err("disk %s: it is neither a file nor a block device", path);
		return -EINVAL;
	}
	/* Refuses a device that is mounted or is a part of something. */
	if (S_ISBLK(st.st_mode) && !config->read_only)
		flags |= O_EXCL;
	kind = st.st_mode & S_IFMT;

	fd = open(path, flags);
	if (fd < 0)
		return open_failed(path, config->read_only, container, -errno);
	raw = raw_new(fd, path, config->read_only);
	if (!raw)
		return -ENOMEM;
	raw->container = container;
	if (fstat(fd, &st) || (st.st_mode & S_IFMT) != kind) {
		pr_err("disk %s: it was replaced while it was opened", path);
		ret = -EAGAIN;
		goto err;
	}
	ret = lock_file(raw);
	if (ret)
		goto err;
	ret = setup(raw, &st, config->direct);
	if (ret)
		goto err;
	*out = &raw->disk;
	return 0;

err:
	raw_close(&raw->disk);
	return ret;
}

int raw_open(struct disk **out, const struct disk_config *config)
{
	return open_path(out, config, false);
}

int raw_open_container(struct disk **out, const struct disk_config *config)
{
	return open_path(out, config, true);
}

int raw_grow(struct disk *disk, u64 size)
{
	struct raw_disk *raw = to_raw(disk);

	if (size <= atomic_load(&raw->end))
		return 0;
	if (raw->is_block)
		return io_error(raw, "growing", -ENOSPC);
	if (size > LONG_MAX)
		return io_error(raw, "growing", -EFBIG);
	if (ftruncate(raw->fd, size))
		return io_error(raw, "growing", -errno);
	atomic_store(&raw->end, size);
	return 0;
}

u64 raw_end(struct disk *disk)
{
	return atomic_load_explicit(&to_raw(disk)->end, memory_order_relaxed);
}

bool raw_is_file(struct disk *disk, const struct stat *st)
{
	struct stat own;

	return !fstat(to_raw(disk)->fd, &own) && own.st_dev == st->st_dev &&
	       own.st_ino == st->st_ino;
}
