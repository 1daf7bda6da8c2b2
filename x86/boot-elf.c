// SPDX-License-Identifier: GPL-2.0-only
/*
 * ELF kernels, loaded at the physical addresses of their program headers: those that
 * bring a PVH entry point, and Linux's vmlinux.
 */
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "boot-internal.h"
#include "util/log.h"
#include "vm/memory.h"

/* Of the note that names the PVH entry point (Xen, public/elfnote.h). */
#define NOTE_NAME	  "Xen"
#define NOTE_PHYS32_ENTRY 18

/* Linux's notes take a few KiB. */
#define NOTES_MAX MiB

/* Linux cuts a longer command line off (COMMAND_LINE_SIZE). */
#define ELF_CMDLINE_MAX 2047

/* What a vmlinux has no setup header to say. */
#define VMLINUX_PROTOCOL 0x020c

static int damaged(const struct boot_loader *ld, const char *what, u64 value)
{
	pr_err("kernel '%s' is damaged: %s in its ELF headers is 0x%" PRIx64, ld->kernel.path, what,
	       value);
	return -ENOEXEC;
}

static const char *machine_name(unsigned int machine)
{
	switch (machine) {
	case EM_386:
		return "32-bit x86";
	case EM_AARCH64:
		return "arm64";
	case EM_ARM:
		return "32-bit Arm";
	case EM_RISCV:
		return "RISC-V";
	case EM_PPC64:
		return "64-bit PowerPC";
	case EM_S390:
		return "s390";
	case 258:
		return "LoongArch";
	default:
		return "another machine";
	}
}

static int check_header(const struct boot_loader *ld, const Elf64_Ehdr *eh)
{
	const char *path = ld->kernel.path;

	if (eh->e_ident[EI_DATA] == ELFDATA2MSB) {
		pr_err("kernel '%s' is a big-endian ELF file; this guest is x86-64", path);
		return -ENOEXEC;
	}
	/* At the same place in 32-bit files. */
	if (eh->e_machine != EM_X86_64) {
		pr_err("kernel '%s' is an ELF file for %s (machine %u); this guest is x86-64", path,
		       machine_name(eh->e_machine), eh->e_machine);
		return -ENOEXEC;
	}
	if (eh->e_ident[EI_CLASS] != ELFCLASS64) {
		pr_err("kernel '%s' is an ELF file of class %u; a 64-bit one is needed", path,
		       eh->e_ident[EI_CLASS]);
		return -ENOEXEC;
	}
	if (eh->e_type != ET_EXEC) {
		pr_err("kernel '%s' is an ELF file of type %u (%s), not an executable with fixed "
		       "addresses such as vmlinux",
		       path, eh->e_type,
		       eh->e_type == ET_REL    ? "an object file"
		       : eh->e_type == ET_DYN  ? "a library or a position-independent program"
		       : eh->e_type == ET_CORE ? "a core dump"
					       : "unknown");
		return -ENOEXEC;
	}
	if (eh->e_phentsize != sizeof(Elf64_Phdr))
		return damaged(ld, "e_phentsize", eh->e_phentsize);
	if (!eh->e_phnum || eh->e_phnum > BOOT_MAX_PHDRS)
		return damaged(ld, "e_phnum", eh->e_phnum);
	return 0;
}

/* [start, end) is not free RAM. */
static int refuse_segment(const struct boot_loader *ld, u64 start, u64 end)
{
	const char *path = ld->kernel.path;
	u64 needed = boot_memory_needed(ld, end);

	if (start < BOOT_LOW_END) {
		pr_err("kernel '%s' has a segment at 0x%" PRIx64
		       "; it has to be linked to 0x%x or above",
		       path, start, BOOT_LOW_END);
		return -ENOEXEC;
	}
	if (mem_map_is_ram(&ld->map, start, end)) {
		pr_err("kernel '%s' is damaged: its segment 0x%" PRIx64 "-0x%" PRIx64
		       " overlaps another one",
		       path, start, end - 1);
		return -ENOEXEC;
	}
	if (start >= MiB && needed > guest_mem_size(ld->mem) / MiB)
		pr_err("kernel '%s' has a segment 0x%" PRIx64 "-0x%" PRIx64
		       ": give the guest at least -m %" PRIu64,
		       path, start, end - 1, needed);
	else
		pr_err("kernel '%s' has a segment 0x%" PRIx64 "-0x%" PRIx64 ", where %s memory",
		       path, start, end - 1, boot_who_has(ld));
	return -ENOMEM;
}

static int load_segment(struct boot_loader *ld, const Elf64_Phdr *ph)
{
	u64 start = ph->p_paddr, end = start + ph->p_memsz;
	int ret;

	if (ph->p_filesz > ph->p_memsz)
		return damaged(ld, "p_filesz, larger than p_memsz,", ph->p_filesz);
	if (end < start)
		return damaged(ld, "p_memsz", ph->p_memsz);
	ret = file_check_range(&ld->kernel, ph->p_offset, ph->p_filesz);
	if (ret)
		return ret;

	if (!mem_map_is_ram(&ld->free, start, end))
		return refuse_segment(ld, start, end);

	/* Memory that nothing was written to is zero: so is the rest of the segment. */
	ret = boot_copy_file(ld, &ld->kernel, ph->p_offset, start, ph->p_filesz);
	if (ret)
		return ret;
	mem_map_set(&ld->free, start, end, MEM_NONE);
	if (!ld->st->kernel_end || start < ld->st->kernel_gpa)
		ld->st->kernel_gpa = start;
	ld->st->kernel_end = max(ld->st->kernel_end, end);
	return 0;
}

