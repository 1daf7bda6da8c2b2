// SPDX-License-Identifier: GPL-2.0-only
/* What is said in other words on each architecture. */
#include "boot/image.h"
#include "fdt/board.h"

const char arch_name[] = "arm64";

const struct iommu_format *const arch_iommu_format = &format_smmuv3;

const unsigned int arch_image_kind = IMAGE_ARM64;

const char arch_kvm_hint[] = "the host's kernel needs KVM, and firmware that starts it in EL2";
