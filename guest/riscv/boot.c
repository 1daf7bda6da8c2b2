// SPDX-License-Identifier: GPL-2.0-only
/* From the device tree to guest_main(), the calls of the firmware, and the ways out. */
#include "riscv.h"
#include "rt/arch.h"
#include "rt/core.h"
#include "rt/fdt.h"
#include "rt/firmware.h"

struct sbi_ret sbi(u64 extension, u64 function, u64 a0, u64 a1, u64 a2)
{
	register u64 r0 __asm__("a0") = a0;
	register u64 r1 __asm__("a1") = a1;
	register u64 r2 __asm__("a2") = a2;
	register u64 r6 __asm__("a6") = function;
	register u64 r7 __asm__("a7") = extension;

	__asm__ volatile("ecall" : "+r"(r0), "+r"(r1) : "r"(r2), "r"(r6), "r"(r7) : "memory");
	return (struct sbi_ret){r0, r1};
}

void *map_phys(u64 gpa, u64 len)
{
	(void)len;
	return (void *)(uintptr_t)gpa;
}

void map_ram(u64 gpa, u64 len)
{
	(void)gpa;
	(void)len;
}

void machine_exit(int status)
{
	fdt_test_exit(status);

	/* Still here: there is no such register. */
	sbi(SBI_SRST, SBI_SRST_RESET, SBI_SRST_OFF, status ? SBI_SRST_FAILURE : SBI_SRST_NORMAL, 0);
	for (;;)
		cpu_sleep();
}

void machine_reset(void)
{
	sbi(SBI_SRST, SBI_SRST_RESET, SBI_SRST_COLD, SBI_SRST_NORMAL, 0);
}

u32 dt_wire(const u32 *cells, unsigned int nr)
{
	return nr ? cells[0] : FW_NO_IRQ;
}

void riscv_start(u64 hart, u64 fdt)
{
	(void)hart;
	dt_init((const void *)(uintptr_t)fdt);
	uart_init();
	fdt_machine_init(gpa_of(image_start), gpa_of(image_end));
	irq_init();
	rt_start();
}
