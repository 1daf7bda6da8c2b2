// SPDX-License-Identifier: GPL-2.0-only
/* What a device tree says of the machine: RAM, PCI, virtio-mmio devices, the virtio-iommu. */
#include "rt/arch.h"
#include "rt/core.h"
#include "rt/fdt.h"
#include "rt/firmware.h"
#include "rt/pci.h"

/* Bindings pci/host-generic-pci: the first cell of an address; IEEE 1275 PCI bus binding. */
#define PCI_SPACE_MASK	 0x03000000
#define PCI_SPACE_MEM32	 0x02000000
#define PCI_RANGE_CELLS	 7
#define PCI_CELL_TO_BDF	 8
#define INTX_CHILD_CELLS 4 /* of an interrupt-map: three of an address, the pin */

struct range {
	u64 start, end;
};

#define MAX_HOLES 64

static struct range holes[MAX_HOLES];
static unsigned int nr_holes;

static void add_hole(u64 start, u64 end)
{
	if (nr_holes == MAX_HOLES)
		panic("more than %u pieces of memory are in use", MAX_HOLES);
	if (start < end)
		holes[nr_holes++] = (struct range){start, end};
}

static void find_holes(void)
{
	int chosen = dt_find("/chosen"), reserved = dt_find("/reserved-memory"), node = DT_NONE;
	u64 base, size;
	unsigned int i;

	add_hole(dt_number(chosen, "linux,initrd-start", 0,
			   dt_nr_cells(chosen, "linux,initrd-start")),
		 dt_number(chosen, "linux,initrd-end", 0, dt_nr_cells(chosen, "linux,initrd-end")));
	for (i = 0; dt_reserved(i, &base, &size); i++)
		add_hole(base, base + size);
	while (reserved != DT_NONE && (node = dt_next_child(reserved, node)) != DT_NONE) {
		for (i = 0; dt_reg(node, i, &base, &size); i++)
			add_hole(base, base + size);
	}
}

/* The first piece of [r->start, r->end) without holes; what is behind it is left in @r. */
static struct range take_piece(struct range *r)
{
	struct range piece = *r;
	unsigned int i;
	bool moved;

	do {
		moved = false;
		for (i = 0; i < nr_holes; i++) {
			if (piece.start >= holes[i].start && piece.start < holes[i].end) {
				piece.start = holes[i].end;
				moved = true;
			}
		}
	} while (moved);
	for (i = 0; i < nr_holes; i++) {
		if (holes[i].start > piece.start && holes[i].start < piece.end)
			piece.end = holes[i].start;
	}
	r->start = max(piece.end, piece.start);
	piece.start = align_up(piece.start, PAGE_SIZE);
	piece.end = align_down(piece.end, PAGE_SIZE);
	return piece;
}

static void find_memory(void)
{
	u64 base, size;
	int node = DT_NONE;
	unsigned int i;

	while ((node = dt_next_child(0, node)) != DT_NONE) {
		if (strcmp(dt_string(node, "device_type"), "memory"))
			continue;
		for (i = 0; dt_reg(node, i, &base, &size); i++) {
			struct range bank = {base, base + size};

			while (bank.start < bank.end) {
				struct range piece = take_piece(&bank);

				if (piece.start < piece.end &&
				    piece.end - piece.start > fw.ram_end - fw.ram_start) {
					fw.ram_start = piece.start;
					fw.ram_end = piece.end;
				}
			}
		}
	}
	if (!fw.ram_end)
		panic("the device tree has no free memory");
}

/* Each entry: child address and pin, the controller, an address there, and the interrupt. */
static void parse_interrupt_map(int host)
{
	u32 i = 0, n = dt_nr_cells(host, "interrupt-map"), j;

	fw.intx_bdf_mask = dt_cell(host, "interrupt-map-mask", 0, ~0U) >> PCI_CELL_TO_BDF;
	fw.intx_pin_mask = dt_cell(host, "interrupt-map-mask", 3, ~0U);
	while (i + INTX_CHILD_CELLS < n) {
		int chip = dt_by_phandle(dt_cell(host, "interrupt-map", i + INTX_CHILD_CELLS, 0));
		u32 skip = dt_cell(chip, "#address-cells", 0, 0);
		u32 nr = dt_cell(chip, "#interrupt-cells", 0, 1);
		u32 cells[DT_IRQ_CELLS], irq = i + INTX_CHILD_CELLS + 1 + skip;

		if (nr > DT_IRQ_CELLS || irq + nr > n || fw.nr_intx == FW_MAX_INTX)
			break;
		for (j = 0; j < nr; j++)
			cells[j] = dt_cell(host, "interrupt-map", irq + j, 0);
		fw.intx[fw.nr_intx++] = (struct fw_intx){
			.bdf = dt_cell(host, "interrupt-map", i, 0) >> PCI_CELL_TO_BDF,
			.pin = dt_cell(host, "interrupt-map", i + 3, 0),
			.irq = dt_wire(cells, nr),
		};
		i = irq + nr;
	}
}

