/* SPDX-License-Identifier: GPL-2.0-only */
/* The machine's interrupt controller: the AIA of the host's KVM, or our PLIC. */
#ifndef LKVM_RISCV_IRQCHIP_H
#define LKVM_RISCV_IRQCHIP_H

#include "fdt/tree.h"
#include "machine.h"
#include "riscv/plic.h"

/* In the order of arch_irqchips[]. */
enum riscv_irqchip {
	RISCV_IRQCHIP_BEST,
	RISCV_IRQCHIP_AIA,
	RISCV_IRQCHIP_PLIC,
};

struct arch_irqchip {
	enum riscv_irqchip kind; /* AIA or PLIC */
	struct plic plic; /* if it is that */
	int aia_fd; /* -1: there is none */
	u32 aia_ids; /* interrupt identities of an IMSIC: 1 to this */
};

/* Before the vCPUs run, when all are there. Prints the reason; -errno. */
int riscv_irqchip_start(struct machine *m);

/*
 * The AIA alone. riscv_aia_init() fails silently if @optional and the host has none that would
 * do; -ENOTSUP. The others as the functions that call them.
 */
int riscv_aia_init(struct vm *vm, bool optional);
int riscv_aia_start(struct vm *vm);
void riscv_aia_fdt_nodes(const struct vm *vm, struct fdt_tree *t);

/* Bits that an index of @nr_harts harts takes. */
unsigned int riscv_aia_hart_bits(unsigned int nr_harts);

/* The page to which messages for a hart go. */
u64 riscv_imsic_addr(unsigned int hart);

/* "interrupts-extended": the external interrupt of the supervisor mode of each hart. */
void riscv_fdt_external_irqs(const struct vm *vm, struct fdt_tree *t);

#endif /* LKVM_RISCV_IRQCHIP_H */
