// SPDX-License-Identifier: GPL-2.0-only
#include "rt/pages.h"

#include "rt/core.h"

u32 pages_left = PAGES_NO_LIMIT;
u32 pages_taken;

/* A block that is free begins with a pointer to the next. */
static void *blocks[PAGES_MAX_ORDER + 1];

void *pages_get(unsigned int order)
{
	u64 size = (u64)PAGE_SIZE << order;
	void *p = blocks[order];

	if (!pages_left)
		return NULL;
	if (pages_left != PAGES_NO_LIMIT)
		pages_left--;
	pages_taken++;
	if (!p)
		return mem_alloc(size, size);
	blocks[order] = *(void **)p;
	memset(p, 0, size);
	return p;
}

void pages_put(void *p, unsigned int order)
{
	if (!p)
		return;
	pages_taken--;
	*(void **)p = blocks[order];
	blocks[order] = p;
}
