// SPDX-License-Identifier: GPL-2.0-only
/*
 * A lookup takes no lock. A change makes the store's sequence number odd and, when it is done,
 * even; a lookup in which the number was not the same even one all the time may have read
 * anything, and begins anew. It follows no pointer and trusts no index before it knows that they
 * were read in peace, and a node, whatever becomes of it, is memory of the store.
 */
#include <sched.h>

#include "mapping-internal.h"

/*
 * Where this thread's last lookup ended, and often the next one does. Of use only to
 * the store that has the same shape.
 */
static __thread struct {
	u64 shape;
	const struct leaf *leaf;
} hint;

/* So often a lookup begins anew before it keeps changes away. */
#define LOOKUP_TRIES 16

/* Whether all that was read since @seq was holds together. */
static inline bool unchanged(const struct mapping_store *store, u32 seq)
{
	atomic_thread_fence(memory_order_acquire);
	return sequence(store) == seq;
}

/* The leaf where @iova belongs; NULL if the store did not stay as it was at @seq. */
RACY static const struct leaf *descend(const struct mapping_store *store, u32 seq, u64 iova)
{
	unsigned int level = store->height;
	const void *node = store->root;

	while (unchanged(store, seq)) {
		const struct inner *inner = node;

		if (!level)
			return node;
		node = inner->child[min(inner_rank(inner, iova), INNER_MAX - 1)];
		prefetch_node(node, --level);
	}
	return NULL;
}

RACY static bool hint_holds(const struct mapping_store *store, u64 iova)
{
	const struct leaf *leaf = hint.leaf;
	unsigned int nr;

	if (hint.shape != store->shape)
		return false;
	nr = min(leaf->nr, LEAF_MAX);
	return nr && iova >= leaf->val[0].start && iova <= leaf->last[nr - 1];
}

RACY static void leaf_get(const struct leaf *leaf, unsigned int i, struct mapping *out)
{
	out->start = leaf->val[i].start;
	out->last = leaf->last[i];
	out->gpa = leaf->val[i].gpa;
	out->flags = leaf->flags[i];
}

/* Whether entry @i of a leaf goes on where the one before it ends, to the same effect. */
RACY static bool goes_on(const struct leaf *leaf, unsigned int i)
{
	u64 len = leaf->val[i].start - leaf->val[i - 1].start;

	return leaf->val[i].start == leaf->last[i - 1] + 1 &&
	       leaf->val[i].gpa == leaf->val[i - 1].gpa + len &&
	       leaf->flags[i] == leaf->flags[i - 1];
}

/* Entry @i, with all before and behind it that make one run with it. */
RACY static void leaf_get_run(const struct leaf *leaf, unsigned int i, struct mapping *out)
{
	unsigned int nr = min(leaf->nr, LEAF_MAX), first = i;

	while (first && goes_on(leaf, first))
		first--;
	while (i + 1 < nr && goes_on(leaf, i + 1))
		i++;
	leaf_get(leaf, first, out);
	out->last = leaf->last[i];
}

/* False if the store did not stay as it was at @seq. */
RACY static bool try_find(const struct mapping_store *store, u32 seq, u64 iova, bool run,
			  struct mapping *out, bool *found)
{
	const struct leaf *leaf = hint.leaf;
	u64 shape = store->shape;
	unsigned int i;

	if (!hint_holds(store, iova))
		leaf = descend(store, seq, iova);
	if (!leaf)
		return false;
	i = leaf_rank(leaf, iova);
	*found = i < min(leaf->nr, LEAF_MAX) && leaf->val[i].start <= iova;
	if (*found && run)
		leaf_get_run(leaf, i, out);
	else if (*found)
		leaf_get(leaf, i, out);
	if (!unchanged(store, seq))
		return false;
	hint.shape = shape;
	hint.leaf = leaf;
	return true;
}

static inline bool find(struct mapping_store *store, u64 iova, bool run, struct mapping *out)
{
	unsigned int tries = 0;
	bool found;

	for (;;) {
		u32 seq = atomic_load_explicit(&store->seq, memory_order_acquire);

		if (!(seq & 1) && try_find(store, seq, iova, run, out, &found))
			break;
		if (++tries == LOOKUP_TRIES)
			atomic_fetch_add(&store->disturbed, 1);
		if (tries >= LOOKUP_TRIES)
			sched_yield();
	}
	if (tries >= LOOKUP_TRIES)
		atomic_fetch_sub(&store->disturbed, 1);
	return found;
}

bool mapping_store_find(struct mapping_store *store, u64 iova, struct mapping *out)
{
	return find(store, iova, false, out);
}

bool mapping_store_find_run(struct mapping_store *store, u64 iova, struct mapping *out)
{
	return find(store, iova, true, out);
}

const struct leaf *mapping_find_leaf(const struct mapping_store *store, u64 iova)
{
	return descend(store, sequence(store), iova);
}

bool mapping_store_next(const struct mapping_store *store, u64 iova, struct mapping *out)
{
	const struct leaf *leaf = mapping_find_leaf(store, iova);
	unsigned int i = leaf_rank(leaf, iova);

	if (i >= leaf->nr) {
		leaf = leaf->next;
		i = 0;
		if (!leaf)
			return false;
	}
	leaf_get(leaf, i, out);
	return true;
}
