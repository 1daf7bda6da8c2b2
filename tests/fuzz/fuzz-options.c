// SPDX-License-Identifier: GPL-2.0-only
/* What follows an option of the command line: the first byte says which, the rest is the value. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "iommu/config.h"
#include "machine.h"
#include "util/trace.h"

static const struct iommu_resv resv[] = {{0xfee00000, 0xfeefffff, IOMMU_RESV_MSI}};
static const struct mem_hole holes[] = {{0xc0000000, 0xffffffff, "PCI devices"}};

static int do_iommu(char *arg)
{
	struct virtio_options options = {.what = "--iommu"};
	static const struct subopt subopts[] = {VIRTIO_IOMMU_SUBOPTS, {NULL, NULL, false}};
	const struct subopt_set device = {subopts, &options};
	struct iommu_config config;

	return iommu_parse(arg, &format_vtd, resv, ARRAY_SIZE(resv), &device, &config);
}

static int do_disk(char *arg)
{
	struct blk_config config;

	return blk_parse(arg, &config);
}

static int do_net(char *arg)
{
	struct net_config config;

	return net_parse(arg, &config);
}

/* Several of them are one device. */
static int do_console(char *arg)
{
	struct console_config config = {0};
	int ret = 0;

	for (char *one = strtok(arg, "\n"); one && !ret; one = strtok(NULL, "\n"))
		ret = console_parse(one, &config);
	console_terminal_hvc(&config);
	return ret;
}

static int do_rng(char *arg)
{
	struct rng_config config;

	return rng_parse(arg, &config);
}

static int do_device(char *arg)
{
	struct engine_config config;

	return engine_parse(arg, &config);
}

static int do_memory(char *arg)
{
	struct mem_config config = {0};
	int ret = 0;

	for (char *one = strtok(arg, "\n"); one && !ret; one = strtok(NULL, "\n"))
		ret = *one == '%' ? mem_parse_pages(&config, one + 1) : mem_parse(&config, one);
	if (!ret)
		ret = mem_config_check(&config, 0, holes, ARRAY_SIZE(holes));
	if (!ret)
		CHECK(mem_config_size(&config));
	return ret;
}

static int do_serial(char *arg)
{
	struct chardev_config config;

	return chardev_parse("--serial", arg, strlen(arg), &config);
}

static int do_trace(char *arg)
{
	int ret = trace_parse(arg);

	memset(trace_enabled, 0, sizeof(trace_enabled));
	return ret;
}

void fuzz_one(void)
{
	static int (*const options[])(char *arg) = {
		do_iommu,  do_disk,   do_net,	 do_console, do_rng,
		do_device, do_memory, do_serial, do_trace,
	};
	unsigned int i = unit_below(ARRAY_SIZE(options));
	size_t len;
	const u8 *rest = fuzz_rest(&len);
	char *arg = malloc(len + 1);

	if (len)
		memcpy(arg, rest, len);
	arg[len] = '\0';
	CHECK(options[i](arg) <= 0);
	free(arg);
}
