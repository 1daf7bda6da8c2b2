/* SPDX-License-Identifier: GPL-2.0-only */
/* What the host offers to a machine. */
#ifndef LKVM_VM_FEATURES_H
#define LKVM_VM_FEATURES_H

#include "util/feature.h"

/* /dev/kvm: whether it is usable, and what it says of itself. */
feature_source kvm_features;

/* Huge pages, and devices of the host that guests can be given a part of. */
feature_source host_features;

/* One of KVM's extensions that is there or not. */
struct kvm_ext {
	const char *name;
	long cap; /* KVM_CAP_* */
};

/*
 * What the architecture adds to kvm_features(), ended by an empty name. These are asked of
 * /dev/kvm itself, as there is no machine.
 */
extern const struct kvm_ext arch_kvm_exts[];

/*
 * And what is more than an extension that is there or not; all names begin with "host.kvm.".
 * @kvm_fd is /dev/kvm, -1: there is none that is usable.
 */
void arch_kvm_features(struct report *r, int kvm_fd);

#endif /* LKVM_VM_FEATURES_H */
