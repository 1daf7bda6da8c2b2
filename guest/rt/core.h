/* SPDX-License-Identifier: GPL-2.0-only */
/* Printing, memory, and the counting of checks. */
#ifndef LKVM_GUEST_RT_CORE_H
#define LKVM_GUEST_RT_CORE_H

#include "util/types.h"
#include <stdarg.h>

/* Conversions: d u x c s p %, with 0, -, a width, l, ll and z. */
void print(const char *fmt, ...) __printf(1, 2);
void vprint(const char *fmt, va_list ap);

/* As print(), into @buf of @size bytes, cut off to fit with a 0 behind it. */
void format(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);

/* Prints one line and ends the machine with status 1. */
void panic(const char *fmt, ...) __printf(1, 2) __noreturn;

void *memset(void *dst, int c, size_t len);
void *memcpy(void *dst, const void *src, size_t len);
void *memmove(void *dst, const void *src, size_t len);
int memcmp(const void *a, const void *b, size_t len);
int strcmp(const char *a, const char *b);
size_t strlen(const char *s);

#define PAGE_SIZE 4096U

/* Gives [start, end) to mem_alloc(): the architecture's entry code calls it. */
void mem_init(u64 start, u64 end);

/*
 * Zeroed memory, @align a power of two of at least PAGE_SIZE. Never fails (panics)
 * and is never given back.
 */
void *mem_alloc(u64 size, u64 align);

static inline void *page_alloc(void)
{
	return mem_alloc(PAGE_SIZE, PAGE_SIZE);
}

static inline u64 gpa_of(const volatile void *p)
{
	return (u64)(uintptr_t)p;
}

/*
 * Sleeps until irq_count[@line] is no longer @count. False if no interrupt comes:
 * there is a limit so that the guest ends.
 */
bool irq_wait_line(unsigned int line, u32 count);

/*
 * A report is sections of checks, one line each:
 *	  ok    what was seen
 *	  FAIL  what was seen
 */
void section(const char *fmt, ...) __printf(1, 2);
void note(const char *fmt, ...) __printf(1, 2);

/* Counts and prints; its value is @cond, in sight of static analysis. */
#define check(cond, ...)                            \
	({                                          \
		bool check_ok_ = (cond);            \
		check_line(check_ok_, __VA_ARGS__); \
		check_ok_;                          \
	})
void check_line(bool ok, const char *fmt, ...) __printf(2, 3);

/* Prints "NAME: N checks passed, M failed"; 0 if none failed and any was made, or 1. */
int check_report(const char *name);

#endif /* LKVM_GUEST_RT_CORE_H */
