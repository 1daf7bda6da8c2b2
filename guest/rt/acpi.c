// SPDX-License-Identifier: GPL-2.0-only
/* ACPI tables: the RSDP, MCFG (PCI Firmware Specification 4.1.2) and VIOT (ACPI 6.5, 5.2.35). */
#include "rt/arch.h"
#include "rt/core.h"
#include "rt/firmware.h"

struct firmware fw;

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

#define VIOT_PCI_RANGE	      1
#define VIOT_VIRTIO_IOMMU_PCI 3

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
			u16 segment;
			u16 bdf;
		} __packed iommu;
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

static void parse_viot(const struct acpi_viot *viot)
{
	u32 pos = viot->node_offset, iommu_pos = 0;
	unsigned int i;

	/* The first virtio-iommu on PCI segment 0 is the one; then who is behind it. */
	for (i = 0; i < viot->node_count; i++) {
		const struct viot_node *n = (const void *)((const u8 *)viot + pos);

		if (n->type == VIOT_VIRTIO_IOMMU_PCI && !n->iommu.segment && !iommu_pos) {
			fw.iommu_source = "ACPI VIOT";
			fw.iommu_bdf = n->iommu.bdf;
			iommu_pos = pos;
		}
		pos += n->length;
	}
	pos = viot->node_offset;
	for (i = 0; i < viot->node_count; i++) {
		const struct viot_node *n = (const void *)((const u8 *)viot + pos);

		if (n->type == VIOT_PCI_RANGE && !n->range.segment_first && iommu_pos &&
		    n->range.output_node == iommu_pos) {
			if (fw.nr_ranges == FW_MAX_RANGES)
				panic("VIOT has more than %u PCI ranges", FW_MAX_RANGES);
			fw.ranges[fw.nr_ranges++] = (struct fw_iommu_range){
				.bdf_first = n->range.bdf_first,
				.bdf_last = n->range.bdf_last,
				.endpoint = n->range.endpoint,
			};
		}
		pos += n->length;
	}
}

void acpi_init(u64 rsdp_gpa)
{
	struct acpi_rsdp *rsdp = map_phys(rsdp_gpa, sizeof(*rsdp));
	struct acpi_mcfg *mcfg;
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
	viot = acpi_table("VIOT");
	if (viot)
		parse_viot(viot);
}

bool fw_endpoint(u16 bdf, u32 *endpoint)
{
	unsigned int i;

	for (i = 0; i < fw.nr_ranges; i++) {
		const struct fw_iommu_range *r = &fw.ranges[i];

		if (bdf >= r->bdf_first && bdf <= r->bdf_last && bdf != fw.iommu_bdf) {
			*endpoint = r->endpoint + bdf - r->bdf_first;
			return true;
		}
	}
	return false;
}
