// SPDX-License-Identifier: GPL-2.0-only
/* The x86 kernel loader: ELF files, with a PVH note and without. */
#include <errno.h>

#include "boot-images.h"

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
