// SPDX-License-Identifier: GPL-2.0-only
/*
 * The RISC-V Advanced Interrupt Architecture, 1.0: the interrupt file of the first hart (IMSIC,
 * chapter 3), and the APLIC that turns wires into messages to it (chapter 4).
 */
#include "riscv.h"
#include "rt/arch.h"
#include "rt/core.h"
#include "rt/fdt.h"

/* Behind siselect and sireg; on RV64 only those with even numbers are there. */
#define EIDELIVERY  0x70
#define EITHRESHOLD 0x72
#define EIE0	    0xc0

/* Interrupt identities: of lines, then of wires, as many as every file has (63). */
#define FIRST_LINE_ID 1
#define FIRST_WIRE_ID 16
#define MAX_WIRES     48

#define DOMAINCFG	 0x0000
#define DOMAINCFG_IE	 BIT(8)
#define DOMAINCFG_DM	 BIT(2) /* wires become messages */
#define SOURCECFG(i)	 (4 * (i))
#define SOURCECFG_LEVEL1 6
#define SETIENUM	 0x1edc
#define SETIPNUM_LE	 0x2000
#define TARGET(i)	 (0x3000 + 4 * (i))
#define TARGET_HART	 18
#define APLIC_SIZE	 0x4000
#define APLIC_SOURCES	 1024

static u64 file_gpa; /* the interrupt file's page: a message is a write there */
static u32 file_hart; /* its hart's number at the APLIC */
static u8 *aplic; /* NULL: there is none */
static u32 nr_sources;

static struct {
	u32 irq;
	unsigned int line;
} wires[MAX_WIRES];
static unsigned int nr_wires;

static void indirect_write(u64 reg, u64 val)
{
	csr_write(CSR_SISELECT, reg);
	csr_write(CSR_SIREG, val);
}

static void find_aplic(int imsic)
{
	u32 phandle = dt_cell(imsic, "phandle", 0, 0);
	int node = DT_NONE;
	u64 base;

	while ((node = dt_next_compatible(node, "riscv,aplic")) != DT_NONE) {
		if (dt_cell(node, "msi-parent", 0, 0) != phandle || !dt_reg(node, 0, &base, NULL))
			continue;
		aplic = map_phys(base, APLIC_SIZE);
		nr_sources = min(dt_cell(node, "riscv,num-sources", 0, 0), APLIC_SOURCES - 1U);
		mmio_write32(aplic + DOMAINCFG, DOMAINCFG_IE | DOMAINCFG_DM);
		return;
	}
}

/* Binding riscv,imsics: where the file of the hart with that place in the node is. */
static u64 file_address(int imsic, u32 hart, u64 base)
{
	u32 guest_bits = dt_cell(imsic, "riscv,guest-index-bits", 0, 0);
	u32 harts = dt_nr_cells(imsic, "interrupts-extended") / 2, hart_bits = 0;
	u32 group_shift = dt_cell(imsic, "riscv,group-index-shift", 0, 24);

	while (hart_bits < 31 && BIT(hart_bits) < harts)
		hart_bits++;
	hart_bits = dt_cell(imsic, "riscv,hart-index-bits", 0, hart_bits);
	return base + ((u64)(hart >> hart_bits) << group_shift) +
	       ((u64)(hart & (BIT(hart_bits) - 1)) << (12 + guest_bits));
}

static bool init(u32 intc)
{
	int node = DT_NONE, hart = -1;
	u64 base;

	while (hart < 0 && (node = dt_next_compatible(node, "riscv,imsics")) != DT_NONE)
		hart = irq_context(node, intc);
	if (hart < 0 || !dt_reg(node, 0, &base, NULL))
		return false;
	file_hart = hart;
	file_gpa = file_address(node, hart, base);
	indirect_write(EIDELIVERY, 1);
	indirect_write(EITHRESHOLD, 0);
	indirect_write(EIE0, ~0ULL);
	find_aplic(node);
	return true;
}

static bool route_wire(u32 irq, unsigned int line)
{
	unsigned int i;

	if (!aplic || !irq || irq > nr_sources)
		return false;
	for (i = 0; i < nr_wires && wires[i].irq != irq; i++)
		;
	if (i == MAX_WIRES)
		return false;
	nr_wires = max(nr_wires, i + 1);
	wires[i].irq = irq;
	wires[i].line = line;
	mmio_write32(aplic + TARGET(irq), file_hart << TARGET_HART | (FIRST_WIRE_ID + i));
	mmio_write32(aplic + SOURCECFG(irq), SOURCECFG_LEVEL1);
	mmio_write32(aplic + SETIENUM, irq);
	return true;
}

static bool message(unsigned int line, u64 *addr, u32 *data)
{
	*addr = file_gpa;
	*data = FIRST_LINE_ID + line;
	return true;
}

/* The identity of the most important interrupt that is pending, which is no more then; 0. */
static u32 claim(void)
{
	u64 top;

	__asm__ volatile("csrrw %0, " CSR_STOPEI ", zero" : "=r"(top) : : "memory");
	return top >> 16;
}

static void take(void)
{
	u32 id;

	while ((id = claim())) {
		if (id < FIRST_LINE_ID + IRQ_LINES) {
			irq_came(id - FIRST_LINE_ID);
		} else if (id >= FIRST_WIRE_ID && id < FIRST_WIRE_ID + nr_wires) {
			irq_came(wires[id - FIRST_WIRE_ID].line);
			/* A wire that is still up has no new edge: it sends again if asked to. */
			mmio_write32(aplic + SETIPNUM_LE, wires[id - FIRST_WIRE_ID].irq);
		} else {
			panic("interrupt %u, which has no use", id);
		}
	}
}

const struct irqchip aia = {
	.init = init,
	.route_wire = route_wire,
	.message = message,
	.take = take,
};
