/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files of this directory. */
#ifndef LKVM_GUEST_X86_X86_H
#define LKVM_GUEST_X86_X86_H

#include "util/types.h"

void serial_init(void);

/* Exceptions and interrupts: loads the IDT, and sets up the local APIC. */
void irq_init(void);

/* The C side of start.S, with the PVH start info. */
void x86_start(u64 start_info) __noreturn;

/* What the trap stubs of start.S leave on the stack. */
struct trap_frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	u64 vector, error;
	u64 rip, cs, rflags, rsp, ss;
};

void x86_trap(struct trap_frame *f);

/* One stub a vector, TRAP_STUB_SIZE bytes apart. */
#define TRAP_VECTORS   48
#define TRAP_STUB_SIZE 16
extern u8 trap_stubs[];

extern u64 pml4[512];
extern u8 image_end[];

#endif /* LKVM_GUEST_X86_X86_H */
