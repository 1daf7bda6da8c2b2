/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the board share. */
#ifndef LKVM_FDT_INTERNAL_H
#define LKVM_FDT_INTERNAL_H

#include "boot/image.h"
#include "fdt/board.h"
#include "fdt/tree.h"
#include "machine.h"

/* The longest tree: what kernels map of it before they know how long it is. */
#define FDT_MAX_SIZE (2 * MiB)

/*
 * Writes the machine's device tree to @buf, with what the kernel at @places needs. With @seeds:
 * with fresh random numbers for the guest's generator and its address space layout. The tree's
 * length in bytes. Prints the reason on failure; -ENOSPC, -EINVAL.
 */
int fdt_describe(struct machine *m, const struct image_places *places, bool seeds, void *buf,
		 size_t size);

/* Writes the tree to the file that the user named. Prints the reason on failure; -errno. */
int fdt_dump(struct machine *m, const struct image_places *places);

/* The node of the PCI host bridge, with what is below it. */
void fdt_describe_pci(struct machine *m, struct fdt_tree *t);

/* "interrupts" of one wire. */
void fdt_prop_irq(struct machine *m, struct fdt_tree *t, u32 gsi, bool edge);

/* Which real-time clock there is: a PL031, or else a goldfish. */
static inline bool fdt_has_pl031(void)
{
	return arch_image_kind == IMAGE_ARM64;
}

/* The wire of INTx pin @pin, 0 is A, of PCI device @dev. */
u32 fdt_intx_gsi(unsigned int dev, unsigned int pin);

#endif /* LKVM_FDT_INTERNAL_H */
