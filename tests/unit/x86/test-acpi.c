// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tables are read here by byte offsets from the specifications, not by the
 * structs that wrote them. "--dump DIR [CONFIG]" writes the tables of a configuration
 * to files for other tools.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"
#include "x86/acpi.h"
#include "x86/aml.h"

static const u16 three_endpoints[] = {0x0010, 0x0018, 0x00fb};

static const struct acpi_virtio_mmio three_mmio[] = {
	{.base = 0xd0000000, .size = 0x200, .gsi = 5, .behind_iommu = true, .endpoint = 0x10007},
	{.base = 0xd0000200, .size = 0x200, .gsi = 6},
	{.base = 0xd0001000, .size = 0x1000, .gsi = 7},
};

/* Two of them on one wire, which _CRS calls shared. */
static const struct acpi_virtio_mmio shared_mmio[] = {
	{.base = 0xd0000000, .size = 0x1000, .gsi = 5, .behind_iommu = true, .endpoint = 0x10000},
	{.base = 0xd0001000, .size = 0x1000, .gsi = 15, .behind_iommu = true, .endpoint = 0x10001},
	{.base = 0xd0002000, .size = 0x1000, .gsi = 5},
};

#define ECAM   .ecam_base = 0xe0000000, .nr_buses = 256
#define SERIAL .serial_port = 0x3f8, .serial_gsi = 4
#define WINDOWS                                                            \
	.pci_io = {0x1000, 0xf000}, .pci_mem32 = {0xc0000000, 0x10000000}, \
	.pci_mem64 = {0x4000000000, 0x1000000000}

static const struct config {
	const char *name;
	struct acpi_config cfg;
} configs[] = {
	{"typical",
	 {WINDOWS, ECAM, SERIAL, .nr_cpus = 2, .has_viot = true, .iommu_bdf = 0x0008,
	  .endpoints = three_endpoints, .nr_endpoints = 3}},
	{"small",
	 {.pci_mem32 = {0xc0000000, 0x1000},
	  .ecam_base = 0xe0000000,
	  .nr_buses = 1,
	  SERIAL,
	  .nr_cpus = 1}},
	{"big", {WINDOWS, ECAM, SERIAL, .nr_cpus = 255}},
	{"lonely-iommu",
	 {WINDOWS, ECAM, SERIAL, .nr_cpus = 1, .has_viot = true, .iommu_bdf = 0x0008}},
	{"mmio",
	 {WINDOWS, ECAM, SERIAL, .nr_cpus = 4, .virtio_mmio = three_mmio, .nr_virtio_mmio = 3,
	  .has_viot = true, .iommu_is_mmio = true, .iommu_mmio = 2, .endpoints = three_endpoints,
	  .nr_endpoints = 1}},
	{"mixed",
	 {WINDOWS, ECAM, SERIAL, .nr_cpus = 1, .virtio_mmio = shared_mmio, .nr_virtio_mmio = 3,
	  .has_viot = true, .iommu_bdf = 0x0008, .endpoints = three_endpoints, .nr_endpoints = 3}},
	{"high-ecam", {WINDOWS, SERIAL, .nr_cpus = 1, .ecam_base = 0x5000000000, .nr_buses = 256}},
};

struct built {
	u8 buf[ACPI_TABLES_MAX_SIZE];
	u64 gpa;
	u64 rsdp;
	size_t used;
};

static struct built out;

static const struct acpi_config *config(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(configs); i++) {
		if (!strcmp(configs[i].name, name))
			return &configs[i].cfg;
	}
	return NULL;
}

static bool build(const struct acpi_config *cfg)
{
	out.gpa = ACPI_TABLES_GPA;
	memset(out.buf, 0xcc, sizeof(out.buf));
	return CHECK_EQ(acpi_build(cfg, out.gpa, out.buf, sizeof(out.buf), &out.rsdp, &out.used),
			0);
}

static u64 le(const u8 *p, unsigned int len)
{
	u64 val = 0;

	while (len--)
		val = val << 8 | p[len];
	return val;
}

static u8 sum(const u8 *p, size_t len)
{
	u8 s = 0;

	while (len--)
		s = (u8)(s + *p++);
	return s;
}

/* The table at @gpa, or NULL if it is not within the tables. */
static const u8 *at(u64 gpa, size_t min_len)
{
	if (gpa < out.gpa || gpa - out.gpa > out.used || min_len > out.used - (gpa - out.gpa))
		return NULL;
	return out.buf + (gpa - out.gpa);
}

