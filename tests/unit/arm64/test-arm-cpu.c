// SPDX-License-Identifier: GPL-2.0-only
/* What vCPUs get of what a host has, and how they start. */
#include <errno.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "arm/cpu.h"
#include "capture.h"
#include "fake-gic.h"
#include "fdt/board.h"
#include "unit.h"

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	return fake_ioctl(fd, request, arg);
}

/* Bits of KVM_ARM_VCPU_INIT: 0 POWER_OFF, 2 PSCI_0_2, 3 PMU_V3, 4 SVE, 5 and 6 PTRAUTH. */

static const struct fake_host plain_host = {.gicv3 = true, .its = true};
static const struct fake_host rich_host = {
	.gicv3 = true,
	.its = true,
	.pmu = true,
	.sve = true,
	.pauth_address = true,
	.pauth_generic = true,
	.nisv = true,
};

static void start(const struct fake_host *host, unsigned int nr_vcpus)
{
	fake_start(host, nr_vcpus, NULL);
	if (arch_init_irqchip(&machine))
		exit(2);
	fake_told();
}

TEST(a_plain_host)
{
	start(&plain_host, 3);
	CHECK_EQ(arch_start_vcpus(&machine, 0x80200000, 0x88000000), 0);
	/* The controller when all vCPUs are there; PSTATE, X0 and PC of the first one. */
	CHECK_STR_EQ(fake_told(), "vcpu0=4 vcpu1=5 vcpu2=5 gic-init its-init "
				  "reg0-42=3c5 reg0-0=88000000 reg0-40=80200000");
	fake_end();
}

TEST(a_host_with_everything)
{
	start(&rich_host, 2);
	CHECK_EQ(arch_start_vcpus(&machine, 0x80200000, 0x88000000), 0);
	CHECK_STR_EQ(fake_told(), "vcpu0=7c finalize0=4 vcpu1=7d finalize1=4 gic-init its-init "
				  "pmu0-irq=23 pmu0-init pmu1-irq=23 pmu1-init cap177 "
				  "reg0-42=3c5 reg0-0=88000000 reg0-40=80200000");
	fake_end();
}

TEST(what_the_user_does_not_want)
{
	static const char *const told[] = {
		[ARM_PMU] = "vcpu0=74 finalize0=4 gic-init its-init cap177 reg0-42=3c5 reg0-0=0 "
			    "reg0-40=0",
		[ARM_SVE] = "vcpu0=6c gic-init its-init pmu0-irq=23 pmu0-init cap177 reg0-42=3c5 "
			    "reg0-0=0 reg0-40=0",
		[ARM_PAUTH] = "vcpu0=1c finalize0=4 gic-init its-init pmu0-irq=23 pmu0-init "
			      "cap177 reg0-42=3c5 reg0-0=0 reg0-40=0",
	};

	for (unsigned int i = 0; i < ARM_NR_FEATURES; i++) {
		struct fake_host host = rich_host;

		host.without = BIT(i);
		start(&host, 1);
		CHECK_EQ(arch_start_vcpus(&machine, 0, 0), 0);
		CHECK_STR_EQ(fake_told(), told[i]);
		fake_end();
	}
}

TEST(pointer_authentication_needs_both_kinds)
{
	struct fake_host host = plain_host;

	host.pauth_address = true;
	start(&host, 1);
	CHECK_EQ(arch_start_vcpus(&machine, 0, 0), 0);
	CHECK(!strncmp(fake_told(), "vcpu0=4 ", 8));
	fake_end();
}

TEST(kvm_refuses)
{
	static const char *const calls[][2] = {
		{"vcpu1=7d", "vCPU 1 (target 5, features 0x7d)"},
		{"finalize0=4", "SVE of vCPU 0"},
		{"gic-init", "gicv3-its for 2 vCPUs"},
		{"its-init", "gicv3-its for 2 vCPUs"},
		{"pmu1-irq=23", "performance counters of vCPU 1"},
		{"pmu0-init", "performance counters of vCPU 0"},
		{"reg0-40=80200000", "registers of the first vCPU"},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++) {
		struct fake_host host = rich_host;

		host.fails = calls[i][0];
		start(&host, 2);
		capture_begin();
		CHECK_EQ(arch_start_vcpus(&machine, 0x80200000, 0x88000000), -EINVAL);
		CHECK(capture_one_line(capture_end(), calls[i][1]));
		fake_end();
	}
}

TEST(addresses_are_as_wide_as_the_host_has_them)
{
	struct fake_host host = plain_host;

	fake_start(&host, 1, NULL);
	CHECK_EQ(arch_vm_type(machine.vm.kvm_fd), 0);
	CHECK_EQ(arch_phys_bits(&machine.vm), 40);
	fake_end();
	for (host.ipa_bits = 32; host.ipa_bits <= 52; host.ipa_bits++) {
		fake_start(&host, 1, NULL);
		CHECK_EQ(arch_vm_type(machine.vm.kvm_fd), host.ipa_bits == 40 ? 0 : host.ipa_bits);
		CHECK_EQ(arch_phys_bits(&machine.vm), host.ipa_bits);
		fake_end();
	}
}

TEST(sixteen_vcpus_share_an_affinity)
{
	CHECK_EQ(arm_mpidr(0), 0);
	CHECK_EQ(arm_mpidr(15), 0xf);
	CHECK_EQ(arm_mpidr(16), 0x100);
	CHECK_EQ(arm_mpidr(254), 0xf0e);
}

TEST(access_that_kvm_cannot_decode)
{
	struct kvm_run run = {.exit_reason = KVM_EXIT_ARM_NISV};

	start(&plain_host, 1);
	machine.vm.stop_fd = -1;
	machine.vm.vcpus[0].run = &run;
	run.arm_nisv.fault_ipa = 0x1000018;
	run.arm_nisv.esr_iss = 0x40;
	capture_begin();
	CHECK(arch_handle_exit(&machine.vm.vcpus[0]));
	CHECK(capture_one_line(capture_end(), "vCPU 0 wrote to 0x1000018"));
	CHECK(atomic_load(&machine.vm.stopping));
	CHECK_EQ(atomic_load(&machine.vm.status), 1);
	run.exit_reason = KVM_EXIT_DEBUG;
	CHECK(!arch_handle_exit(&machine.vm.vcpus[0]));
	fake_end();
}
