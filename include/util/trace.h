/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What happens, line by line on stderr, for whoever writes the guest's driver:
 * `--trace AREA[,AREA]...`. One line reads "AREA: verb key=value ...".
 */
#ifndef LKVM_UTIL_TRACE_H
#define LKVM_UTIL_TRACE_H

#include "util/types.h"

enum trace_area {
	TRACE_IOMMU, /* requests, answers, faults of the virtio-iommu */
	TRACE_VIRTIO, /* life of the virtio devices: status, resets, what broke */
	TRACE_NR_AREAS,
};

extern bool trace_enabled[TRACE_NR_AREAS];

/* What --trace takes, for the usage text. */
extern const char trace_usage[];

/* Turns on the areas in a comma-separated list. Prints the reason; -EINVAL. */
int trace_parse(const char *list);

void trace_print(enum trace_area area, const char *fmt, ...) __printf(2, 3);

#define trace(area, ...)                                \
	do {                                            \
		if (trace_enabled[area])                \
			trace_print(area, __VA_ARGS__); \
	} while (0)

#endif /* LKVM_UTIL_TRACE_H */
