// SPDX-License-Identifier: GPL-2.0-only
/*
 * bzImage, as Linux's Documentation/arch/x86/boot.rst describes it: a setup part of
 * some sectors, which holds the setup header and is otherwise not used here, and the
 * protected-mode kernel behind it.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "boot-internal.h"
#include "util/log.h"

/* The first protocol with xloadflags, and with that a 64-bit entry point. */
#define PROTOCOL_MIN 0x020c

#define SECTOR		  512
#define SETUP_SECTS_OLD	  4 /* what setup_sects 0 stands for */
#define PARAGRAPH	  16 /* the unit of syssize */
#define ENTRY64_OFFSET	  0x200 /* of the 64-bit entry point, from the load address on */
#define HEADER_START	  offsetof(struct boot_params, hdr)
#define HEADER_JUMP	  0x201 /* its value plus 0x202 is where the header ends */
#define HEADER_ROOM_END	  offsetof(struct boot_params, edd_mbr_sig_buffer)
#define HEADER_NEEDED_END (offsetof(struct boot_params, hdr.init_size) + 4)

static int damaged(const struct boot_loader *ld, const char *field, u64 value)
{
	pr_err("kernel '%s' is damaged: %s in its setup header is 0x%" PRIx64, ld->kernel.path,
	       field, value);
	return -ENOEXEC;
}

/* Copies what the image has of the header to ld->params, and the rest of that is 0. */
static int read_header(struct boot_loader *ld)
{
	u8 head[HEADER_ROOM_END];
	const struct setup_header *hdr = &ld->params.hdr;
	u64 header_end, end;
	int ret;

	ret = file_read_at(&ld->kernel, 0, head, sizeof(head));
	if (ret)
		return ret;
	header_end = 0x202 + head[HEADER_JUMP];
	end = min(header_end, (u64)HEADER_ROOM_END);
	memcpy((u8 *)&ld->params + HEADER_START, head + HEADER_START, end - HEADER_START);

	if (hdr->version < PROTOCOL_MIN) {
		pr_err("kernel '%s' has boot protocol %u.%02u; 2.12 is needed (Linux 3.8 or newer)",
		       ld->kernel.path, hdr->version >> 8, hdr->version & 0xff);
		return -ENOEXEC;
	}
	if (!(hdr->xloadflags & XLF_KERNEL_64)) {
		pr_err("kernel '%s' is a 32-bit kernel; this guest starts 64-bit ones",
		       ld->kernel.path);
		return -ENOEXEC;
	}
	if (header_end < HEADER_NEEDED_END)
		return damaged(ld, "the end of it", header_end);
	return 0;
}

/*
 * The address to load @len bytes at so that [start, end) is what the kernel uses before
 * it looks at the memory map.
 *
 * A relocatable kernel unpacks itself to the address that it was loaded at, but never
 * below pref_address: in a guest that is too small for it there, a lower address would
 * not help (boot.rst, init_size).
 */
static int place(struct boot_loader *ld, u64 len, u64 *start, u64 *end)
{
	const struct setup_header *hdr = &ld->params.hdr;
	u64 needed;

	*start = hdr->pref_address;
	if (*start >= 4 * GiB)
		return damaged(ld, "pref_address", *start);
	if (hdr->relocatable_kernel) {
		if (!is_power_of_two(hdr->kernel_alignment))
			return damaged(ld, "kernel_alignment", hdr->kernel_alignment);
		*start = align_up(max(*start, (u64)MiB), hdr->kernel_alignment);
	} else if (*start < MiB) {
		return damaged(ld, "pref_address", *start);
	}
	*end = *start + max((u64)hdr->init_size, len);

	/* The 64-bit entry point has 4 GiB mapped, and code32_start has 32 bits. */
	if (*end <= 4 * GiB && mem_map_is_ram(&ld->free, *start, *end))
		return 0;
	needed = *end <= 4 * GiB ? boot_memory_needed(ld, *end) : 0;
	if (needed)
		pr_err("kernel '%s' needs memory up to 0x%" PRIx64 " to unpack itself: give the "
		       "guest at least -m %" PRIu64,
		       ld->kernel.path, *end, needed);
	else
		pr_err("kernel '%s' wants to unpack itself to 0x%" PRIx64 "-0x%" PRIx64
		       ", where %s memory",
		       ld->kernel.path, *start, *end - 1, boot_who_has(ld));
	return -ENOMEM;
}

int boot_load_bzimage(struct boot_loader *ld)
{
	struct setup_header *hdr = &ld->params.hdr;
	u64 off, len, start, end;
	int ret;

	ret = read_header(ld);
	if (ret)
		return ret;

	off = ((hdr->setup_sects ? hdr->setup_sects : SETUP_SECTS_OLD) + 1) * SECTOR;
	len = (u64)hdr->syssize * PARAGRAPH;
	if (len <= ENTRY64_OFFSET)
		return damaged(ld, "syssize", hdr->syssize);
	/* A signature may follow. */
	ret = file_check_range(&ld->kernel, off, len);
	if (ret)
		return ret;
	ret = place(ld, len, &start, &end);
	if (ret)
		return ret;
	ret = boot_copy_file(ld, &ld->kernel, off, start, len);
	if (ret)
		return ret;
	mem_map_set(&ld->free, start, end, MEM_NONE);

	hdr->code32_start = start;
	ld->cmdline_max = min(hdr->cmdline_size, (u32)BOOT_CMDLINE_MAX);
	ld->initrd_end[0] = (u64)hdr->initrd_addr_max + 1;
	ld->initrd_end[1] = ld->initrd_end[0];
	if (hdr->xloadflags & XLF_CAN_BE_LOADED_ABOVE_4G)
		ld->initrd_end[1] = ~0ULL;

	ld->st->mode = BOOT_LINUX64;
	ld->st->entry = start + ENTRY64_OFFSET;
	ld->st->kernel_gpa = start;
	ld->st->kernel_end = end;
	return 0;
}
