/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Device registers: one instruction an access. What memory holds is there for the device before
 * a write to it, and what it has written before a read is there after that.
 */
#ifndef LKVM_GUEST_RISCV_IO_H
#define LKVM_GUEST_RISCV_IO_H

#include "util/types.h"

#define DEFINE_MMIO(bits, load, store)                                                           \
	static inline u##bits mmio_read##bits(const volatile void *p)                            \
	{                                                                                        \
		u64 val;                                                                         \
                                                                                                 \
		__asm__ volatile(load " %0, 0(%1); fence i, r" : "=r"(val) : "r"(p) : "memory"); \
		return val;                                                                      \
	}                                                                                        \
	static inline void mmio_write##bits(volatile void *p, u##bits val)                       \
	{                                                                                        \
		__asm__ volatile("fence w, o; " store " %1, 0(%0)"                               \
				 :                                                               \
				 : "r"(p), "r"((u64)val)                                         \
				 : "memory");                                                    \
	}

DEFINE_MMIO(8, "lbu", "sb")
DEFINE_MMIO(16, "lhu", "sh")
DEFINE_MMIO(32, "lwu", "sw")

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
	__asm__ volatile("nop" ::: "memory");
}

static inline void cpu_sleep(void)
{
	__asm__ volatile("wfi" ::: "memory");
}

#endif /* LKVM_GUEST_RISCV_IO_H */
