// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backing files. An image comes from anywhere and may name any file of the host: without the
 * user's word only regular files of the image's own folder, and of folders in it, are opened.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "disk/raw.h"
#include "qcow2-internal.h"
#include "util/log.h"

/* What the user may write, or do, so that the backing file is known. */
static int not_allowed(const struct qcow2 *q, const char *name, const char *why)
{
	if (!q->overlay)
		pr_err("disk %s: its backing file '%s' %s; if it is to be used write "
		       "'-d %s,backing=FILE'",
		       q->name, name, why, q->name);
	else
		pr_err("disk %s: its backing file '%s' %s; move it there, or name another one by "
		       "'qemu-img rebase -u'",
		       q->name, name, why);
	return -EPERM;
}

/* The folder of @path, resolved and with a slash at its end. */
static int folder_of(const char *path, char *folder)
{
	char resolved[PATH_MAX];
	char *slash;

	if (!realpath(path, resolved))
		return -errno;
	slash = strrchr(resolved, '/');
	slash[1] = '\0';
	strcpy(folder, resolved);
	return 0;
}

/* Resolves the name that the image gives: a file of its own folder or below. */
static int resolve(const struct qcow2 *q, const char *name, char *path)
{
	char folder[PATH_MAX], joined[2 * PATH_MAX];
	struct stat st;
	int ret;

	ret = folder_of(q->name, folder);
	if (ret) {
		pr_err("disk %s: %s", q->name, strerror(-ret));
		return ret;
	}
	snprintf(joined, sizeof(joined), "%s%s", name[0] == '/' ? "" : folder, name);
	if (!realpath(joined, path)) {
		ret = -errno;
		pr_err("disk %s: its backing file '%s': %s", q->name, name, strerror(-ret));
		return ret;
	}
	if (strncmp(path, folder, strlen(folder)) != 0)
		return not_allowed(q, name, "is not in the folder of the image");
	if (stat(path, &st) || !S_ISREG(st.st_mode))
		return not_allowed(q, name, "is not a regular file");
	return 0;
}

/* A file that is its own backing file, however many files are between. */
static int check_chain(struct qcow2 *q, const char *path)
{
	unsigned int depth = 1;
	struct stat st;

	if (stat(path, &st))
		return 0;
	for (struct qcow2 *up = q; up; up = up->overlay, depth++) {
		if (raw_is_file(up->file, &st)) {
			pr_err("disk %s: its backing file %s is the image itself, or one that it "
			       "backs",
			       q->name, path);
			return -ELOOP;
		}
	}
	if (depth > QCOW2_MAX_CHAIN) {
		pr_err("disk %s: more than %u backing files are behind each other; "
		       "'qemu-img convert' makes one image of them",
		       q->name, QCOW2_MAX_CHAIN - 1);
		return -ELOOP;
	}
	return 0;
}

static int open_format(struct qcow2 *q, const struct disk_config *config, const char *format)
{
	if (!strcmp(format, "raw"))
		return raw_open_container(&q->backing, config);
	if (!strcmp(format, "qcow2"))
		return qcow2_open_chain(&q->backing, config, q);
	if (!*format)
		pr_err("disk %s: it does not say what format its backing file has; write that to "
		       "it "
		       "by 'qemu-img rebase -u -b FILE -F raw', or -F qcow2",
		       q->name);
	else
		pr_err("disk %s: the format of its backing file is '%s', lkvm knows raw and qcow2; "
		       "'qemu-img convert' makes one of the other",
		       q->name, format);
	return -EOPNOTSUPP;
}

int qcow2_open_backing(struct qcow2 *q, const struct qcow2_header *h,
		       const struct disk_config *config)
{
	struct disk_config *backing;
	int ret = 0;

	if (!h->backing[0]) {
		if (!config->backing[0])
			return 0;
		pr_err("disk %s: it has no backing file, leave out backing=", q->name);
		return -EINVAL;
	}
	backing = calloc(1, sizeof(*backing));
	if (!backing)
		return qcow2_no_memory(q);
	backing->read_only = true;
	backing->direct = config->direct;
	if (config->backing[0])
		strcpy(backing->path, config->backing);
	else
		ret = resolve(q, h->backing, backing->path);
	if (!ret)
		ret = check_chain(q, backing->path);
	if (!ret)
		ret = open_format(q, backing, h->backing_format);
	free(backing);
	return ret;
}
