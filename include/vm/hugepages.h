/* SPDX-License-Identifier: GPL-2.0-only */
/* What the host has of huge pages, and what to tell people who want more. */
#ifndef LKVM_VM_HUGEPAGES_H
#define LKVM_VM_HUGEPAGES_H

#include "util/types.h"

/*
 * Whether the host has @size bytes in free pages of @page_size. If not, prints how many
 * there are, and where to write how many. -ENOMEM.
 */
int hugepages_check(u64 page_size, u64 size);

/* Prints a warning if the host does not use huge pages for shared memory by itself. */
void hugepages_check_thp(void);

#endif /* LKVM_VM_HUGEPAGES_H */
