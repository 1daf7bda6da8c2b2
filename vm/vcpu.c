// SPDX-License-Identifier: GPL-2.0-only
/* The run loop of a vCPU's thread. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util/counter.h"
#include "util/log.h"
#include "vm/vm.h"

static __thread struct vcpu *this_vcpu;

static void kick_handler(int sig)
{
	(void)sig;
	/* Catches a signal that arrives just before KVM_RUN. */
	if (this_vcpu)
		WRITE_ONCE(this_vcpu->run->immediate_exit, 1);
}

int vcpu_get_reg(const struct vcpu *vcpu, u64 id, u64 *val)
{
	struct kvm_one_reg reg = {.id = id, .addr = (uintptr_t)val};

	return ioctl(vcpu->fd, KVM_GET_ONE_REG, &reg) < 0 ? -errno : 0;
}

int vcpu_set_reg(const struct vcpu *vcpu, u64 id, u64 val)
{
	struct kvm_one_reg reg = {.id = id, .addr = (uintptr_t)&val};

	return ioctl(vcpu->fd, KVM_SET_ONE_REG, &reg) < 0 ? -errno : 0;
}

void vcpu_show_regs(const struct vcpu *vcpu, const struct vcpu_reg *regs, unsigned int nr)
{
	u64 val;

	for (unsigned int i = 0; i < nr; i++) {
		if (!vcpu_get_reg(vcpu, regs[i].id, &val))
			pr_info("vCPU %u: %s 0x%llx", vcpu->index, regs[i].name,
				(unsigned long long)val);
	}
}

int vm_create_vcpus(struct vm *vm, unsigned int nr)
{
	int most = max(vm_has_cap(vm, KVM_CAP_MAX_VCPUS), 1);
	int size = ioctl(vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);

	if (size < 0) {
		int ret = -errno;

		pr_err("KVM does not tell the size of a vCPU's state: %s", strerror(-ret));
		return ret;
	}
	if (nr > (unsigned int)most) {
		pr_err("%u vCPUs: this host's KVM allows %d", nr, most);
		return -EINVAL;
	}
	vm->vcpus = calloc(nr, sizeof(*vm->vcpus));
	if (!vm->vcpus) {
		pr_err("out of memory");
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < nr; i++) {
		struct vcpu *vcpu = &vm->vcpus[i];

		vcpu->vm = vm;
		vcpu->index = i;
		vcpu->run_size = size;
		vcpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, i);
		if (vcpu->fd < 0) {
			int ret = -errno;

			pr_err("KVM cannot make vCPU %u: %s%s", i, strerror(-ret),
			       ret == -EMFILE ? "; raise it with ulimit -n" : "");
			return ret;
		}
		vcpu->run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
		if (vcpu->run == MAP_FAILED) {
			int ret = -errno;

			pr_err("cannot map the state of vCPU %u: %s", i, strerror(-ret));
			close(vcpu->fd);
			return ret;
		}
		vm->nr_vcpus++;
	}
	return 0;
}

static void handle_pio(struct vcpu *vcpu)
{
	const struct kvm_run *run = vcpu->run;
	u8 *data = (u8 *)vcpu->run + run->io.data_offset;

	for (u32 i = 0; i < run->io.count; i++) {
		bus_access(&vcpu->vm->pio, run->io.port, data, run->io.size,
			   run->io.direction == KVM_EXIT_IO_OUT);
		data += run->io.size;
	}
}

static void internal_error(struct vcpu *vcpu)
{
	const struct kvm_run *run = vcpu->run;
	char data[256] = "";
	size_t n = 0;

	/* What these words mean depends on the error and on the host's kernel. */
	for (u32 i = 0; i < min(run->internal.ndata, 8U); i++)
		n += snprintf(data + n, sizeof(data) - n, " 0x%llx",
			      (unsigned long long)run->internal.data[i]);
	pr_err("KVM cannot go on with vCPU %u: internal error %u%s%s%s", vcpu->index,
	       run->internal.suberror,
	       run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION
		       ? ", an instruction that it does not emulate"
		       : "",
	       n ? ", data" : "", data);
}

