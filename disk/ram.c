// SPDX-License-Identifier: GPL-2.0-only
/* Disks in memory: a raw disk whose file has no name. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "disk/raw.h"
#include "util/log.h"
#include "util/parse.h"

int ram_open(struct disk **out, const struct disk_config *config)
{
	const char *text = config->path + strlen(RAM_DISK_PREFIX);
	u64 size;
	int fd, ret;

	ret = parse_size(text, &size);
	if (ret == -EINVAL) {
		pr_err("disk %s: '%s' is not a size, write for example ram:512M", config->path,
		       text);
		return ret;
	}
	if (!ret && (!size || size % DISK_SECTOR_SIZE)) {
		pr_err("disk %s: the size is not a multiple of %u bytes", config->path,
		       DISK_SECTOR_SIZE);
		return -EINVAL;
	}
	if (ret || size > LONG_MAX) {
		pr_err("disk %s: the size is too big", config->path);
		return -ERANGE;
	}
	if (config->direct) {
		pr_err("disk %s: 'direct' is for files, it means nothing for memory", config->path);
		return -EINVAL;
	}

	fd = memfd_create("lkvm-disk", MFD_CLOEXEC);
	if (fd < 0) {
		ret = -errno;
		pr_err("disk %s: memfd_create: %s", config->path, strerror(-ret));
		return ret;
	}
	if (ftruncate(fd, size)) {
		ret = -errno;
		pr_err("disk %s: the host cannot make a file of this size in memory: %s",
		       config->path, strerror(-ret));
		close(fd);
		return ret;
	}
	return raw_open_fd(out, fd, config->path, config->read_only);
}
