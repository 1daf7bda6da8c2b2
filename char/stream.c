// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "char/stream.h"

/* Reads in one turn of the main loop, which has other things to do. */
#define READS_A_TURN 16

static struct stream *to_stream(struct chardev *dev)
{
	return container_of(dev, struct stream, dev);
}

static void discard_out(struct stream *s)
{
	chardev_count_dropped(&s->dev, s->nr_out);
	s->first_out = 0;
	s->nr_out = 0;
}

static void tell_room(struct stream *s)
{
	if (!s->want_room)
		return;
	s->want_room = false;
	eventfd_write(s->room_fd, 1);
}

/*
 * Writes until there is no room, which makes the next event an edge. -EAGAIN is no error:
 * returns how many bytes are out, or a negative errno.
 */
static ssize_t write_some(struct stream *s, const u8 *data, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(s->fd, data + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (!n || (n < 0 && errno == EAGAIN))
			break;
		if (n < 0)
			return -errno;
		done += n;
	}
	return done;
}

static void flush(struct stream *s)
{
	pthread_mutex_lock(&s->lock);
	if (!s->ops->is_present(s))
		discard_out(s);
	while (s->nr_out) {
		size_t len = min(s->nr_out, sizeof(s->out) - s->first_out);
		ssize_t n = write_some(s, s->out + s->first_out, len);

		if (n < 0) {
			discard_out(s);
			break;
		}
		s->first_out = (s->first_out + n) % sizeof(s->out);
		s->nr_out -= n;
		if ((size_t)n < len)
			break;
	}
	if (s->nr_out <= sizeof(s->out) / 2)
		tell_room(s);
	pthread_mutex_unlock(&s->lock);
}

static size_t stream_write(struct chardev *dev, const u8 *data, size_t len)
{
	struct stream *s = to_stream(dev);
	ssize_t n = 0;

	pthread_mutex_lock(&s->lock);
	if (!s->ops->is_present(s)) {
		discard_out(s);
		n = -ENOTCONN;
	} else if (!s->nr_out) {
		n = write_some(s, data, len);
	}
	if (n < 0) {
		chardev_count_dropped(dev, len);
		n = len;
	}
	while ((size_t)n < len && s->nr_out < sizeof(s->out)) {
		size_t end = (s->first_out + s->nr_out) % sizeof(s->out);
		size_t part = min(sizeof(s->out) - s->nr_out, sizeof(s->out) - end);

		part = min(part, len - n);
		memcpy(s->out + end, data + n, part);
		s->nr_out += part;
		n += part;
	}
	if ((size_t)n < len) {
		eventfd_t count;

		s->want_room = true;
		eventfd_read(s->room_fd, &count);
	}
	pthread_mutex_unlock(&s->lock);
	return n;
}

static void stream_poll_room(struct chardev *dev, struct pollfd *room)
{
	*room = (struct pollfd){.fd = to_stream(dev)->room_fd, .events = POLLIN};
}

void stream_wake(struct stream *s)
{
	eventfd_write(s->wake_fd, 1);
}

static void stream_resume(struct chardev *dev)
{
	stream_wake(to_stream(dev));
}

/* True if the device took everything. */
static bool deliver(struct stream *s)
{
	size_t n;

	if (!s->nr_held)
		return true;
	n = s->dev.user->receive(s->dev.opaque, s->held + s->first_held, s->nr_held);
	s->first_held += n;
	s->nr_held -= n;
	return !s->nr_held;
}

static void read_input(struct stream *s)
{
	for (unsigned int i = 0; i < READS_A_TURN; i++) {
		ssize_t n;

		if (!deliver(s) || s->fd < 0)
			return;
		n = read(s->fd, s->held, sizeof(s->held));
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			s->ops->ended(s, n < 0 ? -errno : 0);
			return;
		}
		s->first_held = 0;
		s->nr_held = n;
	}
	stream_wake(s);
}

static void stream_ready(void *opaque)
{
	struct stream *s = opaque;
	struct epoll_event events[4];
	eventfd_t count;

	/* Which of them does not matter: all are looked at. */
	if (epoll_wait(s->epoll_fd, events, ARRAY_SIZE(events), 0) <= 0)
		return;
	eventfd_read(s->wake_fd, &count);
	if (s->ops->turn)
		s->ops->turn(s);
	flush(s);
	if (s->dev.user)
		read_input(s);
}

static void stream_connect(struct chardev *dev)
{
	struct stream *s = to_stream(dev);

	if (s->fd >= 0 && dev->user->connected)
		dev->user->connected(dev->opaque, true);
	/* What came before was looked at without the device, if at all. */
	stream_wake(s);
}

const struct chardev_ops stream_chardev_ops = {
	.write = stream_write,
	.resume = stream_resume,
	.poll_room = stream_poll_room,
	.connect = stream_connect,
	.close = stream_close,
};

static int watch(struct stream *s, int fd, u32 events)
{
	struct epoll_event event = {.events = events | EPOLLET, .data.fd = fd};

	return epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int stream_watch(struct stream *s, int fd)
{
	return watch(s, fd, EPOLLIN);
}

int stream_set_fd(struct stream *s, int fd)
{
	int old = s->fd, ret;

	if (fd >= 0) {
		ret = watch(s, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
		if (ret)
			return ret;
	}
	pthread_mutex_lock(&s->lock);
	discard_out(s);
	s->fd = fd;
	tell_room(s);
	pthread_mutex_unlock(&s->lock);
	if (old >= 0)
		close(old);
	return 0;
}

int stream_init(struct stream *s, const struct stream_ops *ops, struct loop *loop)
{
	int ret;

	s->dev.ops = &stream_chardev_ops;
	s->dev.stop_fd = -1;
	s->ops = ops;
	s->fd = -1;
	s->wake_fd = -1;
	s->room_fd = -1;
	pthread_mutex_init(&s->lock, NULL);
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll_fd < 0)
		goto err;
	s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->room_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->wake_fd < 0 || s->room_fd < 0)
		goto err;
	ret = stream_watch(s, s->wake_fd);
	if (ret)
		goto out;
	s->source = (struct loop_source){.fd = s->epoll_fd, .ready = stream_ready, .opaque = s};
	ret = loop_add(loop, &s->source);
	if (!ret)
		return 0;
	goto out;

err:
	ret = -errno;
out:
	if (s->epoll_fd >= 0)
		close(s->epoll_fd);
	if (s->wake_fd >= 0)
		close(s->wake_fd);
	if (s->room_fd >= 0)
		close(s->room_fd);
	pthread_mutex_destroy(&s->lock);
	return ret;
}

void stream_close(struct chardev *dev)
{
	struct stream *s = to_stream(dev);

	flush(s);
	s->ops->close(s);
	if (s->fd >= 0)
		close(s->fd);
	close(s->epoll_fd);
	close(s->wake_fd);
	close(s->room_fd);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