static const u8 *table_at(u64 gpa)
{
	const u8 *t = at(gpa, 36);

	return t && at(gpa, le(t + 4, 4)) ? t : NULL;
}

static const u8 *xsdt(void)
{
	const u8 *rsdp = at(out.rsdp, 36);

	return rsdp ? table_at(le(rsdp + 24, 8)) : NULL;
}

static unsigned int nr_listed(void)
{
	return xsdt() ? (unsigned int)(le(xsdt() + 4, 4) - 36) / 8 : 0;
}

static const u8 *listed(unsigned int i)
{
	return table_at(le(xsdt() + 36 + 8 * i, 8));
}

/* A table by its signature; the DSDT is found through the FADT as a guest does it. */
static const u8 *find(const char *signature)
{
	unsigned int i;

	if (!strcmp(signature, "XSDT"))
		return xsdt();
	if (!strcmp(signature, "DSDT")) {
		const u8 *fadt = find("FACP");

		return fadt ? table_at(le(fadt + 140, 8)) : NULL;
	}
	for (i = 0; i < nr_listed(); i++) {
		const u8 *t = listed(i);

		if (t && !memcmp(t, signature, 4))
			return t;
	}
	return NULL;
}

static void check_bytes(const u8 *got, const u8 *want, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (!CHECK_EQ(got[i], want[i])) {
			printf("#     at byte %zu\n", i);
			return;
		}
	}
}

/* All of a table but its header, whose length is compared. */
static void check_body(const char *signature, const u8 *body, size_t len)
{
	const u8 *t = find(signature);

	if (CHECK(t) && CHECK_EQ(le(t + 4, 4), 36 + len))
		check_bytes(t + 36, body, len);
}

static const u8 *search(const u8 *hay, size_t hay_len, const void *needle, size_t len)
{
	return memmem(hay, hay_len, needle, len);
}

static bool in_dsdt(const void *bytes, size_t len)
{
	const u8 *t = find("DSDT");

	return t && search(t, le(t + 4, 4), bytes, len);
}

TEST(rsdp)
{
	const u8 *t;

	if (!build(config("typical")))
		return;
	CHECK_EQ(out.rsdp, ACPI_TABLES_GPA);
	t = at(out.rsdp, 36);
	if (!CHECK(t))
		return;
	CHECK(!memcmp(t, "RSD PTR ", 8));
	CHECK_EQ(sum(t, 20), 0);
	CHECK(!memcmp(t + 9, "LKVM  ", 6));
	CHECK_EQ(t[15], 2);
	CHECK_EQ(le(t + 16, 4), 0);
	CHECK_EQ(le(t + 20, 4), 36);
	CHECK_EQ(sum(t, 36), 0);
}

static void check_header(const u8 *t, const char *signature, u8 revision)
{
	if (!CHECK(t))
		return;
	CHECK(!memcmp(t, signature, 4));
	CHECK_EQ((t - out.buf) % 16, 0);
	CHECK_EQ(t[8], revision);
	CHECK_EQ(sum(t, le(t + 4, 4)), 0);
	CHECK(!memcmp(t + 10, "LKVM  LKVM", 10));
	CHECK(!memcmp(t + 20, signature, 4));
	CHECK_EQ(le(t + 24, 4), 1);
	CHECK(!memcmp(t + 28, "LKVM", 4));
	CHECK_EQ(le(t + 32, 4), 1);
}

TEST(headers)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(configs); i++) {
		printf("# %s\n", configs[i].name);
		if (!build(&configs[i].cfg))
			continue;
		check_header(find("XSDT"), "XSDT", 1);
		check_header(find("DSDT"), "DSDT", 2);
		check_header(find("FACP"), "FACP", 6);
		check_header(find("APIC"), "APIC", 6);
		check_header(find("MCFG"), "MCFG", 1);
		check_header(find("SPCR"), "SPCR", 4);
		if (configs[i].cfg.has_viot)
			check_header(find("VIOT"), "VIOT", 0);
		else
			CHECK(!find("VIOT"));
	}
}

TEST(xsdt)
{
	const u8 *end = out.buf;
	unsigned int i;

	if (!build(config("typical")))
		return;
	CHECK_EQ(nr_listed(), 5);
	for (i = 0; i < nr_listed(); i++) {
		const u8 *t = listed(i);

		/* In the order of the addresses, none inside another. */
		if (!CHECK(t) || !CHECK(t >= end))
			return;
		end = t + le(t + 4, 4);
	}
	/* The first must be the FADT (5.2.8 has no such rule, but old systems have). */
	CHECK(!memcmp(listed(0), "FACP", 4));
	/* Nothing is behind the last table. */
	CHECK_EQ(xsdt() + le(xsdt() + 4, 4) - out.buf, out.used);
	CHECK_EQ(out.buf[out.used], 0xcc);
}

