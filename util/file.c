// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/file.h"
#include "util/log.h"

/* As many bytes as there are, up to @len; or a negative errno. @off < 0: a pipe. */
static s64 read_fully(int fd, void *buf, u64 len, s64 off)
{
	u64 done = 0;

	while (done < len) {
		u8 *to = (u8 *)buf + done;
		ssize_t n;

		if (off < 0)
			n = read(fd, to, len - done);
		else
			n = pread(fd, to, len - done, off + done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += n;
	}
	return done;
}

/* The size of a pipe's contents is known only when all of them have been read. */
static int read_pipe(struct file *f, u64 max)
{
	u64 room = 0;
	u8 *buf = NULL;
	s64 n;
	int ret;

	f->size = 0;
	do {
		u64 step = room ? room : 64 * KiB;
		u8 *larger = realloc(buf, room + step);

		if (!larger) {
			pr_err("%s '%s': no memory to read it", f->what, f->path);
			ret = -ENOMEM;
			goto failed;
		}
		buf = larger;
		room += step;
		n = read_fully(f->fd, buf + f->size, room - f->size, -1);
		if (n < 0) {
			ret = n;
			pr_err("cannot read %s '%s': %s", f->what, f->path, strerror(-ret));
			goto failed;
		}
		f->size += n;
		if (f->size > max) {
			pr_err("%s '%s' is longer than the %" PRIu64 " MiB that there is room for",
			       f->what, f->path, max / MiB);
			ret = -EFBIG;
			goto failed;
		}
	} while (f->size == room);

	f->owned = buf;
	f->data = buf;
	close(f->fd);
	f->fd = -1;
	return 0;

failed:
	free(buf);
	return ret;
}

int file_open(struct file *f, const char *what, const char *path, u64 max_pipe)
{
	struct stat st;
	int ret = 0;

	*f = (struct file){.what = what, .path = path};
	f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (f->fd < 0 || fstat(f->fd, &st) < 0) {
		ret = -errno;
		pr_err("cannot open %s '%s': %s", what, path, strerror(-ret));
		goto failed;
	}

	switch (st.st_mode & S_IFMT) {
	case S_IFREG:
		f->size = st.st_size;
		break;
	case S_IFIFO:
		ret = read_pipe(f, max_pipe);
		break;
	case S_IFDIR:
		pr_err("%s '%s' is a directory; name a file", what, path);
		ret = -EISDIR;
		break;
	default:
		pr_err("%s '%s' is a device or a socket; name a file", what, path);
		ret = -EINVAL;
		break;
	}
	if (!ret && !f->size) {
		pr_err("%s '%s' is empty", what, path);
		ret = -ENODATA;
	}
	if (!ret)
		return 0;

failed:
	file_close(f);
	return ret;
}

void file_open_image(struct file *f, const char *what, const char *name, const void *data, u64 size)
{
	*f = (struct file){.what = what, .path = name, .size = size, .fd = -1, .data = data};
}

int file_check_range(const struct file *f, u64 off, u64 len)
{
	if (off <= f->size && len <= f->size - off)
		return 0;
	pr_err("%s '%s' is truncated or damaged: its header speaks of 0x%" PRIx64
	       " bytes from 0x%" PRIx64 " on, and the file has 0x%" PRIx64,
	       f->what, f->path, len, off, f->size);
	return -ERANGE;
}

int file_read_at(const struct file *f, u64 off, void *buf, u64 len)
{
	s64 n;
	int ret;

	ret = file_check_range(f, off, len);
	if (ret)
		return ret;
	if (f->data) {
		memcpy(buf, f->data + off, len);
		return 0;
	}

	n = read_fully(f->fd, buf, len, off);
	if (n < 0) {
		pr_err("cannot read %s '%s': %s", f->what, f->path, strerror(-(int)n));
		return n;
	}
	if ((u64)n < len) {
		pr_err("%s '%s' has become shorter while it was read", f->what, f->path);
		return -EIO;
	}
	return 0;
}

void file_close(struct file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	free(f->owned);
	*f = (struct file){.fd = -1};
}

void raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}
