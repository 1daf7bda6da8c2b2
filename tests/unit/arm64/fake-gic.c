// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arm/gic.h"
#include "fake-gic.h"

/* Files of these numbers are never open. */
#define KVM_FD	1000000
#define VM_FD	1000001
#define GIC_FD	1000002
#define ITS_FD	1000003
#define VCPU_FD 1001000

struct machine machine;

static struct machine_config config;
static struct fake_host host;
static char log_text[64 * 1024], told[sizeof(log_text)];

static int fail(int err)
{
	errno = err;
	return -1;
}

static int __attribute__((format(printf, 1, 2))) tell(const char *fmt, ...)
{
	size_t len = strlen(log_text);
	char word[64];
	va_list args;

	va_start(args, fmt);
	vsnprintf(word, sizeof(word), fmt, args);
	va_end(args);
	snprintf(log_text + len, sizeof(log_text) - len, "%s%s", len ? " " : "", word);
	return host.fails && !strcmp(word, host.fails) ? fail(EINVAL) : 0;
}

static int extension(long cap)
{
	switch (cap) {
	case KVM_CAP_ARM_PSCI_0_2:
		return 1;
	case KVM_CAP_ARM_PMU_V3:
		return host.pmu;
	case KVM_CAP_ARM_SVE:
		return host.sve;
	case KVM_CAP_ARM_PTRAUTH_ADDRESS:
		return host.pauth_address;
	case KVM_CAP_ARM_PTRAUTH_GENERIC:
		return host.pauth_generic;
	case KVM_CAP_ARM_NISV_TO_USER:
		return host.nisv;
	case KVM_CAP_ARM_VM_IPA_SIZE:
		return host.ipa_bits;
	default:
		return 64;
	}
}

static int create_device(struct kvm_create_device *device)
{
	bool there = device->type == KVM_DEV_TYPE_ARM_VGIC_V3 ? host.gicv3
		     : device->type == KVM_DEV_TYPE_ARM_VGIC_ITS
			     ? host.its
			     : device->type == KVM_DEV_TYPE_ARM_VGIC_V2 && host.gicv2;

	if (!there)
		return fail(ENODEV);
	if (device->flags & KVM_CREATE_DEVICE_TEST)
		return 0;
	device->fd = device->type == KVM_DEV_TYPE_ARM_VGIC_ITS ? ITS_FD : GIC_FD;
	return tell("%s", device->fd == ITS_FD			     ? "its"
			  : device->type == KVM_DEV_TYPE_ARM_VGIC_V3 ? "gicv3"
								     : "gicv2");
}

static int set_attr(int fd, const struct kvm_device_attr *attr)
{
	const void *value = (const void *)(uintptr_t)attr->addr;
	const char *name = fd == ITS_FD ? "its" : "gic";

	if (fd >= VCPU_FD) {
		if (attr->attr == KVM_ARM_VCPU_PMU_V3_IRQ)
			return tell("pmu%d-irq=%d", fd - VCPU_FD, *(const int *)value);
		return tell("pmu%d-init", fd - VCPU_FD);
	}
	switch (attr->group) {
	case KVM_DEV_ARM_VGIC_GRP_ADDR:
		return tell("%s-addr%llu=%llx", name, (unsigned long long)attr->attr,
			    *(const unsigned long long *)value);
	case KVM_DEV_ARM_VGIC_GRP_NR_IRQS:
		return tell("%s-irqs=%u", name, *(const u32 *)value);
	default:
		return tell("%s-init", name);
	}
}

static int vcpu_ioctl(int vcpu, unsigned long request, const void *arg)
{
	const struct kvm_vcpu_init *init = arg;
	const struct kvm_one_reg *reg = arg;

	switch (request) {
	case KVM_ARM_VCPU_INIT:
		return tell("vcpu%d=%x", vcpu, init->features[0]);
	case KVM_ARM_VCPU_FINALIZE:
		return tell("finalize%d=%d", vcpu, *(const int *)arg);
	case KVM_SET_ONE_REG:
		return tell("reg%d-%llx=%llx", vcpu, reg->id & 0xffff,
			    *(const unsigned long long *)(uintptr_t)reg->addr);
	}
	return fail(ENOTTY);
}

int fake_ioctl(int fd, unsigned long request, void *arg)
{
	const struct kvm_irq_level *level = arg;
	struct kvm_vcpu_init *init = arg;

	if (fd < KVM_FD)
		return syscall(SYS_ioctl, fd, request, arg);
	switch (request) {
	case KVM_CHECK_EXTENSION:
		return extension((long)(uintptr_t)arg);
	case KVM_CREATE_DEVICE:
		return create_device(arg);
	case KVM_SET_DEVICE_ATTR:
		return set_attr(fd, arg);
	case KVM_IRQ_LINE:
		return tell("%x=%u", level->irq, level->level);
	case KVM_ARM_PREFERRED_TARGET:
		*init = (struct kvm_vcpu_init){.target = KVM_ARM_TARGET_GENERIC_V8};
		return 0;
	case KVM_ENABLE_CAP:
		return tell("cap%u", ((const struct kvm_enable_cap *)arg)->cap);
	}
	return fd >= VCPU_FD ? vcpu_ioctl(fd - VCPU_FD, request, arg) : fail(ENOTTY);
}

static unsigned int index_of(const char *irqchip)
{
	for (unsigned int i = 0; arch_irqchips[i]; i++) {
		if (!strcmp(arch_irqchips[i], irqchip))
			return i;
	}
	abort();
}

void fake_start(const struct fake_host *h, unsigned int nr_vcpus, const char *irqchip)
{
	memset(&machine, 0, sizeof(machine));
	host = *h;
	config = (struct machine_config){
		.nr_vcpus = nr_vcpus,
		.cpu_without = h->without,
		.irqchip = irqchip ? index_of(irqchip) + 1 : 0,
	};
	log_text[0] = '\0';
	machine.config = &config;
	machine.vm.kvm_fd = KVM_FD;
	machine.vm.fd = VM_FD;
	bus_init(&machine.vm.mmio);
	machine.vm.vcpus = calloc(nr_vcpus, sizeof(*machine.vm.vcpus));
	if (!machine.vm.vcpus)
		exit(2);
	machine.vm.nr_vcpus = nr_vcpus;
	for (unsigned int i = 0; i < nr_vcpus; i++)
		machine.vm.vcpus[i] =
			(struct vcpu){.vm = &machine.vm, .index = i, .fd = VCPU_FD + (int)i};
}

void fake_end(void)
{
	irq_destroy(&machine.vm);
	arch_destroy_irqchip(&machine);
	free(machine.vm.vcpus);
}

const char *fake_told(void)
{
	strcpy(told, log_text);
	log_text[0] = '\0';
	return told;
}
