// SPDX-License-Identifier: GPL-2.0-only
/* CPUs, interrupt controllers, timer and firmware in the device tree. */
#include "arm/cpu.h"
#include "arm/gic.h"
#include "arm/layout.h"
#include "fdt/board.h"

/* First cell of an interrupt, and in the third one how it is triggered. */
#define IRQ_SPI	       0
#define IRQ_PPI	       1
#define IRQ_EDGE_RISE  1
#define IRQ_LEVEL_HIGH 4

/* A GICv2 has in the third cell of a PPI for which vCPUs it is. */
#define IRQ_PPI_CPUS_SHIFT 8

/* The node for messages is below the interrupt controller's. */
const unsigned int arch_fdt_irqchip_address_cells = 2;

/* Devicetree bindings: arm/cpus.yaml. */
static void add_cpus(const struct machine *m, struct fdt_tree *t)
{
	fdt_tree_begin(t, "cpus");
	fdt_prop_u32(t, "#address-cells", 1);
	fdt_prop_u32(t, "#size-cells", 0);
	for (unsigned int i = 0; i < m->config->nr_vcpus; i++) {
		u32 mpidr = arm_mpidr(i);

		fdt_tree_begin(t, "cpu@%x", mpidr);
		fdt_prop_string(t, "device_type", "cpu");
		fdt_prop_string(t, "compatible", "arm,armv8");
		fdt_prop_u32(t, "reg", mpidr);
		fdt_prop_string(t, "enable-method", "psci");
		fdt_tree_end(t);
	}
	fdt_tree_end(t);
}

/* arm/psci.yaml: KVM is the firmware. */
static void add_psci(struct fdt_tree *t)
{
	static const char compatible[] = "arm,psci-1.0\0arm,psci-0.2";

	fdt_tree_begin(t, "psci");
	fdt_prop_strings(t, "compatible", compatible, sizeof(compatible));
	fdt_prop_string(t, "method", "hvc");
	fdt_tree_end(t);
}

static void add_ppis(const struct machine *m, struct fdt_tree *t, const u32 *ppis, unsigned int nr)
{
	u32 flags = gic_ppi_flags(m->vm.irqchip, m->config->nr_vcpus);
	u32 cells[4 * 3];

	for (unsigned int i = 0; i < nr; i++) {
		cells[3 * i] = IRQ_PPI;
		cells[3 * i + 1] = ppis[i];
		cells[3 * i + 2] = flags;
	}
	fdt_prop_cells(t, "interrupts", cells, 3 * nr);
}

/* timer/arm,arch_timer.yaml: the order of the interrupts is given. */
static void add_timer(const struct machine *m, struct fdt_tree *t)
{
	static const u32 ppis[] = {GIC_PPI_SECURE_TIMER, GIC_PPI_PHYSICAL_TIMER, GIC_PPI_VIRT_TIMER,
				   GIC_PPI_HYP_TIMER};

	fdt_tree_begin(t, "timer");
	fdt_prop_string(t, "compatible", "arm,armv8-timer");
	add_ppis(m, t, ppis, ARRAY_SIZE(ppis));
	fdt_prop_empty(t, "always-on");
	fdt_tree_end(t);
}

static void add_pmu(const struct machine *m, struct fdt_tree *t)
{
	static const u32 ppi = GIC_PPI_PMU;

	fdt_tree_begin(t, "pmu");
	fdt_prop_string(t, "compatible", "arm,armv8-pmuv3");
	add_ppis(m, t, &ppi, 1);
	fdt_tree_end(t);
}

