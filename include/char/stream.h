/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part that the pty and the socket have in common: a descriptor that comes and goes, read
 * in the main loop as far as the device takes it, written at once or from a bounded buffer.
 */
#ifndef LKVM_CHAR_STREAM_H
#define LKVM_CHAR_STREAM_H

#include <pthread.h>

#include "char/chardev.h"

/* Output that waits for somebody who is there but does not read. */
#define STREAM_MAX_OUT (64 * 1024)

struct stream;

struct stream_ops {
	/* Whether somebody can get output at s->fd, which may be -1. With s->lock. */
	bool (*is_present)(struct stream *s);
	/* A turn of the main loop, before input is looked for. May be NULL. */
	void (*turn)(struct stream *s);
	/* A read of s->fd returned @n, which is 0 or a negative errno but not -EAGAIN. */
	void (*ended)(struct stream *s, ssize_t n);
	/* Before the stream is freed: gives up what it has besides s->fd. */
	void (*close)(struct stream *s);
};

struct stream {
	struct chardev dev;
	const struct stream_ops *ops;

	/*
	 * An epoll set of its own, in the loop as one source: it holds s->fd and what
	 * the kind adds, all edge-triggered, so that an end that is hung up is told once.
	 */
	int epoll_fd;
	struct loop_source source;
	int wake_fd; /* eventfd: have another turn */
	int room_fd; /* eventfd: who waits for room may go on */

	/* The main thread's: read, but not yet taken by the device. */
	u8 held[4096];
	size_t first_held, nr_held;

	pthread_mutex_t lock; /* guards what follows; not held while the device is called */
	int fd; /* non-blocking, or -1; changed by the main thread only */
	bool want_room; /* somebody waits for room_fd */
	u8 out[STREAM_MAX_OUT];
	size_t first_out, nr_out;
};

/* Makes @s, zeroed by the caller, without a descriptor. -errno; prints nothing. */
int stream_init(struct stream *s, const struct stream_ops *ops, struct loop *loop);

/* The ops of a chardev that is a stream, the first member of what was allocated. */
extern const struct chardev_ops stream_chardev_ops;

/* Also for a stream of which only stream_init() succeeded. */
void stream_close(struct chardev *dev);

/* Watches one more descriptor of the kind's for input. -errno. */
int stream_watch(struct stream *s, int fd);

/* @fd, non-blocking, is the other end from now on, or -1: there is none. -errno. */
int stream_set_fd(struct stream *s, int fd);

/* Another turn of the main loop. From any thread. */
void stream_wake(struct stream *s);

#endif /* LKVM_CHAR_STREAM_H */