TEST(fadt)
{
	static const u8 reset[] = {1, 8, 0, 1, 0xf9, 0x0c, 0, 0, 0, 0, 0, 0, 6};
	static const u8 sleep[] = {1, 8, 0, 1, 0x00, 0x06, 0, 0, 0, 0, 0, 0,
				   1, 8, 0, 1, 0x01, 0x06, 0, 0, 0, 0, 0, 0};
	static const u8 zeros[96];
	const u8 *t;

	if (!build(config("typical")))
		return;
	t = find("FACP");
	if (!CHECK(t) || !CHECK_EQ(le(t + 4, 4), 276))
		return;
	CHECK_EQ(le(t + 36, 4), 0); /* no FACS */
	CHECK_EQ(le(t + 40, 4), le(t + 140, 8));
	CHECK_EQ(t[45], 4);
	check_bytes(t + 46, zeros, 50); /* no SCI, no SMI, no PM1, PM2, PM timer, GPE */
	CHECK_EQ(le(t + 96, 2), 101);
	CHECK_EQ(le(t + 98, 2), 1001);
	check_bytes(t + 100, zeros, 8);
	CHECK_EQ(t[108], 0x32);
	CHECK_EQ(le(t + 109, 2), 0x5);
	CHECK_EQ(le(t + 112, 4), 0x101475);
	check_bytes(t + 116, reset, sizeof(reset));
	CHECK_EQ(le(t + 129, 2), 0);
	CHECK_EQ(t[131], 5);
	CHECK_EQ(le(t + 132, 8), 0);
	check_bytes(t + 148, zeros, 96);
	check_bytes(t + 244, sleep, sizeof(sleep));
	check_bytes(t + 268, (const u8 *)"LKVM\0\0\0", 8);
}

static void check_madt(unsigned int nr_cpus)
{
	struct acpi_config cfg = *config("typical");
	u8 want[8 + 255 * 8 + 12 + 30] = {0x00, 0x00, 0xe0, 0xfe};
	u8 *p = want + 8;
	const u8 ioapic[] = {1, 12, (u8)nr_cpus, 0, 0x00, 0x00, 0xc0, 0xfe, 0, 0, 0, 0};
	static const u8 overrides[] = {2, 10, 0, 4, 4, 0, 0,  0, 5, 0, 2, 10, 0, 8,  8,
				       0, 0,  0, 5, 0, 2, 10, 0, 9, 9, 0, 0,  0, 13, 0};
	unsigned int i;

	for (i = 0; i < nr_cpus; i++, p += 8) {
		const u8 lapic[] = {0, 8, (u8)i, (u8)i, 1, 0, 0, 0};

		memcpy(p, lapic, 8);
	}
	memcpy(p, ioapic, sizeof(ioapic));
	p += sizeof(ioapic);
	memcpy(p, overrides, sizeof(overrides));
	p += sizeof(overrides);

	cfg.nr_cpus = nr_cpus;
	if (build(&cfg))
		check_body("APIC", want, (size_t)(p - want));
}

TEST(madt)
{
	check_madt(1);
	check_madt(2);
	check_madt(255);
}

TEST(mcfg)
{
	u8 want[24] = {[8] = 0x00, 0x00, 0x00, 0xe0, [19] = 255};
	struct acpi_config cfg = *config("typical");

	if (build(&cfg))
		check_body("MCFG", want, sizeof(want));
	cfg.nr_buses = 1;
	want[19] = 0;
	if (build(&cfg))
		check_body("MCFG", want, sizeof(want));
}

TEST(spcr)
{
	/* clang-format off */
	static const u8 want[62] = {
		0, 0, 0, 0,			       /* 16550 */
		1, 8, 0, 1, 0xf8, 3, 0, 0, 0, 0, 0, 0, /* port 0x3f8 */
		2, 0, 4, 0, 0, 0,		       /* IOAPIC, GSI 4 */
		7, 0, 1, 0, 2, 0,		       /* 115200, 8N1 */
		0xff, 0xff, 0xff, 0xff,		       /* not PCI */
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,    /* so no PCI address */
		0, 0, 0, 0, 10, 0, 88, 0,	       /* name at 88 */
		'\\', '_', 'S', 'B', '.', 'C', 'O', 'M', '1', 0,
	};
	/* clang-format on */

	if (build(config("typical")))
		check_body("SPCR", want, sizeof(want));
}

