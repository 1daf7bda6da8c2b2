// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "unit.h"
#include "util/log.h"

static char output[8192];
static int capture_fd, saved_stderr;

static void capture(void)
{
	fflush(stdout);
	capture_fd = memfd_create("stderr", 0);
	saved_stderr = dup(STDERR_FILENO);
	if (capture_fd < 0 || saved_stderr < 0 || dup2(capture_fd, STDERR_FILENO) < 0) {
		perror("cannot catch stderr");
		exit(2);
	}
}

static const char *captured(void)
{
	ssize_t n = pread(capture_fd, output, sizeof(output) - 1, 0);

	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	close(capture_fd);
	output[n < 0 ? 0 : n] = '\0';
	return output;
}

TEST(prefixes)
{
	capture();
	pr_err("no %s, %d", "disk", 5);
	pr_warn("slow");
	pr_info("ready");
	CHECK_STR_EQ(captured(), "lkvm: error: no disk, 5\nlkvm: warning: slow\nlkvm: ready\n");
}

TEST(quiet)
{
	capture();
	log_set_quiet(true);
	pr_info("unheard");
	pr_warn("w");
	pr_err("e");
	log_set_quiet(false);
	pr_info("heard");
	CHECK_STR_EQ(captured(), "lkvm: warning: w\nlkvm: error: e\nlkvm: heard\n");
}

TEST(raw_tty)
{
	capture();
	log_set_raw_tty(true);
	pr_err("a");
	log_set_raw_tty(false);
	pr_err("b");
	CHECK_STR_EQ(captured(), "lkvm: error: a\r\nlkvm: error: b\n");
}

TEST(control_characters)
{
	capture();
	pr_err("file '%s'", "a\nlkvm: error: b\033[2J\x7f\tc \xc3\xa9");
	CHECK_STR_EQ(captured(), "lkvm: error: file 'a?lkvm: error: b?[2J??c \xc3\xa9'\n");
}

TEST(long_lines)
{
	static char text[6000];
	const char *line;
	size_t len;

	memset(text, 'x', 4500);
	capture();
	pr_err("%s", text);
	CHECK_EQ(strlen(captured()), strlen("lkvm: error: \n") + 4500);

	memset(text, 'x', sizeof(text) - 1);
	capture();
	pr_err("%s", text);
	line = captured();
	len = strlen(line);
	CHECK(len > 4500 && len < 5100);
	CHECK_STR_EQ(line + len - 5, "x...\n");
	CHECK_EQ(strcspn(line, "\n"), len - 1);
}

TEST(errno_is_kept)
{
	capture();
	errno = ENOTTY;
	pr_err("%m");
	CHECK_EQ(errno, ENOTTY);
	captured();

	/* Also when nobody listens. */
	capture();
	close(STDERR_FILENO);
	errno = EXDEV;
	pr_err("x");
	CHECK_EQ(errno, EXDEV);
	captured();
}
