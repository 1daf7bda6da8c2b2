// SPDX-License-Identifier: GPL-2.0-only
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>

#include "util/log.h"
#include "x86/cpu.h"

#define MAX_CPUID 256

/* CPUID leaves that say which CPU this is among how many. */
#define LEAF_FEATURES	  0x1
#define LEAF_CACHES	  0x4
#define LEAF_TOPOLOGY	  0xb
#define LEAF_TOPOLOGY_V2  0x1f
#define LEAF_AMD_FEATURES 0x80000001
#define LEAF_AMD_SIZES	  0x80000008
#define LEAF_AMD_TOPOLOGY 0x8000001e
#define LEAF_AMD_CACHES	  0x8000001d
#define LEAF_AMD_LEVELS	  0x80000026

#define FEATURES_ECX_TSC_DEADLINE   BIT(24)
#define FEATURES_ECX_HYPERVISOR	    BIT(31)
#define FEATURES_EDX_HTT	    BIT(28)
#define AMD_FEATURES_ECX_CMP_LEGACY BIT(1)

#define LEVEL_SMT  (1 << 8)
#define LEVEL_CORE (2 << 8)

#define MSR_IA32_MISC_ENABLE	0x1a0
#define MISC_ENABLE_FAST_STRING BIT(0)
#define MSR_MTRR_DEF_TYPE	0x2ff
#define MTRR_ENABLE		BIT(11)
#define MTRR_WRITE_BACK		6

/* A kvm_cpuid2 with room. */
struct cpuid_table {
	u32 nent;
	u32 padding;
	struct kvm_cpuid_entry2 entries[MAX_CPUID];
};
static_assert(offsetof(struct cpuid_table, entries) == offsetof(struct kvm_cpuid2, entries),
	      "no gap");

/*
 * NULL, with a message, if KVM does not tell. It is asked once, for the answer takes it long and
 * does not change. For the thread that makes the machine.
 */
static const struct cpuid_table *supported_cpuid(const struct vm *vm)
{
	static struct cpuid_table table;

	if (table.nent)
		return &table;
	table.nent = MAX_CPUID - 2; /* room for what is added */
	if (ioctl(vm->kvm_fd, KVM_GET_SUPPORTED_CPUID, &table) < 0) {
		table.nent = 0;
		pr_err("KVM does not tell its CPU features: %s", strerror(errno));
		return NULL;
	}
	return &table;
}

/* Bits of the APIC ID that number @nr cores. */
static unsigned int id_bits(unsigned int nr)
{
	unsigned int bits = 0;

	while ((1U << bits) < nr)
		bits++;
	return bits;
}

/* Which data caches the cores share: only the last level. */
static u32 cache_sharing(const struct kvm_cpuid_entry2 *e, unsigned int nr)
{
	unsigned int level = (e->eax >> 5) & 7;

	return level >= 3 ? (1U << id_bits(nr)) - 1 : 0;
}

static void set_topology(struct kvm_cpuid_entry2 *e, unsigned int id, unsigned int nr)
{
	unsigned int bits = id_bits(nr);

	switch (e->function) {
	case LEAF_FEATURES:
		e->ebx = (e->ebx & 0xffff) | id << 24 | min(1U << bits, 255U) << 16;
		e->edx &= ~FEATURES_EDX_HTT;
		if (nr > 1)
			e->edx |= FEATURES_EDX_HTT;
		e->ecx |= FEATURES_ECX_HYPERVISOR;
		break;
	case LEAF_CACHES:
		e->eax &= 0x3fff;
		if (e->eax & 0x1f)
			e->eax |= cache_sharing(e, nr) << 14 | min((1U << bits) - 1, 63U) << 26;
		break;
	case LEAF_AMD_CACHES:
		e->eax = (e->eax & 0x3fff) | cache_sharing(e, nr) << 14;
		break;
	case LEAF_AMD_FEATURES:
		e->ecx &= ~AMD_FEATURES_ECX_CMP_LEGACY;
		if (nr > 1)
			e->ecx |= AMD_FEATURES_ECX_CMP_LEGACY;
		break;
	case LEAF_AMD_SIZES:
		e->ecx = (e->ecx & ~0xffffU) | bits << 12 | min(nr - 1, 255U);
		break;
	case LEAF_AMD_TOPOLOGY:
		e->eax = id;
		e->ebx = id & 0xff;
		e->ecx = 0;
		break;
	}
}

