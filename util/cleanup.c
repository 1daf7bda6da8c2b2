// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/types.h"

/* What tells a link from a later one at its path, which may have got its inode, too. */
#define TARGET_MAX 64

/* A copy of its own: a signal handler of another thread may read it at any time. */
static struct file {
	atomic_bool used; /* set last */
	char path[PATH_MAX];
	dev_t dev;
	ino_t ino;
	char target[TARGET_MAX]; /* of a link: the first bytes, zero behind them */
} files[CLEANUP_MAX];

void cleanup_hold(sigset_t *old)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, old);
}

void cleanup_unhold(const sigset_t *old)
{
	pthread_sigmask(SIG_SETMASK, old, NULL);
}

static void read_target(const char *path, char target[TARGET_MAX])
{
	ssize_t n;

	memset(target, 0, TARGET_MAX);
	n = readlink(path, target, TARGET_MAX);
	if (n < 0)
		memset(target, 0, TARGET_MAX);
}

int cleanup_add(const char *path)
{
	struct stat st;

	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	if (lstat(path, &st) < 0)
		return -errno;
	for (int i = 0; i < CLEANUP_MAX; i++) {
		struct file *file = &files[i];

		if (atomic_load(&file->used))
			continue;
		strcpy(file->path, path);
		file->dev = st.st_dev;
		file->ino = st.st_ino;
		read_target(path, file->target);
		atomic_store(&file->used, true);
		return i;
	}
	return -ENOSPC;
}

static void remove_file(const struct file *file)
{
	char target[TARGET_MAX];
	struct stat st;

	/* The path may be somebody else's by now. */
	if (lstat(file->path, &st) < 0 || st.st_dev != file->dev || st.st_ino != file->ino)
		return;
	read_target(file->path, target);
	if (!memcmp(target, file->target, TARGET_MAX))
		unlink(file->path);
}

void cleanup_remove(int handle)
{
	if (handle < 0)
		return;
	remove_file(&files[handle]);
	atomic_store(&files[handle].used, false);
}

void cleanup_run(void)
{
	for (int i = 0; i < CLEANUP_MAX; i++) {
		if (atomic_load(&files[i].used))
			remove_file(&files[i]);
	}
}
