/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_X86_CPU_H
#define LKVM_X86_CPU_H

#include "vm/vm.h"

/*
 * Gives @vcpu what this host's KVM can, as one core of a package of vm->nr_vcpus cores
 * with APIC ID = index, and the memory types that firmware leaves behind. Prints the
 * reason on failure.
 */
int x86_cpu_init(struct vcpu *vcpu);

#endif /* LKVM_X86_CPU_H */
