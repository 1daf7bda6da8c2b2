// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fake-kvm.h"

/* No file of this number is ever open. */
#define FAKE_FD 1000000

#define FIRST_MSI_GSI 24
#define MAX_ROUTES    64
#define MAX_FDS	      64
#define MAX_MESSAGES  16

static struct {
	int refuse;
	bool wires[256];
	struct kvm_irq_routing_entry routes[MAX_ROUTES];
	unsigned int nr_routes;
	struct kvm_ioeventfd doorbells[MAX_FDS];
	unsigned int nr_doorbells;
	struct kvm_irqfd irqfds[MAX_FDS];
	unsigned int nr_irqfds;

	pthread_mutex_t lock; /* guards what follows: any thread may send a message */
	struct kvm_msi messages[MAX_MESSAGES];
	unsigned int nr_messages;
} kvm = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int fail(int err)
{
	errno = err;
	return -1;
}

static int set_routing(const struct kvm_irq_routing *routing)
{
	if (routing->nr > MAX_ROUTES)
		return fail(ENOSPC);
	memcpy(kvm.routes, routing->entries, routing->nr * sizeof(kvm.routes[0]));
	kvm.nr_routes = routing->nr;
	return 0;
}

/* KVM takes one of each address, length and value. */
static bool same_doorbell(const struct kvm_ioeventfd *a, const struct kvm_ioeventfd *b)
{
	u32 match = KVM_IOEVENTFD_FLAG_DATAMATCH;

	return a->addr == b->addr && a->len == b->len && !((a->flags ^ b->flags) & match) &&
	       (!(a->flags & match) || a->datamatch == b->datamatch);
}

static int set_doorbell(const struct kvm_ioeventfd *d)
{
	unsigned int i = 0;

	while (i < kvm.nr_doorbells && !same_doorbell(&kvm.doorbells[i], d))
		i++;
	if (d->flags & KVM_IOEVENTFD_FLAG_DEASSIGN) {
		if (i == kvm.nr_doorbells || kvm.doorbells[i].fd != d->fd)
			return fail(ENOENT);
		kvm.doorbells[i] = kvm.doorbells[--kvm.nr_doorbells];
		return 0;
	}
	if (kvm.refuse)
		return fail(kvm.refuse);
	if (i < kvm.nr_doorbells || kvm.nr_doorbells == MAX_FDS)
		return fail(EEXIST);
	kvm.doorbells[kvm.nr_doorbells++] = *d;
	return 0;
}

static int set_irqfd(const struct kvm_irqfd *irqfd)
{
	unsigned int i = 0;

	while (i < kvm.nr_irqfds && kvm.irqfds[i].fd != irqfd->fd)
		i++;
	if (irqfd->flags & KVM_IRQFD_FLAG_DEASSIGN) {
		if (i == kvm.nr_irqfds)
			return fail(ENOENT);
		kvm.irqfds[i] = kvm.irqfds[--kvm.nr_irqfds];
		return 0;
	}
	if (kvm.refuse)
		return fail(kvm.refuse);
	if (i < kvm.nr_irqfds || kvm.nr_irqfds == MAX_FDS)
		return fail(EBUSY);
	kvm.irqfds[kvm.nr_irqfds++] = *irqfd;
	return 0;
}

static int signal_msi(const struct kvm_msi *msi)
{
	pthread_mutex_lock(&kvm.lock);
	if (kvm.nr_messages == MAX_MESSAGES)
		abort();
	kvm.messages[kvm.nr_messages++] = *msi;
	pthread_mutex_unlock(&kvm.lock);
	return 1;
}

/*
 * The interrupt controller of no architecture in particular. Weak: a test of an architecture's own
 * one has that in its program, too.
 */

__attribute__((weak)) bool arch_is_msi_addr(const struct vm *vm, u64 addr)
{
	(void)vm;
	return addr >= FAKE_MSI_START && addr <= FAKE_MSI_LAST;
}

__attribute__((weak)) void arch_route_msi(const struct vm *vm, struct kvm_irq_routing_entry *e,
					  u64 addr, u32 data, u32 devid)
{
	(void)vm;
	e->type = KVM_IRQ_ROUTING_MSI;
	e->flags = KVM_MSI_VALID_DEVID;
	e->u.msi.address_lo = addr;
	e->u.msi.address_hi = addr >> 32;
	e->u.msi.data = data;
	e->u.msi.devid = devid;
}

__attribute__((weak)) void arch_wire_level(struct vm *vm, u32 gsi, bool up)
{
	irq_kvm_line(vm, gsi, up);
}

