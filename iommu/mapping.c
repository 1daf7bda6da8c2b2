// SPDX-License-Identifier: GPL-2.0-only
/*
 * A B+-tree. All mappings are in the leaves, which are chained in order of IOVA;
 * inner nodes only say which way to go. Nodes are wide, and what a search reads is
 * apart from the rest, because with a million mappings the time goes into cache
 * misses: a search touches a few lines of each node, and a node's lines are
 * fetched at once.
 *
 * Adding reserves all the nodes it may need before it changes anything; removing needs none.
 */
#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "mapping-internal.h"

static void new_shape(struct mapping_store *store)
{
	static u64 last_shape;

	store->shape = __atomic_add_fetch(&last_shape, 1, __ATOMIC_RELAXED);
}

static void fill_keys(u64 *key, unsigned int from, unsigned int to)
{
	for (; from < to; from++)
		WRITE_ONCE(key[from], ~0ULL);
}

/* Its keys are still to be filled. */
static struct leaf *new_leaf(struct mapping_store *store)
{
	struct leaf *leaf = node_pool_take(&store->pool);

	leaf->nr = 0;
	leaf->next = NULL;
	return leaf;
}

static struct inner *new_inner(struct mapping_store *store)
{
	struct inner *node = node_pool_take(&store->pool);

	node->nr = 0;
	fill_keys(node->key, 0, INNER_MAX);
	return node;
}

/* To be called when keys have changed. */
static void update_guide(struct inner *node)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(node->guide); i++)
		node->guide[i] = node->key[(i + 1) * BLOCK - 1];
}

