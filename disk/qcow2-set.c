// SPDX-License-Identifier: GPL-2.0-only
/* A hash set with open addressing, at most half full. */
#include <errno.h>
#include <stdlib.h>

#include "qcow2-internal.h"

#define MIN_SIZE 64

static u64 slot_of(const struct qcow2_set *set, u64 cluster)
{
	u64 mask = set->size - 1, i = (cluster * 0x9e3779b97f4a7c15ULL) >> 20 & mask;

	while (set->slots[i] && set->slots[i] != cluster)
		i = (i + 1) & mask;
	return i;
}

int qcow2_set_reserve(struct qcow2_set *set, u64 nr)
{
	struct qcow2_set larger = {0};

	if (set->size && (set->nr + nr) * 2 <= set->size)
		return 0;
	larger.size = max(set->size, (u64)MIN_SIZE);
	while ((set->nr + nr) * 2 > larger.size)
		larger.size *= 2;
	larger.slots = calloc(larger.size, sizeof(*larger.slots));
	if (!larger.slots)
		return -ENOMEM;
	for (u64 i = 0; i < set->size; i++) {
		if (set->slots[i])
			qcow2_set_add(&larger, set->slots[i]);
	}
	free(set->slots);
	*set = larger;
	return 0;
}

void qcow2_set_add(struct qcow2_set *set, u64 cluster)
{
	u64 i = slot_of(set, cluster);

	if (set->slots[i])
		return;
	set->slots[i] = cluster;
	set->nr++;
}

bool qcow2_set_has(const struct qcow2_set *set, u64 cluster)
{
	return cluster && set->size && set->slots[slot_of(set, cluster)];
}

void qcow2_set_remove(struct qcow2_set *set, u64 cluster)
{
	u64 mask = set->size - 1, i;

	if (!qcow2_set_has(set, cluster))
		return;
	i = slot_of(set, cluster);
	set->slots[i] = 0;
	set->nr--;
	/* What was moved on by it may have to come back. */
	for (i = (i + 1) & mask; set->slots[i]; i = (i + 1) & mask) {
		u64 moved = set->slots[i];

		set->slots[i] = 0;
		set->slots[slot_of(set, moved)] = moved;
	}
}