__attribute__((weak)) unsigned long arch_vm_type(int kvm_fd)
{
	(void)kvm_fd;
	return 0;
}

int fake_kvm_ioctl(int fd, unsigned long request, void *arg)
{
	const struct kvm_irq_level *level = arg;

	if (fd != FAKE_FD)
		return syscall(SYS_ioctl, fd, request, arg);
	switch (request) {
	case KVM_CHECK_EXTENSION:
		return MAX_ROUTES;
	case KVM_SET_GSI_ROUTING:
		return set_routing(arg);
	case KVM_IOEVENTFD:
		return set_doorbell(arg);
	case KVM_IRQFD:
		return set_irqfd(arg);
	case KVM_SIGNAL_MSI:
		return signal_msi(arg);
	case KVM_IRQ_LINE:
		if (kvm.wires[level->irq] == level->level)
			abort();
		kvm.wires[level->irq] = level->level;
		return 0;
	}
	return fail(ENOTTY);
}

void fake_kvm_start(struct vm *vm, u64 ram)
{
	memset(&kvm, 0, sizeof(kvm));
	pthread_mutex_init(&kvm.lock, NULL);
	memset(vm, 0, sizeof(*vm));
	vm->kvm_fd = -1;
	vm->fd = FAKE_FD;
	vm->stop_fd = -1;
	bus_init(&vm->mmio);
	bus_init(&vm->pio);
	if (guest_mem_add_bank(&vm->mem, 0, ram) || irq_init(vm, FIRST_MSI_GSI))
		exit(2);
}

void fake_kvm_end(struct vm *vm)
{
	irq_destroy(vm);
	guest_mem_destroy(&vm->mem);
}

void fake_kvm_refuse(int err)
{
	kvm.refuse = err;
}

bool fake_kvm_wire(u32 gsi)
{
	return kvm.wires[gsi];
}

static int find_doorbell(const struct kvm_ioeventfd *d)
{
	for (unsigned int i = 0; i < kvm.nr_doorbells; i++) {
		if (same_doorbell(&kvm.doorbells[i], d))
			return kvm.doorbells[i].fd;
	}
	return -1;
}

int fake_kvm_doorbell(u64 addr)
{
	return find_doorbell(&(struct kvm_ioeventfd){.addr = addr});
}

int fake_kvm_doorbell_for(u64 addr, u32 len, u64 value)
{
	return find_doorbell(&(struct kvm_ioeventfd){
		.addr = addr,
		.len = len,
		.datamatch = value,
		.flags = KVM_IOEVENTFD_FLAG_DATAMATCH,
	});
}

unsigned int fake_kvm_nr_doorbells(void)
{
	return kvm.nr_doorbells;
}

static bool take_message(struct kvm_msi *msi)
{
	bool taken;

	pthread_mutex_lock(&kvm.lock);
	taken = kvm.nr_messages;
	if (taken) {
		*msi = kvm.messages[0];
		memmove(kvm.messages, kvm.messages + 1, --kvm.nr_messages * sizeof(*msi));
	}
	pthread_mutex_unlock(&kvm.lock);
	return taken;
}

/* A signalled eventfd sends what its route says. */
bool fake_kvm_message(u64 *addr, u32 *data)
{
	struct kvm_msi msi;
	u64 count;

	if (take_message(&msi)) {
		*addr = msi.address_lo | (u64)msi.address_hi << 32;
		*data = msi.data;
		return true;
	}
	for (unsigned int i = 0; i < kvm.nr_irqfds; i++) {
		if (read(kvm.irqfds[i].fd, &count, sizeof(count)) != sizeof(count))
			continue;
		for (unsigned int n = 0; n < kvm.nr_routes; n++) {
			const struct kvm_irq_routing_entry *e = &kvm.routes[n];

			if (e->gsi != kvm.irqfds[i].gsi || e->type != KVM_IRQ_ROUTING_MSI)
				continue;
			*addr = e->u.msi.address_lo | (u64)e->u.msi.address_hi << 32;
			*data = e->u.msi.data;
			return true;
		}
		abort(); /* an irqfd without a route */
	}
	return false;
}

unsigned int fake_kvm_nr_irqfds(void)
{
	return kvm.nr_irqfds;
}

bool fake_kvm_sender(u32 *devid)
{
	bool there;

	pthread_mutex_lock(&kvm.lock);
	there = kvm.nr_messages && (kvm.messages[0].flags & KVM_MSI_VALID_DEVID);
	if (there)
		*devid = kvm.messages[0].devid;
	pthread_mutex_unlock(&kvm.lock);
	return there;
}
