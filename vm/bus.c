// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>

#include "vm/bus.h"

void bus_init(struct bus *bus)
{
	memset(bus, 0, sizeof(*bus));
	pthread_rwlock_init(&bus->lock, NULL);
}

/* The first region that ends behind @addr. */
static unsigned int find(const struct bus *bus, u64 addr)
{
	unsigned int lo = 0, hi = bus->nr;

	while (lo < hi) {
		unsigned int mid = (lo + hi) / 2;

		if (bus->regions[mid].base + (bus->regions[mid].size - 1) < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int bus_add(struct bus *bus, u64 base, u64 size, bus_fn fn, void *opaque)
{
	unsigned int n;
	int ret = 0;

	if (!size || base + (size - 1) < base)
		return -EINVAL;
	pthread_rwlock_wrlock(&bus->lock);
	n = find(bus, base);
	if (n < bus->nr && bus->regions[n].base <= base + (size - 1)) {
		ret = -EEXIST;
	} else if (bus->nr == BUS_MAX_REGIONS) {
		ret = -ENOSPC;
	} else {
		memmove(&bus->regions[n + 1], &bus->regions[n],
			(bus->nr - n) * sizeof(bus->regions[0]));
		bus->regions[n] = (struct bus_region){base, size, fn, opaque};
		bus->nr++;
	}
	pthread_rwlock_unlock(&bus->lock);
	return ret;
}

void bus_remove(struct bus *bus, u64 base)
{
	unsigned int n;

	pthread_rwlock_wrlock(&bus->lock);
	n = find(bus, base);
	if (n < bus->nr && bus->regions[n].base == base) {
		bus->nr--;
		memmove(&bus->regions[n], &bus->regions[n + 1],
			(bus->nr - n) * sizeof(bus->regions[0]));
	}
	pthread_rwlock_unlock(&bus->lock);
}

void bus_access(struct bus *bus, u64 addr, void *data, unsigned int len, bool write)
{
	struct bus_region region = {0};
	unsigned int n;

	pthread_rwlock_rdlock(&bus->lock);
	n = find(bus, addr);
	if (n < bus->nr && bus->regions[n].base <= addr &&
	    addr - bus->regions[n].base + len <= bus->regions[n].size)
		region = bus->regions[n];
	pthread_rwlock_unlock(&bus->lock);

	if (region.fn)
		region.fn(region.opaque, addr - region.base, data, len, write);
	else if (!write)
		memset(data, 0xff, len);
}
