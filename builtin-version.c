// SPDX-License-Identifier: GPL-2.0-only
/* lkvm version: which program this is, what it was built with, and what the host adds. */
#include <stdio.h>

#include "builtin.h"
#include "machine.h"
#include "util/log.h"
#include "util/options.h"
#include "vm/features.h"

#define MAX_REPORT (64 * KiB)

struct version_options {
	bool features, json, help;
};

static int opt_features(void *opaque, const char *value)
{
	(void)value;
	((struct version_options *)opaque)->features = true;
	return 0;
}

static int opt_json(void *opaque, const char *value)
{
	(void)value;
	((struct version_options *)opaque)->json = true;
	return 0;
}

static int opt_help(void *opaque, const char *value)
{
	(void)value;
	((struct version_options *)opaque)->help = true;
	return 0;
}

static const struct option_def options[] = {
	{"features", 0, NULL, "what this build and this host can do, one fact a line",
	 opt_features},
	{"json", 0, NULL, "print it as JSON", opt_json},
	{"help", 'h', NULL, "print this", opt_help},
	{NULL, 0, NULL, NULL, NULL},
};

void builtin_version_usage(void)
{
	printf("usage: lkvm version [OPTIONS]\n\n");
	print_options(options);
}

static void build_features(struct report *r)
{
	report_str(r, "build.architecture", arch_name);
#ifdef __clang__
	report_str(r, "build.compiler", "clang " __clang_version__);
#else
	report_str(r, "build.compiler", "gcc " __VERSION__);
#endif
}

/* In the order in which they are printed. */
static feature_source *const sources[] = {
	build_features,	       virtio_features, machine_features, disk_kinds,
	virtio_iommu_features, host_features,	kvm_features,
};

int builtin_version(int argc, char **argv)
{
	struct version_options o = {0};
	const char *text;
	struct report *r;
	size_t len;

	if (parse_options("version", argc, argv, options, &o))
		return 1;
	if (o.help) {
		builtin_version_usage();
		return 0;
	}
	if (!o.features && !o.json) {
		printf("lkvm %s\n", LKVM_VERSION);
		return 0;
	}
	r = report_new(o.json, MAX_REPORT);
	if (!r) {
		pr_err("out of memory");
		return 1;
	}
	report_object_begin(r, NULL);
	report_str(r, "version", LKVM_VERSION);
	for (unsigned int i = 0; o.features && i < ARRAY_SIZE(sources); i++)
		sources[i](r);
	report_object_end(r);
	text = report_text(r, &len);
	if (text)
		fwrite(text, 1, len, stdout);
	else
		pr_err("out of memory");
	report_free(r);
	return text ? 0 : 1;
}
