// SPDX-License-Identifier: GPL-2.0-only
/* The x86 kernel loader: what is loaded where, and what is refused in which words. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "boot-images.h"
#include "util/file.h"

/* The E820 map that the machine has to have, checked against what was written. */
static void check_map(u64 gpa, unsigned int nr, unsigned int stride, u64 size)
{
	u64 low = min(size, 3 * GiB);
	const struct {
		u64 start, end;
		u32 type;
	} want[] = {
		{0, 0x9fc00, 1},
		{0x9fc00, 0xa0000, 2},
		{0xe0000, 0xe2000, 3},
		{0xe2000, 0x100000, 2},
		{0x100000, low, 1},
		{0xe0000000, 0xf0000000, 2},
		{4 * GiB, 4 * GiB + size - low, 1},
	};
	unsigned int i;

	if (!CHECK_EQ(nr, size > low ? 7 : 6))
		return;
	for (i = 0; i < nr; i++, gpa += stride) {
		CHECK_EQ(guest_u64(gpa), want[i].start);
		CHECK_EQ(guest_u64(gpa + 8), want[i].end - want[i].start);
		CHECK_EQ(guest_u32(gpa + 16), want[i].type);
	}
}

/* Follows the page tables that were written to guest memory, as the CPU does. */
static bool translate(const struct kvm_sregs *sregs, u64 addr, u64 *gpa)
{
	u64 table = sregs->cr3, entry;
	int shift;

	for (shift = 39; shift >= 12; shift -= 9) {
		entry = guest_u64(table + (addr >> shift) % 512 * 8);
		if ((entry & 3) != 3)
			return false;
		table = entry & GENMASK_ULL(51, 12);
		if (shift <= 30 && entry & 0x80)
			break;
	}
	*gpa = table + (addr & ((1ULL << shift) - 1));
	return true;
}

static void check_descriptor(const struct kvm_sregs *sregs, const struct kvm_segment *seg)
{
	u64 desc;

	CHECK(seg->selector + 7u <= sregs->gdt.limit);
	desc = guest_u64(sregs->gdt.base + seg->selector);
	CHECK_EQ(desc >> 40 & 0xf, seg->type);
	CHECK_EQ(desc >> 44 & 1, seg->s);
	CHECK_EQ(desc >> 47 & 1, 1);
	CHECK_EQ(desc >> 53 & 1, seg->l);
	CHECK_EQ(desc >> 54 & 1, seg->db);
	CHECK_EQ(desc >> 55 & 1, seg->g);
	CHECK_EQ((desc & 0xffff) | (desc >> 32 & 0xf0000), seg->g ? seg->limit >> 12 : seg->limit);
	CHECK_EQ((desc >> 16 & 0xffffff) | (desc >> 32 & 0xff000000), seg->base);
	CHECK_EQ(seg->present, 1);
	CHECK_EQ(seg->unusable, 0);
}

static void check_segments(const struct kvm_sregs *sregs, bool mode64)
{
	check_descriptor(sregs, &sregs->cs);
	check_descriptor(sregs, &sregs->ds);
	check_descriptor(sregs, &sregs->es);
	check_descriptor(sregs, &sregs->ss);
	check_descriptor(sregs, &sregs->tr);
	CHECK_EQ(sregs->cs.type, 0xb);
	CHECK_EQ(sregs->cs.l, mode64);
	CHECK_EQ(sregs->cs.db, !mode64);
	CHECK_EQ(sregs->cs.limit, 0xffffffff);
	CHECK_EQ(sregs->ds.type, 0x3);
	CHECK_EQ(sregs->ds.limit, 0xffffffff);
	CHECK_EQ(sregs->tr.type, 0xb);
	CHECK_EQ(sregs->tr.s, 0);
	CHECK_EQ(sregs->tr.limit, 0x67);
	CHECK_EQ(sregs->ldt.unusable, 1);
}

static void check_bzimage(u64 size)
{
	struct boot_params params;
	struct kvm_sregs sregs = {.apic_base = 0xfee00900};
	struct kvm_regs regs;
	char cmdline[64];
	u64 gpa;

	make_bzimage();
	if (!CHECK_EQ(load(size), 0))
		return;
	CHECK_EQ(st.mode, BOOT_LINUX64);
	CHECK_EQ(st.entry, BZ_PREF + 0x200);
	CHECK_EQ(st.kernel_gpa, BZ_PREF);
	CHECK_EQ(st.kernel_end, BZ_PREF + BZ_INIT_SIZE);
	CHECK_EQ(st.initrd_size, 0);
	CHECK(!memcmp(guest_mem_ptr(&mem, BZ_PREF, BZ_KERNEL_SIZE), image + BZ_SETUP_SIZE,
		      BZ_KERNEL_SIZE));
	CHECK_EQ(guest_u32(BZ_PREF + BZ_KERNEL_SIZE), 0);

	CHECK_EQ(guest_mem_read(&mem, st.info_gpa, &params, sizeof(params)), 0);
	CHECK_EQ(params.hdr.type_of_loader, 0xff);
	CHECK_EQ(params.hdr.loadflags, LOADED_HIGH);
	CHECK_EQ(params.hdr.code32_start, BZ_PREF);
	CHECK_EQ(params.hdr.version, 0x020f);
	CHECK_EQ(params.hdr.root_flags, 1);
	CHECK_EQ(params.hdr.kernel_info_offset, 0x12345678);
	CHECK_EQ(params.hdr.ramdisk_image, 0);
	CHECK_EQ(params.hdr.ramdisk_size, 0);
	CHECK_EQ(params.sentinel, 0);
	CHECK_EQ(guest_u64(st.info_gpa + 0x70), 0xe0000);
	check_map(st.info_gpa + 0x2d0, params.e820_entries, 20, size);
	guest_string(params.hdr.cmd_line_ptr, cmdline);
	CHECK_STR_EQ(cmdline, "console=ttyS0");

	x86_boot_regs(&st, &regs, &sregs);
	CHECK_EQ(regs.rip, st.entry);
	CHECK_EQ(regs.rsi, st.info_gpa);
	CHECK_EQ(regs.rflags, 2);
	CHECK_EQ(sregs.cr0 & 0x80000001, 0x80000001);
	CHECK_EQ(sregs.cr4, 0x20);
	CHECK_EQ(sregs.efer, 0x500);
	CHECK_EQ(sregs.apic_base, 0xfee00900);
	CHECK_EQ(sregs.cs.selector, 0x10);
	CHECK_EQ(sregs.ds.selector, 0x18);
	CHECK_EQ(sregs.es.selector, 0x18);
	CHECK_EQ(sregs.ss.selector, 0x18);
	check_segments(&sregs, true);
	for (u64 addr = 0; addr < 4 * GiB; addr += 1 * MiB + 0x123) {
		if (!CHECK(translate(&sregs, addr, &gpa)) || !CHECK_EQ(gpa, addr))
			break;
	}
	if (CHECK(translate(&sregs, 4 * GiB - 1, &gpa)))
		CHECK_EQ(gpa, 4 * GiB - 1);
	CHECK(!translate(&sregs, 4 * GiB, &gpa));
}

