// SPDX-License-Identifier: GPL-2.0-only
/*
 * A B+-tree. All mappings are in the leaves, which are chained in order of IOVA;
 * inner nodes only say which way to go. Nodes are wide, and what a search reads is
 * apart from the rest, because with a million mappings the time goes into cache
 * misses: a search touches a few lines of each node, and a node's lines are
 * fetched at once.
 *
 * Nodes come from slabs that are released with the store only. Adding reserves all
 * the nodes it may need before it changes anything; removing needs none.
 *
 * A lookup takes no lock. A change makes the store's sequence number odd and, when it is done,
 * even; a lookup in which the number was not the same even one all the time may have read
 * anything, and begins anew. It follows no pointer and trusts no index before it knows that they
 * were read in peace, and a node, whatever becomes of it, is memory of the store.
 */
#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "iommu/mapping-debug.h"

#define CACHE_LINE 64
#define NODE_SIZE  1024

/* Keys are searched in blocks of one cache line. */
#define BLOCK (CACHE_LINE / sizeof(u64))

/* Entries of a leaf are moved some at a time, so that there is room for a few more than it has. */
#define MOVE 4

#define LEAF_ROOM 40U
#define LEAF_MAX  (LEAF_ROOM - MOVE)
#define INNER_MAX 56U

/*
 * Below the minimum a node is merged with a neighbour if the sum leaves room for a
 * while, else the two share evenly. Together with the place where a node is split
 * this keeps a guest that adds and removes at a border from splitting and merging
 * again and again.
 */
#define LEAF_MIN	(LEAF_MAX / 3)
#define LEAF_MERGE_MAX	(LEAF_MAX * 4 / 5)
#define LEAF_EDGE	(LEAF_MIN + 3)
#define INNER_MIN	(INNER_MAX / 3)
#define INNER_MERGE_MAX (INNER_MAX * 4 / 5)

/* Enough for 2^64 mappings in nodes at their minimum. */
#define HEIGHT_MAX 16

#define SLAB_MIN_SIZE (4 * KiB)
#define SLAB_MAX_SIZE (2 * MiB) /* a huge page on the architectures that matter */

/* Keys past @nr are ~0, so that a search needs no bound: nothing is greater. */
struct leaf {
	u16 nr;
	u8 flags[LEAF_ROOM];
	struct leaf *next;
	u64 last[LEAF_ROOM] __attribute__((aligned(CACHE_LINE)));
	struct {
		u64 start;
		u64 gpa;
	} val[LEAF_ROOM];
};

/*
 * @key[i] is the highest IOVA that belongs to @child[i], mapped or not; the last
 * child takes the rest. No mapping crosses a key. @guide repeats the last key of
 * each block but the last, to save the search a cache line a block.
 */
struct inner {
	u16 nr; /* children */
	u64 guide[INNER_MAX / BLOCK - 1];
	u64 key[INNER_MAX] __attribute__((aligned(CACHE_LINE)));
	void *child[INNER_MAX];
};

_Static_assert(sizeof(struct leaf) <= NODE_SIZE, "a leaf is a node");
_Static_assert(sizeof(struct inner) <= NODE_SIZE, "an inner node is a node");
_Static_assert(LEAF_ROOM % BLOCK == 0 && INNER_MAX % BLOCK == 0, "search reads whole blocks");

struct free_node {
	struct free_node *next;
};

struct slab {
	struct slab *next;
	size_t size; /* bytes, this header included */
} __attribute__((aligned(CACHE_LINE)));

/*
 * The way to a leaf: at level l (1 is just above the leaves) child idx[l] of
 * node[l] was taken. The leaf is where the IOVAs lo..hi belong.
 */
struct path {
	struct leaf *leaf;
	u64 lo;
	u64 hi;
	struct inner *node[HEIGHT_MAX + 1];
	unsigned int idx[HEIGHT_MAX + 1];
};

struct mapping_store {
	_Atomic u32 seq; /* odd: a change is going on */
	_Atomic u32 disturbed; /* lookups that changes have to leave alone for once */
	void *root;
	unsigned int height; /* 0: the root is a leaf */
	u64 count;

	/*
	 * Where the last change was, and often the next one is. No leaf when nodes
	 * were split or merged since.
	 */
	struct path cursor;

	u64 shape; /* another one, never used before, whenever a leaf is freed */
	u64 visits; /* nodes that changes have come to, for tests */

	struct free_node *free_nodes;
	size_t nr_free; /* nodes in free_nodes or never used yet */
	size_t nr_reserved; /* how many of them the operation that runs may take */
	struct slab *slabs; /* in the order they were allocated */
	struct slab *last_slab;
	struct slab *cur_slab; /* has the next node that was never used */
	size_t cur_used; /* bytes of cur_slab, its header included */
};

/*
 * Where this thread's last lookup ended, and often the next one does. Of use only to
 * the store that has the same shape.
 */
static __thread struct {
	u64 shape;
	const struct leaf *leaf;
} hint;

/* Of a lookup, which reads what may change meanwhile. */
#define RACY __attribute__((no_sanitize("thread")))

/* So often a lookup begins anew before it keeps changes away. */
#define LOOKUP_TRIES 16

