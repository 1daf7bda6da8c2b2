/* SPDX-License-Identifier: GPL-2.0-only */
/* The machine: KVM's file descriptors, memory, vCPUs, buses, and how it ends. */
#ifndef LKVM_VM_VM_H
#define LKVM_VM_VM_H

#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include "util/types.h"
#include "vm/bus.h"
#include "vm/irq.h"
#include "vm/memory.h"

/*
 * Interrupts KVM_RUN so that a vCPU's thread looks at vm->stopping and vm->pausing. From
 * vm_start() on it does nothing else.
 */
#define KICK_SIGNAL SIGRTMAX

/* What has a number in ACPI and in an xAPIC. What the host's KVM allows may be less. */
#define VM_MAX_VCPUS 255

/* What --cpus takes, for the usage text. */
#define VM_VCPUS_USAGE "vCPUs, 1 to 255 (1)"

struct arch_irqchip;
struct vm;

/* Why a vCPU came back from KVM_RUN, for the counters. */
enum vcpu_exit {
	VCPU_EXIT_IO,
	VCPU_EXIT_MMIO,
	VCPU_EXIT_HALT,
	VCPU_EXIT_INTR, /* a signal, which is how lkvm calls it back */
	VCPU_EXIT_HYPERCALL,
	VCPU_EXIT_OTHER,
	VCPU_NR_EXITS,
};

struct vcpu {
	struct vm *vm;
	unsigned int index;
	int fd;
	struct kvm_run *run;
	size_t run_size;
	pthread_t thread;
	bool started;

	/* Set around KVM_RUN, before a look at vm->pausing: see vm_pause(). */
	_Atomic bool in_guest;
	_Atomic u64 exits[VCPU_NR_EXITS]; /* written by its own thread only */
};

struct vm {
	int kvm_fd;
	int fd;
	unsigned int phys_bits; /* that a guest-physical address has at most, on this host */
	struct guest_mem mem;
	struct bus mmio;
	struct bus pio;
	struct irq_routes irq;
	struct arch_irqchip *irqchip; /* what the architecture keeps of its interrupt controller */
	struct vcpu *vcpus;
	unsigned int nr_vcpus;

	_Atomic bool stopping;
	_Atomic int status; /* exit status of the program, once stopping */
	int stop_fd; /* eventfd: readable once stopping */

	_Atomic bool pausing; /* vCPUs stay out of KVM_RUN */
	_Atomic u64 out_ns; /* CLOCK_MONOTONIC: when the last vCPU came out for the pause */
	int go_fd; /* eventfd: readable unless pausing; nobody but vm_pause() reads it */
	int out_fd; /* eventfd: written by a vCPU that leaves KVM_RUN while pausing */
	struct timespec started; /* CLOCK_MONOTONIC, at vm_start() */
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

/*
 * Calls all vCPUs out of the guest, and keeps them out until vm_resume(). Does not wait for
 * them: vm_is_paused() says whether the last one is out, and vm->out_fd is readable when one
 * came out. What a vCPU does outside of the guest, for an exit that it had before (to print
 * to where nobody reads, to wait for a disk), goes on. Any number of times; from one thread.
 */
void vm_pause(struct vm *vm);
void vm_resume(struct vm *vm);
bool vm_is_paused(const struct vm *vm);

/*
 * A register of 64 bits by KVM's ID of it, of a vCPU that is not in the guest. -errno; -ENOENT:
 * this vCPU does not have it.
 */
int vcpu_get_reg(const struct vcpu *vcpu, u64 id, u64 *val);
int vcpu_set_reg(const struct vcpu *vcpu, u64 id, u64 val);

/* A register by the name that people know it by, and KVM's number. */
struct vcpu_reg {
	const char *name;
	u64 id;
};

/* Those that KVM still knows, by pr_info(), one a line. */
void vcpu_show_regs(const struct vcpu *vcpu, const struct vcpu_reg *regs, unsigned int nr);

/* An attribute of what KVM has at @fd, a device or a vCPU; @value as the attribute has it. -errno.
 */
int kvm_set_attr(int fd, u32 group, u64 attr, const void *value);

/* KVM_CHECK_EXTENSION on the machine; 0 if absent. */
int vm_has_cap(const struct vm *vm, long cap);

/* How a host of this architecture gets its /dev/kvm, as the end of a message that there is none. */
extern const char arch_kvm_hint[];

/*
 * What KVM_CREATE_VM takes: on some architectures, how wide guest-physical addresses are. Does
 * not fail; what is unknown is the default, 0.
 */
unsigned long arch_vm_type(int kvm_fd);

/*
 * How many bits a guest-physical address has at most, on this host; 0, with a message, if KVM does
 * not tell. Once a machine, for vm->phys_bits.
 */
unsigned int arch_phys_bits(const struct vm *vm);

/*
 * What the architecture adds to the run loop: handles an exit that the loop does not
 * know. False if it does not know it either.
 */
bool arch_handle_exit(struct vcpu *vcpu);

/*
 * Says where the vCPU is, as far as KVM still knows, with pr_info(): after an exit that ends the
 * machine, in the thread of the vCPU.
 */
void arch_vcpu_show(const struct vcpu *vcpu);

/*
 * After a pause: in the thread of each vCPU, when it is about to go on; and before that, once, with
 * no vCPU in the guest, which was out for @ns.
 */
void arch_vcpu_resumed(struct vcpu *vcpu);
void arch_vm_resuming(struct vm *vm, u64 ns);

#endif /* LKVM_VM_VM_H */
