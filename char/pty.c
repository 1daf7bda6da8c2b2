// SPDX-License-Identifier: GPL-2.0-only
/*
 * A pseudo-terminal that other programs attach to. It is there as long as the guest is,
 * however often they come and go; what the guest prints while none is there is dropped, so
 * that who attaches does not read something old.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "char/stream.h"
#include "util/cleanup.h"
#include "util/log.h"

struct pty {
	struct stream stream;
	char name[64]; /* /dev/pts/N */
	int link; /* handle of cleanup_add(), negative: none */
};

static struct pty *to_pty(struct stream *s)
{
	return container_of(s, struct pty, stream);
}

/* Without a program at the other end the kernel would keep what we write, for the next one. */
static bool is_present(struct stream *s)
{
	struct pollfd fd = {.fd = s->fd, .events = POLLOUT};

	return poll(&fd, 1, 0) >= 0 && !(fd.revents & (POLLHUP | POLLERR | POLLNVAL));
}

static void ended(struct stream *s, ssize_t n)
{
	/* EIO: the last program went. The next one's first byte is the next event. */
	(void)s;
	(void)n;
}

static void close_pty(struct stream *s)
{
	cleanup_remove(to_pty(s)->link);
}

static const struct stream_ops pty_ops = {
	.is_present = is_present,
	.ended = ended,
	.close = close_pty,
};

/*
 * Sets the terminal as a line that passes every byte: without that, what the guest prints
 * before a program changes it would come back as input. The settings stay with the master.
 */
static int make_raw(struct pty *pty)
{
	int fd = open(pty->name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios raw;
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (tcgetattr(fd, &raw) < 0) {
		ret = -errno;
	} else {
		cfmakeraw(&raw);
		if (tcsetattr(fd, TCSANOW, &raw) < 0)
			ret = -errno;
	}
	close(fd);
	return ret;
}

static int make_pty(struct pty *pty)
{
	int fd = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	if (grantpt(fd) < 0 || unlockpt(fd) < 0) {
		ret = -errno;
		goto err;
	}
	ret = -ptsname_r(fd, pty->name, sizeof(pty->name));
	if (!ret)
		ret = make_raw(pty);
	if (!ret)
		ret = stream_set_fd(&pty->stream, fd);
	if (!ret)
		return 0;
err:
	close(fd);
	return ret;
}

/* No signal ends lkvm between the link and the note of it. */
static int link_to(struct pty *pty, const char *path)
{
	sigset_t old;
	int ret = 0;

	cleanup_hold(&old);
	if (symlink(pty->name, path) < 0) {
		ret = -errno;
	} else {
		pty->link = cleanup_add(path);
		if (pty->link < 0) {
			ret = pty->link;
			unlink(path);
		}
	}
	cleanup_unhold(&old);
	return ret;
}

/* A link is replaced, most likely one that a killed lkvm left; nothing else is. */
static int make_link(struct pty *pty, const char *what, const char *path)
{
	struct stat st;
	int ret;

	if (!lstat(path, &st)) {
		if (!S_ISLNK(st.st_mode)) {
			pr_err("%s: '%s' exists and is no symbolic link", what, path);
			return -EEXIST;
		}
		unlink(path);
	}
	ret = link_to(pty, path);
	if (ret)
		pr_err("%s: cannot make the link '%s': %s", what, path, strerror(-ret));
	return ret;
}

int pty_chardev_open(struct chardev **out, const char *what, const char *link, struct loop *loop)
{
	struct pty *pty = calloc(1, sizeof(*pty));
	int ret;

	if (!pty) {
		pr_err("out of memory");
		return -ENOMEM;
	}
	pty->link = -1;
	ret = stream_init(&pty->stream, &pty_ops, loop);
	if (ret) {
		pr_err("%s: cannot make a pty: %s", what, strerror(-ret));
		free(pty);
		return ret;
	}
	ret = make_pty(pty);
	if (ret)
		pr_err("%s: cannot make a pty: %s", what, strerror(-ret));
	else if (*link)
		ret = make_link(pty, what, link);
	if (ret) {
		stream_close(&pty->stream.dev);
		return ret;
	}
	pr_info("%s: %s%s%s", what, pty->name, *link ? ", linked from " : "", link);
	*out = &pty->stream.dev;
	return 0;
}
