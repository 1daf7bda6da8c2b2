// SPDX-License-Identifier: GPL-2.0-only
/* A vCPU's state in words, for who looks for the reason of its end. */
#include <linux/kvm.h>

#include "riscv/kvm.h"
#include "util/log.h"
#include "vm/vm.h"

#define CORE_REG(name) RISCV_REG(KVM_REG_RISCV_CORE, KVM_REG_RISCV_CORE_REG(name))
#define CSR_REG(name)  RISCV_REG(KVM_REG_RISCV_CSR, KVM_REG_RISCV_CSR_REG(name))

static const struct {
	const char *name;
	u64 id;
} regs[] = {
	{"pc", CORE_REG(regs.pc)}, {"ra", CORE_REG(regs.ra)},	  {"sp", CORE_REG(regs.sp)},
	{"mode", CORE_REG(mode)},  {"sstatus", CSR_REG(sstatus)}, {"stvec", CSR_REG(stvec)},
	{"sepc", CSR_REG(sepc)},   {"scause", CSR_REG(scause)},	  {"stval", CSR_REG(stval)},
	{"satp", CSR_REG(satp)},
};

void arch_vcpu_show(const struct vcpu *vcpu)
{
	unsigned int i;
	u64 val;

	for (i = 0; i < ARRAY_SIZE(regs); i++) {
		if (!vcpu_get_reg(vcpu, regs[i].id, &val))
			pr_info("vCPU %u: %s 0x%llx", vcpu->index, regs[i].name,
				(unsigned long long)val);
	}
}
