// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arm IHI 0048: GICv2, with messages by a frame of GICv2m (Server Base System Architecture 2.3,
 * appendix E); and what the distributors of all versions have.
 */
#include "arm.h"
#include "rt/arch.h"
#include "rt/core.h"
#include "rt/fdt.h"

#define GICD_CTLR	   0x000
#define GICD_TYPER	   0x004
#define GICD_IGROUPR(n)	   (0x080 + (n) / 32 * 4)
#define GICD_ISENABLER(n)  (0x100 + (n) / 32 * 4)
#define GICD_ICENABLER(n)  (0x180 + (n) / 32 * 4)
#define GICD_IPRIORITYR(n) (0x400 + (n))
#define GICD_ITARGETSR(n)  (0x800 + (n))
#define GICD_ICFGR(n)	   (0xc00 + (n) / 16 * 4)
#define GICD_SGIR	   0xf00
#define GICD_SIZE	   0x1000

#define GICC_CTLR 0x00
#define GICC_PMR  0x04
#define GICC_IAR  0x0c
#define GICC_EOIR 0x10
#define GICC_SIZE 0x2000

#define IAR_INTID 0x3ff

#define V2M_TYPER  0x008
#define V2M_SETSPI 0x040
#define V2M_SIZE   0x1000

static u8 *gicd, *gicc;
static u64 v2m_gpa; /* 0: there is none */
static u32 v2m_phandle, v2m_first, v2m_nr;

bool gicd_enable_spi(u8 *dist, u32 intid, bool edge)
{
	u32 trigger, shift = intid % 16 * 2, lines = (mmio_read32(dist + GICD_TYPER) & 0x1f) + 1;

	if (intid >= 32 * lines)
		return false;
	mmio_write32(dist + GICD_ICENABLER(intid), BIT(intid % 32));
	mmio_write8(dist + GICD_IPRIORITYR(intid), IRQ_PRIORITY);
	trigger = mmio_read32(dist + GICD_ICFGR(intid)) & ~(3U << shift);
	mmio_write32(dist + GICD_ICFGR(intid), trigger | (edge ? 2U : 0U) << shift);
	mmio_write32(dist + GICD_ISENABLER(intid), BIT(intid % 32));
	return true;
}

static void find_v2m(int gic)
{
	int node = DT_NONE;

	while ((node = dt_next_child(gic, node)) != DT_NONE) {
		u32 type;

		if (!dt_is_compatible(node, "arm,gic-v2m-frame") ||
		    !dt_reg(node, 0, &v2m_gpa, NULL))
			continue;
		type = mmio_read32((u8 *)map_phys(v2m_gpa, V2M_SIZE) + V2M_TYPER);
		v2m_first = dt_cell(node, "arm,msi-base-spi", 0, type >> 16 & 0x3ff);
		v2m_nr = dt_cell(node, "arm,msi-num-spis", 0, type & 0x3ff);
		v2m_phandle = dt_cell(node, "phandle", 0, 0);
		return;
	}
}

static bool init(void)
{
	static const char *const names[] = {"arm,cortex-a15-gic", "arm,gic-400"};
	int node = DT_NONE;
	u64 dist, cpu;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names) && node == DT_NONE; i++)
		node = dt_next_compatible(DT_NONE, names[i]);
	if (!dt_reg(node, 0, &dist, NULL) || !dt_reg(node, 1, &cpu, NULL))
		return false;
	gicd = map_phys(dist, GICD_SIZE);
	gicc = map_phys(cpu, GICC_SIZE);
	mmio_write32(gicd + GICD_CTLR, 1);
	find_v2m(node);
	return true;
}

static void init_cpu(u32 timer)
{
	mmio_write8(gicd + GICD_IPRIORITYR(timer), IRQ_PRIORITY);
	mmio_write8(gicd + GICD_IPRIORITYR(WAKE_SGI), IRQ_PRIORITY);
	mmio_write32(gicd + GICD_ISENABLER(0), BIT(timer) | BIT(WAKE_SGI));
	mmio_write32(gicc + GICC_PMR, 0xff);
	mmio_write32(gicc + GICC_CTLR, 1);
}

static bool enable_spi(u32 intid, bool edge)
{
	/* Those of SGIs are read-only, and say who asks. */
	mmio_write8(gicd + GICD_ITARGETSR(intid), mmio_read8(gicd + GICD_ITARGETSR(0)));
	return gicd_enable_spi(gicd, intid, edge);
}

static bool message(u16 bdf, unsigned int line, u64 *addr, u32 *data)
{
	u32 phandle = dt_cell(dt_pci_host(), "msi-parent", 0, 0), id;

	if (!phandle)
		dt_map_id("msi-map", bdf, &phandle, &id);
	if (!v2m_gpa || phandle != v2m_phandle || line >= v2m_nr)
		return false;
	*addr = v2m_gpa + V2M_SETSPI;
	*data = v2m_first + line;
	irq_set_line(*data, line);
	return enable_spi(*data, true);
}

static u32 ack(void)
{
	u32 val = mmio_read32(gicc + GICC_IAR), intid = val & IAR_INTID;

	/* The end of an SGI takes the CPU that sent it, too: it ends here. */
	if (intid < FIRST_PPI)
		mmio_write32(gicc + GICC_EOIR, val);
	return intid;
}

static void end(u32 intid)
{
	if (intid >= FIRST_PPI)
		mmio_write32(gicc + GICC_EOIR, intid);
}

static void wake(u64 affinity)
{
	dsb();
	mmio_write32(gicd + GICD_SGIR, BIT(16 + (affinity & 7)) | WAKE_SGI);
}

const struct irqchip gicv2 = {
	.init = init,
	.init_cpu = init_cpu,
	.enable_spi = enable_spi,
	.message = message,
	.ack = ack,
	.end = end,
	.wake = wake,
};
