/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What real-time clocks with 64 bits of nanoseconds, or whole seconds, have in common: the time,
 * which is the host's in UTC until the guest sets it, one alarm, and its level-triggered wire.
 */
#ifndef LKVM_HW_ALARM_CLOCK_H
#define LKVM_HW_ALARM_CLOCK_H

#include <pthread.h>

#include "util/types.h"
#include "vm/loop.h"
#include "vm/vm.h"

struct alarm_clock;

/* The registers of a model, of 32 bits each. Both with clock->lock. */
struct alarm_clock_regs {
	u32 (*read)(struct alarm_clock *clock, u64 off);
	void (*write)(struct alarm_clock *clock, u64 off, u32 val);
};

struct alarm_clock {
	const struct alarm_clock_regs *regs;
	struct vm *vm;
	u32 gsi;
	struct loop_source source; /* its timer */

	pthread_mutex_t lock; /* guards what follows */
	s64 offset; /* nanoseconds that the guest's clock is ahead of the host's */
	bool armed; /* the alarm is to come, at .alarm */
	u64 alarm; /* ns since 1970 */
	bool due; /* it came, and was not cleared */
	bool enabled; /* it is to raise the wire */
	bool irq; /* the wire as we drive it */
};

/* Without alarm. -errno; to be destroyed also after that. */
int alarm_clock_init(struct alarm_clock *clock, const struct alarm_clock_regs *regs, struct vm *vm,
		     struct loop *loop, u32 gsi);
void alarm_clock_destroy(struct alarm_clock *clock);

/*
 * For bus_add(), with the clock as its opaque: a narrower access is to the low bytes of a register,
 * and of a wider one the rest reads as 0 and is not written.
 */
void alarm_clock_access(void *opaque, u64 off, void *data, unsigned int len, bool write);

/* All of these with clock->lock. Times in ns since 1970. */
u64 alarm_clock_now(const struct alarm_clock *clock);
void alarm_clock_set(struct alarm_clock *clock, u64 now);
/* Once, at that time; at once if it has passed. */
void alarm_clock_arm(struct alarm_clock *clock, u64 when);
void alarm_clock_disarm(struct alarm_clock *clock);
/* After a change of due or enabled. */
void alarm_clock_update_irq(struct alarm_clock *clock);

#endif /* LKVM_HW_ALARM_CLOCK_H */
