// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes. What has a cluster of its own is written there; else clusters are allocated, filled with
 * the data and with what is around it, and linked when that has succeeded.
 */
#include <errno.h>
#include <stdlib.h>

#include "disk/iov.h"
#include "disk/raw.h"
#include "qcow2-internal.h"

/* Pieces of a request that are written together with what is around them. */
#define MAX_TOGETHER 62

/* What one step writes: clusters that are alike, next to each other in the file. */
struct step {
	u64 off, len; /* of the disk: the data */
	u64 before, behind; /* bytes around the data that are written with it */
	u64 nr; /* clusters */
	struct qcow2_clusters at;
	bool own; /* they were the guest cluster's already */
	bool fresh; /* they read as zeroes */
	bool old_first, old_last; /* the first, the last has contents that move */
};

static int write_front(struct qcow2 *q, struct iovec **iov, unsigned int *nr, u64 host, u64 len)
{
	struct iovec rest;
	unsigned int front;
	int ret;

	if (atomic_load(&q->stopped))
		return -EIO;
	front = iov_split(*iov, *nr, len, &rest);
	ret = q->file->ops->pwritev(q->file, *iov, front, host);
	iov_rejoin(iov, nr, front, &rest);
	return ret;
}

/* What has its place already, up to the first that has not. *@done: bytes. */
static int write_in_place(struct qcow2 *q, struct iovec **iov, unsigned int *nr, u64 off, u64 len,
			  u64 *done)
{
	*done = 0;
	while (len) {
		struct qcow2_extent ext;
		int ret;

		ret = qcow2_map(q, off, len, true, &ext);
		if (ret)
			return ret;
		if (ext.kind != QCOW2_DATA || !ext.own)
			return 0;
		ret = write_front(q, iov, nr, ext.host, ext.len);
		if (ret)
			return ret;
		*done += ext.len;
		off += ext.len;
		len -= ext.len;
	}
	return 0;
}

static bool has_old(const struct qcow2_entry *e)
{
	return e->packed || (e->host && !e->copied);
}

/*
 * With alloc_lock and l2.lock: how many clusters the step has, as their entries say, and what is
 * special about them.
 */
static int look(struct qcow2 *q, struct step *s)
{
	u64 cluster = to_cluster(q, s->off), wanted, nr;
	struct qcow2_entry e;
	u8 *raw;
	int ret;

	ret = qcow2_find(q, cluster, &raw, &nr, NULL);
	if (!ret)
		ret = qcow2_decode(q, raw, cluster, &e);
	if (ret)
		return ret;
	wanted = min(nr, to_cluster(q, s->off + s->len - 1) - cluster + 1);
	s->nr = 1;
	s->old_first = s->old_last = has_old(&e);
	if (e.copied) {
		s->own = true;
		s->at = (struct qcow2_clusters){to_cluster(q, e.host), 1};
		if (qcow2_is_meta(q, s->at.first, 1))
			return qcow2_corrupt(q, "data at 0x%llx, where metadata is",
					     (unsigned long long)e.host);
		return 0;
	}
	for (; s->nr < wanted; s->nr++) {
		raw += q->entry_size;
		ret = qcow2_decode(q, raw, cluster + s->nr, &e);
		if (ret || e.copied)
			return ret;
		s->old_last = has_old(&e);
	}
	return 0;
}

/* Finds out what is to do, and allocates. */
static int prepare(struct qcow2 *q, struct step *s)
{
	int ret;

	pthread_mutex_lock(&q->alloc_lock);
	ret = qcow2_make_room(q);
	if (!ret)
		ret = qcow2_own_table(q, to_cluster(q, s->off));
	if (!ret) {
		pthread_mutex_lock(&q->l2.lock);
		ret = look(q, s);
		pthread_mutex_unlock(&q->l2.lock);
	}
	if (!ret && !s->own) {
		/* They may be fewer: then the data covers the last one. */
		ret = qcow2_alloc(q, s->nr, &s->at, &s->fresh);
		s->nr = s->at.nr;
	} else if (!ret) {
		ret = raw_grow(q->file, (s->at.first + 1) << q->cluster_bits);
	}
	pthread_mutex_unlock(&q->alloc_lock);
	return ret;
}

