/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The mapping store's insides: mapping.c changes the tree, mapping-lookup.c finds in it,
 * mapping-nodes.c has the memory, and mapping-check.c looks whether all is well.
 */
#ifndef LKVM_IOMMU_MAPPING_INTERNAL_H
#define LKVM_IOMMU_MAPPING_INTERNAL_H

#include <stdatomic.h>

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

/* Of a lookup, which reads what may change meanwhile. */
#define RACY __attribute__((no_sanitize("thread")))

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

/* Nodes, all of NODE_SIZE, in slabs that are released with the store only. */
struct node_pool {
	struct free_node *free_nodes;
	size_t nr_free; /* nodes in free_nodes or never used yet */
	size_t nr_reserved; /* how many of them the operation that runs may take */
	struct slab *slabs; /* in the order they were allocated */
	struct slab *last_slab;
	struct slab *cur_slab; /* has the next node that was never used */
	size_t cur_used; /* bytes of cur_slab, its header included */
};

struct mapping_store {
	_Atomic u32 seq; /* odd: a change is going on */
	_Atomic u32 disturbed; /* lookups that changes have to leave alone for once */
	void *root;
	unsigned int height; /* 0: the root is a leaf */
	u64 count;

	/*
	 * Where the last change was, and often the next one is. No leaf when leaves were
	 * merged or inner nodes split since.
	 */
	struct path cursor;

	u64 shape; /* another one, never used before, whenever a leaf is freed */
	u64 visits; /* nodes that changes have come to, for tests */

	struct node_pool pool;
};

/* Enough nodes for what comes, so that taking them cannot fail. -ENOMEM. */
int node_pool_reserve(struct node_pool *pool, size_t nr);

/* One that was reserved. */
void *node_pool_take(struct node_pool *pool);
void node_pool_give(struct node_pool *pool, void *node);

/* All are free again. */
void node_pool_reset(struct node_pool *pool);

void node_pool_destroy(struct node_pool *pool);
size_t node_pool_bytes(const struct node_pool *pool);

/* How many nodes there are, in use or not; and how many are free, counted one by one. */
size_t node_pool_nodes(const struct node_pool *pool);
size_t node_pool_count_free(const struct node_pool *pool);

/* The leaf where @iova belongs, where nothing changes the store meanwhile. */
const struct leaf *mapping_find_leaf(const struct mapping_store *store, u64 iova);

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

#endif /* LKVM_IOMMU_MAPPING_INTERNAL_H */
