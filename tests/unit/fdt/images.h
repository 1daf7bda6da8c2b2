/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of boot/ share: small images that are made here, packed in the ways that there
 * are, and loading them into fresh memory with what is printed caught.
 */
#ifndef LKVM_TESTS_IMAGES_H
#define LKVM_TESTS_IMAGES_H

#include "boot/image.h"
#include "unit.h"
#include "vm/memory.h"

#define RAM_BASE   0x80000000ULL
#define FDT_MAX	   (2 * MiB)
#define PLAIN_SIZE (96 * KiB)
#define PLAIN_USES (1 * MiB) /* image_size in its header */

/* The kernel as it has to be in guest memory. */
extern u8 plain[PLAIN_SIZE];

/* The file of a test. */
#define FILE_ROOM (1 * MiB)
extern u8 file[FILE_ROOM];
extern u64 file_size;

extern enum image_kind kind; /* of the machine, and of what is made */
extern struct guest_mem mem;
extern struct image_places places; /* of what was loaded last */

/* Fields of plain's header. */
#define HDR_TEXT_OFFSET 8
#define HDR_IMAGE_SIZE	16
#define HDR_FLAGS	24
#define HDR_VERSION	32
#define HDR_RISCV_MAGIC 48
#define HDR_MAGIC	56
void put32(u8 *at, u32 val);
void put64(u8 *at, u64 val);

/* A fresh plain of that kind, and as the file. */
void make_plain(enum image_kind of);

/* Puts @len bytes at @data behind what is in the file, as they are or packed. */
void append(const void *data, u64 len);
void append_gzip(const void *data, u64 len);
void append_zstd(const void *data, u64 len);

/* Makes the file an EFI zboot image with what it is now as the payload. */
void wrap_zboot(const char *compression);

/* Memory of @size bytes from RAM_BASE on, and nothing else. */
void make_memory(u64 size);

/* The file as it is in memory, or by its path. */
struct image_config config(void);
int load_config(const struct image_config *cfg);

/* Loads the file into fresh memory of @ram bytes. */
int load(u64 ram);

/* It is loaded there, and what is in memory is plain. */
void loaded(u64 ram);

/* It is refused, in one line that holds @words. */
void refused(u64 ram, int err, const char *words);

/* What the last load printed. */
extern char message[8192];

/* A name for a file of @size bytes, sparse behind @data. */
const char *make_file(char path[64], const void *data, u64 len, u64 size, int *fd);

#endif /* LKVM_TESTS_IMAGES_H */
