// SPDX-License-Identifier: GPL-2.0-only
/* The option --iommu. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "capture.h"
#include "iommu/config.h"
#include "unit.h"

#define MSI_START 0xfee00000
#define MSI_LAST  0xfeefffff

static const struct iommu_resv machine_resv[] = {{MSI_START, MSI_LAST, IOMMU_RESV_MSI}};

static struct iommu_config config;

/* A key of the device that carries the requests. */
static const char *color;

static int parse_color(void *opaque, const char *value)
{
	*(const char **)opaque = value && !strcmp(value, "red") ? "red" : "other";
	return 0;
}

static const struct subopt device_subopts[] = {{"color", parse_color, false}, {NULL, NULL, false}};
static const struct subopt_set device = {device_subopts, &color};

static int parse(const char *arg)
{
	memset(&config, 0xee, sizeof(config));
	return iommu_parse(arg, &format_vtd, machine_resv, ARRAY_SIZE(machine_resv), &device,
			   &config);
}

static bool accepted(const char *arg)
{
	const char *text;
	int ret;

	capture_begin();
	ret = parse(arg);
	text = capture_end();
	return CHECK_EQ(ret, 0) && CHECK_STR_EQ(text, "");
}

/* One line that begins as all of them do, and has @part in it. */
static void check_refused(const char *arg, const char *part)
{
	static const char start[] = "lkvm: error: --iommu: ";
	const char *text;
	int ret;

	capture_begin();
	ret = parse(arg);
	text = capture_end();
	if (!CHECK_EQ(ret, -EINVAL) || !CHECK(!strncmp(text, start, sizeof(start) - 1)) ||
	    !CHECK(capture_one_line(text, part)))
		printf("# of '%s'\n", arg);
}

TEST(defaults)
{
	if (!accepted("virtio"))
		return;
	CHECK_EQ(config.page_size_mask, ~4095ULL);
	CHECK_EQ(config.input_start, 0);
	CHECK_EQ(config.input_last, UINT64_MAX);
	CHECK_EQ(config.domain_start, 0);
	CHECK_EQ(config.domain_last, UINT32_MAX);
	CHECK_EQ(config.max_mappings, 1048576);
	CHECK_EQ(config.bypass, false);
	CHECK_EQ(config.msi_mapped, false);
	CHECK_EQ(config.nr_resv, 1);
	CHECK_EQ(config.resv[0].start, MSI_START);
	CHECK_EQ(config.resv[0].last, MSI_LAST);
	CHECK_EQ(config.resv[0].type, IOMMU_RESV_MSI);
}

TEST(each_suboption)
{
	if (accepted("virtio,bypass=on"))
		CHECK_EQ(config.bypass, true);
	if (accepted("virtio,bypass=off"))
		CHECK_EQ(config.bypass, false);
	if (accepted("virtio,granule=4K"))
		CHECK_EQ(config.page_size_mask, ~0xfffULL);
	if (accepted("virtio,granule=65536"))
		CHECK_EQ(config.page_size_mask, ~0xffffULL);
	if (accepted("virtio,granule=0x200000"))
		CHECK_EQ(config.page_size_mask, ~0x1fffffULL);
	if (accepted("virtio,granule=1g"))
		CHECK_EQ(config.page_size_mask, ~(GiB - 1));
	if (accepted("virtio,input-bits=64"))
		CHECK_EQ(config.input_last, UINT64_MAX);
	if (accepted("virtio,input-bits=48"))
		CHECK_EQ(config.input_last, 0xffffffffffff);
	if (accepted("virtio,input-bits=12"))
		CHECK_EQ(config.input_last, 0xfff);
	if (accepted("virtio,domain-bits=32"))
		CHECK_EQ(config.domain_last, UINT32_MAX);
	if (accepted("virtio,domain-bits=1"))
		CHECK_EQ(config.domain_last, 1);
	if (accepted("virtio,domain-bits=16"))
		CHECK_EQ(config.domain_last, 0xffff);
	if (accepted("virtio,max-mappings=1"))
		CHECK_EQ(config.max_mappings, 1);
	if (accepted("virtio,max-mappings=4294967295"))
		CHECK_EQ(config.max_mappings, UINT32_MAX);
	if (accepted("virtio,poll=0"))
		CHECK_EQ(config.poll_us, 0);
	if (accepted("virtio,poll=1000000"))
		CHECK_EQ(config.poll_us, 1000000);
}

