// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "util/log.h"
#include "vm/irq.h"
#include "vm/vm.h"

int irq_init(struct vm *vm, unsigned int first_msi_gsi)
{
	struct irq_routes *irq = &vm->irq;
	int max = vm_has_cap(vm, KVM_CAP_IRQ_ROUTING);

	if (max <= 0 || !vm_has_cap(vm, KVM_CAP_IRQFD) || !vm_has_cap(vm, KVM_CAP_IOEVENTFD) ||
	    !vm_has_cap(vm, KVM_CAP_SIGNAL_MSI)) {
		pr_err("/dev/kvm lacks interrupt routing, irqfd, ioeventfd or KVM_SIGNAL_MSI: "
		       "a newer host kernel is needed");
		return -ENOTSUP;
	}
	irq->table = calloc(1, sizeof(*irq->table) + max * sizeof(irq->table->entries[0]));
	if (!irq->table) {
		pr_err("out of memory");
		return -ENOMEM;
	}
	irq->max = max;
	irq->next_gsi = first_msi_gsi;
	irq->ready = true;
	pthread_mutex_init(&irq->lock, NULL);
	return 0;
}

void irq_init_wires(struct vm *vm)
{
	vm->irq.ready = true;
	pthread_mutex_init(&vm->irq.lock, NULL);
}

bool irq_has_messages(const struct vm *vm)
{
	return vm->irq.table;
}

void irq_destroy(struct vm *vm)
{
	if (!vm->irq.ready)
		return;
	free(vm->irq.table);
	vm->irq.table = NULL;
	vm->irq.ready = false;
	pthread_mutex_destroy(&vm->irq.lock);
}

static int commit(struct vm *vm)
{
	return ioctl(vm->fd, KVM_SET_GSI_ROUTING, vm->irq.table) < 0 ? -errno : 0;
}

int irq_commit(struct vm *vm)
{
	int ret;

	pthread_mutex_lock(&vm->irq.lock);
	ret = commit(vm);
	pthread_mutex_unlock(&vm->irq.lock);
	return ret;
}

static struct kvm_irq_routing_entry *new_entry(struct irq_routes *irq)
{
	return irq->table->nr < irq->max ? &irq->table->entries[irq->table->nr++] : NULL;
}

int irq_route_wire(struct vm *vm, u32 gsi, u32 chip, u32 pin)
{
	struct kvm_irq_routing_entry *e = new_entry(&vm->irq);

	if (!e)
		return -ENOSPC;
	*e = (struct kvm_irq_routing_entry){
		.gsi = gsi,
		.type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = {.irqchip = chip, .pin = pin},
	};
	return 0;
}

void irq_kvm_line(struct vm *vm, u32 irq, bool up)
{
	struct kvm_irq_level level = {.irq = irq, .level = up};

	/* Fails only for a number that no controller has. */
	if (ioctl(vm->fd, KVM_IRQ_LINE, &level) < 0)
		pr_warn("interrupt %u cannot be set: %s", irq, strerror(errno));
}

void irq_wire_set(struct vm *vm, u32 gsi, bool up)
{
	u8 *holders = &vm->irq.wire_level[gsi];

	pthread_mutex_lock(&vm->irq.lock);
	*holders += up ? 1 : -1;
	if (*holders == (up ? 1 : 0))
		arch_wire_level(vm, gsi, up);
	pthread_mutex_unlock(&vm->irq.lock);
}

void irq_wire_pulse(struct vm *vm, u32 gsi)
{
	arch_wire_level(vm, gsi, true);
	arch_wire_level(vm, gsi, false);
}

void msi_route_init(struct msi_route *route)
{
	*route = (struct msi_route){.fd = -1};
}

static int assign_irqfd(struct vm *vm, const struct msi_route *route, u32 flags)
{
	struct kvm_irqfd irqfd = {.fd = route->fd, .gsi = route->gsi, .flags = flags};

	return ioctl(vm->fd, KVM_IRQFD, &irqfd) < 0 ? -errno : 0;
}

