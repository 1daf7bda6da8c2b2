// SPDX-License-Identifier: GPL-2.0-only
/*
 * Another host kernel for a dynamically linked lkvm, by LD_PRELOAD:
 *   KVM_SHIM_PATH=FILE       what /dev/kvm is
 *   KVM_SHIM_OPEN=ERRNO      how opening it fails
 *   KVM_SHIM_API=N           the version that it speaks
 *   KVM_SHIM_NO_CAP=N        a capability that it lacks
 *   KVM_SHIM_ADDRESS_BITS=N  the width of a vCPU's physical addresses
 *   KVM_SHIM_FAIL=NR:ERRNO   how the ioctl with this number (its low 8 bits) fails
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int shim_open(const char *path, int flags, mode_t mode)
{
	const char *error = getenv("KVM_SHIM_OPEN");
	const char *other = getenv("KVM_SHIM_PATH");

	if (!strcmp(path, "/dev/kvm")) {
		if (error) {
			errno = atoi(error);
			return -1;
		}
		if (other)
			path = other;
	}
	return syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int open(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
	va_end(args);
	return shim_open(path, flags, mode);
}

/* CPUID leaf 0x80000008: EAX has the width in bits 7:0, and in 23:16 that of a guest. */
static void set_address_bits(struct kvm_cpuid2 *cpuid, unsigned int bits)
{
	for (unsigned int i = 0; i < cpuid->nent; i++) {
		if (cpuid->entries[i].function == 0x80000008)
			cpuid->entries[i].eax = bits;
	}
}

int ioctl(int fd, unsigned long request, ...)
{
	const char *api = getenv("KVM_SHIM_API");
	const char *no_cap = getenv("KVM_SHIM_NO_CAP");
	const char *bits = getenv("KVM_SHIM_ADDRESS_BITS");
	const char *fail = getenv("KVM_SHIM_FAIL");
	int nr;
	va_list args;
	long arg;
	int err, ret;

	va_start(args, request);
	arg = va_arg(args, long);
	va_end(args);

	if (_IOC_TYPE(request) == KVMIO) {
		if (api && request == KVM_GET_API_VERSION)
			return atoi(api);
		if (no_cap && request == KVM_CHECK_EXTENSION && arg == atol(no_cap))
			return 0;
		if (fail && sscanf(fail, "%i:%d", &nr, &err) == 2 && (int)_IOC_NR(request) == nr) {
			errno = err;
			return -1;
		}
	}
	ret = syscall(SYS_ioctl, fd, request, arg);
	if (bits && !ret && request == KVM_GET_SUPPORTED_CPUID)
		set_address_bits((struct kvm_cpuid2 *)arg, atoi(bits));
	return ret;
}
