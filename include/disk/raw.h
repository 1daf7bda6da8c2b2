/* SPDX-License-Identifier: GPL-2.0-only */
/* The kinds of disks, for disk/disk.c. Each open prints the reason when it fails. */
#ifndef LKVM_DISK_RAW_H
#define LKVM_DISK_RAW_H

#include "disk/disk.h"

/* A regular file or a block device whose bytes are the disk's. */
int raw_open(struct disk **out, const struct disk_config *config);

/*
 * The same for a file descriptor of a regular file, which the disk takes over, on
 * failure too. @name is for messages.
 */
int raw_open_fd(struct disk **out, int fd, const char *name, bool read_only);

struct stat;

/*
 * A file or a block device in whose bytes a format keeps a disk, or whose size is whatever it
 * is: the disk's size is its own, to the byte, and what a read wants behind the end is zeroes.
 * Offsets and lengths need not be multiples of a sector.
 */
int raw_open_container(struct disk **out, const struct disk_config *config);

/*
 * Makes a container at least @size bytes long, with zeroes at its end; disk->size stays what it
 * was. -ENOSPC for a block device that is smaller, -EFBIG, or what the host says.
 */
int raw_grow(struct disk *disk, u64 size);

/* How long it is now. */
u64 raw_end(struct disk *disk);

/* Whether @st is of the file that @disk, which is a raw one, has open. */
bool raw_is_file(struct disk *disk, const struct stat *st);

#define RAM_DISK_PREFIX "ram:"

/* "ram:SIZE": zeroes at the start, gone at the end. */
int ram_open(struct disk **out, const struct disk_config *config);

#endif /* LKVM_DISK_RAW_H */
