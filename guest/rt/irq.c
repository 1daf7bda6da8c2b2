// SPDX-License-Identifier: GPL-2.0-only
#include "rt/arch.h"
#include "rt/core.h"

#define HANG_MS 10000

void (*irq_handler[IRQ_LINES])(void);

bool irq_wait_line(unsigned int line, u32 count)
{
	timeout_start(HANG_MS);
	while (irq_count[line] == count) {
		if (timeout_expired())
			return false;
		irq_wait();
	}
	return true;
}
