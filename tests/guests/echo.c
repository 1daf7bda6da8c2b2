// SPDX-License-Identifier: GPL-2.0-only
/* Sends back what comes in at the serial port, until ctrl-d. */
#include "rt.h"

#define UART	       0x3f8
#define UART_LSR       (UART + 5)
#define UART_LSR_READY BIT(0)

#define CTRL_D 4

int guest_main(void)
{
	u32 n = 0;
	char c;

	print("echo: ready\n");
	for (;; n++) {
		while (!(inb(UART_LSR) & UART_LSR_READY))
			cpu_relax();
		c = inb(UART);
		if (c == CTRL_D)
			break;
		console_write(&c, 1);
	}
	print("\necho: %u bytes\n", n);
	return 0;
}
