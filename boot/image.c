// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "util/log.h"

/* The header, all of it little-endian. What one architecture alone has is named so. */
struct image_header {
	u32 code[2];
	u64 text_offset;
	u64 image_size; /* with .bss; 0: from before Linux 3.17 on arm64 */
	u64 flags;
	u32 version; /* riscv64: 16 bits major, 16 bits minor */
	u32 reserved[3];
	u64 riscv_magic; /* deprecated: kernels before version 0.2 have this one only */
	u32 magic;
	u32 pe_offset;
} __packed;

#define HEADER_SIZE sizeof(struct image_header)

#define ARM64_MAGIC	0x644d5241 /* "ARM\x64" */
#define RISCV_MAGIC2	0x05435352 /* "RSC\x05" */
#define RISCV_MAGIC	0x5643534952ULL /* "RISCV" */
#define FLAG_BIG_ENDIAN BIT(0)

/* What an arm64 kernel means that says neither its size nor, in a known byte order, its offset. */
#define OLD_TEXT_OFFSET 0x80000
/* .bss of such a kernel, at most. */
#define OLD_BSS (32 * MiB)
/* Such a kernel when it is compressed, so that nothing says how long it is: at most. */
#define OLD_IMAGE_MAX (64 * MiB)

/* How much may follow what the header speaks of in a compressed kernel: signatures. */
#define TAIL_MAX (16 * MiB)

/* arm64: initrd and kernel are in so much from a multiple of 1 GiB on. */
#define ARM64_WINDOW (32 * GiB)

/* An EFI program that unpacks a kernel: "MZ", and this (Linux, drivers/firmware/efi/libstub). */
struct zboot_header {
	char mz[4];
	char magic[4]; /* "zimg" */
	u32 payload_offset;
	u32 payload_size;
	u32 reserved[2];
	char compression[32]; /* name of the program, with its final NUL */
} __packed;

/* Where its file and section headers have what of a PE program. */
#define PE_NR_SECTIONS	       6
#define PE_OPTIONAL_SIZE       20
#define PE_HEADER_SIZE	       24
#define PE_SECTION_SIZE	       40
#define PE_SECTION_FILE_SIZE   16
#define PE_SECTION_FILE_OFFSET 20

/* Enough of a file for all of these. */
#define HEAD_SIZE 0x206
#define HEAD_MIN  64

struct loader {
	struct guest_mem *mem;
	const struct image_config *config;
	struct image_places *places;
	struct file kernel, initrd;
	struct unpack stream; /* of the kernel */
	struct image_header header;
};

static const char *const arch_names[] = {
	[IMAGE_ARM64] = "arm64",
	[IMAGE_RISCV64] = "riscv64",
};

/* What people name instead of a kernel for this machine, and what to do about it. */
static const struct {
	unsigned int off;
	unsigned int len;
	const char *magic;
	const char *is;
} strangers[] = {
	{0x202, 4, "HdrS", "a kernel for x86 (bzImage)"},
	{0x24, 4, "\x18\x28\x6f\x01", "a kernel for 32-bit Arm (zImage)"},
	{0, 4,
	 "\x7f"
	 "ELF",
	 "an ELF file; name the Image, from arch/*/boot in a kernel's tree"},
	{0, 4, "\x27\x05\x19\x56", "a U-Boot image; name the Image in it"},
	{0, 4, "\xd0\x0d\xfe\xed", "a device tree or FIT image; name the Image"},
	{0, 6, "\xfd\x37zXZ", "compressed with xz; unpack it with xz -d"},
	{0, 4, "\x02\x21\x4c\x18", "compressed with lz4; unpack it with lz4 -d"},
	{0, 3, "BZh", "compressed with bzip2; unpack it with bzip2 -d"},
	{0, 4, "\x89LZO", "compressed with lzop; unpack it with lzop -d"},
	{0, 5, "07070", "a cpio archive; give an initrd with -i"},
	{0, 4, "QFI\xfb", "a qcow2 disk image; give a disk with -d"},
};

static bool is_arm64(const struct image_header *h)
{
	return le32toh(h->magic) == ARM64_MAGIC;
}

