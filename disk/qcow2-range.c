// SPDX-License-Identifier: GPL-2.0-only
/*
 * A write that allocates has to read, write and link its clusters as one step; a cluster that is
 * given back must not be in use by a request that began before. So requests keep the clusters
 * that they are about, and whoever came first goes first.
 */
#include "qcow2-internal.h"

/* With ranges.lock: whether one that came before @r is in its way. */
static bool has_to_wait(struct qcow2_ranges *ranges, const struct qcow2_range *r)
{
	struct qcow2_range *other;

	list_for_each_entry (other, &ranges->list, node) {
		if (other == r)
			return false;
		if (other->first <= r->last && r->first <= other->last &&
		    (other->exclusive || r->exclusive))
			return true;
	}
	return false;
}

void qcow2_range_lock(struct qcow2 *q, struct qcow2_range *r, u64 off, u64 len, bool exclusive)
{
	struct qcow2_ranges *ranges = &q->ranges;

	r->first = to_cluster(q, off);
	r->last = to_cluster(q, off + len - 1);
	r->exclusive = exclusive;
	pthread_mutex_lock(&ranges->lock);
	list_add_tail(&r->node, &ranges->list);
	ranges->waiting++;
	while (has_to_wait(ranges, r))
		pthread_cond_wait(&ranges->done, &ranges->lock);
	ranges->waiting--;
	pthread_mutex_unlock(&ranges->lock);
}

void qcow2_range_unlock(struct qcow2 *q, struct qcow2_range *r)
{
	struct qcow2_ranges *ranges = &q->ranges;

	pthread_mutex_lock(&ranges->lock);
	list_del(&r->node);
	if (ranges->waiting)
		pthread_cond_broadcast(&ranges->done);
	pthread_mutex_unlock(&ranges->lock);
}
