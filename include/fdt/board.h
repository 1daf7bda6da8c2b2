/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The machine that arm64 and riscv64 share: its fixed devices, its device tree, and how a kernel
 * gets into it. fdt/ implements most of what machine.h asks of an architecture (memory, board,
 * virtio-mmio slots, power button, load) and asks the architecture for what is below. Each of
 * these prints the reason on failure; -errno.
 */
#ifndef LKVM_FDT_BOARD_H
#define LKVM_FDT_BOARD_H

#include "fdt/layout.h"
#include "fdt/tree.h"
#include "machine.h"

/* Which boot/image.h header kernels have here: IMAGE_ARM64 or IMAGE_RISCV64. */
extern const unsigned int arch_image_kind;

/*
 * The nodes of /cpus, the interrupt controllers, timer and firmware interface, below the root
 * node, which is open. The interrupt controller for wires is FDT_PHANDLE_IRQCHIP, with the
 * #address-cells below; the one for messages is FDT_PHANDLE_MSI, if arch_msi_map() tells of one.
 */
void arch_fdt_nodes(struct machine *m, struct fdt_tree *t);

/* As many cells, all 0, stand in front of a wire's in an "interrupt-map". */
#define FDT_MAX_ADDRESS_CELLS 2
extern const unsigned int arch_fdt_irqchip_address_cells;

/* The cells that name a wire in "interrupts"; returns how many: that depends on the controller. */
#define FDT_MAX_IRQ_CELLS 3
unsigned int arch_fdt_irq(const struct machine *m, u32 gsi, bool edge,
			  u32 cells[FDT_MAX_IRQ_CELLS]);

/*
 * How a PCI function's messages find their controller: MSI_MAP_NONE (there are no messages),
 * MSI_MAP_PARENT ("msi-parent", no device ID) or MSI_MAP_ID ("msi-map": device ID = requester
 * ID).
 */
enum arch_msi_map {
	MSI_MAP_NONE,
	MSI_MAP_PARENT,
	MSI_MAP_ID,
};
enum arch_msi_map arch_msi_map(const struct machine *m);

/* Undoes arch_init_irqchip(), which may have failed, or not been called. By arch_destroy(). */
void arch_destroy_irqchip(struct machine *m);

/* The kernel is at @entry, the device tree at @fdt: registers of all vCPUs. */
int arch_start_vcpus(struct machine *m, u64 entry, u64 fdt);

#endif /* LKVM_FDT_BOARD_H */