TEST(viot_pci)
{
	/* clang-format off */
	static const u8 want[] = {
		/* 4 nodes from offset 48 */
		4, 0, 48, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		/* virtio-iommu at 00:01.0 */
		3, 0, 16, 0, 0, 0, 0x08, 0x00, 0, 0, 0, 0, 0, 0, 0, 0,
		/* 00:02.0, 00:03.0 and 00:1f.3, each as its own endpoint ID, to the node at 48 */
		1, 0, 24, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0x10, 0, 48, 0, 0, 0, 0, 0, 0, 0,
		1, 0, 24, 0, 0x18, 0, 0, 0, 0, 0, 0, 0, 0x18, 0, 0x18, 0, 48, 0, 0, 0, 0, 0, 0, 0,
		1, 0, 24, 0, 0xfb, 0, 0, 0, 0, 0, 0, 0, 0xfb, 0, 0xfb, 0, 48, 0, 0, 0, 0, 0, 0, 0,
	};
	/* clang-format on */

	if (build(config("typical")))
		check_body("VIOT", want, sizeof(want));
}

TEST(viot_no_endpoints)
{
	/* clang-format off */
	static const u8 want[] = {
		1, 0, 48, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		3, 0, 16, 0, 0, 0, 0x08, 0x00, 0, 0, 0, 0, 0, 0, 0, 0,
	};
	/* clang-format on */

	if (build(config("lonely-iommu")))
		check_body("VIOT", want, sizeof(want));
}

TEST(viot_mmio)
{
	/* clang-format off */
	static const u8 want[] = {
		3, 0, 48, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		/* virtio-iommu at 0xd0001000 */
		4, 0, 16, 0, 0, 0, 0, 0, 0x00, 0x10, 0x00, 0xd0, 0, 0, 0, 0,
		/* 00:02.0 */
		1, 0, 24, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0x10, 0, 48, 0, 0, 0, 0, 0, 0, 0,
		/* endpoint 0x10007 at 0xd0000000 */
		2, 0, 24, 0, 0x07, 0, 1, 0, 0, 0, 0, 0xd0, 0, 0, 0, 0, 48, 0, 0, 0, 0, 0, 0, 0,
	};
	/* clang-format on */

	if (build(config("mmio")))
		check_body("VIOT", want, sizeof(want));
}

TEST(viot_mixed)
{
	/* clang-format off */
	static const u8 want[] = {
		6, 0, 48, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		/* virtio-iommu 00:01.0 */
		3, 0, 16, 0, 0, 0, 0x08, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		/* 00:02.0, 00:03.0, 00:1f.3 */
		1, 0, 24, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0x10, 0, 48, 0, 0, 0, 0, 0, 0, 0,
		1, 0, 24, 0, 0x18, 0, 0, 0, 0, 0, 0, 0, 0x18, 0, 0x18, 0, 48, 0, 0, 0, 0, 0, 0, 0,
		1, 0, 24, 0, 0xfb, 0, 0, 0, 0, 0, 0, 0, 0xfb, 0, 0xfb, 0, 48, 0, 0, 0, 0, 0, 0, 0,
		/* endpoint 0x10000 at 0xd0000000, 0x10001 at 0xd0001000; the third is outside */
		2, 0, 24, 0, 0, 0, 1, 0, 0, 0, 0, 0xd0, 0, 0, 0, 0, 48, 0, 0, 0, 0, 0, 0, 0,
		2, 0, 24, 0, 1, 0, 1, 0, 0, 0x10, 0, 0xd0, 0, 0, 0, 0, 48, 0, 0, 0, 0, 0, 0, 0,
	};
	/* clang-format on */

	if (build(config("mixed")))
		check_body("VIOT", want, sizeof(want));
}

TEST(dsdt_cpus)
{
	static const unsigned int counts[] = {1, 2, 255};
	unsigned int i, nr;

	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		struct acpi_config cfg = *config("typical");
		const u8 *p, *end;

		cfg.nr_cpus = counts[i];
		if (!build(&cfg))
			continue;
		p = find("DSDT");
		if (!CHECK(p))
			continue;
		end = p + le(p + 4, 4);
		for (nr = 0; (p = search(p, (size_t)(end - p), "ACPI0007", 9)); nr++) {
			/* Behind the string: Name (_UID, nr). */
			struct aml a;
			u8 want[8];

			aml_init(&a, want, sizeof(want));
			aml_name(&a, "_UID");
			aml_integer(&a, nr);
			p += 9;
			check_bytes(p, want, a.len);
		}
		CHECK_EQ(nr, counts[i]);
	}
}

