// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs a command on a terminal of its own and drives it as a person would.
 *
 * usage: pty-run STEP... -- COMMAND...
 *   expect=TEXT   read what the command prints until TEXT comes
 *   send=TEXT     type TEXT; \xHH is a byte by its number
 *   paste=FILE    type what FILE holds, and read at the same time
 *   raw, cooked   the terminal has to be in this mode
 *   signal=N      send signal N to the command
 *   resize=RxC    give the terminal R rows and C columns
 *   hangup        close the terminal's other end
 *
 * Then reads on until the command ends. Everything read goes to stdout. The exit status is
 * the command's; 128 + N if signal N killed it, and then stderr says so; and 255 if a step fails,
 * if the modes of the terminal are not as they were before, if a process of the command is left, or
 * if nothing happens for a minute.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define FAILED	   255
#define SILENCE_MS 60000

static int master = -1;
static pid_t child;

/* What was read and not yet looked for. */
static char *seen;
static size_t seen_len;

static void __attribute__((format(printf, 1, 2), noreturn)) fail(const char *fmt, ...)
{
	va_list args;

	fflush(stdout);
	va_start(args, fmt);
	fprintf(stderr, "pty-run: ");
	vfprintf(stderr, fmt, args);
	fprintf(stderr, "\n");
	va_end(args);
	if (child > 0)
		kill(-child, SIGKILL);
	exit(FAILED);
}

/* Reads what there is. False at the end: no process has the terminal open any more. */
static bool read_some(void)
{
	char buf[4096];
	ssize_t n = read(master, buf, sizeof(buf));

	if (n < 0 && errno == EIO)
		return false;
	if (n < 0 && errno == EAGAIN)
		return true;
	if (n <= 0)
		fail("cannot read: %s", n ? strerror(errno) : "end of file");
	fwrite(buf, 1, n, stdout);
	seen = realloc(seen, seen_len + n);
	if (!seen)
		fail("out of memory");
	memcpy(seen + seen_len, buf, n);
	seen_len += n;
	return true;
}

/* Until one of @events is possible; reading takes place here. */
static short wait_for(short events)
{
	struct pollfd fd = {.fd = master, .events = events};
	int n = poll(&fd, 1, SILENCE_MS);

	if (n < 0)
		fail("poll: %s", strerror(errno));
	if (!n)
		fail("nothing happened for a minute");
	return fd.revents;
}

static void expect(const char *text)
{
	char *at;

	while (!(at = memmem(seen, seen_len, text, strlen(text)))) {
		wait_for(POLLIN);
		if (!read_some())
			fail("the command ended, and '%s' had not come", text);
	}
	at += strlen(text);
	seen_len -= at - seen;
	memmove(seen, at, seen_len);
}

static void type(const char *bytes, size_t len)
{
	while (len) {
		short events = wait_for(POLLIN | POLLOUT);
		ssize_t n;

		if (events & (POLLIN | POLLHUP) && !read_some())
			fail("the command ended before all was typed");
		if (!(events & POLLOUT))
			continue;
		n = write(master, bytes, len);
		if (n < 0 && errno != EAGAIN)
			fail("cannot type: %s", strerror(errno));
		if (n > 0) {
			bytes += n;
			len -= n;
		}
	}
}

static void send_text(const char *text)
{
	char *out = malloc(strlen(text) + 1);
	size_t len = 0;

	if (!out)
		fail("out of memory");
	while (*text) {
		unsigned int byte;

		if (sscanf(text, "\\x%2x", &byte) == 1) {
			out[len++] = byte;
			text += 4;
		} else {
			out[len++] = *text++;
		}
	}
	type(out, len);
	free(out);
}

static void paste(const char *path)
{
	static char buf[4 << 20];
	FILE *f = fopen(path, "r");
	size_t len;

	if (!f)
		fail("%s: %s", path, strerror(errno));
	len = fread(buf, 1, sizeof(buf), f);
	fclose(f);
	type(buf, len);
}

static void get_modes(struct termios *modes)
{
	memset(modes, 0, sizeof(*modes));
	if (tcgetattr(master, modes) < 0)
		fail("tcgetattr: %s", strerror(errno));
}

static void check_mode(bool raw)
{
	struct termios modes;

	get_modes(&modes);
	if (!(modes.c_lflag & (ICANON | ECHO | ISIG)) != raw)
		fail("the terminal is %s", raw ? "not raw" : "raw");
}

static void resize(const char *arg)
{
	struct winsize size = {0};

	if (sscanf(arg, "%hux%hu", &size.ws_row, &size.ws_col) != 2)
		fail("'%s' is no size", arg);
	if (ioctl(master, TIOCSWINSZ, &size) < 0)
		fail("cannot resize: %s", strerror(errno));
}

static void do_step(const char *step)
{
	const char *arg = strchr(step, '=');
	size_t len = arg ? (size_t)(arg++ - step) : strlen(step);

#define IS(name) (len == strlen(name) && !strncmp(step, name, len))
	if (IS("expect") && arg)
		expect(arg);
	else if (IS("send") && arg)
		send_text(arg);
	else if (IS("paste") && arg)
		paste(arg);
	else if (IS("raw"))
		check_mode(true);
	else if (IS("cooked"))
		check_mode(false);
	else if (IS("signal") && arg)
		kill(child, atoi(arg));
	else if (IS("resize") && arg)
		resize(arg);
	else if (IS("hangup")) {
		close(master);
		master = -1;
	} else
		fail("'%s' is no step", step);
#undef IS
}

/* Puts in *@before what the command finds. */
static void start(char **command, struct termios *before)
{
	static const int handled[] = {SIGINT, SIGQUIT, SIGHUP, SIGTERM};
	const char *name;
	int slave;

	master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (master < 0 || grantpt(master) || unlockpt(master))
		fail("cannot make a terminal: %s", strerror(errno));
	name = ptsname(master);
	/* Opened here: until somebody has it open, the master reads as hung up. */
	slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		fail("%s: %s", name, strerror(errno));
	get_modes(before);
	child = fork();
	if (child < 0)
		fail("fork: %s", strerror(errno));
	if (!child) {
		/* A shell's background has some of them ignored. */
		for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++)
			signal(handled[i], SIG_DFL);
		setsid();
		ioctl(slave, TIOCSCTTY, 0);
		dup2(slave, STDIN_FILENO);
		dup2(slave, STDOUT_FILENO);
		dup2(slave, STDERR_FILENO);
		execvp(command[0], command);
		_exit(127);
	}
	close(slave);
}

static int finish(const struct termios *before)
{
	struct termios after;
	int status;

	if (master >= 0) {
		do
			wait_for(POLLIN);
		while (read_some());
		get_modes(&after);
		if (memcmp(before, &after, sizeof(after)))
			fail("the terminal's modes are not as before");
	} else {
		alarm(SILENCE_MS / 1000);
	}
	if (waitpid(child, &status, 0) != child)
		fail("waitpid: %s", strerror(errno));
	if (!kill(-child, 0))
		fail("a process of the command is left");
	if (WIFSIGNALED(status)) {
		fprintf(stderr, "pty-run: killed by signal %d\n", WTERMSIG(status));
		return 128 + WTERMSIG(status);
	}
	return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	struct termios before;
	int nr = 1;

	while (nr < argc && strcmp(argv[nr], "--"))
		nr++;
	if (nr + 1 >= argc) {
		fprintf(stderr, "usage: pty-run STEP... -- COMMAND...\n");
		return FAILED;
	}
	start(argv + nr + 1, &before);
	for (int i = 1; i < nr; i++)
		do_step(argv[i]);
	return finish(&before);
}
