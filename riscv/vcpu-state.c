// SPDX-License-Identifier: GPL-2.0-only
/* A vCPU's state in words, for who looks for the reason of its end. */
#include <linux/kvm.h>

#include "riscv/kvm.h"
#include "vm/vm.h"

#define CORE_REG(name) RISCV_REG(KVM_REG_RISCV_CORE, KVM_REG_RISCV_CORE_REG(name))
#define CSR_REG(name)  RISCV_REG(KVM_REG_RISCV_CSR, KVM_REG_RISCV_CSR_REG(name))

static const struct vcpu_reg regs[] = {
	{"pc", CORE_REG(regs.pc)}, {"ra", CORE_REG(regs.ra)},	  {"sp", CORE_REG(regs.sp)},
	{"mode", CORE_REG(mode)},  {"sstatus", CSR_REG(sstatus)}, {"stvec", CSR_REG(stvec)},
	{"sepc", CSR_REG(sepc)},   {"scause", CSR_REG(scause)},	  {"stval", CSR_REG(stval)},
	{"satp", CSR_REG(satp)},
};

void arch_vcpu_show(const struct vcpu *vcpu)
{
	vcpu_show_regs(vcpu, regs, ARRAY_SIZE(regs));
}
