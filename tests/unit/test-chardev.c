// SPDX-License-Identifier: GPL-2.0-only
/* The back ends of consoles: a pty, a socket, a file, nothing. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "capture.h"
#include "char/chardev.h"
#include "unit.h"

/* A wait that takes so long is for something that never comes. */
#define LOST_MS 30000

/* The device of the back end: it takes what there is room for. */
static struct {
	struct loop loop;
	struct loop_source stop_source;
	pthread_t thread;
	struct chardev *dev;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Guarded by lock. */
	size_t room;
	u8 got[1 << 20];
	size_t nr_got;
	bool there;
	unsigned int comings, goings;
} t;

static char dir[64], path[128];

static size_t receive(void *opaque, const u8 *data, size_t len)
{
	size_t n;

	(void)opaque;
	pthread_mutex_lock(&t.lock);
	n = min(len, t.room);
	n = min(n, sizeof(t.got) - t.nr_got);
	memcpy(t.got + t.nr_got, data, n);
	t.nr_got += n;
	t.room -= n;
	pthread_cond_broadcast(&t.changed);
	pthread_mutex_unlock(&t.lock);
	return n;
}

static void connected(void *opaque, bool on)
{
	(void)opaque;
	pthread_mutex_lock(&t.lock);
	CHECK(t.there != on);
	t.there = on;
	if (on)
		t.comings++;
	else
		t.goings++;
	pthread_cond_broadcast(&t.changed);
	pthread_mutex_unlock(&t.lock);
}

static const struct chardev_user user = {.receive = receive, .connected = connected};

/* Until @cond, which is looked at with the lock. */
#define AWAIT(cond)                                                                  \
	({                                                                           \
		struct timespec until_;                                              \
		int ret_ = 0;                                                        \
		clock_gettime(CLOCK_REALTIME, &until_);                              \
		until_.tv_sec += LOST_MS / 1000;                                     \
		pthread_mutex_lock(&t.lock);                                         \
		while (!(cond) && !ret_)                                             \
			ret_ = pthread_cond_timedwait(&t.changed, &t.lock, &until_); \
		pthread_mutex_unlock(&t.lock);                                       \
		CHECK(!ret_);                                                        \
	})

static bool is_there(void)
{
	bool there;

	pthread_mutex_lock(&t.lock);
	there = t.there;
	pthread_mutex_unlock(&t.lock);
	return there;
}

static void stop_ready(void *opaque)
{
	(void)opaque;
	loop_quit(&t.loop);
}

static void *loop_thread(void *opaque)
{
	(void)opaque;
	CHECK_EQ(loop_run(&t.loop), 0);
	return NULL;
}

static void set_room(size_t room)
{
	pthread_mutex_lock(&t.lock);
	t.room = room;
	pthread_mutex_unlock(&t.lock);
	chardev_resume(t.dev);
}

/* What is printed meanwhile is kept for @text. */
static int try_start(enum chardev_kind kind, const char *where, const char **text)
{
	struct chardev_config config = {.kind = kind};
	int ret;

	signal(SIGPIPE, SIG_IGN);
	memset(&t, 0, sizeof(t));
	pthread_mutex_init(&t.lock, NULL);
	pthread_cond_init(&t.changed, NULL);
	t.room = SIZE_MAX;
	strcpy(config.path, where);
	if (loop_init(&t.loop))
		exit(2);
	capture_begin();
	ret = chardev_open(&t.dev, "--x", &config, &t.loop);
	*text = capture_end();
	if (ret)
		loop_destroy(&t.loop);
	return ret;
}

static void run_loop(void)
{
	chardev_connect(t.dev, &user, &t);
	t.stop_source = (struct loop_source){
		.fd = eventfd(0, EFD_CLOEXEC),
		.ready = stop_ready,
	};
	if (loop_add(&t.loop, &t.stop_source) || pthread_create(&t.thread, NULL, loop_thread, NULL))
		exit(2);
}

static const char *start(enum chardev_kind kind, const char *where)
{
	const char *text;

	if (try_start(kind, where, &text)) {
		printf("# %s", text);
		exit(2);
	}
	run_loop();
	return text;
}

static void end(void)
{
	eventfd_write(t.stop_source.fd, 1);
	pthread_join(t.thread, NULL);
	close(t.stop_source.fd);
	chardev_close(t.dev);
	loop_destroy(&t.loop);
}

