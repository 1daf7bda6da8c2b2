// SPDX-License-Identifier: GPL-2.0-only
#include "rt/core.h"

#include "rt/arch.h"

/*
 * A compiler turns the plain loop of such a function into a call of that very
 * function; it cannot see through this.
 */
#define barrier() __asm__ volatile("" ::: "memory")

void *memset(void *dst, int c, size_t len)
{
	u64 fill = (u8)c * 0x0101010101010101ULL;
	u8 *d = dst;

	if (is_aligned((uintptr_t)d, 8)) {
		fill64(d, fill, len / 8);
		d += len & ~7ULL;
		len &= 7;
	}
	for (; len; len--) {
		*d++ = c;
		barrier();
	}
	return dst;
}

void *memcpy(void *dst, const void *src, size_t len)
{
	const u8 *s = src;
	u8 *d = dst;

	if (is_aligned((uintptr_t)d | (uintptr_t)s, 8)) {
		for (; len >= 8; len -= 8, d += 8, s += 8) {
			*(u64 *)d = *(const u64 *)s;
			barrier();
		}
	}
	for (; len; len--) {
		*d++ = *s++;
		barrier();
	}
	return dst;
}

void *memmove(void *dst, const void *src, size_t len)
{
	const u8 *s = src;
	u8 *d = dst;

	if (d <= s || d >= s + len)
		return memcpy(dst, src, len);
	while (len--) {
		d[len] = s[len];
		barrier();
	}
	return dst;
}

int memcmp(const void *a, const void *b, size_t len)
{
	const u8 *x = a, *y = b;

	if (is_aligned((uintptr_t)x | (uintptr_t)y, 8)) {
		while (len >= 8 && *(const u64 *)x == *(const u64 *)y) {
			x += 8;
			y += 8;
			len -= 8;
		}
	}
	for (; len; len--, x++, y++) {
		if (*x != *y)
			return *x - *y;
	}
	return 0;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (u8)*a - (u8)*b;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n]) {
		n++;
		barrier();
	}
	return n;
}

static u64 next, limit;

void mem_init(u64 start, u64 end)
{
	next = start;
	limit = end;
}

void *mem_alloc(u64 size, u64 align)
{
	u64 start = align_up(next, align);
	void *p;

	size = align_up(size, PAGE_SIZE);
	if (start > limit || size > limit - start)
		panic("out of memory: %u bytes wanted, %u left", (u32)size, (u32)(limit - next));
	next = start + size;
	p = (void *)(uintptr_t)start;
	memset(p, 0, size);
	return p;
}
