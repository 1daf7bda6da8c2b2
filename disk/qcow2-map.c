// SPDX-License-Identifier: GPL-2.0-only
/* Where the disk's clusters are ("Cluster mapping", "Extended L2 Entries"). */
#include <errno.h>
#include <stdlib.h>

#include "disk/iov.h"
#include "disk/raw.h"
#include "qcow2-internal.h"

#define L1_RESERVED (GENMASK_ULL(62, 56) | GENMASK_ULL(8, 0))
#define L2_RESERVED (GENMASK_ULL(61, 56) | GENMASK_ULL(8, 1))

static int bad_entry(struct qcow2 *q, u64 cluster, u64 raw)
{
	return qcow2_corrupt(q, "the L2 entry of the disk's offset 0x%llx is 0x%llx",
			     (unsigned long long)cluster << q->cluster_bits,
			     (unsigned long long)raw);
}

int qcow2_decode(struct qcow2 *q, const u8 *raw, u64 cluster, struct qcow2_entry *e)
{
	u64 val = get_be64(raw);
	bool ext = q->nr_subs > 1;

	memset(e, 0, sizeof(*e));
	if (val & QCOW2_COMPRESSED) {
		e->packed = val & ~QCOW2_COPIED;
		return 0;
	}
	if ((val & L2_RESERVED) || in_cluster(q, val & QCOW2_OFFSET) ||
	    ((val & QCOW2_ZERO) && (ext || q->version < 3)))
		return bad_entry(q, cluster, val);
	e->host = val & QCOW2_OFFSET;
	e->copied = e->host && (val & QCOW2_COPIED);
	if (ext) {
		u64 subs = get_be64(raw + 8);

		e->alloc = subs;
		e->zero = subs >> 32;
		if ((e->alloc & e->zero) || (e->alloc && !e->host))
			return bad_entry(q, cluster, subs);
	} else if (val & QCOW2_ZERO) {
		e->zero = 1;
	} else {
		e->alloc = e->host != 0;
	}
	return 0;
}

void qcow2_encode(const struct qcow2 *q, u8 *raw, const struct qcow2_entry *e)
{
	u64 val = e->host | (e->copied ? QCOW2_COPIED : 0);

	if (q->nr_subs > 1)
		put_be64(raw + 8, (u64)e->zero << 32 | e->alloc);
	else if (e->zero)
		val |= QCOW2_ZERO;
	put_be64(raw, val);
}

void qcow2_packed_at(const struct qcow2 *q, u64 desc, u64 *off, u64 *len)
{
	unsigned int shift = 62 - (q->cluster_bits - 8);
	u64 sectors = ((desc & GENMASK_ULL(61, shift)) >> shift) + 1;

	*off = desc & GENMASK_ULL(shift - 1, 0);
	*len = sectors * 512 - *off % 512;
}

bool qcow2_is_backed(const struct qcow2 *q, u64 off)
{
	return q->backing && off < q->backing->size;
}

u32 qcow2_subs(const struct qcow2 *q, u64 from, u64 to)
{
	u32 below = to == q->cluster_size ? all_subs(q) : BIT(to / q->sub_size) - 1;

	return below & ~(BIT(from / q->sub_size) - 1);
}

static int check_l1(struct qcow2 *q, u64 index, u64 l1)
{
	u64 table = l1 & QCOW2_OFFSET;

	if (!(l1 & L1_RESERVED) && table && !in_cluster(q, table) && table < raw_end(q->file))
		return 0;
	return qcow2_corrupt(q, "L1 entry %llu is 0x%llx", (unsigned long long)index,
			     (unsigned long long)l1);
}

int qcow2_find(struct qcow2 *q, u64 cluster, u8 **raw, u64 *nr, u64 *off)
{
	u64 mask = (1ULL << q->l2_bits) - 1;
	u64 in_table = (cluster & mask) * q->entry_size;
	u64 in_slice = in_table & (q->l2.slice_size - 1);
	u64 l1, slice;
	int ret;

	do {
		l1 = q->l1[cluster >> q->l2_bits];
		if (!l1) {
			*raw = NULL;
			*nr = mask + 1 - (cluster & mask);
			return 0;
		}
		ret = check_l1(q, cluster >> q->l2_bits, l1);
		slice = (l1 & QCOW2_OFFSET) + in_table - in_slice;
		if (!ret)
			ret = qcow2_cache_get(q, &q->l2, slice, raw);
		if (ret)
			return ret;
		/* The table may have been copied while this one was read. */
	} while (q->l1[cluster >> q->l2_bits] != l1);
	*raw += in_slice;
	*nr = (q->l2.slice_size - in_slice) / q->entry_size;
	if (off)
		*off = slice;
	return 0;
}

static enum qcow2_kind kind_of(const struct qcow2_entry *e, unsigned int sub)
{
	if (e->packed)
		return QCOW2_COMPRESSED_DATA;
	if (e->zero & BIT(sub))
		return QCOW2_ZEROES;
	return e->alloc & BIT(sub) ? QCOW2_DATA : QCOW2_NOTHING;
}

/* How many bytes from @from on in the cluster of @e are of one kind. */
static u64 same_kind(const struct qcow2 *q, const struct qcow2_entry *e, u64 from)
{
	unsigned int sub = from / q->sub_size;
	enum qcow2_kind kind = kind_of(e, sub);

	while (++sub < q->nr_subs && kind_of(e, sub) == kind)
		;
	return sub * q->sub_size - from;
}

