/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of the x86 kernel loader share: small images that are made here, a
 * bzImage with a header as Linux 6.x has it and ELF files with and without a PVH
 * note, and loading them into fresh memory with what is printed caught.
 */
#ifndef LKVM_TESTS_BOOT_IMAGES_H
#define LKVM_TESTS_BOOT_IMAGES_H

#include <asm/bootparam.h>
#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "unit.h"
#include "vm/memory.h"
#include "x86/boot.h"

#define PAGE 4096

/* The image of a test. */
#define IMAGE_ROOM (256 * KiB)
static u8 image[IMAGE_ROOM];
static u64 image_size;

static struct guest_mem mem;
static struct boot_state st;
static char message[8192];

static int stderr_tmp, stderr_saved;

static void capture_start(void)
{
	fflush(stdout);
	stderr_saved = dup(STDERR_FILENO);
	stderr_tmp = memfd_create("stderr", MFD_CLOEXEC);
	dup2(stderr_tmp, STDERR_FILENO);
}

static void capture_end(void)
{
	ssize_t len;

	dup2(stderr_saved, STDERR_FILENO);
	len = pread(stderr_tmp, message, sizeof(message) - 1, 0);
	message[len > 0 ? len : 0] = '\0';
	close(stderr_saved);
	close(stderr_tmp);
}

static bool one_line(void)
{
	char *end = strchr(message, '\n');

	return end && end > message && !end[1];
}

/* Memory as the x86 machine has it. */
static void make_memory(u64 size)
{
	u64 low = min(size, 3 * GiB);

	guest_mem_destroy(&mem);
	CHECK_EQ(guest_mem_add_bank(&mem, 0, low), 0);
	if (size > low)
		CHECK_EQ(guest_mem_add_bank(&mem, 4 * GiB, size - low), 0);
}

static int load_config(const struct boot_config *cfg)
{
	int ret;

	capture_start();
	ret = x86_load_kernel(&mem, cfg, &st);
	capture_end();
	if (ret)
		CHECK(one_line());
	else
		CHECK_STR_EQ(message, "");
	return ret;
}

static struct boot_config config(void)
{
	return (struct boot_config){
		.kernel_image = image,
		.kernel_size = image_size,
		.cmdline = "console=ttyS0",
		.rsdp_gpa = 0xe0000,
		.acpi_gpa = 0xe0000,
		.acpi_size = 0x1234,
		.ecam_gpa = 0xe0000000,
		.ecam_size = 256 * MiB,
	};
}

/* Loads the image into @size bytes of fresh memory. */
static int load(u64 size)
{
	struct boot_config cfg = config();

	make_memory(size);
	return load_config(&cfg);
}

/* It is refused, in one line that holds @words. */
static void refused(u64 size, int err, const char *words)
{
	CHECK_EQ(load(size), err);
	if (!CHECK(strstr(message, words)))
		printf("# '%s' is not in: %s", words, message);
}

/* A name for a file of @size bytes, sparse behind @data. */
static const char *make_file(char path[64], const void *data, u64 len, u64 size, int *fd)
{
	*fd = memfd_create("file", MFD_CLOEXEC);
	CHECK_EQ(pwrite(*fd, data, len, 0), (ssize_t)len);
	CHECK_EQ(ftruncate(*fd, size), 0);
	snprintf(path, 64, "/proc/self/fd/%d", *fd);
	return path;
}

static u32 guest_u32(u64 gpa)
{
	u32 val = 0;

	CHECK_EQ(guest_mem_read(&mem, gpa, &val, sizeof(val)), 0);
	return val;
}

static u64 guest_u64(u64 gpa)
{
	u64 val = 0;

	CHECK_EQ(guest_mem_read(&mem, gpa, &val, sizeof(val)), 0);
	return val;
}

static void guest_string(u64 gpa, char buf[64])
{
	CHECK_EQ(guest_mem_read(&mem, gpa, buf, 64), 0);
	buf[63] = '\0';
}

/* bzImage */

#define BZ_SETUP_SIZE  1024 /* two sectors */
#define BZ_KERNEL_SIZE (64 * KiB)
#define BZ_PREF	       0x1000000
#define BZ_INIT_SIZE   (24 * MiB)

static struct setup_header *const bz = (struct setup_header *)(image + 0x1f1);

