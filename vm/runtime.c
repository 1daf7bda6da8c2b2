// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "util/log.h"
#include "vm/runtime.h"

#define FILE_MAX (GUEST_NAME_MAX + sizeof(".sock"))

/* How often a lock that somebody has for cleaning up is asked for again, 1 ms apart. */
#define CLEANING_TRIES 2000

#define BACKLOG 128

/* Of this process's guest. Written while the signals that read it are blocked. */
static struct {
	int dir;
	_Atomic int lock; /* any thread may be the one that a signal ends the program in */
	char name[GUEST_NAME_MAX + 1];
	char lock_file[FILE_MAX], socket_file[FILE_MAX];
	void (*before_end)(void);
	sigset_t handled;
} own = {.dir = -1, .lock = -1};

bool guest_name_valid(const char *name)
{
	size_t len = strlen(name);

	return len && len <= GUEST_NAME_MAX && name[0] != '.' && name[0] != '-' &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") ==
		       len;
}

static void lock_file_name(char file[FILE_MAX], const char *name)
{
	snprintf(file, FILE_MAX, "%.*s.lock", GUEST_NAME_MAX, name);
}

static void socket_file_name(char file[FILE_MAX], const char *name)
{
	snprintf(file, FILE_MAX, "%.*s.sock", GUEST_NAME_MAX, name);
}

/* su and sudo may pass on the variable of another user. */
static bool is_own_directory(const char *path)
{
	struct stat st;

	return path && *path && !stat(path, &st) && S_ISDIR(st.st_mode) && st.st_uid == geteuid();
}

const char *runtime_dir_path(void)
{
	static char path[4096];
	const char *own_dir = getenv("LKVM_RUNTIME_DIR");
	const char *xdg = getenv("XDG_RUNTIME_DIR");

	if (own_dir && *own_dir)
		return own_dir;
	if (is_own_directory(xdg) && strlen(xdg) + sizeof("/lkvm") <= sizeof(path))
		snprintf(path, sizeof(path), "%s/lkvm", xdg);
	else if (!geteuid())
		snprintf(path, sizeof(path), "/run/lkvm");
	else
		snprintf(path, sizeof(path), "/tmp/lkvm-%u", geteuid());
	return path;
}

static int check_dir(int dir, const char *path, bool create)
{
	struct stat st;

	if (fstat(dir, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid() && (create || geteuid())) {
		pr_err("%s belongs to another user: remove it, or name another directory by "
		       "LKVM_RUNTIME_DIR",
		       path);
		return -EPERM;
	}
	if (st.st_mode & (S_IWGRP | S_IWOTH)) {
		pr_err("other users can write to %s: change that by 'chmod go-w', or name another "
		       "directory by LKVM_RUNTIME_DIR",
		       path);
		return -EPERM;
	}
	return 0;
}

int runtime_dir_open(bool create)
{
	const char *path = runtime_dir_path();
	int dir, ret;

	if (create && mkdir(path, 0700) < 0 && errno != EEXIST) {
		ret = -errno;
		pr_err("cannot make the directory %s for control sockets: %s; LKVM_RUNTIME_DIR "
		       "names another",
		       path, strerror(-ret));
		return ret;
	}
	dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0) {
		ret = -errno;
		if (create || ret != -ENOENT)
			pr_err("cannot open the directory %s of control sockets: %s", path,
			       strerror(-ret));
		return ret;
	}
	ret = check_dir(dir, path, create);
	if (ret) {
		close(dir);
		return ret;
	}
	return dir;
}

/* Whether @file in @dir is what @fd has open: not removed meanwhile, nor made anew. */
static bool still_there(int dir, const char *file, int fd)
{
	struct stat open_one, named;

	return !fstat(fd, &open_one) && !fstatat(dir, file, &named, AT_SYMLINK_NOFOLLOW) &&
	       open_one.st_dev == named.st_dev && open_one.st_ino == named.st_ino;
}

static int lock_bytes(int fd, off_t len)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = len};

	return fcntl(fd, F_SETLK, &lock) < 0 ? -errno : 0;
}

/* Who has byte 1: the guest's process, 0 if none. */
static pid_t holder(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1, .l_len = 1};

	if (fcntl(fd, F_GETLK, &lock) < 0)
		return -errno;
	return lock.l_type == F_UNLCK ? 0 : lock.l_pid;
}