static void *default_alloc(size_t align, size_t size)
{
	void *mem = aligned_alloc(align, size);

	/* Saves a tenth of the time when mappings are many; a host without is only slower. */
	if (mem && align >= SLAB_MAX_SIZE)
		madvise(mem, size, MADV_HUGEPAGE);
	return mem;
}

void *(*mapping_store_alloc)(size_t align, size_t size) = default_alloc;

static size_t slab_nodes(const struct slab *slab)
{
	return (slab->size - sizeof(*slab)) / NODE_SIZE;
}

static int grow(struct mapping_store *store)
{
	size_t size = SLAB_MIN_SIZE;
	struct slab *slab;

	if (store->last_slab)
		size = min(store->last_slab->size * 2, (size_t)SLAB_MAX_SIZE);
	slab = mapping_store_alloc(size == SLAB_MAX_SIZE ? size : CACHE_LINE, size);
	if (!slab)
		return -ENOMEM;
	slab->next = NULL;
	slab->size = size;

	if (store->last_slab) {
		store->last_slab->next = slab;
	} else {
		store->slabs = slab;
		store->cur_slab = slab;
		store->cur_used = sizeof(*slab);
	}
	store->last_slab = slab;
	store->nr_free += slab_nodes(slab);
	return 0;
}

static int reserve_nodes(struct mapping_store *store, size_t nr)
{
	int ret = 0;

	while (!ret && store->nr_free < nr)
		ret = grow(store);
	store->nr_reserved = nr;
	return ret;
}

/* The caller has reserved it. */
static void *alloc_node(struct mapping_store *store)
{
	void *node = store->free_nodes;

	assert(store->nr_reserved && store->nr_free);
	store->nr_reserved--;
	store->nr_free--;
	if (node) {
		store->free_nodes = store->free_nodes->next;
		return node;
	}
	/* What is free and in no list lies behind what is used of the slabs. */
	assert(store->cur_slab);
	if (store->cur_used + NODE_SIZE > store->cur_slab->size) {
		store->cur_slab = store->cur_slab->next;
		store->cur_used = sizeof(struct slab);
	}
	node = (char *)store->cur_slab + store->cur_used;
	store->cur_used += NODE_SIZE;
	return node;
}

static void free_node(struct mapping_store *store, void *node)
{
	struct free_node *free_node = node;

	free_node->next = store->free_nodes;
	store->free_nodes = free_node;
	store->nr_free++;
}

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

static struct leaf *new_leaf(struct mapping_store *store)
{
	struct leaf *leaf = alloc_node(store);

	leaf->nr = 0;
	leaf->next = NULL;
	fill_keys(leaf->last, 0, LEAF_ROOM);
	return leaf;
}

static struct inner *new_inner(struct mapping_store *store)
{
	struct inner *node = alloc_node(store);

	node->nr = 0;
	fill_keys(node->key, 0, INNER_MAX);
	return node;
}

/* How many keys of a block are below @x; no branch to mispredict. */
RACY static inline unsigned int block_rank(const u64 *key, u64 x)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < BLOCK; i++)
		n += key[i] < x;
	return n;
}

/* Index of the first mapping that ends at or after @iova; nr if none does. */
RACY static inline unsigned int leaf_rank(const struct leaf *leaf, u64 iova)
{
	unsigned int pos = 0;

	for (unsigned int i = BLOCK - 1; i < LEAF_ROOM - BLOCK; i += BLOCK)
		pos += leaf->last[i] < iova ? BLOCK : 0;
	return pos + block_rank(leaf->last + pos, iova);
}

/* Index of the child that @iova belongs to. */
RACY static inline unsigned int inner_rank(const struct inner *node, u64 iova)
{
	unsigned int pos = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(node->guide); i++)
		pos += node->guide[i] < iova ? BLOCK : 0;
	return pos + block_rank(node->key + pos, iova);
}

/* To be called when keys have changed. */
static void update_guide(struct inner *node)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(node->guide); i++)
		node->guide[i] = node->key[(i + 1) * BLOCK - 1];
}

/*
 * The lines of a node come from memory together instead of one after the other. Near the root
 * they are in the cache anyway.
 */
static inline void prefetch_node(const void *node, unsigned int level)
{
	for (size_t i = 0; level < 2 && i < NODE_SIZE; i += CACHE_LINE)
		__builtin_prefetch((const char *)node + i);
}

static inline u32 sequence(const struct mapping_store *store)
{
	return atomic_load_explicit(&store->seq, memory_order_relaxed);
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

RACY static void leaf_get(const struct leaf *leaf, unsigned int i, struct mapping *out)
{
	out->start = leaf->val[i].start;
	out->last = leaf->last[i];
	out->gpa = leaf->val[i].gpa;
	out->flags = leaf->flags[i];
}

/* False if the store did not stay as it was at @seq. */
RACY static bool try_find(const struct mapping_store *store, u32 seq, u64 iova, struct mapping *out,
			  bool *found)
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
	if (*found)
		leaf_get(leaf, i, out);
	if (!unchanged(store, seq))
		return false;
	hint.shape = shape;
	hint.leaf = leaf;
	return true;
}

