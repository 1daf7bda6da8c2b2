/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of the x86 kernel loader share: small images that are made here, a
 * bzImage with a header as Linux 6.x has it and ELF files with and without a PVH
 * note, and loading them into fresh memory with what is printed caught.
 */
#ifndef LKVM_TESTS_BOOT_IMAGES_H
#define LKVM_TESTS_BOOT_IMAGES_H

#include <asm/bootparam.h>
#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"
#include "vm/memory.h"
#include "x86/boot.h"

#define PAGE 4096

/* The image of a test. */
#define IMAGE_ROOM (256 * KiB)
extern u8 image[IMAGE_ROOM];
extern u64 image_size;

extern struct guest_mem mem;
extern struct boot_state st; /* of what was loaded last */
extern char message[8192]; /* what was printed meanwhile */

/* A bzImage: its header in image[]. */
#define BZ_SETUP_SIZE  1024 /* two sectors */
#define BZ_KERNEL_SIZE (64 * KiB)
#define BZ_PREF	       0x1000000
#define BZ_INIT_SIZE   (24 * MiB)
extern struct setup_header *const bz;

/* An ELF file: the same. */
#define ELF_DATA   0x1000 /* file offset of the segment */
#define ELF_NOTE   0x200
#define ELF_GPA	   0x1000000
#define ELF_FILESZ 0x3000
#define ELF_MEMSZ  0x8000
extern Elf64_Ehdr *const eh;
extern Elf64_Phdr *const ph;

/* Whether message[] is that. */
bool one_line(void);

/* Memory as the x86 machine has it. */
void make_memory(u64 size);

/* Into the memory that is there; @cfg is mostly from config(), which names the image. */
int load_config(const struct boot_config *cfg);
struct boot_config config(void);

/* Loads the image into @size bytes of fresh memory. */
int load(u64 size);

/* It is refused, in one line that holds @words. */
void refused(u64 size, int err, const char *words);

/* A name for a file of @size bytes, sparse behind @data. */
const char *make_file(char path[64], const void *data, u64 len, u64 size, int *fd);

u32 guest_u32(u64 gpa);
u64 guest_u64(u64 gpa);
void guest_string(u64 gpa, char buf[64]);

void fill_pattern(u8 *buf, u64 len);

/* These fill image[] with an image that is right: the tests spoil it. */
void make_bzimage(void);
void make_elf(bool pvh);

/* An ELF note at byte @off of the image, its name of four bytes. */
void put_note(u64 off, u32 namesz, u32 descsz, u32 type, const char *name, u64 desc);

/* Loads with an initrd of @size bytes into @ram bytes of fresh memory. */
int load_with_initrd(u64 ram, u64 size);

/* The E820 map that the machine has to have, checked against what was written. */
void check_map(u64 gpa, unsigned int nr, unsigned int stride, u64 size);

/* The segments of a vCPU that starts, against their descriptors in guest memory. */
void check_segments(const struct kvm_sregs *sregs, bool mode64);

#endif /* LKVM_TESTS_BOOT_IMAGES_H */
