// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "hw/pvpanic.h"
#include "util/log.h"

/* What a guest reports, and what a read says is understood. */
#define PVPANIC_PANICKED     BIT(0)
#define PVPANIC_CRASH_LOADED BIT(1)

static void pvpanic_access(void *opaque, u64 off, void *data, unsigned int len, bool write)
{
	struct pvpanic *pvpanic = opaque;
	u8 events = *(u8 *)data;

	(void)off;
	if (!write) {
		memset(data, 0, len);
		*(u8 *)data = PVPANIC_PANICKED | PVPANIC_CRASH_LOADED;
	} else if (events & PVPANIC_PANICKED) {
		pr_err("the guest panicked");
		vm_stop(pvpanic->vm, 1);
	} else if ((events & PVPANIC_CRASH_LOADED) &&
		   !atomic_exchange(&pvpanic->crash_told, true)) {
		pr_info("the guest panicked and starts its crash kernel");
	}
}

int pvpanic_init(struct pvpanic *pvpanic, struct vm *vm, struct bus *bus, u64 base)
{
	memset(pvpanic, 0, sizeof(*pvpanic));
	pvpanic->vm = vm;
	return bus_add(bus, base, PVPANIC_SIZE, pvpanic_access, pvpanic);
}
