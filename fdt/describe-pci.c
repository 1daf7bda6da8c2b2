// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PCI host bridge: bindings pci/host-generic-pci, pci/pci-msi, pci/pci-iommu and
 * virtio/pci-iommu in Linux, and IEEE 1275's PCI binding.
 */
#include "fdt/board.h"
#include "internal.h"

/* The first cell of an address: the kind of space, and what a function is. */
#define SPACE_MEM32   0x02000000
#define SPACE_MEM64   0x03000000
#define DEVFN_SHIFT   8
#define DEVICE_SHIFT  11
#define RIDS_PER_BUS  256
#define RIDS_PER_SLOT 8
#define RANGE_CELLS   7
#define INTX_PINS     4
#define INTX_DEVICES  4 /* after which the wiring repeats */
#define INTX_MAX_CELLS \
	(INTX_DEVICES * INTX_PINS * (3 + 1 + 1 + FDT_MAX_ADDRESS_CELLS + FDT_MAX_IRQ_CELLS))

/* A window with the same addresses on both sides of the bridge; returns how many cells. */
static unsigned int put_window(u32 *cells, u32 space, u64 base, u64 size)
{
	const u32 window[RANGE_CELLS] = {
		space, base >> 32, base, base >> 32, base, size >> 32, size,
	};

	for (unsigned int i = 0; i < RANGE_CELLS; i++)
		cells[i] = window[i];
	return RANGE_CELLS;
}

static void add_windows(struct machine *m, struct fdt_tree *t)
{
	u64 mem64 = pci_mem64_base(&m->vm.mem, FDT_RAM_BASE, FDT_PCI_MEM64_SIZE, m->vm.phys_bits);
	u32 cells[2 * RANGE_CELLS];
	unsigned int nr;

	nr = put_window(cells, SPACE_MEM32, FDT_PCI_MEM32_BASE, FDT_PCI_MEM32_SIZE);
	if (mem64)
		nr += put_window(cells + nr, SPACE_MEM64, mem64, FDT_PCI_MEM64_SIZE);
	fdt_prop_cells(t, "ranges", cells, nr);
}

/* Which wire each pin of each device is on. */
static void add_intx(struct machine *m, struct fdt_tree *t)
{
	static const u32 mask[] = {(INTX_DEVICES - 1) << DEVICE_SHIFT, 0, 0, 7};
	u32 cells[INTX_MAX_CELLS];
	unsigned int nr = 0;

	for (unsigned int dev = 0; dev < INTX_DEVICES; dev++) {
		for (unsigned int pin = 0; pin < INTX_PINS; pin++) {
			cells[nr++] = dev << DEVICE_SHIFT;
			cells[nr++] = 0;
			cells[nr++] = 0;
			cells[nr++] = pin + 1;
			cells[nr++] = FDT_PHANDLE_IRQCHIP;
			for (unsigned int i = 0; i < arch_fdt_irqchip_address_cells; i++)
				cells[nr++] = 0;
			nr += arch_fdt_irq(m, fdt_intx_gsi(dev, pin), false, cells + nr);
		}
	}
	fdt_prop_u32(t, "#interrupt-cells", 1);
	fdt_prop_cells(t, "interrupt-map-mask", mask, ARRAY_SIZE(mask));
	fdt_prop_cells(t, "interrupt-map", cells, nr);
}

static void add_msi(struct machine *m, struct fdt_tree *t)
{
	static const u32 map[] = {0, FDT_PHANDLE_MSI, 0, FDT_PCI_BUSES * RIDS_PER_BUS};

	switch (arch_msi_map(m)) {
	case MSI_MAP_NONE:
		break;
	case MSI_MAP_PARENT:
		fdt_prop_u32(t, "msi-parent", FDT_PHANDLE_MSI);
		break;
	case MSI_MAP_ID:
		fdt_prop_cells(t, "msi-map", map, ARRAY_SIZE(map));
		break;
	}
}

/*
 * Ranges of requester IDs that are behind the IOMMU, each the same number there. What is in none
 * of them is not: the host bridge, the IOMMU itself, and devices that the user took out.
 */
static void add_iommu_map(struct machine *m, struct fdt_tree *t)
{
	u32 cells[MACHINE_MAX_PCI * 4];
	unsigned int nr = 0;

	for (unsigned int i = 0; i < m->nr_devices; i++) {
		const struct machine_device *d = m->devices[i];
		u32 rid;

		if (d->transport != VIRTIO_TRANSPORT_PCI || !d->behind_iommu)
			continue;
		rid = d->ep.id;
		if (nr && cells[nr - 4] + cells[nr - 1] == rid) {
			cells[nr - 1] += RIDS_PER_SLOT;
			continue;
		}
		cells[nr++] = rid;
		cells[nr++] = FDT_PHANDLE_IOMMU;
		cells[nr++] = rid;
		cells[nr++] = RIDS_PER_SLOT;
	}
	if (nr)
		fdt_prop_cells(t, "iommu-map", cells, nr);
}

static void add_iommu(struct machine *m, struct fdt_tree *t)
{
	static const char compatible[] = "virtio,pci-iommu\0pci1af4,1057";
	const struct machine_device *d = m->viommu_device;
	u32 reg[5] = {0};

	if (!d || d->transport != VIRTIO_TRANSPORT_PCI)
		return;
	reg[0] = (u32)pci_bdf(&d->pci.pci) << DEVFN_SHIFT;
	fdt_tree_begin(t, "iommu@%x,%x", pci_bdf(&d->pci.pci) >> 3, pci_bdf(&d->pci.pci) & 7);
	fdt_prop_strings(t, "compatible", compatible, sizeof(compatible));
	fdt_prop_cells(t, "reg", reg, ARRAY_SIZE(reg));
	fdt_prop_u32(t, "#iommu-cells", 1);
	fdt_prop_phandle(t, FDT_PHANDLE_IOMMU);
	fdt_tree_end(t);
}

void fdt_describe_pci(struct machine *m, struct fdt_tree *t)
{
	static const u32 bus_range[] = {0, FDT_PCI_BUSES - 1};

	fdt_tree_begin(t, "pcie@%llx", FDT_ECAM_BASE);
	fdt_prop_string(t, "compatible", "pci-host-ecam-generic");
	fdt_prop_string(t, "device_type", "pci");
	fdt_prop_reg(t, FDT_ECAM_BASE, FDT_ECAM_SIZE);
	fdt_prop_cells(t, "bus-range", bus_range, ARRAY_SIZE(bus_range));
	fdt_prop_u32(t, "#address-cells", 3);
	fdt_prop_u32(t, "#size-cells", 2);
	fdt_prop_empty(t, "dma-coherent");
	add_windows(m, t);
	add_intx(m, t);
	add_msi(m, t);
	add_iommu_map(m, t);
	add_iommu(m, t);
	fdt_tree_end(t);
}
