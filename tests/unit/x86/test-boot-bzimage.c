// SPDX-License-Identifier: GPL-2.0-only
/* The x86 kernel loader: bzImages, and the state in which one starts. */
#include <errno.h>

#include "boot-images.h"

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
