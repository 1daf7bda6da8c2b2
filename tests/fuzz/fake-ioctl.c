// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <sys/ioctl.h>

#include "fake-ioctl.h"
#include "fake-kvm.h"

void fake_ioctl_install(void)
{
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	return fake_kvm_ioctl(fd, request, arg);
}
