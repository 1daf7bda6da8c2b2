// SPDX-License-Identifier: GPL-2.0-only
/*
 * The least that a program with a virtual machine can be: memory, one vCPU, one instruction,
 * whose exit it says on stdout. What KVM and a static program cost without a VMM, to compare
 * lkvm with. With --stay it does not end until it is told to.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define RAM_SIZE (128UL << 20)
#define NOWHERE	 0x10000000UL /* where no memory is: a write there is an exit */

static void die(const char *what)
{
	fprintf(stderr, "vm-floor: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int must(const char *what, int ret)
{
	if (ret < 0)
		die(what);
	return ret;
}

#if defined(__x86_64__)

#define RAM_BASE 0UL
#define ENTRY	 0x1000UL
#define CODE	 {0xee} /* out %al, (%dx) */

static void set_registers(int vm, int vcpu)
{
	struct kvm_regs regs = {.rip = ENTRY, .rflags = 2, .rdx = 0xf4};
	struct kvm_sregs sregs;

	(void)vm;
	must("KVM_GET_SREGS", ioctl(vcpu, KVM_GET_SREGS, &sregs));
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	must("KVM_SET_SREGS", ioctl(vcpu, KVM_SET_SREGS, &sregs));
	must("KVM_SET_REGS", ioctl(vcpu, KVM_SET_REGS, &regs));
}

#else

static void set_one(int vcpu, uint64_t id, uint64_t val)
{
	struct kvm_one_reg reg = {.id = id, .addr = (uintptr_t)&val};

	must("KVM_SET_ONE_REG", ioctl(vcpu, KVM_SET_ONE_REG, &reg));
}

#define RAM_BASE 0x80000000UL
#define ENTRY	 RAM_BASE

#if defined(__aarch64__)

#define CODE {0x20, 0x00, 0x00, 0xb9} /* str w0, [x1] */
#define CORE_REG(name) \
	(KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(regs.name))

static void set_registers(int vm, int vcpu)
{
	struct kvm_vcpu_init init;

	must("KVM_ARM_PREFERRED_TARGET", ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init));
	must("KVM_ARM_VCPU_INIT", ioctl(vcpu, KVM_ARM_VCPU_INIT, &init));
	set_one(vcpu, CORE_REG(pc), ENTRY);
	set_one(vcpu, CORE_REG(regs[1]), NOWHERE);
}

#elif defined(__riscv)

#define CODE {0x23, 0xa0, 0xa5, 0x00} /* sw a0, 0(a1) */
#define CORE_REG(name) \
	(KVM_REG_RISCV | KVM_REG_SIZE_U64 | KVM_REG_RISCV_CORE | KVM_REG_RISCV_CORE_REG(name))

static void set_registers(int vm, int vcpu)
{
	(void)vm;
	set_one(vcpu, CORE_REG(regs.pc), ENTRY);
	set_one(vcpu, CORE_REG(regs.a1), NOWHERE);
}

#endif
#endif

int main(int argc, char **argv)
{
	static const unsigned char code[] = CODE;
	struct kvm_userspace_memory_region region = {.guest_phys_addr = RAM_BASE,
						     .memory_size = RAM_SIZE};
	int kvm, vm, vcpu, size;
	struct kvm_run *run;
	char *ram;

	/* As lkvm has its own, so that both are left out in the same way. */
	ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (ram == MAP_FAILED)
		die("mmap");
	memcpy(ram + (ENTRY - RAM_BASE), code, sizeof(code));
	region.userspace_addr = (uintptr_t)ram;

	kvm = must("/dev/kvm", open("/dev/kvm", O_RDWR | O_CLOEXEC));
	vm = must("KVM_CREATE_VM", ioctl(kvm, KVM_CREATE_VM, 0));
	must("KVM_SET_USER_MEMORY_REGION", ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region));
	vcpu = must("KVM_CREATE_VCPU", ioctl(vm, KVM_CREATE_VCPU, 0));
	size = must("KVM_GET_VCPU_MMAP_SIZE", ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0));
	run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED)
		die("mmap of a vCPU");
	set_registers(vm, vcpu);
	must("KVM_RUN", ioctl(vcpu, KVM_RUN, 0));
	if (run->exit_reason != KVM_EXIT_IO && run->exit_reason != KVM_EXIT_MMIO) {
		fprintf(stderr, "vm-floor: exit %u\n", run->exit_reason);
		return 1;
	}
	must("write", write(STDOUT_FILENO, "1\n", 2));
	if (argc > 1 && !strcmp(argv[1], "--stay"))
		pause();
	return 0;
}
