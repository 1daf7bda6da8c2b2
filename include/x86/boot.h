/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Puts a kernel, its initrd and its command line into guest memory and says in which
 * state the first vCPU starts them.
 *
 * Three ways to start, by what the image is:
 * - bzImage: the 64-bit boot protocol (Linux, Documentation/arch/x86/boot.rst)
 * - ELF with a note XEN_ELFNOTE_PHYS32_ENTRY: PVH (Xen, docs/misc/pvh.pandoc)
 * - ELF without one: taken for a Linux vmlinux, the 64-bit boot protocol too
 *
 * All of the image is distrusted, except that what runs is what was loaded.
 */
#ifndef LKVM_X86_BOOT_H
#define LKVM_X86_BOOT_H

#include <linux/kvm.h>

#include "util/types.h"

struct guest_mem;

/*
 * What the loader keeps in low memory, all of it below BOOT_LOW_END. A kernel may be
 * loaded anywhere above; it finds these in RAM and copies what it needs early.
 */
#define BOOT_GDT	0x500
#define BOOT_START_INFO 0x6000 /* hvm_start_info, its module list and memory map */
#define BOOT_PARAMS	0x7000 /* boot_params, one page */
#define BOOT_PAGE_TABLE 0x9000 /* PML4, PDPT, four page directories: six pages */
#define BOOT_CMDLINE	0x20000
#define BOOT_LOW_END	0x30000

/* The longest command line that there is room for, without the final NUL. */
#define BOOT_CMDLINE_MAX (BOOT_LOW_END - BOOT_CMDLINE - 1)

/* Addresses and sizes in bytes. A region of size 0 is absent. */
struct boot_config {
	const char *kernel; /* file, or NULL */
	const void *kernel_image; /* an image in memory, when kernel is NULL */
	size_t kernel_size;
	const char *initrd; /* file, or NULL for none */
	const char *cmdline; /* or NULL for an empty one */
	bool banks_chosen; /* by the user: advice is about --mem SIZE@ADDRESS, not about -m */
	u64 rsdp_gpa; /* handed to the kernel; 0 for none */
	u64 acpi_gpa; /* the tables: ACPI data in the memory map */
	u64 acpi_size;
	u64 ecam_gpa; /* reserved in the memory map, or Linux does not use it */
	u64 ecam_size;
};

enum boot_mode {
	BOOT_LINUX64,
	BOOT_PVH,
};

struct boot_state {
	enum boot_mode mode;
	u64 entry;
	u64 info_gpa; /* boot_params or hvm_start_info, by mode */
	/* Where things went; a size of 0 means that there is none. */
	u64 kernel_gpa;
	u64 kernel_end; /* exclusive; bss, and for a bzImage room to unpack, included */
	u64 initrd_gpa;
	u64 initrd_size;
};

/*
 * Loads what @cfg names into @mem, whose banks must be there already, with nothing
 * written to them that lies below BOOT_LOW_END or where the kernel goes. Prints the
 * reason on failure, one line, and returns a negative errno: -ENOEXEC when the file is
 * no kernel that can be started here, -ENOMEM when the guest has too little memory,
 * -E2BIG for the command line, and what file_open() returns.
 */
int x86_load_kernel(struct guest_mem *mem, const struct boot_config *cfg, struct boot_state *out);

/*
 * The registers of the vCPU that starts @st. @regs is filled; of @sregs, which comes
 * from KVM_GET_SREGS, all but the APIC base is. Cannot fail.
 */
void x86_boot_regs(const struct boot_state *st, struct kvm_regs *regs, struct kvm_sregs *sregs);

#endif /* LKVM_X86_BOOT_H */
