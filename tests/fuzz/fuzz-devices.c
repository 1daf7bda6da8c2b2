// SPDX-License-Identifier: GPL-2.0-only
/*
 * The small devices, of all machines: any accesses to the registers of the serial port, the
 * real-time clocks, the power button, pvpanic and the test exit, and calls of the SBI's console;
 * with input, alarms and presses between them. The serial port is compared with a model.
 */
#include <linux/serial_reg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fake-ioctl.h"
#include "fake-kvm.h"
#include "fuzz.h"
#include "hw/goldfish-rtc.h"
#include "hw/pl031.h"
#include "hw/power-button.h"
#include "hw/pvpanic.h"
#include "hw/rtc.h"
#include "hw/serial.h"
#include "hw/test-exit.h"
#include "machine.h"
#include "riscv/vcpu.h"

#define RAM	     (1 * MiB)
#define UART	     0x3f8
#define UART_SIZE    8
#define RTC	     0x70
#define RTC_SIZE     2
#define BUTTON	     0x600
#define PVPANIC	     0x505
#define TEST_EXIT    0x1000
#define PL031	     0x2000
#define GOLDFISH     0x4000
#define UART_GSI     4
#define RTC_GSI	     8
#define BUTTON_GSI   9
#define PL031_GSI    10
#define GOLDFISH_GSI 11

static struct machine m;
static struct chardev back_end;
static struct serial uart;
static struct rtc rtc;
static struct power_button button;
static struct pvpanic pvpanic;
static struct pl031 pl031;
static struct goldfish_rtc goldfish;

static const struct {
	struct bus *bus;
	u64 base, size;
} regions[] = {
	{&m.vm.pio, UART, UART_SIZE},	     {&m.vm.pio, UART, UART_SIZE},
	{&m.vm.pio, RTC, RTC_SIZE},	     {&m.vm.pio, BUTTON, 1},
	{&m.vm.mmio, PVPANIC, PVPANIC_SIZE}, {&m.vm.mmio, TEST_EXIT, TEST_EXIT_SIZE},
	{&m.vm.mmio, PL031, PL031_SIZE},     {&m.vm.mmio, GOLDFISH, GOLDFISH_RTC_SIZE},
};

/* The serial port: what it has sent, and what the driver has not read. */
static struct {
	unsigned int sent;
	u8 last;
	u8 fifo[SERIAL_FIFO_SIZE];
	unsigned int count;
	u8 lcr, mcr, scr;
} model;

static unsigned int sent;
static u8 last_sent;

static size_t count_bytes(struct chardev *dev, const u8 *bytes, size_t len)
{
	(void)dev;
	sent += len;
	last_sent = bytes[len - 1];
	return len - (bytes[0] == 0xee);
}

static void no_resume(struct chardev *dev)
{
	(void)dev;
}

static const struct chardev_ops ops = {
	.write = count_bytes,
	.resume = no_resume,
	.connect = no_resume,
};

static void model_push(u8 byte)
{
	if (model.count < SERIAL_FIFO_SIZE)
		model.fifo[model.count++] = byte;
}

static u8 model_pop(void)
{
	u8 byte = model.fifo[0];

	if (!model.count)
		return 0;
	memmove(model.fifo, model.fifo + 1, --model.count);
	return byte;
}

static void model_write(unsigned int reg, u8 val)
{
	bool dlab = model.lcr & UART_LCR_DLAB;

	switch (reg) {
	case UART_TX:
		if (dlab)
			break;
		if (model.mcr & UART_MCR_LOOP) {
			model_push(val);
		} else {
			model.sent++;
			model.last = val;
		}
		break;
	case UART_FCR:
		if (val & UART_FCR_CLEAR_RCVR)
			model.count = 0;
		break;
	case UART_LCR:
		model.lcr = val;
		break;
	case UART_MCR:
		model.mcr = val;
		break;
	case UART_SCR:
		model.scr = val;
		break;
	}
}

static void model_read(unsigned int reg, u8 val)
{
	u8 id = val & 0x0f;

	switch (reg) {
	case UART_RX:
		if (!(model.lcr & UART_LCR_DLAB))
			CHECK_EQ(val, model_pop());
		break;
	case UART_IIR:
		CHECK(id == UART_IIR_NO_INT || (id && id <= UART_IIR_RLSI && id % 2 == 0));
		break;
	case UART_LCR:
		CHECK_EQ(val, model.lcr);
		break;
	case UART_LSR:
		CHECK_EQ(val & UART_LSR_DR, model.count > 0);
		CHECK(val & UART_LSR_THRE);
		break;
	case UART_SCR:
		CHECK_EQ(val, model.scr);
		break;
	}
}

static void check_wires(void)
{
	CHECK_EQ(uart.count, model.count);
	CHECK_EQ(fake_kvm_wire(UART_GSI), uart.irq);
	CHECK_EQ(fake_kvm_wire(BUTTON_GSI), button.pressed);
	CHECK_EQ(fake_kvm_wire(PL031_GSI), pl031.clock.due && pl031.clock.enabled);
	CHECK_EQ(fake_kvm_wire(GOLDFISH_GSI), goldfish.clock.due && goldfish.clock.enabled);
}