static void add_topology_level(struct cpuid_table *table, unsigned int index, u32 shift, u32 count,
			       u32 level, unsigned int id)
{
	table->entries[table->nent++] = (struct kvm_cpuid_entry2){
		.function = LEAF_TOPOLOGY,
		.index = index,
		.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
		.eax = shift,
		.ebx = count,
		.ecx = level | index,
		.edx = id,
	};
}

static int set_cpuid(struct vcpu *vcpu)
{
	const struct vm *vm = vcpu->vm;
	const struct cpuid_table *supported = supported_cpuid(vm);
	struct cpuid_table table = {0};
	bool has_topology = false;
	int ret = 0;

	if (!supported)
		return -ENOTSUP;
	for (unsigned int i = 0; i < supported->nent; i++) {
		struct kvm_cpuid_entry2 *e = &table.entries[table.nent];

		*e = supported->entries[i];
		/* Written anew below: the host's own levels say nothing here. */
		if (e->function == LEAF_TOPOLOGY || e->function == LEAF_TOPOLOGY_V2) {
			has_topology = true;
			continue;
		}
		/* Without it, a guest takes the leaves that say the same. */
		if (e->function == LEAF_AMD_LEVELS)
			continue;
		if (e->function == LEAF_FEATURES && vm_has_cap(vm, KVM_CAP_TSC_DEADLINE_TIMER))
			e->ecx |= FEATURES_ECX_TSC_DEADLINE;
		set_topology(e, vcpu->index, vm->nr_vcpus);
		table.nent++;
	}
	if (has_topology) {
		add_topology_level(&table, 0, 0, 1, LEVEL_SMT, vcpu->index);
		add_topology_level(&table, 1, id_bits(vm->nr_vcpus), vm->nr_vcpus, LEVEL_CORE,
				   vcpu->index);
	}
	if (ioctl(vcpu->fd, KVM_SET_CPUID2, &table) < 0) {
		ret = -errno;
		pr_err("KVM refuses the CPU features of vCPU %u: %s", vcpu->index, strerror(-ret));
	}
	return ret;
}

static int set_msr(struct vcpu *vcpu, u32 index, u64 data)
{
	/* A kvm_msrs with room. */
	struct {
		u32 nmsrs;
		u32 padding;
		struct kvm_msr_entry entry;
	} msrs = {.nmsrs = 1, .entry = {.index = index, .data = data}};
	/* The result is how many were set. */
	int ret = ioctl(vcpu->fd, KVM_SET_MSRS, &msrs) == 1 ? 0 : -EINVAL;

	if (ret)
		pr_err("KVM refuses MSR 0x%x of vCPU %u", index, vcpu->index);
	return ret;
}

int x86_cpu_init(struct vcpu *vcpu)
{
	int ret = set_cpuid(vcpu);

	if (!ret)
		ret = set_msr(vcpu, MSR_IA32_MISC_ENABLE, MISC_ENABLE_FAST_STRING);
	if (!ret)
		ret = set_msr(vcpu, MSR_MTRR_DEF_TYPE, MTRR_ENABLE | MTRR_WRITE_BACK);
	return ret;
}

unsigned int arch_phys_bits(const struct vm *vm)
{
	const struct cpuid_table *table = supported_cpuid(vm);
	unsigned int bits = 36; /* what a CPU has that does not say */

	if (!table)
		return 0;
	for (unsigned int i = 0; i < table->nent; i++) {
		const struct kvm_cpuid_entry2 *e = &table->entries[i];

		if (e->function != LEAF_AMD_SIZES || !(e->eax & 0xff))
			continue;
		bits = e->eax & 0xff;
		/* What the host's second-level page tables hold may be less, and is here then. */
		if (e->eax >> 16 & 0xff)
			bits = min(bits, e->eax >> 16 & 0xff);
	}
	return bits;
}