static void fill_pattern(u8 *buf, u64 len)
{
	for (u64 i = 0; i < len; i++)
		buf[i] = i * 7 + (i >> 8);
}

static void make_bzimage(void)
{
	memset(image, 0xee, sizeof(image));
	memset(image, 0, BZ_SETUP_SIZE);
	memcpy(image, "MZ", 2);
	image[0x200] = 0xeb;
	image[0x201] = offsetof(struct boot_params, hdr) + sizeof(*bz) - 0x202;
	bz->setup_sects = 1;
	bz->root_flags = 1;
	bz->syssize = BZ_KERNEL_SIZE / 16;
	bz->boot_flag = 0xaa55;
	memcpy(&bz->header, "HdrS", 4);
	bz->version = 0x020f;
	bz->loadflags = LOADED_HIGH;
	bz->initrd_addr_max = 0x7fffffff;
	bz->kernel_alignment = 2 * MiB;
	bz->relocatable_kernel = 1;
	bz->xloadflags = XLF_KERNEL_64 | XLF_CAN_BE_LOADED_ABOVE_4G;
	bz->cmdline_size = 2047;
	bz->pref_address = BZ_PREF;
	bz->init_size = BZ_INIT_SIZE;
	bz->kernel_info_offset = 0x12345678;
	fill_pattern(image + BZ_SETUP_SIZE, BZ_KERNEL_SIZE);
	image_size = BZ_SETUP_SIZE + BZ_KERNEL_SIZE;
}

/* ELF */

#define ELF_DATA   0x1000 /* file offset of the segment */
#define ELF_NOTE   0x200
#define ELF_GPA	   0x1000000
#define ELF_FILESZ 0x3000
#define ELF_MEMSZ  0x8000

static Elf64_Ehdr *const eh = (Elf64_Ehdr *)image;
static Elf64_Phdr *const ph = (Elf64_Phdr *)(image + sizeof(Elf64_Ehdr));

static void put_note(u64 off, u32 namesz, u32 descsz, u32 type, const char *name, u64 desc)
{
	Elf64_Nhdr nh = {namesz, descsz, type};

	memcpy(image + off, &nh, sizeof(nh));
	memcpy(image + off + sizeof(nh), name, 4);
	memcpy(image + off + sizeof(nh) + 4, &desc, 8);
}

static void make_elf(bool pvh)
{
	memset(image, 0, sizeof(image));
	memcpy(eh->e_ident, ELFMAG, SELFMAG);
	eh->e_ident[EI_CLASS] = ELFCLASS64;
	eh->e_ident[EI_DATA] = ELFDATA2LSB;
	eh->e_ident[EI_VERSION] = EV_CURRENT;
	eh->e_type = ET_EXEC;
	eh->e_machine = EM_X86_64;
	eh->e_version = EV_CURRENT;
	eh->e_entry = ELF_GPA + 0x40;
	eh->e_phoff = sizeof(*eh);
	eh->e_ehsize = sizeof(*eh);
	eh->e_phentsize = sizeof(*ph);
	eh->e_phnum = pvh ? 2 : 1;
	ph[0] = (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_offset = ELF_DATA,
		.p_vaddr = 0xffffffff81000000,
		.p_paddr = ELF_GPA,
		.p_filesz = ELF_FILESZ,
		.p_memsz = ELF_MEMSZ,
		.p_align = PAGE,
	};
	if (pvh) {
		ph[1] = (Elf64_Phdr){
			.p_type = PT_NOTE,
			.p_offset = ELF_NOTE,
			.p_filesz = 24 + 24,
			.p_align = 4,
		};
		put_note(ELF_NOTE, 4, 8, 6, "Xen", 0x1234);
		put_note(ELF_NOTE + 24, 4, 8, 18, "Xen", ELF_GPA + 0x100);
	}
	fill_pattern(image + ELF_DATA, ELF_FILESZ);
	image_size = ELF_DATA + ELF_FILESZ;
}

/* Loads with an initrd of @size bytes into @ram bytes of fresh memory. */
static int load_with_initrd(u64 ram, u64 size)
{
	struct boot_config cfg = config();
	char path[64];
	int fd, ret;

	cfg.initrd = make_file(path, "initrd", min(size, (u64)6), size, &fd);
	make_memory(ram);
	ret = load_config(&cfg);
	close(fd);
	return ret;
}

#endif /* LKVM_TESTS_BOOT_IMAGES_H */
