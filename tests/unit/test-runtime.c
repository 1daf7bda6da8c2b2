// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names of guests and their locks. A lock belongs to a process, so each guest here is a child
 * that claims a name, says so, and waits to be let go or killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture.h"
#include "unit.h"
#include "vm/runtime.h"

static char top[128]; /* a fresh folder for each test */
static char dir[192]; /* in it: $LKVM_RUNTIME_DIR */

static bool begin(void)
{
	snprintf(top, sizeof(top), "/tmp/test-runtime-XXXXXX");
	if (!CHECK(mkdtemp(top)))
		return false;
	snprintf(dir, sizeof(dir), "%s/dir", top);
	return CHECK(!setenv("LKVM_RUNTIME_DIR", dir, 1));
}

static void end(void)
{
	char command[256];

	snprintf(command, sizeof(command), "rm -rf %s", top);
	CHECK(!system(command));
}

static bool exists(const char *file)
{
	char path[512];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	return !lstat(path, &st);
}

struct child {
	pid_t pid;
	int go; /* closing it lets the child release its name and end */
};

static void nothing(void)
{
}

/* What claim and listen returned. */
static int start_child(struct child *child, const char *name)
{
	int said[2], go[2], ret = 1;

	if (pipe2(said, O_CLOEXEC) || pipe2(go, O_CLOEXEC))
		abort();
	fflush(stdout);
	child->pid = fork();
	if (!child->pid) {
		char c;
		int fd;

		close(go[1]);
		ret = guest_claim(name, nothing);
		fd = ret ? -1 : guest_listen();
		if (!ret && fd < 0)
			ret = fd;
		if (write(said[1], &ret, sizeof(ret)) != sizeof(ret))
			_exit(2);
		if (read(go[0], &c, 1))
			_exit(3);
		guest_release();
		_exit(0);
	}
	close(said[1]);
	close(go[0]);
	child->go = go[1];
	if (read(said[0], &ret, sizeof(ret)) != sizeof(ret))
		ret = 1;
	close(said[0]);
	return ret;
}

