/* SPDX-License-Identifier: GPL-2.0-only */
/* What the targets of the two formats of RISC-V share. */
#ifndef LKVM_TESTS_WALK_RISCV_H
#define LKVM_TESTS_WALK_RISCV_H

#include "iommu/format.h"

/* Walks of @format, always the same, in arbitrary memory against the reference. */
void walk_riscv(const struct iommu_format *format);

#endif /* LKVM_TESTS_WALK_RISCV_H */
