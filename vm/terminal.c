// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <termios.h>
#include <unistd.h>

#include "util/log.h"
#include "vm/terminal.h"

#define ESCAPE 0x01 /* ctrl-a */

static struct termios saved;
static bool is_raw;
static int stop_fd = -1;

int terminal_check(void)
{
	static const int flags[] = {O_RDONLY, O_WRONLY, O_WRONLY};

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		if (fd == STDOUT_FILENO) {
			pr_err("standard output is closed, but the guest's console writes to it; "
			       "'>/dev/null' discards that");
			return -EBADF;
		}
		/* The lowest free number is this one. */
		if (open("/dev/null", flags[fd]) < 0) {
			int ret = -errno;

			pr_err("cannot open /dev/null: %s", strerror(-ret));
			return ret;
		}
	}
	return 0;
}

void terminal_restore(void)
{
	if (!is_raw)
		return;
	is_raw = false;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved);
	log_set_raw_tty(false);
}

static bool set_raw(void)
{
	struct termios raw = saved;

	cfmakeraw(&raw);
	return !tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

void terminal_again(void)
{
	/* In the background this would stop the program once more. */
	if (is_raw && tcgetpgrp(STDIN_FILENO) == getpgrp())
		set_raw();
}

void terminal_make_raw(void)
{
	if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &saved) < 0)
		return;
	if (!set_raw())
		return;
	is_raw = true;
	log_set_raw_tty(true);
	atexit(terminal_restore);
}

/* Keeps what the console takes, runs the escapes, and returns how many bytes stay. */
static size_t filter(struct terminal *term, u8 *buf, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		u8 c = buf[i];

		if (!term->escape) {
			if (c == ESCAPE && is_raw)
				term->escape = true;
			else
				buf[n++] = c;
			continue;
		}
		term->escape = false;
		switch (c) {
		case 'x':
		case 'X':
			term->leave(term->leave_opaque);
			break;
		case 'a':
		case ESCAPE:
			buf[n++] = ESCAPE;
			break;
		case 'h':
		case '?':
			pr_info("ctrl-a x ends the guest, ctrl-a a sends a ctrl-a");
			break;
		}
	}
	return n;
}

static void hold(struct terminal *term, const u8 *buf, size_t len)
{
	size_t room = sizeof(term->held) - term->nr_held;

	if (len > room && !term->lost) {
		pr_warn("the guest does not read its console: what is typed now is lost, but "
			"for ctrl-a x");
		term->lost = true;
	}
	len = min(len, room);
	if (term->first_held + term->nr_held + len > sizeof(term->held)) {
		memmove(term->held, term->held + term->first_held, term->nr_held);
		term->first_held = 0;
	}
	memcpy(term->held + term->first_held + term->nr_held, buf, len);
	term->nr_held += len;
}

static void wake(struct terminal *term)
{
	u64 one = 1;

	/* Cannot fail: the loop reads it, long before the counter is full. */
	if (write(term->wake_source.fd, &one, sizeof(one)) < 0)
		pr_warn("input for the guest is lost: %s", strerror(errno));
}

/*
 * A console that is full calls terminal_resume() when it is not. Until then a file or a
 * pipe can wait, but a person may want to leave the guest that does not listen.
 */
static void deliver(struct terminal *term)
{
	if (term->nr_held) {
		size_t n =
			term->receive(term->opaque, term->held + term->first_held, term->nr_held);

		term->nr_held -= n;
		term->first_held = term->nr_held ? term->first_held + n : 0;
	}
	if (!term->is_file)
		loop_enable(term->loop, &term->source, is_raw || !term->nr_held);
	else if (!term->nr_held)
		wake(term);
}

static void input_ready(void *opaque)
{
	struct terminal *term = opaque;
	u8 buf[4096];
	ssize_t n = read(STDIN_FILENO, buf, sizeof(buf));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		/* The end of input is not the end of the guest. */
		loop_enable(term->loop, &term->source, false);
		return;
	}
	hold(term, buf, filter(term, buf, n));
	deliver(term);
}

static void wake_ready(void *opaque)
{
	struct terminal *term = opaque;
	u64 count;

	if (read(term->wake_source.fd, &count, sizeof(count)) < 0)
		return;
	if (term->nr_held)
		deliver(term);
	else if (term->is_file)
		input_ready(term);
}

void terminal_resume(struct terminal *term)
{
	wake(term);
}

int terminal_init(struct terminal *term, struct loop *loop, int stop, void (*leave)(void *opaque),
		  void *leave_opaque)
{
	int ret;

	stop_fd = stop;
	log_set_stop_fd(stop);
	*term = (struct terminal){
		.loop = loop,
		.source = {.fd = STDIN_FILENO, .ready = input_ready, .opaque = term},
		.wake_source = {.ready = wake_ready, .opaque = term},
		.leave = leave,
		.leave_opaque = leave_opaque,
	};
	term->wake_source.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ret = term->wake_source.fd < 0 ? -errno : loop_add(loop, &term->wake_source);
	if (ret)
		pr_err("cannot make the console: %s", strerror(-ret));
	return ret;
}

void terminal_destroy(struct terminal *term)
{
	if (term->wake_source.fd >= 0)
		close(term->wake_source.fd);
	term->wake_source.fd = -1;
	stop_fd = -1;
	log_set_stop_fd(-1);
}

void terminal_connect(struct terminal *term,
		      size_t (*receive)(void *opaque, const u8 *data, size_t len), void *opaque)
{
	int ret;

	term->receive = receive;
	term->opaque = opaque;
	ret = loop_add(term->loop, &term->source);
	/* A regular file cannot be waited for, and need not be. */
	term->is_file = ret == -EPERM;
	if (term->is_file)
		wake(term);
	else if (ret)
		pr_warn("stdin cannot be read: %s", strerror(-ret));
}

static void output_lost(int err)
{
	static atomic_bool reported;

	if (!atomic_exchange(&reported, true))
		pr_warn("what the guest prints is lost: %s", strerror(err));
}

void terminal_write(const u8 *data, size_t len)
{
	while (len) {
		struct pollfd fds[] = {
			{.fd = STDOUT_FILENO, .events = POLLOUT},
			{.fd = stop_fd, .events = POLLIN},
		};
		ssize_t n;

		/* The signal that stops a vCPU comes in here, too. */
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0)
			continue;
		if (!fds[0].revents)
			return;
		n = write(STDOUT_FILENO, data, len);
		if (n < 0 && errno != EINTR && errno != EAGAIN) {
			output_lost(errno);
			return;
		}
		if (n > 0) {
			data += n;
			len -= n;
		}
	}
}
