// SPDX-License-Identifier: GPL-2.0-only
/*
 * MC146818: a clock of seconds, and interrupts once a second (update), at a time of
 * day (alarm) and at a rate (periodic). One timer of the host serves all three.
 */
#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "hw/rtc.h"

enum {
	RTC_SECONDS = 0x00,
	RTC_SECONDS_ALARM = 0x01,
	RTC_MINUTES = 0x02,
	RTC_MINUTES_ALARM = 0x03,
	RTC_HOURS = 0x04,
	RTC_HOURS_ALARM = 0x05,
	RTC_WEEKDAY = 0x06,
	RTC_DAY = 0x07,
	RTC_MONTH = 0x08,
	RTC_YEAR = 0x09,
	RTC_A = 0x0a,
	RTC_B = 0x0b,
	RTC_C = 0x0c,
	RTC_D = 0x0d,
	RTC_CENTURY = 0x32,
};

#define A_32KHZ	   0x20
#define A_RATE	   0x0f
#define B_24H	   0x02
#define B_BINARY   0x04
#define B_UPDATE   0x10 /* interrupt enables, in the places of the flags in C */
#define B_ALARM	   0x20
#define B_PERIODIC 0x40
#define B_SET	   0x80
#define C_IRQ	   0x80
#define D_VALID	   0x80

#define ALARM_ANY 0xc0 /* an alarm field that matches every value */
#define HOUR_PM	  0x80

static u8 encode(const struct rtc *rtc, u8 val)
{
	return rtc->ram[RTC_B] & B_BINARY ? val : val / 10 << 4 | val % 10;
}

static u8 decode(const struct rtc *rtc, u8 val)
{
	return rtc->ram[RTC_B] & B_BINARY ? val : (val >> 4) * 10 + (val & 0xf);
}

static u8 encode_hour(const struct rtc *rtc, unsigned int hour)
{
	if (rtc->ram[RTC_B] & B_24H)
		return encode(rtc, hour);
	return encode(rtc, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? HOUR_PM : 0);
}

static unsigned int decode_hour(const struct rtc *rtc, u8 val)
{
	if (rtc->ram[RTC_B] & B_24H)
		return decode(rtc, val);
	return decode(rtc, val & ~HOUR_PM) % 12 + (val & HOUR_PM ? 12 : 0);
}

static time_t now(const struct rtc *rtc)
{
	return time(NULL) + rtc->offset;
}

/* Loads the clock into its registers, unless the guest is setting them. */
static void load_clock(struct rtc *rtc)
{
	time_t t = now(rtc);
	struct tm tm;

	if (rtc->ram[RTC_B] & B_SET)
		return;
	gmtime_r(&t, &tm);
	rtc->ram[RTC_SECONDS] = encode(rtc, tm.tm_sec);
	rtc->ram[RTC_MINUTES] = encode(rtc, tm.tm_min);
	rtc->ram[RTC_HOURS] = encode_hour(rtc, tm.tm_hour);
	rtc->ram[RTC_WEEKDAY] = encode(rtc, tm.tm_wday + 1);
	rtc->ram[RTC_DAY] = encode(rtc, tm.tm_mday);
	rtc->ram[RTC_MONTH] = encode(rtc, tm.tm_mon + 1);
	rtc->ram[RTC_YEAR] = encode(rtc, tm.tm_year % 100);
	rtc->ram[RTC_CENTURY] = encode(rtc, 19 + tm.tm_year / 100);
}

static void store_clock(struct rtc *rtc)
{
	struct tm tm = {
		.tm_sec = decode(rtc, rtc->ram[RTC_SECONDS]),
		.tm_min = decode(rtc, rtc->ram[RTC_MINUTES]),
		.tm_hour = decode_hour(rtc, rtc->ram[RTC_HOURS]),
		.tm_mday = decode(rtc, rtc->ram[RTC_DAY]),
		.tm_mon = decode(rtc, rtc->ram[RTC_MONTH]) - 1,
		.tm_year = decode(rtc, rtc->ram[RTC_CENTURY]) * 100 +
			   decode(rtc, rtc->ram[RTC_YEAR]) - 1900,
	};

	rtc->offset = timegm(&tm) - time(NULL);
}

static void update_irq(struct rtc *rtc)
{
	bool irq = rtc->ram[RTC_C] & rtc->ram[RTC_B] & (B_UPDATE | B_ALARM | B_PERIODIC);

	if (irq)
		rtc->ram[RTC_C] |= C_IRQ;
	if (irq && !rtc->irq)
		irq_wire_pulse(rtc->vm, rtc->gsi);
	rtc->irq = irq;
}

/* Nanoseconds between periodic interrupts; 0: none. */
static u64 period(const struct rtc *rtc)
{
	unsigned int rate = rtc->ram[RTC_A] & A_RATE;

	if (!(rtc->ram[RTC_B] & B_PERIODIC) || !rate)
		return 0;
	if (rate <= 2)
		rate += 7;
	return 1000000000ULL * (1U << (rate - 1)) / 32768;
}

