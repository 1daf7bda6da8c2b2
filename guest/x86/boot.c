// SPDX-License-Identifier: GPL-2.0-only
/* From the PVH start info to guest_main(), and the ways out. */
#include "rt/arch.h"
#include "rt/core.h"
#include "rt/firmware.h"
#include "x86.h"

#define START_MAGIC 0x336ec578

/* Xen's public "x86/HVM start of day" interface. */
struct hvm_start_info {
	u32 magic;
	u32 version;
	u32 flags;
	u32 nr_modules;
	u64 modules;
	u64 cmdline;
	u64 rsdp;
	u64 memmap; /* from version 1 on */
	u32 memmap_entries;
	u32 reserved;
};

struct hvm_module {
	u64 gpa;
	u64 size;
	u64 cmdline;
	u64 reserved;
};

struct hvm_memmap_entry {
	u64 gpa;
	u64 size;
	u32 type;
	u32 reserved;
};

#define MEMMAP_RAM 1

#define TEST_EXIT    0xf4
#define RESET_PORT   0xcf9
#define RESET	     6
#define PVPANIC_PORT 0x505

/* FADT: ACPI 6.5, table 5.9 */
#define FADT_FLAGS	   112
#define FADT_FLAGS_REDUCED BIT(20)
#define FADT_SLEEP_CONTROL 244
#define GAS_SPACE_IO	   1
#define SLEEP_ENABLE	   BIT(5)
#define SLEEP_TYPE_S5	   (5 << 2)

#define PTE_PRESENT  BIT_ULL(0)
#define PTE_WRITE    BIT_ULL(1)
#define PTE_UNCACHED BIT_ULL(4)
#define PTE_LARGE    BIT_ULL(7)
#define PTE_ADDRESS  GENMASK_ULL(51, 12)
#define LARGE_PAGE   0x200000ULL

static u64 *next_level(u64 *entry)
{
	if (!(*entry & PTE_PRESENT))
		*entry = gpa_of(page_alloc()) | PTE_PRESENT | PTE_WRITE;
	return (u64 *)(uintptr_t)(*entry & PTE_ADDRESS);
}

void *map_phys(u64 gpa, u64 len)
{
	u64 page;

	for (page = align_down(gpa, LARGE_PAGE); page < gpa + len; page += LARGE_PAGE) {
		u64 *pdpt, *pd, *entry;

		if (page < GiB)
			continue;
		pdpt = next_level(&pml4[page >> 39 & 511]);
		pd = next_level(&pdpt[page >> 30 & 511]);
		entry = &pd[page >> 21 & 511];
		if (!(*entry & PTE_PRESENT))
			*entry = page | PTE_LARGE | PTE_UNCACHED | PTE_WRITE | PTE_PRESENT;
	}
	return (void *)(uintptr_t)gpa;
}

void machine_exit(int status)
{
	const u8 *fadt;

	outb(TEST_EXIT, status);

	/* Still here: there is no such port. Power off as an operating system does. */
	fadt = acpi_table("FACP");
	if (fadt && *(const u32 *)(fadt + FADT_FLAGS) & FADT_FLAGS_REDUCED &&
	    fadt[FADT_SLEEP_CONTROL] == GAS_SPACE_IO) {
		u64 port;

		memcpy(&port, fadt + FADT_SLEEP_CONTROL + 4, sizeof(port));
		outb(port, SLEEP_TYPE_S5 | SLEEP_ENABLE);
	}
	for (;;)
		cpu_sleep();
}

void machine_reset(void)
{
	outb(RESET_PORT, RESET);
}

void machine_pvpanic(u8 event)
{
	outb(PVPANIC_PORT, event);
}

static bool overlaps(u64 gpa, u64 size, u64 start, u64 end)
{
	return size && gpa < end && gpa + size > start;
}

/* From the end of the image to the end of that RAM, or to the first thing left there. */
static void find_memory(const struct hvm_start_info *si)
{
	const struct hvm_memmap_entry *map = map_phys(si->memmap, 0);
	const struct hvm_module *mod = map_phys(si->modules, 0);
	u64 start = align_up(gpa_of(image_end), PAGE_SIZE), end = 0;
	u32 i;

	if (!si->version || !si->memmap_entries)
		panic("the PVH start info has no memory map");
	for (i = 0; i < si->memmap_entries; i++) {
		if (map[i].type == MEMMAP_RAM && map[i].gpa <= start &&
		    map[i].gpa + map[i].size > start)
			end = map[i].gpa + map[i].size;
	}
	/* Only so much is mapped at the start, and it is plenty. */
	end = min(end, (u64)GiB);
	for (i = 0; i < si->nr_modules; i++) {
		if (overlaps(mod[i].gpa, mod[i].size, start, end))
			end = mod[i].gpa;
	}
	if (overlaps(gpa_of(si), sizeof(*si), start, end))
		end = gpa_of(si);
	if (overlaps(si->memmap, si->memmap_entries * sizeof(*map), start, end))
		end = si->memmap;
	if (overlaps(si->cmdline, si->cmdline ? 1 : 0, start, end))
		end = si->cmdline;
	fw.ram_start = start;
	fw.ram_end = align_down(end, PAGE_SIZE);
	mem_init(fw.ram_start, fw.ram_end);
}

void x86_start(u64 start_info)
{
	const struct hvm_start_info *si = (void *)(uintptr_t)start_info;

	serial_init();
	if (si->magic != START_MAGIC)
		panic("no PVH start info at 0x%lx", start_info);
	find_memory(si);
	irq_init();
	fw.cmdline = si->cmdline ? map_phys(si->cmdline, 1) : "";
	acpi_init(si->rsdp);
	rt_start();
}
