// SPDX-License-Identifier: GPL-2.0-only
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "x86/acpi-tables.h"
#include "x86/acpi.h"
#include "x86/aml.h"

/* Section numbers are of the ACPI Specification, release 6.5. */

#define ACPI_MAX_CPUS	     255
#define ACPI_MAX_BUSES	     256
#define ACPI_MAX_VIRTIO_MMIO 256
#define ACPI_ISA_IRQS	     16
#define ACPI_SERIAL_PORTS    8

#define TABLE_ALIGN 16

#define OEM_ID		 "LKVM  "
#define OEM_TABLE_ID	 "LKVM" /* and then the table's signature */
#define OEM_REVISION	 1
#define CREATOR_ID	 "LKVM"
#define CREATOR_REVISION 1

/* The virtio-iommu is the first node of the VIOT, and the output of all others. */
#define VIOT_IOMMU_OFFSET sizeof(struct acpi_viot)

struct builder {
	u8 *buf;
	size_t size;
	size_t len;
	u64 gpa;
	u64 tables[8]; /* GPAs, for the XSDT */
	unsigned int nr_tables;
};

/* @len zeroed bytes, or NULL. */
static void *alloc(struct builder *b, size_t len)
{
	void *p = b->buf + b->len;

	if (len > b->size - b->len)
		return NULL;
	memset(p, 0, len);
	b->len += len;
	return p;
}

static void *alloc_aligned(struct builder *b, size_t len)
{
	if (!alloc(b, align_up(b->len, TABLE_ALIGN) - b->len))
		return NULL;
	return alloc(b, len);
}

static u64 gpa_of(const struct builder *b, const void *p)
{
	return b->gpa + (u64)((const u8 *)p - b->buf);
}

/* What makes the sum of all bytes zero, for a checksum field that is still zero. */
static u8 checksum(const void *p, size_t len)
{
	const u8 *bytes = p;
	u8 sum = 0;

	while (len--)
		sum = (u8)(sum + *bytes++);
	return (u8)-sum;
}

/* Opens a table: @len zeroed bytes, all but length and checksum of the header filled in. */
static void *begin_table(struct builder *b, const char *signature, u8 revision, size_t len)
{
	struct acpi_header *h = alloc_aligned(b, len);

	if (!h)
		return NULL;
	memcpy(h->signature, signature, 4);
	h->revision = revision;
	memcpy(h->oem_id, OEM_ID, 6);
	memcpy(h->oem_table_id, OEM_TABLE_ID, 4);
	memcpy(h->oem_table_id + 4, signature, 4);
	h->oem_revision = OEM_REVISION;
	memcpy(h->creator_id, CREATOR_ID, 4);
	h->creator_revision = CREATOR_REVISION;
	return h;
}

/* The table ends where the builder is; after this it must not change. */
static void end_table(struct builder *b, struct acpi_header *h)
{
	h->length = (u32)(b->buf + b->len - (u8 *)h);
	h->checksum = checksum(h, h->length);
}

static void end_listed_table(struct builder *b, struct acpi_header *h)
{
	end_table(b, h);
	assert(b->nr_tables < ARRAY_SIZE(b->tables));
	b->tables[b->nr_tables++] = gpa_of(b, h);
}

static struct acpi_gas io_byte(u16 port)
{
	return (struct acpi_gas){
		.space = GAS_SYSTEM_IO,
		.bit_width = 8,
		.access_size = GAS_ACCESS_BYTE,
		.address = port,
	};
}

/* PCI Firmware Specification 3.3, 4.5: bits of the capabilities buffer. */
#define OSC_UNKNOWN_UUID     BIT(2)
#define OSC_UNKNOWN_REVISION BIT(3)
#define OSC_MASKED	     BIT(4)
#define OSC_HOTPLUG	     BIT(0)
#define OSC_SHPC	     BIT(1)
#define OSC_PME		     BIT(2)
#define OSC_AER		     BIT(3)
#define OSC_PCIE_CAPABILITY  BIT(4)
#define OSC_LTR		     BIT(5)
#define OSC_DPC		     BIT(7)

