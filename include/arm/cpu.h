/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_ARM_CPU_H
#define LKVM_ARM_CPU_H

#include "machine.h"

/*
 * The affinity fields of MPIDR_EL1 (Arm ARM, D24.2), which KVM makes of the number of a vCPU: 16
 * in the lowest field, since a GICv3 sends interrupts to 16 targets at a time.
 */
static inline u64 arm_mpidr(unsigned int vcpu)
{
	return (vcpu & 0xf) | (u64)(vcpu >> 4 & 0xff) << 8;
}

/* How many bits a guest-physical address has at most, as /dev/kvm at @kvm_fd says. */
unsigned int arm_ipa_bits(int kvm_fd);

/* In the order of arch_cpu_features. */
enum arm_feature {
	ARM_PMU,
	ARM_SVE,
	ARM_PAUTH,
	ARM_NR_FEATURES,
};

/* Whether vCPUs get it: the host has it, and the user has nothing against it. */
bool arm_has_feature(const struct machine *m, enum arm_feature feature);

#endif /* LKVM_ARM_CPU_H */