TEST(bzimage_64m)
{
	check_bzimage(64 * MiB);
}

TEST(bzimage_3g)
{
	check_bzimage(3 * GiB);
}

TEST(bzimage_5g)
{
	check_bzimage(5 * GiB);
}

TEST(bzimage_setup_sects_0_means_4)
{
	make_bzimage();
	memmove(image + 5 * 512, image + BZ_SETUP_SIZE, BZ_KERNEL_SIZE);
	memset(image + BZ_SETUP_SIZE, 0xcc, 5 * 512 - BZ_SETUP_SIZE);
	image_size = 5 * 512 + BZ_KERNEL_SIZE;
	bz->setup_sects = 0;
	CHECK_EQ(load(64 * MiB), 0);
	CHECK(!memcmp(guest_mem_ptr(&mem, BZ_PREF, BZ_KERNEL_SIZE), image + 5 * 512,
		      BZ_KERNEL_SIZE));
}

TEST(bzimage_header_ends_where_it_says)
{
	struct boot_params params;

	/* What follows the header is code, not to be taken for fields. */
	make_bzimage();
	memset(image + 0x268, 0xcc, 0x100);
	image[0x201] = 0x268 - 0x202;
	CHECK_EQ(load(64 * MiB), 0);
	CHECK_EQ(guest_u32(st.info_gpa + 0x268), 0);

	/* A longer header than is known here is copied too, up to the field behind. */
	make_bzimage();
	memset(image + 0x26c, 0xcc, 0x100);
	image[0x201] = 0xff;
	CHECK_EQ(load(64 * MiB), 0);
	CHECK_EQ(guest_mem_read(&mem, st.info_gpa, &params, sizeof(params)), 0);
	CHECK_EQ(guest_u32(st.info_gpa + 0x28c), 0xcccccccc);
	CHECK_EQ(params.edd_mbr_sig_buffer[0], 0);
}

TEST(bzimage_loader_fields_are_not_the_images)
{
	struct boot_params params;

	make_bzimage();
	bz->setup_data = 0x4141414141414141;
	bz->ramdisk_image = 0x41414141;
	bz->ramdisk_size = 0x41414141;
	bz->cmd_line_ptr = 0x41414141;
	bz->code32_start = 0x41414141;
	bz->hardware_subarch = 3;
	bz->loadflags = 0xff;
	CHECK_EQ(load(64 * MiB), 0);
	CHECK_EQ(guest_mem_read(&mem, st.info_gpa, &params, sizeof(params)), 0);
	CHECK_EQ(params.hdr.setup_data, 0);
	CHECK_EQ(params.hdr.ramdisk_image, 0);
	CHECK_EQ(params.hdr.ramdisk_size, 0);
	CHECK_EQ(params.hdr.code32_start, BZ_PREF);
	CHECK_EQ(params.hdr.hardware_subarch, 0);
	CHECK_EQ(params.hdr.loadflags, LOADED_HIGH);
}

TEST(bzimage_placement)
{
	/* Not aligned: upwards, as the kernel does it. */
	make_bzimage();
	bz->pref_address = BZ_PREF + 1;
	CHECK_EQ(load(64 * MiB), 0);
	CHECK_EQ(st.kernel_gpa, BZ_PREF + 2 * MiB);

	make_bzimage();
	bz->pref_address = 0;
	CHECK_EQ(load(64 * MiB), 0);
	CHECK_EQ(st.kernel_gpa, 2 * MiB);

	/* Where it is not relocatable, the alignment says nothing. */
	make_bzimage();
	bz->relocatable_kernel = 0;
	bz->kernel_alignment = 0;
	bz->pref_address = MiB + 0x1000;
	CHECK_EQ(load(64 * MiB), 0);
	CHECK_EQ(st.kernel_gpa, MiB + 0x1000);

	/* An init_size that is less than the kernel itself. */
	make_bzimage();
	bz->init_size = 0;
	CHECK_EQ(load(64 * MiB), 0);
	CHECK_EQ(st.kernel_end, BZ_PREF + BZ_KERNEL_SIZE);

	/* All of the memory, and a byte more. */
	make_bzimage();
	bz->init_size = 48 * MiB;
	CHECK_EQ(load(64 * MiB), 0);
	bz->init_size++;
	refused(64 * MiB, -ENOMEM, "-m 65");
	CHECK_EQ(load(65 * MiB), 0);
}

TEST(banks_side_by_side)
{
	struct boot_config cfg;

	make_bzimage();
	cfg = config();
	guest_mem_destroy(&mem);
	CHECK_EQ(guest_mem_add_bank(&mem, 0, BZ_PREF + PAGE), 0);
	CHECK_EQ(guest_mem_add_bank(&mem, BZ_PREF + PAGE, 48 * MiB), 0);
	CHECK_EQ(load_config(&cfg), 0);
	CHECK(!memcmp(guest_mem_ptr(&mem, BZ_PREF, PAGE), image + BZ_SETUP_SIZE, PAGE));
	CHECK(!memcmp(guest_mem_ptr(&mem, BZ_PREF + PAGE, BZ_KERNEL_SIZE - PAGE),
		      image + BZ_SETUP_SIZE + PAGE, BZ_KERNEL_SIZE - PAGE));
}

