// SPDX-License-Identifier: GPL-2.0-only
/*
 * Between libFuzzer and a target: takes the place of unit.c, whose checks end the program here,
 * and of util/log.c, since hostile input makes many messages.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "util/log.h"

static const u8 *input;
static size_t left;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

__attribute__((weak)) void fuzz_begin(void)
{
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_begin();
	return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	input = data;
	left = size;
	fuzz_one();
	return 0;
}

bool fuzz_more(void)
{
	return left;
}

void fuzz_take(void *buf, size_t len)
{
	size_t n = min(len, left);

	memset(buf, 0, len);
	if (n)
		memcpy(buf, input, n);
	input += n;
	left -= n;
}

const u8 *fuzz_rest(size_t *len)
{
	const u8 *rest = input;

	*len = left;
	input += left;
	left = 0;
	return rest;
}

u64 fuzz_int(unsigned int size)
{
	u8 bytes[8] = {0};
	u64 val = 0;

	fuzz_take(bytes, size);
	for (int i = 7; i >= 0; i--)
		val = val << 8 | bytes[i];
	return val;
}

bool fuzz_bool(void)
{
	return fuzz_int(1) & 1;
}

u64 fuzz_number(void)
{
	u8 how = fuzz_int(1);

	switch (how >> 6) {
	case 0:
		return how & 0x3f;
	case 1:
		return BIT_ULL(how & 0x3f) - 1 + unit_below(3);
	case 2:
		return fuzz_int(how & 7) << (how >> 3 & 7) * 4;
	default:
		return ~0ULL - (how & 0x3f);
	}
}

void fuzz_change(u8 *file, u64 *size, u64 head)
{
	while (fuzz_more()) {
		u8 how = fuzz_int(1);
		u64 at = fuzz_int(2), val = how & 8 ? fuzz_number() : fuzz_int(8);

		at %= how & 16 ? *size : min(*size, head);
		memcpy(file + at, &val, min((u64)(how & 7) + 1, *size - at));
		if (how >= 0xf0)
			*size = 1 + fuzz_int(2) % *size;
	}
}

u64 unit_rand(void)
{
	return fuzz_int(8);
}

u64 unit_below(u64 n)
{
	unsigned int size = 1;

	while (size < 8 && (n - 1) >> 8 * size)
		size++;
	return fuzz_int(size) % n;
}

void unit_failed(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: not true: %s\n", file, line, what);
	abort();
}

void unit_failed_eq(const char *file, int line, const char *what, __int128 a, __int128 b)
{
	fprintf(stderr, "left  0x%" PRIx64 "\nright 0x%" PRIx64 "\n", (u64)a, (u64)b);
	unit_failed(file, line, what);
}

bool unit_check_str_eq(const char *file, int line, const char *what, const char *a, const char *b)
{
	if (a != b && (!a || !b || strcmp(a, b) != 0))
		unit_failed(file, line, what);
	return true;
}

/* Formats it, which reads all that it is about. */
static void forget(const char *fmt, va_list args) __printf(1, 0);

static void forget(const char *fmt, va_list args)
{
	char line[8 * KiB];

	vsnprintf(line, sizeof(line), fmt, args);
}

void pr_err(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	forget(fmt, args);
	va_end(args);
}

void pr_warn(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	forget(fmt, args);
	va_end(args);
}

void pr_info(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	forget(fmt, args);
	va_end(args);
}

void log_set_quiet(bool on)
{
	(void)on;
}

void log_set_raw_tty(bool raw)
{
	(void)raw;
}

void log_set_stop_fd(int fd)
{
	(void)fd;
}

void log_never_wait(bool on)
{
	(void)on;
}
