// SPDX-License-Identifier: GPL-2.0-only
/* Exceptions, interrupts of whatever controller there is, and the architected timer. */
#include "arm.h"
#include "rt/arch.h"
#include "rt/core.h"
#include "rt/fdt.h"

#define VECTOR_IRQ 5 /* of this exception level, on its own stack */

#define CNTV_ENABLE BIT(0)
#define CNTV_MASKED BIT(1)

/* Binding arm,armv8-timer: the third one is that of the virtual timer. */
#define TIMER_VIRTUAL 2

#define NR_SPIS 1020
#define NR_LPIS 1024
#define NO_LINE 0xff

const char wire_kind[] = "SPI";

static const struct irqchip *chip; /* NULL: there is none */
static u32 timer;
static u64 deadline;
static u8 spi_line[NR_SPIS], lpi_line[NR_LPIS];

static u8 *line_of(u32 intid)
{
	if (intid < NR_SPIS)
		return &spi_line[intid];
	return intid >= FIRST_LPI && intid < FIRST_LPI + NR_LPIS ? &lpi_line[intid - FIRST_LPI]
								 : NULL;
}

void irq_set_line(u32 intid, unsigned int line)
{
	*line_of(intid) = line;
}

void irq_init_cpu(void)
{
	chip->init_cpu(timer);
}

void irq_init(void)
{
	static const struct irqchip *const kinds[] = {&gicv3, &gicv2};
	int node = dt_next_compatible(DT_NONE, "arm,armv8-timer");
	u32 cells[DT_IRQ_CELLS];
	unsigned int i;

	if (dt_interrupt(node, TIMER_VIRTUAL, cells) < 2)
		panic("the device tree has no virtual timer");
	timer = FIRST_PPI + cells[1];
	memset(spi_line, NO_LINE, sizeof(spi_line));
	memset(lpi_line, NO_LINE, sizeof(lpi_line));
	for (i = 0; i < ARRAY_SIZE(kinds) && !chip; i++) {
		if (kinds[i]->init())
			chip = kinds[i];
	}
	if (chip)
		irq_init_cpu();
}

static void take_interrupts(void)
{
	u32 intid;
	u8 *line;

	while ((intid = chip->ack()) < INTID_NONE || intid >= FIRST_LPI) {
		line = line_of(intid);
		if (intid == timer)
			sysreg_write("cntv_ctl_el0", CNTV_ENABLE | CNTV_MASKED);
		else if (intid == WAKE_SGI)
			this_cpu()->wakes++;
		else if (line && *line != NO_LINE)
			irq_came(*line);
		else
			panic("interrupt %u, which has no use", intid);
		chip->end(intid);
	}
}

void arm_trap(struct trap_frame *f, u64 vector)
{
	unsigned int i;

	if (vector == VECTOR_IRQ && chip) {
		take_interrupts();
		return;
	}
	if (exception_handler && exception_handler(f))
		return;
	for (i = 0; i < ARRAY_SIZE(f->x); i++)
		print("x%-2u 0x%016lx%s", i, f->x[i], i % 4 < 3 ? "  " : "\n");
	print("\n");
	panic("exception by vector %lu on CPU 0x%lx, esr 0x%lx, elr 0x%lx (image + 0x%lx), "
	      "sp 0x%lx, far 0x%lx",
	      vector, own_affinity(), sysreg_read("esr_el1"), f->elr, f->elr - gpa_of(image_start),
	      f->sp, sysreg_read("far_el1"));
}

bool irq_route_wire(u32 irq, unsigned int line)
{
	u32 intid = FIRST_SPI + irq;

	if (!chip || intid >= NR_SPIS)
		return false;
	irq_set_line(intid, line);
	return chip->enable_spi(intid, false);
}

bool msi_message(u16 bdf, unsigned int line, u64 *addr, u32 *data)
{
	return chip && chip->message(bdf, line, addr, data);
}

void irq_wait(void)
{
	/* wfi ends when an interrupt is pending, though it is not taken before the next one. */
	__asm__ volatile("dsb sy; wfi; msr daifclr, #2; isb; msr daifset, #2" ::: "memory");
}

void irq_take(void)
{
	__asm__ volatile("msr daifclr, #2; isb; msr daifset, #2" ::: "memory");
}

static u64 now(void)
{
	isb();
	return sysreg_read("cntvct_el0");
}

void timeout_start(unsigned int ms)
{
	deadline = now() + ms * sysreg_read("cntfrq_el0") / 1000;
	sysreg_write("cntv_cval_el0", deadline);
	sysreg_write("cntv_ctl_el0", CNTV_ENABLE);
}

bool timeout_expired(void)
{
	return now() >= deadline;
}
