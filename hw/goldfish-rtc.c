// SPDX-License-Identifier: GPL-2.0-only
#include "hw/goldfish-rtc.h"

/* Registers of 32 bits each. */
enum {
	TIMER_TIME_LOW = 0x00,
	TIMER_TIME_HIGH = 0x04,
	TIMER_ALARM_LOW = 0x08,
	TIMER_ALARM_HIGH = 0x0c,
	TIMER_IRQ_ENABLED = 0x10,
	TIMER_CLEAR_ALARM = 0x14,
	TIMER_ALARM_STATUS = 0x18,
	TIMER_CLEAR_INTERRUPT = 0x1c,
};

static u32 reg_read(struct alarm_clock *clock, u64 off)
{
	struct goldfish_rtc *rtc = container_of(clock, struct goldfish_rtc, clock);
	u64 now;

	switch (off) {
	case TIMER_TIME_LOW:
		now = alarm_clock_now(clock);
		rtc->time_high = now >> 32;
		return now;
	case TIMER_TIME_HIGH:
		return rtc->time_high;
	case TIMER_ALARM_LOW:
		return clock->alarm;
	case TIMER_ALARM_HIGH:
		return clock->alarm >> 32;
	case TIMER_IRQ_ENABLED:
		return clock->enabled;
	case TIMER_ALARM_STATUS:
		return clock->armed;
	}
	return 0;
}

static void reg_write(struct alarm_clock *clock, u64 off, u32 val)
{
	struct goldfish_rtc *rtc = container_of(clock, struct goldfish_rtc, clock);

	switch (off) {
	case TIMER_TIME_LOW:
		alarm_clock_set(clock, (u64)rtc->set_high << 32 | val);
		break;
	case TIMER_TIME_HIGH:
		rtc->set_high = val;
		break;
	case TIMER_ALARM_LOW:
		alarm_clock_arm(clock, (u64)rtc->alarm_high << 32 | val);
		break;
	case TIMER_ALARM_HIGH:
		rtc->alarm_high = val;
		break;
	case TIMER_IRQ_ENABLED:
		clock->enabled = val & 1;
		alarm_clock_update_irq(clock);
		break;
	case TIMER_CLEAR_ALARM:
		alarm_clock_disarm(clock);
		break;
	case TIMER_CLEAR_INTERRUPT:
		clock->due = false;
		alarm_clock_update_irq(clock);
		break;
	}
}

static const struct alarm_clock_regs regs = {.read = reg_read, .write = reg_write};

int goldfish_rtc_init(struct goldfish_rtc *rtc, struct vm *vm, struct loop *loop, struct bus *bus,
		      u64 base, u32 gsi)
{
	int ret = alarm_clock_init(&rtc->clock, &regs, vm, loop, gsi);

	rtc->time_high = 0;
	rtc->set_high = 0;
	rtc->alarm_high = 0;
	return ret ? ret : bus_add(bus, base, GOLDFISH_RTC_SIZE, alarm_clock_access, &rtc->clock);
}

void goldfish_rtc_destroy(struct goldfish_rtc *rtc)
{
	alarm_clock_destroy(&rtc->clock);
}
