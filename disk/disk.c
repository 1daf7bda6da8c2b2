// SPDX-License-Identifier: GPL-2.0-only
/* Which kind of disk a name stands for. */
#include <errno.h>
#include <string.h>

#include "disk/disk.h"
#include "disk/qcow2.h"
#include "disk/raw.h"
#include "util/log.h"

#define QCOW2_ENDING ".qcow2"

static bool ends_in(const char *path, const char *ending)
{
	size_t len = strlen(path), part = strlen(ending);

	return len > part && !strcmp(path + len - part, ending);
}

/*
 * What a raw disk holds is the guest's, which may have written anything, also a qcow2 header that
 * names files of the host. So it is for the user to say what it is.
 */
static int check_raw(struct disk *disk, const char *path)
{
	u8 start[DISK_SECTOR_SIZE] = {0};
	struct iovec iov = {.iov_base = start, .iov_len = sizeof(start)};
	int ret = disk->ops->preadv(disk, &iov, 1, 0);

	if (ret || memcmp(start, QCOW2_MAGIC, 4) != 0)
		return 0;
	pr_err("disk %s: it begins as a qcow2 image does; write '-d %s,format=qcow2' if it is one, "
	       "or '-d %s,format=raw' if the guest is to see it as it is",
	       path, path, path);
	return -EINVAL;
}

int disk_open(struct disk **out, const struct disk_config *config)
{
	enum disk_format format = config->format;
	int ret;

	if (!strncmp(config->path, RAM_DISK_PREFIX, strlen(RAM_DISK_PREFIX))) {
		if (format == DISK_FORMAT_QCOW2 || config->backing[0]) {
			pr_err("disk %s: memory is neither qcow2, nor has it a backing file",
			       config->path);
			return -EINVAL;
		}
		return ram_open(out, config);
	}
	if (format == DISK_FORMAT_BY_NAME && ends_in(config->path, QCOW2_ENDING))
		format = DISK_FORMAT_QCOW2;
	if (format == DISK_FORMAT_QCOW2)
		return qcow2_open(out, config);
	if (config->backing[0]) {
		pr_err("disk %s: a raw disk has no backing file; if it is qcow2 write "
		       "'-d %s,format=qcow2,backing=%s'",
		       config->path, config->path, config->backing);
		return -EINVAL;
	}
	ret = raw_open(out, config);
	if (!ret && format == DISK_FORMAT_BY_NAME) {
		ret = check_raw(*out, config->path);
		if (ret)
			disk_close(*out);
	}
	return ret;
}

void disk_kinds(struct report *r)
{
	report_bool(r, "disk.raw", true);
	report_bool(r, "disk.qcow2", true);
	report_bool(r, "disk.ram", true);
}

void disk_close(struct disk *disk)
{
	disk->ops->close(disk);
}
