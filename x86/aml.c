// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>

#include "x86/aml.h"

/* ACPI 6.5, 20.2: the opcodes that only this file writes. */
#define ZERO_OP		  0x00
#define ONE_OP		  0x01
#define NAME_OP		  0x08
#define BYTE_PREFIX	  0x0a
#define WORD_PREFIX	  0x0b
#define DWORD_PREFIX	  0x0c
#define STRING_PREFIX	  0x0d
#define QWORD_PREFIX	  0x0e
#define SCOPE_OP	  0x10
#define BUFFER_OP	  0x11
#define PACKAGE_OP	  0x12
#define METHOD_OP	  0x14
#define DUAL_NAME_PREFIX  0x2e
#define MULTI_NAME_PREFIX 0x2f
#define EXT_OP_PREFIX	  0x5b
#define REGION_OP	  0x80 /* after EXT_OP_PREFIX, as the next two */
#define FIELD_OP	  0x81
#define DEVICE_OP	  0x82
#define IF_OP		  0xa0
#define ELSE_OP		  0xa1

/* 20.2.3, MethodFlags: bits 0-2 are the number of arguments. */
#define METHOD_SERIALIZED BIT(3)

/* 20.2.5.2: RegionSpace, and FieldFlags: byte accesses, no lock, the rest preserved. */
#define REGION_SYSTEM_IO  0x01
#define FIELD_BYTE_ACCESS 0x01

/* 6.4.2 and 6.4.3: the first byte of a descriptor; a small one has its length in it. */
#define RES_IO		  0x47
#define RES_END_TAG	  0x79
#define RES_MEMORY32	  0x86
#define RES_ADDRESS_DWORD 0x87
#define RES_ADDRESS_WORD  0x88
#define RES_INTERRUPT	  0x89
#define RES_ADDRESS_QWORD 0x8a

/* 6.4.3.5, General Flags. */
#define ADDRESS_CONSUMER  BIT(0)
#define ADDRESS_MIN_FIXED BIT(2)
#define ADDRESS_MAX_FIXED BIT(3)

/* 6.4.3.5.5, Type Specific Flags: read-write memory, not cacheable; all I/O ports. */
#define MEMORY_READ_WRITE BIT(0)
#define IO_ENTIRE_RANGE	  0x3

/* 6.4.3.6, Interrupt Vector Flags; active high and exclusive are zeros. */
#define INTERRUPT_CONSUMER BIT(0)
#define INTERRUPT_EDGE	   BIT(1)
#define INTERRUPT_SHARED   BIT(3)

void aml_init(struct aml *a, void *buf, size_t size)
{
	*a = (struct aml){.buf = buf, .size = size};
}

int aml_error(const struct aml *a)
{
	return a->full ? -ENOSPC : 0;
}

/* Makes room for @len bytes at @at, or returns NULL. */
static u8 *insert(struct aml *a, size_t at, size_t len)
{
	if (a->full || len > a->size - a->len) {
		a->full = true;
		return NULL;
	}
	memmove(a->buf + at + len, a->buf + at, a->len - at);
	a->len += len;
	return a->buf + at;
}

static void put(struct aml *a, const void *bytes, size_t len)
{
	u8 *p = insert(a, a->len, len);

	if (p)
		memcpy(p, bytes, len);
}

static void put8(struct aml *a, u8 val)
{
	put(a, &val, 1);
}

/* The low @len bytes of @val, the lowest first. */
static void put_le(struct aml *a, u64 val, unsigned int len)
{
	while (len--) {
		put8(a, (u8)val);
		val >>= 8;
	}
}

static size_t segment_len(const char *s)
{
	return strcspn(s, ".");
}

/* 20.2.2: NameString. */
void aml_path(struct aml *a, const char *path)
{
	unsigned int nr = 1;
	const char *s;

	if (*path == '\\') {
		put8(a, '\\');
		path++;
	}
	for (s = path; *s; s++)
		nr += *s == '.';
	if (nr == 2) {
		put8(a, DUAL_NAME_PREFIX);
	} else if (nr > 2) {
		put8(a, MULTI_NAME_PREFIX);
		put8(a, (u8)nr);
	}

	for (s = path; nr--; s += segment_len(s) + 1) {
		size_t len = segment_len(s);

		put(a, s, len);
		put(a, "____", 4 - len);
	}
}

