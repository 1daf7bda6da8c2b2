/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interrupts into KVM's in-kernel controllers: wires (GSIs), and messages (MSI) by
 * a routing table and irqfds, so that any thread, or the kernel on behalf of a
 * device, can raise one by a write to an eventfd.
 */
#ifndef LKVM_VM_IRQ_H
#define LKVM_VM_IRQ_H

#include <pthread.h>

#include "util/types.h"

struct kvm_irq_routing;
struct kvm_irq_routing_entry;
struct vm;

/* What has a wire on some machine: GSIs of wires are below this. */
#define IRQ_MAX_WIRES 128

struct irq_routes {
	bool ready; /* irq_init() or irq_init_wires() was called */
	pthread_mutex_t lock; /* guards all of this */
	struct kvm_irq_routing *table; /* NULL: the controller takes no messages */
	unsigned int max; /* entries that fit the table */
	unsigned int next_gsi; /* for message routes */
	u8 wire_level[IRQ_MAX_WIRES]; /* how many devices hold the wire up */
};

/*
 * Messages get GSIs from @first_msi_gsi on; below are the wires, whose routes the
 * architecture makes with irq_route_wire(). Prints the reason; -ENOTSUP, -ENOMEM.
 */
int irq_init(struct vm *vm, unsigned int first_msi_gsi);

/* The same for an interrupt controller that takes no messages. */
void irq_init_wires(struct vm *vm);
bool irq_has_messages(const struct vm *vm);
void irq_destroy(struct vm *vm);

/* Adds a route of wire @gsi to a pin of an in-kernel controller; irq_commit() tells KVM. */
int irq_route_wire(struct vm *vm, u32 gsi, u32 chip, u32 pin);
int irq_commit(struct vm *vm);

/*
 * Raises or lowers one device's share of a level-triggered wire: it is up while any
 * share is. The caller does not raise twice in a row.
 */
void irq_wire_set(struct vm *vm, u32 gsi, bool up);

/* An edge on a wire. */
void irq_wire_pulse(struct vm *vm, u32 gsi);

/* A message route: an eventfd that sends the message. */
struct msi_route {
	int fd; /* -1: not made yet */
	u32 gsi;
	u64 addr;
	u32 data;
};

void msi_route_init(struct msi_route *route);

/*
 * Makes the route send @data to @addr from now on, always for the same @devid: the requester
 * ID of a PCI function. -errno of KVM; -ENOSPC.
 */
int msi_route_set(struct vm *vm, struct msi_route *route, u32 devid, u64 addr, u32 data);
void msi_route_signal(const struct msi_route *route);
void msi_route_free(struct vm *vm, struct msi_route *route);

/*
 * Sends one message, of the requester ID @devid, and returns once the interrupt controller has
 * it: unlike a route, nothing of it is under way afterwards. What the controller does not take,
 * because the guest has not set it up for that, is lost, as it is on a route.
 */
void irq_send_msi(struct vm *vm, u32 devid, u64 addr, u32 data);

/*
 * What the architecture's interrupt controller adds.
 *
 * arch_is_msi_addr: the GPAs at which a write is a message for it.
 * arch_route_msi: fills in type and target of a route for @data, written to such an @addr by
 * @devid; the GSI is there. A message that no controller takes is routed to nowhere by KVM.
 * Where it becomes an edge on a pin (KVM_IRQ_ROUTING_IRQCHIP), the pin is one that
 * arch_wire_level() takes as a GSI.
 * arch_wire_level: drives a wire; with irq.lock if it is level-triggered.
 */
bool arch_is_msi_addr(const struct vm *vm, u64 addr);
void arch_route_msi(const struct vm *vm, struct kvm_irq_routing_entry *e, u64 addr, u32 data,
		    u32 devid);
void arch_wire_level(struct vm *vm, u32 gsi, bool up);

/* For arch_wire_level(): sets KVM's @irq, whose number means what the architecture says. */
void irq_kvm_line(struct vm *vm, u32 irq, bool up);

#endif /* LKVM_VM_IRQ_H */
