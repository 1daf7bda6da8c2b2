// SPDX-License-Identifier: GPL-2.0-only
/* What the machine and its run loop ask of the architecture. */
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include "arm/cpu.h"
#include "fdt/board.h"
#include "util/log.h"

/* How many bits an intermediate physical address has on hosts that do not say. */
#define DEFAULT_IPA_BITS 40

/* ISS of a data abort, Arm ARM D24.2: the access was a write. */
#define ESR_ISS_WNR BIT(6)

unsigned int arm_ipa_bits(int kvm_fd)
{
	int bits = ioctl(kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_ARM_VM_IPA_SIZE);

	return bits > 0 ? bits : DEFAULT_IPA_BITS;
}

unsigned long arch_vm_type(int kvm_fd)
{
	unsigned int bits = arm_ipa_bits(kvm_fd);

	/* All hosts know 0 for these. */
	return bits == DEFAULT_IPA_BITS ? 0 : KVM_VM_TYPE_ARM_IPA_SIZE(bits);
}

unsigned int arch_phys_bits(const struct vm *vm)
{
	return arm_ipa_bits(vm->kvm_fd);
}

/* KVM emulates an access to a device only if the CPU tells it size and register. */
static void undecoded_access(struct vcpu *vcpu)
{
	const struct kvm_run *run = vcpu->run;

	pr_err("vCPU %u %s 0x%llx, where a device or nothing is, by an instruction that KVM does "
	       "not emulate there (of several registers, with writeback or of vectors)",
	       vcpu->index, run->arm_nisv.esr_iss & ESR_ISS_WNR ? "wrote to" : "read from",
	       (unsigned long long)run->arm_nisv.fault_ipa);
	vm_stop(vcpu->vm, 1);
}

bool arch_handle_exit(struct vcpu *vcpu)
{
	if (vcpu->run->exit_reason != KVM_EXIT_ARM_NISV)
		return false;
	undecoded_access(vcpu);
	return true;
}

void arch_vcpu_resumed(struct vcpu *vcpu)
{
	(void)vcpu;
}

/*
 * A guest cannot be told that it was not running, so its counter, which all vCPUs have in common,
 * stands still meanwhile. A KVM that does not let it be set has one that went on.
 */
void arch_vm_resuming(struct vm *vm, u64 ns)
{
	u64 frequency, count;

	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(frequency));
	if (!vcpu_get_reg(&vm->vcpus[0], KVM_REG_ARM_TIMER_CNT, &count))
		vcpu_set_reg(&vm->vcpus[0], KVM_REG_ARM_TIMER_CNT,
			     count - (u64)((unsigned __int128)ns * frequency / 1000000000));
}