/* What the guest asks of its firmware, where KVM is that firmware. */
static void system_event(struct vcpu *vcpu)
{
	u32 type = vcpu->run->system_event.type;

	switch (type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN:
	case KVM_SYSTEM_EVENT_RESET:
		vm_stop(vcpu->vm, 0);
		return;
	case KVM_SYSTEM_EVENT_CRASH:
		pr_err("the guest crashed");
		break;
	default:
		pr_err("the guest asks for a system event that is not known here (%u)", type);
		break;
	}
	vm_stop(vcpu->vm, 1);
}

/* False ends the thread: the machine is stopping. */
static bool handle_exit(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	struct vm *vm = vcpu->vm;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		handle_pio(vcpu);
		return true;
	case KVM_EXIT_MMIO:
		bus_access(&vm->mmio, run->mmio.phys_addr, run->mmio.data, run->mmio.len,
			   run->mmio.is_write);
		return true;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		return true;
	case KVM_EXIT_SYSTEM_EVENT:
		system_event(vcpu);
		return false;
	case KVM_EXIT_SHUTDOWN:
		pr_err("the guest stopped with a triple fault on vCPU %u", vcpu->index);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		pr_err("KVM cannot enter vCPU %u (hardware reason 0x%llx)", vcpu->index,
		       (unsigned long long)run->fail_entry.hardware_entry_failure_reason);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		internal_error(vcpu);
		break;
	default:
		if (arch_handle_exit(vcpu))
			return true;
		pr_err("vCPU %u stopped for a reason that is not known here (%u)", vcpu->index,
		       run->exit_reason);
		break;
	}
	arch_vcpu_show(vcpu);
	vm_stop(vm, 1);
	return false;
}

static enum vcpu_exit why_exit(const struct kvm_run *run)
{
	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		return VCPU_EXIT_IO;
	case KVM_EXIT_MMIO:
		return VCPU_EXIT_MMIO;
	case KVM_EXIT_HLT:
		return VCPU_EXIT_HALT;
	case KVM_EXIT_INTR:
		return VCPU_EXIT_INTR;
	case KVM_EXIT_HYPERCALL:
		return VCPU_EXIT_HYPERCALL;
	default:
		return VCPU_EXIT_OTHER;
	}
}

/* Until the guest may go on, or the machine stops. */
static void stay_out(struct vcpu *vcpu)
{
	const struct vm *vm = vcpu->vm;
	struct pollfd fds[] = {
		{.fd = vm->go_fd, .events = POLLIN},
		{.fd = vm->stop_fd, .events = POLLIN},
	};

	while (atomic_load(&vm->pausing) && !atomic_load(&vm->stopping))
		poll(fds, ARRAY_SIZE(fds), -1);
	if (!atomic_load(&vm->stopping))
		arch_vcpu_resumed(vcpu);
}

static u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The guest was in a vCPU until now, and has to pause. */
static void note_out(struct vm *vm)
{
	u64 now = now_ns(), last = atomic_load(&vm->out_ns);

	while (last < now && !atomic_compare_exchange_weak(&vm->out_ns, &last, now))
		;
	eventfd_write(vm->out_fd, 1);
}