TEST(dsdt_prt)
{
	unsigned int dev, pin;

	if (!build(config("typical")))
		return;
	for (dev = 0; dev < 32; dev++) {
		for (pin = 0; pin < 4; pin++) {
			u8 entry[20];
			struct aml a;
			aml_mark mark;

			aml_init(&a, entry, sizeof(entry));
			mark = aml_package(&a, 4);
			aml_integer(&a, (u64)dev << 16 | 0xffff);
			aml_integer(&a, pin);
			aml_integer(&a, 0);
			aml_integer(&a, 16 + ((dev + pin) & 7));
			aml_end(&a, mark);
			CHECK_EQ(aml_error(&a), 0);
			CHECK(in_dsdt(entry, a.len));
		}
	}
}

TEST(dsdt_resources)
{
	/* clang-format off */
	/* Ports and interrupts as 6.4.2.5 and 6.4.3.6 write them. */
	static const u8 com1[] = {0x47, 1, 0xf8, 0x03, 0xf8, 0x03, 1, 8,
				  0x89, 6, 0, 3, 1, 4, 0, 0, 0, 0x79, 0};
	static const u8 rtc[] = {0x47, 1, 0x70, 0, 0x70, 0, 1, 2,
				 0x89, 6, 0, 3, 1, 8, 0, 0, 0, 0x79, 0};
	static const u8 pvpanic[] = {0x47, 1, 0x05, 0x05, 0x05, 0x05, 1, 1, 0x79, 0};
	static const u8 virtio_mmio[] = {0x86, 9, 0, 1, 0, 0x10, 0, 0xd0, 0, 0x10, 0, 0,
					 0x89, 6, 0, 9, 1, 7, 0, 0, 0, 0x79, 0};
	static const u8 s5[] = {0x08, '_', 'S', '5', '_', 0x12, 7, 4, 0x0a, 5, 0, 0, 0};
	/* clang-format on */

	if (!build(config("mmio")))
		return;
	CHECK(in_dsdt(com1, sizeof(com1)));
	CHECK(in_dsdt(rtc, sizeof(rtc)));
	CHECK(in_dsdt(pvpanic, sizeof(pvpanic)));
	CHECK(in_dsdt(virtio_mmio, sizeof(virtio_mmio)));
	CHECK(in_dsdt(s5, sizeof(s5)));
}

TEST(dsdt_power_button)
{
	/* clang-format off */
	static const u8 button[] = {0x5b, 0x82, 0x15, 'P', 'W', 'R', 'B',
				    8, '_', 'H', 'I', 'D', 0x0c, 0x41, 0xd0, 0x0c, 0x0c,
				    8, '_', 'U', 'I', 'D', 0};
	/* GSI 9, level-triggered, active-high and shared. */
	static const u8 crs[] = {0x89, 6, 0, 9, 1, 9, 0, 0, 0, 0x79, 0};
	/* One byte of I/O at 0x602, and a field of 8 bits in it. */
	static const u8 region[] = {0x5b, 0x80, 'E', 'R', 'E', 'G', 1, 0x0b, 0x02, 0x06, 1,
				    0x5b, 0x81, 0x0b, 'E', 'R', 'E', 'G', 1,
				    'E', 'S', 'T', 'S', 8};
	static const u8 evt[] = {0x14, 0x16, '_', 'E', 'V', 'T', 9,
				 0xa0, 0x0f, 0x7b, 'E', 'S', 'T', 'S', 1, 0,
				 0x86, 'P', 'W', 'R', 'B', 0x0a, 0x80};
	/* clang-format on */

	if (!build(config("typical")))
		return;
	CHECK(in_dsdt(button, sizeof(button)));
	CHECK(in_dsdt(crs, sizeof(crs)));
	CHECK(in_dsdt(region, sizeof(region)));
	CHECK(in_dsdt(evt, sizeof(evt)));
}

