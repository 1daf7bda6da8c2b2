// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

/* A pipe that nobody reads is an error, and a file that does not hold all of it goes again. */
static int write_file(const char *path, const void *data, size_t len)
{
	int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	int fd = open(path, flags, 0666), ret;
	struct stat st;

	if (fd < 0)
		return -errno;
	fcntl(fd, F_SETFL, 0);
	ret = write_all(fd, data, len);
	if (ret && !fstat(fd, &st) && S_ISREG(st.st_mode))
		unlink(path);
	if (close(fd) < 0 && !ret)
		ret = -errno;
	return ret;
}

/* Whether a file that the guest is made of would be overwritten. */
static bool is_same_file(const char *path, const char *other)
{
	struct stat a, b;

	return other && !stat(path, &a) && !stat(other, &b) && S_ISREG(a.st_mode) &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static bool is_in_use(const struct machine_config *config)
{
	const char *path = config->dump_dtb;
	bool used = is_same_file(path, config->kernel) || is_same_file(path, config->initrd);

	for (unsigned int i = 0; i < config->nr_disks; i++)
		used |= is_same_file(path, config->disks[i].disk.path);
	return used;
}

/* Without the seeds: who may read the file need not know the guest's random numbers. */
int fdt_dump(struct machine *m, const struct image_places *places)
{
	const char *path = m->config->dump_dtb;
	void *buf = malloc(FDT_MAX_SIZE);
	int ret;

	if (is_in_use(m->config)) {
		pr_err("--dump-dtb: '%s' is a file of the guest: it would be overwritten", path);
		free(buf);
		return -EINVAL;
	}
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
