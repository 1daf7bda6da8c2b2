/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is where in the interrupt controller's window, and which interrupt is whose. Everything
 * starts at a page of 64 KiB, as a GICv3 has it and as guests with pages of that size need it.
 */
#ifndef LKVM_ARM_LAYOUT_H
#define LKVM_ARM_LAYOUT_H

#include "fdt/layout.h"

#define GIC_DIST_BASE	  FDT_IRQCHIP_BASE
#define GICV2_DIST_SIZE	  0x1000ULL
#define GICV2_CPU_BASE	  (FDT_IRQCHIP_BASE + 0x10000)
#define GICV2_CPU_SIZE	  0x2000ULL
#define GICV3_DIST_SIZE	  0x10000ULL
#define GICV3_ITS_BASE	  (FDT_IRQCHIP_BASE + 0x80000)
#define GICV3_ITS_SIZE	  0x20000ULL
#define GICV3_REDISTS	  (FDT_IRQCHIP_BASE + 0x100000) /* one after the other, for each vCPU */
#define GICV3_REDIST_SIZE 0x20000ULL

/*
 * The page that messages are written to, and the register in it: GITS_TRANSLATER of an ITS or
 * MSI_SETSPI_NS of a GICv2m frame. They are in the same place, so that what an IOMMU has to leave
 * alone does not depend on the interrupt controller, which may be chosen later.
 */
#define GIC_MSI_PAGE	  (GICV3_ITS_BASE + 0x10000)
#define GIC_MSI_PAGE_SIZE 0x10000ULL
#define GIC_MSI_DOORBELL  (GIC_MSI_PAGE + 0x40)

/* The ITS leaves room for the redistributors, and these end within the window. */
#define GIC_MAX_VCPUS ((FDT_IRQCHIP_BASE + FDT_IRQCHIP_SIZE - GICV3_REDISTS) / GICV3_REDIST_SIZE)

/* Interrupt IDs: those of a vCPU (PPI) from 16 on, those that all share (SPI) from 32 on. */
#define GIC_PPI_BASE 16
#define GIC_SPI_BASE 32

/* PPIs, as the Base System Architecture has them and as KVM wires the timers. */
#define GIC_PPI_PMU	       7
#define GIC_PPI_HYP_TIMER      10
#define GIC_PPI_VIRT_TIMER     11
#define GIC_PPI_SECURE_TIMER   13
#define GIC_PPI_PHYSICAL_TIMER 14

/* Interrupts of a GIC come in 32s. Behind the wires are those that a GICv2m frame raises. */
#define GIC_WIRES_END	  (GIC_SPI_BASE + FDT_NR_WIRES)
#define GICV2M_SPI_BASE	  GIC_WIRES_END
#define GICV2M_NR_SPIS	  864
#define GICV2M_FRAME_SIZE 0x1000ULL

#endif /* LKVM_ARM_LAYOUT_H */
