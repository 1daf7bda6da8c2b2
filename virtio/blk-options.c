// SPDX-License-Identifier: GPL-2.0-only
/* What people write after --disk. */
#include <errno.h>
#include <string.h>

#include "util/log.h"
#include "util/parse.h"
#include "virtio/blk.h"

static int parse_ro(void *opaque, const char *value)
{
	struct blk_config *config = opaque;

	return virtio_parse_flag(&config->options, "ro", value, &config->disk.read_only);
}

static int parse_direct(void *opaque, const char *value)
{
	struct blk_config *config = opaque;

	return virtio_parse_flag(&config->options, "direct", value, &config->disk.direct);
}

static int parse_format(void *opaque, const char *value)
{
	struct blk_config *config = opaque;

	if (value && !strcmp(value, "raw")) {
		config->disk.format = DISK_FORMAT_RAW;
	} else if (value && !strcmp(value, "qcow2")) {
		config->disk.format = DISK_FORMAT_QCOW2;
	} else {
		pr_err("%s: format=%s: it is raw or qcow2", config->options.what,
		       value ? value : "");
		return -EINVAL;
	}
	return 0;
}

static int parse_backing(void *opaque, const char *value)
{
	struct blk_config *config = opaque;

	if (!value || !*value || strlen(value) >= sizeof(config->disk.backing)) {
		pr_err("%s: backing= needs a file name of up to %zu bytes", config->options.what,
		       sizeof(config->disk.backing) - 1);
		return -EINVAL;
	}
	strcpy(config->disk.backing, value);
	return 0;
}

static int parse_queues(void *opaque, const char *value)
{
	struct blk_config *config = opaque;
	u64 n;

	if (virtio_parse_number(&config->options, "queues", value, 1, BLK_MAX_QUEUES, &n))
		return -EINVAL;
	config->queues = n;
	return 0;
}

static int parse_serial(void *opaque, const char *value)
{
	struct blk_config *config = opaque;
	const char *c;

	if (!value || !*value) {
		pr_err("%s: serial= needs a text of 1 to %d characters", config->options.what,
		       BLK_SERIAL_LEN);
		return -EINVAL;
	}
	for (c = value; *c; c++) {
		if (*c < ' ' || *c > '~') {
			pr_err("%s: serial: only printable ASCII characters are possible",
			       config->options.what);
			return -EINVAL;
		}
	}
	if (c - value > BLK_SERIAL_LEN) {
		pr_err("%s: serial=%s: longer than %d characters", config->options.what, value,
		       BLK_SERIAL_LEN);
		return -EINVAL;
	}
	strcpy(config->serial, value);
	return 0;
}

static const struct subopt blk_subopts[] = {
	{"ro", parse_ro, false},
	{"direct", parse_direct, false},
	{"format", parse_format, false},
	{"backing", parse_backing, false},
	{"queues", parse_queues, false},
	{"serial", parse_serial, false},
	VIRTIO_SUBOPTS,
	{NULL, NULL, false},
};

int blk_parse(const char *arg, struct blk_config *out)
{
	size_t len = strcspn(arg, ",");

	memset(out, 0, sizeof(*out));
	out->options.what = "--disk";
	out->queues = 1;
	if (!len) {
		pr_err("--disk '%s': a file name or ram:SIZE comes first", arg);
		return -EINVAL;
	}
	if (len >= sizeof(out->disk.path)) {
		pr_err("--disk: the file name is longer than %zu bytes",
		       sizeof(out->disk.path) - 1);
		return -ENAMETOOLONG;
	}
	memcpy(out->disk.path, arg, len);
	if (!arg[len])
		return 0;
	if (!arg[len + 1]) {
		pr_err("--disk '%s': nothing follows the comma, remove it", arg);
		return -EINVAL;
	}
	return parse_subopts(out->options.what, arg + len + 1, blk_subopts, out);
}

const char blk_usage[] =
	"disk: a raw file, a block device, ram:SIZE, or\n"
	"a qcow2 image; may be repeated; suboptions:\n"
	"  ro               the guest cannot write\n"
	"  direct           without the host's page cache\n"
	"  format=raw|qcow2 qcow2 if FILE ends in .qcow2, else raw\n"
	"  backing=FILE     of a qcow2 image, instead of what it says\n"
	"  queues=N         1 to 16, each with a thread (1)\n"
	"  serial=TEXT      what the guest sees, up to 20 bytes\n" VIRTIO_SUBOPTS_USAGE;