/* Banks that the user placed: the map shows them and nothing else, holes included. */
TEST(banks_apart)
{
	const struct {
		u64 start, end;
	} ram[] = {
		{0, 0x9fc00},
		{MiB, 80 * MiB}, /* two that touch */
		{256 * MiB, 258 * MiB},
		{64 * GiB, 65 * GiB},
	};
	struct boot_params params;
	struct boot_config cfg;
	unsigned int n = 0;
	char path[64];
	int fd;

	make_bzimage();
	cfg = config();
	cfg.banks_chosen = true;
	cfg.initrd = make_file(path, "initrd", 6, 40 * MiB, &fd);
	guest_mem_destroy(&mem);
	CHECK_EQ(guest_mem_add_bank(&mem, 256 * MiB, 2 * MiB), 0);
	CHECK_EQ(guest_mem_add_bank(&mem, 0, 64 * MiB), 0);
	CHECK_EQ(guest_mem_add_bank(&mem, 64 * GiB, GiB), 0);
	CHECK_EQ(guest_mem_add_bank(&mem, 64 * MiB, 16 * MiB), 0);
	CHECK_EQ(load_config(&cfg), 0);
	CHECK_EQ(guest_mem_read(&mem, st.info_gpa, &params, sizeof(params)), 0);
	for (unsigned int i = 0; i < params.e820_entries; i++) {
		const struct boot_e820_entry *e = &params.e820_table[i];

		if (e->type != 1 || !CHECK(n < ARRAY_SIZE(ram)))
			continue;
		CHECK_EQ(e->addr, ram[n].start);
		CHECK_EQ(e->addr + e->size, ram[n].end);
		n++;
	}
	CHECK_EQ(n, ARRAY_SIZE(ram));

	/* The bank above is nearer to what the kernel allows, but too small. */
	CHECK_EQ(st.initrd_gpa, 40 * MiB);
	CHECK(!memcmp(guest_mem_ptr(&mem, st.initrd_gpa, 6), "initrd", 6));
	CHECK_EQ(ftruncate(fd, 2 * MiB), 0);
	CHECK_EQ(load_config(&cfg), 0);
	CHECK_EQ(st.initrd_gpa, 256 * MiB);

	/* Only the bank above 4 GiB has room for this one. */
	CHECK_EQ(ftruncate(fd, 500 * MiB), 0);
	CHECK_EQ(load_config(&cfg), 0);
	CHECK_EQ(st.initrd_gpa, 65 * GiB - 500 * MiB);
	bz->xloadflags = XLF_KERNEL_64;
	CHECK_EQ(load_config(&cfg), -ENOMEM);
	CHECK(strstr(message, "fits into no bank of memory beside the kernel and below 4 GiB"));
	close(fd);

	/* To name a size for -m would be no help. */
	cfg.initrd = NULL;
	bz->init_size = 100 * MiB;
	CHECK_EQ(load_config(&cfg), -ENOMEM);
	CHECK(strstr(message, "where this guest has no memory"));
	CHECK(!strstr(message, "-m "));
}

TEST(bzimage_refused)
{
	make_bzimage();
	bz->version = 0x020b;
	refused(64 * MiB, -ENOEXEC, "boot protocol 2.11");

	make_bzimage();
	bz->xloadflags = 0;
	refused(64 * MiB, -ENOEXEC, "32-bit");

	make_bzimage();
	image[0x201] = 0x263 - 0x202;
	refused(64 * MiB, -ENOEXEC, "0x263");

	make_bzimage();
	bz->syssize = 0x20;
	refused(64 * MiB, -ENOEXEC, "syssize");

	make_bzimage();
	bz->syssize = 0xffffffff;
	refused(64 * MiB, -ERANGE, "truncated");

	make_bzimage();
	bz->setup_sects = 255;
	refused(64 * MiB, -ERANGE, "truncated");

	make_bzimage();
	image_size--;
	refused(64 * MiB, -ERANGE, "truncated");

	make_bzimage();
	image_size = 0x206;
	refused(64 * MiB, -ERANGE, "truncated");

	make_bzimage();
	image_size = 0x205;
	refused(64 * MiB, -ENOEXEC, "truncated");

	make_bzimage();
	bz->kernel_alignment = 0;
	refused(64 * MiB, -ENOEXEC, "kernel_alignment");

	make_bzimage();
	bz->kernel_alignment = 3 * MiB;
	refused(64 * MiB, -ENOEXEC, "kernel_alignment");

	make_bzimage();
	bz->relocatable_kernel = 0;
	bz->pref_address = 0x10000;
	refused(64 * MiB, -ENOEXEC, "pref_address");

	make_bzimage();
	bz->pref_address = ~0ULL;
	refused(64 * MiB, -ENOEXEC, "pref_address");

	make_bzimage();
	bz->init_size = 0xffffffff;
	refused(5 * GiB, -ENOMEM, "no guest has memory");

	make_bzimage();
	bz->init_size = 1 * GiB;
	refused(64 * MiB, -ENOMEM, "-m 1040");

	/* Into the hole below 4 GiB. */
	make_bzimage();
	bz->pref_address = 3 * GiB - 16 * MiB;
	refused(5 * GiB, -ENOMEM, "no guest has memory");
}