static void osc_set_error(struct aml *a, u32 bit)
{
	aml_op(a, AML_OR);
	aml_path(a, "CDW1");
	aml_integer(a, bit);
	aml_path(a, "CDW1");
}

/*
 * 6.2.11 _OSC: no firmware runs beside the guest, so every feature that may be asked
 * for is granted.
 */
static void add_osc(struct aml *a)
{
	aml_mark method, block;

	/* Serialized, because it creates named objects. */
	method = aml_method(a, "_OSC", 4, true);

	aml_op(a, AML_CREATE_DWORD);
	aml_op(a, AML_ARG0 + 3);
	aml_integer(a, 0);
	aml_path(a, "CDW1");

	block = aml_if(a);
	aml_op(a, AML_LEQUAL);
	aml_op(a, AML_ARG0);
	aml_uuid(a, "33db4d5b-1ff7-401c-9657-7441c03dd766");
	{
		aml_mark inner;

		aml_op(a, AML_CREATE_DWORD);
		aml_op(a, AML_ARG0 + 3);
		aml_integer(a, 8);
		aml_path(a, "CDW3");

		aml_op(a, AML_AND);
		aml_path(a, "CDW3");
		aml_integer(a, OSC_HOTPLUG | OSC_SHPC | OSC_PME | OSC_AER | OSC_PCIE_CAPABILITY |
				       OSC_LTR | OSC_DPC);
		aml_op(a, AML_LOCAL0);

		inner = aml_if(a);
		aml_op(a, AML_LNOT);
		aml_op(a, AML_LEQUAL);
		aml_op(a, AML_ARG0 + 1);
		aml_integer(a, 1);
		osc_set_error(a, OSC_UNKNOWN_REVISION);
		aml_end(a, inner);

		inner = aml_if(a);
		aml_op(a, AML_LNOT);
		aml_op(a, AML_LEQUAL);
		aml_path(a, "CDW3");
		aml_op(a, AML_LOCAL0);
		osc_set_error(a, OSC_MASKED);
		aml_end(a, inner);

		aml_op(a, AML_STORE);
		aml_op(a, AML_LOCAL0);
		aml_path(a, "CDW3");
	}
	aml_end(a, block);

	block = aml_else(a);
	osc_set_error(a, OSC_UNKNOWN_UUID);
	aml_end(a, block);

	aml_op(a, AML_RETURN);
	aml_op(a, AML_ARG0 + 3);
	aml_end(a, method);
}

/*
 * 6.2.13 _PRT, wired to GSIs directly. It has no place for a polarity: guests take the
 * active-low of PCI and KVM does not look at the IOAPIC's polarity bit.
 */
static void add_prt(struct aml *a)
{
	unsigned int dev, pin;
	aml_mark prt;

	aml_name(a, "_PRT");
	prt = aml_package(a, 32 * 4);
	for (dev = 0; dev < 32; dev++) {
		for (pin = 0; pin < 4; pin++) {
			aml_mark entry = aml_package(a, 4);

			aml_integer(a, dev << 16 | 0xffff); /* every function */
			aml_integer(a, pin);
			aml_integer(a, 0); /* no link device: next is the GSI */
			aml_integer(a, acpi_pci_gsi(dev, pin));
			aml_end(a, entry);
		}
	}
	aml_end(a, prt);
}

static void add_window(struct aml *a, enum aml_space space, const struct acpi_range *r)
{
	if (r->size)
		aml_res_range(a, space, true, r->base, r->size);
}

