// SPDX-License-Identifier: GPL-2.0-only
/* A 16550 on MMIO, polled, and the few other devices of machines with a device tree. */
#include "rt/arch.h"
#include "rt/core.h"
#include "rt/fdt.h"

#define UART_DATA      0
#define UART_IER       1
#define UART_FCR       2
#define UART_LCR       3
#define UART_LSR       5
#define UART_LSR_READY BIT(0)
#define UART_LSR_EMPTY BIT(5)
#define UART_FIFO      16

static u8 *uart; /* NULL: there is none */
static unsigned int shift; /* a register is at its number shifted so far */

static u8 read_reg(unsigned int reg)
{
	return mmio_read8(uart + (reg << shift));
}

static void write_reg(unsigned int reg, u8 val)
{
	mmio_write8(uart + (reg << shift), val);
}

static int find_uart(void)
{
	int node = dt_find(dt_string(dt_find("/chosen"), "stdout-path"));

	if (dt_is_compatible(node, "ns16550a"))
		return node;
	return dt_next_compatible(DT_NONE, "ns16550a");
}

void uart_init(void)
{
	int node = find_uart();
	u64 base;

	if (!dt_reg(node, 0, &base, NULL))
		return;
	shift = dt_cell(node, "reg-shift", 0, 0);
	uart = map_phys(base, 8 << shift);
	write_reg(UART_IER, 0);
	write_reg(UART_LCR, 3); /* 8N1 */
	write_reg(UART_FCR, 7); /* FIFO on and empty */
}

/* The FIFO was empty once and so much of it is not used since: that needs no asking. */
static unsigned int room;

void console_write(const char *s, size_t len)
{
	for (; uart && len; len--) {
		if (!room) {
			while (!(read_reg(UART_LSR) & UART_LSR_EMPTY))
				cpu_relax();
			room = UART_FIFO;
		}
		room--;
		write_reg(UART_DATA, *s++);
	}
}

int console_read(void)
{
	return uart && read_reg(UART_LSR) & UART_LSR_READY ? read_reg(UART_DATA) : -1;
}

void machine_pvpanic(u8 event)
{
	u64 base;

	if (dt_reg(dt_next_compatible(DT_NONE, "qemu,pvpanic-mmio"), 0, &base, NULL))
		mmio_write8(map_phys(base, 1), event);
}

void fdt_test_exit(int status)
{
	u64 base;

	if (dt_reg(dt_next_compatible(DT_NONE, "lkvm,test-exit"), 0, &base, NULL))
		mmio_write32(map_phys(base, 4), status);
}
