// SPDX-License-Identifier: GPL-2.0-only
/* The options that mean another thing on each architecture. */
#include "boot/image.h"
#include "fdt/board.h"

const char arch_name[] = "riscv64";

const struct iommu_format *const arch_iommu_format = &format_riscv;

const unsigned int arch_image_kind = IMAGE_RISCV64;

const char arch_kvm_hint[] = "the host's kernel needs KVM, and a CPU with the H extension";

const char *const arch_cpu_features[] = {NULL};
const char arch_cpu_without_arg[] = "";
const char arch_cpu_without_usage[] = "";
