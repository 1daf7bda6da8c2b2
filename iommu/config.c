// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "iommu/config.h"
#include "util/log.h"
#include "util/parse.h"

#define DEFAULT_GRANULE	     (4 * KiB)
#define MAX_GRANULE	     (1 * GiB)
#define DEFAULT_MAX_MAPPINGS (1U << 20)
#define MAX_POLL_US	     1000000

struct parser {
	struct iommu_config *config;
	u64 granule;
	u64 input_bits;
	u64 domain_bits;
	unsigned int nr_machine; /* regions that the machine has */
};

static int no_value(const char *key, const char *expected)
{
	pr_err("--iommu: '%s' needs a value: %s=%s", key, key, expected);
	return -EINVAL;
}

static int parse_number(const char *key, const char *value, u64 lo, u64 hi, u64 *out)
{
	if (!value)
		return no_value(key, "N");
	if (parse_u64(value, out) || *out < lo || *out > hi) {
		pr_err("--iommu: %s=%s is not a number from %llu to %llu", key, value,
		       (unsigned long long)lo, (unsigned long long)hi);
		return -EINVAL;
	}
	return 0;
}

static int parse_bypass(void *opaque, const char *value)
{
	struct parser *p = opaque;

	if (!value)
		return no_value("bypass", "on|off");
	if (parse_bool(value, &p->config->bypass)) {
		pr_err("--iommu: bypass=%s is neither 'on' nor 'off'", value);
		return -EINVAL;
	}
	return 0;
}

static int parse_tables(void *opaque, const char *value)
{
	struct parser *p = opaque;

	if (!value)
		return no_value("tables", IOMMU_FORMATS);
	if (iommu_format_by_name(value, &p->config->format)) {
		pr_err("--iommu: tables=%s is none of " IOMMU_FORMATS, value);
		return -EINVAL;
	}
	return 0;
}

static int parse_map(void *opaque, const char *value)
{
	struct parser *p = opaque;
	bool on;

	if (!value)
		return no_value("map", "on|off");
	if (parse_bool(value, &on)) {
		pr_err("--iommu: map=%s is neither 'on' nor 'off'", value);
		return -EINVAL;
	}
	p->config->no_map = !on;
	return 0;
}

static int parse_granule(void *opaque, const char *value)
{
	struct parser *p = opaque;

	if (!value)
		return no_value("granule", "SIZE");
	if (parse_size(value, &p->granule) || !is_power_of_two(p->granule) ||
	    p->granule < DEFAULT_GRANULE || p->granule > MAX_GRANULE) {
		pr_err("--iommu: granule=%s is not a power of two from 4K to 1G", value);
		return -EINVAL;
	}
	return 0;
}

static int parse_input_bits(void *opaque, const char *value)
{
	struct parser *p = opaque;

	return parse_number("input-bits", value, 12, 64, &p->input_bits);
}

static int parse_domain_bits(void *opaque, const char *value)
{
	struct parser *p = opaque;

	return parse_number("domain-bits", value, 1, 32, &p->domain_bits);
}

static int parse_max_mappings(void *opaque, const char *value)
{
	struct parser *p = opaque;

	return parse_number("max-mappings", value, 1, UINT32_MAX, &p->config->max_mappings);
}

static int parse_poll(void *opaque, const char *value)
{
	struct parser *p = opaque;

	return parse_number("poll", value, 0, MAX_POLL_US, &p->config->poll_us);
}

static int parse_msi(void *opaque, const char *value)
{
	struct parser *p = opaque;

	if (!value)
		return no_value("msi", "direct|mapped");
	if (strcmp(value, "direct") && strcmp(value, "mapped")) {
		pr_err("--iommu: msi=%s is neither 'direct' nor 'mapped'", value);
		return -EINVAL;
	}
	p->config->msi_mapped = !strcmp(value, "mapped");
	return 0;
}

static int check_overlap(const struct iommu_resv *resv, const struct iommu_resv *other)
{
	if (resv->start > other->last || resv->last < other->start)
		return 0;
	pr_err("--iommu: resv=0x%llx-0x%llx overlaps the %s region 0x%llx-0x%llx",
	       (unsigned long long)resv->start, (unsigned long long)resv->last,
	       other->type == IOMMU_RESV_MSI ? "MSI" : "reserved", (unsigned long long)other->start,
	       (unsigned long long)other->last);
	return -EINVAL;
}