static void access_register(void)
{
	unsigned int i = unit_below(ARRAY_SIZE(regions)), len = 1U << unit_below(4);
	u64 off = unit_below(regions[i].size), val = fuzz_int(len);
	bool write = fuzz_bool(), is_uart = regions[i].base == UART;
	u8 bytes[8];

	if (len > regions[i].size - off)
		is_uart = false;
	memcpy(bytes, &val, sizeof(bytes));
	for (unsigned int n = 0; is_uart && write && n < len; n++)
		model_write(off + n, bytes[n]);
	bus_access(regions[i].bus, regions[i].base + off, bytes, len, write);
	for (unsigned int n = 0; is_uart && !write && n < len; n++)
		model_read(off + n, bytes[n]);
	CHECK(sent == model.sent && (!sent || last_sent == model.last));
}

/* What is set at once, in the order in which a driver does it. */
static void set_clock(void)
{
	u8 index = unit_below(16), val = fuzz_int(1), reg_b = 11;

	if (fuzz_bool()) {
		bus_access(&m.vm.pio, RTC, &reg_b, 1, true);
		val |= 0x80;
		bus_access(&m.vm.pio, RTC + 1, &val, 1, true);
		return;
	}
	bus_access(&m.vm.pio, RTC, &index, 1, true);
	bus_access(&m.vm.pio, RTC + 1, &val, 1, true);
}

static void input(void)
{
	u8 bytes[100];
	size_t len = unit_below(sizeof(bytes)), n;

	fuzz_take(bytes, len);
	n = back_end.user->receive(back_end.opaque, bytes, len);
	CHECK(n <= len);
	for (size_t i = 0; i < n; i++)
		model_push(bytes[i]);
}

static void ring(struct loop_source *source)
{
	eventfd_write(source->fd, 1);
	source->ready(source->opaque);
}

static void host_side(void)
{
	switch (unit_below(8)) {
	case 0:
		ring(&pl031.clock.source);
		break;
	case 1:
		ring(&goldfish.clock.source);
		break;
	case 2:
		ring(&rtc.source);
		break;
	case 3:
		power_button_press(&button);
		break;
	default:
		input();
	}
}

static void sbi(void)
{
	static const unsigned long extensions[] = {1, 2, 0x4442434e};
	struct kvm_run run = {0};
	struct vcpu vcpu = {.vm = &m.vm, .run = &run};
	unsigned int before = sent;

	run.riscv_sbi.extension_id = unit_below(8) ? fuzz_pick(extensions) : fuzz_int(4);
	run.riscv_sbi.function_id = unit_below(8) ? unit_below(4) : fuzz_int(4);
	for (unsigned int i = 0; i < 3; i++)
		run.riscv_sbi.args[i] = fuzz_bool() ? fuzz_number() : unit_below(RAM);
	riscv_sbi_call(&vcpu);
	CHECK(sent - before <= 4 * KiB);
	/* Not the serial port's. */
	sent = before;
	last_sent = model.last;
}

/* In the place of a timer, which rings when the input says so. */
static void replace_timer(const struct loop_source *source)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0 || dup2(fd, source->fd) < 0)
		exit(2);
	close(fd);
}

static void start(void)
{
	memset(&m, 0, sizeof(m));
	memset(&model, 0, sizeof(model));
	sent = 0;
	fake_kvm_start(&m.vm, RAM);
	back_end = (struct chardev){.ops = &ops, .stop_fd = -1};
	m.serial = &back_end;
	if (loop_init(&m.loop) || rtc_init(&rtc, &m.vm, &m.loop, RTC, RTC_GSI) ||
	    serial_init(&uart, &m.vm, &m.vm.pio, UART, UART_GSI, &back_end) ||
	    power_button_init(&button, &m.vm, BUTTON, BUTTON_GSI) ||
	    pvpanic_init(&pvpanic, &m.vm, &m.vm.mmio, PVPANIC) ||
	    test_exit_init(&m.vm, &m.vm.mmio, TEST_EXIT) ||
	    pl031_init(&pl031, &m.vm, &m.loop, &m.vm.mmio, PL031, PL031_GSI) ||
	    goldfish_rtc_init(&goldfish, &m.vm, &m.loop, &m.vm.mmio, GOLDFISH, GOLDFISH_GSI))
		exit(2);
	replace_timer(&rtc.source);
	replace_timer(&pl031.clock.source);
	replace_timer(&goldfish.clock.source);
}

static void end(void)
{
	goldfish_rtc_destroy(&goldfish);
	pl031_destroy(&pl031);
	rtc_destroy(&rtc);
	loop_destroy(&m.loop);
	fake_kvm_end(&m.vm);
}

void fuzz_begin(void)
{
	fake_ioctl_install();
}

void fuzz_one(void)
{
	start();
	while (fuzz_more()) {
		u8 step = fuzz_int(1);

		if (step < 160)
			access_register();
		else if (step < 176)
			set_clock();
		else if (step < 240)
			host_side();
		else
			sbi();
		check_wires();
	}
	end();
}
