/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_UTIL_BYTES_H
#define LKVM_UTIL_BYTES_H

#include "util/types.h"

static inline bool all_zero(const void *p, size_t len)
{
	const u8 *byte = p;

	while (len--) {
		if (*byte++)
			return false;
	}
	return true;
}

#endif /* LKVM_UTIL_BYTES_H */