static bool is_riscv64(const struct image_header *h)
{
	return le32toh(h->magic) == RISCV_MAGIC2 || le64toh(h->riscv_magic) == RISCV_MAGIC;
}

static int not_a_kernel(const struct loader *ld, const u8 *head, u64 size)
{
	const char *path = ld->kernel.path;

	for (size_t i = 0; i < ARRAY_SIZE(strangers); i++) {
		if (!memcmp(head + strangers[i].off, strangers[i].magic, strangers[i].len)) {
			pr_err("kernel '%s' is %s", path, strangers[i].is);
			return -ENOEXEC;
		}
	}
	if (size < HEAD_MIN)
		pr_err("kernel '%s' is truncated or no kernel: it has %" PRIu64 " bytes", path,
		       size);
	else if (!memcmp(head, "MZ", 2))
		pr_err("kernel '%s' is an EFI program, but none with a Linux kernel for %s in it",
		       path, arch_names[ld->config->kind]);
	else
		pr_err("kernel '%s' is no kernel: name an Image for %s, plain or compressed", path,
		       arch_names[ld->config->kind]);
	return -ENOEXEC;
}

static int check_header(const struct loader *ld)
{
	const struct image_header *h = &ld->header;
	bool arm64 = ld->config->kind == IMAGE_ARM64;
	const char *path = ld->kernel.path;
	u32 version = le32toh(h->version);

	if (arm64 ? is_riscv64(h) : is_arm64(h)) {
		pr_err("kernel '%s' is one for %s; this guest is %s", path,
		       arch_names[arm64 ? IMAGE_RISCV64 : IMAGE_ARM64],
		       arch_names[ld->config->kind]);
		return -ENOEXEC;
	}
	if (le64toh(h->flags) & FLAG_BIG_ENDIAN) {
		pr_err("kernel '%s' is big-endian; this guest starts little-endian ones", path);
		return -ENOEXEC;
	}
	if (!arm64 && version >> 16) {
		pr_err("kernel '%s' has version %u.%u of the image header; 0.x is known", path,
		       version >> 16, version & 0xffff);
		return -ENOEXEC;
	}
	if (!arm64 && !h->image_size) {
		pr_err("kernel '%s' does not say how much memory it needs: image_size in its "
		       "header is 0",
		       path);
		return -ENOEXEC;
	}
	return 0;
}

static int open_zboot(struct loader *ld, const u8 *head)
{
	const char *path = ld->kernel.path;
	enum compression compression;
	struct zboot_header z;
	u64 off, len;
	int ret;

	memcpy(&z, head, sizeof(z));
	z.compression[sizeof(z.compression) - 1] = '\0';
	for (char *c = z.compression; *c; c++) {
		if (*c <= ' ' || *c > '~')
			*c = '?';
	}
	if (!strcmp(z.compression, "gzip")) {
		compression = COMPRESSION_GZIP;
	} else if (!strncmp(z.compression, "zstd", 4)) {
		compression = COMPRESSION_ZSTD;
	} else {
		pr_err("kernel '%s' is an EFI zboot image compressed with '%s', which lkvm cannot "
		       "unpack: cut out the %u bytes from %u on, and use that program",
		       path, z.compression, le32toh(z.payload_size), le32toh(z.payload_offset));
		return -ENOEXEC;
	}
	off = le32toh(z.payload_offset);
	len = le32toh(z.payload_size);
	ret = file_check_range(&ld->kernel, off, len);
	return ret ? ret : unpack_open(&ld->stream, &ld->kernel, off, len, compression);
}

