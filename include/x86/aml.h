/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writes ACPI Machine Language (ACPI 6.5, chapter 20) into a buffer, term by term in
 * the order of the byte stream: a function appends its opcode, and the terms that
 * follow it are appended by the next calls. So "Name (FOO, 3)" is aml_name(a, "FOO")
 * and aml_integer(a, 3).
 *
 * What has a PkgLength is opened by a function that returns a mark, and closed by
 * aml_end() with that mark; opened last is closed first.
 *
 * Nothing fails on the way: when the buffer is full, the rest is dropped and
 * aml_error() says -ENOSPC.
 */
#ifndef LKVM_X86_AML_H
#define LKVM_X86_AML_H

#include "util/types.h"

struct aml {
	u8 *buf;
	size_t size; /* of buf, in bytes */
	size_t len; /* bytes written */
	bool full; /* something did not fit; len stays where it was */
};

/* Where a PkgLength has to go. */
typedef size_t aml_mark;

void aml_init(struct aml *a, void *buf, size_t size);

/* 0, or -ENOSPC when the buffer was too small for the terms until now. */
int aml_error(const struct aml *a);

/*
 * 20.2.2. A @path is segments of one to four characters, with dots between them and a
 * leading backslash if it is absolute; the short ones are padded with '_'.
 */
void aml_name(struct aml *a, const char *path); /* DefName, without its DataRefObject */
void aml_path(struct aml *a, const char *path); /* NameString: a reference */

/* 20.2.3 data: the shortest encoding of @val, and the other constants. */
void aml_integer(struct aml *a, u64 val);
void aml_string(struct aml *a, const char *s);
void aml_eisaid(struct aml *a, const char *id); /* 19.6.37 EISAID: "PNP0A08" */
void aml_uuid(struct aml *a, const char *uuid); /* 19.6.151 ToUUID: a 16-byte buffer */

/* 20.2.5 named and statement objects that hold others. */
aml_mark aml_scope(struct aml *a, const char *path);
aml_mark aml_device(struct aml *a, const char *path);
aml_mark aml_method(struct aml *a, const char *path, unsigned int nr_args, bool serialized);
aml_mark aml_package(struct aml *a, u8 nr_elements);
aml_mark aml_if(struct aml *a); /* its predicate is the first term inside */
aml_mark aml_else(struct aml *a);
void aml_end(struct aml *a, aml_mark mark);

/*
 * 20.2.5.2: OperationRegion (@name, SystemIO, @port, @len), with a Field of one byte that
 * starts it, called @field.
 */
void aml_io_byte(struct aml *a, const char *name, u16 port, u8 len, const char *field);

/* Opcodes without a PkgLength: append one, then the operands of 20.2.5.4. */
enum aml_op {
	AML_LOCAL0 = 0x60, /* 0x60..0x67 Local0..Local7 */
	AML_ARG0 = 0x68, /* 0x68..0x6e Arg0..Arg6 */
	AML_STORE = 0x70, /* source, target */
	AML_AND = 0x7b, /* operand, operand, target */
	AML_OR = 0x7d, /* operand, operand, target */
	AML_NOTIFY = 0x86, /* object, value */
	AML_CREATE_DWORD = 0x8a, /* buffer, byte index, name */
	AML_LNOT = 0x92, /* operand */
	AML_LEQUAL = 0x93, /* operand, operand */
	AML_RETURN = 0xa4, /* value */
	AML_NULL_TARGET = 0x00, /* the result is not stored */
};

void aml_op(struct aml *a, enum aml_op op);

/*
 * A ResourceTemplate (19.6.120): a buffer of descriptors, which the aml_res functions
 * append. aml_end_resources() adds the end tag (6.4.2.9) and closes it.
 */
aml_mark aml_resources(struct aml *a);
void aml_end_resources(struct aml *a, aml_mark mark);

/* 6.4.2.5 IO(Decode16, @port, @port, 1, @len). */
void aml_res_io(struct aml *a, u16 port, u8 len);

/* 6.4.3.4 Memory32Fixed(ReadWrite, @base, @size). */
void aml_res_memory32(struct aml *a, u32 base, u32 size);

/*
 * 6.4.3.6 Interrupt(ResourceConsumer, Level, ActiveHigh, Shared) { @gsi }, or with Edge and
 * Exclusive.
 */
void aml_res_interrupt(struct aml *a, u32 gsi, bool level);

/*
 * 6.4.3.5 address spaces: [@base, @base + @size), fixed at both ends, not translated;
 * memory is read-write and not cacheable, I/O is the whole range. A producer is a
 * bridge that passes the range on. @size is not 0, and the descriptor is the smallest
 * one that holds the last address; bus numbers and I/O ports fit a word.
 */
enum aml_space {
	AML_SPACE_MEMORY = 0,
	AML_SPACE_IO = 1,
	AML_SPACE_BUS = 2,
};

void aml_res_range(struct aml *a, enum aml_space space, bool producer, u64 base, u64 size);

#endif /* LKVM_X86_AML_H */
