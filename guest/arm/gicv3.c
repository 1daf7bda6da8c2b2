// SPDX-License-Identifier: GPL-2.0-only
/* Arm IHI 0069: GICv3 by system registers, its distributor and redistributors. */
#include "arm.h"
#include "rt/arch.h"
#include "rt/core.h"
#include "rt/fdt.h"

#define GICD_CTLR	0x0000
#define GICD_CTLR_GRP1	BIT(1)
#define GICD_CTLR_ARE	BIT(4)
#define GICD_CTLR_RWP	BIT(31)
#define GICD_IGROUPR(n) (0x0080 + (n) / 32 * 4)
#define GICD_IROUTER(n) (0x6000 + 8 * (n))
#define GICD_SIZE	0x10000

#define GICR_TYPER	  0x0008
#define GICR_TYPER_VLPIS  BIT(1)
#define GICR_TYPER_LAST	  BIT(4)
#define GICR_WAKER	  0x0014
#define GICR_WAKER_SLEEP  BIT(1)
#define GICR_WAKER_ASLEEP BIT(2)
#define GICR_FRAME	  0x20000 /* with the frame of SGIs; twice with virtual LPIs */
#define GICR_SGI	  0x10000
#define GICR_IGROUPR0	  (GICR_SGI + 0x080)
#define GICR_ISENABLER0	  (GICR_SGI + 0x100)
#define GICR_IPRIORITYR	  (GICR_SGI + 0x400)

#define ICC_PMR	    "s3_0_c4_c6_0"
#define ICC_SGI1R   "s3_0_c12_c11_5"
#define ICC_IAR1    "s3_0_c12_c12_0"
#define ICC_EOIR1   "s3_0_c12_c12_1"
#define ICC_CTLR    "s3_0_c12_c12_4"
#define ICC_SRE	    "s3_0_c12_c12_5"
#define ICC_IGRPEN1 "s3_0_c12_c12_7"

static u8 *gicd;
static int node;
static bool has_its; /* it was looked for */

/* GICR_TYPER and the others of redistributors have the affinity in one word. */
static u32 packed_affinity(u64 mpidr)
{
	return (mpidr & 0xffffff) | (mpidr >> 32 & 0xff) << 24;
}

static u8 *own_redistributor(void)
{
	unsigned int i;
	u64 base, size;

	for (i = 1; dt_reg(node, i, &base, &size); i++) {
		u64 off = 0, type = 0;

		for (; off < size && !(type & GICR_TYPER_LAST);
		     off += type & GICR_TYPER_VLPIS ? 2 * GICR_FRAME : GICR_FRAME) {
			u8 *rd = map_phys(base + off, GICR_FRAME);

			type = mmio_read64(rd + GICR_TYPER);
			if (type >> 32 == packed_affinity(own_affinity()))
				return rd;
		}
		if (i == dt_cell(node, "#redistributor-regions", 0, 1))
			break;
	}
	panic("CPU 0x%lx has no redistributor", own_affinity());
}

static bool init(void)
{
	u64 base;

	node = dt_next_compatible(DT_NONE, "arm,gic-v3");
	if (!dt_reg(node, 0, &base, NULL))
		return false;
	gicd = map_phys(base, GICD_SIZE);
	mmio_write32(gicd + GICD_CTLR, GICD_CTLR_ARE);
	mmio_write32(gicd + GICD_CTLR, GICD_CTLR_ARE | GICD_CTLR_GRP1);
	while (mmio_read32(gicd + GICD_CTLR) & GICD_CTLR_RWP)
		cpu_relax();
	return true;
}

static void init_cpu(u32 timer)
{
	u8 *rd = own_redistributor();

	mmio_write32(rd + GICR_WAKER, mmio_read32(rd + GICR_WAKER) & ~GICR_WAKER_SLEEP);
	while (mmio_read32(rd + GICR_WAKER) & GICR_WAKER_ASLEEP)
		cpu_relax();
	mmio_write32(rd + GICR_IGROUPR0, ~0U);
	mmio_write8(rd + GICR_IPRIORITYR + timer, IRQ_PRIORITY);
	mmio_write8(rd + GICR_IPRIORITYR + WAKE_SGI, IRQ_PRIORITY);
	mmio_write32(rd + GICR_ISENABLER0, BIT(timer) | BIT(WAKE_SGI));

	sysreg_write(ICC_SRE, sysreg_read(ICC_SRE) | 1);
	isb();
	sysreg_write(ICC_PMR, 0xff);
	sysreg_write(ICC_CTLR, 0); /* one write ends an interrupt */
	sysreg_write(ICC_IGRPEN1, 1);
	isb();
	/* Messages go to the first CPU. */
	if (!has_its) {
		has_its = true;
		its_init(node, rd);
	}
}

static bool enable_spi(u32 intid, bool edge)
{
	u32 group = mmio_read32(gicd + GICD_IGROUPR(intid));

	mmio_write32(gicd + GICD_IGROUPR(intid), group | BIT(intid % 32));
	mmio_write64(gicd + GICD_IROUTER(intid), own_affinity());
	return gicd_enable_spi(gicd, intid, edge);
}

static u32 ack(void)
{
	u32 intid = sysreg_read(ICC_IAR1);

	dsb();
	return intid;
}

static void end(u32 intid)
{
	sysreg_write(ICC_EOIR1, intid);
	isb();
}

static void wake(u64 affinity)
{
	u64 aff0 = affinity & 0xff, aff1 = affinity >> 8 & 0xff, aff2 = affinity >> 16 & 0xff,
	    aff3 = affinity >> 32 & 0xff;

	dsb();
	sysreg_write(ICC_SGI1R, aff3 << 48 | aff0 >> 4 << 44 | aff2 << 32 | WAKE_SGI << 24 |
					aff1 << 16 | BIT(aff0 & 15));
	isb();
}

const struct irqchip gicv3 = {
	.init = init,
	.init_cpu = init_cpu,
	.enable_spi = enable_spi,
	.message = its_message,
	.ack = ack,
	.end = end,
	.wake = wake,
};
