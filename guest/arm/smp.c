// SPDX-License-Identifier: GPL-2.0-only
/* CPUs from /cpus, started by PSCI, interrupted by an SGI. */
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

unsigned int smp_list(u64 *ids, unsigned int max)
{
	int cpus = dt_find("/cpus"), cpu = DT_NONE;
	unsigned int nr = 0;

	while ((cpu = dt_next_child(cpus, cpu)) != DT_NONE) {
		u64 id = dt_number(cpu, "reg", 0, dt_nr_cells(cpu, "reg"));

		if (!strcmp(dt_string(cpu, "device_type"), "cpu") && id != smp_self() && nr < max)
			ids[nr++] = id;
	}
	return nr;
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
