/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a build and a host can do, for "lkvm version --features": each module that knows
 * facts has a source, in its own header, which adds them to the object that is open. Names
 * are words with dots between them, from the general to the special ("host.kvm.irqfd").
 * Nothing is an error: what is absent is "no", 0 or "none", so that each name is always there.
 */
#ifndef LKVM_UTIL_FEATURE_H
#define LKVM_UTIL_FEATURE_H

#include "util/report.h"

typedef void feature_source(struct report *r);

#endif /* LKVM_UTIL_FEATURE_H */
