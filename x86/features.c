// SPDX-License-Identifier: GPL-2.0-only
#include <linux/kvm.h>

#include "vm/features.h"

const struct kvm_ext arch_kvm_exts[] = {
	{"irqchip", KVM_CAP_IRQCHIP},
	{"split-irqchip", KVM_CAP_SPLIT_IRQCHIP},
	{"x2apic-32-bit-ids", KVM_CAP_X2APIC_API},
	{"tsc-control", KVM_CAP_TSC_CONTROL},
	{"tsc-deadline-timer", KVM_CAP_TSC_DEADLINE_TIMER},
	{"clock", KVM_CAP_ADJUST_CLOCK},
	{NULL, 0},
};

void arch_kvm_features(struct report *r, int kvm_fd)
{
	(void)r;
	(void)kvm_fd;
}
