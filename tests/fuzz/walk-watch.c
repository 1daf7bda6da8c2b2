// SPDX-License-Identifier: GPL-2.0-only
#include "walk-watch.h"
#include "unit.h"
#include "vm/memory.h"

static unsigned int loads, lost;

int __real_guest_mem_load64(const struct guest_mem *mem, u64 gpa, u64 *val);
int __wrap_guest_mem_load64(const struct guest_mem *mem, u64 gpa, u64 *val);

int __real_guest_mem_cmpxchg64(const struct guest_mem *mem, u64 gpa, u64 old, u64 new);
int __wrap_guest_mem_cmpxchg64(const struct guest_mem *mem, u64 gpa, u64 old, u64 new);

int __wrap_guest_mem_load64(const struct guest_mem *mem, u64 gpa, u64 *val)
{
	loads++;
	return __real_guest_mem_load64(mem, gpa, val);
}

int __wrap_guest_mem_cmpxchg64(const struct guest_mem *mem, u64 gpa, u64 old, u64 new)
{
	int ret = __real_guest_mem_cmpxchg64(mem, gpa, old, new);

	lost += ret != 0;
	return ret;
}

void walk_watch_begin(void)
{
	loads = lost = 0;
}

void walk_watch_end(unsigned int most)
{
	CHECK(lost <= most);
	CHECK(loads <= most * (1 + lost));
}
