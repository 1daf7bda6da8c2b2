// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>

#include "fdt/board.h"
#include "riscv/irqchip.h"
#include "riscv/kvm.h"
#include "riscv/vcpu.h"
#include "util/log.h"

#define CORE_REG(name)	RISCV_REG(KVM_REG_RISCV_CORE, KVM_REG_RISCV_CORE_REG(name))
#define TIMER_REG(name) RISCV_REG(KVM_REG_RISCV_TIMER, KVM_REG_RISCV_TIMER_REG(name))

/* The entropy source of Zkr, and two states that a read of it can give in bits 31 and 30. */
#define CSR_SEED  0x015
#define SEED_WAIT BIT(30)
#define SEED_ES16 BIT(31)

unsigned long arch_vm_type(int kvm_fd)
{
	(void)kvm_fd;
	return 0;
}

/*
 * What KVM leaves to us: the seed, of a guest that may have it, and on a host with the AIA stopei
 * and sireg where no IMSIC is behind them: of a machine with a PLIC, or by a siselect that selects
 * nothing. We cannot raise the exception that is due then, so that these are zero.
 */
static void csr_access(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	u16 entropy;

	run->riscv_csr.ret_value = 0;
	if (run->riscv_csr.csr_num != CSR_SEED)
		return;
	if (getrandom(&entropy, sizeof(entropy), 0) == sizeof(entropy))
		run->riscv_csr.ret_value = SEED_ES16 | entropy;
	else
		run->riscv_csr.ret_value = SEED_WAIT;
}

bool arch_handle_exit(struct vcpu *vcpu)
{
	switch (vcpu->run->exit_reason) {
	case KVM_EXIT_RISCV_SBI:
		riscv_sbi_call(vcpu);
		return true;
	case KVM_EXIT_RISCV_CSR:
		csr_access(vcpu);
		return true;
	}
	return false;
}

void arch_vcpu_resumed(struct vcpu *vcpu)
{
	(void)vcpu;
}

/*
 * A guest cannot be told that it was not running, so its time, which all vCPUs have in common,
 * stands still meanwhile.
 */
void arch_vm_resuming(struct vm *vm, u64 ns)
{
	const struct vcpu *vcpu = &vm->vcpus[0];
	u64 frequency, time;

	if (vcpu_get_reg(vcpu, TIMER_REG(frequency), &frequency) ||
	    vcpu_get_reg(vcpu, TIMER_REG(time), &time))
		return;
	vcpu_set_reg(vcpu, TIMER_REG(time),
		     time - (u64)((unsigned __int128)ns * frequency / 1000000000));
}

/*
 * The state that a kernel starts in (Documentation/arch/riscv/boot.rst in Linux). All else is as
 * KVM makes a vCPU: in supervisor mode, without translation, and stopped but for the first one,
 * until that starts it through the SBI.
 */
static int set_boot_regs(const struct vcpu *vcpu, u64 entry, u64 fdt)
{
	int ret = vcpu_set_reg(vcpu, CORE_REG(regs.pc), entry);

	if (!ret)
		ret = vcpu_set_reg(vcpu, CORE_REG(regs.a0), vcpu->index);
	if (!ret)
		ret = vcpu_set_reg(vcpu, CORE_REG(regs.a1), fdt);
	return ret;
}

int arch_start_vcpus(struct machine *m, u64 entry, u64 fdt)
{
	struct vm *vm = &m->vm;
	int ret = riscv_irqchip_start(m);

	if (ret)
		return ret;
	/* Older hosts do not have it: then the guest has no debug console. */
	for (unsigned int i = 0; i < vm->nr_vcpus; i++)
		vcpu_set_reg(&vm->vcpus[i], RISCV_REG(RISCV_REG_TYPE_SBI_EXT, RISCV_SBI_EXT_DBCN),
			     1);
	ret = set_boot_regs(&vm->vcpus[0], entry, fdt);
	if (ret)
		pr_err("KVM refuses the registers of the first vCPU: %s", strerror(-ret));
	return ret;
}
