/* SPDX-License-Identifier: GPL-2.0-only */
/* Device registers and ports: one instruction an access, of the simplest form. */
#ifndef LKVM_GUEST_X86_IO_H
#define LKVM_GUEST_X86_IO_H

#include "util/types.h"

#define DEFINE_MMIO(bits, suffix)                                          \
	static inline u##bits mmio_read##bits(const volatile void *p)      \
	{                                                                  \
		u##bits val;                                               \
                                                                           \
		__asm__ volatile("mov" suffix " %1, %0"                    \
				 : "=r"(val)                               \
				 : "m"(*(const volatile u##bits *)p)       \
				 : "memory");                              \
		return val;                                                \
	}                                                                  \
	static inline void mmio_write##bits(volatile void *p, u##bits val) \
	{                                                                  \
		__asm__ volatile("mov" suffix " %1, %0"                    \
				 : "=m"(*(volatile u##bits *)p)            \
				 : "r"(val)                                \
				 : "memory");                              \
	}

DEFINE_MMIO(8, "b")
DEFINE_MMIO(16, "w")
DEFINE_MMIO(32, "l")

static inline void outb(u16 port, u8 val)
{
	__asm__ volatile("outb %0, %1" : : "a"(val), "Nd"(port) : "memory");
}

static inline u8 inb(u16 port)
{
	u8 val;

	__asm__ volatile("inb %1, %0" : "=a"(val) : "Nd"(port) : "memory");
	return val;
}

static inline void outl(u16 port, u32 val)
{
	__asm__ volatile("outl %0, %1" : : "a"(val), "Nd"(port) : "memory");
}

/* One instruction, which matters where each of them is emulated. */
static inline void fill64(void *dst, u64 val, size_t n)
{
	__asm__ volatile("rep stosq" : "+D"(dst), "+c"(n) : "a"(val) : "memory");
}

static inline void cpu_relax(void)
{
	__asm__ volatile("pause" ::: "memory");
}

static inline void cpu_sleep(void)
{
	__asm__ volatile("cli; hlt" ::: "memory");
}

#endif /* LKVM_GUEST_X86_IO_H */
