/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the interrupt controllers are, in the part of fdt/layout.h that is for them. */
#ifndef LKVM_RISCV_LAYOUT_H
#define LKVM_RISCV_LAYOUT_H

#include <assert.h>

#include "fdt/layout.h"
#include "vm/vm.h"

/*
 * A page for the supervisor-level interrupt file of each hart, by hart ID. The whole range
 * takes messages, also where it is for harts that there are not.
 */
#define RISCV_IMSIC_BASE      FDT_IRQCHIP_BASE
#define RISCV_IMSIC_PAGE      0x1000ULL
#define RISCV_IMSIC_MAX_HARTS 256
#define RISCV_IMSIC_SIZE      (RISCV_IMSIC_MAX_HARTS * RISCV_IMSIC_PAGE)
static_assert(VM_MAX_VCPUS <= RISCV_IMSIC_MAX_HARTS, "each vCPU has an IMSIC");

#define RISCV_APLIC_BASE (RISCV_IMSIC_BASE + RISCV_IMSIC_SIZE)
#define RISCV_APLIC_SIZE 0x4000ULL

#define RISCV_PLIC_BASE 0x0c000000ULL
#define RISCV_PLIC_SIZE 0x00400000ULL
static_assert(RISCV_PLIC_BASE + RISCV_PLIC_SIZE <= FDT_IRQCHIP_BASE + FDT_IRQCHIP_SIZE,
	      "the PLIC is in the part that is for it");

/* Both controllers number their sources from 1 on, and a wire's GSI is its source. */
#define RISCV_NR_SOURCES (FDT_NR_WIRES - 1)

#endif /* LKVM_RISCV_LAYOUT_H */
