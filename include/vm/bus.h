/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The two address spaces in which a vCPU meets devices: memory-mapped I/O and x86
 * ports. Regions are disjoint; an access belongs to the region that holds its first
 * byte, and must end in it.
 */
#ifndef LKVM_VM_BUS_H
#define LKVM_VM_BUS_H

#include <pthread.h>

#include "util/types.h"

#define BUS_MAX_REGIONS 512

/*
 * One access of 1, 2, 4 or 8 bytes at @offset into the region: reads fill @data,
 * writes consume it. Runs in the vCPU's thread, several at a time.
 */
typedef void (*bus_fn)(void *opaque, u64 offset, void *data, unsigned int len, bool write);

struct bus_region {
	u64 base;
	u64 size;
	bus_fn fn;
	void *opaque;
};

struct bus {
	pthread_rwlock_t lock; /* guards the array; not held while a function runs */
	struct bus_region regions[BUS_MAX_REGIONS]; /* sorted by base */
	unsigned int nr;
};

void bus_init(struct bus *bus);

/* -EEXIST: overlaps another region; -ENOSPC; -EINVAL: size 0 or wrapping. */
int bus_add(struct bus *bus, u64 base, u64 size, bus_fn fn, void *opaque);

/*
 * An access that began before may still be in @fn afterwards: what it works on has
 * to live as long as the machine does.
 */
void bus_remove(struct bus *bus, u64 base);

/* Reads without a region give all ones, writes are dropped, as on a real bus. */
void bus_access(struct bus *bus, u64 addr, void *data, unsigned int len, bool write);

#endif /* LKVM_VM_BUS_H */
