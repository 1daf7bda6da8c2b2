// SPDX-License-Identifier: GPL-2.0-only
/* What "lkvm iommu" prints of endpoints and domains of each kind. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "format-guest.h"
#include "iommu/iommu.h"
#include "iommu/report.h"
#include "unit.h"

#define NR_ENDPOINTS 4

static struct iommu iommu;
static struct iommu_endpoint eps[NR_ENDPOINTS];
static const struct iommu_limits limits = {.pa_bits = 40, .pasid_bits = 20};

static void begin(const struct iommu_format *format)
{
	const struct iommu_config config = {
		.page_size_mask = ~0xfffULL,
		.input_last = ~0ULL,
		.domain_last = ~0U,
		.max_mappings = 10000,
		.offer_tables = true,
	};

	CHECK(!iommu_init(&iommu, &config));
	for (unsigned int n = 0; n < NR_ENDPOINTS; n++) {
		CHECK(!iommu_add_endpoint(&iommu, &eps[n], 8 * n));
		iommu_set_format(&eps[n], n ? NULL : format, &limits);
	}
}

/* The text of a report; the caller's to free. */
static char *report(const struct iommu_report_filter *filter)
{
	struct report *r = report_new(false, 1 << 20);
	struct timespec deadline;
	const char *text;
	char *copy = NULL;
	size_t len;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += 60;
	report_object_begin(r, NULL);
	CHECK(!iommu_report(&iommu, r, filter, &deadline));
	report_object_end(r);
	text = report_text(r, &len);
	if (CHECK(text))
		copy = strndup(text, len);
	report_free(r);
	return copy;
}

static const struct iommu_report_filter all = {.mappings = true};

static void check_has(const char *want)
{
	char *text = report(&all);

	if (!CHECK(strstr(text, want)))
		printf("# no \"%s\" in:\n%s", want, text);
	free(text);
}

TEST(mappings_and_bypass)
{
	struct mapping m = {.start = 0x1000, .last = 0x1fff, .gpa = 0x5000, .flags = MAPPING_READ};

	begin(NULL);
	CHECK(!iommu_attach(&iommu, 1, 0, false));
	CHECK(!iommu_attach(&iommu, 2, 8, true));
	CHECK(!iommu_map(&iommu, 1, &m));
	check_has("nr_mappings: 1\nnr_tables: 0\n");
	check_has("  - id: 1\n    bypass: no\n    endpoints:\n      - 0x0\n    nr_mappings: 1\n"
		  "    mappings:\n      - start: 0x1000\n        last: 0x1fff\n"
		  "        gpa: 0x5000\n");
	check_has("  - id: 2\n    bypass: yes\n    endpoints:\n      - 0x8\n    nr_mappings: 0\n");
	check_has("  - id: 0x10\n    attached: no\n");
	iommu_destroy(&iommu);
}

static int attach(const u8 *desc, u8 wire_format)
{
	u32 pasid;

	return iommu_attach_table(&iommu, 3, 0, wire_format, desc, &pasid);
}

/* The table for the whole endpoint, and what the report says of it. */
static void check_base(const struct iommu_format *format, const u8 *desc, const char *want)
{
	begin(format);
	check_has("faults: 0\n    tables: ");
	CHECK(!attach(desc, format->base_format));
	check_has(want);
	check_has("pasid_bits: 20\n    table:\n");
	check_has("    nr_pasids: 0\n    pasids:\n");
	check_has("nr_tables: 1\n");
	iommu_destroy(&iommu);
}

TEST(smmuv3)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE] = {0};

	desc_put(desc, 16, 8, 0x20004b);
	desc_put(desc, 24, 8, 2);
	check_base(&format_smmuv3, desc, "format: 1\n      ste0: 0x20004b\n      ste1: 0x2\n");
}

TEST(vtd)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE] = {0};

	desc_put(desc, 16, 8, 0x7000);
	desc_put(desc, 28, 4, 5);
	desc_put(desc, 32, 4, 57);
	check_base(&format_vtd, desc,
		   "format: 2\n      fsptptr: 0x7000\n      flags: 0x5\n      addr_width: 57\n");
}

TEST(amd)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE] = {0};

	desc_put(desc, 16, 8, 0x7000);
	desc_put(desc, 24, 1, 2);
	desc_put(desc, 25, 1, 1);
	desc_put(desc, 72, 4, 9);
	check_base(&format_amd, desc,
		   "format: 5\n      gcr3_table_root_pointer: 0x7000\n      glx: 2\n"
		   "      giov: yes\n      guest_paging_mode: 0\n      gaupdatedis: no\n"
		   "      domain_id: 9\n");
}

TEST(riscv)
{
	u8 desc[IOMMU_DESCRIPTOR_SIZE] = {0};

	desc_put(desc, 16, 8, 1);
	desc_put(desc, 32, 8, 8ULL << 60 | 7);
	check_base(&format_riscv, desc,
		   "format: 4\n      tc: 0x1\n      ta: 0x0\n      fsc: 0x8000000000000007\n");
}

/* One page table for each of many PASIDs: the list goes on where the last one ended. */
TEST(pasids)
{
	struct iommu_report_filter filter = all;
	u8 desc[IOMMU_DESCRIPTOR_SIZE] = {0};
	char *text;

	begin(&format_amd_pt);
	CHECK(!attach(desc, VIOMMU_TABLE_AMD_GCR3));
	for (u32 n = 0; n < IOMMU_REPORT_MAX_MAPPINGS + 2; n++) {
		desc_put(desc, 16, 8, 0x100000 + n * 4096ULL);
		desc_put(desc, 24, 4, n * 200);
		if (!CHECK(!attach(desc, VIOMMU_TABLE_AMD_PT)))
			break;
	}
	check_has("nr_tables: 4099\n");
	check_has("    nr_pasids: 4098\n    pasids:\n      - pasid: 0\n        format: 6\n"
		  "        guest_page_table_pointer: 0x100000\n      - pasid: 200\n");
	check_has("      - pasid: 819000\n        format: 6\n"
		  "        guest_page_table_pointer: 0x10ff000\n    next: 0xc8000\n");
	filter.from = 0xc8000;
	text = report(&filter);
	CHECK(text && strstr(text, "pasids:\n      - pasid: 819200\n"));
	CHECK(text && !strstr(text, "next:"));
	free(text);
	filter.from = ~0ULL;
	text = report(&filter);
	CHECK(text && strstr(text, "nr_pasids: 4098\n    pasids:\n"));
	CHECK(text && !strstr(text, "- pasid"));
	free(text);
	iommu_destroy(&iommu);
}