/* Whether [off, off + len) of the disk reads as zeroes, as the metadata says. */
static bool reads_zero(struct qcow2 *q, u64 off, u64 len)
{
	u64 end = min(off + len, q->disk.size);

	while (off < end) {
		struct qcow2_extent ext;

		if (qcow2_map(q, off, end - off, false, &ext))
			return false;
		if (!qcow2_is_zero(q, &ext, off))
			return false;
		off += ext.len;
	}
	return true;
}

/* How much around the data is written: to the ends of subclusters, or of what moves. */
static void measure(struct qcow2 *q, struct step *s)
{
	u64 first = align_down(s->off, q->cluster_size);
	u64 grain_before = s->old_first ? q->cluster_size : q->sub_size;
	u64 grain_behind = s->old_last ? q->cluster_size : q->sub_size;
	u64 end;

	s->len = min(s->len, first + (s->nr << q->cluster_bits) - s->off);
	end = s->off + s->len;
	s->before = s->off - align_down(s->off, grain_before);
	s->behind = align_up(end, grain_behind) - end;
}

static int view_buf(struct qcow2 *q, u8 *buf, u64 off, u64 len)
{
	struct iovec iov = {.iov_base = buf, .iov_len = len};

	return len ? qcow2_view(q, &iov, 1, off, len) : 0;
}

/* The data with what is around it, as it is now, at once if it has few pieces. */
static int write_around(struct qcow2 *q, const struct step *s, struct iovec **iov, unsigned int *nr,
			u64 before, u64 behind)
{
	u64 host = (s->at.first << q->cluster_bits) + in_cluster(q, s->off);
	struct iovec all[MAX_TOGETHER + 2], rest;
	unsigned int n = 0, front;
	void *mem;
	u8 *buf;
	int ret;

	if (posix_memalign(&mem, DIO_MAX_ALIGN, before + behind))
		return -ENOMEM;
	buf = mem;
	ret = view_buf(q, buf, s->off - before, before);
	if (!ret)
		ret = view_buf(q, buf + before, s->off + s->len, behind);
	if (ret)
		goto out;

	front = iov_split(*iov, *nr, s->len, &rest);
	if (front > MAX_TOGETHER) {
		ret = q->file->ops->pwritev(q->file, *iov, front, host);
		if (!ret && before)
			ret = qcow2_write(q, buf, before, host - before);
		if (!ret && behind)
			ret = qcow2_write(q, buf + before, behind, host + s->len);
	} else {
		if (before)
			all[n++] = (struct iovec){.iov_base = buf, .iov_len = before};
		memcpy(all + n, *iov, front * sizeof(**iov));
		n += front;
		if (behind)
			all[n++] = (struct iovec){.iov_base = buf + before, .iov_len = behind};
		ret = q->file->ops->pwritev(q->file, all, n, host - before);
	}
	iov_rejoin(iov, nr, front, &rest);
out:
	free(mem);
	return ret;
}

static int write_data(struct qcow2 *q, const struct step *s, struct iovec **iov, unsigned int *nr)
{
	u64 before = s->before, behind = s->behind;

	/* Zeroes are there already. */
	if (s->fresh && reads_zero(q, s->off - before, before))
		before = 0;
	if (s->fresh && reads_zero(q, s->off + s->len, behind))
		behind = 0;
	if (before || behind)
		return write_around(q, s, iov, nr, before, behind);
	return write_front(q, iov, nr, (s->at.first << q->cluster_bits) + in_cluster(q, s->off),
			   s->len);
}