static int check_data(struct qcow2 *q, u64 host, bool write)
{
	if (host >= raw_end(q->file))
		return qcow2_corrupt(q, "data at 0x%llx is behind the end of the file",
				     (unsigned long long)host);
	if (write && qcow2_is_meta(q, to_cluster(q, host), 1))
		return qcow2_corrupt(q, "data at 0x%llx, where metadata is",
				     (unsigned long long)host);
	return 0;
}

/* @raw: the entry of the cluster at @off and those behind it, @nr in all. */
static int describe(struct qcow2 *q, const u8 *raw, u64 nr, u64 off, u64 len, bool write,
		    struct qcow2_extent *ext)
{
	u64 from = in_cluster(q, off), cluster = to_cluster(q, off);
	struct qcow2_entry e;
	int ret;

	ret = qcow2_decode(q, raw, cluster, &e);
	if (ret)
		return ret;
	ext->kind = kind_of(&e, from / q->sub_size);
	ext->len = same_kind(q, &e, from);
	ext->own = e.copied;
	if (ext->kind == QCOW2_COMPRESSED_DATA) {
		ext->host = e.packed;
		return 0;
	}
	ext->host = e.host + from;
	while (ext->kind != QCOW2_DATA || !(ret = check_data(q, e.host, write))) {
		if (!is_aligned(off + ext->len, q->cluster_size) || ext->len >= len || !--nr)
			return 0;
		raw += q->entry_size;
		ret = qcow2_decode(q, raw, ++cluster, &e);
		/* What is wrong there is told to who asks for it. */
		if (ret || kind_of(&e, 0) != ext->kind || (write && e.copied != ext->own) ||
		    (ext->kind == QCOW2_DATA && e.host != ext->host + ext->len))
			return 0;
		ext->len += same_kind(q, &e, 0);
	}
	return ret;
}

int qcow2_map(struct qcow2 *q, u64 off, u64 len, bool write, struct qcow2_extent *ext)
{
	u64 nr;
	u8 *raw;
	int ret;

	memset(ext, 0, sizeof(*ext));
	pthread_mutex_lock(&q->l2.lock);
	ret = qcow2_find(q, to_cluster(q, off), &raw, &nr, NULL);
	if (!ret && raw)
		ret = describe(q, raw, nr, off, len, write, ext);
	else if (!ret)
		ext->len = (nr << q->cluster_bits) - in_cluster(q, off);
	pthread_mutex_unlock(&q->l2.lock);
	ext->len = min(ext->len, len);
	return ret;
}

bool qcow2_is_zero(const struct qcow2 *q, const struct qcow2_extent *ext, u64 off)
{
	return ext->kind == QCOW2_ZEROES ||
	       (ext->kind == QCOW2_NOTHING && !qcow2_is_backed(q, off));
}

static int copy_table(struct qcow2 *q, u64 from, u64 to)
{
	u8 *buf = malloc(q->cluster_size);
	int ret;

	if (!buf)
		return -ENOMEM;
	ret = qcow2_read(q, buf, q->cluster_size, from);
	if (!ret)
		ret = qcow2_write(q, buf, q->cluster_size, to);
	free(buf);
	return ret;
}

static int clear_table(struct qcow2 *q, u64 off)
{
	u64 end = off + q->cluster_size;
	int ret = 0;

	for (; off < end && !ret; off += sizeof(disk_zeroes))
		ret = qcow2_write(q, disk_zeroes, min(end - off, (u64)sizeof(disk_zeroes)), off);
	return ret;
}

/* It is written now, and so before the L1 entry is, by qcow2_commit(). */
static int make_table(struct qcow2 *q, u64 old, u64 off, bool fresh)
{
	if (old)
		return copy_table(q, old, off);
	return fresh ? 0 : clear_table(q, off);
}

int qcow2_own_table(struct qcow2 *q, u64 cluster)
{
	u64 index = cluster >> q->l2_bits, l1 = q->l1[index];
	u64 old = l1 & QCOW2_OFFSET, off;
	struct qcow2_clusters at;
	bool fresh;
	int ret = 0;

	if (l1)
		ret = check_l1(q, index, l1);
	if (ret || (l1 & QCOW2_COPIED))
		return ret;
	ret = qcow2_alloc(q, 1, &at, &fresh);
	if (ret)
		return ret;
	off = at.first << q->cluster_bits;
	ret = make_table(q, old, off, fresh);

	pthread_mutex_lock(&q->l2.lock);
	if (!ret)
		ret = qcow2_set_reserve(&q->meta, 1);
	if (!ret) {
		qcow2_cache_forget(&q->l2, off, q->cluster_size);
		qcow2_set_remove(&q->meta, to_cluster(q, old));
		qcow2_set_add(&q->meta, at.first);
		q->l1[index] = off | QCOW2_COPIED;
	}
	pthread_mutex_unlock(&q->l2.lock);
	if (ret) {
		qcow2_release(q, &at);
		return ret;
	}
	q->l1_dirty[index * 8 / QCOW2_SLICE] = 1;
	q->any_l1_dirty = true;
	atomic_store(&q->dirty, true);
	if (old)
		qcow2_free_later(q, to_cluster(q, old), 1);
	return 0;
}
