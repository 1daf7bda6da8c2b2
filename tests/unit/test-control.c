// SPDX-License-Identifier: GPL-2.0-only
/* The control socket against clients that do what they should not. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"
#include "vm/control.h"

#define BIG (1024 * 1024)

static struct loop loop;
static struct control *control;
static struct loop_source wake_source;
static pthread_t thread;
static struct sockaddr_un addr;
static socklen_t addr_len;

static void run_echo(void *opaque, struct control_client *client, char *args)
{
	(void)opaque;
	control_ok(client, args, strlen(args));
}

static void run_big(void *opaque, struct control_client *client, char *args)
{
	char *data = malloc(BIG);

	(void)opaque;
	(void)args;
	if (!data)
		abort();
	memset(data, 'b', BIG);
	control_ok(client, data, BIG);
	free(data);
}

static void run_wait(void *opaque, struct control_client *client, char *args)
{
	(void)opaque;
	if (args)
		control_wait(client);
	else
		control_ok(client, "woken", 5);
}

static void run_fail(void *opaque, struct control_client *client, char *args)
{
	(void)opaque;
	control_error(client, "no: %s", args);
}

static void run_quit(void *opaque, struct control_client *client, char *args)
{
	(void)opaque;
	(void)args;
	control_ok(client, NULL, 0);
	loop_quit(&loop);
}

static const struct control_verb verbs[] = {
	{"echo", run_echo}, {"big", run_big},	{"wait", run_wait},
	{"fail", run_fail}, {"quit", run_quit}, {NULL, NULL},
};

static void wake_ready(void *opaque)
{
	eventfd_t count;

	(void)opaque;
	eventfd_read(wake_source.fd, &count);
	control_wake(control);
}

static void *loop_thread(void *arg)
{
	(void)arg;
	loop_run(&loop);
	return NULL;
}

static bool begin(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	/* An abstract address of the kernel's choice. */
	addr = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(sa_family_t)) || listen(fd, 64))
		abort();
	addr_len = sizeof(addr);
	getsockname(fd, (struct sockaddr *)&addr, &addr_len);
	if (!CHECK(!loop_init(&loop)) || !CHECK(!control_start(&control, &loop, fd, verbs, NULL)))
		return false;
	wake_source = (struct loop_source){.fd = eventfd(0, EFD_NONBLOCK), .ready = wake_ready};
	CHECK(!loop_add(&loop, &wake_source));
	return CHECK(!pthread_create(&thread, NULL, loop_thread, NULL));
}

static int client(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, addr_len)) {
		perror("connect");
		abort();
	}
	return fd;
}

static void say(int fd, const char *text, size_t len)
{
	/* Refused text is met by the end of the connection. */
	if (send(fd, text, len, MSG_NOSIGNAL) < 0)
		return;
}

/* All that comes, as a string; closes the connection. */
static const char *hear(int fd)
{
	static char buf[4096];
	size_t len = 0;
	ssize_t n;

	while (len < sizeof(buf) - 1 && (n = recv(fd, buf + len, sizeof(buf) - 1 - len, 0)) > 0)
		len += n;
	buf[len] = '\0';
	close(fd);
	return buf;
}

static const char *ask(const char *request)
{
	int fd = client();

	say(fd, request, strlen(request));
	return hear(fd);
}

static void end(void)
{
	CHECK_STR_EQ(ask("quit\n"), "ok 0\n");
	pthread_join(thread, NULL);
	control_stop(control);
	close(wake_source.fd);
	loop_destroy(&loop);
}

TEST(requests)
{
	if (!begin())
		return;
	CHECK_STR_EQ(ask("echo a b\n"), "ok 3\na b");
	CHECK_STR_EQ(ask("echo\n"), "ok 0\n");
	CHECK_STR_EQ(ask("fail why\n"), "error no: why\n");
	CHECK_STR_EQ(ask("ech a\n"), "error there is no such request\n");
	CHECK_STR_EQ(ask("\n"), "error there is no such request\n");
	CHECK_STR_EQ(ask(" echo\n"), "error there is no such request\n");
	CHECK_STR_EQ(ask("echo first\necho second\n"), "ok 5\nfirst");
	end();
}

TEST(a_line_in_pieces)
{
	int fd;

	if (!begin())
		return;
	fd = client();
	for (const char *s = "echo piece"; *s; s++) {
		say(fd, s, 1);
		/* Others are served meanwhile. */
		CHECK_STR_EQ(ask("echo x\n"), "ok 1\nx");
	}
	say(fd, "\n", 1);
	CHECK_STR_EQ(hear(fd), "ok 5\npiece");
	end();
}