static void add_host_bridge(struct aml *a, const struct acpi_config *cfg)
{
	aml_mark dev, crs;

	dev = aml_device(a, "PCI0");
	aml_name(a, "_HID");
	aml_eisaid(a, "PNP0A08");
	aml_name(a, "_CID");
	aml_eisaid(a, "PNP0A03");
	aml_name(a, "_UID");
	aml_integer(a, 0);
	aml_name(a, "_SEG");
	aml_integer(a, 0);
	aml_name(a, "_BBN");
	aml_integer(a, 0);

	aml_name(a, "_CRS");
	crs = aml_resources(a);
	aml_res_range(a, AML_SPACE_BUS, true, 0, cfg->nr_buses);
	aml_res_io(a, 0xcf8, 8); /* the configuration ports: the bridge's own */
	add_window(a, AML_SPACE_IO, &cfg->pci_io);
	add_window(a, AML_SPACE_MEMORY, &cfg->pci_mem32);
	add_window(a, AML_SPACE_MEMORY, &cfg->pci_mem64);
	aml_end_resources(a, crs);

	add_prt(a);
	add_osc(a);
	aml_end(a, dev);
}

/* Registers that no other device claims; Linux uses ECAM only if one does. */
static void add_motherboard(struct aml *a, const struct acpi_config *cfg)
{
	aml_mark dev, crs;

	dev = aml_device(a, "MBRD");
	aml_name(a, "_HID");
	aml_eisaid(a, "PNP0C02");
	aml_name(a, "_UID");
	aml_integer(a, 0);
	aml_name(a, "_CRS");
	crs = aml_resources(a);
	aml_res_range(a, AML_SPACE_MEMORY, false, cfg->ecam_base, (u64)cfg->nr_buses << 20);
	aml_res_io(a, ACPI_SLEEP_CONTROL_PORT, 2);
	aml_res_io(a, ACPI_EVENT_PORT, 1);
	aml_end_resources(a, crs);
	aml_end(a, dev);
}

/* A device of the ISA kind: ports and an edge-triggered interrupt. */
static void add_isa_device(struct aml *a, const char *name, const char *hid, u16 port, u8 nr_ports,
			   u32 gsi)
{
	aml_mark dev, crs;

	dev = aml_device(a, name);
	aml_name(a, "_HID");
	aml_eisaid(a, hid);
	aml_name(a, "_UID");
	aml_integer(a, 0);
	aml_name(a, "_CRS");
	crs = aml_resources(a);
	aml_res_io(a, port, nr_ports);
	aml_res_interrupt(a, gsi, false);
	aml_end_resources(a, crs);
	aml_end(a, dev);
}

static void add_pvpanic(struct aml *a)
{
	aml_mark dev, crs;

	dev = aml_device(a, "PEVT");
	aml_name(a, "_HID");
	aml_string(a, "QEMU0001");
	aml_name(a, "_STA");
	aml_integer(a, 0xf); /* 6.3.7: present, enabled, shown, working */
	aml_name(a, "_CRS");
	crs = aml_resources(a);
	aml_res_io(a, ACPI_PVPANIC_PORT, 1);
	aml_end_resources(a, crs);
	aml_end(a, dev);
}

#define NOTIFY_BUTTON_PRESSED 0x80 /* 5.6.6, power button */

/* 4.8.2.2.1.2: the button as a control-method device, which has no registers of its own. */
static void add_power_button(struct aml *a)
{
	aml_mark dev = aml_device(a, "PWRB");

	aml_name(a, "_HID");
	aml_eisaid(a, "PNP0C0C");
	aml_name(a, "_UID");
	aml_integer(a, 0);
	aml_end(a, dev);
}

/* 5.6.9 Generic Event Device: turns its interrupt into notifications of the button. */
static void add_event_device(struct aml *a)
{
	aml_mark dev, crs, method, block;

	dev = aml_device(a, "GED");
	aml_name(a, "_HID");
	aml_string(a, "ACPI0013");
	aml_name(a, "_UID");
	aml_integer(a, 0);
	aml_name(a, "_CRS");
	crs = aml_resources(a);
	aml_res_interrupt(a, ACPI_EVENT_GSI, true);
	aml_end_resources(a, crs);
	aml_io_byte(a, "EREG", ACPI_EVENT_PORT, 1, "ESTS");

	/* The argument is the GSI, and there is only one. Serialized: the read clears. */
	method = aml_method(a, "_EVT", 1, true);
	block = aml_if(a);
	aml_op(a, AML_AND);
	aml_path(a, "ESTS");
	aml_integer(a, 1);
	aml_op(a, AML_NULL_TARGET);
	aml_op(a, AML_NOTIFY);
	aml_path(a, "PWRB"); /* beside this device, found from within it */
	aml_integer(a, NOTIFY_BUTTON_PRESSED);
	aml_end(a, block);
	aml_end(a, method);
	aml_end(a, dev);
}

