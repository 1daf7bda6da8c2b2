// SPDX-License-Identifier: GPL-2.0-only
/*
 * The order in which metadata is written. It gathers in memory, as data does in a disk's cache:
 * what the guest has not flushed may be lost, and then all that the image has is clusters that are
 * counted and not used.
 */
#include <errno.h>
#include <stdlib.h>

#include "qcow2-internal.h"
#include "util/log.h"

static int write_l1(struct qcow2 *q)
{
	u64 size = q->nr_l1 * 8ULL;
	u8 raw[QCOW2_SLICE];

	for (u64 at = 0; at < size; at += sizeof(raw)) {
		u64 len = min(size - at, (u64)sizeof(raw));
		int ret;

		if (!q->l1_dirty[at / sizeof(raw)])
			continue;
		for (u64 i = 0; i < len; i += 8)
			put_be64(raw + i, q->l1[(at + i) / 8]);
		ret = qcow2_write(q, raw, len, (q->l1_at.first << q->cluster_bits) + at);
		if (ret)
			return ret;
		q->l1_dirty[at / sizeof(raw)] = 0;
	}
	q->any_l1_dirty = false;
	return 0;
}

/* Those with a higher number first. */
static int compare(const void *a, const void *b)
{
	const struct qcow2_clusters *x = a, *y = b;

	return (x->first < y->first) - (x->first > y->first);
}

/* Nothing on the disk points to them any more. */
static int release_freed(struct qcow2 *q)
{
	int ret = 0;

	qsort(q->freed, q->nr_freed, sizeof(*q->freed), compare);
	for (unsigned int i = 0; i < q->nr_freed && !ret;) {
		struct qcow2_clusters all = q->freed[i++];

		while (i < q->nr_freed && q->freed[i].first + q->freed[i].nr == all.first) {
			all.first = q->freed[i].first;
			all.nr += q->freed[i++].nr;
		}
		ret = qcow2_release(q, &all);
	}
	/* What could not be counted stays in use: a leak, as after a crash. */
	q->nr_freed = 0;
	return ret;
}

int qcow2_commit(struct qcow2 *q, bool sync)
{
	int ret;

	ret = qcow2_cache_write(q, &q->refs);
	if (!ret && atomic_load(&q->dirty)) {
		ret = qcow2_barrier(q);
		if (!ret)
			ret = qcow2_cache_write(q, &q->l2);
		/* New tables were written when they were made, before the barrier. */
		if (!ret && q->any_l1_dirty)
			ret = write_l1(q);
	}
	if (!ret && (sync || q->nr_freed))
		ret = qcow2_barrier(q);
	if (ret)
		return ret;
	/* A flush that finds it clean makes what was written stable itself. */
	atomic_store(&q->dirty, false);
	return release_freed(q);
}

int qcow2_make_room(struct qcow2 *q)
{
	/* A slice of the smallest entries, and the table itself. */
	if (q->nr_freed + QCOW2_SLICE / 8 + 1 <= QCOW2_FREED_MAX && !qcow2_cache_full(&q->l2))
		return 0;
	return qcow2_commit(q, false);
}

/* Other programs' data about this one's contents ("autoclear_features") is not true any more. */
static int clear_autoclear(struct qcow2 *q)
{
	static const u8 none[8];
	int ret = 0;

	pthread_mutex_lock(&q->alloc_lock);
	if (atomic_load(&q->autoclear)) {
		ret = qcow2_write(q, none, sizeof(none), QCOW2_H_AUTOCLEAR);
		if (!ret)
			ret = qcow2_barrier(q);
		if (!ret) {
			pr_info("disk %s: it is written, so its bitmaps for backups end", q->name);
			atomic_store(&q->autoclear, false);
		}
	}
	pthread_mutex_unlock(&q->alloc_lock);
	return ret;
}

int qcow2_begin_change(struct qcow2 *q)
{
	if (q->disk.read_only)
		return -EROFS;
	if (atomic_load(&q->stopped))
		return -EIO;
	return atomic_load(&q->autoclear) ? clear_autoclear(q) : 0;
}

int qcow2_flush(struct disk *disk)
{
	struct qcow2 *q = to_qcow2(disk);
	int ret;

	if (disk->read_only)
		return 0;
	if (!atomic_load(&q->dirty))
		return qcow2_barrier(q);
	pthread_mutex_lock(&q->alloc_lock);
	ret = qcow2_commit(q, true);
	pthread_mutex_unlock(&q->alloc_lock);
	return ret;
}