static struct kvm_irq_routing_entry *find_msi(struct irq_routes *irq, u32 gsi)
{
	for (u32 i = 0; i < irq->table->nr; i++) {
		if (irq->table->entries[i].gsi == gsi)
			return &irq->table->entries[i];
	}
	return NULL;
}

static void fill_msi(const struct vm *vm, struct kvm_irq_routing_entry *e, u32 gsi, u32 devid,
		     u64 addr, u32 data)
{
	*e = (struct kvm_irq_routing_entry){.gsi = gsi};
	arch_route_msi(vm, e, addr, data, devid);
}

static int new_route(struct vm *vm, struct msi_route *route, u32 devid, u64 addr, u32 data)
{
	struct irq_routes *irq = &vm->irq;
	struct kvm_irq_routing_entry *e;
	int ret;

	route->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (route->fd < 0)
		return -errno;
	e = new_entry(irq);
	if (!e) {
		ret = -ENOSPC;
		goto err_fd;
	}
	route->gsi = irq->next_gsi++;
	fill_msi(vm, e, route->gsi, devid, addr, data);
	ret = commit(vm);
	if (!ret)
		ret = assign_irqfd(vm, route, 0);
	if (ret)
		goto err_entry;
	return 0;

err_entry:
	/* Or KVM would get a higher number with each attempt. */
	irq->next_gsi--;
	irq->table->nr--;
	commit(vm);
err_fd:
	close(route->fd);
	route->fd = -1;
	return ret;
}

int msi_route_set(struct vm *vm, struct msi_route *route, u32 devid, u64 addr, u32 data)
{
	int ret = 0;

	if (route->fd >= 0 && route->addr == addr && route->data == data)
		return 0;
	pthread_mutex_lock(&vm->irq.lock);
	if (route->fd < 0) {
		ret = new_route(vm, route, devid, addr, data);
	} else {
		struct kvm_irq_routing_entry *e = find_msi(&vm->irq, route->gsi);

		fill_msi(vm, e, route->gsi, devid, addr, data);
		ret = commit(vm);
		if (ret)
			fill_msi(vm, e, route->gsi, devid, route->addr, route->data);
	}
	if (!ret) {
		route->addr = addr;
		route->data = data;
	}
	pthread_mutex_unlock(&vm->irq.lock);
	return ret;
}

void msi_route_signal(const struct msi_route *route)
{
	u64 one = 1;

	/* The kernel consumes the counter at once: the write cannot fail. */
	if (write(route->fd, &one, sizeof(one)) < 0)
		pr_warn("an interrupt message is lost: %s", strerror(errno));
}

void msi_route_free(struct vm *vm, struct msi_route *route)
{
	struct irq_routes *irq = &vm->irq;
	struct kvm_irq_routing_entry *e;

	if (route->fd < 0)
		return;
	pthread_mutex_lock(&irq->lock);
	assign_irqfd(vm, route, KVM_IRQFD_FLAG_DEASSIGN);
	e = find_msi(irq, route->gsi);
	*e = irq->table->entries[--irq->table->nr];
	commit(vm);
	pthread_mutex_unlock(&irq->lock);
	close(route->fd);
	route->fd = -1;
}

void irq_send_msi(struct vm *vm, u32 devid, u64 addr, u32 data)
{
	struct kvm_irq_routing_entry e = {0};
	struct kvm_msi msi;

	arch_route_msi(vm, &e, addr, data, devid);
	if (e.type == KVM_IRQ_ROUTING_IRQCHIP) {
		irq_wire_pulse(vm, e.u.irqchip.pin);
		return;
	}
	msi = (struct kvm_msi){
		.address_lo = e.u.msi.address_lo,
		.address_hi = e.u.msi.address_hi,
		.data = e.u.msi.data,
		.flags = e.flags & KVM_MSI_VALID_DEVID,
		.devid = e.u.msi.devid,
	};
	/* An error is the guest's own: the host can do this, irq_init() asked. */
	ioctl(vm->fd, KVM_SIGNAL_MSI, &msi);
}