/* Looks in @len bytes of notes. 1: @entry is found; 0: it is not there; -ENOEXEC. */
static int find_entry(const struct boot_loader *ld, const u8 *notes, u64 len, u64 align, u64 *entry)
{
	u64 pos = 0;

	while (len - pos >= sizeof(Elf64_Nhdr)) {
		u64 name, desc, next;
		Elf64_Nhdr nh;

		memcpy(&nh, notes + pos, sizeof(nh));
		name = pos + sizeof(nh);
		/* Sums of 32-bit sizes: nothing overflows. */
		desc = align_up(name + nh.n_namesz, align);
		next = align_up(desc + nh.n_descsz, align);
		if (desc + nh.n_descsz > len)
			return damaged(ld, "the size of a note", nh.n_descsz);

		if (nh.n_type == NOTE_PHYS32_ENTRY && nh.n_namesz == sizeof(NOTE_NAME) &&
		    !memcmp(notes + name, NOTE_NAME, sizeof(NOTE_NAME))) {
			if (nh.n_descsz != 4 && nh.n_descsz != 8)
				return damaged(ld, "the size of the PVH note", nh.n_descsz);
			*entry = 0;
			memcpy(entry, notes + desc, nh.n_descsz);
			return 1;
		}
		/* The last one needs no padding. */
		if (next >= len)
			break;
		pos = next;
	}
	return 0;
}

static int read_notes(const struct boot_loader *ld, const Elf64_Phdr *ph, u64 *entry)
{
	u8 *notes;
	int ret;

	if (ph->p_filesz > NOTES_MAX)
		return damaged(ld, "the size of the notes", ph->p_filesz);
	ret = file_check_range(&ld->kernel, ph->p_offset, ph->p_filesz);
	if (ret)
		return ret;
	notes = malloc(ph->p_filesz ? ph->p_filesz : 1);
	if (!notes) {
		pr_err("kernel '%s': no memory to read its notes", ld->kernel.path);
		return -ENOMEM;
	}
	ret = file_read_at(&ld->kernel, ph->p_offset, notes, ph->p_filesz);
	if (!ret)
		ret = find_entry(ld, notes, ph->p_filesz, ph->p_align == 8 ? 8 : 4, entry);
	free(notes);
	return ret;
}

static bool is_loaded(const Elf64_Phdr *phdrs, unsigned int nr, u64 gpa)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (phdrs[i].p_type == PT_LOAD && gpa - phdrs[i].p_paddr < phdrs[i].p_memsz)
			return true;
	return false;
}

int boot_load_elf(struct boot_loader *ld)
{
	struct setup_header *hdr = &ld->params.hdr;
	Elf64_Phdr phdrs[BOOT_MAX_PHDRS];
	bool pvh = false;
	Elf64_Ehdr eh;
	unsigned int i;
	u64 entry;
	int ret;

	ret = file_read_at(&ld->kernel, 0, &eh, sizeof(eh));
	if (ret)
		return ret;
	ret = check_header(ld, &eh);
	if (ret)
		return ret;
	ret = file_read_at(&ld->kernel, eh.e_phoff, phdrs, eh.e_phnum * sizeof(phdrs[0]));
	if (ret)
		return ret;

	entry = eh.e_entry;
	for (i = 0; i < eh.e_phnum; i++) {
		ret = 0;
		if (phdrs[i].p_type == PT_LOAD && phdrs[i].p_memsz)
			ret = load_segment(ld, &phdrs[i]);
		else if (phdrs[i].p_type == PT_NOTE && !pvh)
			ret = read_notes(ld, &phdrs[i], &entry);
		if (ret < 0)
			return ret;
		pvh |= ret == 1;
	}
	/* This also refuses a file with nothing to load. The state at entry maps 4 GiB. */
	if (entry >= 4 * GiB || !is_loaded(phdrs, eh.e_phnum, entry))
		return damaged(ld, "the entry point, which is outside what is loaded,", entry);

	ld->st->mode = pvh ? BOOT_PVH : BOOT_LINUX64;
	ld->st->entry = entry;
	ld->cmdline_max = ELF_CMDLINE_MAX;
	/* By PVH Linux takes the low 32 bits of the address. */
	ld->initrd_end[0] = 4 * GiB;
	ld->initrd_end[1] = pvh ? 4 * GiB : ~0ULL;

	hdr->boot_flag = 0xaa55;
	memcpy(&hdr->header, "HdrS", 4);
	hdr->version = VMLINUX_PROTOCOL;
	return 0;
}
