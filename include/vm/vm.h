/* SPDX-License-Identifier: GPL-2.0-only */
/* The machine: KVM's file descriptors, memory, vCPUs, buses, and how it ends. */
#ifndef LKVM_VM_VM_H
#define LKVM_VM_VM_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>

#include "util/types.h"
#include "vm/bus.h"
#include "vm/irq.h"
#include "vm/memory.h"

struct vm;

struct vcpu {
	struct vm *vm;
	unsigned int index;
	int fd;
	struct kvm_run *run;
	size_t run_size;
	pthread_t thread;
	bool started;
};

struct vm {
	int kvm_fd;
	int fd;
	struct guest_mem mem;
	struct bus mmio;
	struct bus pio;
	struct irq_routes irq;
	struct vcpu *vcpus;
	unsigned int nr_vcpus;

	_Atomic bool stopping;
	_Atomic int status; /* exit status of the program, once stopping */
	int stop_fd; /* eventfd: readable once stopping */
};

/*
 * Opens /dev/kvm and makes an empty machine. Prints the reason on failure; what
 * is missing and how to get it.
 */
int vm_init(struct vm *vm);
void vm_destroy(struct vm *vm);

/*
 * The boot order: banks are in vm->mem, then vm_set_memory() gives them to KVM; the
 * architecture makes its interrupt controller; vm_create_vcpus(); the architecture
 * sets the vCPUs' registers; vm_start() runs them.
 */
int vm_set_memory(struct vm *vm);
int vm_create_vcpus(struct vm *vm, unsigned int nr);
int vm_start(struct vm *vm);

/*
 * Asks for the end of the machine with this exit status; the first request counts.
 * From any thread, async-signal-safe.
 */
void vm_stop(struct vm *vm, int status);

/* Waits until no vCPU runs. After vm_stop(). */
void vm_join(struct vm *vm);

/* KVM_CHECK_EXTENSION on the machine; 0 if absent. */
int vm_has_cap(const struct vm *vm, long cap);

/*
 * What the architecture adds to the run loop: handles an exit that the loop does not
 * know. False if it does not know it either.
 */
bool arch_handle_exit(struct vcpu *vcpu);

#endif /* LKVM_VM_VM_H */
