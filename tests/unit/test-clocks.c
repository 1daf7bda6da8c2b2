// SPDX-License-Identifier: GPL-2.0-only
/* The real-time clocks that arm64 and riscv64 have: time, alarm, wire. */
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "fake-kvm.h"
#include "hw/goldfish-rtc.h"
#include "hw/pl031.h"
#include "unit.h"

#define BASE 0x10000
#define GSI  3

#define NS_PER_SECOND 1000000000ULL

/* 2100, as nobody's clock is now. */
#define FAR 4102444800U

static struct vm vm;
static struct loop loop;
static struct pl031 pl031;
static struct goldfish_rtc goldfish;

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	return fake_kvm_ioctl(fd, request, arg);
}

static void start(void)
{
	fake_kvm_start(&vm, MiB);
	if (loop_init(&loop))
		exit(2);
}

static void end(void)
{
	loop_destroy(&loop);
	fake_kvm_end(&vm);
}

static u32 get(u64 reg)
{
	u32 val = ~0U;

	bus_access(&vm.mmio, BASE + reg, &val, sizeof(val), false);
	return val;
}

static void put(u64 reg, u32 val)
{
	bus_access(&vm.mmio, BASE + reg, &val, sizeof(val), true);
}

/* Between two looks at the host's clock. */
#define CHECK_NOW(expr, unit)                                \
	do {                                                 \
		u64 before_ = time(NULL) * (unit);           \
		u64 now_ = (expr);                           \
		u64 after_ = (time(NULL) + 1) * (u64)(unit); \
		CHECK(now_ >= before_ && now_ <= after_);    \
	} while (0)

static u64 goldfish_now(void)
{
	u64 low = get(0);

	return (u64)get(4) << 32 | low;
}

static void goldfish_put64(u64 low, u64 val)
{
	put(low + 4, val >> 32);
	put(low, val);
}

/* Until the wire is up: what comes in between is a timer that looks again. */
static void wait_for_wire(struct loop_source *source)
{
	for (int i = 0; !fake_kvm_wire(GSI) && i < 100; i++) {
		struct timespec ms = {.tv_nsec = 1000000};

		source->ready(source->opaque);
		if (!fake_kvm_wire(GSI))
			nanosleep(&ms, NULL);
	}
	CHECK(fake_kvm_wire(GSI));
}

static bool is_ready(const struct loop_source *source)
{
	struct pollfd fd = {.fd = source->fd, .events = POLLIN};

	return poll(&fd, 1, 0) != 0;
}

TEST(pl031)
{
	static const u8 ids[] = {0x31, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

	start();
	CHECK_EQ(pl031_init(&pl031, &vm, &loop, &vm.mmio, BASE, GSI), 0);
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		CHECK_EQ(get(0xfe0 + 4 * i), ids[i]);
	CHECK_NOW(get(0x00), 1);
	CHECK_EQ(get(0x0c), 1);

	/* Set, and an alarm at the time that it is. */
	put(0x08, FAR);
	CHECK(get(0x00) >= FAR && get(0x00) <= FAR + 5);
	CHECK_EQ(get(0x08), FAR);
	CHECK_EQ(get(0x14), 0);
	put(0x04, get(0x00) + 100);
	CHECK_EQ(get(0x14), 0);
	put(0x08, get(0x04));
	CHECK_EQ(get(0x14), 1);
	CHECK_EQ(get(0x18), 0);
	CHECK(!fake_kvm_wire(GSI));
	put(0x10, 1);
	CHECK_EQ(get(0x18), 1);
	CHECK(fake_kvm_wire(GSI));
	put(0x1c, 1);
	CHECK_EQ(get(0x14), 0);
	CHECK(!fake_kvm_wire(GSI));

	/* Seconds wrap after 32 bits. */
	put(0x08, ~0U);
	put(0x04, ~0U - 1);
	CHECK_EQ(get(0x14), 0);
	CHECK(!fake_kvm_wire(GSI));
	pl031_destroy(&pl031);
	end();
}

TEST(goldfish)
{
	u64 now;

	start();
	CHECK_EQ(goldfish_rtc_init(&goldfish, &vm, &loop, &vm.mmio, BASE, GSI), 0);
	CHECK_NOW(goldfish_now(), NS_PER_SECOND);

	goldfish_put64(0x00, FAR * NS_PER_SECOND);
	now = goldfish_now();
	CHECK(now >= FAR * NS_PER_SECOND && now < (FAR + 5) * NS_PER_SECOND);

	/* One that has passed. */
	goldfish_put64(0x08, now);
	CHECK(!fake_kvm_wire(GSI));
	put(0x10, 1);
	CHECK(fake_kvm_wire(GSI));
	CHECK_EQ(get(0x18), 0);
	put(0x1c, 1);
	CHECK(!fake_kvm_wire(GSI));

	/* One that comes, by the timer. */
	goldfish_put64(0x08, goldfish_now() + 2000000);
	wait_for_wire(&goldfish.clock.source);
	put(0x1c, 1);

	/* One that is taken back. */
	goldfish_put64(0x08, goldfish_now() + 1000 * NS_PER_SECOND);
	CHECK_EQ(get(0x18), 1);
	put(0x14, 0);
	CHECK_EQ(get(0x18), 0);
	goldfish_put64(0x00, goldfish_now() + 2000 * NS_PER_SECOND);
	CHECK(!fake_kvm_wire(GSI));
	goldfish_rtc_destroy(&goldfish);
	end();
}

/* Times at which sums would wrap: the timer is not ready again and again. */
TEST(hostile_times)
{
	static const u64 times[] = {0, 1, 1ULL << 31, 1ULL << 63, ~0ULL - NS_PER_SECOND, ~0ULL};

	start();
	CHECK_EQ(goldfish_rtc_init(&goldfish, &vm, &loop, &vm.mmio, BASE, GSI), 0);
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		for (size_t a = 0; a < ARRAY_SIZE(times); a++) {
			goldfish_put64(0x00, times[i]);
			goldfish_put64(0x08, times[a]);
			/* The clock itself may have wrapped meanwhile. */
			if (times[i] > 1ULL << 63)
				goldfish.clock.source.ready(goldfish.clock.source.opaque);
			else if (times[a] <= times[i])
				CHECK_EQ(get(0x18), 0);
			else if (times[a] - times[i] > 1000 * NS_PER_SECOND) {
				CHECK_EQ(get(0x18), 1);
				CHECK(!is_ready(&goldfish.clock.source));
			}
			put(0x1c, 1);
		}
	}
	goldfish_rtc_destroy(&goldfish);
	end();
}

/* What is not a register reads as 0, and accesses of any width do no harm. */
TEST(accesses)
{
	u8 data[8];

	start();
	CHECK_EQ(pl031_init(&pl031, &vm, &loop, &vm.mmio, BASE, GSI), 0);
	for (u64 off = 0; off < PL031_SIZE; off++) {
		for (unsigned int len = 1; len <= 8 && off + len <= PL031_SIZE; len *= 2) {
			memset(data, 0xff, sizeof(data));
			bus_access(&vm.mmio, BASE + off, data, len, false);
			bus_access(&vm.mmio, BASE + off, data, len, true);
		}
	}
	CHECK_EQ(get(0x20), 0);
	CHECK_EQ(get(0xffc), 0xb1);
	put(0x10, 0);
	pl031_destroy(&pl031);
	end();
}
