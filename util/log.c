// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/log.h"

/* Holds the longest path there is and a sentence around it. */
#define LOG_LINE_MAX 5000

/* Atomic, because any thread may print. */
static bool quiet;
static bool raw_tty;
static int stop_fd = -1;

static __thread bool never_waits;

void log_never_wait(bool on)
{
	never_waits = on;
}

static void write_all(const char *buf, size_t len)
{
	while (len) {
		struct pollfd fds[] = {
			{.fd = STDERR_FILENO, .events = POLLOUT},
			{.fd = __atomic_load_n(&stop_fd, __ATOMIC_RELAXED), .events = POLLIN},
		};
		ssize_t n;

		if (poll(fds, ARRAY_SIZE(fds), never_waits ? 0 : -1) < 0)
			continue;
		if (!fds[0].revents)
			return;
		n = write(STDERR_FILENO, buf, len);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return;
		buf += n;
		len -= n;
	}
}

static void print_line(const char *prefix, const char *fmt, va_list args) __printf(2, 0);

/* One write a line, so that the lines of several threads do not mix. */
static void print_line(const char *prefix, const char *fmt, va_list args)
{
	int saved_errno = errno;
	char line[LOG_LINE_MAX + sizeof("...\r\n")];
	size_t len;
	int n;

	len = snprintf(line, LOG_LINE_MAX, "%s", prefix);
	n = vsnprintf(line + len, LOG_LINE_MAX - len, fmt, args);
	if (n < 0) {
		errno = saved_errno;
		return;
	}
	if ((size_t)n >= LOG_LINE_MAX - len) {
		len = LOG_LINE_MAX - 1;
		memcpy(line + len, "...", 3);
		len += 3;
	} else {
		len += n;
	}

	/* Names and image contents may hold terminal escapes, or look like further lines. */
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	}
	if (__atomic_load_n(&raw_tty, __ATOMIC_RELAXED))
		line[len++] = '\r';
	line[len++] = '\n';
	write_all(line, len);
	errno = saved_errno;
}

void pr_err(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print_line("lkvm: error: ", fmt, args);
	va_end(args);
}

void pr_warn(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print_line("lkvm: warning: ", fmt, args);
	va_end(args);
}

void pr_info(const char *fmt, ...)
{
	va_list args;

	if (__atomic_load_n(&quiet, __ATOMIC_RELAXED))
		return;
	va_start(args, fmt);
	print_line("lkvm: ", fmt, args);
	va_end(args);
}

void log_set_quiet(bool on)
{
	__atomic_store_n(&quiet, on, __ATOMIC_RELAXED);
}

void log_set_raw_tty(bool raw)
{
	__atomic_store_n(&raw_tty, raw, __ATOMIC_RELAXED);
}

void log_set_stop_fd(int fd)
{
	__atomic_store_n(&stop_fd, fd, __ATOMIC_RELAXED);
}
