// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ACPI tables of any machine, good or bad, in any room: either the builder refuses, or all
 * tables are in the room, apart from each other, and their sums are right.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "x86/acpi.h"

#define MAX_MMIO      260
#define MAX_ENDPOINTS 300
#define HEADER	      36

static struct acpi_virtio_mmio mmio[MAX_MMIO];
static u16 endpoints[MAX_ENDPOINTS];

static const u8 *tables;
static u64 tables_gpa;
static size_t tables_size;

static u64 le(const u8 *p, unsigned int len)
{
	u64 val = 0;

	while (len--)
		val = val << 8 | p[len];
	return val;
}

static const u8 *at(u64 gpa, size_t len)
{
	CHECK(gpa >= tables_gpa && gpa - tables_gpa <= tables_size);
	CHECK(len <= tables_size - (gpa - tables_gpa));
	return tables + (gpa - tables_gpa);
}

static void check_sum(const u8 *p, size_t len)
{
	u8 sum = 0;

	while (len--)
		sum += *p++;
	CHECK_EQ(sum, 0);
}

static const u8 *table_at(u64 gpa, u32 *len)
{
	const u8 *t = at(gpa, HEADER);

	*len = le(t + 4, 4);
	CHECK(*len >= HEADER);
	check_sum(at(gpa, *len), *len);
	return t;
}

/* ACPI 5.2.5, 5.2.8 and 5.2.9: the RSDP, what the XSDT lists, and the DSDT of the FADT. */
static void check_tables(u64 rsdp)
{
	const u8 *root = at(rsdp, 36), *xsdt, *t;
	u32 len, xsdt_len;

	CHECK(!memcmp(root, "RSD PTR ", 8));
	check_sum(root, 20);
	check_sum(root, 36);
	xsdt = table_at(le(root + 24, 8), &xsdt_len);
	CHECK(!memcmp(xsdt, "XSDT", 4) && (xsdt_len - HEADER) % 8 == 0);
	for (u32 off = HEADER; off < xsdt_len; off += 8) {
		t = table_at(le(xsdt + off, 8), &len);
		if (!memcmp(t, "FACP", 4))
			CHECK(!memcmp(table_at(le(t + 140, 8), &len), "DSDT", 4));
	}
}

static struct acpi_range range(void)
{
	struct acpi_range r = {0};

	switch (unit_below(4)) {
	case 0:
		break;
	case 1:
		r.base = fuzz_number();
		r.size = fuzz_number();
		break;
	default:
		r.base = fuzz_int(2) << 12;
		r.size = (1 + fuzz_int(1)) << 12;
	}
	return r;
}

static void make_mmio(struct acpi_config *cfg)
{
	cfg->nr_virtio_mmio = fuzz_bool() ? unit_below(4) : unit_below(MAX_MMIO);
	for (unsigned int i = 0; i < cfg->nr_virtio_mmio; i++) {
		u8 how = fuzz_int(1);

		mmio[i] = (struct acpi_virtio_mmio){
			.base = how & 0x80 ? fuzz_number() : 0xd0000000 + i * 4096,
			.size = how & 0x40 ? fuzz_number() : 512,
			.gsi = how & 0x20 ? fuzz_number() : how & 15,
			.behind_iommu = how & 0x10,
			.endpoint = fuzz_int(2),
		};
	}
	cfg->virtio_mmio = mmio;
}

static void make_iommu(struct acpi_config *cfg)
{
	u8 how = fuzz_int(1);

	cfg->has_viot = how & 1;
	cfg->iommu_is_mmio = how & 2;
	cfg->iommu_bdf = fuzz_int(2);
	cfg->iommu_mmio = unit_below(4);
	cfg->nr_endpoints = how & 4 ? unit_below(MAX_ENDPOINTS) : unit_below(4);
	for (unsigned int i = 0; i < cfg->nr_endpoints; i++)
		endpoints[i] = fuzz_int(2);
	cfg->endpoints = endpoints;
}

void fuzz_one(void)
{
	struct acpi_config cfg = {
		.nr_cpus = unit_below(257),
		.pci_io = range(),
		.pci_mem32 = range(),
		.pci_mem64 = range(),
		.ecam_base = fuzz_bool() ? 0xe0000000 : fuzz_number(),
		.nr_buses = unit_below(258),
		.serial_port = fuzz_int(2),
		.serial_gsi = unit_below(18),
	};
	size_t size = unit_below(8) ? 64 * KiB : fuzz_int(2), used = 0;
	u64 gpa = unit_below(16) ? 0xe0000 : fuzz_number() % (1ULL << 52), rsdp = 0;
	u8 *buf = malloc(size);
	int ret;

	make_mmio(&cfg);
	make_iommu(&cfg);
	ret = acpi_build(&cfg, gpa, buf, size, &rsdp, &used);
	if (!ret) {
		CHECK(used <= size);
		tables = buf;
		tables_gpa = gpa;
		tables_size = used;
		check_tables(rsdp);
	} else {
		CHECK(ret == -EINVAL || ret == -ENOSPC);
	}
	free(buf);
}
