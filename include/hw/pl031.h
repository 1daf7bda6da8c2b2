/* SPDX-License-Identifier: GPL-2.0-only */
/* Arm's PrimeCell RTC, PL031 (DDI 0224): seconds, and an alarm. */
#ifndef LKVM_HW_PL031_H
#define LKVM_HW_PL031_H

#include "hw/alarm-clock.h"

#define PL031_SIZE 0x1000

struct pl031 {
	struct alarm_clock clock;
	/* Guarded by clock.lock. */
	u32 match, load; /* as they were written */
};

/* Registers at @base of @bus, one of @vm's. -errno; to be destroyed also after that. */
int pl031_init(struct pl031 *rtc, struct vm *vm, struct loop *loop, struct bus *bus, u64 base,
	       u32 gsi);
void pl031_destroy(struct pl031 *rtc);

#endif /* LKVM_HW_PL031_H */
