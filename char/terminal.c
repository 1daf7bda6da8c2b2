// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "char/terminal.h"
#include "util/log.h"

#define ESCAPE 0x01 /* ctrl-a */

/*
 * Static and for the signals that end the program, in whichever thread. is_raw: the terminal was
 * set as @raw, and nobody was seen to have changed that; then @saved is how it was before.
 */
static struct termios saved, raw;
static _Atomic bool want_raw, is_raw;

static struct terminal *to_terminal(struct chardev *dev)
{
	return container_of(dev, struct terminal, dev);
}

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

/* The terminal is that of other programs for now. One that controls nobody is everybody's. */
static bool in_background(void)
{
	pid_t group = tcgetpgrp(STDIN_FILENO);

	return group >= 0 && group != getpgrp();
}

static bool get_modes(struct termios *modes)
{
	memset(modes, 0, sizeof(*modes));
	return !tcgetattr(STDIN_FILENO, modes);
}

static bool is_set_as(const struct termios *modes)
{
	struct termios now;

	return get_modes(&now) && !memcmp(&now, modes, sizeof(now));
}

/* Even in the background, where SIGTTOU would stop the program if it was not blocked. */
static bool set_modes(int when, const struct termios *modes)
{
	sigset_t stop, old;
	bool done;

	sigemptyset(&stop);
	sigaddset(&stop, SIGTTOU);
	pthread_sigmask(SIG_BLOCK, &stop, &old);
	done = !tcsetattr(STDIN_FILENO, when, modes);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return done;
}

void terminal_suspend(void)
{
	if (!is_raw)
		return;
	is_raw = false;
	if (!in_background())
		set_modes(TCSAFLUSH, &saved);
	else if (is_set_as(&raw))
		/* What is typed is not for us. */
		set_modes(TCSANOW, &saved);
	log_set_raw_tty(false);
}

void terminal_restore(void)
{
	want_raw = false;
	terminal_suspend();
}

/* In the foreground. */
static void set_raw(void)
{
	struct termios modes;

	/* Some shells give a program the modes back that it had. */
	if (is_set_as(&raw)) {
		is_raw = true;
	} else if (get_modes(&modes)) {
		saved = modes;
		cfmakeraw(&modes);
		is_raw = set_modes(TCSANOW, &modes) && get_modes(&raw);
	}
	log_set_raw_tty(is_raw);
}

void terminal_again(void)
{
	if (!want_raw)
		return;
	if (!in_background()) {
		set_raw();
	} else if (is_raw && !is_set_as(&raw)) {
		/* The shell has set it anew, and what is there from now on is not ours. */
		is_raw = false;
		log_set_raw_tty(false);
	}
}

