// SPDX-License-Identifier: GPL-2.0-only
/* A vCPU's state in words, for who looks for the reason of its end. */
#include <linux/kvm.h>
#include <stddef.h>

#include "vm/vm.h"

/* Registers of KVM's struct kvm_regs are numbered by words of 32 bits. */
#define CORE_REG(member)                                       \
	(KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | \
	 offsetof(struct kvm_regs, member) / sizeof(u32))

static const struct vcpu_reg regs[] = {
	{"pc", CORE_REG(regs.pc)},
	{"lr", CORE_REG(regs.regs[30])},
	{"pstate", CORE_REG(regs.pstate)},
	{"sp_el1", CORE_REG(sp_el1)},
	{"elr_el1", CORE_REG(elr_el1)},
	{"esr_el1", ARM64_SYS_REG(3, 0, 5, 2, 0)},
	{"far_el1", ARM64_SYS_REG(3, 0, 6, 0, 0)},
	{"sctlr_el1", ARM64_SYS_REG(3, 0, 1, 0, 0)},
	{"ttbr0_el1", ARM64_SYS_REG(3, 0, 2, 0, 0)},
	{"ttbr1_el1", ARM64_SYS_REG(3, 0, 2, 0, 1)},
};

void arch_vcpu_show(const struct vcpu *vcpu)
{
	vcpu_show_regs(vcpu, regs, ARRAY_SIZE(regs));
}
