/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What each architecture provides (in guest/x86, guest/arm and guest/riscv), beside io.h
 * with the functions mmio_read8() to mmio_write32(), fill64(), cpu_relax() and cpu_sleep(),
 * which sleeps until an interrupt comes that is not taken. An architecture's entry code
 * calls rt_start() once memory and the console work.
 */
#ifndef LKVM_GUEST_RT_ARCH_H
#define LKVM_GUEST_RT_ARCH_H

#include "io.h"
#include "util/types.h"

void console_write(const char *s, size_t len);

/* The next byte that has come in at the console, or -1. Each call reads a register. */
int console_read(void);

/* Ends the machine with @status, by whatever means it has. */
void machine_exit(int status) __noreturn;

/* Starts the machine anew. Comes back if it has no means to. */
void machine_reset(void);

/* Tells the pvpanic device of @event, if there is one. */
#define PVPANIC_PANICKED     BIT(0)
#define PVPANIC_CRASH_LOADED BIT(1)
void machine_pvpanic(u8 event);

/* Makes [gpa, gpa + len) reachable, for device registers and firmware tables. */
void *map_phys(u64 gpa, u64 len);

/*
 * Interrupts come in on a few lines that the guest numbers itself; each counts in
 * irq_count[]. They are taken only inside irq_wait() and irq_take().
 */
#define IRQ_LINES 8
extern volatile u32 irq_count[IRQ_LINES];

/*
 * What a line's interrupts have to be told before they are over, so that a wire that is
 * still up interrupts no more. May be NULL.
 */
extern void (*irq_handler[IRQ_LINES])(void);

/* For the architecture: there is an interrupt on @line. */
void irq_came(unsigned int line);

/*
 * Has a level-triggered wire, by its number at the interrupt controller, come in on @line.
 * False if there is no such wire.
 */
bool irq_route_wire(u32 irq, unsigned int line);

/* What such a number is, in a report: "GSI". */
extern const char wire_kind[];

/*
 * The message (address and data) by which PCI function @bdf raises @line. False if the
 * interrupt controller takes no messages from it.
 */
bool msi_message(u16 bdf, unsigned int line, u64 *addr, u32 *data);

/*
 * Exceptions, which otherwise end the guest, go here first. True: it was meant to be, and goes on
 * as the frame says, which the architecture's header lays out.
 */
struct trap_frame;
extern bool (*exception_handler)(struct trap_frame *f);

/* Sleeps until an interrupt has come: one that was pending already counts. */
void irq_wait(void);

/* Takes what is pending, without waiting. */
void irq_take(void);

/*
 * One timeout at a time, there to end a wait that would otherwise never end; it
 * also ends an irq_wait(). Starting it anew replaces the last.
 */
void timeout_start(unsigned int ms);
bool timeout_expired(void);

/* Runs guest_main() and ends the machine with what it returns. */
void rt_start(void) __noreturn;

#endif /* LKVM_GUEST_RT_ARCH_H */
