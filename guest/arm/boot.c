// SPDX-License-Identifier: GPL-2.0-only
/* From the device tree to guest_main(), the map of memory, and the ways out. */
#include "arm.h"
#include "rt/arch.h"
#include "rt/core.h"
#include "rt/fdt.h"
#include "rt/firmware.h"

#define BLOCK	    GiB
#define DESC_VALID  BIT_ULL(0)
#define DESC_TABLE  3
#define DESC_BLOCK  (BIT_ULL(10) | 1) /* accessed */
#define DESC_NORMAL (3 << 8 | 1 << 2) /* inner shareable, write-back */
#define DESC_DEVICE (3ULL << 53) /* never executed */
#define DESC_ADDR   GENMASK_ULL(47, 12)

/* Interrupts in a device tree (binding arm,gic): their kind is the first cell. */
#define DT_SPI 0

/*
 * From the image's end to what the tree says is RAM nothing is known: tables that are needed
 * before then come from here. Every 512 GiB has one.
 */
#define NR_EARLY_TABLES 4

static u64 early_tables[NR_EARLY_TABLES][512] __attribute__((aligned(4096)));
static unsigned int nr_early_tables;

static u64 *new_table(void)
{
	if (nr_early_tables < NR_EARLY_TABLES)
		return early_tables[nr_early_tables++];
	return page_alloc();
}

static void map_blocks(u64 gpa, u64 len, u64 attributes)
{
	u64 block;

	for (block = align_down(gpa, BLOCK); block < gpa + max(len, (u64)1); block += BLOCK) {
		u64 *top = &level0[block >> 39 & 511], *entry;

		if (!(*top & DESC_VALID))
			*top = gpa_of(new_table()) | DESC_TABLE;
		entry = (u64 *)(uintptr_t)(*top & DESC_ADDR) + (block >> 30 & 511);
		/* An entry that is there is for good: no TLB has to hear of a change. */
		if (!(*entry & DESC_VALID))
			WRITE_ONCE(*entry, block | DESC_BLOCK | attributes);
	}
	dsb();
	isb();
}

/* RAM can be told from registers by its neighbourhood of 1 GiB. */
void map_ram(u64 gpa, u64 len)
{
	map_blocks(gpa, len, DESC_NORMAL);
}

void *map_phys(u64 gpa, u64 len)
{
	map_blocks(gpa, len, DESC_DEVICE);
	return (void *)(uintptr_t)gpa;
}

s64 psci(u64 function, u64 a1, u64 a2, u64 a3)
{
	/* Nothing may be called between the registers' values and their use. */
	bool by_smc = !strcmp(dt_string(dt_find("/psci"), "method"), "smc");
	register u64 x0 __asm__("x0") = function;
	register u64 x1 __asm__("x1") = a1;
	register u64 x2 __asm__("x2") = a2;
	register u64 x3 __asm__("x3") = a3;

	if (by_smc)
		__asm__ volatile("smc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::"memory");
	else
		__asm__ volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::"memory");
	return x0;
}

void machine_exit(int status)
{
	fdt_test_exit(status);

	/* Still here: there is no such register. */
	psci(PSCI_SYSTEM_OFF, 0, 0, 0);
	for (;;)
		cpu_sleep();
}

void machine_reset(void)
{
	psci(PSCI_SYSTEM_RESET, 0, 0, 0);
}

u32 dt_wire(const u32 *cells, unsigned int nr)
{
	return nr >= 2 && cells[0] == DT_SPI ? cells[1] : FW_NO_IRQ;
}

/* A tree has as many bytes as it says; it is at most 2 MiB, by the boot protocol. */
#define MAX_FDT (2 * MiB)

void arm_start(u64 fdt)
{
	map_ram(fdt, MAX_FDT);
	dt_init((const void *)(uintptr_t)fdt);
	uart_init();
	fdt_machine_init(gpa_of(image_start), gpa_of(image_end));
	irq_init();
	rt_start();
}