static int wait_child(struct child *child)
{
	int status;

	close(child->go);
	if (waitpid(child->pid, &status, 0) != child->pid)
		return -1;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

TEST(names)
{
	static const char *const good[] = {"a", "A-1_b.c", "guest-1234", "0", "_"};
	static const char *const bad[] = {"",	 ".",	"..",  ".a",	   "-a",  "--json",
					  "a b", "a/b", "a\n", "\xc3\xa4", "a:b", "a*"};
	char name[GUEST_NAME_MAX + 2] = {0};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		CHECK(guest_name_valid(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK(!guest_name_valid(bad[i]));
	memset(name, 'x', GUEST_NAME_MAX);
	CHECK(guest_name_valid(name));
	name[GUEST_NAME_MAX] = 'x';
	CHECK(!guest_name_valid(name));
}

TEST(directory_is_made_for_the_user_alone)
{
	struct stat st;
	int fd;

	if (!begin())
		return;
	CHECK_EQ(runtime_dir_open(false), -ENOENT);
	umask(0);
	fd = runtime_dir_open(true);
	umask(022);
	CHECK(fd >= 0 && !fstat(fd, &st) && (st.st_mode & 07777) == 0700);
	close(fd);
	fd = runtime_dir_open(false);
	CHECK(fd >= 0);
	close(fd);
	end();
}

static void refused(int want, const char *part)
{
	for (int create = 0; create < 2; create++) {
		capture_begin();
		CHECK_EQ(runtime_dir_open(create), want);
		CHECK(capture_one_line(capture_end(), part));
	}
}

TEST(directories_that_are_refused)
{
	char elsewhere[256];
	int fd;

	if (!begin())
		return;
	CHECK(!mkdir(dir, 0700) && !chmod(dir, 0770));
	refused(-EPERM, "other users can write");
	CHECK(!chmod(dir, 0702));
	refused(-EPERM, "other users can write");
	CHECK(!chmod(dir, 0755));
	fd = runtime_dir_open(false);
	CHECK(fd >= 0);
	close(fd);

	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", top);
	CHECK(!rename(dir, elsewhere) && !symlink(elsewhere, dir));
	refused(-ENOTDIR, "cannot open");
	CHECK(!unlink(dir));
	fd = open(dir, O_CREAT | O_WRONLY, 0600);
	close(fd);
	refused(-ENOTDIR, "cannot open");
	end();
}

TEST(directory_of_another_user)
{
	if (geteuid())
		return;
	if (!begin())
		return;
	CHECK(!mkdir(dir, 0700) && !chown(dir, 65534, 65534));
	capture_begin();
	CHECK_EQ(runtime_dir_open(true), -EPERM);
	CHECK(capture_one_line(capture_end(), "another user"));
	/* But root may look into it. */
	CHECK(runtime_dir_open(false) >= 0);
	end();
}

TEST(xdg_runtime_dir_of_this_user_only)
{
	char path[256];

	if (!begin())
		return;
	CHECK(!unsetenv("LKVM_RUNTIME_DIR") && !setenv("XDG_RUNTIME_DIR", top, 1));
	snprintf(path, sizeof(path), "%s/lkvm", top);
	CHECK_STR_EQ(runtime_dir_path(), path);
	setenv("XDG_RUNTIME_DIR", "/nonexistent/dir", 1);
	CHECK(!strstr(runtime_dir_path(), "nonexistent"));
	if (!geteuid()) {
		CHECK(!chown(top, 65534, 65534));
		setenv("XDG_RUNTIME_DIR", top, 1);
		CHECK_STR_EQ(runtime_dir_path(), "/run/lkvm");
	}
	unsetenv("XDG_RUNTIME_DIR");
	end();
}

TEST(claim_and_release)
{
	struct child child;
	int fd;

	if (!begin())
		return;
	CHECK_EQ(start_child(&child, "one"), 0);
	CHECK(exists("one.lock") && exists("one.sock"));
	fd = runtime_dir_open(false);
	CHECK_EQ(guest_pid(fd, "one"), child.pid);
	CHECK_EQ(guest_pid(fd, "two"), 0);
	CHECK_EQ(wait_child(&child), 0);
	CHECK(!exists("one.lock") && !exists("one.sock"));
	CHECK_EQ(guest_pid(fd, "one"), 0);
	close(fd);
	end();
}

TEST(a_name_that_is_taken)
{
	struct child first, second;
	char text[64];

	if (!begin())
		return;
	CHECK_EQ(start_child(&first, "one"), 0);
	capture_begin();
	CHECK_EQ(start_child(&second, "one"), -EEXIST);
	snprintf(text, sizeof(text), "'one' runs already, as process %d", (int)first.pid);
	CHECK(capture_one_line(capture_end(), text));
	CHECK_EQ(wait_child(&second), 0);
	CHECK(exists("one.lock") && exists("one.sock"));
	CHECK_EQ(wait_child(&first), 0);
	end();
}

TEST(after_a_kill_the_name_is_free)
{
	struct child child;

	if (!begin())
		return;
	CHECK_EQ(start_child(&child, "one"), 0);
	kill(child.pid, SIGKILL);
	CHECK_EQ(wait_child(&child), 128 + SIGKILL);
	CHECK(exists("one.lock") && exists("one.sock"));
	CHECK_EQ(start_child(&child, "one"), 0);
	CHECK_EQ(wait_child(&child), 0);
	CHECK(!exists("one.lock") && !exists("one.sock"));
	end();
}

TEST(list_removes_what_the_dead_left)
{
	char(*names)[GUEST_NAME_MAX + 1];
	struct child b, a, dead;
	int fd;

	if (!begin())
		return;
	fd = runtime_dir_open(true);
	CHECK_EQ(guest_list(fd, &names), 0);
	CHECK(!names);
	CHECK_EQ(start_child(&b, "b"), 0);
	CHECK_EQ(start_child(&a, "a"), 0);
	CHECK_EQ(start_child(&dead, "dead"), 0);
	kill(dead.pid, SIGKILL);
	wait_child(&dead);
	/* Not of a guest: left alone. */
	close(openat(fd, "-x.lock", O_CREAT | O_WRONLY, 0600));
	close(openat(fd, "notes", O_CREAT | O_WRONLY, 0600));
	if (CHECK_EQ(guest_list(fd, &names), 2)) {
		CHECK_STR_EQ(names[0], "a");
		CHECK_STR_EQ(names[1], "b");
	}
	free(names);
	CHECK(!exists("dead.lock") && !exists("dead.sock"));
	CHECK(exists("-x.lock") && exists("notes"));
	wait_child(&a);
	wait_child(&b);
	close(fd);
	end();
}

TEST(signals_leave_nothing)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGABRT, SIGSEGV};
	struct child child;

	if (!begin())
		return;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		/* Sanitizers have handlers of their own for some. */
		if (signals[i] == SIGSEGV || signals[i] == SIGABRT)
			signal(signals[i], SIG_DFL);
		CHECK_EQ(start_child(&child, "one"), 0);
		kill(child.pid, signals[i]);
		CHECK_EQ(wait_child(&child), 128 + signals[i]);
		CHECK(!exists("one.lock") && !exists("one.sock"));
	}
	end();
}

