// SPDX-License-Identifier: GPL-2.0-only
/* Which kind of disk a name stands for. */
#include <string.h>

#include "disk/disk.h"
#include "disk/raw.h"

int disk_open(struct disk **out, const struct disk_config *config)
{
	if (!strncmp(config->path, RAM_DISK_PREFIX, strlen(RAM_DISK_PREFIX)))
		return ram_open(out, config);
	return raw_open(out, config);
}

void disk_kinds(struct report *r)
{
	report_bool(r, "disk.raw", true);
	report_bool(r, "disk.ram", true);
}

void disk_close(struct disk *disk)
{
	disk->ops->close(disk);
}