static int open_lock(int dir, const char *file, int flags)
{
	int fd = openat(dir, file, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | flags, 0600);

	return fd < 0 ? -errno : fd;
}

/*
 * The guest's lock. A file that is removed between the open and the lock is no name for
 * others any more, so another try makes a new one. -EEXIST: @pid has it.
 */
static int take_lock(int dir, const char *file, pid_t *pid)
{
	static const struct timespec a_moment = {.tv_nsec = 1000000};
	int tries = CLEANING_TRIES;

	*pid = 0;
	for (;;) {
		int fd = open_lock(dir, file, O_CREAT);
		int ret;

		if (fd < 0)
			return fd;
		ret = lock_bytes(fd, 2);
		if (!ret && still_there(dir, file, fd))
			return fd;
		*pid = ret ? holder(fd) : 0;
		close(fd);
		if (*pid)
			return *pid < 0 ? *pid : -EEXIST;
		if (ret && ret != -EAGAIN && ret != -EACCES)
			return ret;
		if (!tries--)
			return -EBUSY;
		/* Somebody removes the files of the guest before this one. */
		if (ret)
			nanosleep(&a_moment, NULL);
	}
}

/* The files of a guest that is dead; unless another one has taken the name meanwhile. */
static void remove_stale(int dir, const char *name, int fd)
{
	char lock_file[FILE_MAX], socket_file[FILE_MAX];

	lock_file_name(lock_file, name);
	socket_file_name(socket_file, name);
	/* With byte 0 nobody else can get both. */
	if (lock_bytes(fd, 1) || holder(fd) || !still_there(dir, lock_file, fd))
		return;
	unlinkat(dir, socket_file, 0);
	unlinkat(dir, lock_file, 0);
}

pid_t guest_pid(int dir, const char *name)
{
	char file[FILE_MAX];
	pid_t pid;
	int fd;

	if (own.lock >= 0 && !strcmp(name, own.name))
		return getpid();
	lock_file_name(file, name);
	fd = open_lock(dir, file, 0);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return fd;
	pid = holder(fd);
	if (!pid)
		remove_stale(dir, name, fd);
	close(fd);
	return pid;
}

/* The path of @file that fits sun_path, however long that of the directory is. */
static void socket_address(struct sockaddr_un *addr, int dir, const char *file)
{
	*addr = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(addr->sun_path, sizeof(addr->sun_path), "/proc/self/fd/%d/%.*s", dir,
		 (int)FILE_MAX, file);
}

int guest_connect(int dir, const char *name, u64 ms)
{
	/* A limit of 0 would be none. */
	struct timeval limit = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 + 1};
	char file[FILE_MAX];
	struct sockaddr_un addr;
	int ret, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	socket_file_name(file, name);
	socket_address(&addr, dir, file);
	/* When others wait in the queue there is nothing to poll for: only connect() can wait. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ||
	    connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
		ret = errno == EAGAIN ? -ETIMEDOUT : -errno;
		close(fd);
		return ret;
	}
	return fd;
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The name in "NAME.lock"; false if it is something else. */
static bool parse_lock_file(const char *file, char name[GUEST_NAME_MAX + 1])
{
	const char *dot = strrchr(file, '.');

	if (!dot || strcmp(dot, ".lock") || dot - file > GUEST_NAME_MAX)
		return false;
	snprintf(name, GUEST_NAME_MAX + 1, "%.*s", (int)(dot - file), file);
	return guest_name_valid(name);
}

int guest_list(int dir, char (**names)[GUEST_NAME_MAX + 1])
{
	/* A description of its own: the position in the directory belongs to that. */
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int nr = 0, ret = 0;

	*names = NULL;
	if (!stream) {
		ret = -errno;
		if (fd >= 0)
			close(fd);
		return ret;
	}
	while (!ret && (entry = readdir(stream))) {
		char name[GUEST_NAME_MAX + 1];
		char(*more)[GUEST_NAME_MAX + 1];

		if (!parse_lock_file(entry->d_name, name) || guest_pid(dir, name) <= 0)
			continue;
		more = realloc(*names, (nr + 1) * sizeof(**names));
		if (more) {
			*names = more;
			memcpy(more[nr++], name, sizeof(name));
		} else {
			ret = -ENOMEM;
		}
	}
	closedir(stream);
	if (ret) {
		free(*names);
		*names = NULL;
		return ret;
	}
	if (nr)
		qsort(*names, nr, sizeof(**names), compare);
	return nr;
}

