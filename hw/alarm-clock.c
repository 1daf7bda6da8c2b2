// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "hw/alarm-clock.h"

#define NS_PER_SECOND 1000000000ULL

/* A year. */
#define MAX_DELAY ((u64)365 * 24 * 3600 * NS_PER_SECOND)

static u64 host_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * NS_PER_SECOND + ts.tv_nsec;
}

u64 alarm_clock_now(const struct alarm_clock *clock)
{
	return host_now() + clock->offset;
}

void alarm_clock_update_irq(struct alarm_clock *clock)
{
	bool irq = clock->due && clock->enabled;

	if (irq == clock->irq)
		return;
	clock->irq = irq;
	irq_wire_set(clock->vm, clock->gsi, irq);
}

/*
 * Sets the timer to the alarm, in the host's time, so that a host whose clock is set takes the
 * alarm with it. An alarm that is further away than a timer goes is looked at again then.
 */
static void set_timer(struct alarm_clock *clock)
{
	u64 now = host_now(), guest_now = now + clock->offset;
	struct itimerspec spec = {0};

	if (clock->armed && clock->alarm <= guest_now) {
		clock->armed = false;
		clock->due = true;
		alarm_clock_update_irq(clock);
	}
	if (clock->armed) {
		now += min(clock->alarm - guest_now, MAX_DELAY);
		spec.it_value.tv_sec = now / NS_PER_SECOND;
		spec.it_value.tv_nsec = now % NS_PER_SECOND;
	}
	timerfd_settime(clock->source.fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &spec, NULL);
}

void alarm_clock_set(struct alarm_clock *clock, u64 now)
{
	clock->offset = now - host_now();
	set_timer(clock);
}

void alarm_clock_arm(struct alarm_clock *clock, u64 when)
{
	clock->armed = true;
	clock->alarm = when;
	set_timer(clock);
}

void alarm_clock_disarm(struct alarm_clock *clock)
{
	clock->armed = false;
	set_timer(clock);
}

/* The timer fired, or the host's clock was set: then read() fails with ECANCELED. */
static void timer_ready(void *opaque)
{
	struct alarm_clock *clock = opaque;
	u64 count;

	if (read(clock->source.fd, &count, sizeof(count)) < 0 && errno != ECANCELED)
		return;
	pthread_mutex_lock(&clock->lock);
	set_timer(clock);
	pthread_mutex_unlock(&clock->lock);
}

void alarm_clock_access(void *opaque, u64 off, void *data, unsigned int len, bool write)
{
	struct alarm_clock *clock = opaque;
	unsigned int size = min(len, (unsigned int)sizeof(u32));
	u32 val = 0;

	if (write)
		memcpy(&val, data, size);
	else
		memset(data, 0, len);
	pthread_mutex_lock(&clock->lock);
	if (write)
		clock->regs->write(clock, off, val);
	else
		val = clock->regs->read(clock, off);
	pthread_mutex_unlock(&clock->lock);
	if (!write)
		memcpy(data, &val, size);
}

int alarm_clock_init(struct alarm_clock *clock, const struct alarm_clock_regs *regs, struct vm *vm,
		     struct loop *loop, u32 gsi)
{
	memset(clock, 0, sizeof(*clock));
	clock->regs = regs;
	clock->vm = vm;
	clock->gsi = gsi;
	pthread_mutex_init(&clock->lock, NULL);
	clock->source = (struct loop_source){.ready = timer_ready, .opaque = clock};
	clock->source.fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	return clock->source.fd < 0 ? -errno : loop_add(loop, &clock->source);
}

void alarm_clock_destroy(struct alarm_clock *clock)
{
	if (clock->source.fd >= 0)
		close(clock->source.fd);
}
