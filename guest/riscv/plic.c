// SPDX-License-Identifier: GPL-2.0-only
/* RISC-V Platform-Level Interrupt Controller, 1.0.0: wires only. */
#include "riscv.h"
#include "rt/arch.h"
#include "rt/core.h"
#include "rt/fdt.h"

#define PRIORITY(src)  (4 * (src))
#define ENABLE(ctx)    (0x2000 + 0x80 * (ctx))
#define THRESHOLD(ctx) (0x200000 + 0x1000 * (ctx))
#define CLAIM(ctx)     (THRESHOLD(ctx) + 4)
#define PLIC_SOURCES   1024
#define NO_LINE	       0xff

static u8 *regs;
static u32 context, nr_sources;
static u8 line_of[PLIC_SOURCES];

static bool init(u32 intc)
{
	int node = dt_next_compatible(DT_NONE, "riscv,plic0"), place;
	u64 base, size;

	if (node == DT_NONE)
		node = dt_next_compatible(DT_NONE, "sifive,plic-1.0.0");
	place = irq_context(node, intc);
	if (place < 0 || !dt_reg(node, 0, &base, &size))
		return false;
	regs = map_phys(base, size);
	context = place;
	nr_sources = min(dt_cell(node, "riscv,ndev", 0, 0), PLIC_SOURCES - 1U);
	memset(line_of, NO_LINE, sizeof(line_of));
	mmio_write32(regs + THRESHOLD(context), 0);
	return true;
}

static bool route_wire(u32 irq, unsigned int line)
{
	u8 *enable = regs + ENABLE(context) + irq / 32 * 4;

	if (!irq || irq > nr_sources)
		return false;
	line_of[irq] = line;
	mmio_write32(regs + PRIORITY(irq), 1);
	mmio_write32(enable, mmio_read32(enable) | BIT(irq % 32));
	return true;
}

static void take(void)
{
	u32 irq;

	while ((irq = mmio_read32(regs + CLAIM(context)))) {
		if (irq > nr_sources || line_of[irq] == NO_LINE)
			panic("interrupt from source %u, which has no use", irq);
		irq_came(line_of[irq]);
		mmio_write32(regs + CLAIM(context), irq);
	}
}

const struct irqchip plic = {
	.init = init,
	.route_wire = route_wire,
	.take = take,
};
