/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Small qcow2 images, made and examined in memory by code that has nothing from disk/: an array
 * that holds the whole file.
 */
#ifndef LKVM_TESTS_QCOW2_IMAGE_H
#define LKVM_TESTS_QCOW2_IMAGE_H

#include "util/types.h"

#define IMAGE_MAX (24 * MiB)

struct image_format {
	unsigned int version; /* 2 or 3 */
	unsigned int cluster_bits;
	unsigned int ref_order; /* 4 in version 2 */
	bool subclusters;
	u64 size; /* of the disk */
	const char *backing, *backing_format; /* or NULL */
};

struct image {
	u8 *data; /* IMAGE_MAX bytes */
	u64 len;
};

u64 image_get(const struct image *image, u64 off, unsigned int bytes);
void image_put(struct image *image, u64 off, unsigned int bytes, u64 val);

/* Whether the @len bytes at @off are in the file, which is then made that long. */
bool image_room(struct image *image, u64 off, u64 len);

/* Makes an empty one. Its refcount table and its L1 table are right behind the header. */
void image_make(struct image *image, const struct image_format *format);

/* Adds an internal snapshot, the first one, of what there is. Refcounts need two bits. */
void image_snapshot(struct image *image);

struct image_state {
	unsigned int errors; /* what is used and not counted, or lies over something else */
	unsigned int leaks; /* what is counted and not used */
	char what[160]; /* the first error */
};

/* Counts who uses what, from the header, all tables and the snapshot on. */
void image_examine(const struct image *image, struct image_state *state);

/* The file of @fd, all of it; false if it is larger than IMAGE_MAX. And back. */
bool image_read(struct image *image, int fd);
void image_store(const struct image *image, int fd);

#endif /* LKVM_TESTS_QCOW2_IMAGE_H */
