// SPDX-License-Identifier: GPL-2.0-only
/*
 * Discards and zeroes: in the L2 tables for whole subclusters. What cannot be said there, a part
 * of one or zeroes over a backing file in version 2, is left alone or written.
 */
#include <errno.h>

#include "disk/iov.h"
#include "qcow2-internal.h"

enum zero_how {
	DISCARD, /* the contents do not matter */
	ZERO_UNMAP,
	ZERO_KEEP, /* clusters stay allocated */
};

/*
 * Subclusters @subs of the cluster at @start are given up or made zero in @e, which has to be
 * written then: 1. 0: nothing changes; -EAGAIN: it takes data.
 */
static int change_entry(struct qcow2 *q, struct qcow2_entry *e, u64 start, u32 subs,
			enum zero_how how)
{
	bool backed = qcow2_is_backed(q, start), flags = q->version >= 3;
	struct qcow2_entry old = *e;

	if (e->packed && subs != all_subs(q))
		return how == DISCARD ? 0 : -EAGAIN;
	if (!flags && (backed || how == ZERO_KEEP)) {
		/* A discard must not bring back what the backing file has, nor may zeroes. */
		if (how == DISCARD)
			return 0;
		return !backed && !e->packed && !e->host ? 0 : -EAGAIN;
	}
	if (e->packed) {
		qcow2_free_entry(q, e);
		e->packed = 0;
	}
	e->alloc &= ~subs;
	if (backed || (how == ZERO_KEEP && e->copied))
		e->zero |= subs;
	if (!e->alloc && e->host && (how != ZERO_KEEP || !e->copied)) {
		qcow2_free_entry(q, e);
		e->host = 0;
		e->copied = false;
	}
	return old.packed != e->packed || old.host != e->host || old.alloc != e->alloc ||
	       old.zero != e->zero;
}

/* With alloc_lock and l2.lock: what is in one slice of [off, off + len). *@done: bytes. */
static int change_slice(struct qcow2 *q, u64 off, u64 len, enum zero_how how, u64 *done)
{
	u64 cluster = to_cluster(q, off), end = off + len, nr, slice;
	u8 *raw;
	int ret;

	ret = qcow2_find(q, cluster, &raw, &nr, &slice);
	for (*done = 0; !ret && nr && off < end; nr--, cluster++, raw += q->entry_size) {
		u64 start = cluster << q->cluster_bits;
		u64 to = min(end, start + q->cluster_size) - start;
		struct qcow2_entry e;

		ret = qcow2_decode(q, raw, cluster, &e);
		if (ret)
			break;
		ret = change_entry(q, &e, start, qcow2_subs(q, off - start, to), how);
		if (ret < 0)
			break;
		if (ret) {
			qcow2_encode(q, raw, &e);
			qcow2_cache_dirty(&q->l2, slice);
			atomic_store(&q->dirty, true);
		}
		ret = 0;
		*done += start + to - off;
		off = start + to;
	}
	return ret;
}

/* Whether the L2 table of @off has to be there for it, or says enough by not being there. */
static bool needs_table(struct qcow2 *q, u64 off)
{
	return qcow2_is_backed(q, off) || q->l1[to_cluster(q, off) >> q->l2_bits];
}

/* From @off on, whole subclusters, as much as one table has. *@done: bytes, 0 with -EAGAIN. */
static int change_some(struct qcow2 *q, u64 off, u64 len, enum zero_how how, u64 *done)
{
	u64 table = q->cluster_size << q->l2_bits;
	struct qcow2_range range;
	int ret;

	*done = 0;
	len = min(len, align_down(off, table) + table - off);
	qcow2_range_lock(q, &range, off, len, true);
	pthread_mutex_lock(&q->alloc_lock);
	if (!needs_table(q, off)) {
		*done = len;
		ret = 0;
	} else {
		ret = qcow2_make_room(q);
		if (!ret)
			ret = qcow2_own_table(q, to_cluster(q, off));
		if (!ret) {
			pthread_mutex_lock(&q->l2.lock);
			ret = change_slice(q, off, len, how, done);
			pthread_mutex_unlock(&q->l2.lock);
		}
	}
	pthread_mutex_unlock(&q->alloc_lock);
	qcow2_range_unlock(q, &range);
	return ret;
}

/* Data of zeroes, but where there are zeroes already. */
static int write_zero_data(struct qcow2 *q, u64 off, u64 len)
{
	while (len) {
		struct qcow2_extent ext;
		u64 part;
		int ret;

		ret = qcow2_map(q, off, len, false, &ext);
		if (ret)
			return ret;
		part = ext.len;
		if (!qcow2_is_zero(q, &ext, off)) {
			struct iovec iov = {.iov_base = disk_zeroes};

			part = min(part, (u64)sizeof(disk_zeroes));
			iov.iov_len = part;
			ret = qcow2_pwritev(&q->disk, &iov, 1, off);
			if (ret)
				return ret;
		}
		off += part;
		len -= part;
	}
	return 0;
}

/* [off, end) are whole subclusters, of which the last may go beyond the disk. */
static int change_all(struct qcow2 *q, u64 off, u64 end, enum zero_how how)
{
	while (off < end) {
		u64 done;
		int ret = change_some(q, off, end - off, how, &done);

		off += done;
		if (ret == -EAGAIN) {
			u64 part =
				min(end, align_down(off, q->cluster_size) + q->cluster_size) - off;

			ret = write_zero_data(q, off, min(part, q->disk.size - off));
			off += part;
		}
		if (ret)
			return ret;
	}
	return 0;
}

int qcow2_discard(struct disk *disk, u64 off, u64 len)
{
	struct qcow2 *q = to_qcow2(disk);
	u64 first = align_up(off, q->sub_size), end = off + len;
	int ret;

	/* The end of the disk is the end of its last cluster. */
	end = end == disk->size ? align_up(end, q->sub_size) : align_down(end, q->sub_size);
	ret = qcow2_begin_change(q);
	if (!ret && first < end)
		ret = change_all(q, first, end, DISCARD);
	return qcow2_result(q, ret);
}

int qcow2_write_zeroes(struct disk *disk, u64 off, u64 len, bool unmap)
{
	struct qcow2 *q = to_qcow2(disk);
	u64 first = align_up(off, q->sub_size), end = off + len, stop;
	int ret;

	stop = end == disk->size ? align_up(end, q->sub_size) : align_down(end, q->sub_size);
	ret = qcow2_begin_change(q);
	if (ret)
		return qcow2_result(q, ret);
	if (first >= stop)
		return qcow2_result(q, write_zero_data(q, off, len));
	ret = write_zero_data(q, off, first - off);
	if (!ret)
		ret = change_all(q, first, stop, unmap ? ZERO_UNMAP : ZERO_KEEP);
	if (!ret && stop < end)
		ret = write_zero_data(q, stop, end - stop);
	return qcow2_result(q, ret);
}
