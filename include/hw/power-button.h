/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A power button, and the register by which the guest learns that it was pressed: one byte
 * at a port, whose bit 0 is set by a press and cleared by a read. While it is set the
 * interrupt line is up, so that a press is not lost before the guest has a driver.
 */
#ifndef LKVM_HW_POWER_BUTTON_H
#define LKVM_HW_POWER_BUTTON_H

#include <pthread.h>

#include "util/types.h"
#include "vm/vm.h"

#define POWER_BUTTON_PRESSED BIT(0)

struct power_button {
	struct vm *vm;
	u32 gsi; /* level-triggered, and nobody else's */
	pthread_mutex_t lock; /* guards pressed, with the level of the line */
	bool pressed;
};

/* -errno of bus_add(). */
int power_button_init(struct power_button *button, struct vm *vm, u64 port, u32 gsi);

/* From any thread. A press that the guest has not seen yet is the same as this one. */
void power_button_press(struct power_button *button);

#endif /* LKVM_HW_POWER_BUTTON_H */
