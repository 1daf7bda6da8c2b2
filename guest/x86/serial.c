// SPDX-License-Identifier: GPL-2.0-only
/* The console: a 16550 at port 0x3f8, polled. */
#include "rt/arch.h"
#include "x86.h"

#define UART	       0x3f8
#define UART_DATA      (UART + 0)
#define UART_IER       (UART + 1)
#define UART_FCR       (UART + 2)
#define UART_LCR       (UART + 3)
#define UART_LSR       (UART + 5)
#define UART_LSR_READY BIT(0)
#define UART_LSR_EMPTY BIT(5)
#define UART_FIFO      16

void serial_init(void)
{
	outb(UART_IER, 0);
	outb(UART_LCR, 3); /* 8N1 */
	outb(UART_FCR, 7); /* FIFO on and empty */
}

/* The FIFO was empty once and so much of it is not used since: that needs no asking. */
static unsigned int room;

void console_write(const char *s, size_t len)
{
	while (len) {
		size_t n;

		if (!room) {
			while (!(inb(UART_LSR) & UART_LSR_EMPTY))
				cpu_relax();
			room = UART_FIFO;
		}
		n = min(len, (size_t)room);
		room -= n;
		len -= n;
		while (n--)
			outb(UART_DATA, *s++);
	}
}

int console_read(void)
{
	return inb(UART_LSR) & UART_LSR_READY ? inb(UART_DATA) : -1;
}
