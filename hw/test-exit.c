// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "hw/test-exit.h"

static void test_exit_access(void *opaque, u64 off, void *data, unsigned int len, bool write)
{
	struct vm *vm = opaque;

	(void)off;
	if (write)
		vm_stop(vm, *(u8 *)data);
	else
		memset(data, 0, len);
}

int test_exit_init(struct vm *vm, struct bus *bus, u64 base)
{
	return bus_add(bus, base, TEST_EXIT_SIZE, test_exit_access, vm);
}
