/* SPDX-License-Identifier: GPL-2.0-only */
/* The PLIC's registers, as its driver uses them. */
#ifndef LKVM_TESTS_PLIC_GUEST_H
#define LKVM_TESTS_PLIC_GUEST_H

#include "riscv/plic.h"

#define PENDING	  0x001000ULL
#define ENABLE	  0x002000ULL
#define CONTEXT	  0x200000ULL
#define THRESHOLD 0
#define CLAIM	  4

static inline u32 plic_get(struct plic *plic, u64 off)
{
	u32 val = 0xdeadbeef;

	plic_access(plic, off, &val, sizeof(val), false);
	return val;
}

static inline void plic_set(struct plic *plic, u64 off, u32 val)
{
	plic_access(plic, off, &val, sizeof(val), true);
}

#endif /* LKVM_TESTS_PLIC_GUEST_H */
