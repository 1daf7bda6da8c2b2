// SPDX-License-Identifier: GPL-2.0-only
/* What people write after -d, and which kind of disk it is. */
#include <errno.h>
#include <string.h>

#include "disk/disk.h"
#include "disk/raw.h"
#include "util/log.h"
#include "util/parse.h"

static int parse_flag(const char *name, const char *value, bool *out)
{
	if (!value) {
		*out = true;
		return 0;
	}
	if (parse_bool(value, out)) {
		pr_err("-d: %s=%s: expected on or off, or '%s' alone", name, value, name);
		return -EINVAL;
	}
	return 0;
}

static int parse_ro(void *opaque, const char *value)
{
	struct blk_config *config = opaque;

	return parse_flag("ro", value, &config->read_only);
}

static int parse_direct(void *opaque, const char *value)
{
	struct blk_config *config = opaque;

	return parse_flag("direct", value, &config->direct);
}

static int parse_queues(void *opaque, const char *value)
{
	struct blk_config *config = opaque;
	u64 n;

	if (!value || parse_u64(value, &n) || n < 1 || n > BLK_MAX_QUEUES) {
		pr_err("-d: queues=%s: expected a number from 1 to %d", value ? value : "",
		       BLK_MAX_QUEUES);
		return -EINVAL;
	}
	config->queues = n;
	return 0;
}

static int parse_iommu(void *opaque, const char *value)
{
	struct blk_config *config = opaque;
	bool on;

	if (parse_bool(value, &on)) {
		pr_err("-d: iommu=%s: expected on or off", value ? value : "");
		return -EINVAL;
	}
	config->iommu = on ? BLK_IOMMU_ON : BLK_IOMMU_OFF;
	return 0;
}

static int parse_serial(void *opaque, const char *value)
{
	struct blk_config *config = opaque;
	const char *c;

	if (!value || !*value) {
		pr_err("-d: serial= needs a text of 1 to %d characters", BLK_SERIAL_LEN);
		return -EINVAL;
	}
	for (c = value; *c; c++) {
		if (*c < ' ' || *c > '~') {
			pr_err("-d: serial: only printable ASCII characters are possible");
			return -EINVAL;
		}
	}
	if (c - value > BLK_SERIAL_LEN) {
		pr_err("-d: serial=%s: longer than %d characters", value, BLK_SERIAL_LEN);
		return -EINVAL;
	}
	strcpy(config->serial, value);
	return 0;
}

static const struct subopt blk_subopts[] = {
	{"ro", parse_ro, false},
	{"direct", parse_direct, false},
	{"queues", parse_queues, false},
	{"iommu", parse_iommu, false},
	{"serial", parse_serial, false},
	{NULL, NULL, false},
};

int blk_parse(const char *arg, struct blk_config *out)
{
	size_t len = strcspn(arg, ",");

	memset(out, 0, sizeof(*out));
	out->queues = 1;
	if (!len) {
		pr_err("-d '%s': a file name or ram:SIZE comes first", arg);
		return -EINVAL;
	}
	if (len >= sizeof(out->path)) {
		pr_err("-d: the file name is longer than %zu bytes", sizeof(out->path) - 1);
		return -ENAMETOOLONG;
	}
	memcpy(out->path, arg, len);
	if (!arg[len])
		return 0;
	if (!arg[len + 1]) {
		pr_err("-d '%s': nothing follows the comma, remove it", arg);
		return -EINVAL;
	}
	return parse_subopts("-d", arg + len + 1, blk_subopts, out);
}

int disk_open(struct disk **out, const struct blk_config *config)
{
	if (!strncmp(config->path, RAM_DISK_PREFIX, strlen(RAM_DISK_PREFIX)))
		return ram_open(out, config);
	return raw_open(out, config);
}

void disk_close(struct disk *disk)
{
	disk->ops->close(disk);
}

const char blk_usage[] =
	"disk: a raw file, a block device, or ram:SIZE;\n"
	"may be repeated; suboptions:\n"
	"  ro               the guest cannot write\n"
	"  direct           without the host's page cache\n"
	"  queues=N         1 to 16, each with a thread (1)\n"
	"  serial=TEXT      what the guest sees, up to 20 bytes\n"
	"  iommu=on|off     behind the virtio-iommu (on if there is one)";
