// SPDX-License-Identifier: GPL-2.0-only
/* vCPUs as the host's KVM can give them, and their state at the start. */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "arm/cpu.h"
#include "arm/gic.h"
#include "arm/layout.h"
#include "util/log.h"

/* PSTATE of the boot protocol: EL1 with its own stack pointer, all exceptions masked. */
#define PSTATE_EL1H 0x5
#define PSTATE_DAIF 0x3c0

#define CORE_REG(name) \
	(KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(regs.name))

const char *const arch_cpu_features[] = {
	[ARM_PMU] = "pmu",
	[ARM_SVE] = "sve",
	[ARM_PAUTH] = "pauth",
	[ARM_NR_FEATURES] = NULL,
};
const char arch_cpu_without_arg[] = "pmu|sve|pauth[,...]";
const char arch_cpu_without_usage[] = "vCPUs have no performance counters, no SVE, no\n"
				      "pointer authentication";

bool arm_has_feature(const struct machine *m, enum arm_feature feature)
{
	if (m->config->cpu_without & BIT(feature))
		return false;
	switch (feature) {
	case ARM_PMU:
		return vm_has_cap(&m->vm, KVM_CAP_ARM_PMU_V3);
	case ARM_SVE:
		return vm_has_cap(&m->vm, KVM_CAP_ARM_SVE);
	case ARM_PAUTH:
		/* KVM takes both kinds of keys or none. */
		return vm_has_cap(&m->vm, KVM_CAP_ARM_PTRAUTH_ADDRESS) &&
		       vm_has_cap(&m->vm, KVM_CAP_ARM_PTRAUTH_GENERIC);
	default:
		return false;
	}
}

/* What all vCPUs have. Prints the reason; -errno. */
static int choose_features(const struct machine *m, struct kvm_vcpu_init *init)
{
	const struct vm *vm = &m->vm;
	u32 *features = init->features;

	if (ioctl(vm->fd, KVM_ARM_PREFERRED_TARGET, init) < 0) {
		int ret = -errno;

		pr_err("KVM has no kind of vCPU for this host's CPUs: %s", strerror(-ret));
		return ret;
	}
	if (!vm_has_cap(vm, KVM_CAP_ARM_PSCI_0_2)) {
		pr_err("KVM lacks PSCI 0.2: a newer host kernel is needed");
		return -ENOTSUP;
	}
	features[0] |= BIT(KVM_ARM_VCPU_PSCI_0_2);
	if (arm_has_feature(m, ARM_PMU))
		features[0] |= BIT(KVM_ARM_VCPU_PMU_V3);
	if (arm_has_feature(m, ARM_SVE))
		features[0] |= BIT(KVM_ARM_VCPU_SVE);
	if (arm_has_feature(m, ARM_PAUTH))
		features[0] |=
			BIT(KVM_ARM_VCPU_PTRAUTH_ADDRESS) | BIT(KVM_ARM_VCPU_PTRAUTH_GENERIC);
	return 0;
}

static int init_vcpu(struct vcpu *vcpu, struct kvm_vcpu_init init)
{
	int sve = KVM_ARM_VCPU_SVE;
	int ret;

	/* The first one starts the others by PSCI. */
	if (vcpu->index)
		init.features[0] |= BIT(KVM_ARM_VCPU_POWER_OFF);
	if (ioctl(vcpu->fd, KVM_ARM_VCPU_INIT, &init) < 0) {
		ret = -errno;
		pr_err("KVM cannot set up vCPU %u (target %u, features 0x%x): %s; try "
		       "--cpu-without sve,pauth,pmu",
		       vcpu->index, init.target, init.features[0], strerror(-ret));
		return ret;
	}
	/* With all vector lengths that the host's CPUs have in common. */
	if ((init.features[0] & BIT(KVM_ARM_VCPU_SVE)) &&
	    ioctl(vcpu->fd, KVM_ARM_VCPU_FINALIZE, &sve) < 0) {
		ret = -errno;
		pr_err("KVM cannot set up SVE of vCPU %u: %s; try --cpu-without sve", vcpu->index,
		       strerror(-ret));
		return ret;
	}
	return 0;
}

/* When there is an interrupt controller for the counters. */
static int init_pmu(const struct vcpu *vcpu)
{
	int irq = GIC_PPI_BASE + GIC_PPI_PMU;
	int ret = kvm_set_attr(vcpu->fd, KVM_ARM_VCPU_PMU_V3_CTRL, KVM_ARM_VCPU_PMU_V3_IRQ, &irq);

	if (!ret)
		ret = kvm_set_attr(vcpu->fd, KVM_ARM_VCPU_PMU_V3_CTRL, KVM_ARM_VCPU_PMU_V3_INIT,
				   NULL);
	if (ret)
		pr_err("KVM cannot set up the performance counters of vCPU %u: %s; try "
		       "--cpu-without pmu",
		       vcpu->index, strerror(-ret));
	return ret;
}

/* Linux, Documentation/arch/arm64/booting.rst. Registers that are not set are zero. */
static int set_boot_regs(const struct vcpu *vcpu, u64 entry, u64 fdt)
{
	int ret = vcpu_set_reg(vcpu, CORE_REG(pstate), PSTATE_DAIF | PSTATE_EL1H);

	if (!ret)
		ret = vcpu_set_reg(vcpu, CORE_REG(regs[0]), fdt);
	if (!ret)
		ret = vcpu_set_reg(vcpu, CORE_REG(pc), entry);
	if (ret)
		pr_err("KVM refuses the registers of the first vCPU: %s", strerror(-ret));
	return ret;
}

/*
 * Accesses to devices that KVM cannot decode come back with their address, on hosts that know
 * how. On others KVM_RUN fails.
 */
static void set_nisv_exits(const struct vm *vm)
{
	struct kvm_enable_cap cap = {.cap = KVM_CAP_ARM_NISV_TO_USER};

	if (vm_has_cap(vm, KVM_CAP_ARM_NISV_TO_USER))
		ioctl(vm->fd, KVM_ENABLE_CAP, &cap);
}

int arch_start_vcpus(struct machine *m, u64 entry, u64 fdt)
{
	struct vm *vm = &m->vm;
	struct kvm_vcpu_init init = {0};
	int ret = choose_features(m, &init);

	for (unsigned int i = 0; !ret && i < vm->nr_vcpus; i++)
		ret = init_vcpu(&vm->vcpus[i], init);
	if (!ret)
		ret = gic_init_for_vcpus(vm);
	if (init.features[0] & BIT(KVM_ARM_VCPU_PMU_V3)) {
		for (unsigned int i = 0; !ret && i < vm->nr_vcpus; i++)
			ret = init_pmu(&vm->vcpus[i]);
	}
	if (ret)
		return ret;
	set_nisv_exits(vm);
	return set_boot_regs(&vm->vcpus[0], entry, fdt);
}