TEST(elf_vmlinux)
{
	struct boot_params params;
	struct kvm_sregs sregs = {0};
	struct kvm_regs regs;

	make_elf(false);
	if (!CHECK_EQ(load(5 * GiB), 0))
		return;
	CHECK_EQ(st.mode, BOOT_LINUX64);
	CHECK_EQ(st.entry, ELF_GPA + 0x40);
	CHECK_EQ(st.kernel_gpa, ELF_GPA);
	CHECK_EQ(st.kernel_end, ELF_GPA + ELF_MEMSZ);
	CHECK(!memcmp(guest_mem_ptr(&mem, ELF_GPA, ELF_FILESZ), image + ELF_DATA, ELF_FILESZ));
	CHECK_EQ(guest_u32(ELF_GPA + ELF_FILESZ), 0);

	CHECK_EQ(guest_mem_read(&mem, st.info_gpa, &params, sizeof(params)), 0);
	CHECK_EQ(params.hdr.boot_flag, 0xaa55);
	CHECK(!memcmp(&params.hdr.header, "HdrS", 4));
	CHECK_EQ(params.hdr.type_of_loader, 0xff);
	CHECK(params.hdr.version >= 0x020c);
	CHECK_EQ(params.acpi_rsdp_addr, 0xe0000);
	check_map(st.info_gpa + 0x2d0, params.e820_entries, 20, 5 * GiB);

	x86_boot_regs(&st, &regs, &sregs);
	CHECK_EQ(regs.rip, ELF_GPA + 0x40);
	CHECK_EQ(regs.rsi, st.info_gpa);
}

TEST(elf_pvh)
{
	struct boot_config cfg;
	struct kvm_sregs sregs = {.apic_base = 0xfee00900};
	struct kvm_regs regs;
	char path[64], cmdline[64];
	u64 info, module;
	int fd;

	make_elf(true);
	cfg = config();
	cfg.initrd = make_file(path, "initrd", 6, 6, &fd);
	make_memory(5 * GiB);
	if (!CHECK_EQ(load_config(&cfg), 0))
		return;
	close(fd);
	CHECK_EQ(st.mode, BOOT_PVH);
	CHECK_EQ(st.entry, ELF_GPA + 0x100);

	info = st.info_gpa;
	CHECK_EQ(guest_u32(info), 0x336ec578);
	CHECK_EQ(guest_u32(info + 4), 1);
	CHECK_EQ(guest_u32(info + 8), 0);
	CHECK_EQ(guest_u32(info + 12), 1);
	module = guest_u64(info + 16);
	guest_string(guest_u64(info + 24), cmdline);
	CHECK_STR_EQ(cmdline, "console=ttyS0");
	CHECK_EQ(guest_u64(info + 32), 0xe0000);
	check_map(guest_u64(info + 40), guest_u32(info + 48), 24, 5 * GiB);

	CHECK_EQ(guest_u64(module), 3 * GiB - PAGE);
	CHECK_EQ(guest_u64(module + 8), 6);
	CHECK_EQ(guest_u64(module + 16), 0);
	CHECK(!memcmp(guest_mem_ptr(&mem, 3 * GiB - PAGE, 6), "initrd", 6));

	x86_boot_regs(&st, &regs, &sregs);
	CHECK_EQ(regs.rip, ELF_GPA + 0x100);
	CHECK_EQ(regs.rbx, info);
	CHECK_EQ(regs.rflags & 0x20300, 0);
	CHECK_EQ(sregs.cr0, 0x11);
	CHECK_EQ(sregs.cr4, 0);
	CHECK_EQ(sregs.efer, 0);
	CHECK_EQ(sregs.apic_base, 0xfee00900);
	check_segments(&sregs, false);
}

TEST(elf_without_initrd_has_no_module)
{
	make_elf(true);
	CHECK_EQ(load(64 * MiB), 0);
	CHECK_EQ(guest_u32(st.info_gpa + 12), 0);
	CHECK_EQ(guest_u64(st.info_gpa + 16), 0);
}

TEST(elf_notes)
{
	/* Another owner's note of that type, another type of that owner: no PVH. */
	make_elf(true);
	put_note(ELF_NOTE + 24, 4, 8, 18, "Xem", ELF_GPA);
	CHECK_EQ(load(64 * MiB), 0);
	CHECK_EQ(st.mode, BOOT_LINUX64);
	make_elf(true);
	put_note(ELF_NOTE + 24, 4, 8, 17, "Xen", ELF_GPA);
	CHECK_EQ(load(64 * MiB), 0);
	CHECK_EQ(st.mode, BOOT_LINUX64);

	make_elf(true);
	put_note(ELF_NOTE + 24, 3, 8, 18, "Xen", ELF_GPA);
	CHECK_EQ(load(64 * MiB), 0);
	CHECK_EQ(st.mode, BOOT_LINUX64);

	/* A 32-bit value: what follows is not part of it. */
	make_elf(true);
	put_note(ELF_NOTE + 24, 4, 4, 18, "Xen", 0xffffffff00000000 | (ELF_GPA + 4));
	ph[1].p_filesz = 24 + 20;
	CHECK_EQ(load(64 * MiB), 0);
	CHECK_EQ(st.mode, BOOT_PVH);
	CHECK_EQ(st.entry, ELF_GPA + 4);

	/* With eight-byte alignment the value of the first starts at 24, not at 20. */
	make_elf(true);
	put_note(ELF_NOTE, 8, 4, 6, "Xen", 0);
	put_note(ELF_NOTE + 32, 4, 8, 18, "Xen", ELF_GPA + 0x200);
	ph[1].p_filesz = 32 + 24;
	ph[1].p_align = 8;
	CHECK_EQ(load(64 * MiB), 0);
	CHECK_EQ(st.mode, BOOT_PVH);
	CHECK_EQ(st.entry, ELF_GPA + 0x200);

	make_elf(true);
	ph[1].p_filesz = 0;
	CHECK_EQ(load(64 * MiB), 0);
	CHECK_EQ(st.mode, BOOT_LINUX64);

	/* Values that run past the end of the segment. */
	make_elf(true);
	ph[1].p_filesz--;
	refused(64 * MiB, -ENOEXEC, "note");
	make_elf(true);
	put_note(ELF_NOTE, 4, 0xffffffff, 6, "Xen", 0);
	refused(64 * MiB, -ENOEXEC, "note");
	make_elf(true);
	put_note(ELF_NOTE, 0xffffffff, 8, 18, "Xen", 0);
	refused(64 * MiB, -ENOEXEC, "note");
	make_elf(true);
	put_note(ELF_NOTE, 0xffffffff, 0xffffffff, 18, "Xen", 0);
	refused(64 * MiB, -ENOEXEC, "note");
	make_elf(true);
	put_note(ELF_NOTE + 24, 4, 2, 18, "Xen", ELF_GPA);
	refused(64 * MiB, -ENOEXEC, "PVH note");
	make_elf(true);
	ph[1].p_filesz = ~0ULL;
	refused(64 * MiB, -ENOEXEC, "notes");
	make_elf(true);
	ph[1].p_offset = ~0ULL;
	refused(64 * MiB, -ERANGE, "truncated");
	make_elf(true);
	ph[1].p_filesz = 128 * KiB;
	refused(64 * MiB, -ERANGE, "truncated");

	/* An entry point that was not loaded. */
	make_elf(true);
	put_note(ELF_NOTE + 24, 4, 8, 18, "Xen", ELF_GPA + ELF_MEMSZ);
	refused(64 * MiB, -ENOEXEC, "entry point");
	make_elf(true);
	put_note(ELF_NOTE + 24, 4, 8, 18, "Xen", 4 * GiB + ELF_GPA);
	refused(64 * MiB, -ENOEXEC, "entry point");
}

