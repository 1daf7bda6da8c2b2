/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Disks: what holds the sectors of a block device of the guest. Each kind of disk is
 * one file with its struct disk_ops.
 */
#ifndef LKVM_DISK_DISK_H
#define LKVM_DISK_DISK_H

#include <limits.h>
#include <sys/uio.h>

#include "util/feature.h"
#include "util/types.h"

/* The unit of sizes and requests, whatever the disk's block size is. */
#define DISK_SECTOR_SIZE 512U

enum disk_format {
	DISK_FORMAT_BY_NAME, /* qcow2 if it ends in .qcow2, else raw */
	DISK_FORMAT_RAW,
	DISK_FORMAT_QCOW2,
};

/* What the user says of a disk, apart from the device that the guest sees. */
struct disk_config {
	char path[PATH_MAX]; /* a file, or ram:SIZE */
	bool read_only;
	bool direct; /* without the host's page cache */
	enum disk_format format;
	char backing[PATH_MAX]; /* the backing file of a qcow2 image; "": what the image names */
};

struct disk;

/*
 * All offsets and lengths are bytes, multiples of DISK_SECTOR_SIZE and inside the
 * disk: the caller has checked that. Functions return 0 when all is done or a negative
 * errno, after which the bytes concerned are undefined. Any number of threads call
 * them at a time; requests that overlap have no order.
 */
struct disk_ops {
	/*
	 * Moves as many bytes as @iov holds; entries may have any size and alignment.
	 * @iov is used up: its contents are undefined afterwards.
	 */
	int (*preadv)(struct disk *disk, struct iovec *iov, unsigned int nr, u64 off);
	int (*pwritev)(struct disk *disk, struct iovec *iov, unsigned int nr, u64 off);
	/* Everything that was written before the call is on stable storage. */
	int (*flush)(struct disk *disk);
	/* The contents of the range do not matter any more. */
	int (*discard)(struct disk *disk, u64 off, u64 len);
	/* The range reads as zeroes; with @unmap its storage may be given back. */
	int (*write_zeroes)(struct disk *disk, u64 off, u64 len, bool unmap);
	void (*close)(struct disk *disk);
};

struct disk {
	const struct disk_ops *ops;
	u64 size; /* bytes */

	/* Bytes, powers of two. The guest should use blocks of this size. */
	u32 block_size;
	u32 physical_block_size; /* smaller writes cost a read */

	/* Bytes; 0: nothing to say. */
	u32 min_io_size;
	u32 opt_io_size;
	u32 align_offset; /* of the first physical block that begins on its boundary */
	u32 discard_granularity;
	u64 max_range; /* of one discard or write of zeroes */

	bool read_only;
	bool can_discard;
	bool can_write_zeroes;
	bool can_unmap; /* write_zeroes with @unmap may give storage back */
};

/*
 * Opens the disk that @config names and locks it against other users. On success the
 * caller owns *@out until disk_close(). Prints the reason on failure; a negative
 * errno: -EBUSY for a disk in use, and what the host's calls return.
 */
int disk_open(struct disk **out, const struct disk_config *config);

void disk_close(struct disk *disk);

/* What disk_open() knows. */
feature_source disk_kinds;

#endif /* LKVM_DISK_DISK_H */
