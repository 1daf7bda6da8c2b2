// SPDX-License-Identifier: GPL-2.0-only
/* The IDT, the local APIC with its timer, and the I/O APIC. */
#include "rt/arch.h"
#include "rt/core.h"
#include "rt/firmware.h"
#include "x86.h"

#define FIRST_IRQ 32
#define TIMER	  46
#define SPURIOUS  47

#define APIC_BASE	0xfee00000
#define APIC_ID		0x020
#define APIC_TPR	0x080
#define APIC_EOI	0x0b0
#define APIC_SVR	0x0f0
#define APIC_SVR_ENABLE BIT(8)
#define APIC_LVT_TIMER	0x320
#define APIC_LVT_LINT0	0x350
#define APIC_LVT_MASKED BIT(16)
#define APIC_TIMER_INIT 0x380
#define APIC_TIMER_NOW	0x390
#define APIC_TIMER_DIV	0x3e0
#define APIC_DIV_128	0xa

/*
 * KVM and QEMU run the timer from 1 GHz; elsewhere a timeout is off by the ratio,
 * which is near enough for what it is there for.
 */
#define TIMER_TICKS_PER_MS (1000000 / 128)

/* MADT: ACPI 6.5, 5.2.12. */
#define MADT_ENTRIES 44
#define MADT_IOAPIC  1

struct madt_ioapic {
	u8 type;
	u8 length;
	u8 id;
	u8 reserved;
	u32 gpa;
	u32 first_gsi;
} __packed;

#define IOAPIC_SELECT	   0x00
#define IOAPIC_DATA	   0x10
#define IOAPIC_VERSION	   1
#define IOAPIC_ENTRY(pin)  (0x10 + 2 * (pin))
#define IOAPIC_ENTRY_LEVEL BIT(15)

struct idt_gate {
	u16 offset_0;
	u16 selector;
	u16 flags;
	u16 offset_16;
	u32 offset_32;
	u32 reserved;
};

#define GATE_INTERRUPT 0x8e00
#define CODE64	       8

static struct idt_gate idt[TRAP_VECTORS];
static u8 *apic;

const char wire_kind[] = "GSI";

void irq_init(void)
{
	struct {
		u16 limit;
		u64 base;
	} __packed idtr = {sizeof(idt) - 1, gpa_of(idt)};
	unsigned int i;

	for (i = 0; i < TRAP_VECTORS; i++) {
		u64 stub = gpa_of(trap_stubs + i * TRAP_STUB_SIZE);

		idt[i] = (struct idt_gate){
			.offset_0 = stub,
			.selector = CODE64,
			.flags = GATE_INTERRUPT,
			.offset_16 = stub >> 16,
			.offset_32 = stub >> 32,
		};
	}
	__asm__ volatile("lidt %0" : : "m"(idtr));

	apic = map_phys(APIC_BASE, PAGE_SIZE);
	mmio_write32(apic + APIC_SVR, APIC_SVR_ENABLE | SPURIOUS);
	mmio_write32(apic + APIC_TPR, 0);
	/* A BIOS may have left the old interrupt controller connected here. */
	mmio_write32(apic + APIC_LVT_LINT0, APIC_LVT_MASKED);
	mmio_write32(apic + APIC_TIMER_DIV, APIC_DIV_128);
	mmio_write32(apic + APIC_LVT_TIMER, TIMER);
}

void x86_trap(struct trap_frame *f)
{
	u64 cr2;

	if (f->vector < FIRST_IRQ) {
		if (exception_handler && exception_handler(f))
			return;
		__asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
		panic("exception %lu, error code 0x%lx, rip 0x%lx, rsp 0x%lx, cr2 0x%lx", f->vector,
		      f->error, f->rip, f->rsp, cr2);
	}
	if (f->vector == SPURIOUS)
		return;
	if (f->vector < FIRST_IRQ + IRQ_LINES) {
		irq_came(f->vector - FIRST_IRQ);
	} else if (f->vector != TIMER) {
		panic("interrupt on vector %lu, which has no use", f->vector);
	}
	mmio_write32(apic + APIC_EOI, 0);
}

bool msi_message(u16 bdf, unsigned int line, u64 *addr, u32 *data)
{
	u32 id = mmio_read32(apic + APIC_ID) >> 24;

	(void)bdf;
	*addr = APIC_BASE | id << 12;
	*data = FIRST_IRQ + line;
	return true;
}

static u32 ioapic_read(u8 *ioapic, u32 reg)
{
	mmio_write32(ioapic + IOAPIC_SELECT, reg);
	return mmio_read32(ioapic + IOAPIC_DATA);
}

static void ioapic_write(u8 *ioapic, u32 reg, u32 val)
{
	mmio_write32(ioapic + IOAPIC_SELECT, reg);
	mmio_write32(ioapic + IOAPIC_DATA, val);
}

bool irq_route_wire(u32 gsi, unsigned int line)
{
	const u8 *madt = acpi_table("APIC");
	u32 len, pos;

	if (!madt)
		return false;
	memcpy(&len, madt + 4, sizeof(len));
	for (pos = MADT_ENTRIES; pos + 2 <= len && madt[pos + 1]; pos += madt[pos + 1]) {
		const struct madt_ioapic *e = (const void *)(madt + pos);
		u8 *ioapic;
		u32 pin;

		if (e->type != MADT_IOAPIC || gsi < e->first_gsi)
			continue;
		pin = gsi - e->first_gsi;
		ioapic = map_phys(e->gpa, PAGE_SIZE);
		if (pin > (ioapic_read(ioapic, IOAPIC_VERSION) >> 16 & 0xff))
			continue;
		ioapic_write(ioapic, IOAPIC_ENTRY(pin) + 1, mmio_read32(apic + APIC_ID));
		ioapic_write(ioapic, IOAPIC_ENTRY(pin), IOAPIC_ENTRY_LEVEL | (FIRST_IRQ + line));
		return true;
	}
	return false;
}

void irq_wait(void)
{
	/* Nothing is taken between sti and hlt. */
	__asm__ volatile("sti; hlt; cli" ::: "memory");
}

void irq_take(void)
{
	/* sti takes effect one instruction later. */
	__asm__ volatile("sti; nop; nop; cli" ::: "memory");
}

void timeout_start(unsigned int ms)
{
	mmio_write32(apic + APIC_TIMER_INIT, ms * TIMER_TICKS_PER_MS);
}

bool timeout_expired(void)
{
	return !mmio_read32(apic + APIC_TIMER_NOW);
}
