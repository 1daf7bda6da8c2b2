/* SPDX-License-Identifier: GPL-2.0-only */
/* What the targets of the two layouts of virtqueues share. */
#ifndef LKVM_TESTS_HOSTILE_QUEUE_H
#define LKVM_TESTS_HOSTILE_QUEUE_H

#include "util/types.h"

/*
 * A driver that writes what it likes to its rings, at any time, and a device that takes chains,
 * copies, and uses them in any order; behind an IOMMU, if the input says so, whose pages come
 * and go.
 */
void hostile_queue(bool packed);

#endif /* LKVM_TESTS_HOSTILE_QUEUE_H */
