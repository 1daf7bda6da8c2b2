// SPDX-License-Identifier: GPL-2.0-only
/*
 * A unix stream socket on which lkvm listens. It has one client at a time: the next one waits
 * until that one has gone and all that it sent was taken.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "char/stream.h"
#include "util/cleanup.h"
#include "util/log.h"

/* Clients that may wait. */
#define BACKLOG 4

struct socket_chardev {
	struct stream stream;
	int listen_fd; /* -1: not bound */
	struct sockaddr_un addr;
	int file; /* handle of cleanup_add(), negative: none */
};

static struct socket_chardev *to_socket(struct stream *s)
{
	return container_of(s, struct socket_chardev, stream);
}

static bool is_present(struct stream *s)
{
	return s->fd >= 0;
}

static bool has_hung_up(int fd)
{
	struct pollfd p = {.fd = fd};

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR));
}

static void tell(struct stream *s, bool on)
{
	if (s->dev.user->connected)
		s->dev.user->connected(s->dev.opaque, on);
}

static void disconnect(struct socket_chardev *sock)
{
	stream_set_fd(&sock->stream, -1);
	tell(&sock->stream, false);
}

static void accept_client(struct socket_chardev *sock)
{
	int fd = accept4(sock->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	if (stream_set_fd(&sock->stream, fd)) {
		close(fd);
		return;
	}
	tell(&sock->stream, true);
}

static void turn(struct stream *s)
{
	struct socket_chardev *sock = to_socket(s);

	if (s->dev.user && s->fd < 0 && !s->nr_held)
		accept_client(sock);
}

static void ended(struct stream *s, ssize_t n)
{
	struct socket_chardev *sock = to_socket(s);

	/* One that has only shut its side down may wait for an answer. Its end is an event. */
	if (!n && !has_hung_up(s->fd))
		return;
	disconnect(sock);
	/* Another one may wait. */
	stream_wake(s);
}

static void close_socket(struct stream *s)
{
	struct socket_chardev *sock = to_socket(s);

	cleanup_remove(sock->file);
	if (sock->listen_fd >= 0)
		close(sock->listen_fd);
}

static const struct stream_ops socket_ops = {
	.is_present = is_present,
	.turn = turn,
	.ended = ended,
	.close = close_socket,
};

/* Makes room for our socket: removes one on which nobody listens. */
static int clear_path(const struct socket_chardev *sock, const char *what)
{
	const char *path = sock->addr.sun_path;
	struct stat st;
	int fd, ret;

	if (lstat(path, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode)) {
		pr_err("%s: '%s' exists and is no socket", what, path);
		return -EEXIST;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return 0;
	ret = connect(fd, (const struct sockaddr *)&sock->addr, sizeof(sock->addr));
	/* EAGAIN: so many wait already that there is no room for one more. */
	if (!ret || errno == EAGAIN) {
		pr_err("%s: somebody listens at '%s' already, choose another path", what, path);
		close(fd);
		return -EADDRINUSE;
	}
	if (errno == ECONNREFUSED)
		unlink(path);
	close(fd);
	return 0;
}

/* No signal ends lkvm between the file and the note of it. */
static int bind_file(struct socket_chardev *sock, int fd)
{
	sigset_t old;
	int ret = 0;

	cleanup_hold(&old);
	if (bind(fd, (const struct sockaddr *)&sock->addr, sizeof(sock->addr)) < 0) {
		ret = -errno;
	} else {
		sock->file = cleanup_add(sock->addr.sun_path);
		if (sock->file < 0) {
			ret = sock->file;
			unlink(sock->addr.sun_path);
		}
	}
	cleanup_unhold(&old);
	return ret;
}

static int bind_socket(struct socket_chardev *sock)
{
	int fd, ret;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	ret = bind_file(sock, fd);
	if (ret) {
		close(fd);
		return ret;
	}
	sock->listen_fd = fd;
	if (listen(fd, BACKLOG) < 0)
		return -errno;
	return stream_watch(&sock->stream, fd);
}

int socket_chardev_open(struct chardev **out, const char *what, const char *path, struct loop *loop)
{
	struct socket_chardev *sock;
	int ret;

	if (strlen(path) >= sizeof(sock->addr.sun_path)) {
		pr_err("%s: '%s' is too long for a socket, %zu bytes are possible", what, path,
		       sizeof(sock->addr.sun_path) - 1);
		return -ENAMETOOLONG;
	}
	sock = calloc(1, sizeof(*sock));
	if (!sock) {
		pr_err("out of memory");
		return -ENOMEM;
	}
	sock->listen_fd = -1;
	sock->file = -1;
	sock->addr.sun_family = AF_UNIX;
	strcpy(sock->addr.sun_path, path);
	ret = stream_init(&sock->stream, &socket_ops, loop);
	if (ret) {
		pr_err("%s: cannot make the socket '%s': %s", what, path, strerror(-ret));
		free(sock);
		return ret;
	}
	ret = clear_path(sock, what);
	if (!ret) {
		ret = bind_socket(sock);
		if (ret)
			pr_err("%s: cannot make the socket '%s': %s", what, path, strerror(-ret));
	}
	if (ret) {
		stream_close(&sock->stream.dev);
		return ret;
	}
	*out = &sock->stream.dev;
	return 0;
}
