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

#define RAM_DISK_PREFIX "ram:"

/* "ram:SIZE": zeroes at the start, gone at the end. */
int ram_open(struct disk **out, const struct disk_config *config);

#endif /* LKVM_DISK_RAW_H */
