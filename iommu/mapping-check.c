// SPDX-License-Identifier: GPL-2.0-only
/* Whether a mapping store is well-formed, for tests. */
#include "mapping-internal.h"

/* What a walk over the whole tree has seen so far. */
struct check {
	const struct mapping_store *store;
	const struct leaf *prev;
	u64 count;
	size_t nodes;
};

static const char *check_leaf(struct check *check, const struct leaf *leaf, u64 lo, u64 hi)
{
	unsigned int i;

	if (check->prev && check->prev->next != leaf)
		return "leaves are not chained in order";
	check->prev = leaf;
	check->count += leaf->nr;
	if (leaf->nr > LEAF_MAX || (leaf->nr < LEAF_MIN && check->store->height))
		return "number of mappings in a leaf";
	for (i = 0; i < leaf->nr; i++) {
		if (leaf->val[i].start < lo || leaf->last[i] > hi)
			return "mapping is in the wrong leaf";
		if (leaf->val[i].start > leaf->last[i])
			return "mapping ends before it starts";
		if (i && leaf->val[i].start <= leaf->last[i - 1])
			return "mappings overlap or are not sorted";
	}
	for (; i < LEAF_ROOM; i++) {
		if (leaf->last[i] != ~0ULL)
			return "unused key of a leaf";
	}
	return NULL;
}

static const char *check_node(struct check *check, const void *node, unsigned int level, u64 lo,
			      u64 hi)
{
	const struct inner *inner = node;
	const char *wrong = NULL;
	unsigned int i;

	check->nodes++;
	if (!level)
		return check_leaf(check, node, lo, hi);
	if (inner->nr > INNER_MAX || inner->nr < (node == check->store->root ? 2 : INNER_MIN))
		return "number of children in an inner node";
	for (i = 0; i < ARRAY_SIZE(inner->guide); i++) {
		if (inner->guide[i] != inner->key[(i + 1) * BLOCK - 1])
			return "guide of an inner node";
	}
	for (i = inner->nr - 1; i < INNER_MAX; i++) {
		if (inner->key[i] != ~0ULL)
			return "unused key of an inner node";
	}
	for (i = 0; i < inner->nr && !wrong; i++) {
		u64 child_hi = i == inner->nr - 1U ? hi : inner->key[i];

		if (child_hi < lo || child_hi > hi)
			return "keys of an inner node are not sorted";
		wrong = check_node(check, inner->child[i], level - 1, lo, child_hi);
		lo = child_hi + 1;
	}
	return wrong;
}

const char *mapping_store_check(const struct mapping_store *store)
{
	const struct path *path = &store->cursor;
	struct check check = {.store = store};
	const char *wrong;

	wrong = check_node(&check, store->root, store->height, 0, ~0ULL);
	if (wrong)
		return wrong;
	if (check.prev->next)
		return "last leaf has a next one";
	if (check.count != store->count)
		return "count of mappings";
	if (path->leaf) {
		if (path->leaf->nr && (path->leaf->val[0].start < path->lo ||
				       path->leaf->last[path->leaf->nr - 1] > path->hi))
			return "cursor";
	}

	if (check.nodes + store->pool.nr_free != node_pool_nodes(&store->pool))
		return "nodes lost or used twice";
	if (node_pool_count_free(&store->pool) != store->pool.nr_free)
		return "number of free nodes";
	return NULL;
}
