/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the kernel loader share. */
#ifndef LKVM_BOOT_INTERNAL_H
#define LKVM_BOOT_INTERNAL_H

#include <zlib.h>
#include <zstd.h>

#include "boot/image.h"
#include "util/file.h"
#include "util/types.h"

enum compression {
	COMPRESSION_NONE,
	COMPRESSION_GZIP, /* RFC 1952: any number of members */
	COMPRESSION_ZSTD, /* RFC 8878: any number of frames */
};

/* A part of a file, read from its beginning to its end, unpacked meanwhile. */
struct unpack {
	const struct file *file;
	u64 off, left; /* what is still to be read from the file */
	enum compression compression;
	bool between; /* members or frames: the data may end here */
	bool ended; /* nothing more comes */
	z_stream z;
	ZSTD_DStream *zstd;
	ZSTD_inBuffer in; /* of zstd, in buf */
	u8 buf[64 * KiB];
};

/*
 * Bytes [off, off + len) of @file, which must be there and stay open. Prints the reason; -ENOMEM.
 * To be closed also after that.
 */
int unpack_open(struct unpack *s, const struct file *file, u64 off, u64 len,
		enum compression compression);

/*
 * The next @len bytes to @buf, fewer at the end; how many. What follows the last member of gzip
 * or the last frame of zstd is ignored. Prints the reason on failure: -EINVAL: damaged; -ERANGE:
 * truncated; -ENOMEM; or as file_read_at().
 */
s64 unpack_read(struct unpack *s, void *buf, u64 len);

void unpack_close(struct unpack *s);

/* What is to be placed into one bank, and how. Sizes in bytes. */
struct image_layout {
	u64 text_offset; /* from a multiple of 2 MiB on */
	u64 kernel_size; /* what it uses, from its start on */
	u64 initrd_size; /* 0: none */
	u64 fdt_max;
	u64 window; /* initrd and kernel are in so much from a multiple of 1 GiB on; 0: anywhere */
};

/*
 * Chooses the places in the lowest bank that holds them all: the kernel first. False if there is
 * none; @needed then is how much memory from the start of the lowest bank on would do, 0 if none.
 */
bool image_place(const struct guest_mem *mem, const struct image_layout *layout,
		 struct image_places *places, u64 *needed);

#endif /* LKVM_BOOT_INTERNAL_H */