TEST(all_suboptions_in_any_order)
{
	if (!accepted("virtio,resv=0x0-0xffff,max-mappings=77,domain-bits=8,input-bits=40,"
		      "granule=64K,bypass=on"))
		return;
	CHECK_EQ(config.page_size_mask, ~0xffffULL);
	CHECK_EQ(config.input_last, 0xffffffffff);
	CHECK_EQ(config.domain_last, 0xff);
	CHECK_EQ(config.max_mappings, 77);
	CHECK_EQ(config.bypass, true);
	CHECK_EQ(config.nr_resv, 2);
}

TEST(regions_are_sorted)
{
	static const u64 starts[] = {0x1000, 0x200000, MSI_START, 0x100000000, 0xfffffffffffff000};

	if (!accepted("virtio,resv=0xfffffffffffff000-0xffffffffffffffff,"
		      "resv=0x100000000-0x1ffffffff,resv=4096-8191,resv=0x200000-0x2fffff"))
		return;
	CHECK_EQ(config.nr_resv, ARRAY_SIZE(starts));
	for (unsigned int i = 0; i < ARRAY_SIZE(starts); i++) {
		CHECK_EQ(config.resv[i].start, starts[i]);
		CHECK_EQ(config.resv[i].type,
			 starts[i] == MSI_START ? IOMMU_RESV_MSI : IOMMU_RESV_RESERVED);
	}
	/* Next to each other is not on top of each other. */
	accepted("virtio,resv=0x1000-0x1fff,resv=0x2000-0x2fff,resv=0xfef00000-0xfeffffff");
}

TEST(regions_begin_and_end_where_they_like)
{
	if (!accepted("virtio,granule=64K,resv=0x1001-0x1001,resv=0x1800-0x27ff"))
		return;
	CHECK_EQ(config.nr_resv, 3);
	CHECK_EQ(config.resv[0].start, 0x1001);
	CHECK_EQ(config.resv[0].last, 0x1001);
	CHECK_EQ(config.resv[1].start, 0x1800);
	CHECK_EQ(config.resv[1].last, 0x27ff);
}

TEST(mapped_messages_have_no_region)
{
	if (accepted("virtio,msi=direct")) {
		CHECK_EQ(config.msi_mapped, false);
		CHECK_EQ(config.nr_resv, 1);
	}
	if (accepted("virtio,msi=mapped")) {
		CHECK_EQ(config.msi_mapped, true);
		CHECK_EQ(config.nr_resv, 0);
	}
	/* Its place is free, wherever in the list that is said. */
	if (accepted("virtio,resv=0xfee00000-0xfee00fff,msi=mapped")) {
		CHECK_EQ(config.nr_resv, 1);
		CHECK_EQ(config.resv[0].type, IOMMU_RESV_RESERVED);
	}
	accepted("virtio,msi=mapped,resv=0-0xffffffffffffffff");
}

/* "virtio" and @nr regions of a page each. */
static const char *with_regions(unsigned int nr)
{
	static char arg[1024];
	size_t len = snprintf(arg, sizeof(arg), "virtio");

	for (unsigned int i = 0; i < nr; i++)
		len += snprintf(arg + len, sizeof(arg) - len, ",resv=0x%x000-0x%xfff", 2 * i,
				2 * i);
	return arg;
}

TEST(as_many_regions_as_fit)
{
	if (accepted(with_regions(IOMMU_MAX_RESV - ARRAY_SIZE(machine_resv))))
		CHECK_EQ(config.nr_resv, IOMMU_MAX_RESV);
	check_refused(with_regions(IOMMU_MAX_RESV),
		      "one region too many, 16 with the machine's own are possible");
}