static const char *in_dir(const char *name)
{
	if (!dir[0]) {
		strcpy(dir, "/tmp/lkvm-chardev.XXXXXX");
		if (!mkdtemp(dir))
			exit(2);
	}
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void remove_dir(void)
{
	if (dir[0])
		rmdir(dir);
	dir[0] = '\0';
}

static bool exists(const char *where)
{
	struct stat st;

	return !lstat(where, &st);
}

static int client(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		abort();
	strcpy(addr.sun_path, path);
	CHECK_EQ(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

/* Whether exactly @text comes. */
static bool reads(int fd, const char *text)
{
	char buf[256] = "";
	size_t len = 0;

	while (len < strlen(text)) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		ssize_t n;

		if (poll(&p, 1, LOST_MS) <= 0)
			return false;
		n = read(fd, buf + len, strlen(text) - len);
		if (n <= 0)
			return false;
		len += n;
	}
	return CHECK_EQ(memcmp(buf, text, len), 0);
}

static bool at_end(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char c;

	return poll(&p, 1, LOST_MS) > 0 && read(fd, &c, 1) <= 0;
}

static void put(const char *text)
{
	chardev_put(t.dev, (const u8 *)text, strlen(text));
}

/* Writes until nothing more is taken; how much was. */
static size_t fill_up(void)
{
	static u8 block[8192];
	size_t total = 0, n;

	memset(block, 'x', sizeof(block));
	do {
		n = chardev_write(t.dev, block, sizeof(block));
		total += n;
	} while (n == sizeof(block));
	return total;
}

static u64 dropped(void)
{
	return atomic_load(&t.dev->dropped);
}

static void got(const char *text)
{
	AWAIT(t.nr_got >= strlen(text));
	pthread_mutex_lock(&t.lock);
	CHECK_EQ(t.nr_got, strlen(text));
	CHECK_EQ(memcmp(t.got, text, strlen(text)), 0);
	t.nr_got = 0;
	pthread_mutex_unlock(&t.lock);
}

TEST(null_takes_all)
{
	start(CHARDEV_NULL, "");
	AWAIT(t.there);
	CHECK_EQ(chardev_write(t.dev, (const u8 *)"abc", 3), 3);
	put("more");
	chardev_resume(t.dev);
	end();
}

TEST(file_is_appended_to)
{
	char buf[64] = "";
	int fd;

	in_dir("file");
	start(CHARDEV_FILE, path);
	AWAIT(t.there);
	put("one\n");
	end();
	start(CHARDEV_FILE, path);
	put("two\n");
	CHECK_EQ(dropped(), 0);
	end();
	fd = open(path, O_RDONLY);
	CHECK_EQ(read(fd, buf, sizeof(buf)), 8);
	CHECK_STR_EQ(buf, "one\ntwo\n");
	close(fd);
	unlink(path);
	remove_dir();
}

TEST(file_that_is_full_loses_and_says_so_once)
{
	struct rlimit old, limit;

	in_dir("full");
	signal(SIGXFSZ, SIG_IGN);
	start(CHARDEV_FILE, path);
	/* Enough for what is captured. */
	CHECK_EQ(truncate(path, 4092), 0);
	getrlimit(RLIMIT_FSIZE, &old);
	limit = old;
	limit.rlim_cur = 4096;
	setrlimit(RLIMIT_FSIZE, &limit);
	capture_begin();
	put("123456");
	CHECK(capture_one_line(capture_end(), "/full' is lost: File too large"));
	CHECK_EQ(dropped(), 2);
	capture_begin();
	put("789");
	CHECK_STR_EQ(capture_end(), "");
	CHECK_EQ(dropped(), 5);
	setrlimit(RLIMIT_FSIZE, &old);
	end();
	unlink(path);
	remove_dir();
}

TEST(file_mistakes)
{
	const char *text;

	in_dir("none/file");
	CHECK_EQ(try_start(CHARDEV_FILE, path, &text), -ENOENT);
	CHECK(capture_one_line(text, "--x: cannot write to '"));
	in_dir("fifo");
	CHECK_EQ(mkfifo(path, 0600), 0);
	CHECK_EQ(try_start(CHARDEV_FILE, path, &text), -ENXIO);
	CHECK(capture_one_line(text, "fifo"));
	unlink(path);
	CHECK_EQ(try_start(CHARDEV_FILE, "/dev/null", &text), -EINVAL);
	CHECK(capture_one_line(text, "'/dev/null' is not a regular file"));
	remove_dir();
}

TEST(socket_both_ways)
{
	int fd;

	in_dir("sock");
	start(CHARDEV_SOCKET, path);
	fd = client();
	AWAIT(t.there);
	CHECK_EQ(write(fd, "hello", 5), 5);
	got("hello");
	put("answer");
	CHECK(reads(fd, "answer"));
	close(fd);
	AWAIT(!t.there);
	CHECK_EQ(dropped(), 0);
	end();
	CHECK(!exists(path));
	remove_dir();
}

TEST(socket_client_comes_again)
{
	in_dir("sock");
	start(CHARDEV_SOCKET, path);
	put("nobody");
	CHECK_EQ(dropped(), 6);
	for (unsigned int i = 1; i <= 20; i++) {
		int fd = client();

		AWAIT(t.comings == i && t.there);
		CHECK_EQ(write(fd, "in", 2), 2);
		got("in");
		put("out");
		CHECK(reads(fd, "out"));
		close(fd);
		AWAIT(t.goings == i);
	}
	CHECK_EQ(dropped(), 6);
	end();
	remove_dir();
}

TEST(socket_one_client_at_a_time)
{
	int first, second;

	in_dir("sock");
	start(CHARDEV_SOCKET, path);
	first = client();
	AWAIT(t.comings == 1);
	second = client();
	CHECK_EQ(write(second, "second", 6), 6);
	CHECK_EQ(write(first, "first", 5), 5);
	got("first");
	close(first);
	got("second");
	CHECK_EQ(t.comings, 2);
	CHECK_EQ(t.goings, 1);
	put("answer");
	CHECK(reads(second, "answer"));
	close(second);
	end();
	remove_dir();
}

/* What a client sent before it left is taken at the device's pace, then it is gone. */
TEST(socket_client_leaves_before_all_is_taken)
{
	static u8 data[100000];
	int fd;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = i * 7 + i / 251;
	in_dir("sock");
	start(CHARDEV_SOCKET, path);
	set_room(0);
	fd = client();
	CHECK_EQ(write(fd, data, sizeof(data)), (ssize_t)sizeof(data));
	close(fd);
	for (size_t i = 1000; i < sizeof(data); i += 1000) {
		set_room(1000);
		AWAIT(t.nr_got == i);
		CHECK(is_there());
	}
	set_room(SIZE_MAX);
	AWAIT(!t.there);
	CHECK_EQ(t.nr_got, sizeof(data));
	CHECK_EQ(memcmp(t.got, data, sizeof(data)), 0);
	end();
	remove_dir();
}

TEST(socket_client_that_has_said_all_still_reads)
{
	int fd;

	in_dir("sock");
	start(CHARDEV_SOCKET, path);
	fd = client();
	CHECK_EQ(write(fd, "question", 8), 8);
	shutdown(fd, SHUT_WR);
	got("question");
	put("answer");
	CHECK(reads(fd, "answer"));
	CHECK(is_there());
	close(fd);
	AWAIT(!t.there);
	end();
	remove_dir();
}

/* A client that does not read: so much is kept, then a channel waits and a console drops. */
TEST(socket_slow_reader)
{
	size_t taken, got_back = 0;
	struct pollfd room;
	u64 lost;
	int fd;

	in_dir("sock");
	start(CHARDEV_SOCKET, path);
	fd = client();
	AWAIT(t.there);
	taken = fill_up();
	CHECK(taken >= 64 * 1024);
	CHECK_EQ(chardev_write(t.dev, (const u8 *)"z", 1), 0);
	CHECK_EQ(dropped(), 0);
	put("console");
	CHECK_EQ(dropped(), 7);

	CHECK_EQ(chardev_write(t.dev, (const u8 *)"z", 1), 0);
	chardev_poll_room(t.dev, &room);
	CHECK_EQ(poll(&room, 1, 0), 0);
	while (got_back < taken) {
		char buf[4096];
		ssize_t n = read(fd, buf, sizeof(buf));

		if (!CHECK(n > 0))
			break;
		CHECK(!memchr(buf, 'z', n));
		got_back += n;
	}
	CHECK_EQ(poll(&room, 1, LOST_MS), 1);
	put("!");
	CHECK(reads(fd, "!"));

	/* It leaves with output on the way: that is lost, and whoever waits for room goes on. */
	fill_up();
	lost = dropped();
	chardev_poll_room(t.dev, &room);
	close(fd);
	CHECK_EQ(poll(&room, 1, LOST_MS), 1);
	AWAIT(!t.there);
	CHECK(dropped() > lost);
	CHECK_EQ(chardev_write(t.dev, (const u8 *)"z", 1), 1);
	end();
	remove_dir();
}

TEST(socket_output_is_flushed_at_the_end)
{
	int fd;

	in_dir("sock");
	start(CHARDEV_SOCKET, path);
	fd = client();
	AWAIT(t.there);
	put("last words");
	end();
	CHECK(reads(fd, "last words"));
	CHECK(at_end(fd));
	close(fd);
	remove_dir();
}

TEST(socket_path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	char long_path[200];
	const char *text;
	int fd;

	/* A stale one is replaced. */
	in_dir("sock");
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0)
		abort();
	CHECK_EQ(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	close(fd);
	CHECK(exists(path));
	start(CHARDEV_SOCKET, path);
	close(client());
	AWAIT(t.comings == 1);

	/* At the end another one's file stays. */
	unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0)
		abort();
	CHECK_EQ(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	end();
	CHECK(exists(path));

	/* A live one is refused, also when many wait there. */
	CHECK_EQ(listen(fd, 0), 0);
	CHECK_EQ(try_start(CHARDEV_SOCKET, path, &text), -EADDRINUSE);
	CHECK(capture_one_line(text, "somebody listens at '"));
	CHECK_EQ(try_start(CHARDEV_SOCKET, path, &text), -EADDRINUSE);
	CHECK(exists(path));
	close(fd);
	unlink(path);

	/* What is no socket is refused, and left. */
	in_dir("plain");
	close(open(path, O_CREAT | O_WRONLY, 0600));
	CHECK_EQ(try_start(CHARDEV_SOCKET, path, &text), -EEXIST);
	CHECK(capture_one_line(text, "exists and is no socket"));
	CHECK(exists(path));
	unlink(path);

	in_dir("none/sock");
	CHECK_EQ(try_start(CHARDEV_SOCKET, path, &text), -ENOENT);
	CHECK(capture_one_line(text, "cannot make the socket '"));
	memset(long_path, 'x', sizeof(long_path));
	long_path[sizeof(long_path) - 1] = '\0';
	CHECK_EQ(try_start(CHARDEV_SOCKET, long_path, &text), -ENAMETOOLONG);
	CHECK(capture_one_line(text, "too long for a socket, 107 bytes are possible"));
	remove_dir();
}

static int open_pty(const char *name)
{
	int fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);

	CHECK(fd >= 0);
	return fd;
}

TEST(pty_comes_and_goes)
{
	char name[64];
	const char *text;

	CHECK_EQ(try_start(CHARDEV_PTY, "", &text), 0);
	if (!CHECK(sscanf(text, "lkvm: --x: %63s", name) == 1))
		return;
	run_loop();
	AWAIT(t.there);
	for (unsigned int i = 0; i < 5; i++) {
		u64 before = dropped();
		int fd;

		put("nobody is there");
		CHECK_EQ(dropped(), before + 15);
		fd = open_pty(name);
		put("hello");
		CHECK(reads(fd, "hello"));
		/* Raw: no echo, no newline is made another, no key is a signal. */
		CHECK_EQ(write(fd, "\x03\r\n", 3), 3);
		got("\x03\r\n");
		put("\n");
		CHECK(reads(fd, "\n"));
		close(fd);
	}
	CHECK_EQ(t.comings, 1);
	CHECK_EQ(t.goings, 0);
	end();
	CHECK(!exists(name));
}

TEST(pty_input_waits_for_the_device)
{
	char name[64];
	const char *text;
	int fd;

	CHECK_EQ(try_start(CHARDEV_PTY, "", &text), 0);
	sscanf(text, "lkvm: --x: %63s", name);
	t.room = 0;
	run_loop();
	fd = open_pty(name);
	CHECK_EQ(write(fd, "abcdef", 6), 6);
	set_room(2);
	AWAIT(t.nr_got == 2);
	set_room(1);
	AWAIT(t.nr_got == 3);
	set_room(100);
	got("abcdef");
	close(fd);
	end();
}

TEST(pty_slow_reader)
{
	char name[64];
	const char *text;
	struct pollfd room;
	size_t taken;
	int fd;

	CHECK_EQ(try_start(CHARDEV_PTY, "", &text), 0);
	sscanf(text, "lkvm: --x: %63s", name);
	run_loop();
	fd = open_pty(name);
	taken = fill_up();
	CHECK(taken >= 64 * 1024 && taken < MiB);
	CHECK_EQ(dropped(), 0);
	chardev_poll_room(t.dev, &room);
	CHECK_EQ(poll(&room, 1, 0), 0);
	for (size_t back = 0; back < taken;) {
		char buf[4096];
		ssize_t n = read(fd, buf, sizeof(buf));

		if (!CHECK(n > 0))
			break;
		back += n;
	}
	CHECK_EQ(poll(&room, 1, LOST_MS), 1);
	put("!");
	CHECK(reads(fd, "!"));
	fill_up();
	close(fd);
	/* Nobody is there any more: nothing is kept for who comes next, and nobody waits. */
	CHECK_EQ(chardev_write(t.dev, (const u8 *)"z", 1), 1);
	CHECK(dropped() > 64 * 1024);
	end();
}

TEST(pty_link)
{
	char name[64], target[64] = "";
	const char *text;

	in_dir("link");
	CHECK_EQ(symlink("/dev/pts/none", path), 0);
	CHECK_EQ(try_start(CHARDEV_PTY, path, &text), 0);
	CHECK_EQ(sscanf(text, "lkvm: --x: %63[^,], linked", name), 1);
	CHECK(readlink(path, target, sizeof(target) - 1) > 0);
	CHECK_STR_EQ(target, name);
	chardev_close(t.dev);
	loop_destroy(&t.loop);
	CHECK(!exists(path));

	/* At the end another one's link stays. */
	CHECK_EQ(try_start(CHARDEV_PTY, path, &text), 0);
	unlink(path);
	CHECK_EQ(symlink("elsewhere", path), 0);
	chardev_close(t.dev);
	loop_destroy(&t.loop);
	CHECK(exists(path));
	unlink(path);

	close(open(path, O_CREAT | O_WRONLY, 0600));
	CHECK_EQ(try_start(CHARDEV_PTY, path, &text), -EEXIST);
	CHECK(capture_one_line(text, "exists and is no symbolic link"));
	CHECK(exists(path));
	unlink(path);
	in_dir("none/link");
	CHECK_EQ(try_start(CHARDEV_PTY, path, &text), -ENOENT);
	CHECK(capture_one_line(text, "cannot make the link '"));
	remove_dir();
}

TEST(options)
{
	static const struct {
		const char *arg;
		enum chardev_kind kind;
		const char *path;
	} good[] = {
		{"tty", CHARDEV_TERMINAL, ""},
		{"stdio", CHARDEV_TERMINAL, ""},
		{"pty", CHARDEV_PTY, ""},
		{"pty=/run/p", CHARDEV_PTY, "/run/p"},
		{"file=a=b", CHARDEV_FILE, "a=b"},
		{"socket=s", CHARDEV_SOCKET, "s"},
		{"null", CHARDEV_NULL, ""},
		{"pty,port=x", CHARDEV_PTY, ""},
		{"file=f,port=x", CHARDEV_FILE, "f"},
	};
	static const struct {
		const char *arg, *text;
	} bad[] = {
		{"", "expected tty, pty"},	  {"tyt", "did you mean 'tty'?"},
		{"file", "file= needs a path"},	  {"socket=", "socket= needs a path"},
		{"pty=", "pty= needs a path"},	  {"tty=x", "tty takes no value"},
		{"null=", "null takes no value"}, {"/some/path", "expected tty, pty"},
	};
	struct chardev_config c;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		CHECK_EQ(chardev_parse("--x", good[i].arg, strcspn(good[i].arg, ","), &c), 0);
		CHECK_EQ(c.kind, good[i].kind);
		CHECK_STR_EQ(c.path, good[i].path);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		capture_begin();
		CHECK_EQ(chardev_parse("--x", bad[i].arg, strlen(bad[i].arg), &c), -EINVAL);
		CHECK(capture_one_line(capture_end(), bad[i].text));
	}
}
