// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a kernel is handed: the memory map, its initrd and command line, and the
 * structure that points to them, boot_params for Linux's 64-bit boot protocol and
 * hvm_start_info for PVH.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "boot-internal.h"
#include "util/log.h"
#include "vm/memory.h"
#include "x86/layout.h"

/* The PC's layout of the first MiB, which kernels look for. */
#define EBDA_START 0x9fc00
#define VGA_START  0xa0000
#define BIOS_START 0xe0000
#define BIOS_END   0x100000

#define PAGE 4096

/* Undefined loader, in the list of boot.rst. */
#define LOADER_TYPE 0xff

/* Xen's public/arch-x86/hvm/start_info.h, version 1. */
#define START_INFO_MAGIC   0x336ec578
#define START_INFO_VERSION 1
#define START_INFO_ROOM	   (BOOT_PARAMS - BOOT_START_INFO)

struct hvm_start_info {
	u32 magic;
	u32 version;
	u32 flags;
	u32 nr_modules;
	u64 modlist_paddr;
	u64 cmdline_paddr;
	u64 rsdp_paddr;
	u64 memmap_paddr;
	u32 memmap_entries;
	u32 reserved;
};

struct hvm_modlist_entry {
	u64 paddr;
	u64 size;
	u64 cmdline_paddr;
	u64 reserved;
};

struct hvm_memmap_entry {
	u64 addr;
	u64 size;
	u32 type;
	u32 reserved;
};

static void map_append(struct mem_map *map, u64 start, u64 end, u32 type)
{
	struct mem_range *last = map->nr ? &map->ranges[map->nr - 1] : NULL;

	if (last && last->end == start && last->type == type) {
		last->end = end;
		return;
	}
	assert(map->nr < ARRAY_SIZE(map->ranges));
	map->ranges[map->nr++] = (struct mem_range){start, end, type};
}

void mem_map_set(struct mem_map *map, u64 start, u64 end, u32 type)
{
	struct mem_map old = *map;
	const struct mem_range *r, *stop = old.ranges + old.nr;

	map->nr = 0;
	for (r = old.ranges; r < stop && r->start < start; r++)
		map_append(map, r->start, min(r->end, start), r->type);
	if (type != MEM_NONE)
		map_append(map, start, end, type);
	for (r = old.ranges; r < stop; r++)
		if (r->end > end)
			map_append(map, max(r->start, end), r->end, r->type);
}

bool mem_map_is_ram(const struct mem_map *map, u64 start, u64 end)
{
	unsigned int i;

	for (i = 0; i < map->nr; i++) {
		const struct mem_range *r = &map->ranges[i];

		if (r->type == MEM_RAM && start >= r->start && end <= r->end)
			return true;
	}
	return false;
}

bool mem_map_find_high(const struct mem_map *map, u64 size, u64 first, u64 end, u64 *gpa)
{
	unsigned int i;

	for (i = map->nr; i-- > 0;) {
		const struct mem_range *r = &map->ranges[i];
		u64 bottom = max(r->start, first), top = min(r->end, end);

		if (r->type != MEM_RAM || top <= bottom || top - bottom < size)
			continue;
		*gpa = align_down(top - size, PAGE);
		if (*gpa >= bottom)
			return true;
	}
	return false;
}

int boot_make_map(struct boot_loader *ld)
{
	const struct boot_config *cfg = ld->cfg;
	struct mem_map *map = &ld->map;
	unsigned int i;

	for (i = 0; i < ld->mem->nr_banks; i++) {
		const struct guest_bank *bank = &ld->mem->banks[i];

		mem_map_set(map, bank->gpa, bank->gpa + bank->size, MEM_RAM);
	}
	if (!mem_map_is_ram(map, 0, 2 * MiB)) {
		pr_err("%" PRIu64
		       " MiB of guest memory are not enough for any kernel; use -m 64 or more",
		       guest_mem_size(ld->mem) / MiB);
		return -ENOMEM;
	}

	mem_map_set(map, EBDA_START, VGA_START, MEM_RESERVED);
	mem_map_set(map, VGA_START, BIOS_START, MEM_NONE);
	mem_map_set(map, BIOS_START, BIOS_END, MEM_RESERVED);
	if (cfg->acpi_size)
		mem_map_set(map, align_down(cfg->acpi_gpa, PAGE),
			    align_up(cfg->acpi_gpa + cfg->acpi_size, PAGE), MEM_ACPI);
	if (cfg->ecam_size)
		mem_map_set(map, cfg->ecam_gpa, cfg->ecam_gpa + cfg->ecam_size, MEM_RESERVED);

	ld->free = ld->map;
	mem_map_set(&ld->free, 0, BOOT_LOW_END, MEM_NONE);
	return 0;
}