TEST(an_ignored_signal_stays_ignored)
{
	struct child child;

	if (!begin())
		return;
	signal(SIGHUP, SIG_IGN);
	CHECK_EQ(start_child(&child, "one"), 0);
	signal(SIGHUP, SIG_DFL);
	kill(child.pid, SIGHUP);
	CHECK_EQ(wait_child(&child), 0);
	end();
}

/* All start at once, in a directory with the files of a guest that was killed. */
TEST(one_of_many_gets_the_name)
{
	enum {
		NR = 20,
		ROUNDS = 20
	};

	if (!begin())
		return;
	for (unsigned int round = 0; round < ROUNDS; round++) {
		int gate[2], said[2], hold[2], won = 0, lost = 0, rest = 0, ret;
		struct child dead;

		CHECK_EQ(start_child(&dead, "one"), 0);
		kill(dead.pid, SIGKILL);
		wait_child(&dead);
		if (pipe(gate) || pipe(said) || pipe(hold))
			abort();
		fflush(stdout);
		for (unsigned int i = 0; i < NR; i++) {
			if (!fork()) {
				char c;

				close(gate[1]);
				close(hold[1]);
				capture_begin();
				if (read(gate[0], &c, 1))
					_exit(2);
				/* Some only clean up meanwhile, as 'lkvm list' does. */
				if (i % 4 == 3) {
					int fd = runtime_dir_open(false);

					ret = guest_pid(fd, "one") < 0 ? 1 : -EEXIST;
				} else {
					ret = guest_claim("one", nothing);
				}
				if (write(said[1], &ret, sizeof(ret)) != sizeof(ret))
					_exit(3);
				if (read(hold[0], &c, 1))
					_exit(2);
				guest_release();
				_exit(0);
			}
		}
		close(gate[0]);
		close(gate[1]);
		for (unsigned int i = 0; i < NR; i++) {
			if (read(said[0], &ret, sizeof(ret)) != sizeof(ret))
				break;
			won += !ret;
			lost += ret == -EEXIST;
			rest += ret && ret != -EEXIST;
		}
		CHECK_EQ(won, 1);
		CHECK_EQ(lost, NR - 1);
		CHECK_EQ(rest, 0);
		close(hold[1]);
		close(hold[0]);
		close(said[0]);
		close(said[1]);
		while (waitpid(-1, NULL, 0) > 0)
			;
		CHECK(!exists("one.lock") && !exists("one.sock"));
	}
	end();
}

/* Who opened a file that its holder removes meanwhile must not take that for the name. */
TEST(never_two_at_a_time)
{
	enum {
		NR = 8,
		ROUNDS = 2000
	};
	struct shared {
		_Atomic unsigned int holders, claims, overlaps;
	} *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			 -1, 0);

	if (!begin())
		return;
	fflush(stdout);
	for (unsigned int i = 0; i < NR; i++) {
		if (fork())
			continue;
		capture_begin();
		for (unsigned int round = 0; round < ROUNDS; round++) {
			if (guest_claim("one", nothing))
				continue;
			shared->claims++;
			if (shared->holders++)
				shared->overlaps++;
			sched_yield();
			shared->holders--;
			guest_release();
		}
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
	CHECK(shared->claims > 0);
	CHECK_EQ(shared->overlaps, 0);
	CHECK(!exists("one.lock"));
	munmap(shared, sizeof(*shared));
	end();
}

TEST(a_path_longer_than_a_socket_address)
{
	struct child child;
	int fd, c;

	if (!begin())
		return;
	memset(dir + strlen(dir), 'd', sizeof(dir) - strlen(dir) - 1);
	dir[sizeof(dir) - 1] = '\0';
	setenv("LKVM_RUNTIME_DIR", dir, 1);
	CHECK_EQ(start_child(&child, "one"), 0);
	CHECK(exists("one.sock"));
	fd = runtime_dir_open(false);
	c = guest_connect(fd, "one", 1000);
	CHECK(c >= 0);
	close(c);
	CHECK_EQ(guest_connect(fd, "two", 1000), -ENOENT);
	close(fd);
	wait_child(&child);
	end();
}
