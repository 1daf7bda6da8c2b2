/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files of this directory. */
#ifndef LKVM_GUEST_RISCV_RISCV_H
#define LKVM_GUEST_RISCV_RISCV_H

#include "util/types.h"

/* The numbers of CSRs that assemblers need not know (AIA specification, chapter 2). */
#define CSR_SISELECT "0x150"
#define CSR_SIREG    "0x151"
#define CSR_STOPEI   "0x15c"

#define csr_write(csr, val) __asm__ volatile("csrw " csr ", %0" : : "r"((u64)(val)) : "memory")
#define csr_set(csr, val)   __asm__ volatile("csrs " csr ", %0" : : "r"((u64)(val)) : "memory")
#define csr_clear(csr, val) __asm__ volatile("csrc " csr ", %0" : : "r"((u64)(val)) : "memory")

/* Interrupts, in sie, sip and scause. */
#define IRQ_SOFTWARE 1
#define IRQ_TIMER    5
#define IRQ_EXTERNAL 9

/* SBI specification 2.0: extensions, and functions of each. */
#define SBI_BASE	 0x10
#define SBI_BASE_PROBE	 3
#define SBI_TIME	 0x54494d45
#define SBI_TIME_SET	 0
#define SBI_IPI		 0x735049
#define SBI_IPI_SEND	 0
#define SBI_HSM		 0x48534d
#define SBI_HSM_START	 0
#define SBI_HSM_STOP	 1
#define SBI_HSM_STATUS	 2
#define SBI_HSM_STOPPED	 1
#define SBI_SRST	 0x53525354
#define SBI_SRST_RESET	 0
#define SBI_SRST_OFF	 0
#define SBI_SRST_COLD	 1
#define SBI_SRST_NORMAL	 0
#define SBI_SRST_FAILURE 1

struct sbi_ret {
	s64 error;
	s64 value;
};

struct sbi_ret sbi(u64 extension, u64 function, u64 a0, u64 a1, u64 a2);

/* What a hart has of its own: tp points to it. start.S knows the first two fields. */
struct hart {
	u64 id;
	void (*main)(struct hart *self); /* what one that smp_start() starts calls */
	volatile u32 wakes;
	u32 wakes_seen; /* by smp_wait() */
};

static inline struct hart *this_hart(void)
{
	struct hart *h;

	__asm__ volatile("mv %0, tp" : "=r"(h));
	return h;
}

/* The C side of start.S, on the first hart. */
void riscv_start(u64 hart, u64 fdt) __noreturn;

/* What the trap entry of start.S leaves on the stack. */
struct trap_frame {
	u64 x[32]; /* x[0] is not used */
	u64 sepc;
};

void riscv_trap(struct trap_frame *f);

extern u8 image_start[], image_end[];
extern u8 smp_entry[], trap_entry[];

/* An interrupt controller. */
struct irqchip {
	/* False if the machine has none of this kind for @intc, the hart's own controller. */
	bool (*init)(u32 intc);
	bool (*route_wire)(u32 irq, unsigned int line);
	/* NULL: it takes no messages. */
	bool (*message)(unsigned int line, u64 *addr, u32 *data);
	/* Takes all that has come. */
	void (*take)(void);
};

extern const struct irqchip aia, plic;

void irq_init(void);

/*
 * In "interrupts-extended" of @node, the place of the external interrupt of supervisor mode of
 * the hart whose controller is @intc; -1.
 */
int irq_context(int node, u32 intc);

#endif /* LKVM_GUEST_RISCV_RISCV_H */
