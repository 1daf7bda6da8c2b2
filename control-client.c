// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "control-client.h"
#include "util/log.h"
#include "util/parse.h"
#include "vm/control.h"

/* A guest answers in milliseconds, unless its host is very busy. */
#define ANSWER_MS 10000

/* The first line of an answer: an error's text is the longest. */
#define MAX_HEAD 600

/* Names of guests in a message. */
#define MAX_NAMES 8

int client_opt_name(void *opaque, const char *value)
{
	struct client_options *o = opaque;

	if (o->name) {
		pr_err("'%s' and '%s': give the name of one guest", o->name, value);
		return -EINVAL;
	}
	if (!guest_name_valid(value)) {
		pr_err("'%s' is not the name of a guest: 'lkvm list' shows them", value);
		return -EINVAL;
	}
	o->name = value;
	return 0;
}

int client_opt_json(void *opaque, const char *value)
{
	(void)value;
	((struct client_options *)opaque)->json = true;
	return 0;
}

int client_opt_help(void *opaque, const char *value)
{
	(void)value;
	((struct client_options *)opaque)->help = true;
	return 0;
}

static int no_guest(const char *name)
{
	if (name)
		pr_err("no guest named '%s' runs; 'lkvm list' shows those that do", name);
	else
		pr_err("no guest runs (in %s)", runtime_dir_path());
	return -ESRCH;
}

static int several(const char (*names)[GUEST_NAME_MAX + 1], int nr)
{
	char text[MAX_NAMES * (GUEST_NAME_MAX + 2) + 8] = "";

	for (int i = 0; i < min(nr, MAX_NAMES); i++) {
		strcat(text, i ? ", " : "");
		strcat(text, names[i]);
	}
	pr_err("%d guests run, name one of them: %s%s", nr, text, nr > MAX_NAMES ? ", ..." : "");
	return -EINVAL;
}

/* Copies the name of the only guest. */
static int find_only(int dir, char name[GUEST_NAME_MAX + 1])
{
	char(*names)[GUEST_NAME_MAX + 1];
	int nr = guest_list(dir, &names), ret = 0;

	if (nr < 0) {
		pr_err("cannot read %s: %s", runtime_dir_path(), strerror(-nr));
		return nr;
	}
	if (nr == 1)
		memcpy(name, names[0], sizeof(names[0]));
	else
		ret = nr ? several((const char(*)[GUEST_NAME_MAX + 1]) names, nr) : no_guest(NULL);
	free(names);
	return ret;
}

static int find_process(struct guest *guest)
{
	guest->pid = guest_pid(guest->dir, guest->name);
	if (guest->pid < 0) {
		pr_err("cannot look for the guest '%s': %s", guest->name, strerror(-guest->pid));
		return guest->pid;
	}
	if (!guest->pid)
		return no_guest(guest->name);
	guest->pid_fd = syscall(SYS_pidfd_open, guest->pid, 0);
	if (guest->pid_fd < 0) {
		int ret = -errno;

		if (ret == -ESRCH)
			return no_guest(guest->name);
		pr_err("cannot watch process %d of the guest '%s': %s", (int)guest->pid,
		       guest->name, strerror(-ret));
		return ret;
	}
	/* The descriptor is of the guest if it still is who has the name. */
	if (guest_pid(guest->dir, guest->name) != guest->pid) {
		close(guest->pid_fd);
		return no_guest(guest->name);
	}
	return 0;
}

int guest_open(struct guest *guest, const char *name)
{
	int ret = 0;

	guest->dir = runtime_dir_open(false);
	if (guest->dir < 0)
		return guest->dir == -ENOENT ? no_guest(name) : guest->dir;
	if (name)
		snprintf(guest->name, sizeof(guest->name), "%s", name);
	else
		ret = find_only(guest->dir, guest->name);
	if (!ret)
		ret = find_process(guest);
	if (ret)
		close(guest->dir);
	return ret;
}

void guest_close(struct guest *guest)
{
	close(guest->pid_fd);
	close(guest->dir);
}

struct timespec client_deadline(u64 ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += ms % 1000 * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_nsec -= 1000000000;
		t.tv_sec++;
	}
	return t;
}

u64 client_left_ms(const struct timespec *deadline)
{
	struct timespec now;
	s64 ms;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ms = (s64)(deadline->tv_sec - now.tv_sec) * 1000 +
	     (deadline->tv_nsec - now.tv_nsec) / 1000000;
	return max(ms, (s64)0);
}

/* Waits for the socket. 0, -ETIMEDOUT. */
static int wait_for(int fd, short events, const struct timespec *deadline)
{
	struct pollfd pfd = {.fd = fd, .events = events};
	int n;

	do {
		n = poll(&pfd, 1, min(client_left_ms(deadline), (u64)INT_MAX));
	} while (n < 0 && errno == EINTR);
	return n > 0 ? 0 : n ? -errno : -ETIMEDOUT;
}