void aml_name(struct aml *a, const char *path)
{
	put8(a, NAME_OP);
	aml_path(a, path);
}

void aml_integer(struct aml *a, u64 val)
{
	if (val <= 1) {
		put8(a, val ? ONE_OP : ZERO_OP);
	} else if (val <= UINT8_MAX) {
		put8(a, BYTE_PREFIX);
		put_le(a, val, 1);
	} else if (val <= UINT16_MAX) {
		put8(a, WORD_PREFIX);
		put_le(a, val, 2);
	} else if (val <= UINT32_MAX) {
		put8(a, DWORD_PREFIX);
		put_le(a, val, 4);
	} else {
		put8(a, QWORD_PREFIX);
		put_le(a, val, 8);
	}
}

void aml_string(struct aml *a, const char *s)
{
	put8(a, STRING_PREFIX);
	put(a, s, strlen(s) + 1);
}

static u8 hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return (u8)(c - '0');
	return (u8)((c | 0x20) - 'a' + 10);
}

/* Three letters of five bits each and four digits, the highest byte first. */
void aml_eisaid(struct aml *a, const char *id)
{
	u32 val = 0;
	unsigned int i;

	for (i = 0; i < 3; i++)
		val = val << 5 | (u32)(id[i] - '@');
	for (; i < 7; i++)
		val = val << 4 | hex_digit(id[i]);
	put8(a, DWORD_PREFIX);
	put_le(a, __builtin_bswap32(val), 4);
}

/* The first three groups are numbers, lowest byte first; the others are byte strings. */
void aml_uuid(struct aml *a, const char *uuid)
{
	static const u8 order[16] = {6, 4, 2, 0, 11, 9, 16, 14, 19, 21, 24, 26, 28, 30, 32, 34};
	unsigned int i;
	aml_mark mark;

	put8(a, BUFFER_OP);
	mark = a->len;
	aml_integer(a, sizeof(order));
	for (i = 0; i < ARRAY_SIZE(order); i++) {
		const char *s = uuid + order[i];

		put8(a, (u8)(hex_digit(s[0]) << 4 | hex_digit(s[1])));
	}
	aml_end(a, mark);
}

static aml_mark begin(struct aml *a, u8 op)
{
	put8(a, op);
	return a->len;
}

aml_mark aml_scope(struct aml *a, const char *path)
{
	aml_mark mark = begin(a, SCOPE_OP);

	aml_path(a, path);
	return mark;
}

aml_mark aml_device(struct aml *a, const char *path)
{
	aml_mark mark;

	put8(a, EXT_OP_PREFIX);
	mark = begin(a, DEVICE_OP);
	aml_path(a, path);
	return mark;
}

aml_mark aml_method(struct aml *a, const char *path, unsigned int nr_args, bool serialized)
{
	aml_mark mark = begin(a, METHOD_OP);

	aml_path(a, path);
	put8(a, (u8)(nr_args | (serialized ? METHOD_SERIALIZED : 0)));
	return mark;
}

aml_mark aml_package(struct aml *a, u8 nr_elements)
{
	aml_mark mark = begin(a, PACKAGE_OP);

	put8(a, nr_elements);
	return mark;
}

aml_mark aml_if(struct aml *a)
{
	return begin(a, IF_OP);
}

aml_mark aml_else(struct aml *a)
{
	return begin(a, ELSE_OP);
}

/*
 * 20.2.4: PkgLength counts itself. With one byte it is six bits; with more, the first
 * has the low four bits and says in its top two how many follow.
 */
