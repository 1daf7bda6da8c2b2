/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a host's KVM on arm64 says and is told, without one. What it is told is a text: one word
 * for each call, in their order.
 */
#ifndef LKVM_TESTS_FAKE_GIC_H
#define LKVM_TESTS_FAKE_GIC_H

#include "machine.h"

struct fake_host {
	bool gicv3, its, gicv2;
	bool pmu, sve, pauth_address, pauth_generic, nisv;
	unsigned int ipa_bits; /* 0: KVM does not say */
	u32 without; /* bits of --cpu-without */
	const char *fails; /* the call that fails with EINVAL; NULL: none */
};

/* A machine on @host with @nr_vcpus, and what --irqchip says (NULL: nothing). */
extern struct machine machine;
void fake_start(const struct fake_host *host, unsigned int nr_vcpus, const char *irqchip);
void fake_end(void);

/* What KVM was told since the last call of this; valid until the next one. */
const char *fake_told(void);

int fake_ioctl(int fd, unsigned long request, void *arg);

#endif /* LKVM_TESTS_FAKE_GIC_H */
