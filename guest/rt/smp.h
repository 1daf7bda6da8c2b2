/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Other CPUs than the first, for guests that name smp.o of their architecture's folder as a
 * part. A CPU's ID is what starts it: an APIC ID, the affinity of an MPIDR, a hart ID.
 */
#ifndef LKVM_GUEST_RT_SMP_H
#define LKVM_GUEST_RT_SMP_H

#include "util/types.h"

#define SMP_MAX_CPUS 512
#define SMP_NO_ID    (~0ULL)

/* The IDs of all CPUs in the firmware's tables but this one, at most @max; how many. */
unsigned int smp_list(u64 *ids, unsigned int max);

/* This CPU's own; SMP_NO_ID if it says so in one place and so in another. */
u64 smp_self(void);

/* One check that the architecture has to make of a machine with @nr CPUs. */
void smp_check(unsigned int nr);

/* What is needed before the first start. */
void smp_prepare(void);

/* Has a CPU call smp_main(), on a stack of its own. False if it cannot be started. */
bool smp_start(u64 id);

/* Sleeps until this CPU has been interrupted by smp_wake(); one at a time. */
void smp_wait(void);
void smp_wake(u64 id);

/*
 * Turns this CPU off, to be started again. Comes back if that cannot be, which smp_can_stop()
 * knows before. smp_is_off() asks it of another CPU.
 */
bool smp_can_stop(void);
void smp_stop(void);
bool smp_is_off(u64 id);

/* Each guest that starts CPUs defines it: @id is the CPU's own, as smp_self() says. */
void smp_main(u64 id) __noreturn;

#endif /* LKVM_GUEST_RT_SMP_H */
