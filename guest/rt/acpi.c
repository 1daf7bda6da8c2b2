// SPDX-License-Identifier: GPL-2.0-only
/*
 * ACPI tables: the RSDP, MCFG (PCI Firmware Specification 4.1.2), VIOT (ACPI 6.5, 5.2.35), and
 * the virtio-mmio devices of the DSDT.
 */
#include "rt/arch.h"
#include "rt/core.h"
#include "rt/firmware.h"

struct acpi_rsdp {
	char signature[8];
	u8 checksum;
	char oem[6];
	u8 revision;
	u32 rsdt;
	u32 length;
	u64 xsdt;
	u8 checksum_all;
	u8 reserved[3];
} __packed;

struct acpi_header {
	char signature[4];
	u32 length;
	u8 revision;
	u8 checksum;
	char oem[6];
	char oem_table[8];
	u32 oem_revision;
	u32 creator;
	u32 creator_revision;
} __packed;

struct acpi_mcfg {
	struct acpi_header head;
	u64 reserved;
	struct {
		u64 base;
		u16 segment;
		u8 bus_first, bus_last;
		u32 reserved;
	} __packed entry[];
} __packed;

struct acpi_viot {
	struct acpi_header head;
	u16 node_count;
	u16 node_offset;
	u8 reserved[8];
} __packed;

#define VIOT_PCI_RANGE	       1
#define VIOT_MMIO_ENDPOINT     2
#define VIOT_VIRTIO_IOMMU_PCI  3
#define VIOT_VIRTIO_IOMMU_MMIO 4

struct viot_node {
	u8 type;
	u8 reserved;
	u16 length;
	union {
		struct {
			u32 endpoint;
			u16 segment_first, segment_last;
			u16 bdf_first, bdf_last;
			u16 output_node;
		} __packed range;
		struct {
			u32 endpoint;
			u64 base;
			u16 output_node;
		} __packed mmio;
		struct {
			u16 segment;
			u16 bdf;
		} __packed iommu;
		struct {
			u32 reserved;
			u64 base;
		} __packed iommu_mmio;
	};
} __packed;

static struct acpi_header *root;
static unsigned int entry_size; /* of the root table: 8 (XSDT) or 4 (RSDT) */

static bool checksum_ok(const void *table, u32 len)
{
	const u8 *p = table;
	u8 sum = 0;

	while (len--)
		sum += *p++;
	return !sum;
}

static struct acpi_header *map_table(u64 gpa)
{
	struct acpi_header *h = map_phys(gpa, sizeof(*h));

	map_phys(gpa, h->length);
	return h;
}

void *acpi_table(const char *signature)
{
	u32 i, n = root ? (root->length - sizeof(*root)) / entry_size : 0;

	for (i = 0; i < n; i++) {
		struct acpi_header *h;
		u64 gpa = 0;

		memcpy(&gpa, (u8 *)(root + 1) + i * entry_size, entry_size);
		h = map_table(gpa);
		if (memcmp(h->signature, signature, 4))
			continue;
		if (!checksum_ok(h, h->length))
			panic("ACPI table %s at 0x%lx: wrong checksum", signature, gpa);
		return h;
	}
	return NULL;
}

/* FADT: ACPI 6.5, table 5.9 */
#define FADT_DSDT   40
#define FADT_X_DSDT 140

/* 6.4.3.4 and 6.4.3.6: the small part of a resource template that is looked for. */
#define RES_MEMORY32  0x86
#define RES_INTERRUPT 0x89

struct res_memory32 {
	u8 type;
	u16 length;
	u8 flags;
	u32 base;
	u32 size;
} __packed;

struct res_interrupt {
	u8 type;
	u16 length;
	u8 flags;
	u8 count;
	u32 gsi;
} __packed;

/* The IDs are strings in the byte code, and a device's resources are behind its ID. */
static const char virtio_mmio_id[] = "LNRO0005";

/* A descriptor of that type and length in [p, end), or NULL. */
static const u8 *find_resource(const u8 *p, const u8 *end, u8 type, u16 length)
{
	for (; p + 3 + length <= end; p++) {
		if (p[0] == type && p[1] == length && !p[2])
			return p;
	}
	return NULL;
}

static const u8 *find_id(const u8 *p, const u8 *end)
{
	for (; p + sizeof(virtio_mmio_id) <= end; p++) {
		if (*p == virtio_mmio_id[0] && !memcmp(p, virtio_mmio_id, sizeof(virtio_mmio_id)))
			return p;
	}
	return NULL;
}

/*
 * This guest does not interpret AML. But a static _CRS holds its descriptors as they are,
 * so these are found without: memory, then the interrupt.
 */
