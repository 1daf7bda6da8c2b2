// SPDX-License-Identifier: GPL-2.0-only
#include "initrd.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util/types.h"

const char *initrd_of(unsigned int which)
{
	static const u64 sizes[] = {1, 100 * KiB, 2 * MiB, 80 * MiB};
	static char path[64];
	static int fd;

	if (!path[0]) {
		fd = memfd_create("initrd", MFD_CLOEXEC);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	if (fd < 0 || ftruncate(fd, sizes[which % ARRAY_SIZE(sizes)]))
		exit(2);
	return path;
}
