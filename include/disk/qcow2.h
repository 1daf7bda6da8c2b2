/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Disks in qcow2 images: QEMU's "Qcow2 Image File Format", versions 2 and 3, with internal
 * snapshots, compressed clusters, subclusters and backing files.
 */
#ifndef LKVM_DISK_QCOW2_H
#define LKVM_DISK_QCOW2_H

#include "disk/disk.h"

/* What an image begins with. */
#define QCOW2_MAGIC "QFI\xfb"

/*
 * As disk_open(). Prints the reason on failure. -EINVAL for an image that breaks the format,
 * -EOPNOTSUPP for one that needs what is not there, -ENOMEM, and what raw_open() returns.
 */
int qcow2_open(struct disk **out, const struct disk_config *config);

#endif /* LKVM_DISK_QCOW2_H */
