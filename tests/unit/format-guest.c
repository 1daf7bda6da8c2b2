// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>

#include "format-guest.h"

unsigned long walks_compared;

void desc_put(u8 *desc, unsigned int offset, unsigned int size, u64 val)
{
	while (size--) {
		desc[offset++ - 13] = val;
		val >>= 8;
	}
}

u64 prop_get(const u8 *buf, unsigned int offset, unsigned int size)
{
	u64 val = 0;

	while (size--)
		val = val << 8 | buf[offset + size];
	return val;
}

static void print(const char *what, int ret, const struct iommu_walk_result *r)
{
	if (ret)
		printf("#   %s: fault %u (%s) reason %d silent %d\n", what, r->code,
		       r->why ? r->why : "-", r->reason, r->silent);
	else
		printf("#   %s: %#" PRIx64 "-%#" PRIx64 " gpa %#" PRIx64
		       " access %u pasid %#x id %#x global %d top ignored %d\n",
		       what, r->start, r->last, r->gpa, r->access, r->pasid, r->id, r->global,
		       r->top_ignored);
}

bool same_walk(int ret, const struct iommu_walk_result *a, int ref_ret,
	       const struct iommu_walk_result *b, u32 pasid, u64 iova, u32 access)
{
	bool same;

	walks_compared++;
	if (ret || ref_ret)
		same = ret == ref_ret && a->code == b->code && a->reason == b->reason &&
		       a->silent == b->silent && a->why;
	else
		same = a->start == b->start && a->last == b->last && a->gpa == b->gpa &&
		       a->access == b->access && a->pasid == b->pasid && a->id == b->id &&
		       a->global == b->global && a->top_ignored == b->top_ignored;
	if (!same) {
		printf("# pasid %#x iova %#" PRIx64 " access %u\n", pasid, iova, access);
		print("walk", ret, a);
		print("reference", ref_ret, b);
	}
	return CHECK(same);
}
