// SPDX-License-Identifier: GPL-2.0-only
/* Traps, the hart's own interrupts, and the timer. */
#include "riscv.h"
#include "rt/arch.h"
#include "rt/core.h"
#include "rt/fdt.h"

#define CAUSE_INTERRUPT BIT_ULL(63)
#define SSTATUS_SIE	2

const char wire_kind[] = "source";

static const struct irqchip *chip; /* NULL: there is none */
static u64 ticks_per_second, deadline;

/* The phandle of the interrupt controller in the node of a hart; 0. */
static u32 hart_intc(u64 id)
{
	int cpus = dt_find("/cpus"), cpu = DT_NONE, intc;

	while ((cpu = dt_next_child(cpus, cpu)) != DT_NONE) {
		u64 hart;

		if (strcmp(dt_string(cpu, "device_type"), "cpu") || !dt_prop(cpu, "reg", NULL))
			continue;
		hart = dt_number(cpu, "reg", 0, dt_nr_cells(cpu, "reg"));
		for (intc = DT_NONE; hart == id && (intc = dt_next_child(cpu, intc)) != DT_NONE;) {
			if (dt_is_compatible(intc, "riscv,cpu-intc"))
				return dt_cell(intc, "phandle", 0, 0);
		}
	}
	return 0;
}

int irq_context(int node, u32 intc)
{
	unsigned int i, n = dt_nr_cells(node, "interrupts-extended") / 2;

	for (i = 0; i < n; i++) {
		if (dt_cell(node, "interrupts-extended", 2 * i, 0) == intc &&
		    dt_cell(node, "interrupts-extended", 2 * i + 1, 0) == IRQ_EXTERNAL)
			return i;
	}
	return -1;
}

void irq_init(void)
{
	static const struct irqchip *const kinds[] = {&aia, &plic};
	u32 intc = hart_intc(this_hart()->id);
	unsigned int i;

	ticks_per_second = dt_cell(dt_find("/cpus"), "timebase-frequency", 0, 0);
	if (!ticks_per_second)
		panic("the device tree has no timebase-frequency");
	if (!intc)
		panic("the device tree has no hart %lu", this_hart()->id);
	for (i = 0; i < ARRAY_SIZE(kinds) && !chip; i++) {
		if (kinds[i]->init(intc))
			chip = kinds[i];
	}
	if (chip)
		csr_set("sie", BIT(IRQ_EXTERNAL));
}

static void __noreturn trap_panic(const struct trap_frame *f, u64 cause)
{
	u64 stval;
	unsigned int i;

	__asm__ volatile("csrr %0, stval" : "=r"(stval));
	for (i = 1; i < 32; i++)
		print("x%-2u 0x%016lx%s", i, f->x[i], i % 4 ? "  " : "\n");
	print("\n");
	panic("exception %lu on hart %lu, sepc 0x%lx (image + 0x%lx), stval 0x%lx", cause,
	      this_hart()->id, f->sepc, f->sepc - gpa_of(image_start), stval);
}

void riscv_trap(struct trap_frame *f)
{
	u64 cause;

	__asm__ volatile("csrr %0, scause" : "=r"(cause));
	switch (cause) {
	case CAUSE_INTERRUPT | IRQ_TIMER:
		csr_clear("sie", BIT(IRQ_TIMER));
		return;
	case CAUSE_INTERRUPT | IRQ_SOFTWARE:
		csr_clear("sip", BIT(IRQ_SOFTWARE));
		this_hart()->wakes++;
		return;
	case CAUSE_INTERRUPT | IRQ_EXTERNAL:
		chip->take();
		return;
	}
	if (!exception_handler || !exception_handler(f))
		trap_panic(f, cause);
}

bool irq_route_wire(u32 irq, unsigned int line)
{
	return chip && chip->route_wire(irq, line);
}

bool msi_message(u16 bdf, unsigned int line, u64 *addr, u32 *data)
{
	/* The controller does not tell who sends; the tree says whether PCI functions may. */
	(void)bdf;
	return chip && chip->message && dt_prop(dt_pci_host(), "msi-parent", NULL) &&
	       chip->message(line, addr, data);
}

void irq_wait(void)
{
	/* wfi ends when an interrupt is pending, though it is not taken before the next one. */
	__asm__ volatile("wfi; csrsi sstatus, %0; csrci sstatus, %0"
			 :
			 : "i"(SSTATUS_SIE)
			 : "memory");
}

void irq_take(void)
{
	__asm__ volatile("csrsi sstatus, %0; csrci sstatus, %0" : : "i"(SSTATUS_SIE) : "memory");
}

static u64 now(void)
{
	u64 t;

	__asm__ volatile("rdtime %0" : "=r"(t));
	return t;
}

void timeout_start(unsigned int ms)
{
	deadline = now() + ms * ticks_per_second / 1000;
	sbi(SBI_TIME, SBI_TIME_SET, deadline, 0, 0);
	csr_set("sie", BIT(IRQ_TIMER));
}

bool timeout_expired(void)
{
	return now() >= deadline;
}