static void add_virtio_mmio(struct aml *a, unsigned int uid, const struct acpi_virtio_mmio *m)
{
	aml_mark dev, crs;
	char name[5];

	snprintf(name, sizeof(name), "V%03X", uid & 0xfff);
	dev = aml_device(a, name);
	aml_name(a, "_HID");
	aml_string(a, "LNRO0005");
	aml_name(a, "_UID");
	aml_integer(a, uid);
	aml_name(a, "_CRS");
	crs = aml_resources(a);
	aml_res_memory32(a, (u32)m->base, (u32)m->size);
	aml_res_interrupt(a, m->gsi, true);
	aml_end_resources(a, crs);
	aml_end(a, dev);
}

/* 8.4: _UID ties the device to the MADT entry. */
static void add_cpu(struct aml *a, unsigned int uid)
{
	aml_mark dev;
	char name[5];

	snprintf(name, sizeof(name), "C%03X", uid & 0xfff);
	dev = aml_device(a, name);
	aml_name(a, "_HID");
	aml_string(a, "ACPI0007");
	aml_name(a, "_UID");
	aml_integer(a, uid);
	aml_end(a, dev);
}

static int add_dsdt(struct builder *b, const struct acpi_config *cfg, u64 *dsdt_gpa)
{
	struct acpi_header *h;
	aml_mark scope, s5;
	unsigned int i;
	struct aml a;
	int ret;

	h = begin_table(b, "DSDT", DSDT_REVISION, sizeof(*h));
	if (!h)
		return -ENOSPC;
	aml_init(&a, b->buf + b->len, b->size - b->len);

	scope = aml_scope(&a, "_SB");
	for (i = 0; i < cfg->nr_cpus; i++)
		add_cpu(&a, i);
	add_host_bridge(&a, cfg);
	add_motherboard(&a, cfg);
	add_isa_device(&a, "COM1", "PNP0501", cfg->serial_port, ACPI_SERIAL_PORTS, cfg->serial_gsi);
	add_isa_device(&a, "RTC", "PNP0B00", ACPI_RTC_PORT, 2, ACPI_RTC_GSI);
	add_pvpanic(&a);
	add_power_button(&a);
	add_event_device(&a);
	for (i = 0; i < cfg->nr_virtio_mmio; i++)
		add_virtio_mmio(&a, i, &cfg->virtio_mmio[i]);
	aml_end(&a, scope);

	/* 7.4.2: the first element is what goes into SLP_TYP of SLEEP_CONTROL_REG. */
	aml_name(&a, "_S5");
	s5 = aml_package(&a, 4);
	aml_integer(&a, ACPI_SLEEP_TYPE_S5);
	aml_integer(&a, 0);
	aml_integer(&a, 0);
	aml_integer(&a, 0);
	aml_end(&a, s5);

	ret = aml_error(&a);
	if (ret)
		return ret;
	b->len += a.len;
	end_table(b, h);
	*dsdt_gpa = gpa_of(b, h);
	return 0;
}