/* Finds out what the kernel's file is, and reads the header of the image in it. */
static int open_image(struct loader *ld)
{
	struct file *f = &ld->kernel;
	u8 head[HEAD_SIZE] = {0};
	struct image_header h;
	s64 n;
	int ret;

	ret = file_read_at(f, 0, head, min((u64)HEAD_SIZE, f->size));
	if (ret)
		return ret;
	memcpy(&h, head, sizeof(h));
	if (is_arm64(&h) || is_riscv64(&h))
		ret = unpack_open(&ld->stream, f, 0, f->size, COMPRESSION_NONE);
	else if (!memcmp(head, "MZ", 2) && !memcmp(head + 4, "zimg", 4))
		ret = open_zboot(ld, head);
	else if (!memcmp(head, "\x1f\x8b", 2))
		ret = unpack_open(&ld->stream, f, 0, f->size, COMPRESSION_GZIP);
	else if (!memcmp(head, "\x28\xb5\x2f\xfd", 4))
		ret = unpack_open(&ld->stream, f, 0, f->size, COMPRESSION_ZSTD);
	else
		ret = not_a_kernel(ld, head, f->size);
	if (ret)
		return ret;

	memset(head, 0, sizeof(head));
	n = unpack_read(&ld->stream, head, HEADER_SIZE);
	if (n < 0)
		return n;
	memcpy(&ld->header, head, HEADER_SIZE);
	if ((u64)n == HEADER_SIZE && (is_arm64(&ld->header) || is_riscv64(&ld->header)))
		return check_header(ld);
	/* The marks of strangers may be further behind than a header is long. */
	if ((u64)n == HEADER_SIZE) {
		s64 more = unpack_read(&ld->stream, head + n, sizeof(head) - n);

		if (more < 0)
			return more;
		n += more;
	}
	return not_a_kernel(ld, head, n);
}

static int too_little(const struct loader *ld, const struct image_layout *layout, u64 needed)
{
	const char *path = ld->kernel.path;
	u64 mib = align_up(needed, MiB) / MiB;

	if (!needed)
		pr_err("kernel '%s' wants to be 0x%" PRIx64 " bytes long, 0x%" PRIx64
		       " behind a multiple of 2 MiB, and the initrd has 0x%" PRIx64
		       " bytes: no guest has such memory",
		       path, layout->kernel_size, layout->text_offset, layout->initrd_size);
	else if (ld->config->banks_chosen)
		pr_err("kernel '%s'%s needs a bank of memory of at least %" PRIu64 " MiB", path,
		       layout->initrd_size ? " with its initrd" : "", mib);
	else
		pr_err("kernel '%s'%s needs more memory: give the guest at least -m %" PRIu64, path,
		       layout->initrd_size ? " with its initrd" : "", mib);
	return -ENOMEM;
}

static int choose_places(struct loader *ld)
{
	const struct image_config *config = ld->config;
	struct image_layout layout = {
		.text_offset = le64toh(ld->header.text_offset),
		.kernel_size = le64toh(ld->header.image_size),
		.initrd_size = config->initrd ? ld->initrd.size : 0,
		.fdt_max = config->fdt_max,
		.window = config->kind == IMAGE_ARM64 ? ARM64_WINDOW : 0,
	};
	u64 needed;

	if (!layout.kernel_size) {
		u64 most = ld->kernel.size;

		/* Compressed, it says how long it is only at its end. */
		if (ld->stream.compression != COMPRESSION_NONE)
			most = OLD_IMAGE_MAX;
		layout.text_offset = OLD_TEXT_OFFSET;
		layout.kernel_size = most + OLD_BSS;
	}
	layout.kernel_size = max(layout.kernel_size, (u64)HEADER_SIZE);
	if (!is_aligned(layout.text_offset, 4 * KiB)) {
		pr_err("kernel '%s' is damaged: text_offset in its header is 0x%" PRIx64,
		       ld->kernel.path, layout.text_offset);
		return -ENOEXEC;
	}
	if (image_place(ld->mem, &layout, ld->places, &needed))
		return 0;
	return too_little(ld, &layout, needed);
}

/* Unpacks what follows the kernel, because the checksum is at the end. */
static int check_tail(struct loader *ld)
{
	u8 scratch[4 * KiB];
	u64 total = 0;
	s64 n;

	if (ld->stream.compression == COMPRESSION_NONE)
		return 0;
	do {
		n = unpack_read(&ld->stream, scratch, sizeof(scratch));
		if (n < 0)
			return n;
		total += n;
	} while (n && total <= TAIL_MAX);
	if (!n)
		return 0;
	pr_err("kernel '%s' is damaged: it unpacks to more than its header speaks of",
	       ld->kernel.path);
	return -EINVAL;
}

