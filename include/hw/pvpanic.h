/* SPDX-License-Identifier: GPL-2.0-only */
/* One byte by which a guest tells that it panicked (QEMU, docs/specs/pvpanic). */
#ifndef LKVM_HW_PVPANIC_H
#define LKVM_HW_PVPANIC_H

#include <stdatomic.h>

#include "vm/vm.h"

#define PVPANIC_SIZE 1

struct pvpanic {
	struct vm *vm;
	atomic_bool crash_told; /* that a crash kernel starts: said once */
};

/* At @base of @bus, one of @vm's. A panic ends the guest with status 1. -errno of bus_add(). */
int pvpanic_init(struct pvpanic *pvpanic, struct vm *vm, struct bus *bus, u64 base);

#endif /* LKVM_HW_PVPANIC_H */