static void change_begin(struct mapping_store *store)
{
	while (atomic_load_explicit(&store->disturbed, memory_order_relaxed))
		sched_yield();
	atomic_store_explicit(&store->seq, sequence(store) + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
}

static void change_end(struct mapping_store *store)
{
	atomic_store_explicit(&store->seq, sequence(store) + 1, memory_order_release);
}

/* Puts the cursor on the leaf where @iova belongs. */
static void seek(struct mapping_store *store, u64 iova)
{
	struct path *path = &store->cursor;
	void *node = store->root;
	unsigned int level, i;

	if (path->leaf && iova >= path->lo && iova <= path->hi)
		return;
	store->visits += store->height + 1;
	path->lo = 0;
	path->hi = ~0ULL;
	for (level = store->height; level; level--) {
		struct inner *inner = node;

		i = inner_rank(inner, iova);
		node = inner->child[i];
		prefetch_node(node, level - 1);
		path->node[level] = inner;
		path->idx[level] = i;
		path->hi = min(path->hi, inner->key[i]);
		if (i)
			path->lo = inner->key[i - 1] + 1;
	}
	path->leaf = node;
}

typedef u64 pair_t __attribute__((vector_size(16), aligned(8), may_alias));
typedef u32 flags_t __attribute__((aligned(1), may_alias)); /* of MOVE entries */

static inline void move_some(struct leaf *to, unsigned int to_pos, const struct leaf *from,
			     unsigned int from_pos)
{
	const pair_t *last = (const pair_t *)&from->last[from_pos];
	const pair_t *val = (const pair_t *)&from->val[from_pos];
	const pair_t l0 = last[0], l1 = last[1], v0 = val[0], v1 = val[1], v2 = val[2], v3 = val[3];
	const flags_t flags = *(const flags_t *)&from->flags[from_pos];
	pair_t *to_last = (pair_t *)&to->last[to_pos];
	pair_t *to_val = (pair_t *)&to->val[to_pos];

	to_last[0] = l0;
	to_last[1] = l1;
	to_val[0] = v0;
	to_val[1] = v1;
	to_val[2] = v2;
	to_val[3] = v3;
	*(flags_t *)&to->flags[to_pos] = flags;
}

/*
 * Entries of one leaf to another, or to another place of the same, and up to MOVE - 1 that follow
 * them. That is faster than three memmove() of so little, and much so where the C library's is
 * slow if it has to begin at the end, as musl's.
 */
static void leaf_move(struct leaf *to, unsigned int to_pos, const struct leaf *from,
		      unsigned int from_pos, unsigned int nr)
{
	unsigned int end = align_up(nr, MOVE), i;

	if (to == from && to_pos > from_pos) {
		for (i = end; i; i -= MOVE)
			move_some(to, to_pos + i - MOVE, from, from_pos + i - MOVE);
	} else {
		for (i = 0; i < end; i += MOVE)
			move_some(to, to_pos + i, from, from_pos + i);
	}
}

typedef u64 word_t __attribute__((may_alias));

static void move_words(void *to, const void *from, unsigned int nr)
{
	const word_t *f = from;
	word_t *t = to;

	if (to <= from) {
		for (unsigned int i = 0; i < nr; i++)
			WRITE_ONCE(t[i], f[i]);
	} else {
		for (unsigned int i = nr; i--;)
			WRITE_ONCE(t[i], f[i]);
	}
}

/* Not by memmove(), for the reason that leaf_move() has. */
static void inner_move(struct inner *to, unsigned int to_pos, struct inner *from,
		       unsigned int from_pos, unsigned int nr)
{
	move_words(&to->key[to_pos], &from->key[from_pos], nr);
	move_words(&to->child[to_pos], &from->child[from_pos], nr);
}

static void leaf_insert(struct leaf *leaf, unsigned int pos, const struct mapping *m)
{
	leaf_move(leaf, pos + 1, leaf, pos, leaf->nr - pos);
	leaf->val[pos].start = m->start;
	leaf->last[pos] = m->last;
	leaf->val[pos].gpa = m->gpa;
	leaf->flags[pos] = m->flags;
	leaf->nr++;
}

/* Child @i has been split: @right is its part above @bound. */
static void inner_insert(struct inner *node, unsigned int i, u64 bound, void *right)
{
	inner_move(node, i + 1, node, i, node->nr - i);
	node->key[i] = bound;
	node->child[i + 1] = right;
	node->nr++;
	update_guide(node);
}

/*
 * The leaf at the cursor has been split: @right is its part above @bound. Whether the nodes above
 * are still those of the cursor.
 */
static bool insert_above(struct mapping_store *store, u64 bound, void *right)
{
	const unsigned int half = INNER_MAX / 2;
	struct inner *node, *other;
	unsigned int level, i;

	for (level = 1; level <= store->height; level++) {
		node = store->cursor.node[level];
		i = store->cursor.idx[level];
		if (node->nr < INNER_MAX) {
			inner_insert(node, i, bound, right);
			return level == 1;
		}
		other = new_inner(store);
		inner_move(other, 0, node, half, INNER_MAX - half);
		other->nr = INNER_MAX - half;
		node->nr = half;
		if (i < half)
			inner_insert(node, i, bound, right);
		else
			inner_insert(other, i - half, bound, right);
		bound = node->key[node->nr - 1];
		fill_keys(node->key, node->nr - 1, INNER_MAX);
		update_guide(node);
		update_guide(other);
		right = other;
	}

	node = new_inner(store);
	node->nr = 1;
	node->child[0] = store->root;
	inner_insert(node, 0, bound, right);
	store->root = node;
	store->height++;
	return false;
}

/*
 * Splits the full leaf at the cursor; the cursor and *@pos are where a mapping is to go, which is
 * at *@pos before. Ranges are mostly added downwards or upwards: then the leaf that is left behind
 * keeps more.
 */
static struct leaf *split_leaf(struct mapping_store *store, unsigned int *pos)
{
	struct path *path = &store->cursor;
	struct leaf *left = path->leaf, *right = new_leaf(store);
	unsigned int left_nr = LEAF_MAX / 2;
	bool holds;
	u64 bound;

	if (*pos == 0)
		left_nr = LEAF_EDGE;
	else if (*pos == LEAF_MAX)
		left_nr = LEAF_MAX - LEAF_EDGE;
	bound = left->last[left_nr - 1];

	right->nr = LEAF_MAX - left_nr;
	leaf_move(right, 0, left, left_nr, right->nr);
	fill_keys(right->last, right->nr, LEAF_ROOM);
	left->nr = left_nr;
	fill_keys(left->last, left_nr, LEAF_ROOM);
	right->next = left->next;
	left->next = right;
	holds = insert_above(store, bound, right);
	if (*pos < left_nr) {
		path->hi = bound;
		path->leaf = holds ? left : NULL;
		return left;
	}
	*pos -= left_nr;
	path->lo = bound + 1;
	path->idx[1]++;
	path->leaf = holds ? right : NULL;
	return right;
}

/* The leaf at the cursor takes IOVAs up to @hi, which its right neighbour has not in use. */
static void raise_bound(struct mapping_store *store, u64 hi)
{
	struct path *path = &store->cursor;
	unsigned int level = 1;

	while (path->idx[level] == path->node[level]->nr - 1U)
		level++;
	path->node[level]->key[path->idx[level]] = hi;
	update_guide(path->node[level]);
	path->hi = hi;
}

int mapping_store_add(struct mapping_store *store, const struct mapping *m)
{
	struct path *path = &store->cursor;
	unsigned int pos, level = 0;
	struct leaf *leaf;
	int ret;

	assert(m->start <= m->last);
	assert(m->flags <= 0xff);

	seek(store, m->start);
	leaf = path->leaf;
	pos = leaf_rank(leaf, m->start);
	if (pos < leaf->nr && leaf->val[pos].start <= m->last)
		return -EEXIST;
	if (m->last > path->hi && leaf->next->val[0].start <= m->last)
		return -EEXIST;

	if (leaf->nr == LEAF_MAX) {
		/* One for the leaf and each full node above it, and one for a new root. */
		while (++level <= store->height && path->node[level]->nr == INNER_MAX)
			;
		ret = node_pool_reserve(&store->pool, level + (level > store->height));
		if (ret)
			return ret;
	}

	change_begin(store);
	if (m->last > path->hi)
		raise_bound(store, m->last);
	if (leaf->nr == LEAF_MAX)
		leaf = split_leaf(store, &pos);
	leaf_insert(leaf, pos, m);
	change_end(store);
	store->count++;
	return 0;
}

static void leaf_remove(struct leaf *leaf, unsigned int pos, unsigned int end)
{
	unsigned int nr = leaf->nr - (end - pos);

	leaf_move(leaf, pos, leaf, end, leaf->nr - end);
	fill_keys(leaf->last, nr, leaf->nr);
	leaf->nr = nr;
}

/* Child @i + 1 has been merged into child @i. */
static void inner_remove(struct inner *node, unsigned int i)
{
	node->child[i + 1] = node->child[i];
	inner_move(node, i, node, i + 1, node->nr - i - 1);
	node->nr--;
	update_guide(node);
}

static void copy_entry(struct leaf *to, unsigned int to_pos, const struct leaf *from,
		       unsigned int from_pos)
{
	to->flags[to_pos] = from->flags[from_pos];
	to->last[to_pos] = from->last[from_pos];
	to->val[to_pos] = from->val[from_pos];
}

/*
 * One of children @i and @i + 1 of @parent is below the minimum. True if they were
 * merged; else they share evenly.
 */
static bool rebalance_leaves(struct mapping_store *store, struct inner *parent, unsigned int i)
{
	struct leaf *a = parent->child[i], *b = parent->child[i + 1];
	unsigned int sum = a->nr + b->nr, half = sum / 2;

	store->visits += 2;
	if (sum <= LEAF_MERGE_MAX) {
		leaf_move(a, a->nr, b, 0, b->nr);
		a->nr = sum;
		a->next = b->next;
		inner_remove(parent, i);
		node_pool_give(&store->pool, b);
		new_shape(store);
		return true;
	}
	if (a->nr < half) {
		leaf_move(a, a->nr, b, 0, half - a->nr);
		leaf_remove(b, 0, half - a->nr);
	} else {
		leaf_move(b, a->nr - half, b, 0, b->nr);
		/* One by one: behind them the others are. */
		for (unsigned int n = half; n < a->nr; n++)
			copy_entry(b, n - half, a, n);
	}
	fill_keys(a->last, half, LEAF_ROOM);
	a->nr = half;
	b->nr = sum - half;
	parent->key[i] = a->last[half - 1];
	update_guide(parent);
	return false;
}

/* As rebalance_leaves(). */
static bool rebalance_inners(struct mapping_store *store, struct inner *parent, unsigned int i)
{
	struct inner *a = parent->child[i], *b = parent->child[i + 1];
	unsigned int sum = a->nr + b->nr, half = sum / 2, nr;

	store->visits += 2;
	a->key[a->nr - 1] = parent->key[i];
	if (sum <= INNER_MERGE_MAX) {
		inner_move(a, a->nr, b, 0, b->nr);
		a->nr = sum;
		update_guide(a);
		inner_remove(parent, i);
		node_pool_give(&store->pool, b);
		return true;
	}
	if (a->nr < half) {
		nr = half - a->nr;
		inner_move(a, a->nr, b, 0, nr);
		inner_move(b, 0, b, nr, b->nr - nr);
	} else {
		nr = a->nr - half;
		inner_move(b, nr, b, 0, b->nr);
		inner_move(b, 0, a, half, nr);
	}
	a->nr = half;
	b->nr = sum - half;
	parent->key[i] = a->key[half - 1];
	fill_keys(a->key, half - 1, INNER_MAX);
	fill_keys(b->key, b->nr, INNER_MAX);
	update_guide(parent);
	update_guide(a);
	update_guide(b);
	return false;
}

/* The leaf at the cursor is below the minimum, and not the root. */
static void rebalance(struct mapping_store *store)
{
	struct path *path = &store->cursor;
	struct inner *node = path->node[1];
	unsigned int level = 1, i = path->idx[1];
	bool merged;

	merged = rebalance_leaves(store, node, i ? i - 1 : 0);
	if (!merged) {
		if (i)
			path->lo = node->key[i - 1] + 1;
		else
			path->hi = node->key[0];
		return;
	}
	path->leaf = NULL;
	while (merged && level < store->height && node->nr < INNER_MIN) {
		node = path->node[++level];
		i = path->idx[level];
		merged = rebalance_inners(store, node, i ? i - 1 : 0);
	}

	node = store->root;
	if (node->nr == 1) {
		store->root = node->child[0];
		store->height--;
		node_pool_give(&store->pool, node);
	}
}

/*
 * Puts the cursor on the first mapping that ends at or after @start, and its index
 * in @pos. False if it starts after @last or there is none.
 */
static bool seek_first(struct mapping_store *store, u64 start, u64 last, unsigned int *pos)
{
	struct leaf *leaf;

	seek(store, start);
	leaf = store->cursor.leaf;
	*pos = leaf_rank(leaf, start);
	if (*pos == leaf->nr) {
		if (!leaf->next)
			return false;
		seek(store, leaf->next->val[0].start);
		leaf = store->cursor.leaf;
		*pos = 0;
	}
	return leaf->val[*pos].start <= last;
}

/* Whether a mapping goes on after @last, which is not before the cursor. */
static bool crosses(struct mapping_store *store, u64 last)
{
	const struct leaf *leaf = store->cursor.leaf;
	unsigned int i;

	if (last > store->cursor.hi) {
		store->visits += store->height + 1;
		leaf = mapping_find_leaf(store, last);
	}
	i = leaf_rank(leaf, last);
	return i < leaf->nr && leaf->val[i].start <= last && leaf->last[i] > last;
}

/* How many mappings of the leaf at the cursor, from the one at @pos on, end by @last. */
static unsigned int count_until(const struct leaf *leaf, unsigned int pos, u64 last)
{
	unsigned int end;

	if (leaf->last[pos] == last)
		return 1;
	end = leaf_rank(leaf, last);
	return end - pos + (end < leaf->nr && leaf->last[end] == last);
}

int mapping_store_remove(struct mapping_store *store, u64 start, u64 last, u64 *removed)
{
	struct path *path = &store->cursor;
	u64 count = store->count;
	unsigned int pos, nr;
	bool more;

	assert(start <= last);

	more = seek_first(store, start, last, &pos);
	if (more && path->leaf->val[pos].start < start)
		return -ERANGE;
	/* Mostly it is one mapping, whole. */
	if (more && path->leaf->last[pos] != last && crosses(store, last))
		return -ERANGE;

	while (more) {
		struct leaf *leaf = path->leaf;

		store->visits++;
		nr = count_until(leaf, pos, last);
		more = pos + nr == leaf->nr && path->hi < last;
		/* One after the other: a lookup does not wait until all are gone. */
		change_begin(store);
		leaf_remove(leaf, pos, pos + nr);
		if (leaf->nr < LEAF_MIN && store->height)
			rebalance(store);
		change_end(store);
		store->count -= nr;
		more = more && seek_first(store, start, last, &pos);
	}
	if (removed)
		*removed = count - store->count;
	return 0;
}

void mapping_store_clear(struct mapping_store *store)
{
	struct leaf *root;

	change_begin(store);
	node_pool_reset(&store->pool);
	new_shape(store);
	node_pool_reserve(&store->pool,
			  1); /* cannot fail: all nodes of at least one slab are free */
	root = new_leaf(store);
	fill_keys(root->last, 0, LEAF_ROOM);
	store->root = root;
	store->height = 0;
	store->count = 0;
	store->cursor.leaf = NULL;
	change_end(store);
}

struct mapping_store *mapping_store_new(void)
{
	struct mapping_store *store;

	store = mapping_store_alloc(CACHE_LINE, align_up(sizeof(*store), CACHE_LINE));
	if (!store)
		return NULL;
	memset(store, 0, sizeof(*store));
	if (node_pool_reserve(&store->pool, 1)) {
		free(store);
		return NULL;
	}
	mapping_store_clear(store);
	return store;
}

void mapping_store_free(struct mapping_store *store)
{
	if (!store)
		return;
	node_pool_destroy(&store->pool);
	free(store);
}

u64 mapping_store_count(const struct mapping_store *store)
{
	return store->count;
}

u64 mapping_store_visits(const struct mapping_store *store)
{
	return store->visits;
}

size_t mapping_store_bytes(const struct mapping_store *store)
{
	return sizeof(*store) + node_pool_bytes(&store->pool);
}
