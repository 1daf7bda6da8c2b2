// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of a mapping store. A lookup may follow a node that is in use no more, so slabs stay
 * until the store ends. They double in size, up to huge pages: a small store takes little, and a
 * large one few entries of the TLB.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "mapping-internal.h"

#define SLAB_MIN_SIZE (4 * KiB)
#define SLAB_MAX_SIZE (2 * MiB) /* a huge page on the architectures that matter */

struct free_node {
	struct free_node *next;
};

struct slab {
	struct slab *next;
	size_t size; /* bytes, this header included */
} __attribute__((aligned(CACHE_LINE)));

static void *default_alloc(size_t align, size_t size)
{
	void *mem = aligned_alloc(align, size);

	/* Saves a quarter of the time of a lookup in a million; a host without is only slower. */
	if (mem && align >= SLAB_MAX_SIZE)
		madvise(mem, size, MADV_HUGEPAGE);
	return mem;
}

void *(*mapping_store_alloc)(size_t align, size_t size) = default_alloc;

static size_t slab_nodes(const struct slab *slab)
{
	return (slab->size - sizeof(*slab)) / NODE_SIZE;
}

static int grow(struct node_pool *pool)
{
	size_t size = SLAB_MIN_SIZE;
	struct slab *slab;

	if (pool->last_slab)
		size = min(pool->last_slab->size * 2, (size_t)SLAB_MAX_SIZE);
	slab = mapping_store_alloc(size == SLAB_MAX_SIZE ? size : CACHE_LINE, size);
	if (!slab)
		return -ENOMEM;
	slab->next = NULL;
	slab->size = size;

	if (pool->last_slab) {
		pool->last_slab->next = slab;
	} else {
		pool->slabs = slab;
		pool->cur_slab = slab;
		pool->cur_used = sizeof(*slab);
	}
	pool->last_slab = slab;
	pool->nr_free += slab_nodes(slab);
	return 0;
}

int node_pool_reserve(struct node_pool *pool, size_t nr)
{
	int ret = 0;

	while (!ret && pool->nr_free < nr)
		ret = grow(pool);
	pool->nr_reserved = nr;
	return ret;
}

void *node_pool_take(struct node_pool *pool)
{
	void *node = pool->free_nodes;

	assert(pool->nr_reserved && pool->nr_free);
	pool->nr_reserved--;
	pool->nr_free--;
	if (node) {
		pool->free_nodes = pool->free_nodes->next;
		return node;
	}
	/* What is free and in no list lies behind what is used of the slabs. */
	assert(pool->cur_slab);
	if (pool->cur_used + NODE_SIZE > pool->cur_slab->size) {
		pool->cur_slab = pool->cur_slab->next;
		pool->cur_used = sizeof(struct slab);
	}
	node = (char *)pool->cur_slab + pool->cur_used;
	pool->cur_used += NODE_SIZE;
	return node;
}

void node_pool_give(struct node_pool *pool, void *node)
{
	struct free_node *free_node = node;

	free_node->next = pool->free_nodes;
	pool->free_nodes = free_node;
	pool->nr_free++;
}

void node_pool_reset(struct node_pool *pool)
{
	pool->free_nodes = NULL;
	pool->nr_free = node_pool_nodes(pool);
	pool->cur_slab = pool->slabs;
	pool->cur_used = sizeof(struct slab);
}

void node_pool_destroy(struct node_pool *pool)
{
	struct slab *slab, *next;

	for (slab = pool->slabs; slab; slab = next) {
		next = slab->next;
		free(slab);
	}
}

size_t node_pool_bytes(const struct node_pool *pool)
{
	size_t bytes = 0;

	for (const struct slab *slab = pool->slabs; slab; slab = slab->next)
		bytes += slab->size;
	return bytes;
}

size_t node_pool_nodes(const struct node_pool *pool)
{
	size_t nodes = 0;

	for (const struct slab *slab = pool->slabs; slab; slab = slab->next)
		nodes += slab_nodes(slab);
	return nodes;
}

size_t node_pool_count_free(const struct node_pool *pool)
{
	const struct slab *slab = pool->cur_slab;
	size_t nr = (slab->size - pool->cur_used) / NODE_SIZE;

	for (const struct free_node *node = pool->free_nodes; node; node = node->next)
		nr++;
	for (slab = slab->next; slab; slab = slab->next)
		nr += slab_nodes(slab);
	return nr;
}
