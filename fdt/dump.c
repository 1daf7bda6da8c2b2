// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "util/log.h"

const char arch_dump_dtb_arg[] = "FILE";

static int write_all(int fd, const u8 *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= n;
	}
	return 0;
}

static int write_file(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666), ret;

	if (fd < 0)
		return -errno;
	ret = write_all(fd, data, len);
	if (close(fd) < 0 && !ret)
		ret = -errno;
	return ret;
}

/* Without the seeds: who may read the file need not know the guest's random numbers. */
int fdt_dump(struct machine *m, const struct image_places *places)
{
	const char *path = m->config->dump_dtb;
	void *buf = malloc(FDT_MAX_SIZE);
	int ret;

	if (!buf) {
		pr_err("out of memory");
		return -ENOMEM;
	}
	ret = fdt_describe(m, places, false, buf, FDT_MAX_SIZE);
	if (ret >= 0) {
		ret = write_file(path, buf, ret);
		if (ret)
			pr_err("--dump-dtb: cannot write '%s': %s", path, strerror(-ret));
	}
	free(buf);
	return ret;
}
