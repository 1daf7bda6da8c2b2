/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a machine without KVM can know of it: which doorbells it watches, which wires are
 * up, which messages it would deliver. A test program that wants it defines ioctl() as a
 * call of fake_kvm_ioctl(). Its interrupt controller has a window for messages like that of x86,
 * and wants to know who sends them, as that of others.
 */
#ifndef LKVM_TESTS_FAKE_KVM_H
#define LKVM_TESTS_FAKE_KVM_H

#include "vm/vm.h"

/* A machine with @ram bytes of memory from 0 on, buses and interrupt routes. */
void fake_kvm_start(struct vm *vm, u64 ram);
void fake_kvm_end(struct vm *vm);

int fake_kvm_ioctl(int fd, unsigned long request, void *arg);

/* The next KVM_IOEVENTFD or KVM_IRQFD that adds something fails with @err. */
void fake_kvm_refuse(int err);

bool fake_kvm_wire(u32 gsi);

/*
 * The eventfd that is signalled by any write to @addr, or by one of @value in @len bytes; -1
 * if there is none. And how many there are.
 */
int fake_kvm_doorbell(u64 addr);
int fake_kvm_doorbell_for(u64 addr, u32 len, u64 value);
unsigned int fake_kvm_nr_doorbells(void);

#define FAKE_MSI_START 0xfee00000ULL
#define FAKE_MSI_LAST  0xfeefffffULL

/* Takes a message that was sent, by a route or at once; false if there is none. */
bool fake_kvm_message(u64 *addr, u32 *data);

/* The next of those that were sent at once, with its sender; it stays there. */
bool fake_kvm_sender(u32 *devid);

/* Routes of messages that are in use. */
unsigned int fake_kvm_nr_irqfds(void);

#endif /* LKVM_TESTS_FAKE_KVM_H */