void terminal_make_raw(const struct terminal *term)
{
	if (!term->dev.user || !isatty(STDIN_FILENO))
		return;
	want_raw = true;
	atexit(terminal_restore);
	terminal_again();
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
 * A console that is full resumes us when it is not. Until then a file or a
 * pipe can wait, but a person may want to leave the guest that does not listen.
 */
static void deliver(struct terminal *term)
{
	if (term->nr_held) {
		size_t n = term->dev.user->receive(term->dev.opaque, term->held + term->first_held,
						   term->nr_held);

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
	ssize_t n;

	/* A shell need not say so when it puts a program into the foreground. */
	if (!is_raw)
		terminal_again();
	n = read(STDIN_FILENO, buf, sizeof(buf));
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

static void terminal_resume(struct chardev *dev)
{
	wake(to_terminal(dev));
}

static void tell_size(struct terminal *term)
{
	struct winsize size;

	if (!ioctl(term->out_fd, TIOCGWINSZ, &size))
		term->dev.user->resized(term->dev.opaque, size.ws_col, size.ws_row);
}

static void size_ready(void *opaque)
{
	struct terminal *term = opaque;
	struct signalfd_siginfo info;

	if (read(term->size_source.fd, &info, sizeof(info)) == sizeof(info))
		tell_size(term);
}

/* Before there are other threads: the signal is for none of them. */
static void watch_size(struct terminal *term)
{
	sigset_t signals;
	int ret;

	if (!isatty(term->out_fd))
		return;
	sigemptyset(&signals);
	sigaddset(&signals, SIGWINCH);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	term->size_source.fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	ret = term->size_source.fd < 0 ? -errno : loop_add(term->loop, &term->size_source);
	if (ret)
		pr_warn("the guest will not know of a new size of the terminal: %s",
			strerror(-ret));
	tell_size(term);
}

static void terminal_connect(struct chardev *dev)
{
	struct terminal *term = to_terminal(dev);
	int ret = loop_add(term->loop, &term->source);

	/* A regular file cannot be waited for, and need not be. */
	term->is_file = ret == -EPERM;
	if (term->is_file)
		wake(term);
	else if (ret)
		pr_warn("stdin cannot be read: %s", strerror(-ret));
	if (dev->user->connected)
		dev->user->connected(dev->opaque, true);
	if (dev->user->resized)
		watch_size(term);
}

static void output_lost(int err)
{
	static atomic_bool reported;

	if (!atomic_exchange(&reported, true))
		pr_warn("what the guest prints is lost: %s", strerror(err));
}

static size_t terminal_write(struct chardev *dev, const u8 *data, size_t len)
{
	struct terminal *term = to_terminal(dev);
	size_t done = 0;

	while (done < len) {
		struct pollfd fd = {.fd = term->out_fd, .events = POLLOUT};
		ssize_t n;

		if (poll(&fd, 1, 0) <= 0)
			break;
		n = write(term->out_fd, data + done, min(len - done, term->out_part));
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			break;
		if (n < 0) {
			output_lost(errno);
			chardev_count_dropped(dev, len - done);
			return len;
		}
		done += n;
	}
	return done;
}

static void terminal_poll_room(struct chardev *dev, struct pollfd *room)
{
	*room = (struct pollfd){.fd = to_terminal(dev)->out_fd, .events = POLLOUT};
}

/* It lives as long as the machine: terminal_destroy(). */
static void terminal_close(struct chardev *dev)
{
	(void)dev;
}

static const struct chardev_ops terminal_ops = {
	.write = terminal_write,
	.resume = terminal_resume,
	.poll_room = terminal_poll_room,
	.connect = terminal_connect,
	.close = terminal_close,
};

/*
 * A terminal that has room has it for one byte perhaps, and a longer write would block. Not
 * to block is a matter of the open file, which a shell may share: so it is opened anew. A
 * pipe that has room has it for PIPE_BUF bytes.
 */
static void open_output(struct terminal *term)
{
	int fd;

	term->out_fd = STDOUT_FILENO;
	term->out_part = PIPE_BUF;
	if (!isatty(STDOUT_FILENO))
		return;
	fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0)
		term->out_fd = fd;
	else
		term->out_part = 1;
}

int terminal_init(struct terminal *term, struct loop *loop, int stop_fd,
		  void (*leave)(void *opaque), void *leave_opaque)
{
	int ret;

	log_set_stop_fd(stop_fd);
	memset(term, 0, offsetof(struct terminal, held));
	term->dev.ops = &terminal_ops;
	term->dev.stop_fd = stop_fd;
	term->loop = loop;
	term->source =
		(struct loop_source){.fd = STDIN_FILENO, .ready = input_ready, .opaque = term};
	term->wake_source = (struct loop_source){.fd = -1, .ready = wake_ready, .opaque = term};
	term->size_source = (struct loop_source){.fd = -1, .ready = size_ready, .opaque = term};
	term->leave = leave;
	term->leave_opaque = leave_opaque;
	open_output(term);
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
	if (term->size_source.fd >= 0)
		close(term->size_source.fd);
	if (term->out_fd > STDOUT_FILENO)
		close(term->out_fd);
	term->wake_source.fd = -1;
	term->size_source.fd = -1;
	term->out_fd = STDOUT_FILENO;
	log_set_stop_fd(-1);
}