TEST(elf_refused)
{
	make_elf(false);
	eh->e_machine = EM_AARCH64;
	refused(64 * MiB, -ENOEXEC, "arm64");
	make_elf(false);
	eh->e_machine = EM_RISCV;
	refused(64 * MiB, -ENOEXEC, "RISC-V");
	make_elf(false);
	eh->e_machine = EM_386;
	eh->e_ident[EI_CLASS] = ELFCLASS32;
	refused(64 * MiB, -ENOEXEC, "32-bit x86");
	make_elf(false);
	eh->e_machine = 4711;
	refused(64 * MiB, -ENOEXEC, "4711");
	make_elf(false);
	eh->e_ident[EI_DATA] = ELFDATA2MSB;
	refused(64 * MiB, -ENOEXEC, "big-endian");
	make_elf(false);
	eh->e_ident[EI_CLASS] = ELFCLASS32;
	refused(64 * MiB, -ENOEXEC, "class 1");
	make_elf(false);
	eh->e_type = ET_REL;
	refused(64 * MiB, -ENOEXEC, "object file");
	make_elf(false);
	eh->e_type = ET_DYN;
	refused(64 * MiB, -ENOEXEC, "library");
	make_elf(false);
	eh->e_phentsize = 32;
	refused(64 * MiB, -ENOEXEC, "e_phentsize");
	make_elf(false);
	eh->e_phnum = 0;
	refused(64 * MiB, -ENOEXEC, "e_phnum");
	make_elf(false);
	eh->e_phnum = 0xffff;
	refused(64 * MiB, -ENOEXEC, "e_phnum");
	make_elf(false);
	eh->e_phoff = ~0ULL;
	refused(64 * MiB, -ERANGE, "truncated");
	make_elf(false);
	image_size = 20;
	refused(64 * MiB, -ERANGE, "truncated");
	make_elf(false);
	image_size = 100;
	refused(64 * MiB, -ERANGE, "truncated");
	make_elf(false);
	image_size--;
	refused(64 * MiB, -ERANGE, "truncated");
	make_elf(false);
	ph[0].p_type = PT_NULL;
	refused(64 * MiB, -ENOEXEC, "entry point");
	make_elf(false);
	eh->e_entry = ELF_GPA - 1;
	refused(64 * MiB, -ENOEXEC, "entry point");
	/* Loaded, but not mapped when it starts. */
	make_elf(false);
	ph[0].p_paddr = 4 * GiB;
	eh->e_entry = 4 * GiB;
	refused(5 * GiB, -ENOEXEC, "entry point");
}

TEST(elf_segments_refused)
{
	make_elf(false);
	ph[0].p_filesz = ELF_MEMSZ + 1;
	refused(64 * MiB, -ENOEXEC, "p_filesz");
	make_elf(false);
	ph[0].p_memsz = ~0ULL;
	refused(64 * MiB, -ENOEXEC, "p_memsz");
	make_elf(false);
	ph[0].p_offset = ~0ULL - 0xfff;
	refused(64 * MiB, -ERANGE, "truncated");
	make_elf(false);
	ph[0].p_paddr = ~0ULL - 0xfff;
	refused(64 * MiB, -ENOEXEC, "p_memsz");

	/* Where the boot structures are. */
	make_elf(false);
	ph[0].p_paddr = BOOT_LOW_END - PAGE;
	refused(64 * MiB, -ENOEXEC, "linked");
	make_elf(false);
	ph[0].p_paddr = 0;
	refused(64 * MiB, -ENOEXEC, "linked");
	make_elf(false);
	ph[0].p_paddr = BOOT_LOW_END;
	eh->e_entry = BOOT_LOW_END;
	CHECK_EQ(load(64 * MiB), 0);

	/* Where the ACPI tables are, behind the end of RAM, in the hole, across its start. */
	make_elf(false);
	ph[0].p_paddr = 0xe0000;
	refused(64 * MiB, -ENOMEM, "no guest has memory");
	make_elf(false);
	ph[0].p_paddr = 64 * MiB - PAGE;
	refused(64 * MiB, -ENOMEM, "-m 65");
	make_elf(false);
	ph[0].p_paddr = 3 * GiB;
	refused(5 * GiB, -ENOMEM, "no guest has memory");
	make_elf(false);
	ph[0].p_paddr = 3 * GiB - PAGE;
	refused(5 * GiB, -ENOMEM, "no guest has memory");
	make_elf(false);
	ph[0].p_memsz = 4 * GiB;
	refused(5 * GiB, -ENOMEM, "segment");
	make_elf(false);
	ph[0].p_paddr = 6 * GiB - PAGE;
	refused(5 * GiB, -ENOMEM, "-m 5121");

	/* A second one that overlaps the first. */
	make_elf(true);
	ph[1] = ph[0];
	ph[1].p_paddr = ELF_GPA + ELF_MEMSZ;
	CHECK_EQ(load(64 * MiB), 0);
	CHECK_EQ(st.kernel_end, ELF_GPA + 2 * ELF_MEMSZ);
	ph[1].p_paddr--;
	refused(64 * MiB, -ENOEXEC, "overlaps");
}