/* Runs the timer at the pace of what is enabled, or not at all. */
static void set_timer(struct rtc *rtc)
{
	u64 ns = period(rtc);
	struct itimerspec spec = {0};

	if (!ns && (rtc->ram[RTC_B] & (B_UPDATE | B_ALARM)))
		ns = 1000000000ULL;
	spec.it_interval.tv_sec = ns / 1000000000ULL;
	spec.it_interval.tv_nsec = ns % 1000000000ULL;
	spec.it_value = spec.it_interval;
	timerfd_settime(rtc->source.fd, 0, &spec, NULL);
}

static bool alarm_field(const struct rtc *rtc, unsigned int alarm, unsigned int clock)
{
	return (rtc->ram[alarm] & ALARM_ANY) == ALARM_ANY || rtc->ram[alarm] == rtc->ram[clock];
}

static void tick(void *opaque)
{
	struct rtc *rtc = opaque;
	u8 second;
	u64 count;

	if (read(rtc->source.fd, &count, sizeof(count)) < 0)
		return;
	pthread_mutex_lock(&rtc->lock);
	second = rtc->ram[RTC_SECONDS];
	load_clock(rtc);
	if (period(rtc))
		rtc->ram[RTC_C] |= B_PERIODIC;
	if (second != rtc->ram[RTC_SECONDS] && !(rtc->ram[RTC_B] & B_SET)) {
		rtc->ram[RTC_C] |= B_UPDATE;
		if (alarm_field(rtc, RTC_SECONDS_ALARM, RTC_SECONDS) &&
		    alarm_field(rtc, RTC_MINUTES_ALARM, RTC_MINUTES) &&
		    alarm_field(rtc, RTC_HOURS_ALARM, RTC_HOURS))
			rtc->ram[RTC_C] |= B_ALARM;
	}
	update_irq(rtc);
	pthread_mutex_unlock(&rtc->lock);
}

static u8 reg_read(struct rtc *rtc)
{
	u8 val;

	if (rtc->index <= RTC_YEAR || rtc->index == RTC_CENTURY)
		load_clock(rtc);
	val = rtc->ram[rtc->index];
	if (rtc->index == RTC_C) {
		/* Reading acknowledges. */
		rtc->ram[RTC_C] = 0;
		rtc->irq = false;
	}
	return val;
}

static void reg_write(struct rtc *rtc, u8 val)
{
	u8 old = rtc->ram[rtc->index];

	switch (rtc->index) {
	case RTC_A:
		rtc->ram[RTC_A] = val & 0x7f; /* no update is ever in progress */
		set_timer(rtc);
		break;
	case RTC_B:
		/* The registers stand still from SET on, and become the time after it. */
		if ((val & B_SET) && !(old & B_SET))
			load_clock(rtc);
		rtc->ram[RTC_B] = val;
		if (!(val & B_SET) && (old & B_SET))
			store_clock(rtc);
		load_clock(rtc);
		set_timer(rtc);
		update_irq(rtc);
		break;
	case RTC_C:
	case RTC_D:
		break;
	default:
		rtc->ram[rtc->index] = val;
		if ((rtc->index <= RTC_YEAR && !(rtc->index & 1 && rtc->index < RTC_WEEKDAY)) ||
		    rtc->index == RTC_CENTURY) {
			if (!(rtc->ram[RTC_B] & B_SET))
				store_clock(rtc);
		}
		break;
	}
}

static void port_access(void *opaque, u64 off, void *data, unsigned int len, bool write)
{
	struct rtc *rtc = opaque;
	u8 *byte = data;

	if (!write)
		memset(data, 0xff, len);
	pthread_mutex_lock(&rtc->lock);
	if (off == 0 && write)
		rtc->index = *byte & 0x7f;
	else if (off == 1 && write)
		reg_write(rtc, *byte);
	else if (off == 1)
		*byte = reg_read(rtc);
	pthread_mutex_unlock(&rtc->lock);
}

int rtc_init(struct rtc *rtc, struct vm *vm, struct loop *loop, u64 port, u32 gsi)
{
	int ret;

	memset(rtc, 0, sizeof(*rtc));
	rtc->vm = vm;
	rtc->gsi = gsi;
	pthread_mutex_init(&rtc->lock, NULL);
	rtc->ram[RTC_A] = A_32KHZ | 6;
	rtc->ram[RTC_B] = B_24H;
	rtc->ram[RTC_D] = D_VALID;
	load_clock(rtc);

	rtc->source = (struct loop_source){.ready = tick, .opaque = rtc};
	rtc->source.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (rtc->source.fd < 0)
		return -errno;
	ret = loop_add(loop, &rtc->source);
	if (!ret)
		ret = bus_add(&vm->pio, port, 2, port_access, rtc);
	return ret;
}

void rtc_destroy(struct rtc *rtc)
{
	if (rtc->source.fd >= 0)
		close(rtc->source.fd);
}