static void find_pci(void)
{
	int host = dt_pci_host();
	u64 size;
	u32 i;

	if (!dt_reg(host, 0, &fw.ecam, &size))
		return;
	fw.bus_first = dt_cell(host, "bus-range", 0, 0);
	fw.bus_last = dt_cell(host, "bus-range", 1, fw.bus_first + size / MiB - 1);
	parse_interrupt_map(host);
	for (i = 0; i + PCI_RANGE_CELLS <= dt_nr_cells(host, "ranges"); i += PCI_RANGE_CELLS) {
		u64 bus = dt_number(host, "ranges", i + 1, 2);

		if ((dt_cell(host, "ranges", i, 0) & PCI_SPACE_MASK) == PCI_SPACE_MEM32 &&
		    bus == dt_number(host, "ranges", i + 3, 2))
			pci_assign_bars(bus, dt_number(host, "ranges", i + 5, 2));
	}
}

static void find_mmio(void)
{
	u32 cells[DT_IRQ_CELLS], nr;
	int node = DT_NONE;
	u64 base;

	while ((node = dt_next_compatible(node, "virtio,mmio")) != DT_NONE) {
		if (!dt_reg(node, 0, &base, NULL))
			continue;
		nr = dt_interrupt(node, 0, cells);
		fw_add_mmio(base, nr ? dt_wire(cells, nr) : FW_NO_IRQ);
	}
}

/* The node of the virtio-iommu; the first one is the one. */
static int find_iommu(void)
{
	int node = dt_next_compatible(DT_NONE, "virtio,pci-iommu");
	u64 base;

	if (node != DT_NONE) {
		/* Not an address that the CPU has: the function that it is. */
		fw.iommu = (struct fw_device){
			.bdf = dt_cell(node, "reg", 0, 0) >> PCI_CELL_TO_BDF,
			.irq = FW_NO_IRQ,
		};
		fw.iommu_source = "the device tree";
		return node;
	}
	while ((node = dt_next_compatible(node, "virtio,mmio")) != DT_NONE) {
		if (dt_prop(node, "#iommu-cells", NULL) && dt_reg(node, 0, &base, NULL)) {
			fw.iommu = fw_find_mmio(base)->at;
			fw.iommu_source = "the device tree";
			return node;
		}
	}
	return DT_NONE;
}

static void find_endpoints(int iommu)
{
	u32 phandle = dt_cell(iommu, "phandle", 0, 0), i;
	int host = dt_pci_host(), node = DT_NONE;
	u64 base;

	if (dt_cell(iommu, "#iommu-cells", 0, 0) != 1)
		panic("#iommu-cells of the virtio-iommu is not 1");
	for (i = 0; i + 4 <= dt_nr_cells(host, "iommu-map"); i += 4) {
		u32 first = dt_cell(host, "iommu-map", i, 0);

		if (dt_cell(host, "iommu-map", i + 1, 0) != phandle)
			continue;
		if (fw.nr_ranges == FW_MAX_RANGES)
			panic("iommu-map has more than %u ranges", FW_MAX_RANGES);
		fw.ranges[fw.nr_ranges++] = (struct fw_iommu_range){
			.bdf_first = first,
			.bdf_last = first + dt_cell(host, "iommu-map", i + 3, 0) - 1,
			.endpoint = dt_cell(host, "iommu-map", i + 2, 0),
		};
	}
	while ((node = dt_next_compatible(node, "virtio,mmio")) != DT_NONE) {
		struct fw_mmio *m;

		if (dt_cell(node, "iommus", 0, 0) != phandle || !dt_reg(node, 0, &base, NULL))
			continue;
		m = fw_find_mmio(base);
		m->behind_iommu = true;
		m->endpoint = dt_cell(node, "iommus", 1, 0);
	}
}

void fdt_machine_init(u64 image, u64 image_end)
{
	u64 tree = gpa_of(dt_blob());
	int iommu;

	fw.cmdline = dt_string(dt_find("/chosen"), "bootargs");
	add_hole(image, image_end);
	add_hole(tree, tree + dt_size());
	find_holes();
	find_memory();
	map_ram(fw.ram_start, fw.ram_end - fw.ram_start);
	mem_init(fw.ram_start, fw.ram_end);
	find_mmio();
	find_pci();
	iommu = find_iommu();
	if (iommu != DT_NONE)
		find_endpoints(iommu);
}
