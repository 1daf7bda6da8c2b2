// SPDX-License-Identifier: GPL-2.0-only
#include "rt.h"

void rt_start(void)
{
	machine_exit(guest_main());
}