/* Whatever is named instead of a kernel is called by its name. */
TEST(strangers)
{
	static const struct {
		unsigned int off;
		const char *magic;
		unsigned int len;
		const char *words;
	} tests[] = {
		{0x38, "ARM\x64", 4, "arm64"},
		{0x38, "RSC\x05", 4, "RISC-V"},
		{0x30, "RISCV\0\0\0", 8, "RISC-V"},
		{0x24, "\x18\x28\x6f\x01", 4, "32-bit Arm"},
		{0, "MZ\0\0zimg", 8, "zboot"},
		{0, "\x27\x05\x19\x56", 4, "U-Boot"},
		{0, "\xd0\x0d\xfe\xed", 4, "device tree"},
		{0, "\x1f\x8b\x08\x00", 4, "gzip"},
		{0,
		 "\xfd"
		 "7zXZ",
		 6, "xz"},
		{0, "\x28\xb5\x2f\xfd", 4, "zstd"},
		{0, "\x02\x21\x4c\x18", 4, "lz4"},
		{0, "BZh9", 4, "bzip2"},
		{0, "070701", 6, "-i"},
		{0, "QFI\xfb", 4, "-d"},
		{0, "MZ\x90\0", 4, "EFI"},
		{0, "#!/bin/sh", 9, "no kernel"},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		memset(image, 0, sizeof(image));
		memcpy(image + tests[i].off, tests[i].magic, tests[i].len);
		image_size = 8192;
		refused(64 * MiB, -ENOEXEC, tests[i].words);
	}

	/* An arm64 Image with an EFI header, which may hold anything at 0x202. */
	make_bzimage();
	memcpy(image + 0x38, "ARM\x64", 4);
	refused(64 * MiB, -ENOEXEC, "arm64");

	memset(image, 0, sizeof(image));
	image_size = 1;
	refused(64 * MiB, -ENOEXEC, "1 bytes");
}

TEST(kernel_files)
{
	struct boot_config cfg = config();
	char path[64];
	int fd;

	make_memory(64 * MiB);
	cfg.kernel_image = NULL;
	CHECK_EQ(load_config(&cfg), -ENOENT);
	CHECK(strstr(message, "-k"));

	cfg.kernel = "/nonexistent/vmlinuz";
	CHECK_EQ(load_config(&cfg), -ENOENT);
	CHECK(strstr(message, "/nonexistent/vmlinuz"));
	cfg.kernel = "/";
	CHECK_EQ(load_config(&cfg), -EISDIR);
	CHECK(strstr(message, "directory"));
	cfg.kernel = "/dev/zero";
	CHECK_EQ(load_config(&cfg), -EINVAL);
	CHECK(strstr(message, "device"));
	cfg.kernel = make_file(path, "", 0, 0, &fd);
	CHECK_EQ(load_config(&cfg), -ENODATA);
	CHECK(strstr(message, "empty"));
	close(fd);

	make_bzimage();
	cfg.kernel = make_file(path, image, image_size, image_size, &fd);
	make_memory(64 * MiB);
	CHECK_EQ(load_config(&cfg), 0);
	CHECK(!memcmp(guest_mem_ptr(&mem, BZ_PREF, BZ_KERNEL_SIZE), image + BZ_SETUP_SIZE,
		      BZ_KERNEL_SIZE));
	CHECK_EQ(ftruncate(fd, image_size - 1), 0);
	make_memory(64 * MiB);
	CHECK_EQ(load_config(&cfg), -ERANGE);
	close(fd);
}

TEST(kernel_from_a_pipe)
{
	struct boot_config cfg;
	char path[64];
	int fds[2];

	make_elf(true);
	make_memory(64 * MiB);
	cfg = config();
	cfg.kernel = path;

	/* It fits into the pipe's buffer, so that no second thread has to write. */
	CHECK_EQ(pipe(fds), 0);
	CHECK_EQ(write(fds[1], image, image_size), (ssize_t)image_size);
	close(fds[1]);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
	CHECK_EQ(load_config(&cfg), 0);
	CHECK_EQ(st.mode, BOOT_PVH);
	CHECK(!memcmp(guest_mem_ptr(&mem, ELF_GPA, ELF_FILESZ), image + ELF_DATA, ELF_FILESZ));
	close(fds[0]);

	CHECK_EQ(pipe(fds), 0);
	close(fds[1]);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
	CHECK_EQ(load_config(&cfg), -ENODATA);
	close(fds[0]);
}

TEST(file_from_a_long_pipe)
{
	static u8 data[200 * KiB], back[200 * KiB];
	struct file f;
	char path[64];
	int fds[2];

	fill_pattern(data, sizeof(data));
	CHECK_EQ(pipe(fds), 0);
	CHECK(fcntl(fds[1], F_SETPIPE_SZ, 256 * KiB) >= 0);
	CHECK_EQ(write(fds[1], data, sizeof(data)), (ssize_t)sizeof(data));
	close(fds[1]);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
	if (CHECK_EQ(file_open(&f, "initrd", path, sizeof(data)), 0)) {
		CHECK_EQ(f.size, sizeof(data));
		CHECK_EQ(file_read_at(&f, 0, back, sizeof(back)), 0);
		CHECK(!memcmp(data, back, sizeof(data)));
		file_close(&f);
	}
	close(fds[0]);

	CHECK_EQ(pipe(fds), 0);
	CHECK_EQ(write(fds[1], data, 1001), 1001);
	close(fds[1]);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
	capture_start();
	CHECK_EQ(file_open(&f, "initrd", path, 1000), -EFBIG);
	capture_end();
	CHECK(one_line());
	close(fds[0]);
}

TEST(file_that_shrinks)
{
	struct file f;
	char path[64];
	u8 buf[10];
	int fd;

	make_file(path, "0123456789", 10, 10, &fd);
	CHECK_EQ(file_open(&f, "initrd", path, 0), 0);
	CHECK_EQ(ftruncate(fd, 5), 0);
	CHECK_EQ(file_read_at(&f, 0, buf, 5), 0);
	capture_start();
	CHECK_EQ(file_read_at(&f, 0, buf, 6), -EIO);
	capture_end();
	CHECK(one_line());
	capture_start();
	CHECK_EQ(file_read_at(&f, 1, buf, 10), -ERANGE);
	capture_end();
	CHECK(one_line());
	file_close(&f);
	close(fd);
}