TEST(dsdt_host_bridge)
{
	/* clang-format off */
	static const u8 crs[] = {
		/* buses 0-255 */
		0x88, 13, 0, 2, 0x0c, 0, 0, 0, 0, 0, 255, 0, 0, 0, 0, 1,
		/* ports 0xcf8-0xcff, its own */
		0x47, 1, 0xf8, 0x0c, 0xf8, 0x0c, 1, 8,
		/* ports 0x1000-0xffff */
		0x88, 13, 0, 1, 0x0c, 3, 0, 0, 0x00, 0x10, 0xff, 0xff, 0, 0, 0x00, 0xf0,
		/* 0xc0000000-0xcfffffff */
		0x87, 23, 0, 0, 0x0c, 1, 0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff, 0xff, 0xcf,
		0, 0, 0, 0, 0, 0, 0, 0x10,
		/* 0x40_00000000-0x4f_ffffffff */
		0x8a, 43, 0, 0, 0x0c, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0,
		0xff, 0xff, 0xff, 0xff, 0x4f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 0x10, 0, 0, 0,
		0x79, 0,
	};
	/* No I/O window, a small 32-bit one, no 64-bit one. */
	static const u8 small_crs[] = {
		0x88, 13, 0, 2, 0x0c, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0,
		0x47, 1, 0xf8, 0x0c, 0xf8, 0x0c, 1, 8,
		0x87, 23, 0, 0, 0x0c, 1, 0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0x0f, 0, 0xc0,
		0, 0, 0, 0, 0, 0x10, 0, 0,
		0x79, 0,
	};
	/* ECAM as a consumed range, and the sleep ports. */
	static const u8 motherboard[] = {
		0x87, 23, 0, 0, 0x0d, 1, 0, 0, 0, 0, 0, 0, 0, 0xe0, 0xff, 0xff, 0xff, 0xef,
		0, 0, 0, 0, 0, 0, 0, 0x10,
		0x47, 1, 0x00, 0x06, 0x00, 0x06, 1, 2, 0x47, 1, 0x02, 0x06, 0x02, 0x06, 1, 1,
		0x79, 0,
	};
	static const u8 high_ecam[] = {
		0x8a, 43, 0, 0, 0x0d, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0, 0, 0,
		0xff, 0xff, 0xff, 0x0f, 0x50, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0x10, 0, 0, 0, 0,
	};
	/* clang-format on */

	if (build(config("typical"))) {
		CHECK(in_dsdt(crs, sizeof(crs)));
		CHECK(in_dsdt(motherboard, sizeof(motherboard)));
	}
	if (build(config("small")))
		CHECK(in_dsdt(small_crs, sizeof(small_crs)));
	if (build(config("high-ecam")))
		CHECK(in_dsdt(high_ecam, sizeof(high_ecam)));
}

TEST(too_small)
{
	static const char *const names[] = {"typical", "big", "mmio", "small"};
	static u8 buf[ACPI_TABLES_MAX_SIZE];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		const struct acpi_config *cfg = config(names[i]);
		size_t size, used = 0;
		u64 rsdp;

		if (!build(cfg))
			continue;
		for (size = 0; size < out.used; size++) {
			buf[size] = 0xcc;
			if (!CHECK_EQ(acpi_build(cfg, out.gpa, buf, size, &rsdp, &used), -ENOSPC) ||
			    !CHECK_EQ(buf[size], 0xcc)) {
				printf("#     %s, size %zu\n", names[i], size);
				break;
			}
		}
		CHECK_EQ(acpi_build(cfg, out.gpa, buf, out.used, &rsdp, &used), 0);
		CHECK_EQ(used, out.used);
		CHECK(!memcmp(buf, out.buf, out.used));
	}
}

/* What the header promises about sizes. */
TEST(sizes)
{
	static u16 endpoints[256];
	static struct acpi_virtio_mmio mmio[256];
	struct acpi_config cfg = *config("big");
	unsigned int i;
	size_t base;

	for (i = 0; i < 256; i++) {
		endpoints[i] = (u16)i;
		mmio[i] = (struct acpi_virtio_mmio){.base = 0xd0000000 + 0x1000ULL * i,
						    .size = 0x1000,
						    .gsi = 5,
						    .behind_iommu = true,
						    .endpoint = 0x10000 + i};
	}

	cfg.has_viot = true;
	if (!build(&cfg))
		return;
	base = out.used;
	CHECK(base < 13 * KiB);

	cfg.endpoints = endpoints;
	cfg.nr_endpoints = 256;
	if (!build(&cfg))
		return;
	CHECK_EQ(out.used, base + 24 * 256);

	cfg.virtio_mmio = mmio;
	cfg.nr_virtio_mmio = 256;
	if (!build(&cfg))
		return;
	CHECK(out.used <= base + 24 * 256 + 96 * 256);
}

