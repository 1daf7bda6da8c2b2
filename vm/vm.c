// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util/log.h"
#include "vm/vm.h"

/* The only version of the API that was ever released as stable. */
#define KVM_API 12

#define KVM_PATH "/dev/kvm"

static int open_kvm(struct vm *vm)
{
	int version;

	vm->kvm_fd = open(KVM_PATH, O_RDWR | O_CLOEXEC);
	if (vm->kvm_fd < 0) {
		int ret = -errno;

		if (ret == -ENOENT || ret == -ENODEV || ret == -ENXIO)
			pr_err(KVM_PATH " %s: %s",
			       ret == -ENOENT ? "does not exist" : "has no driver", arch_kvm_hint);
		else if (ret == -EACCES || ret == -EPERM)
			pr_err("no permission to open " KVM_PATH ": add yourself to its group "
			       "(usually 'kvm') or run as root");
		else
			pr_err("cannot open " KVM_PATH ": %s", strerror(-ret));
		return ret;
	}
	version = ioctl(vm->kvm_fd, KVM_GET_API_VERSION, 0);
	if (version < 0) {
		pr_err(KVM_PATH " is not a KVM device: %s", strerror(errno));
		return -ENODEV;
	}
	if (version != KVM_API) {
		pr_err(KVM_PATH " speaks API version %d, not %d: a newer host kernel is needed",
		       version, KVM_API);
		return -ENODEV;
	}
	return 0;
}

int kvm_set_attr(int fd, u32 group, u64 attr, const void *value)
{
	struct kvm_device_attr a = {.group = group, .attr = attr, .addr = (uintptr_t)value};

	return ioctl(fd, KVM_SET_DEVICE_ATTR, &a) < 0 ? -errno : 0;
}

int vm_has_cap(const struct vm *vm, long cap)
{
	int ret = ioctl(vm->fd, KVM_CHECK_EXTENSION, cap);

	return ret < 0 ? 0 : ret;
}

int vm_init(struct vm *vm)
{
	int ret;

	memset(vm, 0, sizeof(*vm));
	vm->kvm_fd = -1;
	vm->fd = -1;
	vm->stop_fd = -1;
	vm->go_fd = -1;
	vm->out_fd = -1;
	bus_init(&vm->mmio);
	bus_init(&vm->pio);

	ret = open_kvm(vm);
	if (ret)
		goto err;
	/* A signal from elsewhere must not look like a broken host. */
	do {
		vm->fd = ioctl(vm->kvm_fd, KVM_CREATE_VM, arch_vm_type(vm->kvm_fd));
	} while (vm->fd < 0 && errno == EINTR);
	if (vm->fd < 0) {
		ret = -errno;
		pr_err(KVM_PATH " cannot make a machine: %s%s", strerror(-ret),
		       ret == -EBUSY ? "; another hypervisor may be running" : "");
		goto err;
	}
	if (!vm_has_cap(vm, KVM_CAP_IMMEDIATE_EXIT)) {
		ret = -ENOTSUP;
		pr_err(KVM_PATH " is too old (no KVM_CAP_IMMEDIATE_EXIT): Linux 4.13 or later is "
				"needed");
		goto err;
	}
	vm->phys_bits = arch_phys_bits(vm);
	if (!vm->phys_bits) {
		ret = -ENOTSUP;
		goto err;
	}
	vm->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	vm->go_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	vm->out_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (vm->stop_fd < 0 || vm->go_fd < 0 || vm->out_fd < 0) {
		ret = -errno;
		pr_err("cannot make an eventfd: %s", strerror(-ret));
		goto err;
	}
	return 0;

err:
	vm_destroy(vm);
	return ret;
}

void vm_destroy(struct vm *vm)
{
	for (unsigned int i = 0; i < vm->nr_vcpus; i++) {
		munmap(vm->vcpus[i].run, vm->vcpus[i].run_size);
		close(vm->vcpus[i].fd);
	}
	free(vm->vcpus);
	vm->nr_vcpus = 0;
	irq_destroy(vm);
	if (vm->fd >= 0)
		close(vm->fd);
	if (vm->kvm_fd >= 0)
		close(vm->kvm_fd);
	if (vm->stop_fd >= 0)
		close(vm->stop_fd);
	if (vm->go_fd >= 0)
		close(vm->go_fd);
	if (vm->out_fd >= 0)
		close(vm->out_fd);
	guest_mem_destroy(&vm->mem);
}

int vm_set_memory(struct vm *vm)
{
	for (unsigned int i = 0; i < vm->mem.nr_banks; i++) {
		const struct guest_bank *bank = &vm->mem.banks[i];
		struct kvm_userspace_memory_region region = {
			.slot = i,
			.guest_phys_addr = bank->gpa,
			.memory_size = bank->size,
			.userspace_addr = (uintptr_t)bank->hva,
		};

		if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region) < 0) {
			int ret = -errno;

			pr_err("KVM refuses %llu MiB of memory at 0x%llx: %s",
			       (unsigned long long)(bank->size / MiB),
			       (unsigned long long)bank->gpa, strerror(-ret));
			return ret;
		}
	}
	return 0;
}

void vm_stop(struct vm *vm, int status)
{
	bool expected = false;
	u64 one = 1;

	if (!atomic_compare_exchange_strong(&vm->stopping, &expected, true))
		return;
	atomic_store(&vm->status, status);
	/* Cannot fail: nobody else writes to it. */
	if (write(vm->stop_fd, &one, sizeof(one)) < 0)
		return;
}
