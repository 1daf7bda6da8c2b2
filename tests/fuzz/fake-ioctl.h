/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_TESTS_FAKE_IOCTL_H
#define LKVM_TESTS_FAKE_IOCTL_H

/* Makes ioctl() that of fake-kvm.h, by being linked. */
void fake_ioctl_install(void);

#endif /* LKVM_TESTS_FAKE_IOCTL_H */