static int add_fadt(struct builder *b, u64 dsdt_gpa)
{
	struct acpi_fadt *t = begin_table(b, "FACP", FADT_REVISION, sizeof(*t));

	if (!t)
		return -ENOSPC;
	/* Both, for guests that know only the old field. */
	if (dsdt_gpa <= UINT32_MAX)
		t->dsdt = (u32)dsdt_gpa;
	t->x_dsdt = dsdt_gpa;
	t->minor_version = FADT_MINOR_VERSION;
	t->preferred_pm_profile = FADT_ENTERPRISE_SERVER;
	t->p_lvl2_lat = FADT_NO_C2;
	t->p_lvl3_lat = FADT_NO_C3;
	t->century = ACPI_RTC_CENTURY;
	t->iapc_boot_arch = FADT_LEGACY_DEVICES | FADT_NO_VGA;
	t->flags = FADT_WBINVD | FADT_PROC_C1 | FADT_NO_FIXED_PWRBTN | FADT_NO_FIXED_SLPBTN |
		   FADT_NO_FIXED_RTC | FADT_RESET_REG_SUP | FADT_HEADLESS | FADT_HW_REDUCED_ACPI;
	t->reset_reg = io_byte(ACPI_RESET_PORT);
	t->reset_value = ACPI_RESET_VALUE;
	t->sleep_control_reg = io_byte(ACPI_SLEEP_CONTROL_PORT);
	t->sleep_status_reg = io_byte(ACPI_SLEEP_STATUS_PORT);
	memcpy(t->hypervisor_vendor_id, "LKVM", 4);
	end_listed_table(b, &t->header);
	return 0;
}

/* What an interrupt below 16 is, for guests that take the kind from here. */
static int add_override(struct builder *b, u8 irq, u16 trigger)
{
	struct acpi_madt_override *o = alloc(b, sizeof(*o));

	if (!o)
		return -ENOSPC;
	*o = (struct acpi_madt_override){
		.type = MADT_OVERRIDE,
		.length = sizeof(*o),
		.source = irq,
		.gsi = irq,
		.flags = MADT_ACTIVE_HIGH | trigger,
	};
	return 0;
}

static int add_madt(struct builder *b, const struct acpi_config *cfg)
{
	struct acpi_madt *t = begin_table(b, "APIC", MADT_REVISION, sizeof(*t));
	struct acpi_madt_ioapic *ioapic;
	struct acpi_madt_lapic *lapic;
	unsigned int i;

	if (!t)
		return -ENOSPC;
	t->lapic_address = ACPI_LAPIC_BASE;

	lapic = alloc(b, cfg->nr_cpus * sizeof(*lapic));
	if (!lapic)
		return -ENOSPC;
	for (i = 0; i < cfg->nr_cpus; i++) {
		lapic[i] = (struct acpi_madt_lapic){
			.type = MADT_LAPIC,
			.length = sizeof(*lapic),
			.processor_uid = (u8)i,
			.apic_id = (u8)i,
			.flags = MADT_LAPIC_ENABLED,
		};
	}

	ioapic = alloc(b, sizeof(*ioapic));
	if (!ioapic)
		return -ENOSPC;
	*ioapic = (struct acpi_madt_ioapic){
		.type = MADT_IOAPIC,
		.length = sizeof(*ioapic),
		.ioapic_id = (u8)cfg->nr_cpus,
		.address = ACPI_IOAPIC_BASE,
	};

	if (add_override(b, (u8)cfg->serial_gsi, MADT_EDGE) ||
	    add_override(b, ACPI_RTC_GSI, MADT_EDGE) || add_override(b, ACPI_EVENT_GSI, MADT_LEVEL))
		return -ENOSPC;
	end_listed_table(b, &t->header);
	return 0;
}

static int add_mcfg(struct builder *b, const struct acpi_config *cfg)
{
	struct acpi_mcfg *t = begin_table(b, "MCFG", MCFG_REVISION, sizeof(*t));

	if (!t)
		return -ENOSPC;
	t->base = cfg->ecam_base;
	t->end_bus = (u8)(cfg->nr_buses - 1);
	end_listed_table(b, &t->header);
	return 0;
}

