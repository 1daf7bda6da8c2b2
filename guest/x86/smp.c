// SPDX-License-Identifier: GPL-2.0-only
/* CPUs from the MADT (ACPI 6.5, 5.2.12), started by INIT and STARTUP. */
#include "rt/smp.h"

#include "rt.h"
#include "x86.h"

#define MAX_CPUS 256 /* of an 8-bit APIC ID */
#define STACK	 4096

/* RAM below 1 MiB that nothing else is in, for the code that a CPU starts with. */
#define TRAMPOLINE 0x40000

#define APIC_BASE     0xfee00000
#define APIC_ID	      0x020
#define APIC_SVR      0x0f0
#define APIC_SVR_ON   0x12f /* enabled, the runtime's spurious vector */
#define APIC_ICR_LOW  0x300
#define APIC_ICR_HIGH 0x310
#define ICR_BUSY      BIT(12)
#define ICR_FIXED     0x4000
#define ICR_INIT      0x4500
#define ICR_STARTUP   0x4600
#define FIRST_IRQ     32
#define LINE	      7 /* of the runtime's interrupt lines, the one that nobody uses */

#define MADT_ENTRIES 44
#define MADT_LAPIC   0

/* From real mode to long mode with the page tables of the first CPU. */
__asm__(".section .rodata\n"
	".code16\n"
	".globl ap_start, ap_end, ap_cr3, ap_entry\n"
	"ap_start:\n"
	"	cli\n"
	"	movw	%cs, %ax\n"
	"	movw	%ax, %ds\n"
	"	lgdtl	ap_gdt_pointer - ap_start\n"
	"	movl	$0x20, %eax\n" /* PAE */
	"	movl	%eax, %cr4\n"
	"	movl	ap_cr3 - ap_start, %eax\n"
	"	movl	%eax, %cr3\n"
	"	movl	$0xc0000080, %ecx\n" /* EFER */
	"	xorl	%edx, %edx\n"
	"	movl	$0x100, %eax\n" /* LME */
	"	wrmsr\n"
	"	movl	$0x80010001, %eax\n" /* PG, WP, PE */
	"	movl	%eax, %cr0\n"
	"	ljmpl	$8, $0x40000 + ap_long - ap_start\n"
	".code64\n"
	"ap_long:\n"
	"	movl	$16, %eax\n"
	"	movl	%eax, %ds\n"
	"	movl	%eax, %es\n"
	"	movl	%eax, %ss\n"
	"	movl	$1, %edi\n"
	"	lock xaddl %edi, next_stack\n"
	"	movl	%edi, %eax\n"
	"	incl	%eax\n"
	"	shll	$12, %eax\n" /* STACK */
	"	leaq	stacks(%rax), %rsp\n"
	"	xorl	%ebp, %ebp\n"
	"	movq	0x40000 + ap_entry - ap_start, %rax\n"
	"	call	*%rax\n"
	"	ud2\n"
	"	.balign 8\n"
	"ap_gdt:\n"
	"	.quad	0\n"
	"	.quad	0x00af9b000000ffff\n"
	"	.quad	0x00cf93000000ffff\n"
	"ap_gdt_pointer:\n"
	"	.word	ap_gdt_pointer - ap_gdt - 1\n"
	"	.long	0x40000 + ap_gdt - ap_start\n"
	"	.balign 8\n"
	"ap_cr3:\n"
	"	.quad	0\n"
	"ap_entry:\n"
	"	.quad	0\n"
	"ap_end:\n"
	".text\n");

extern u8 ap_start[], ap_end[], ap_cr3[], ap_entry[];

u8 stacks[MAX_CPUS][STACK] __attribute__((aligned(STACK)));
u32 next_stack;

static struct {
	u16 limit;
	u64 base;
} __packed idtr;

static u8 *apic(void)
{
	return map_phys(APIC_BASE, PAGE_SIZE);
}

static u32 own_apic_id(void)
{
	return mmio_read32(apic() + APIC_ID) >> 24;
}

static void cpuid(u32 leaf, u32 *eax, u32 *ebx, u32 *edx)
{
	u32 ecx = 0;

	*eax = leaf;
	__asm__ volatile("cpuid" : "+a"(*eax), "=b"(*ebx), "+c"(ecx), "=d"(*edx));
}

/* The APIC's ID, if that and all that CPUID says of it are the same; else SMP_NO_ID. */
u64 smp_self(void)
{
	u32 id = own_apic_id(), max, eax, ebx, edx;

	cpuid(0, &max, &ebx, &edx);
	cpuid(1, &eax, &ebx, &edx);
	if (ebx >> 24 != id)
		return SMP_NO_ID;
	if (max >= 0xb) {
		cpuid(0xb, &eax, &ebx, &edx);
		/* Only if there is such a leaf. */
		if (ebx && edx != id)
			return SMP_NO_ID;
	}
	return id;
}

static void __noreturn ap_main(void)
{
	__asm__ volatile("lidt %0" : : "m"(idtr));
	mmio_write32(apic() + APIC_SVR, APIC_SVR_ON);
	smp_main(smp_self());
}

unsigned int smp_list(u64 *ids, unsigned int max)
{
	const u8 *madt = acpi_table("APIC");
	u32 self = own_apic_id(), len, nr = 0;

	if (!madt)
		panic("there is no MADT");
	memcpy(&len, madt + 4, sizeof(len));
	for (u32 off = MADT_ENTRIES; off + 2 <= len && madt[off + 1]; off += madt[off + 1]) {
		if (madt[off] == MADT_LAPIC && madt[off + 3] != self && nr < max)
			ids[nr++] = madt[off + 3];
	}
	return nr;
}

void smp_check(unsigned int nr)
{
	u32 eax, ebx, edx;

	cpuid(1, &eax, &ebx, &edx);
	check(nr == 1 || (ebx >> 16 & 0xff) >= nr, "CPUID has IDs for %u", ebx >> 16 & 0xff);
}

void smp_prepare(void)
{
	u64 entry = gpa_of(ap_main), cr3 = gpa_of(pml4);

	memcpy((void *)TRAMPOLINE, ap_start, ap_end - ap_start);
	memcpy((u8 *)TRAMPOLINE + (ap_cr3 - ap_start), &cr3, sizeof(cr3));
	memcpy((u8 *)TRAMPOLINE + (ap_entry - ap_start), &entry, sizeof(entry));
	__asm__ volatile("sidt %0" : "=m"(idtr));
}

static void send(u32 id, u32 what)
{
	mmio_write32(apic() + APIC_ICR_HIGH, id << 24);
	mmio_write32(apic() + APIC_ICR_LOW, what);
	while (mmio_read32(apic() + APIC_ICR_LOW) & ICR_BUSY)
		cpu_relax();
}

bool smp_start(u64 id)
{
	send(id, ICR_INIT);
	send(id, ICR_STARTUP | TRAMPOLINE >> 12);
	return true;
}

void smp_wait(void)
{
	/* The CPU gets no other interrupt. */
	irq_wait();
}

bool smp_can_stop(void)
{
	return false;
}

void smp_stop(void)
{
}

bool smp_is_off(u64 id)
{
	(void)id;
	return false;
}

void smp_wake(u64 id)
{
	send(id, ICR_FIXED | (FIRST_IRQ + LINE));
}