static int try_build(const struct acpi_config *cfg, u64 gpa)
{
	static u8 buf[ACPI_TABLES_MAX_SIZE];
	size_t used;
	u64 rsdp;

	return acpi_build(cfg, gpa, buf, sizeof(buf), &rsdp, &used);
}

#define CHECK_INVALID(field, val)                                     \
	do {                                                          \
		struct acpi_config cfg_ = *config("mmio");            \
		CHECK_EQ(try_build(&cfg_, ACPI_TABLES_GPA), 0);       \
		cfg_.field = (__typeof__(cfg_.field))val;             \
		CHECK_EQ(try_build(&cfg_, ACPI_TABLES_GPA), -EINVAL); \
	} while (0)

#define MMIO(...)	  (&(const struct acpi_virtio_mmio){.base = 0xd0000000, __VA_ARGS__})
#define RANGE(base, size) {base, size}

TEST(invalid)
{
	struct acpi_config cfg = *config("mmio");

	CHECK_EQ(try_build(&cfg, 0xe0008), -EINVAL);
	CHECK_INVALID(nr_cpus, 0);
	CHECK_INVALID(nr_cpus, 256);
	CHECK_INVALID(nr_buses, 0);
	CHECK_INVALID(nr_buses, 257);
	CHECK_INVALID(ecam_base, 0xfffffffff8000000);
	CHECK_INVALID(pci_io, RANGE(0x1000, 0xf001));
	CHECK_INVALID(pci_io, RANGE(0, 0x10000));
	CHECK_INVALID(pci_mem32, RANGE(0xc0000000, 0x40000001));
	CHECK_INVALID(pci_mem32, RANGE(0, 0x100000000));
	CHECK_INVALID(pci_mem64, RANGE(0xffffffffffff0000, 0x10000));
	CHECK_INVALID(serial_port, 0xfff9);
	CHECK_INVALID(serial_gsi, 16);
	CHECK_INVALID(serial_gsi, 8);
	CHECK_INVALID(serial_gsi, 9);
	CHECK_INVALID(has_viot, false); /* but a device is behind it */
	CHECK_INVALID(iommu_mmio, 3);
	CHECK_INVALID(nr_virtio_mmio, 257);
	CHECK_INVALID(nr_endpoints, 65536);

	cfg.iommu_mmio = 0;
	cfg.nr_virtio_mmio = 1;
	cfg.virtio_mmio = MMIO(.size = 0x2fffffff, .gsi = 15);
	CHECK_EQ(try_build(&cfg, ACPI_TABLES_GPA), 0);
	cfg.virtio_mmio = MMIO(.size = 0x30000001, .gsi = 15);
	CHECK_EQ(try_build(&cfg, ACPI_TABLES_GPA), -EINVAL);
	cfg.virtio_mmio = MMIO(.size = 0, .gsi = 15);
	CHECK_EQ(try_build(&cfg, ACPI_TABLES_GPA), -EINVAL);
	cfg.virtio_mmio = MMIO(.size = 0x1000, .gsi = 16);
	CHECK_EQ(try_build(&cfg, ACPI_TABLES_GPA), -EINVAL);
	cfg.virtio_mmio = MMIO(.size = 0x1000, .gsi = 4);
	CHECK_EQ(try_build(&cfg, ACPI_TABLES_GPA), -EINVAL);
	cfg.virtio_mmio = MMIO(.size = 0x1000, .gsi = 8);
	CHECK_EQ(try_build(&cfg, ACPI_TABLES_GPA), -EINVAL);
	cfg.virtio_mmio = MMIO(.size = 0x1000, .gsi = 9);
	CHECK_EQ(try_build(&cfg, ACPI_TABLES_GPA), -EINVAL);
}

TEST(aml_pkg_length)
{
	/* Content length, and the PkgLength before it (20.2.4 counts its own bytes). */
	static const struct {
		size_t len;
		unsigned int nr;
		u8 bytes[4];
	} cases[] = {
		{5, 1, {6}},
		{62, 1, {63}},
		{63, 2, {0x41, 0x04}}, /* 65 */
		{4093, 2, {0x4f, 0xff}}, /* 4095 */
		{4094, 3, {0x81, 0x00, 0x01}}, /* 4097 */
		{1048572, 3, {0x8f, 0xff, 0xff}}, /* 1048575 */
		{1048573, 4, {0xc1, 0, 0, 1}}, /* 1048577 */
	};
	static u8 buf[2 * MiB];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct aml a;
		aml_mark mark;
		size_t n;

		aml_init(&a, buf, sizeof(buf));
		mark = aml_else(&a);
		for (n = 0; n < cases[i].len; n++)
			aml_op(&a, AML_LOCAL0);
		aml_end(&a, mark);
		CHECK_EQ(aml_error(&a), 0);
		CHECK_EQ(a.len, 1 + cases[i].nr + cases[i].len);
		CHECK_EQ(buf[0], 0xa1);
		check_bytes(buf + 1, cases[i].bytes, cases[i].nr);
		CHECK_EQ(buf[1 + cases[i].nr], AML_LOCAL0);
		CHECK_EQ(buf[a.len - 1], AML_LOCAL0);
	}
}