TEST(initrd_placement)
{
	struct boot_params params;

	/* At the top of RAM, */
	make_bzimage();
	CHECK_EQ(load_with_initrd(64 * MiB, 1000001), 0);
	CHECK_EQ(st.initrd_gpa, align_down(64 * MiB - 1000001, PAGE));
	CHECK_EQ(st.initrd_size, 1000001);
	CHECK_EQ(guest_mem_read(&mem, st.info_gpa, &params, sizeof(params)), 0);
	CHECK_EQ(params.hdr.ramdisk_image, st.initrd_gpa);
	CHECK_EQ(params.hdr.ramdisk_size, 1000001);
	CHECK_EQ(params.ext_ramdisk_image, 0);
	CHECK_EQ(params.ext_ramdisk_size, 0);
	CHECK(!memcmp(guest_mem_ptr(&mem, st.initrd_gpa, 6), "initrd", 6));

	/* but not beyond what the kernel allows, */
	CHECK_EQ(load_with_initrd(5 * GiB, 3 * PAGE), 0);
	CHECK_EQ(st.initrd_gpa, 2 * GiB - 3 * PAGE);
	bz->initrd_addr_max = 0xffffffff;
	CHECK_EQ(load_with_initrd(5 * GiB, 3 * PAGE), 0);
	CHECK_EQ(st.initrd_gpa, 3 * GiB - 3 * PAGE);

	/* below the kernel when there is no room above it, */
	make_bzimage();
	CHECK_EQ(load_with_initrd(BZ_PREF + BZ_INIT_SIZE, 4 * MiB), 0);
	CHECK_EQ(st.initrd_gpa, BZ_PREF - 4 * MiB);

	/* also when only the rest of a page is missing, */
	bz->init_size = BZ_INIT_SIZE + 1;
	CHECK_EQ(load_with_initrd(BZ_PREF + BZ_INIT_SIZE + 2 * PAGE, 2 * PAGE - 1), 0);
	CHECK_EQ(st.initrd_gpa, BZ_PREF - 2 * PAGE);

	/* never over the first MiB. */
	make_bzimage();
	CHECK_EQ(load_with_initrd(BZ_PREF + BZ_INIT_SIZE, 15 * MiB), 0);
	CHECK_EQ(st.initrd_gpa, MiB);
	CHECK_EQ(load_with_initrd(BZ_PREF + BZ_INIT_SIZE, 15 * MiB + 1), -ENOMEM);
}

TEST(initrd_above_4g)
{
	struct boot_params params;

	make_bzimage();
	bz->initrd_addr_max = 4 * MiB - 1;
	CHECK_EQ(load_with_initrd(5 * GiB, 8 * MiB), 0);
	CHECK_EQ(st.initrd_gpa, 6 * GiB - 8 * MiB);
	CHECK_EQ(guest_mem_read(&mem, st.info_gpa, &params, sizeof(params)), 0);
	CHECK_EQ(params.hdr.ramdisk_image, (u32)(6 * GiB - 8 * MiB));
	CHECK_EQ(params.ext_ramdisk_image, 1);
	CHECK_EQ(params.hdr.ramdisk_size, 8 * MiB);
	CHECK_EQ(params.ext_ramdisk_size, 0);

	/* Without the flag it is not allowed there, however much memory there is. */
	bz->xloadflags = XLF_KERNEL_64;
	CHECK_EQ(load_with_initrd(5 * GiB, 8 * MiB), -ENOMEM);
	CHECK(strstr(message, "0x400000"));
	CHECK(!strstr(message, "-m"));

	/* PVH's Linux takes 32 bits of the address. */
	make_elf(true);
	CHECK_EQ(load_with_initrd(5 * GiB, 8 * MiB), 0);
	CHECK_EQ(st.initrd_gpa, 3 * GiB - 8 * MiB);
}

/* The value for -m that the message gives is the least that is enough. */
static void check_advice(u64 ram, u64 size)
{
	unsigned long long mib;
	char *advice;

	CHECK_EQ(load_with_initrd(ram, size), -ENOMEM);
	advice = strstr(message, "-m ");
	if (!CHECK(advice) || !CHECK_EQ(sscanf(advice, "-m %llu", &mib), 1))
		return;
	CHECK_EQ(load_with_initrd((mib - 1) * MiB, size), -ENOMEM);
	CHECK_EQ(load_with_initrd(mib * MiB, size), 0);
}

TEST(initrd_advice)
{
	make_bzimage();
	check_advice(64 * MiB, 32 * MiB);
	check_advice(64 * MiB, 32 * MiB + 1);
	make_elf(true);
	check_advice(64 * MiB, 50 * MiB);

	/* As much as the kernel allows, and a page more. */
	make_bzimage();
	bz->xloadflags = XLF_KERNEL_64;
	bz->initrd_addr_max = 64 * MiB - 1;
	check_advice(50 * MiB, 24 * MiB);
	CHECK_EQ(load_with_initrd(50 * MiB, 24 * MiB + 1), -ENOMEM);
	CHECK(strstr(message, "too big"));

	/* Above 4 GiB, because it is not allowed to be below. */
	make_bzimage();
	bz->initrd_addr_max = 0x1000000;
	bz->pref_address = MiB * 2;
	bz->init_size = 2 * GiB + 990 * MiB;
	check_advice(3 * GiB, 40 * MiB);
}

TEST(initrd_files)
{
	struct boot_config cfg;

	make_bzimage();
	make_memory(64 * MiB);
	cfg = config();
	cfg.initrd = "/nonexistent/initrd";
	CHECK_EQ(load_config(&cfg), -ENOENT);
	CHECK(strstr(message, "initrd '/nonexistent/initrd'"));
	cfg.initrd = "/";
	CHECK_EQ(load_config(&cfg), -EISDIR);
	CHECK_EQ(load_with_initrd(64 * MiB, 0), -ENODATA);
	/* Not read first, to find that it does not fit. */
	CHECK_EQ(load_with_initrd(64 * MiB, 1ULL << 40), -ENOMEM);
	CHECK(strstr(message, "1048576 MiB"));
}