bool mapping_store_find(struct mapping_store *store, u64 iova, struct mapping *out)
{
	unsigned int tries = 0;
	bool found;

	for (;;) {
		u32 seq = atomic_load_explicit(&store->seq, memory_order_acquire);

		if (!(seq & 1) && try_find(store, seq, iova, out, &found))
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

/* Where nothing changes the store meanwhile. */
static const struct leaf *find_leaf(const struct mapping_store *store, u64 iova)
{
	return descend(store, sequence(store), iova);
}

bool mapping_store_next(const struct mapping_store *store, u64 iova, struct mapping *out)
{
	const struct leaf *leaf = find_leaf(store, iova);
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

static void inner_move(struct inner *to, unsigned int to_pos, struct inner *from,
		       unsigned int from_pos, unsigned int nr)
{
	memmove(&to->key[to_pos], &from->key[from_pos], nr * sizeof(to->key[0]));
	memmove(&to->child[to_pos], &from->child[from_pos], nr * sizeof(to->child[0]));
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

/* The leaf at the cursor has been split: @right is its part above @bound. */
static void insert_above(struct mapping_store *store, u64 bound, void *right)
{
	const unsigned int half = INNER_MAX / 2;
	struct inner *node, *other;
	unsigned int level, i;

	for (level = 1; level <= store->height; level++) {
		node = store->cursor.node[level];
		i = store->cursor.idx[level];
		if (node->nr < INNER_MAX) {
			inner_insert(node, i, bound, right);
			return;
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
}

/*
 * Splits the full leaf at the cursor. @pos is where a mapping is to go. Ranges are
 * mostly added downwards or upwards: then the leaf that is left behind keeps more.
 */
static struct leaf *split_leaf(struct mapping_store *store, unsigned int pos)
{
	struct leaf *left = store->cursor.leaf, *right = new_leaf(store);
	unsigned int left_nr = LEAF_MAX / 2;

	if (pos == 0)
		left_nr = LEAF_EDGE;
	else if (pos == LEAF_MAX)
		left_nr = LEAF_MAX - LEAF_EDGE;

	right->nr = LEAF_MAX - left_nr;
	leaf_move(right, 0, left, left_nr, right->nr);
	left->nr = left_nr;
	fill_keys(left->last, left_nr, LEAF_ROOM);
	right->next = left->next;
	left->next = right;
	insert_above(store, left->last[left_nr - 1], right);
	store->cursor.leaf = NULL;
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
	struct leaf *leaf, *right;
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
		ret = reserve_nodes(store, level + (level > store->height));
		if (ret)
			return ret;
	}

	change_begin(store);
	if (m->last > path->hi)
		raise_bound(store, m->last);
	if (leaf->nr == LEAF_MAX) {
		right = split_leaf(store, pos);
		if (pos >= leaf->nr) {
			pos -= leaf->nr;
			leaf = right;
		}
	}
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
		free_node(store, b);
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
		free_node(store, b);
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

	path->leaf = NULL;
	merged = rebalance_leaves(store, node, i ? i - 1 : 0);
	while (merged && level < store->height && node->nr < INNER_MIN) {
		node = path->node[++level];
		i = path->idx[level];
		merged = rebalance_inners(store, node, i ? i - 1 : 0);
	}

	node = store->root;
	if (node->nr == 1) {
		store->root = node->child[0];
		store->height--;
		free_node(store, node);
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
		leaf = find_leaf(store, last);
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
	struct slab *slab;

	change_begin(store);
	store->free_nodes = NULL;
	store->nr_free = 0;
	for (slab = store->slabs; slab; slab = slab->next)
		store->nr_free += slab_nodes(slab);
	store->cur_slab = store->slabs;
	store->cur_used = sizeof(struct slab);

	new_shape(store);
	reserve_nodes(store, 1); /* cannot fail: all nodes of at least one slab are free */
	store->root = new_leaf(store);
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
	if (grow(store)) {
		free(store);
		return NULL;
	}
	mapping_store_clear(store);
	return store;
}

void mapping_store_free(struct mapping_store *store)
{
	struct slab *slab, *next;

	if (!store)
		return;
	for (slab = store->slabs; slab; slab = next) {
		next = slab->next;
		free(slab);
	}
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
	size_t bytes = sizeof(*store);
	struct slab *slab;

	for (slab = store->slabs; slab; slab = slab->next)
		bytes += slab->size;
	return bytes;
}

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
	const struct free_node *node;
	const struct slab *slab;
	size_t nodes = 0, nr_free = 0;
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

	for (slab = store->slabs; slab; slab = slab->next)
		nodes += slab_nodes(slab);
	if (check.nodes + store->nr_free != nodes)
		return "nodes lost or used twice";
	for (node = store->free_nodes; node; node = node->next)
		nr_free++;
	slab = store->cur_slab;
	nr_free += (slab->size - store->cur_used) / NODE_SIZE;
	for (slab = slab->next; slab; slab = slab->next)
		nr_free += slab_nodes(slab);
	if (nr_free != store->nr_free)
		return "number of free nodes";
	return NULL;
}
