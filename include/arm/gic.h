/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The interrupt controllers that KVM emulates: Arm IHI 0069 (GICv3 and its ITS) and IHI 0048
 * (GICv2). A GICv2 takes messages by a frame as Server Base System Architecture 3.1, appendix E
 * has it (GICv2m), which is emulated here.
 */
#ifndef LKVM_ARM_GIC_H
#define LKVM_ARM_GIC_H

#include "fdt/board.h"

/* In the order of arch_irqchips, the best one first. */
enum gic_kind {
	GICV3_ITS,
	GICV3,
	GICV2M,
	GICV2,
	GIC_NR_KINDS,
};

#define GICV2_MAX_VCPUS 8

struct arch_irqchip {
	enum gic_kind kind;
	int fd; /* of KVM's device */
	int its_fd; /* of that for messages; -1: there is none */
};

static inline bool gic_is_v3(const struct arch_irqchip *gic)
{
	return gic->kind == GICV3_ITS || gic->kind == GICV3;
}

/* Whether KVM can make it, as far as it tells. @vm_fd is a machine's. */
bool gic_kvm_has(int vm_fd, enum gic_kind kind);

/* Completes it, when all vCPUs are there and have their features. Prints the reason; -errno. */
int gic_init_for_vcpus(struct vm *vm);

/* Sets an SPI by its interrupt ID. */
void gic_set_spi(struct vm *vm, u32 intid, bool up);

/* The nodes of the controllers, below the root node, for @nr_vcpus. */
void gic_fdt_nodes(const struct arch_irqchip *gic, unsigned int nr_vcpus, struct fdt_tree *t);

/* The flags of a level-triggered PPI, as the third cell of its "interrupts". */
u32 gic_ppi_flags(const struct arch_irqchip *gic, unsigned int nr_vcpus);

/* A GICv2m frame on the machine's bus. -errno of bus_add(). */
int gicv2m_init(struct vm *vm);

/* The interrupt ID that a write of @data to the frame's doorbell raises; 0: none. */
u32 gicv2m_spi(u32 data);

#endif /* LKVM_ARM_GIC_H */
