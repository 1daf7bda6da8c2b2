// SPDX-License-Identifier: GPL-2.0-only
/* lkvm stat and lkvm iommu: what a running guest's devices and IOMMU have done and hold. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "builtin.h"
#include "control-client.h"
#include "util/log.h"
#include "util/parse.h"

static const struct option_def stat_options[] = {
	CLIENT_OPTIONS,
	{NULL, 0, NULL, NULL, NULL},
};

void builtin_stat_usage(void)
{
	printf("usage: lkvm stat [NAME] [OPTIONS]\n\n"
	       "Prints counters of a running guest: exits of its vCPUs, memory, devices.\n"
	       "Without a NAME it is the only guest that runs.\n\n");
	print_options(stat_options);
}

int builtin_stat(int argc, char **argv)
{
	struct client_options o = {0};

	if (parse_options("stat", argc, argv, stat_options, &o))
		return 1;
	if (o.help) {
		builtin_stat_usage();
		return 0;
	}
	return guest_show(o.name, o.json ? "stat json" : "stat");
}

struct iommu_options {
	struct client_options client;
	bool mappings;
	const char *domain, *from;
};

static int opt_mappings(void *opaque, const char *value)
{
	(void)value;
	((struct iommu_options *)opaque)->mappings = true;
	return 0;
}

static int opt_domain(void *opaque, const char *value)
{
	u64 id;

	if (parse_u64(value, &id) || id > UINT32_MAX) {
		pr_err("--domain: '%s' is not the ID of a domain", value);
		return -EINVAL;
	}
	((struct iommu_options *)opaque)->domain = value;
	return 0;
}

static int opt_from(void *opaque, const char *value)
{
	u64 iova;

	if (parse_u64(value, &iova)) {
		pr_err("--from: '%s' is not an address", value);
		return -EINVAL;
	}
	((struct iommu_options *)opaque)->from = value;
	return 0;
}

static const struct option_def iommu_options[] = {
	{"mappings", 0, NULL, "list mappings, the first 4096", opt_mappings},
	{"domain", 0, "ID", "only this domain", opt_domain},
	{"from", 0, "IOVA", "mappings from this address on, to go on where 'next' says", opt_from},
	CLIENT_OPTIONS,
	{NULL, 0, NULL, NULL, NULL},
};

void builtin_iommu_usage(void)
{
	printf("usage: lkvm iommu [NAME] [OPTIONS]\n\n"
	       "Prints the endpoints, domains and mappings of a running guest's IOMMU.\n"
	       "Without a NAME it is the only guest that runs.\n\n");
	print_options(iommu_options);
}

int builtin_iommu(int argc, char **argv)
{
	struct iommu_options o = {0};
	char request[128];

	if (parse_options("iommu", argc, argv, iommu_options, &o))
		return 1;
	if (o.client.help) {
		builtin_iommu_usage();
		return 0;
	}
	if (o.from && !o.mappings) {
		pr_err("--from %s: only the list of mappings can begin there, add --mappings",
		       o.from);
		return 1;
	}
	snprintf(request, sizeof(request), "iommu%s%s%s%s%s%s", o.client.json ? " json" : "",
		 o.mappings ? " mappings" : "", o.domain ? " domain=" : "",
		 o.domain ? o.domain : "", o.from ? " from=" : "", o.from ? o.from : "");
	return guest_show(o.client.name, request);
}
