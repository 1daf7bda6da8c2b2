/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Character back ends: what is at the other end of a console or a port of the guest. The
 * user's terminal, a pty, a file, a unix socket, or nothing. Each kind is one file with its
 * struct chardev_ops.
 *
 * Input comes in the main loop's thread. Output goes from any thread, and no function here
 * waits for whoever reads it but chardev_put() on the terminal.
 */
#ifndef LKVM_CHAR_CHARDEV_H
#define LKVM_CHAR_CHARDEV_H

#include <limits.h>
#include <poll.h>
#include <stdatomic.h>

#include "util/types.h"
#include "vm/loop.h"

enum chardev_kind {
	CHARDEV_NULL, /* nobody: output is discarded */
	CHARDEV_TERMINAL,
	CHARDEV_PTY,
	CHARDEV_FILE,
	CHARDEV_SOCKET,
};

/* What there is, and the same for the usage text: lines as of a list of values. */
#define CHARDEV_BACKENDS "tty, pty[=LINK], socket=PATH, file=FILE or null"
#define CHARDEV_USAGE                                              \
	"  tty              this terminal\n"                       \
	"  pty[=LINK]       a pseudo-terminal, and a link to it\n" \
	"  socket=PATH      a unix socket on which lkvm listens\n" \
	"  file=FILE        appended to\n"                         \
	"  null             nobody\n"

struct chardev_config {
	enum chardev_kind kind;
	char path[PATH_MAX]; /* "": none */
};

/* What the guest's device has for its back end. Called in the main loop's thread. */
struct chardev_user {
	/*
	 * Takes up to @len bytes and returns how many. If that is less than @len, the rest
	 * stays where it is until the device calls chardev_resume().
	 */
	size_t (*receive)(void *opaque, const u8 *data, size_t len);
	/* Somebody is there now, or not any more. Not at first. May be NULL. */
	void (*connected)(void *opaque, bool on);
	/* The size of the terminal, at first and when it changes. May be NULL. */
	void (*resized)(void *opaque, u16 cols, u16 rows);
};

struct chardev;

struct chardev_ops {
	/* chardev_write(), chardev_resume() and chardev_poll_room(). */
	size_t (*write)(struct chardev *dev, const u8 *data, size_t len);
	void (*resume)(struct chardev *dev);
	void (*poll_room)(struct chardev *dev, struct pollfd *room);
	/* dev->user is set: input may begin. */
	void (*connect)(struct chardev *dev);
	void (*close)(struct chardev *dev);
};

struct chardev {
	const struct chardev_ops *ops;
	const struct chardev_user *user; /* NULL: no device has it yet */
	void *opaque;
	/*
	 * Of the terminal: its user waits for it as on a serial line, until this is readable.
	 * -1: what it has no room for is dropped.
	 */
	int stop_fd;
	_Atomic u64 dropped; /* bytes of output that nobody got */
};

/*
 * Parses "tty", "pty", "pty=LINK", "file=FILE", "socket=PATH" or "null", the first @len bytes
 * of @arg. Prints the reason, which @what ("--serial") opens; -EINVAL, -ENAMETOOLONG.
 */
int chardev_parse(const char *what, const char *arg, size_t len, struct chardev_config *out);

/*
 * Opens the back end of @config, which is not the terminal. On success the caller owns *@out
 * until chardev_close(). Prints the reason on failure; a negative errno: -EADDRINUSE for a
 * socket on which somebody listens, -EEXIST for a file in the place of a socket or a link, and
 * what the host's calls return.
 */
int chardev_open(struct chardev **out, const char *what, const struct chardev_config *config,
		 struct loop *loop);

/* The loop must not run any more. What is buffered goes out as far as there is room for it. */
void chardev_close(struct chardev *dev);

/* Before the loop runs, once: the device behind it. */
void chardev_connect(struct chardev *dev, const struct chardev_user *user, void *opaque);

/* The device has room for input again. From any thread. */
void chardev_resume(struct chardev *dev);

/*
 * Output of the guest. Returns how many bytes were taken, without waiting; what is written
 * while nobody is there, or fails, is taken, and counted as dropped. From any thread.
 */
size_t chardev_write(struct chardev *dev, const u8 *data, size_t len);

/*
 * After chardev_write() did not take all: fills @room with what to poll for until it is worth
 * trying again. One thread at a time waits.
 */
void chardev_poll_room(struct chardev *dev, struct pollfd *room);

/*
 * The output of a console, whose driver spins until it is out: waits for room on the terminal,
 * until the machine ends; elsewhere what there is no room for is dropped. From any thread but
 * the main loop's.
 */
void chardev_put(struct chardev *dev, const u8 *data, size_t len);

/* For the back ends: output that nobody got. */
void chardev_count_dropped(struct chardev *dev, size_t len);

/* The kinds, for chardev_open(). */
int file_chardev_open(struct chardev **out, const char *what, const char *path);
int null_chardev_open(struct chardev **out);
int pty_chardev_open(struct chardev **out, const char *what, const char *link, struct loop *loop);
int socket_chardev_open(struct chardev **out, const char *what, const char *path,
			struct loop *loop);

#endif /* LKVM_CHAR_CHARDEV_H */