/* KVM_RUN, unless the vCPU has to stay out. False: it has to, and look at the reasons. */
static bool enter_guest(struct vcpu *vcpu, int *ret)
{
	struct vm *vm = vcpu->vm;

	/* In this order, as vm_pause() sets pausing and then looks at in_guest. */
	atomic_store(&vcpu->in_guest, true);
	if (atomic_load(&vm->stopping) || atomic_load(&vm->pausing)) {
		atomic_store(&vcpu->in_guest, false);
		eventfd_write(vm->out_fd, 1);
		return false;
	}
	*ret = ioctl(vcpu->fd, KVM_RUN, 0) < 0 ? -errno : 0;
	atomic_store(&vcpu->in_guest, false);
	if (atomic_load(&vm->pausing))
		note_out(vm);
	return true;
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *vcpu = arg;
	struct vm *vm = vcpu->vm;
	sigset_t kick;
	char name[16];

	this_vcpu = vcpu;
	snprintf(name, sizeof(name), "vcpu%u", vcpu->index);
	pthread_setname_np(pthread_self(), name);
	sigemptyset(&kick);
	sigaddset(&kick, KICK_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &kick, NULL);

	while (!atomic_load(&vm->stopping)) {
		int ret;

		if (!enter_guest(vcpu, &ret)) {
			stay_out(vcpu);
			continue;
		}
		if (ret == -EINTR || ret == -EAGAIN) {
			/* What it was for is seen at the next turn. */
			WRITE_ONCE(vcpu->run->immediate_exit, 0);
			counter_add(&vcpu->exits[VCPU_EXIT_INTR], 1);
			continue;
		}
		if (ret) {
			pr_err("KVM_RUN failed on vCPU %u: %s", vcpu->index, strerror(-ret));
			vm_stop(vm, 1);
			break;
		}
		counter_add(&vcpu->exits[why_exit(vcpu->run)], 1);
		if (!handle_exit(vcpu))
			break;
	}
	this_vcpu = NULL;
	return NULL;
}

int vm_start(struct vm *vm)
{
	struct sigaction action = {.sa_handler = kick_handler};

	sigemptyset(&action.sa_mask);
	sigaction(KICK_SIGNAL, &action, NULL);
	clock_gettime(CLOCK_MONOTONIC, &vm->started);
	for (unsigned int i = 0; i < vm->nr_vcpus; i++) {
		int ret = pthread_create(&vm->vcpus[i].thread, NULL, vcpu_thread, &vm->vcpus[i]);

		if (ret) {
			pr_err("cannot start the thread of vCPU %u: %s%s", i, strerror(ret),
			       ret == EAGAIN ? "; raise the limit with ulimit -u" : "");
			vm_stop(vm, 1);
			return -ret;
		}
		vm->vcpus[i].started = true;
	}
	return 0;
}

void vm_pause(struct vm *vm)
{
	eventfd_t count;

	if (atomic_exchange(&vm->pausing, true))
		return;
	atomic_store(&vm->out_ns, now_ns());
	eventfd_read(vm->go_fd, &count);
	for (unsigned int i = 0; i < vm->nr_vcpus; i++) {
		/* The others see it before they enter the guest. */
		if (vm->vcpus[i].started && atomic_load(&vm->vcpus[i].in_guest))
			pthread_kill(vm->vcpus[i].thread, KICK_SIGNAL);
	}
}

void vm_resume(struct vm *vm)
{
	/* A vCPU that has not come out yet has not missed anything. */
	if (vm_is_paused(vm))
		arch_vm_resuming(vm, now_ns() - atomic_load(&vm->out_ns));
	if (atomic_exchange(&vm->pausing, false))
		eventfd_write(vm->go_fd, 1);
}

bool vm_is_paused(const struct vm *vm)
{
	if (!atomic_load(&vm->pausing))
		return false;
	for (unsigned int i = 0; i < vm->nr_vcpus; i++) {
		if (atomic_load(&vm->vcpus[i].in_guest))
			return false;
	}
	return true;
}

void vm_join(struct vm *vm)
{
	for (unsigned int i = 0; i < vm->nr_vcpus; i++) {
		struct vcpu *vcpu = &vm->vcpus[i];

		if (!vcpu->started)
			continue;
		pthread_kill(vcpu->thread, KICK_SIGNAL);
		pthread_join(vcpu->thread, NULL);
		vcpu->started = false;
	}
}
