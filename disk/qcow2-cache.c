// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pieces of L2 tables and of refcount blocks in memory, so many and no more. A piece that was
 * changed stays until it is written.
 */
#include <errno.h>
#include <stdlib.h>

#include "disk/iov.h"
#include "qcow2-internal.h"

int qcow2_cache_init(struct qcow2_cache *c, u64 cluster_size, unsigned int max)
{
	c->slices = calloc(max + 1, sizeof(*c->slices));
	c->buckets = calloc(max, sizeof(*c->buckets));
	if (!c->slices || !c->buckets) {
		free(c->slices);
		free(c->buckets);
		c->slices = NULL;
		return -ENOMEM;
	}
	c->slice_size = min(cluster_size, (u64)QCOW2_SLICE);
	c->max = max;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->loaded, NULL);
	return 0;
}

void qcow2_cache_destroy(struct qcow2_cache *c)
{
	if (!c->slices)
		return;
	for (unsigned int i = 1; i <= c->nr; i++)
		free(c->slices[i].data);
	free(c->slices);
	free(c->buckets);
	pthread_cond_destroy(&c->loaded);
	pthread_mutex_destroy(&c->lock);
}

/* The link that leads to the slice at @off, or to the end of its bucket. */
static u16 *find_link(struct qcow2_cache *c, u64 off)
{
	u64 hash = off / c->slice_size * 0x9e3779b97f4a7c15ULL;
	u16 *link = &c->buckets[(hash >> 32) & (c->max - 1)];

	while (*link && c->slices[*link].off != off)
		link = &c->slices[*link].next;
	return link;
}

static void unlink_slice(struct qcow2_cache *c, struct qcow2_slice *s)
{
	u16 *link;

	if (!s->off)
		return;
	link = find_link(c, s->off);
	*link = s->next;
	s->next = 0;
	s->off = 0;
}

/*
 * One that is in nobody's use: a new one, or the one whose last use is the longest ago. 0: there is
 * none.
 */
static u16 take_victim(struct qcow2_cache *c)
{
	u16 victim = 0;
	void *mem;

	if (c->nr < c->max && !posix_memalign(&mem, DIO_MAX_ALIGN, c->slice_size)) {
		c->slices[++c->nr].data = mem;
		return c->nr;
	}
	for (unsigned int i = 1; i <= c->nr; i++) {
		struct qcow2_slice *s = &c->slices[i];

		if (!s->loading && !s->dirty && (!victim || s->used < c->slices[victim].used))
			victim = i;
	}
	if (victim)
		unlink_slice(c, &c->slices[victim]);
	return victim;
}

static int load(struct qcow2 *q, struct qcow2_cache *c, struct qcow2_slice *s, u64 off)
{
	u16 *link = find_link(c, off);
	int ret;

	*link = s - c->slices;
	s->off = off;
	s->loading = true;
	pthread_mutex_unlock(&c->lock);
	ret = qcow2_read(q, s->data, c->slice_size, off);
	pthread_mutex_lock(&c->lock);
	s->loading = false;
	if (ret)
		unlink_slice(c, s);
	pthread_cond_broadcast(&c->loaded);
	return ret;
}

int qcow2_cache_get(struct qcow2 *q, struct qcow2_cache *c, u64 off, u8 **data)
{
	u16 index;

	for (;;) {
		index = *find_link(c, off);
		if (index && !c->slices[index].loading)
			break;
		if (!index) {
			int ret;

			index = take_victim(c);
			/* Only where the host has no memory for more of them. */
			if (!index && c->nr_dirty == c->nr)
				return -ENOMEM;
			if (index) {
				ret = load(q, c, &c->slices[index], off);
				if (ret)
					return ret;
				break;
			}
		}
		/* The slice, or any that can give its place to it. */
		pthread_cond_wait(&c->loaded, &c->lock);
	}
	c->slices[index].used = ++c->clock;
	*data = c->slices[index].data;
	return 0;
}

void qcow2_cache_dirty(struct qcow2_cache *c, u64 off)
{
	struct qcow2_slice *s = &c->slices[*find_link(c, off)];

	if (!s->dirty)
		c->nr_dirty++;
	s->dirty = true;
}

void qcow2_cache_forget(struct qcow2_cache *c, u64 off, u64 len)
{
	for (u64 end = off + len; off < end; off += c->slice_size) {
		struct qcow2_slice *s;
		u16 index;

		while ((index = *find_link(c, off)) && c->slices[index].loading)
			pthread_cond_wait(&c->loaded, &c->lock);
		if (!index)
			continue;
		s = &c->slices[index];
		if (s->dirty)
			c->nr_dirty--;
		s->dirty = false;
		unlink_slice(c, s);
	}
}

int qcow2_cache_write(struct qcow2 *q, struct qcow2_cache *c)
{
	unsigned int nr;

	/* Those that come meanwhile are not dirty. */
	pthread_mutex_lock(&c->lock);
	nr = c->nr;
	pthread_mutex_unlock(&c->lock);
	for (unsigned int i = 1; i <= nr; i++) {
		struct qcow2_slice *s = &c->slices[i];
		u64 off = 0;
		int ret;

		pthread_mutex_lock(&c->lock);
		if (s->dirty)
			off = s->off;
		pthread_mutex_unlock(&c->lock);
		if (!off)
			continue;
		/* A dirty slice stays where it is, and alloc_lock keeps changes away. */
		ret = qcow2_write(q, s->data, c->slice_size, off);
		if (ret)
			return ret;
		pthread_mutex_lock(&c->lock);
		s->dirty = false;
		c->nr_dirty--;
		pthread_mutex_unlock(&c->lock);
	}
	return 0;
}

bool qcow2_cache_full(struct qcow2_cache *c)
{
	bool full;

	pthread_mutex_lock(&c->lock);
	full = c->nr_dirty >= c->max / 2;
	pthread_mutex_unlock(&c->lock);
	return full;
}
