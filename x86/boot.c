// SPDX-License-Identifier: GPL-2.0-only
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "boot-internal.h"
#include "util/log.h"
#include "vm/memory.h"
#include "x86/layout.h"

/* Enough for all the marks below, and for the magic of a bzImage. */
#define HEAD_SIZE 0x206

#define BZIMAGE_MAGIC_OFFSET 0x202

#define UNPACK "; unpack it, or give it with -i if it is an initrd"

/* What people name instead of a kernel for this machine, and what to do about it. */
static const struct {
	unsigned int off;
	unsigned int len;
	const char *magic;
	const char *is;
} strangers[] = {
	{0x38, 4, "ARM\x64", "a kernel for arm64 (Image); this guest is x86-64"},
	{0x38, 4, "RSC\x05", "a kernel for RISC-V (Image); this guest is x86-64"},
	{0x30, 5, "RISCV", "a kernel for RISC-V (Image); this guest is x86-64"},
	{0x24, 4, "\x18\x28\x6f\x01", "a kernel for 32-bit Arm (zImage); this guest is x86-64"},
	{4, 4, "zimg", "an EFI zboot image, which only EFI firmware starts; name a bzImage"},
	{0, 4, "\x27\x05\x19\x56", "a U-Boot image; name a bzImage or an ELF vmlinux"},
	{0, 4, "\xd0\x0d\xfe\xed", "a device tree or FIT image; name a bzImage or an ELF vmlinux"},
	{0, 2, "\x1f\x8b", "compressed with gzip" UNPACK},
	{0, 6, "\xfd\x37zXZ", "compressed with xz" UNPACK},
	{0, 4, "\x28\xb5\x2f\xfd", "compressed with zstd" UNPACK},
	{0, 4, "\x02\x21\x4c\x18", "compressed with lz4" UNPACK},
	{0, 3, "BZh", "compressed with bzip2" UNPACK},
	{0, 5, "07070", "a cpio archive; give an initrd with -i"},
	{0, 4, "QFI\xfb", "a qcow2 disk image; give a disk with -d"},
};

static const char *stranger(const u8 *head)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(strangers); i++)
		if (!memcmp(head + strangers[i].off, strangers[i].magic, strangers[i].len))
			return strangers[i].is;
	return NULL;
}

static int load_image(struct boot_loader *ld)
{
	const char *path = ld->kernel.path, *is;
	u8 head[HEAD_SIZE] = {0};
	int ret;

	ret = file_read_at(&ld->kernel, 0, head, min((u64)HEAD_SIZE, ld->kernel.size));
	if (ret)
		return ret;

	if (!memcmp(head, ELFMAG, SELFMAG))
		return boot_load_elf(ld);
	is = stranger(head);
	if (is)
		pr_err("kernel '%s' is %s", path, is);
	else if (ld->kernel.size < HEAD_SIZE)
		pr_err("kernel '%s' is truncated or no kernel: it has %" PRIu64 " bytes", path,
		       ld->kernel.size);
	else if (!memcmp(head + BZIMAGE_MAGIC_OFFSET, "HdrS", 4))
		return boot_load_bzimage(ld);
	else if (!memcmp(head, "MZ", 2))
		pr_err("kernel '%s' is an EFI program, which only EFI firmware starts; name a "
		       "bzImage or an ELF vmlinux",
		       path);
	else
		pr_err("kernel '%s' is no kernel: name an x86-64 bzImage or ELF vmlinux", path);
	return -ENOEXEC;
}

const char *boot_who_has(const struct boot_loader *ld)
{
	return ld->cfg->banks_chosen ? "this guest has no" : "no guest has";
}

u64 boot_memory_needed(const struct boot_loader *ld, u64 end)
{
	if (ld->cfg->banks_chosen)
		return 0;
	if (end <= X86_HOLE_START)
		return align_up(end, MiB) / MiB;
	if (end <= X86_HOLE_END || align_up(end, MiB) < end)
		return 0;
	return (align_up(end, MiB) - X86_HOLE_END + X86_HOLE_START) / MiB;
}

int boot_copy_file(struct boot_loader *ld, const struct file *f, u64 off, u64 gpa, u64 len)
{
	u64 run;
	int ret;

	for (; len; gpa += run, off += run, len -= run) {
		void *to = guest_mem_run(ld->mem, gpa, len, &run);

		if (!to)
			return -EFAULT;
		ret = file_read_at(f, off, to, run);
		if (ret)
			return ret;
	}
	return 0;
}

int x86_load_kernel(struct guest_mem *mem, const struct boot_config *cfg, struct boot_state *out)
{
	struct boot_loader ld = {.mem = mem, .cfg = cfg, .st = out};
	int ret;

	memset(out, 0, sizeof(*out));
	ret = boot_make_map(&ld);
	if (ret)
		return ret;

	if (cfg->kernel) {
		ret = file_open(&ld.kernel, "kernel", cfg->kernel, guest_mem_size(mem));
		if (ret)
			return ret;
	} else if (cfg->kernel_image) {
		file_open_image(&ld.kernel, "kernel", "(built in)", cfg->kernel_image,
				cfg->kernel_size);
	} else {
		pr_err("no kernel: name a bzImage or an ELF vmlinux with -k");
		return -ENOENT;
	}

	ret = load_image(&ld);
	if (!ret)
		ret = boot_load_initrd(&ld);
	if (!ret)
		ret = boot_write_cmdline(&ld);
	if (!ret)
		ret = boot_write_info(&ld);
	if (!ret)
		ret = boot_write_tables(mem, out->mode);
	file_close(&ld.kernel);
	return ret;
}
