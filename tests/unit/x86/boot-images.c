// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "boot-images.h"
#include "capture.h"

/* The image of a test. */
u8 image[IMAGE_ROOM];
u64 image_size;

struct guest_mem mem;
struct boot_state st;
char message[8192];

bool one_line(void)
{
	char *end = strchr(message, '\n');

	return end && end > message && !end[1];
}

void make_memory(u64 size)
{
	u64 low = min(size, 3 * GiB);

	guest_mem_destroy(&mem);
	CHECK_EQ(guest_mem_add_bank(&mem, 0, low), 0);
	if (size > low)
		CHECK_EQ(guest_mem_add_bank(&mem, 4 * GiB, size - low), 0);
}

int load_config(const struct boot_config *cfg)
{
	int ret;

	capture_begin();
	ret = x86_load_kernel(&mem, cfg, &st);
	snprintf(message, sizeof(message), "%s", capture_end());
	if (ret)
		CHECK(one_line());
	else
		CHECK_STR_EQ(message, "");
	return ret;
}

struct boot_config config(void)
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

int load(u64 size)
{
	struct boot_config cfg = config();

	make_memory(size);
	return load_config(&cfg);
}

void refused(u64 size, int err, const char *words)
{
	CHECK_EQ(load(size), err);
	if (!CHECK(strstr(message, words)))
		printf("# '%s' is not in: %s", words, message);
}

const char *make_file(char path[64], const void *data, u64 len, u64 size, int *fd)
{
	*fd = memfd_create("file", MFD_CLOEXEC);
	CHECK_EQ(pwrite(*fd, data, len, 0), (ssize_t)len);
	CHECK_EQ(ftruncate(*fd, size), 0);
	snprintf(path, 64, "/proc/self/fd/%d", *fd);
	return path;
}

u32 guest_u32(u64 gpa)
{
	u32 val = 0;

	CHECK_EQ(guest_mem_read(&mem, gpa, &val, sizeof(val)), 0);
	return val;
}

u64 guest_u64(u64 gpa)
{
	u64 val = 0;

	CHECK_EQ(guest_mem_read(&mem, gpa, &val, sizeof(val)), 0);
	return val;
}

void guest_string(u64 gpa, char buf[64])
{
	CHECK_EQ(guest_mem_read(&mem, gpa, buf, 64), 0);
	buf[63] = '\0';
}

struct setup_header *const bz = (struct setup_header *)(image + 0x1f1);

void fill_pattern(u8 *buf, u64 len)
{
	for (u64 i = 0; i < len; i++)
		buf[i] = i * 7 + (i >> 8);
}

void make_bzimage(void)
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

Elf64_Ehdr *const eh = (Elf64_Ehdr *)image;
Elf64_Phdr *const ph = (Elf64_Phdr *)(image + sizeof(Elf64_Ehdr));

void put_note(u64 off, u32 namesz, u32 descsz, u32 type, const char *name, u64 desc)
{
	Elf64_Nhdr nh = {namesz, descsz, type};

	memcpy(image + off, &nh, sizeof(nh));
	memcpy(image + off + sizeof(nh), name, 4);
	memcpy(image + off + sizeof(nh) + 4, &desc, 8);
}

void make_elf(bool pvh)
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

int load_with_initrd(u64 ram, u64 size)
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

void check_map(u64 gpa, unsigned int nr, unsigned int stride, u64 size)
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

void check_segments(const struct kvm_sregs *sregs, bool mode64)
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