TEST(lines_that_are_too_long_or_no_text)
{
	static char garbage[100000];
	char line[CONTROL_MAX_REQUEST + 2];
	int fd;

	if (!begin())
		return;
	memset(line, 'x', sizeof(line));
	memcpy(line, "echo ", 5);
	line[CONTROL_MAX_REQUEST - 1] = '\n';
	fd = client();
	say(fd, line, CONTROL_MAX_REQUEST);
	CHECK(!strncmp(hear(fd), "ok 250\nxx", 9));
	line[CONTROL_MAX_REQUEST - 1] = 'x';
	fd = client();
	say(fd, line, CONTROL_MAX_REQUEST);
	CHECK(!strncmp(hear(fd), "error a request is one line", 27));
	fd = client();
	say(fd, "echo\0x\n", 7);
	CHECK(!strncmp(hear(fd), "error a request is one line", 27));

	for (unsigned int round = 0; round < 50; round++) {
		for (size_t i = 0; i < sizeof(garbage); i++)
			garbage[i] = unit_rand();
		fd = client();
		say(fd, garbage, sizeof(garbage));
		hear(fd);
	}
	CHECK_STR_EQ(ask("echo x\n"), "ok 1\nx");
	end();
}

TEST(silent_clients_make_room)
{
	int fds[4 * CONTROL_MAX_CLIENTS];
	unsigned int gone = 0;

	if (!begin())
		return;
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = client();
		if (i % 2)
			say(fds[i], "echo", 4);
	}
	CHECK_STR_EQ(ask("echo x\n"), "ok 1\nx");
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		struct pollfd pfd = {.fd = fds[i], .events = POLLIN};

		gone += poll(&pfd, 1, 0) > 0;
		close(fds[i]);
	}
	CHECK_EQ(gone, ARRAY_SIZE(fds) + 1 - CONTROL_MAX_CLIENTS);
	CHECK_STR_EQ(ask("echo x\n"), "ok 1\nx");
	end();
}

TEST(a_client_that_reads_late)
{
	static char buf[BIG + 64];
	size_t len = 0;
	ssize_t n;
	int fd;

	if (!begin())
		return;
	fd = client();
	say(fd, "big\n", 4);
	/* More than the socket holds waits, and others are served. */
	CHECK_STR_EQ(ask("echo x\n"), "ok 1\nx");
	while ((n = recv(fd, buf + len, sizeof(buf) - len, 0)) > 0)
		len += n;
	close(fd);
	CHECK_EQ(len, BIG + strlen("ok 1048576\n"));
	CHECK(!strncmp(buf, "ok 1048576\nbbb", 14));
	end();
}

TEST(clients_that_never_read)
{
	int fds[2 * CONTROL_MAX_CLIENTS];

	if (!begin())
		return;
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = client();
		say(fds[i], "big\n", 4);
		CHECK_STR_EQ(ask("echo x\n"), "ok 1\nx");
	}
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	CHECK_STR_EQ(ask("echo x\n"), "ok 1\nx");
	end();
}

TEST(clients_that_leave_at_once)
{
	if (!begin())
		return;
	for (unsigned int i = 0; i < 200; i++) {
		int fd = client();

		if (i % 3)
			say(fd, i % 3 == 1 ? "big\n" : "wait\n", i % 3 == 1 ? 4 : 5);
		close(fd);
	}
	CHECK_STR_EQ(ask("echo x\n"), "ok 1\nx");
	end();
}

TEST(answers_that_come_later)
{
	int fds[3];

	if (!begin())
		return;
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = client();
		say(fds[i], "wait\n", 5);
	}
	/* One leaves, one says more than it should. */
	close(fds[0]);
	say(fds[1], "more\n", 5);
	/* The three requests came before this one. */
	CHECK_STR_EQ(ask("echo x\n"), "ok 1\nx");
	CHECK_STR_EQ(ask("echo x\n"), "ok 1\nx");
	eventfd_write(wake_source.fd, 1);
	CHECK_STR_EQ(hear(fds[1]), "ok 5\nwoken");
	CHECK_STR_EQ(hear(fds[2]), "ok 5\nwoken");
	end();
}

TEST(another_user_is_refused)
{
	int status = -1;
	pid_t pid;

	if (geteuid() || !begin())
		return;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		if (setuid(65534))
			_exit(2);
		_exit(strncmp(ask("echo x\n"), "error only the user", 19) ? 1 : 0);
	}
	waitpid(pid, &status, 0);
	CHECK_EQ(status, 0);
	CHECK_STR_EQ(ask("echo x\n"), "ok 1\nx");
	end();
}

TEST(no_descriptor_is_left)
{
	struct rlimit old, low;
	int fd, fds[3];

	if (!begin())
		return;
	CHECK_STR_EQ(ask("echo x\n"), "ok 1\nx");
	/* The connection of that is closed by the time that this one is served. */
	CHECK_STR_EQ(ask("echo x\n"), "ok 1\nx");
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	getrlimit(RLIMIT_NOFILE, &old);
	low = old;
	/* All numbers below the lowest free one are in use. */
	fd = dup(0);
	low.rlim_cur = fd;
	close(fd);
	setrlimit(RLIMIT_NOFILE, &low);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		char c;

		/* Closed, not left in the queue. */
		if (fds[i] < 0)
			abort();
		CHECK(!connect(fds[i], (struct sockaddr *)&addr, addr_len));
		CHECK_EQ(recv(fds[i], &c, 1, 0), 0);
	}
	setrlimit(RLIMIT_NOFILE, &old);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	fd = client();
	say(fd, "echo x\n", 7);
	CHECK_STR_EQ(hear(fd), "ok 1\nx");
	end();
}
