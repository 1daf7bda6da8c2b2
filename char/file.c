// SPDX-License-Identifier: GPL-2.0-only
/* Output that is appended to a file, and output that is discarded. Neither has input. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "char/chardev.h"
#include "util/log.h"

struct file_chardev {
	struct chardev dev;
	int fd; /* -1: discard */
	atomic_bool reported; /* that output is lost */
	char path[PATH_MAX];
};

static struct file_chardev *to_file(struct chardev *dev)
{
	return container_of(dev, struct file_chardev, dev);
}

static size_t file_write(struct chardev *dev, const u8 *data, size_t len)
{
	struct file_chardev *f = to_file(dev);
	size_t done = 0;

	while (done < len && f->fd >= 0) {
		ssize_t n = write(f->fd, data + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			int err = n < 0 ? errno : ENOSPC;

			if (!atomic_exchange(&f->reported, true))
				pr_warn("what the guest prints to '%s' is lost: %s", f->path,
					strerror(err));
			chardev_count_dropped(dev, len - done);
			break;
		}
		done += n;
	}
	return len;
}

static void file_resume(struct chardev *dev)
{
	(void)dev;
}

/* Never asked for: everything is taken at once. */
static void file_poll_room(struct chardev *dev, struct pollfd *room)
{
	*room = (struct pollfd){.fd = to_file(dev)->fd, .events = POLLOUT};
}

static void file_connect(struct chardev *dev)
{
	if (dev->user->connected)
		dev->user->connected(dev->opaque, true);
}

static void close_file(struct chardev *dev)
{
	struct file_chardev *f = to_file(dev);

	if (f->fd >= 0)
		close(f->fd);
	free(f);
}

static const struct chardev_ops file_ops = {
	.write = file_write,
	.resume = file_resume,
	.poll_room = file_poll_room,
	.connect = file_connect,
	.close = close_file,
};

static struct file_chardev *create(void)
{
	struct file_chardev *f = calloc(1, sizeof(*f));

	if (!f) {
		pr_err("out of memory");
		return NULL;
	}
	f->dev.ops = &file_ops;
	f->dev.stop_fd = -1;
	f->fd = -1;
	return f;
}

int null_chardev_open(struct chardev **out)
{
	struct file_chardev *f = create();

	if (!f)
		return -ENOMEM;
	*out = &f->dev;
	return 0;
}

int file_chardev_open(struct chardev **out, const char *what, const char *path)
{
	struct file_chardev *f = create();
	struct stat st;
	int ret;

	if (!f)
		return -ENOMEM;
	strcpy(f->path, path);
	/* A FIFO without a reader must not keep us. */
	f->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0666);
	if (f->fd < 0 || fstat(f->fd, &st) < 0) {
		ret = -errno;
		pr_err("%s: cannot write to '%s': %s", what, path, strerror(-ret));
		goto err;
	}
	if (!S_ISREG(st.st_mode)) {
		ret = -EINVAL;
		pr_err("%s: '%s' is not a regular file", what, path);
		goto err;
	}
	*out = &f->dev;
	return 0;

err:
	close_file(&f->dev);
	return ret;
}
