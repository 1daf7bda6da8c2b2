// SPDX-License-Identifier: GPL-2.0-only
#include "rt/arch.h"
#include "rt/core.h"

#define HANG_MS 10000

volatile u32 irq_count[IRQ_LINES];
void (*irq_handler[IRQ_LINES])(void);
bool (*exception_handler)(struct trap_frame *f);

void irq_came(unsigned int line)
{
	irq_count[line]++;
	if (irq_handler[line])
		irq_handler[line]();
}

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