static u32 get32(const u8 *at)
{
	u32 val;

	memcpy(&val, at, sizeof(val));
	return le32toh(val);
}

/*
 * A kernel is an EFI program, too, and says in its table of sections (PE format) where its file
 * ends; its own header does not. How long it has to be at least, 0 if it does not say.
 */
static u64 pe_file_size(const u8 *image, u64 len, u32 pe_offset)
{
	u64 table, end = 0;
	unsigned int nr;

	if ((u64)pe_offset + PE_HEADER_SIZE > len || memcmp(image + pe_offset, "PE\0", 4))
		return 0;
	nr = get32(image + pe_offset + PE_NR_SECTIONS) & 0xffff;
	table = pe_offset + PE_HEADER_SIZE + (get32(image + pe_offset + PE_OPTIONAL_SIZE) & 0xffff);
	if (table + (u64)nr * PE_SECTION_SIZE > len)
		return 0;
	for (unsigned int i = 0; i < nr; i++) {
		const u8 *section = image + table + i * PE_SECTION_SIZE;

		end = max(end, (u64)get32(section + PE_SECTION_FILE_SIZE) +
				       get32(section + PE_SECTION_FILE_OFFSET));
	}
	return end;
}

/* The kernel, whose header was read already, to its place. */
static int load_kernel(struct loader *ld)
{
	u64 size = le64toh(ld->header.image_size), gpa = ld->places->entry;
	u64 room = max(size ? size : ld->places->fdt - gpa, (u64)HEADER_SIZE);
	u8 *to = guest_mem_ptr(ld->mem, gpa, room);
	s64 n;

	if (!to)
		return -EFAULT;
	memcpy(to, &ld->header, HEADER_SIZE);
	n = unpack_read(&ld->stream, to + HEADER_SIZE, room - HEADER_SIZE);
	if (n < 0)
		return n;
	size = pe_file_size(to, HEADER_SIZE + n, le32toh(ld->header.pe_offset));
	if (size > HEADER_SIZE + n) {
		pr_err("kernel '%s' is truncated: it has %" PRIu64 " bytes, and %" PRIu64
		       " by its sections",
		       ld->kernel.path, HEADER_SIZE + n, size);
		return -ENODATA;
	}
	return check_tail(ld);
}

static int load_initrd(struct loader *ld)
{
	struct image_places *places = ld->places;
	void *to = guest_mem_ptr(ld->mem, places->initrd, places->initrd_size);

	return to ? file_read_at(&ld->initrd, 0, to, places->initrd_size) : -EFAULT;
}

static int open_files(struct loader *ld)
{
	const struct image_config *config = ld->config;
	u64 max_pipe = guest_mem_size(ld->mem);
	int ret = 0;

	if (config->kernel)
		ret = file_open(&ld->kernel, "kernel", config->kernel, max_pipe);
	else
		file_open_image(&ld->kernel, "kernel", "(built in)", config->builtin,
				config->builtin_size);
	if (!ret && config->initrd)
		ret = file_open(&ld->initrd, "initrd", config->initrd, max_pipe);
	return ret;
}

int image_load(struct guest_mem *mem, const struct image_config *config,
	       struct image_places *places)
{
	struct loader *ld = calloc(1, sizeof(*ld));
	int ret;

	if (!ld) {
		pr_err("out of memory");
		return -ENOMEM;
	}
	ld->mem = mem;
	ld->config = config;
	ld->places = places;
	ld->kernel.fd = ld->initrd.fd = -1;
	ret = open_files(ld);
	if (!ret)
		ret = open_image(ld);
	if (!ret)
		ret = choose_places(ld);
	if (!ret)
		ret = load_kernel(ld);
	if (!ret && config->initrd)
		ret = load_initrd(ld);
	unpack_close(&ld->stream);
	file_close(&ld->initrd);
	file_close(&ld->kernel);
	free(ld);
	return ret;
}
