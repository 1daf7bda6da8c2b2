// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

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

static u32 reg_read(struct goldfish_rtc *rtc, u64 off)
{
	const struct alarm_clock *clock = &rtc->clock;
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

static void reg_write(struct goldfish_rtc *rtc, u64 off, u32 val)
{
	struct alarm_clock *clock = &rtc->clock;

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

static void goldfish_rtc_access(void *opaque, u64 off, void *data, unsigned int len, bool write)
{
	struct goldfish_rtc *rtc = opaque;
	unsigned int size = min(len, (unsigned int)sizeof(u32));
	u32 val = 0;

	if (write)
		memcpy(&val, data, size);
	else
		memset(data, 0, len);
	pthread_mutex_lock(&rtc->clock.lock);
	if (write)
		reg_write(rtc, off, val);
	else
		val = reg_read(rtc, off);
	pthread_mutex_unlock(&rtc->clock.lock);
	if (!write)
		memcpy(data, &val, size);
}

int goldfish_rtc_init(struct goldfish_rtc *rtc, struct vm *vm, struct loop *loop, struct bus *bus,
		      u64 base, u32 gsi)
{
	int ret = alarm_clock_init(&rtc->clock, vm, loop, gsi);

	rtc->time_high = 0;
	rtc->set_high = 0;
	rtc->alarm_high = 0;
	return ret ? ret : bus_add(bus, base, GOLDFISH_RTC_SIZE, goldfish_rtc_access, rtc);
}

void goldfish_rtc_destroy(struct goldfish_rtc *rtc)
{
	alarm_clock_destroy(&rtc->clock);
}