TEST(wrong_values)
{
	static const struct {
		const char *arg, *part;
	} cases[] = {
		{"", "no IOMMU ''"},
		{"intel", "no IOMMU 'intel', only 'virtio'"},
		{"virt", "no IOMMU 'virt'"},
		{"virtio2", "no IOMMU 'virtio2'"},
		{"virtio=on", "no IOMMU 'virtio=on'"},
		{"bypass=on", "no IOMMU 'bypass=on'"},
		{"virtio,tables=arm", "tables=arm is none of smmuv3|vtd"},
		{"virtio,tables", "tables=smmuv3|"},
		{"virtio,map=no way", "map=no way is neither 'on' nor 'off'"},
		{"virtio,,bypass=on", "extra comma"},
		{"virtio,bypass=on,", "extra comma"},
		{"virtio,", "extra comma"},
		{"virtio,bypas=on", "did you mean 'bypass'"},
		{"virtio,foo=1", "known are: bypass, granule, input-bits, domain-bits, "
				 "max-mappings, msi, resv"},
		{"virtio,bypass", "'bypass' needs a value: bypass=on|off"},
		{"virtio,bypass=", "bypass= is neither"},
		{"virtio,bypass=yes", "bypass=yes is neither 'on' nor 'off'"},
		{"virtio,bypass=ON", "bypass=ON is neither"},
		{"virtio,granule", "granule=SIZE"},
		{"virtio,granule=0", "granule=0 is not a power of two from 4K to 1G"},
		{"virtio,granule=2K", "granule=2K is not"},
		{"virtio,granule=12K", "granule=12K is not"},
		{"virtio,granule=2G", "granule=2G is not"},
		{"virtio,granule=4KB", "granule=4KB is not"},
		{"virtio,granule=-4K", "granule=-4K is not"},
		{"virtio,granule=99999999999999999999", "granule=99999999999999999999 is not"},
		{"virtio,input-bits", "input-bits=N"},
		{"virtio,input-bits=11", "input-bits=11 is not a number from 12 to 64"},
		{"virtio,input-bits=65", "input-bits=65 is not"},
		{"virtio,input-bits=0", "input-bits=0 is not"},
		{"virtio,input-bits=48bit", "input-bits=48bit is not"},
		{"virtio,input-bits=", "input-bits= is not"},
		{"virtio,domain-bits", "domain-bits=N"},
		{"virtio,domain-bits=0", "domain-bits=0 is not a number from 1 to 32"},
		{"virtio,domain-bits=33", "domain-bits=33 is not"},
		{"virtio,max-mappings", "max-mappings=N"},
		{"virtio,max-mappings=0", "max-mappings=0 is not a number from 1 to 4294967295"},
		{"virtio,max-mappings=4294967296", "max-mappings=4294967296 is not"},
		{"virtio,max-mappings=1K", "max-mappings=1K is not"},
		{"virtio,poll", "poll=N"},
		{"virtio,poll=1000001", "poll=1000001 is not a number from 0 to 1000000"},
		{"virtio,poll=1ms", "poll=1ms is not"},
		{"virtio,msi", "'msi' needs a value: msi=direct|mapped"},
		{"virtio,msi=", "msi= is neither 'direct' nor 'mapped'"},
		{"virtio,msi=on", "msi=on is neither"},
		{"virtio,msi=map", "msi=map is neither"},
		{"virtio,resv", "resv=START-END"},
		{"virtio,resv=", "resv= is not START-END"},
		{"virtio,resv=0x1000", "resv=0x1000 is not START-END"},
		{"virtio,resv=0x1000-", "resv=0x1000- is not"},
		{"virtio,resv=-0x1000", "resv=-0x1000 is not"},
		{"virtio,resv=0x2000-0x1fff", "START <= END"},
		{"virtio,resv=0x0-0x10000000000000000", "is not START-END"},
		{"virtio,resv=0x1000-0x1fff-0x2fff", "is not START-END"},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++)
		check_refused(cases[i].arg, cases[i].part);
}

