// SPDX-License-Identifier: GPL-2.0-only
/* Sends back what comes in at the serial port, until ctrl-d. */
#include "rt.h"

#define CTRL_D 4

int guest_main(void)
{
	u32 n = 0;

	print("echo: ready\n");
	for (;; n++) {
		int in;
		char c;

		while ((in = console_read()) < 0)
			cpu_relax();
		c = in;
		if (c == CTRL_D)
			break;
		console_write(&c, 1);
	}
	print("\necho: %u bytes\n", n);
	return 0;
}
