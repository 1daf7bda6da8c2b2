// SPDX-License-Identifier: GPL-2.0-only
#include <linux/kvm.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "arm/cpu.h"
#include "arm/gic.h"
#include "util/report.h"
#include "vm/features.h"

const struct kvm_ext arch_kvm_exts[] = {
	{"psci-0.2", KVM_CAP_ARM_PSCI_0_2},
	{"pmuv3", KVM_CAP_ARM_PMU_V3},
	{"sve", KVM_CAP_ARM_SVE},
	{"pauth-address", KVM_CAP_ARM_PTRAUTH_ADDRESS},
	{"pauth-generic", KVM_CAP_ARM_PTRAUTH_GENERIC},
	{"undecoded-access", KVM_CAP_ARM_NISV_TO_USER},
	{NULL, 0},
};

void arch_kvm_features(struct report *r, int kvm_fd)
{
	/* Only a machine can be asked for devices. */
	int vm_fd = kvm_fd < 0 ? -1 : ioctl(kvm_fd, KVM_CREATE_VM, arch_vm_type(kvm_fd));

	report_u64(r, "host.kvm.address-bits", kvm_fd < 0 ? 0 : arm_ipa_bits(kvm_fd));
	for (unsigned int i = 0; i < GIC_NR_KINDS; i++) {
		char name[64];

		snprintf(name, sizeof(name), "host.kvm.%s", arch_irqchips[i]);
		report_bool(r, name, vm_fd >= 0 && gic_kvm_has(vm_fd, i));
	}
	if (vm_fd >= 0)
		close(vm_fd);
}