static void parse_dsdt(const struct acpi_header *dsdt)
{
	const u8 *end = (const u8 *)dsdt + dsdt->length;
	const u8 *id = find_id((const u8 *)(dsdt + 1), end);

	while (id) {
		const u8 *next = find_id(id + 1, end), *limit = next ? next : end;
		const struct res_memory32 *mem;
		const struct res_interrupt *irq;

		mem = (const void *)find_resource(id, limit, RES_MEMORY32, sizeof(*mem) - 3);
		if (mem) {
			irq = (const void *)find_resource((const u8 *)(mem + 1), limit,
							  RES_INTERRUPT, sizeof(*irq) - 3);
			fw_add_mmio(mem->base, irq ? irq->gsi : FW_NO_IRQ);
		}
		id = next;
	}
}

static const struct acpi_header *find_dsdt(void)
{
	const u8 *fadt = acpi_table("FACP");
	u64 gpa = 0;
	u32 low;

	if (!fadt)
		return NULL;
	if (((const struct acpi_header *)fadt)->length >= FADT_X_DSDT + sizeof(gpa))
		memcpy(&gpa, fadt + FADT_X_DSDT, sizeof(gpa));
	memcpy(&low, fadt + FADT_DSDT, sizeof(low));
	if (!gpa)
		gpa = low;
	return gpa ? map_table(gpa) : NULL;
}

/* The one at @base; made if only the VIOT knows of it. */
static struct fw_mmio *mmio_at(u64 base)
{
	struct fw_mmio *m = fw_find_mmio(base);

	return m ? m : fw_add_mmio(base, FW_NO_IRQ);
}

/* The first virtio-iommu, on PCI segment 0 or on MMIO, is the one: its place, or 0. */
static u32 find_iommu(const struct acpi_viot *viot)
{
	u32 pos = viot->node_offset;
	unsigned int i;

	for (i = 0; i < viot->node_count; i++) {
		const struct viot_node *n = (const void *)((const u8 *)viot + pos);

		if (n->type == VIOT_VIRTIO_IOMMU_PCI && !n->iommu.segment)
			fw.iommu = (struct fw_device){.bdf = n->iommu.bdf, .irq = FW_NO_IRQ};
		else if (n->type == VIOT_VIRTIO_IOMMU_MMIO)
			fw.iommu = mmio_at(n->iommu_mmio.base)->at;
		else {
			pos += n->length;
			continue;
		}
		fw.iommu_source = "ACPI VIOT";
		return pos;
	}
	return 0;
}

static void parse_viot(const struct acpi_viot *viot)
{
	u32 pos = viot->node_offset, iommu_pos = find_iommu(viot);
	unsigned int i;

	for (i = 0; iommu_pos && i < viot->node_count; i++) {
		const struct viot_node *n = (const void *)((const u8 *)viot + pos);

		if (n->type == VIOT_PCI_RANGE && !n->range.segment_first &&
		    n->range.output_node == iommu_pos) {
			if (fw.nr_ranges == FW_MAX_RANGES)
				panic("VIOT has more than %u PCI ranges", FW_MAX_RANGES);
			fw.ranges[fw.nr_ranges++] = (struct fw_iommu_range){
				.bdf_first = n->range.bdf_first,
				.bdf_last = n->range.bdf_last,
				.endpoint = n->range.endpoint,
			};
		} else if (n->type == VIOT_MMIO_ENDPOINT && n->mmio.output_node == iommu_pos) {
			struct fw_mmio *m = mmio_at(n->mmio.base);

			m->behind_iommu = true;
			m->endpoint = n->mmio.endpoint;
		}
		pos += n->length;
	}
}

void acpi_init(u64 rsdp_gpa)
{
	struct acpi_rsdp *rsdp = map_phys(rsdp_gpa, sizeof(*rsdp));
	struct acpi_mcfg *mcfg;
	const struct acpi_header *dsdt;
	struct acpi_viot *viot;

	if (!rsdp_gpa || memcmp(rsdp->signature, "RSD PTR ", 8) || !checksum_ok(rsdp, 20))
		panic("no ACPI root pointer at 0x%lx", rsdp_gpa);
	entry_size = rsdp->revision >= 2 ? 8 : 4;
	root = map_table(rsdp->revision >= 2 ? rsdp->xsdt : rsdp->rsdt);
	if (!checksum_ok(root, root->length))
		panic("the ACPI root table at 0x%lx has a wrong checksum", gpa_of(root));

	mcfg = acpi_table("MCFG");
	if (mcfg && !mcfg->entry[0].segment) {
		fw.ecam = mcfg->entry[0].base;
		fw.bus_first = mcfg->entry[0].bus_first;
		fw.bus_last = mcfg->entry[0].bus_last;
	}
	dsdt = find_dsdt();
	if (dsdt)
		parse_dsdt(dsdt);
	viot = acpi_table("VIOT");
	if (viot)
		parse_viot(viot);
}
