// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture.h"

static int saved_stderr, capture_fd;

void capture_begin(void)
{
	capture_fd = memfd_create("stderr", MFD_CLOEXEC);
	saved_stderr = dup(STDERR_FILENO);
	if (capture_fd < 0 || saved_stderr < 0 || dup2(capture_fd, STDERR_FILENO) < 0)
		abort();
}

const char *capture_end(void)
{
	static char text[4096];
	ssize_t n;

	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	n = pread(capture_fd, text, sizeof(text) - 1, 0);
	close(capture_fd);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

bool capture_one_line(const char *text, const char *part)
{
	const char *end = strchr(text, '\n');
	bool ok = end && !end[1] && strstr(text, part);

	if (!ok)
		printf("# wanted one line with '%s', got: %s\n", part, text);
	return ok;
}
