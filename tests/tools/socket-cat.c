// SPDX-License-Identifier: GPL-2.0-only
/*
 * A client of a unix stream socket, or a reader and writer of a terminal.
 *
 * usage: socket-cat PATH [BYTES|=TEXT]
 *
 * Waits until somebody listens at PATH, sends what comes on stdin and writes what comes back to
 * stdout. Ends with status 0 after BYTES bytes, when TEXT has come, or at the end of the other
 * side; with 1 and a line on stderr if something fails, or if nothing happens for a minute.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#define SILENCE_MS 60000

static void fail(const char *what)
{
	fprintf(stderr, "socket-cat: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_terminal(const char *path)
{
	struct termios raw;
	int fd = open(path, O_RDWR | O_NOCTTY);

	if (fd < 0 || tcgetattr(fd, &raw) < 0)
		fail(path);
	cfmakeraw(&raw);
	if (tcsetattr(fd, TCSANOW, &raw) < 0)
		fail(path);
	return fd;
}

static int open_path(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct stat st;
	int fd;

	if (!stat(path, &st) && S_ISCHR(st.st_mode))
		return open_terminal(path);
	strncpy(addr.sun_path, path, sizeof(addr.sun_path) - 1);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0)
		fail("socket");
	for (int left = SILENCE_MS; connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0;
	     left--) {
		if (!left || (errno != ENOENT && errno != ECONNREFUSED))
			fail(path);
		poll(NULL, 0, 1);
	}
	return fd;
}

/* Whether @text is in all that came. */
static bool has_come(const char *text, const char *buf, size_t len)
{
	static char seen[65536];
	static size_t seen_len;

	if (len > sizeof(seen) - seen_len)
		seen_len = 0;
	memcpy(seen + seen_len, buf, len);
	seen_len += len;
	return memmem(seen, seen_len, text, strlen(text));
}

static void write_all(const char *buf, size_t len)
{
	while (len) {
		ssize_t n = write(STDOUT_FILENO, buf, len);

		if (n <= 0)
			fail("stdout");
		buf += n;
		len -= n;
	}
}

int main(int argc, char **argv)
{
	static char in[65536], back[65536];
	size_t in_len = 0, in_off = 0;
	const char *text = argc > 2 && argv[2][0] == '=' ? argv[2] + 1 : NULL;
	long long left = argc > 2 && !text ? atoll(argv[2]) : -1;
	struct pollfd fds[2] = {{.fd = STDIN_FILENO}};

	if (argc < 2) {
		fprintf(stderr, "usage: socket-cat PATH [BYTES|=TEXT]\n");
		return 1;
	}
	fds[1].fd = open_path(argv[1]);
	while (left) {
		ssize_t n;

		fds[0].events = in_off == in_len ? POLLIN : 0;
		fds[1].events = POLLIN | (in_off < in_len ? POLLOUT : 0);
		n = poll(fds, 2, SILENCE_MS);
		if (n <= 0) {
			errno = n ? errno : ETIMEDOUT;
			fail("poll");
		}
		if (fds[0].revents && in_off == in_len) {
			n = read(STDIN_FILENO, in, sizeof(in));
			if (n <= 0)
				fds[0].fd = -1;
			in_off = 0;
			in_len = n > 0 ? n : 0;
		}
		if (fds[1].revents & POLLIN) {
			size_t room = sizeof(back);

			if (left > 0 && left < (long long)room)
				room = left;
			n = read(fds[1].fd, back, room);
			if (n <= 0)
				break;
			write_all(back, n);
			if (text && has_come(text, back, n))
				return 0;
			if (left > 0)
				left -= n;
		} else if (fds[1].revents & (POLLHUP | POLLERR)) {
			break;
		}
		if (fds[1].revents & POLLOUT && in_off < in_len) {
			n = send(fds[1].fd, in + in_off, in_len - in_off,
				 MSG_DONTWAIT | MSG_NOSIGNAL);
			if (n < 0 && errno == ENOTSOCK)
				n = write(fds[1].fd, in + in_off, 1);
			if (n < 0 && errno != EAGAIN)
				fail("cannot send");
			in_off += n > 0 ? n : 0;
		}
	}
	if (left > 0 || text) {
		errno = EPIPE;
		fail("the other side ended too early");
	}
	return 0;
}
