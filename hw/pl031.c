// SPDX-License-Identifier: GPL-2.0-only
#include "hw/pl031.h"

/* Registers, section 3.2; each has 32 bits. */
enum {
	RTC_DR = 0x00,
	RTC_MR = 0x04,
	RTC_LR = 0x08,
	RTC_CR = 0x0c,
	RTC_IMSC = 0x10,
	RTC_RIS = 0x14,
	RTC_MIS = 0x18,
	RTC_ICR = 0x1c,
	RTC_ID = 0xfe0, /* eight registers of 8 bits: peripheral, then PrimeCell */
};

#define CR_START BIT(0) /* always on: once set, only a reset clears it */
#define INTR	 BIT(0)

#define NS_PER_SECOND 1000000000ULL

static const u8 ids[] = {0x31, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

static u32 seconds(const struct pl031 *rtc)
{
	return alarm_clock_now(&rtc->clock) / NS_PER_SECOND;
}

/* The alarm is when 32 bits of seconds are the match register: once in 136 years. */
static void set_alarm(struct pl031 *rtc)
{
	u64 now = alarm_clock_now(&rtc->clock) / NS_PER_SECOND;

	alarm_clock_arm(&rtc->clock, (now + (u32)(rtc->match - (u32)now)) * NS_PER_SECOND);
}

static u32 reg_read(struct alarm_clock *clock, u64 off)
{
	struct pl031 *rtc = container_of(clock, struct pl031, clock);

	if (off >= RTC_ID && (off - RTC_ID) / 4 < ARRAY_SIZE(ids))
		return ids[(off - RTC_ID) / 4];
	switch (off) {
	case RTC_DR:
		return seconds(rtc);
	case RTC_MR:
		return rtc->match;
	case RTC_LR:
		return rtc->load;
	case RTC_CR:
		return CR_START;
	case RTC_IMSC:
		return clock->enabled ? INTR : 0;
	case RTC_RIS:
		return clock->due ? INTR : 0;
	case RTC_MIS:
		return clock->due && clock->enabled ? INTR : 0;
	}
	return 0;
}

static void reg_write(struct alarm_clock *clock, u64 off, u32 val)
{
	struct pl031 *rtc = container_of(clock, struct pl031, clock);

	switch (off) {
	case RTC_MR:
		rtc->match = val;
		set_alarm(rtc);
		break;
	case RTC_LR:
		rtc->load = val;
		alarm_clock_disarm(clock);
		alarm_clock_set(clock, val * NS_PER_SECOND);
		set_alarm(rtc);
		break;
	case RTC_IMSC:
		clock->enabled = val & INTR;
		alarm_clock_update_irq(clock);
		break;
	case RTC_ICR:
		if (val & INTR)
			clock->due = false;
		alarm_clock_update_irq(clock);
		break;
	}
}

static const struct alarm_clock_regs regs = {.read = reg_read, .write = reg_write};

int pl031_init(struct pl031 *rtc, struct vm *vm, struct loop *loop, struct bus *bus, u64 base,
	       u32 gsi)
{
	int ret = alarm_clock_init(&rtc->clock, &regs, vm, loop, gsi);

	rtc->match = 0;
	rtc->load = 0;
	return ret ? ret : bus_add(bus, base, PL031_SIZE, alarm_clock_access, &rtc->clock);
}

void pl031_destroy(struct pl031 *rtc)
{
	alarm_clock_destroy(&rtc->clock);
}