void aml_end(struct aml *a, aml_mark mark)
{
	size_t len = a->len - mark;
	unsigned int nr, i;
	u8 *p;

	for (nr = 1; nr < 4; nr++) {
		if (len + nr < 1U << (nr == 1 ? 6 : 8 * nr - 4))
			break;
	}
	len += nr;

	p = insert(a, mark, nr);
	if (!p)
		return;
	if (nr == 1) {
		p[0] = (u8)len;
		return;
	}
	p[0] = (u8)((nr - 1) << 6 | (len & 0xf));
	for (i = 1; i < nr; i++)
		p[i] = (u8)(len >> (8 * i - 4));
}

void aml_io_byte(struct aml *a, const char *name, u16 port, u8 len, const char *field)
{
	aml_mark mark;

	put8(a, EXT_OP_PREFIX);
	put8(a, REGION_OP);
	aml_path(a, name);
	put8(a, REGION_SYSTEM_IO);
	aml_integer(a, port);
	aml_integer(a, len);

	put8(a, EXT_OP_PREFIX);
	mark = begin(a, FIELD_OP);
	aml_path(a, name);
	put8(a, FIELD_BYTE_ACCESS);
	aml_path(a, field);
	put8(a, 8); /* bits, as a PkgLength */
	aml_end(a, mark);
}

void aml_op(struct aml *a, enum aml_op op)
{
	put8(a, (u8)op);
}

aml_mark aml_resources(struct aml *a)
{
	return begin(a, BUFFER_OP);
}

void aml_end_resources(struct aml *a, aml_mark mark)
{
	struct aml size;
	u8 bytes[9];
	u8 *p;

	put8(a, RES_END_TAG);
	put8(a, 0); /* a checksum of 0 counts as right */

	/* The BufferSize is known only now and goes before the descriptors. */
	aml_init(&size, bytes, sizeof(bytes));
	aml_integer(&size, a->len - mark);
	p = insert(a, mark, size.len);
	if (p)
		memcpy(p, bytes, size.len);
	aml_end(a, mark);
}

void aml_res_io(struct aml *a, u16 port, u8 len)
{
	put8(a, RES_IO);
	put8(a, 1); /* decodes 16 bits */
	put_le(a, port, 2);
	put_le(a, port, 2);
	put8(a, 1); /* alignment */
	put8(a, len);
}

void aml_res_memory32(struct aml *a, u32 base, u32 size)
{
	put8(a, RES_MEMORY32);
	put_le(a, 9, 2);
	put8(a, MEMORY_READ_WRITE);
	put_le(a, base, 4);
	put_le(a, size, 4);
}

void aml_res_interrupt(struct aml *a, u32 gsi, bool level)
{
	put8(a, RES_INTERRUPT);
	put_le(a, 6, 2);
	put8(a, INTERRUPT_CONSUMER | (level ? INTERRUPT_SHARED : INTERRUPT_EDGE));
	put8(a, 1); /* one interrupt */
	put_le(a, gsi, 4);
}

void aml_res_range(struct aml *a, enum aml_space space, bool producer, u64 base, u64 size)
{
	static const u8 type_flags[] = {
		[AML_SPACE_MEMORY] = MEMORY_READ_WRITE,
		[AML_SPACE_IO] = IO_ENTIRE_RANGE,
		[AML_SPACE_BUS] = 0,
	};
	u64 last = base + size - 1;
	unsigned int width;
	u8 descriptor;

	/* 6.4.3.5.3: a word descriptor cannot be memory. */
	if (space != AML_SPACE_MEMORY) {
		width = 2;
		descriptor = RES_ADDRESS_WORD;
	} else if (last <= UINT32_MAX) {
		width = 4;
		descriptor = RES_ADDRESS_DWORD;
	} else {
		width = 8;
		descriptor = RES_ADDRESS_QWORD;
	}

	put8(a, descriptor);
	put_le(a, 3 + 5 * width, 2);
	put8(a, (u8)space);
	put8(a, (u8)(ADDRESS_MIN_FIXED | ADDRESS_MAX_FIXED | (producer ? 0 : ADDRESS_CONSUMER)));
	put8(a, type_flags[space]);
	put_le(a, 0, width); /* granularity */
	put_le(a, base, width);
	put_le(a, last, width);
	put_le(a, 0, width); /* translation offset */
	put_le(a, size, width);
}
