/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_UTIL_TYPES_H
#define LKVM_UTIL_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#if __STDC_HOSTED__
#include <sys/types.h>
#endif

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define container_of(ptr, type, member)                     \
	({                                                  \
		char *member_ = (char *)(ptr);              \
		(type *)(member_ - offsetof(type, member)); \
	})

#define BIT(n)	   (1U << (n))
#define BIT_ULL(n) (1ULL << (n))
/* Bits hi..lo, both included. */
#define GENMASK_ULL(hi, lo) ((~0ULL >> (63 - (hi))) & (~0ULL << (lo)))

#define KiB ((u64)1 << 10)
#define MiB ((u64)1 << 20)
#define GiB ((u64)1 << 30)

#define min(a, b)                                  \
	({                                         \
		__typeof__(a) min_a_ = (a);        \
		__typeof__(b) min_b_ = (b);        \
		min_a_ < min_b_ ? min_a_ : min_b_; \
	})
#define max(a, b)                                  \
	({                                         \
		__typeof__(a) max_a_ = (a);        \
		__typeof__(b) max_b_ = (b);        \
		max_a_ > max_b_ ? max_a_ : max_b_; \
	})

/* @align is a power of two. */
static inline u64 align_up(u64 x, u64 align)
{
	return (x + align - 1) & ~(align - 1);
}

static inline u64 align_down(u64 x, u64 align)
{
	return x & ~(align - 1);
}

static inline bool is_aligned(u64 x, u64 align)
{
	return !(x & (align - 1));
}

static inline bool is_power_of_two(u64 x)
{
	return x && !(x & (x - 1));
}

/* One access of the whole object: the other side may change it meanwhile. */
#define READ_ONCE(x)	 (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

#define __printf(fmt, args) __attribute__((format(printf, fmt, args)))
#define __noreturn	    __attribute__((noreturn))
#define __packed	    __attribute__((packed))
#define __must_check	    __attribute__((warn_unused_result))

#endif /* LKVM_UTIL_TYPES_H */