/* The subclusters that the step has written, of the cluster at @start of the disk. */
static u32 subs_written(const struct qcow2 *q, const struct step *s, u64 start)
{
	u64 from = max(s->off - s->before, start) - start;
	u64 to = min(s->off + s->len + s->behind, start + q->cluster_size) - start;

	return qcow2_subs(q, from, to);
}

/* With alloc_lock and l2.lock: the entries point to what was written. */
static int link_step(struct qcow2 *q, const struct step *s)
{
	u64 cluster = to_cluster(q, s->off), nr, slice;
	u8 *raw;
	int ret;

	ret = qcow2_find(q, cluster, &raw, &nr, &slice);
	if (ret)
		return ret;
	for (u64 i = 0; i < s->nr; i++, raw += q->entry_size) {
		u64 start = (cluster + i) << q->cluster_bits;
		u32 subs = subs_written(q, s, start);
		struct qcow2_entry e;

		/* It did not change since it was looked at. */
		ret = qcow2_decode(q, raw, cluster + i, &e);
		if (ret)
			return ret;
		if (!s->own) {
			if (has_old(&e))
				e.zero = e.alloc = 0;
			qcow2_free_entry(q, &e);
			e.packed = 0;
			e.host = (s->at.first + i) << q->cluster_bits;
			e.copied = true;
		}
		e.alloc |= subs;
		e.zero &= ~subs;
		qcow2_encode(q, raw, &e);
	}
	qcow2_cache_dirty(&q->l2, slice);
	atomic_store(&q->dirty, true);
	return 0;
}

/* Room in what is bounded may be gone by now: others have changed things meanwhile. */
static int finish(struct qcow2 *q, const struct step *s)
{
	int ret;

	pthread_mutex_lock(&q->alloc_lock);
	ret = qcow2_make_room(q);
	if (!ret) {
		pthread_mutex_lock(&q->l2.lock);
		ret = link_step(q, s);
		pthread_mutex_unlock(&q->l2.lock);
	}
	pthread_mutex_unlock(&q->alloc_lock);
	return ret;
}

static void undo(struct qcow2 *q, const struct step *s)
{
	pthread_mutex_lock(&q->alloc_lock);
	if (!atomic_load(&q->stopped))
		qcow2_release(q, &s->at);
	pthread_mutex_unlock(&q->alloc_lock);
}

/*
 * The next clusters, or some of them, of which the first has no place of its own. The request
 * has their range. *@done: bytes.
 */
static int write_new(struct qcow2 *q, struct iovec **iov, unsigned int *nr, u64 off, u64 len,
		     u64 *done)
{
	struct step s = {.off = off, .len = len};
	int ret;

	/* Whoever had the range before may have made it. */
	ret = write_in_place(q, iov, nr, off, len, done);
	if (ret || *done)
		return ret;
	ret = prepare(q, &s);
	if (ret)
		return ret;
	measure(q, &s);
	ret = write_data(q, &s, iov, nr);
	if (!ret)
		ret = finish(q, &s);
	if (ret && !s.own)
		undo(q, &s);
	*done = s.len;
	return ret;
}

int qcow2_pwritev(struct disk *disk, struct iovec *iov, unsigned int nr, u64 off)
{
	struct qcow2 *q = to_qcow2(disk);
	u64 len = iov_bytes(iov, nr), done;
	struct qcow2_range range;
	int ret;

	ret = qcow2_begin_change(q);
	while (len && !ret) {
		qcow2_range_lock(q, &range, off, len, false);
		ret = write_in_place(q, &iov, &nr, off, len, &done);
		qcow2_range_unlock(q, &range);
		off += done;
		len -= done;
		if (!len || ret)
			break;
		qcow2_range_lock(q, &range, off, len, true);
		ret = write_new(q, &iov, &nr, off, len, &done);
		qcow2_range_unlock(q, &range);
		off += done;
		len -= done;
	}
	return qcow2_result(q, ret);
}