static int initrd_too_big(const struct boot_loader *ld, const struct file *f)
{
	u64 mib = align_up(f->size, MiB) / MiB;
	u64 kernel_end = align_up(ld->st->kernel_end, PAGE), size = align_up(f->size, PAGE);
	u64 needed = 0;

	/* Behind the kernel, or above 4 GiB, as boot_load_initrd() would find it. */
	if (kernel_end + size <= min(ld->initrd_end[0], (u64)X86_HOLE_START))
		needed = boot_memory_needed(ld, kernel_end + size);
	else if (ld->initrd_end[1] > 4 * GiB)
		needed = boot_memory_needed(ld, 4 * GiB + size);

	if (needed > guest_mem_size(ld->mem) / MiB)
		pr_err("initrd '%s' of %" PRIu64 " MiB does not fit into the %" PRIu64
		       " MiB of guest memory beside the kernel: give the guest at least -m "
		       "%" PRIu64,
		       f->path, mib, guest_mem_size(ld->mem) / MiB, needed);
	else if (ld->cfg->banks_chosen)
		pr_err("initrd '%s' of %" PRIu64 " MiB fits into no bank of memory beside the "
		       "kernel%s: give the guest a larger one",
		       f->path, mib, ld->initrd_end[1] <= 4 * GiB ? " and below 4 GiB" : "");
	else
		pr_err("initrd '%s' of %" PRIu64 " MiB is too big for this kernel, which wants it "
		       "below 0x%" PRIx64,
		       f->path, mib, ld->initrd_end[1]);
	return -ENOMEM;
}

int boot_load_initrd(struct boot_loader *ld)
{
	struct file f;
	u64 gpa;
	int ret;

	if (!ld->cfg->initrd)
		return 0;
	ret = file_open(&f, "initrd", ld->cfg->initrd, guest_mem_size(ld->mem));
	if (ret)
		return ret;

	if (!mem_map_find_high(&ld->free, f.size, MiB, ld->initrd_end[0], &gpa) &&
	    !mem_map_find_high(&ld->free, f.size, MiB, ld->initrd_end[1], &gpa)) {
		ret = initrd_too_big(ld, &f);
		goto out;
	}
	ret = boot_copy_file(ld, &f, 0, gpa, f.size);
	if (ret)
		goto out;
	ld->st->initrd_gpa = gpa;
	ld->st->initrd_size = f.size;
out:
	file_close(&f);
	return ret;
}

int boot_write_cmdline(struct boot_loader *ld)
{
	const char *cmdline = ld->cfg->cmdline ? ld->cfg->cmdline : "";
	size_t len = strlen(cmdline);

	if (len > ld->cmdline_max) {
		pr_err("the kernel command line has %zu characters; this kernel takes up to %u",
		       len, ld->cmdline_max);
		return -E2BIG;
	}
	return guest_mem_write(ld->mem, BOOT_CMDLINE, cmdline, len + 1);
}

static int write_boot_params(struct boot_loader *ld)
{
	struct boot_params *params = &ld->params;
	struct setup_header *hdr = &params->hdr;
	unsigned int i;

	/* All that a loader decides, whatever the image says there. */
	hdr->type_of_loader = LOADER_TYPE;
	hdr->ext_loader_type = 0;
	hdr->ext_loader_ver = 0;
	hdr->loadflags = LOADED_HIGH;
	hdr->heap_end_ptr = 0;
	hdr->setup_data = 0;
	hdr->hardware_subarch = 0;
	hdr->hardware_subarch_data = 0;
	hdr->cmd_line_ptr = BOOT_CMDLINE;
	hdr->ramdisk_image = (u32)ld->st->initrd_gpa;
	hdr->ramdisk_size = (u32)ld->st->initrd_size;
	params->ext_ramdisk_image = ld->st->initrd_gpa >> 32;
	params->ext_ramdisk_size = ld->st->initrd_size >> 32;
	params->acpi_rsdp_addr = ld->cfg->rsdp_gpa;

	assert(ld->map.nr <= ARRAY_SIZE(params->e820_table));
	for (i = 0; i < ld->map.nr; i++) {
		const struct mem_range *r = &ld->map.ranges[i];

		params->e820_table[i] = (struct boot_e820_entry){
			.addr = r->start,
			.size = r->end - r->start,
			.type = r->type,
		};
	}
	params->e820_entries = ld->map.nr;

	ld->st->info_gpa = BOOT_PARAMS;
	return guest_mem_write(ld->mem, BOOT_PARAMS, params, sizeof(*params));
}

static int write_start_info(struct boot_loader *ld)
{
	struct {
		struct hvm_start_info info;
		struct hvm_modlist_entry module;
		struct hvm_memmap_entry map[MEM_MAP_MAX];
	} page;
	u64 len = offsetof(__typeof__(page), map) + ld->map.nr * sizeof(page.map[0]);
	unsigned int i;

	assert(len <= START_INFO_ROOM);
	memset(&page, 0, sizeof(page));
	page.info.magic = START_INFO_MAGIC;
	page.info.version = START_INFO_VERSION;
	page.info.cmdline_paddr = BOOT_CMDLINE;
	page.info.rsdp_paddr = ld->cfg->rsdp_gpa;
	if (ld->st->initrd_size) {
		page.info.nr_modules = 1;
		page.info.modlist_paddr = BOOT_START_INFO + offsetof(__typeof__(page), module);
		page.module.paddr = ld->st->initrd_gpa;
		page.module.size = ld->st->initrd_size;
	}
	page.info.memmap_paddr = BOOT_START_INFO + offsetof(__typeof__(page), map);
	page.info.memmap_entries = ld->map.nr;
	for (i = 0; i < ld->map.nr; i++) {
		const struct mem_range *r = &ld->map.ranges[i];

		page.map[i] = (struct hvm_memmap_entry){
			.addr = r->start,
			.size = r->end - r->start,
			.type = r->type,
		};
	}

	ld->st->info_gpa = BOOT_START_INFO;
	return guest_mem_write(ld->mem, BOOT_START_INFO, &page, len);
}

int boot_write_info(struct boot_loader *ld)
{
	return ld->st->mode == BOOT_PVH ? write_start_info(ld) : write_boot_params(ld);
}