TEST(command_line)
{
	struct boot_config cfg;
	static char line[BOOT_CMDLINE_MAX + 2];
	char *end;

	memset(line, 'a', BOOT_CMDLINE_MAX + 1);
	line[BOOT_CMDLINE_MAX + 1] = '\0';

	/* As much as the kernel says, */
	make_bzimage();
	make_memory(64 * MiB);
	cfg = config();
	cfg.cmdline = line + BOOT_CMDLINE_MAX + 1 - 2047;
	CHECK_EQ(load_config(&cfg), 0);
	end = guest_mem_ptr(&mem, BOOT_CMDLINE, 4096);
	CHECK_EQ(strnlen(end, 4096), 2047);
	cfg.cmdline--;
	CHECK_EQ(load_config(&cfg), -E2BIG);
	CHECK(strstr(message, "2048") && strstr(message, "2047"));

	/* but not more than there is room for, */
	bz->cmdline_size = 0xffffffff;
	cfg.cmdline = line;
	CHECK_EQ(load_config(&cfg), -E2BIG);
	cfg.cmdline = line + 1;
	CHECK_EQ(load_config(&cfg), 0);
	CHECK_EQ(guest_u32(BOOT_LOW_END - 4), 0x00616161);
	CHECK_EQ(guest_u32(BOOT_LOW_END), 0);

	/* and for an ELF file what Linux takes. */
	make_elf(false);
	make_memory(64 * MiB);
	cfg = config();
	cfg.cmdline = line + BOOT_CMDLINE_MAX + 1 - 2047;
	CHECK_EQ(load_config(&cfg), 0);
	make_memory(64 * MiB);
	cfg.cmdline--;
	CHECK_EQ(load_config(&cfg), -E2BIG);

	make_memory(64 * MiB);
	cfg.cmdline = NULL;
	CHECK_EQ(load_config(&cfg), 0);
	CHECK_EQ(guest_u32(BOOT_CMDLINE), 0);
}

TEST(hardly_any_memory)
{
	make_bzimage();
	refused(MiB, -ENOMEM, "-m 64");
	refused(PAGE, -ENOMEM, "-m 64");
}

TEST(files_are_closed)
{
	struct boot_config cfg = config();
	char kernel[64], initrd[64];
	int kernel_fd, initrd_fd;
	unsigned int fds;

	make_bzimage();
	make_memory(64 * MiB);
	cfg.kernel = make_file(kernel, image, image_size, image_size, &kernel_fd);
	cfg.initrd = make_file(initrd, "initrd", 6, 6, &initrd_fd);
	fds = unit_open_fds();
	CHECK_EQ(load_config(&cfg), 0);
	CHECK_EQ(unit_open_fds(), fds);

	CHECK_EQ(ftruncate(initrd_fd, 1 * GiB), 0);
	CHECK_EQ(load_config(&cfg), -ENOMEM);
	CHECK_EQ(unit_open_fds(), fds);

	CHECK_EQ(ftruncate(kernel_fd, 1000), 0);
	CHECK_EQ(load_config(&cfg), -ERANGE);
	CHECK_EQ(unit_open_fds(), fds);
	close(kernel_fd);
	close(initrd_fd);
}

/* Whatever is loaded lies in RAM, apart from each other and the boot structures. */
static void check_state(u64 ram)
{
	CHECK(st.kernel_gpa >= BOOT_LOW_END);
	CHECK(st.kernel_end > st.kernel_gpa && st.kernel_end <= ram);
	CHECK(st.entry >= st.kernel_gpa && st.entry < st.kernel_end);
	CHECK(st.initrd_gpa >= MiB && st.initrd_gpa + st.initrd_size <= ram);
	CHECK(st.info_gpa == BOOT_PARAMS || st.info_gpa == BOOT_START_INFO);
	/* An ELF file may have room for it between its segments. */
	if (image[0] != ELFMAG0)
		CHECK(st.initrd_gpa + st.initrd_size <= st.kernel_gpa ||
		      st.initrd_gpa >= st.kernel_end);
}

static void fuzz(void (*make)(void), unsigned int rounds)
{
	const u64 ram = 64 * MiB;
	struct boot_config cfg;
	unsigned int i, flips, loaded = 0;
	char path[64];
	int fd;

	make_file(path, "initrd", 6, 3 * PAGE, &fd);
	make_memory(ram);
	for (i = 0; i < rounds; i++) {
		make();
		for (flips = unit_rand() % 5; flips; flips--) {
			u64 r = unit_rand();
			/* Mostly in the headers. */
			u64 at = r % (r & BIT_ULL(60) ? image_size : 0x290);

			switch (r >> 61) {
			case 0:
				image[at] = 0;
				break;
			case 1:
				image[at] = 0xff;
				break;
			case 2:
				image[at] ^= 1 << (r >> 40) % 8;
				break;
			default:
				image[at] = r >> 32;
				break;
			}
		}
		if (unit_rand() % 4 == 0)
			image_size = 1 + unit_rand() % image_size;
		else if (unit_rand() % 4 == 0)
			image_size = 1 + unit_rand() % 0x300;

		/* The exact size on the heap, so that a read behind it is seen. */
		cfg = config();
		cfg.kernel_image = memcpy(malloc(image_size), image, image_size);
		cfg.initrd = path;
		if (!load_config(&cfg)) {
			check_state(ram);
			loaded++;
		}
		free((void *)cfg.kernel_image);
	}
	CHECK(loaded > 0 && loaded < rounds);
	close(fd);
	guest_mem_destroy(&mem);
}

static void make_pvh(void)
{
	make_elf(true);
}

TEST(fuzz_bzimage)
{
	fuzz(make_bzimage, 4000);
}

TEST(fuzz_elf)
{
	fuzz(make_pvh, 4000);
}
