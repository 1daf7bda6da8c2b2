// SPDX-License-Identifier: GPL-2.0-only
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include "util/report.h"
#include "util/types.h"
#include "vm/features.h"

const struct kvm_ext arch_kvm_exts[] = {
	{"aia", KVM_CAP_IRQCHIP},
	{NULL, 0},
};

void arch_kvm_features(struct report *r, int kvm_fd)
{
	int bits = kvm_fd < 0 ? 0 : ioctl(kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_VM_GPA_BITS);

	report_u64(r, "host.kvm.address-bits", max(bits, 0));
}