static int add_spcr(struct builder *b, const struct acpi_config *cfg)
{
	static const char device[] = "\\_SB.COM1";
	struct acpi_spcr *t = begin_table(b, "SPCR", SPCR_REVISION, sizeof(*t) + sizeof(device));

	if (!t)
		return -ENOSPC;
	t->interface_type = SPCR_16550;
	t->base_address = io_byte(cfg->serial_port);
	t->interrupt_type = SPCR_IOAPIC;
	t->gsi = cfg->serial_gsi;
	t->baud_rate = SPCR_115200;
	t->stop_bits = SPCR_ONE_STOP_BIT;
	t->terminal_type = SPCR_VT_UTF8;
	t->pci_device = SPCR_NOT_PCI;
	t->pci_vendor = SPCR_NOT_PCI;
	t->namespace_string_length = sizeof(device);
	t->namespace_string_offset = sizeof(*t);
	memcpy(t + 1, device, sizeof(device));
	end_listed_table(b, &t->header);
	return 0;
}

static void *alloc_node(struct builder *b, struct acpi_viot *t, u8 type, size_t len)
{
	struct acpi_viot_node *node = alloc(b, len);

	if (!node)
		return NULL;
	node->type = type;
	node->length = (u16)len;
	t->node_count++;
	return node;
}

static int add_viot(struct builder *b, const struct acpi_config *cfg)
{
	struct acpi_viot *t = begin_table(b, "VIOT", VIOT_REVISION, sizeof(*t));
	unsigned int i;

	if (!t)
		return -ENOSPC;
	t->node_offset = VIOT_IOMMU_OFFSET;

	if (cfg->iommu_is_mmio) {
		struct acpi_viot_iommu_mmio *n = alloc_node(b, t, VIOT_IOMMU_MMIO, sizeof(*n));

		if (!n)
			return -ENOSPC;
		n->base = cfg->virtio_mmio[cfg->iommu_mmio].base;
	} else {
		struct acpi_viot_iommu_pci *n = alloc_node(b, t, VIOT_IOMMU_PCI, sizeof(*n));

		if (!n)
			return -ENOSPC;
		n->bdf = cfg->iommu_bdf;
	}

	for (i = 0; i < cfg->nr_endpoints; i++) {
		struct acpi_viot_pci_range *n = alloc_node(b, t, VIOT_PCI_RANGE, sizeof(*n));

		if (!n)
			return -ENOSPC;
		n->endpoint_start = cfg->endpoints[i];
		n->bdf_start = cfg->endpoints[i];
		n->bdf_end = cfg->endpoints[i];
		n->output_node = VIOT_IOMMU_OFFSET;
	}

	for (i = 0; i < cfg->nr_virtio_mmio; i++) {
		const struct acpi_virtio_mmio *m = &cfg->virtio_mmio[i];
		struct acpi_viot_mmio_endpoint *n;

		if (!m->behind_iommu)
			continue;
		n = alloc_node(b, t, VIOT_MMIO_ENDPOINT, sizeof(*n));
		if (!n)
			return -ENOSPC;
		n->endpoint = m->endpoint;
		n->base = m->base;
		n->output_node = VIOT_IOMMU_OFFSET;
	}
	end_listed_table(b, &t->header);
	return 0;
}

static int add_xsdt(struct builder *b, u64 *xsdt_gpa)
{
	size_t len = b->nr_tables * sizeof(b->tables[0]);
	struct acpi_header *h = begin_table(b, "XSDT", XSDT_REVISION, sizeof(*h) + len);

	if (!h)
		return -ENOSPC;
	memcpy(h + 1, b->tables, len);
	end_table(b, h);
	*xsdt_gpa = gpa_of(b, h);
	return 0;
}

/* [base, base + size) is not empty, does not wrap, and ends at or below @limit. */
static bool fits(u64 base, u64 size, u64 limit)
{
	return size && size <= limit && base <= limit - size;
}

static bool window_fits(const struct acpi_range *r, u64 limit)
{
	return !r->size || fits(r->base, r->size, limit);
}