/* interrupt-controller/arm,gic-v3.yaml */
static void add_gicv3(const struct arch_irqchip *gic, unsigned int nr_vcpus, struct fdt_tree *t)
{
	const u64 redists_size = nr_vcpus * GICV3_REDIST_SIZE;
	const u32 reg[] = {
		GIC_DIST_BASE >> 32, (u32)GIC_DIST_BASE, 0, GICV3_DIST_SIZE,
		GICV3_REDISTS >> 32, (u32)GICV3_REDISTS, 0, redists_size,
	};

	fdt_prop_string(t, "compatible", "arm,gic-v3");
	fdt_prop_cells(t, "reg", reg, ARRAY_SIZE(reg));
	if (gic->kind != GICV3_ITS)
		return;
	fdt_tree_begin(t, "msi-controller@%llx", GICV3_ITS_BASE);
	fdt_prop_string(t, "compatible", "arm,gic-v3-its");
	fdt_prop_reg(t, GICV3_ITS_BASE, GICV3_ITS_SIZE);
	fdt_prop_empty(t, "msi-controller");
	fdt_prop_u32(t, "#msi-cells", 1);
	fdt_prop_phandle(t, FDT_PHANDLE_MSI);
	fdt_tree_end(t);
}

/* interrupt-controller/arm,gic.yaml */
static void add_gicv2(const struct arch_irqchip *gic, struct fdt_tree *t)
{
	const u32 reg[] = {
		GIC_DIST_BASE >> 32,  (u32)GIC_DIST_BASE,  0, GICV2_DIST_SIZE,
		GICV2_CPU_BASE >> 32, (u32)GICV2_CPU_BASE, 0, GICV2_CPU_SIZE,
	};

	fdt_prop_string(t, "compatible", "arm,cortex-a15-gic");
	fdt_prop_cells(t, "reg", reg, ARRAY_SIZE(reg));
	if (gic->kind != GICV2M)
		return;
	fdt_tree_begin(t, "v2m@%llx", GIC_MSI_PAGE);
	fdt_prop_string(t, "compatible", "arm,gic-v2m-frame");
	fdt_prop_reg(t, GIC_MSI_PAGE, GICV2M_FRAME_SIZE);
	fdt_prop_empty(t, "msi-controller");
	fdt_prop_phandle(t, FDT_PHANDLE_MSI);
	fdt_tree_end(t);
}

u32 gic_ppi_flags(const struct arch_irqchip *gic, unsigned int nr_vcpus)
{
	return gic_is_v3(gic) ? IRQ_LEVEL_HIGH
			      : IRQ_LEVEL_HIGH | (BIT(nr_vcpus) - 1) << IRQ_PPI_CPUS_SHIFT;
}

void gic_fdt_nodes(const struct arch_irqchip *gic, unsigned int nr_vcpus, struct fdt_tree *t)
{
	fdt_tree_begin(t, "interrupt-controller@%llx", GIC_DIST_BASE);
	fdt_prop_empty(t, "interrupt-controller");
	fdt_prop_u32(t, "#interrupt-cells", 3);
	fdt_prop_u32(t, "#address-cells", arch_fdt_irqchip_address_cells);
	fdt_prop_u32(t, "#size-cells", 2);
	fdt_prop_empty(t, "ranges");
	fdt_prop_phandle(t, FDT_PHANDLE_IRQCHIP);
	if (gic_is_v3(gic))
		add_gicv3(gic, nr_vcpus, t);
	else
		add_gicv2(gic, t);
	fdt_tree_end(t);
}

void arch_fdt_nodes(struct machine *m, struct fdt_tree *t)
{
	add_cpus(m, t);
	add_psci(t);
	gic_fdt_nodes(m->vm.irqchip, m->config->nr_vcpus, t);
	add_timer(m, t);
	if (arm_has_feature(m, ARM_PMU))
		add_pmu(m, t);
}

unsigned int arch_fdt_irq(const struct machine *m, u32 gsi, bool edge, u32 cells[FDT_MAX_IRQ_CELLS])
{
	(void)m;
	cells[0] = IRQ_SPI;
	cells[1] = gsi;
	cells[2] = edge ? IRQ_EDGE_RISE : IRQ_LEVEL_HIGH;
	return 3;
}
