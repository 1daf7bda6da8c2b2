/* SPDX-License-Identifier: GPL-2.0-only */
/* The real-time clock of Android's goldfish machine: nanoseconds since 1970, and an alarm. */
#ifndef LKVM_HW_GOLDFISH_RTC_H
#define LKVM_HW_GOLDFISH_RTC_H

#include "hw/alarm-clock.h"

#define GOLDFISH_RTC_SIZE 0x1000

struct goldfish_rtc {
	struct alarm_clock clock;
	/* Guarded by clock.lock: the upper halves, which belong to an access of the lower. */
	u32 time_high; /* latched by a read of the lower half */
	u32 set_high, alarm_high; /* written before the lower half */
};

/* Registers at @base of @bus, one of @vm's. -errno; to be destroyed also after that. */
int goldfish_rtc_init(struct goldfish_rtc *rtc, struct vm *vm, struct loop *loop, struct bus *bus,
		      u64 base, u32 gsi);
void goldfish_rtc_destroy(struct goldfish_rtc *rtc);

#endif /* LKVM_HW_GOLDFISH_RTC_H */