TEST(contradictions)
{
	static const struct {
		const char *arg, *part;
	} cases[] = {
		{"virtio,bypass=on,bypass=off", "'bypass' is given twice"},
		{"virtio,bypass=on,bypass=on", "'bypass' is given twice"},
		{"virtio,granule=4K,granule=4K", "'granule' is given twice"},
		{"virtio,input-bits=48,granule=4K,input-bits=39", "'input-bits' is given twice"},
		{"virtio,domain-bits=8,domain-bits=9", "'domain-bits' is given twice"},
		{"virtio,max-mappings=8,max-mappings=9", "'max-mappings' is given twice"},
		/* Not one mapping would fit. */
		{"virtio,granule=8K,input-bits=12", "granule of 0x2000 does not fit input-bits=12"},
		{"virtio,input-bits=29,granule=1G", "does not fit input-bits=29"},
		/* Regions. */
		{"virtio,resv=0x1000-0x2fff,resv=0x2000-0x3fff",
		 "resv=0x2000-0x3fff overlaps the reserved region 0x1000-0x2fff"},
		{"virtio,resv=0x1000-0x1fff,resv=0x1000-0x1fff", "overlaps the reserved region"},
		{"virtio,resv=0xfee00000-0xfee00fff",
		 "overlaps the MSI region 0xfee00000-0xfeefffff"},
		{"virtio,resv=0x0-0xffffffffffffffff", "overlaps the MSI region"},
		/* Without the machine's region there is nothing that it could overlap. */
		{"virtio,resv=0xfee00000-0xfee00fff,msi=direct",
		 "overlaps the MSI region 0xfee00000-0xfeefffff"},
		{"virtio,msi=mapped,msi=mapped", "'msi' is given twice"},
		{"virtio,resv=0x100000000-0x1ffffffff,input-bits=32",
		 "resv=0x100000000-0x1ffffffff lies outside input-bits=32"},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++)
		check_refused(cases[i].arg, cases[i].part);
	accepted("virtio,granule=4K,input-bits=12");
	accepted("virtio,granule=1G,input-bits=30");
	/* The machine's own region is there whatever the guest can map. */
	accepted("virtio,input-bits=20");
	accepted("virtio,granule=1G");
}

TEST(keys_of_the_device_are_the_devices)
{
	const char *text;

	color = NULL;
	if (CHECK(accepted("virtio,color=red,granule=64K"))) {
		CHECK_STR_EQ(color, "red");
		CHECK_EQ(config.page_size_mask, ~0xffffULL);
	}
	color = NULL;
	CHECK(accepted("virtio,granule=64K"));
	CHECK_STR_EQ(color, NULL);

	capture_begin();
	CHECK_EQ(parse("virtio,color=red,bypass=on,color=red"), -EINVAL);
	text = capture_end();
	CHECK(capture_one_line(text, "'color' is given twice"));
	capture_begin();
	CHECK_EQ(parse("virtio,colour=red"), -EINVAL);
	text = capture_end();
	CHECK(capture_one_line(text, "did you mean 'color'?"));
	capture_begin();
	CHECK_EQ(parse("virtio,something-else"), -EINVAL);
	text = capture_end();
	CHECK(capture_one_line(text, "map, color"));
}

TEST(table_formats)
{
	CHECK(accepted("virtio"));
	CHECK(config.format == &format_vtd && !config.no_map);
	CHECK(accepted("virtio,tables=riscv-gipc,map=off"));
	CHECK(config.format == &format_riscv_gipc && config.no_map);
	CHECK(accepted("virtio,tables=none"));
	CHECK(!config.format);
	/* Each has the name that it says it has. */
	for (unsigned int i = 0; iommu_formats[i]; i++) {
		char arg[64];

		snprintf(arg, sizeof(arg), "virtio,tables=%s", iommu_formats[i]->name);
		CHECK(accepted(arg));
		CHECK(config.format == iommu_formats[i]);
		CHECK(strstr(IOMMU_FORMATS, iommu_formats[i]->name));
	}
}