const char *guest_name(void)
{
	return own.lock >= 0 ? own.name : NULL;
}

void guest_release(void)
{
	sigset_t all, old;

	if (own.lock < 0)
		return;
	/* Twice would remove the files of who takes the name next; half of it leaves one. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	unlinkat(own.dir, own.socket_file, 0);
	unlinkat(own.dir, own.lock_file, 0);
	/* The name is free from here on. */
	close(own.lock);
	own.lock = -1;
	close(own.dir);
	own.dir = -1;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/*
 * Ends the program as the signal does by default, but leaves nothing behind. Every signal is
 * blocked here: one that is sent meanwhile comes to another thread, which waits for the end.
 */
static void end_by_signal(int sig)
{
	static atomic_flag ending = ATOMIC_FLAG_INIT;

	while (atomic_flag_test_and_set(&ending))
		pause();
	own.before_end();
	guest_release();
	signal(sig, SIG_DFL);
	raise(sig);
}

/* What a thread's own instruction leads to, which cannot wait. */
static const int fault_signals[] = {SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS};

/* With the real-time signals all others that end a program by default and can be handled. */
static const int ending_signals[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGUSR1,   SIGUSR2,
				     SIGPIPE, SIGALRM, SIGTERM, SIGSTKFLT, SIGXCPU,
				     SIGXFSZ, SIGPROF, SIGIO,	SIGVTALRM, SIGPWR};

static void handle_signal(int sig)
{
	struct sigaction action = {.sa_handler = end_by_signal}, old;

	sigfillset(&action.sa_mask);
	/* What was ignored at the start, as by nohup, stays so. */
	if (!sigaction(sig, NULL, &old) && old.sa_handler == SIG_DFL &&
	    !sigaction(sig, &action, NULL))
		sigaddset(&own.handled, sig);
}

static void handle_signals(void)
{
	sigemptyset(&own.handled);
	for (size_t i = 0; i < ARRAY_SIZE(fault_signals); i++)
		handle_signal(fault_signals[i]);
	for (size_t i = 0; i < ARRAY_SIZE(ending_signals); i++)
		handle_signal(ending_signals[i]);
	for (int sig = SIGRTMIN; sig <= SIGRTMAX; sig++)
		handle_signal(sig);
}

void guest_ending_signals(sigset_t *signals)
{
	*signals = own.handled;
	for (size_t i = 0; i < ARRAY_SIZE(fault_signals); i++)
		sigdelset(signals, fault_signals[i]);
}

static int claim(const char *name)
{
	char file[FILE_MAX];
	pid_t pid;
	int lock, dir = runtime_dir_open(true);

	if (dir < 0)
		return dir;
	lock_file_name(file, name);
	lock = take_lock(dir, file, &pid);
	if (lock < 0) {
		if (lock == -EEXIST)
			pr_err("a guest named '%s' runs already, as process %d: choose another "
			       "--name",
			       name, (int)pid);
		else
			pr_err("cannot lock %s/%s: %s", runtime_dir_path(), file, strerror(-lock));
		close(dir);
		return lock;
	}
	own.dir = dir;
	own.lock = lock;
	snprintf(own.name, sizeof(own.name), "%s", name);
	lock_file_name(own.lock_file, name);
	socket_file_name(own.socket_file, name);
	/* Of a guest that was killed. */
	unlinkat(dir, own.socket_file, 0);
	return 0;
}

int guest_claim(const char *name, void (*before_end)(void))
{
	sigset_t all, old;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = claim(name);
	if (!ret) {
		own.before_end = before_end;
		handle_signals();
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return ret;
}

int guest_listen(void)
{
	int ret, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un addr;

	if (fd < 0) {
		ret = -errno;
		pr_err("cannot make the control socket: %s", strerror(-ret));
		return ret;
	}
	socket_address(&addr, own.dir, own.socket_file);
	/* The file gets the mode of the socket, and is not there with another one. */
	if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(fd, BACKLOG) < 0) {
		ret = -errno;
		pr_err("cannot make the control socket %s/%s: %s", runtime_dir_path(),
		       own.socket_file, strerror(-ret));
		close(fd);
		return ret;
	}
	return fd;
}
