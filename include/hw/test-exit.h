/* SPDX-License-Identifier: GPL-2.0-only */
/* Four bytes by which a guest ends lkvm: the low 8 bits of what it writes are the exit status. */
#ifndef LKVM_HW_TEST_EXIT_H
#define LKVM_HW_TEST_EXIT_H

#include "vm/vm.h"

#define TEST_EXIT_SIZE 4

/* At @base of @bus, one of @vm's. -errno of bus_add(). */
int test_exit_init(struct vm *vm, struct bus *bus, u64 base);

#endif /* LKVM_HW_TEST_EXIT_H */