TEST(aml_terms)
{
	/* clang-format off */
	static const u8 want[] = {
		0x00, 0x01, 0x0a, 0x02, 0x0a, 0xff, 0x0b, 0x00, 0x01, 0x0c, 0x00, 0x00, 0x01, 0x00,
		0x0e, 0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01,
		0x0d, 'H', 'i', 0,
		'A', '_', '_', '_',
		'\\', 0x2e, '_', 'S', 'B', '_', 'P', 'C', 'I', '0',
		0x2f, 3, 'A', 'B', 'C', 'D', 'E', '_', '_', '_', 'F', 'G', '_', '_',
		0x0c, 0x41, 0xd0, 0x0a, 0x08,
		0x11, 0x13, 0x0a, 0x10, 0x5b, 0x4d, 0xdb, 0x33, 0xf7, 0x1f, 0x1c, 0x40,
		0x96, 0x57, 0x74, 0x41, 0xc0, 0x3d, 0xd7, 0x66,
	};
	/* clang-format on */
	u8 buf[sizeof(want)];
	struct aml a;

	aml_init(&a, buf, sizeof(buf));
	aml_integer(&a, 0);
	aml_integer(&a, 1);
	aml_integer(&a, 2);
	aml_integer(&a, 0xff);
	aml_integer(&a, 0x100);
	aml_integer(&a, 0x10000);
	aml_integer(&a, 0x0123456789abcdef);
	aml_string(&a, "Hi");
	aml_path(&a, "A");
	aml_path(&a, "\\_SB.PCI0");
	aml_path(&a, "ABCD.E.FG");
	aml_eisaid(&a, "PNP0A08");
	aml_uuid(&a, "33DB4D5B-1FF7-401C-9657-7441C03DD766");
	CHECK_EQ(aml_error(&a), 0);
	if (CHECK_EQ(a.len, sizeof(want)))
		check_bytes(buf, want, sizeof(want));

	/* Full stays full, also for what would fit. */
	aml_op(&a, AML_LOCAL0);
	CHECK_EQ(aml_error(&a), -ENOSPC);
	aml_string(&a, "");
	CHECK_EQ(a.len, sizeof(want));
}

static int write_file(const char *dir, const char *name, const u8 *bytes, size_t len)
{
	char path[4096];
	FILE *f;
	int ret;

	snprintf(path, sizeof(path), "%s/%.4s.dat", dir, name);
	f = fopen(path, "wb");
	if (!f || fwrite(bytes, 1, len, f) != len) {
		perror(path);
		ret = 1;
	} else {
		ret = 0;
	}
	if (f && fclose(f) && !ret) {
		perror(path);
		ret = 1;
	}
	return ret;
}

static int dump_table(const char *dir, const u8 *t)
{
	return !t || write_file(dir, (const char *)t, t, le(t + 4, 4));
}

int unit_main_hook(int argc, char **argv)
{
	const char *name = argc == 4 ? argv[3] : "typical";
	unsigned int i;

	if (argc == 2 && !strcmp(argv[1], "--configs")) {
		for (i = 0; i < ARRAY_SIZE(configs); i++)
			puts(configs[i].name);
		return 0;
	}
	if (argc < 3 || argc > 4 || strcmp(argv[1], "--dump"))
		return -1;
	if (!config(name)) {
		fprintf(stderr, "no configuration %s; --configs lists them\n", name);
		return 2;
	}
	if (!build(config(name)))
		return 1;

	if (write_file(argv[2], "RSDP", out.buf, 36) || dump_table(argv[2], find("XSDT")) ||
	    dump_table(argv[2], find("DSDT")))
		return 1;
	for (i = 0; i < nr_listed(); i++) {
		if (dump_table(argv[2], listed(i)))
			return 1;
	}
	return 0;
}
