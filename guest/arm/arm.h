/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files of this directory. */
#ifndef LKVM_GUEST_ARM_ARM_H
#define LKVM_GUEST_ARM_ARM_H

#include "util/types.h"

#define sysreg_read(reg)                                              \
	({                                                            \
		u64 sysreg_val_;                                      \
		__asm__ volatile("mrs %0, " reg : "=r"(sysreg_val_)); \
		sysreg_val_;                                          \
	})
#define sysreg_write(reg, val) __asm__ volatile("msr " reg ", %0" : : "r"((u64)(val)) : "memory")
#define isb()		       __asm__ volatile("isb" ::: "memory")
#define dsb()		       __asm__ volatile("dsb sy" ::: "memory")

/* Arm DEN 0022, PSCI 1.1: functions. */
#define PSCI_VERSION	   0x84000000
#define PSCI_SYSTEM_OFF	   0x84000008
#define PSCI_SYSTEM_RESET  0x84000009
#define PSCI_CPU_OFF	   0x84000002
#define PSCI_CPU_ON	   0xc4000003
#define PSCI_AFFINITY_INFO 0xc4000004
#define PSCI_AFFINITY_OFF  1

s64 psci(u64 function, u64 a1, u64 a2, u64 a3);

/* What a CPU has of its own: TPIDR_EL1 points to it. start.S knows the first field. */
struct cpu {
	void (*main)(void); /* what one that smp_start() starts calls */
	volatile u32 wakes;
	u32 wakes_seen; /* by smp_wait() */
};

static inline struct cpu *this_cpu(void)
{
	return (void *)(uintptr_t)sysreg_read("tpidr_el1");
}

/* The affinity fields of MPIDR_EL1, by which a CPU is known. */
#define MPIDR_AFFINITY 0xff00ffffffULL

static inline u64 own_affinity(void)
{
	return sysreg_read("mpidr_el1") & MPIDR_AFFINITY;
}

/* The C side of start.S, on the first CPU. */
void arm_start(u64 fdt) __noreturn;

/* What the vectors of start.S leave on the stack. */
struct trap_frame {
	u64 x[31];
	u64 sp;
	u64 elr, spsr;
};

/* @vector: its place in the table, 0 to 15. */
void arm_trap(struct trap_frame *f, u64 vector);

extern u8 image_start[], image_end[];
extern u8 smp_entry[];
extern u64 level0[512];

/* Interrupt numbers (INTIDs): those of CPUs, then those of wires. */
#define FIRST_PPI 16
#define FIRST_SPI 32
#define FIRST_LPI 8192
#define WAKE_SGI  1

#define IRQ_PRIORITY 0xa0

/* An interrupt controller. */
struct irqchip {
	/* False if the machine has none of this kind. */
	bool (*init)(void);
	/* This CPU's part of it. With PPI @timer, which has an INTID. */
	void (*init_cpu)(u32 timer);
	/* SPI @intid, whose number is of INTIDs, level-triggered or by edges. False: no such one.
	 */
	bool (*enable_spi)(u32 intid, bool edge);
	/* NULL: it takes no messages. */
	bool (*message)(u16 bdf, unsigned int line, u64 *addr, u32 *data);
	/* The INTID of what has come, 1020 and following if nothing has; and the end of it. */
	u32 (*ack)(void);
	void (*end)(u32 intid);
	void (*wake)(u64 affinity);
};

#define INTID_NONE 1020

extern const struct irqchip gicv2, gicv3;

void irq_init(void);

/* This CPU's part. */
void irq_init_cpu(void);

/* Interrupts of @intid count for @line from now on. */
void irq_set_line(u32 intid, unsigned int line);

/* The distributor's registers that all versions have: group, priority, trigger, enable. */
bool gicd_enable_spi(u8 *gicd, u32 intid, bool edge);

/*
 * The ITS below the GICv3 node @gic, for the redistributor @rd of this CPU. its_message() is
 * false if there is none, or it is not for function @bdf.
 */
void its_init(int gic, u8 *rd);
bool its_message(u16 bdf, unsigned int line, u64 *addr, u32 *data);

#endif /* LKVM_GUEST_ARM_ARM_H */