static int parse_resv(void *opaque, const char *value)
{
	struct parser *p = opaque;
	struct iommu_config *config = p->config;
	struct iommu_resv resv = {.type = IOMMU_RESV_RESERVED};

	if (!value)
		return no_value("resv", "START-END");
	if (parse_range(value, &resv.start, &resv.last)) {
		pr_err("--iommu: resv=%s is not START-END with START <= END", value);
		return -EINVAL;
	}
	if (config->nr_resv + p->nr_machine == IOMMU_MAX_RESV) {
		pr_err("--iommu: resv=%s is one region too many, %u with the machine's own "
		       "are possible",
		       value, IOMMU_MAX_RESV);
		return -EINVAL;
	}
	for (unsigned int i = 0; i < config->nr_resv; i++) {
		if (check_overlap(&resv, &config->resv[i]))
			return -EINVAL;
	}
	config->resv[config->nr_resv++] = resv;
	return 0;
}

static const struct subopt subopts[] = {
	{"bypass", parse_bypass, false},
	{"granule", parse_granule, false},
	{"input-bits", parse_input_bits, false},
	{"domain-bits", parse_domain_bits, false},
	{"max-mappings", parse_max_mappings, false},
	{"msi", parse_msi, false},
	{"resv", parse_resv, true},
	{"poll", parse_poll, false},
	{"tables", parse_tables, false},
	{"map", parse_map, false},
	{NULL, NULL, false},
};

static int by_start(const void *a, const void *b)
{
	const struct iommu_resv *x = a, *y = b;

	return x->start < y->start ? -1 : 1;
}

/* What each choice allows, but not all of them together; of regions, the user's. */
static int check(const struct parser *p)
{
	const struct iommu_config *config = p->config;

	if (p->granule - 1 > config->input_last) {
		pr_err("--iommu: a granule of 0x%llx does not fit input-bits=%llu",
		       (unsigned long long)p->granule, (unsigned long long)p->input_bits);
		return -EINVAL;
	}
	for (unsigned int i = 0; i < config->nr_resv; i++) {
		const struct iommu_resv *resv = &config->resv[i];

		if (resv->last > config->input_last) {
			pr_err("--iommu: resv=0x%llx-0x%llx lies outside input-bits=%llu",
			       (unsigned long long)resv->start, (unsigned long long)resv->last,
			       (unsigned long long)p->input_bits);
			return -EINVAL;
		}
	}
	return 0;
}

/* Beside the user's, which are there. Messages that are translated have no region. */
static int add_machine_regions(struct iommu_config *config, const struct iommu_resv *resv,
			       unsigned int nr)
{
	unsigned int nr_user = config->nr_resv;

	for (unsigned int i = 0; i < nr; i++) {
		if (config->msi_mapped && resv[i].type == IOMMU_RESV_MSI)
			continue;
		for (unsigned int n = 0; n < nr_user; n++) {
			if (check_overlap(&config->resv[n], &resv[i]))
				return -EINVAL;
		}
		config->resv[config->nr_resv++] = resv[i];
	}
	return 0;
}

int iommu_parse(const char *arg, const struct iommu_format *native, const struct iommu_resv *resv,
		unsigned int nr_resv, const struct subopt_set *device, struct iommu_config *config)
{
	struct parser p = {
		.config = config,
		.granule = DEFAULT_GRANULE,
		.input_bits = 64,
		.domain_bits = 32,
		.nr_machine = nr_resv,
	};
	const struct subopt_set sets[] = {{subopts, &p}, *device};
	size_t len = strcspn(arg, ",");
	int ret;

	if (len != strlen("virtio") || strncmp(arg, "virtio", len)) {
		pr_err("--iommu: there is no IOMMU '%.*s', only 'virtio'", (int)len, arg);
		return -EINVAL;
	}
	if (arg[len] && !arg[len + 1]) {
		pr_err("--iommu: '%s' has an empty option, remove the extra comma", arg);
		return -EINVAL;
	}
	*config = (struct iommu_config){
		.max_mappings = DEFAULT_MAX_MAPPINGS,
		.format = native,
	};
	if (arg[len]) {
		ret = parse_subopt_sets("--iommu", arg + len + 1, sets, ARRAY_SIZE(sets));
		if (ret)
			return ret;
	}
	config->page_size_mask = ~(p.granule - 1);
	config->input_last = UINT64_MAX >> (64 - p.input_bits);
	config->domain_last = UINT32_MAX >> (32 - p.domain_bits);
	ret = check(&p);
	if (ret)
		return ret;
	ret = add_machine_regions(config, resv, nr_resv);
	qsort(config->resv, config->nr_resv, sizeof(config->resv[0]), by_start);
	return ret;
}
