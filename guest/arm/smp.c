// SPDX-License-Identifier: GPL-2.0-only
/* CPUs, started by PSCI, interrupted by an SGI. */
#include "rt/smp.h"

#include "arm.h"
#include "rt.h"
#include "rt/fdt.h"

#define STACK	 4096
#define PSCI_1_0 0x10000

static const struct irqchip *chip(void)
{
	return dt_next_compatible(DT_NONE, "arm,gic-v3") != DT_NONE ? &gicv3 : &gicv2;
}

u64 smp_self(void)
{
	return own_affinity();
}

void smp_check(unsigned int nr)
{
	s64 version = psci(PSCI_VERSION, 0, 0, 0);

	(void)nr;
	check(version >= PSCI_1_0, "PSCI is of version %lu.%lu", version >> 16, version & 0xffff);
}

void smp_prepare(void)
{
}

static void cpu_main(void)
{
	irq_init_cpu();
	smp_main(own_affinity());
}

bool smp_start(u64 id)
{
	u8 *stack = mem_alloc(STACK, STACK);
	struct cpu *c = (void *)(stack + STACK - align_up(sizeof(*c), 16));

	c->main = cpu_main;
	dsb();
	return !psci(PSCI_CPU_ON, id, gpa_of(smp_entry), gpa_of(c));
}

void smp_wait(void)
{
	struct cpu *self = this_cpu();

	while (self->wakes == self->wakes_seen)
		irq_wait();
	self->wakes_seen++;
}

bool smp_can_stop(void)
{
	return true;
}

void smp_stop(void)
{
	psci(PSCI_CPU_OFF, 0, 0, 0);
}

bool smp_is_off(u64 id)
{
	return psci(PSCI_AFFINITY_INFO, id, 0, 0) == PSCI_AFFINITY_OFF;
}

void smp_wake(u64 id)
{
	chip()->wake(id);
}
