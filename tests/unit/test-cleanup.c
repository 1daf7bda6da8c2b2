// SPDX-License-Identifier: GPL-2.0-only
/* Files that are removed at the end, whichever way it comes. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"
#include "util/cleanup.h"

static char dir[64];

static bool begin(void)
{
	strcpy(dir, "/tmp/lkvm-test-cleanup-XXXXXX");
	return CHECK(mkdtemp(dir));
}

static void end(void)
{
	/* Nothing is left. */
	CHECK_EQ(rmdir(dir), 0);
}

static const char *path_of(int nr)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%d", dir, nr);
	return path;
}

static void make_file(int nr)
{
	int fd = open(path_of(nr), O_WRONLY | O_CREAT | O_EXCL, 0600);

	if (CHECK(fd >= 0))
		close(fd);
}

static bool is_there(int nr)
{
	struct stat st;

	return !lstat(path_of(nr), &st);
}

TEST(removes_what_it_knows)
{
	int handles[3];

	if (!begin())
		return;
	for (int i = 0; i < 3; i++) {
		make_file(i);
		handles[i] = cleanup_add(path_of(i));
		CHECK(handles[i] >= 0);
	}
	cleanup_remove(handles[1]);
	CHECK(is_there(0) && !is_there(1) && is_there(2));
	/* What was used up is not removed once more. */
	make_file(1);
	cleanup_run();
	CHECK(!is_there(0) && is_there(1) && !is_there(2));
	cleanup_remove(handles[0]);
	cleanup_remove(handles[2]);
	cleanup_remove(-1);
	unlink(path_of(1));
	end();
}

TEST(leaves_what_others_made)
{
	char other[128];
	int file, link;

	if (!begin())
		return;
	make_file(0);
	file = cleanup_add(path_of(0));
	CHECK(!symlink("/dev/pts/1", path_of(1)));
	link = cleanup_add(path_of(1));
	CHECK(file >= 0 && link >= 0);
	make_file(2);
	snprintf(other, sizeof(other), "%s", path_of(2));
	CHECK(!rename(other, path_of(0)));
	/* It may get the inode of the one before. */
	unlink(path_of(1));
	CHECK(!symlink("/dev/pts/11", path_of(1)));
	cleanup_run();
	CHECK(is_there(0) && is_there(1));
	cleanup_remove(file);
	cleanup_remove(link);
	CHECK(is_there(0) && is_there(1));
	unlink(path_of(0));
	unlink(path_of(1));
	end();
}

TEST(says_what_it_cannot)
{
	int handles[CLEANUP_MAX];
	char path[PATH_MAX + 1];

	if (!begin())
		return;
	memset(path, 'x', PATH_MAX);
	path[PATH_MAX] = '\0';
	CHECK_EQ(cleanup_add(path), -ENAMETOOLONG);
	CHECK_EQ(cleanup_add(path_of(0)), -ENOENT);
	for (int i = 0; i < CLEANUP_MAX; i++) {
		make_file(i);
		handles[i] = cleanup_add(path_of(i));
		CHECK(handles[i] >= 0);
	}
	make_file(CLEANUP_MAX);
	CHECK_EQ(cleanup_add(path_of(CLEANUP_MAX)), -ENOSPC);
	cleanup_remove(handles[5]);
	handles[5] = cleanup_add(path_of(CLEANUP_MAX));
	CHECK(handles[5] >= 0);
	for (int i = 0; i < CLEANUP_MAX; i++)
		cleanup_remove(handles[i]);
	for (int i = 0; i <= CLEANUP_MAX; i++)
		CHECK(!is_there(i));
	end();
}
