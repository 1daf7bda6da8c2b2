// SPDX-License-Identifier: GPL-2.0-only
/* What is said in other words on each architecture. */
#include <stddef.h>

#include "machine.h"

const char arch_name[] = "x86";

const struct iommu_format *const arch_iommu_format = &format_vtd;

const char arch_kernel_usage[] = "bzImage or ELF vmlinux; without it a built-in guest\n"
				 "runs that shows the machine at work";

const char arch_test_exit_usage[] = "let the guest end lkvm with the status that it writes\n"
				    "to port 0xf4";

const char arch_kvm_hint[] = "load the kvm-intel or kvm-amd module, or enable virtualisation in "
			     "the firmware";

const char *const arch_irqchips[] = {NULL};
const char arch_irqchip_arg[] = "";
const char arch_irqchip_usage[] = "";

const char arch_dump_dtb_arg[] = "";

const char *const arch_cpu_features[] = {NULL};
const char arch_cpu_without_arg[] = "";
const char arch_cpu_without_usage[] = "";
