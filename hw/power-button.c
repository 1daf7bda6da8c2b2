// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "hw/power-button.h"

/* With the lock. */
static void set(struct power_button *button, bool pressed)
{
	if (button->pressed == pressed)
		return;
	button->pressed = pressed;
	irq_wire_set(button->vm, button->gsi, pressed);
}

static void port_access(void *opaque, u64 off, void *data, unsigned int len, bool write)
{
	struct power_button *button = opaque;

	(void)off;
	if (write)
		return;
	memset(data, 0, len);
	pthread_mutex_lock(&button->lock);
	if (button->pressed)
		*(u8 *)data = POWER_BUTTON_PRESSED;
	set(button, false);
	pthread_mutex_unlock(&button->lock);
}

void power_button_press(struct power_button *button)
{
	pthread_mutex_lock(&button->lock);
	set(button, true);
	pthread_mutex_unlock(&button->lock);
}

int power_button_init(struct power_button *button, struct vm *vm, u64 port, u32 gsi)
{
	memset(button, 0, sizeof(*button));
	button->vm = vm;
	button->gsi = gsi;
	pthread_mutex_init(&button->lock, NULL);
	return bus_add(&vm->pio, port, 1, port_access, button);
}