static bool is_taken(u32 gsi)
{
	return gsi == ACPI_RTC_GSI || gsi == ACPI_EVENT_GSI;
}

static bool config_valid(const struct acpi_config *cfg)
{
	unsigned int i;

	if (!cfg->nr_cpus || cfg->nr_cpus > ACPI_MAX_CPUS)
		return false;
	if (!cfg->nr_buses || cfg->nr_buses > ACPI_MAX_BUSES)
		return false;
	if (!fits(cfg->ecam_base, (u64)cfg->nr_buses << 20, UINT64_MAX))
		return false;
	/* A word holds the last port, but not 64 Ki as the length. */
	if (!window_fits(&cfg->pci_io, 64 * KiB) || cfg->pci_io.size == 64 * KiB)
		return false;
	if (!window_fits(&cfg->pci_mem32, 4 * GiB) || cfg->pci_mem32.size == 4 * GiB)
		return false;
	if (!window_fits(&cfg->pci_mem64, UINT64_MAX))
		return false;
	if (!fits(cfg->serial_port, ACPI_SERIAL_PORTS, 64 * KiB))
		return false;
	if (cfg->serial_gsi >= ACPI_ISA_IRQS || is_taken(cfg->serial_gsi))
		return false;

	if (cfg->nr_virtio_mmio > ACPI_MAX_VIRTIO_MMIO)
		return false;
	for (i = 0; i < cfg->nr_virtio_mmio; i++) {
		const struct acpi_virtio_mmio *m = &cfg->virtio_mmio[i];

		if (!fits(m->base, m->size, 4 * GiB) || m->size == 4 * GiB)
			return false;
		if (m->gsi >= ACPI_ISA_IRQS || is_taken(m->gsi) || m->gsi == cfg->serial_gsi)
			return false;
		if (m->behind_iommu && !cfg->has_viot)
			return false;
	}
	if (cfg->has_viot && cfg->iommu_is_mmio && cfg->iommu_mmio >= cfg->nr_virtio_mmio)
		return false;
	/* node_count has 16 bits; no BDF is there twice. */
	return cfg->nr_endpoints < UINT16_MAX - ACPI_MAX_VIRTIO_MMIO;
}

int acpi_build(const struct acpi_config *cfg, u64 gpa, void *buf, size_t size, u64 *rsdp_gpa,
	       size_t *used)
{
	struct builder b = {.buf = buf, .size = size, .gpa = gpa};
	struct acpi_rsdp *rsdp;
	u64 dsdt_gpa, xsdt_gpa;
	int ret;

	if (!is_aligned(gpa, TABLE_ALIGN) || !config_valid(cfg))
		return -EINVAL;

	rsdp = alloc(&b, sizeof(*rsdp));
	if (!rsdp)
		return -ENOSPC;
	ret = add_dsdt(&b, cfg, &dsdt_gpa);
	if (ret)
		return ret;
	ret = add_fadt(&b, dsdt_gpa);
	if (ret)
		return ret;
	ret = add_madt(&b, cfg);
	if (ret)
		return ret;
	ret = add_mcfg(&b, cfg);
	if (ret)
		return ret;
	ret = add_spcr(&b, cfg);
	if (ret)
		return ret;
	if (cfg->has_viot) {
		ret = add_viot(&b, cfg);
		if (ret)
			return ret;
	}
	ret = add_xsdt(&b, &xsdt_gpa);
	if (ret)
		return ret;

	memcpy(rsdp->signature, "RSD PTR ", 8);
	memcpy(rsdp->oem_id, OEM_ID, 6);
	rsdp->revision = RSDP_REVISION;
	rsdp->length = sizeof(*rsdp);
	rsdp->xsdt_address = xsdt_gpa;
	rsdp->checksum = checksum(rsdp, offsetof(struct acpi_rsdp, length));
	rsdp->extended_checksum = checksum(rsdp, sizeof(*rsdp));

	*rsdp_gpa = gpa_of(&b, rsdp);
	*used = b.len;
	return 0;
}
