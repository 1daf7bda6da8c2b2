/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Device registers: one instruction an access, of a form that a hypervisor is told all of. What
 * memory holds is there for the device before a write to it, and what it has written before a
 * read is there after that.
 */
#ifndef LKVM_GUEST_ARM_IO_H
#define LKVM_GUEST_ARM_IO_H

#include "util/types.h"

#define DEFINE_MMIO(bits, load, store, size)                               \
	static inline u##bits mmio_read##bits(const volatile void *p)      \
	{                                                                  \
		u##bits val;                                               \
                                                                           \
		__asm__ volatile(load " %" size "0, [%1]; dmb oshld"       \
				 : "=r"(val)                               \
				 : "r"(p)                                  \
				 : "memory");                              \
		return val;                                                \
	}                                                                  \
	static inline void mmio_write##bits(volatile void *p, u##bits val) \
	{                                                                  \
		__asm__ volatile("dmb oshst; " store " %" size "1, [%0]"   \
				 :                                         \
				 : "r"(p), "r"(val)                        \
				 : "memory");                              \
	}

DEFINE_MMIO(8, "ldrb", "strb", "w")
DEFINE_MMIO(16, "ldrh", "strh", "w")
DEFINE_MMIO(32, "ldr", "str", "w")
DEFINE_MMIO(64, "ldr", "str", "x")

static inline void fill64(void *dst, u64 val, size_t n)
{
	u64 *p = dst;

	while (n--) {
		*p++ = val;
		__asm__ volatile("" ::: "memory");
	}
}

static inline void cpu_relax(void)
{
	__asm__ volatile("yield" ::: "memory");
}

static inline void cpu_sleep(void)
{
	__asm__ volatile("wfi" ::: "memory");
}

#endif /* LKVM_GUEST_ARM_IO_H */