static int send_request(int fd, const char *request, const struct timespec *deadline)
{
	char line[CONTROL_MAX_REQUEST];
	size_t len = snprintf(line, sizeof(line), "%s\n", request);

	for (size_t sent = 0; sent < len;) {
		ssize_t n = send(fd, line + sent, len - sent, MSG_NOSIGNAL);
		int ret;

		if (n >= 0) {
			sent += n;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return errno == EPIPE ? -ECONNREFUSED : -errno;
		ret = wait_for(fd, POLLOUT, deadline);
		if (ret)
			return ret;
	}
	return 0;
}

/* All that comes, up to the end of the connection, with a NUL behind it. */
static int receive_all(int fd, char **buf, size_t *len, const struct timespec *deadline)
{
	size_t size = 0;

	*buf = NULL;
	*len = 0;
	for (;;) {
		ssize_t n;

		if (size - *len < 2) {
			char *more;

			if (size > CONTROL_MAX_ANSWER + MAX_HEAD)
				return -EPROTO;
			size = size ? 2 * size : 4096;
			more = realloc(*buf, size);
			if (!more)
				return -ENOMEM;
			*buf = more;
		}
		n = recv(fd, *buf + *len, size - *len - 1, 0);
		if (n > 0) {
			*len += n;
			continue;
		}
		/* What was sent behind the request and never read leads to a reset. */
		if (!n || errno == ECONNRESET)
			break;
		if (errno == EAGAIN) {
			int ret = wait_for(fd, POLLIN, deadline);

			if (ret)
				return ret;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	(*buf)[*len] = '\0';
	return *len ? 0 : -ECONNREFUSED;
}

/* Takes the answer apart: leaves the payload, or an error's text, at the start of @buf. */
static int parse_answer(char *buf, size_t *len)
{
	char *end = memchr(buf, '\n', *len);
	size_t head;
	u64 size;

	if (!end)
		return -EPROTO;
	*end = '\0';
	head = end + 1 - buf;
	if (!strncmp(buf, "error ", 6)) {
		*len = strlen(buf + 6);
		memmove(buf, buf + 6, *len + 1);
		return -EREMOTEIO;
	}
	if (strncmp(buf, "ok ", 3) || parse_u64(buf + 3, &size))
		return -EPROTO;
	/* Less: the guest ended while it answered. */
	if (*len - head < size)
		return -ECONNREFUSED;
	*len = size;
	memmove(buf, buf + head, size);
	buf[size] = '\0';
	return 0;
}

int guest_send(int dir, const char *name, const char *request, const struct timespec *deadline)
{
	int ret, fd = guest_connect(dir, name, client_left_ms(deadline));

	if (fd < 0)
		return fd;
	ret = send_request(fd, request, deadline);
	if (ret) {
		close(fd);
		return ret;
	}
	return fd;
}

int guest_receive(int fd, char **payload, size_t *len, const struct timespec *deadline)
{
	int ret = receive_all(fd, payload, len, deadline);

	if (!ret)
		ret = parse_answer(*payload, len);
	close(fd);
	if (ret && ret != -EREMOTEIO) {
		free(*payload);
		*payload = NULL;
	}
	return ret;
}

int guest_try(const struct guest *guest, const char *request, u64 ms, char **payload, size_t *len)
{
	struct timespec deadline = client_deadline(ms ? ms : ANSWER_MS);
	int ret = guest_send(guest->dir, guest->name, request, &deadline);

	*payload = NULL;
	if (ret >= 0)
		ret = guest_receive(ret, payload, len, &deadline);
	return ret;
}

void guest_explain(const struct guest *guest, int err, char *payload)
{
	switch (err) {
	case -EREMOTEIO:
		pr_err("guest '%s': %s", guest->name, payload);
		free(payload);
		break;
	case -ENOENT:
		pr_err("guest '%s' is starting: it is not there to ask yet", guest->name);
		break;
	case -ECONNREFUSED:
		pr_err("guest '%s' is ending", guest->name);
		break;
	case -ETIMEDOUT:
		pr_err("guest '%s' does not answer; 'lkvm stop --force %s' ends it", guest->name,
		       guest->name);
		break;
	case -EPROTO:
		pr_err("guest '%s' sent what is not an answer: is it another version of lkvm?",
		       guest->name);
		break;
	default:
		pr_err("cannot ask the guest '%s': %s", guest->name, strerror(-err));
	}
}

int guest_ask(const struct guest *guest, const char *request, u64 ms, char **payload, size_t *len)
{
	int ret = guest_try(guest, request, ms, payload, len);

	if (ret)
		guest_explain(guest, ret, *payload);
	return ret;
}

int guest_show(const char *name, const char *request)
{
	struct guest guest;
	char *payload;
	size_t len;
	int ret;

	if (guest_open(&guest, name))
		return 1;
	ret = guest_ask(&guest, request, 0, &payload, &len);
	if (!ret) {
		fwrite(payload, 1, len, stdout);
		free(payload);
	}
	guest_close(&guest);
	return ret ? 1 : 0;
}
