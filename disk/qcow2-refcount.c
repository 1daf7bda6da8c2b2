// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which clusters of the file are free ("Host cluster management"). All with alloc_lock. Clusters
 * are taken from those that were just given back, else from the file's start to its end.
 */
#include <errno.h>
#include <stdlib.h>

#include "disk/raw.h"
#include "qcow2-internal.h"

#define GROW_STEP (1 * MiB)

static u64 get_count(const struct qcow2 *q, const u8 *slice, u64 i)
{
	u64 val = 0;

	if (q->ref_order < 3) {
		unsigned int per_byte = 8 >> q->ref_order;
		unsigned int shift = (i % per_byte) << q->ref_order;

		return slice[i / per_byte] >> shift & (BIT(1 << q->ref_order) - 1);
	}
	for (unsigned int n = 1 << (q->ref_order - 3), at = i * n; n--;)
		val = val << 8 | slice[at++];
	return val;
}

static void put_count(const struct qcow2 *q, u8 *slice, u64 i, u64 val)
{
	if (q->ref_order < 3) {
		unsigned int per_byte = 8 >> q->ref_order;
		unsigned int shift = (i % per_byte) << q->ref_order;
		u8 mask = (BIT(1 << q->ref_order) - 1) << shift;

		slice[i / per_byte] = (slice[i / per_byte] & ~mask) | val << shift;
		return;
	}
	for (unsigned int n = 1 << (q->ref_order - 3), at = (i + 1) * n; n--; val >>= 8)
		slice[--at] = val;
}

/* How many refcounts a slice has. */
static u64 per_slice(const struct qcow2 *q)
{
	return (u64)q->refs.slice_size * 8 >> q->ref_order;
}

/* Where the slice with the refcount of @cluster is; 0: there is no block for it. */
static u64 slice_at(const struct qcow2 *q, u64 cluster)
{
	u64 block = cluster >> q->ref_block_bits;
	u64 in_block = cluster & ((1ULL << q->ref_block_bits) - 1);

	if (block >= q->nr_reftable || !q->reftable[block])
		return 0;
	return q->reftable[block] + in_block / per_slice(q) * q->refs.slice_size;
}

/* With refs.lock: the slice at @off. Room for it, too, if it is changed. */
static int get_slice(struct qcow2 *q, u64 off, u8 **slice)
{
	if (q->refs.nr_dirty >= q->refs.max / 2) {
		int ret;

		pthread_mutex_unlock(&q->refs.lock);
		ret = qcow2_cache_write(q, &q->refs);
		pthread_mutex_lock(&q->refs.lock);
		if (ret)
			return ret;
	}
	return qcow2_cache_get(q, &q->refs, off, slice);
}

/*
 * The first free cluster from *@cluster on, of those that its slice counts; -ENOENT if there is
 * none, and *@cluster is behind them then. -ENXIO: there is no block.
 */
static int find_free(struct qcow2 *q, u64 *cluster)
{
	u64 off = slice_at(q, *cluster), nr = per_slice(q);
	u8 *slice;
	int ret;

	if (!off)
		return -ENXIO;
	pthread_mutex_lock(&q->refs.lock);
	ret = get_slice(q, off, &slice);
	if (!ret) {
		ret = -ENOENT;
		do {
			if (!get_count(q, slice, *cluster % nr)) {
				ret = 0;
				break;
			}
		} while (++*cluster % nr);
	}
	pthread_mutex_unlock(&q->refs.lock);
	return ret;
}

/* Raises the refcounts of clusters that are free. All of them are of one slice. */
static int take(struct qcow2 *q, u64 cluster, u64 max, u64 *taken)
{
	u64 off = slice_at(q, cluster), nr = per_slice(q), n = 0;
	u8 *slice;
	int ret;

	pthread_mutex_lock(&q->refs.lock);
	ret = get_slice(q, off, &slice);
	while (!ret && n < max && !get_count(q, slice, cluster % nr)) {
		put_count(q, slice, cluster % nr, 1);
		n++;
		if (!(++cluster % nr))
			break;
	}
	if (n)
		qcow2_cache_dirty(&q->refs, off);
	pthread_mutex_unlock(&q->refs.lock);
	*taken = n;
	return ret;
}

/* Lowers one. Its new value in *@left. */
static int lower(struct qcow2 *q, u64 cluster, u64 *left)
{
	u64 off = slice_at(q, cluster), nr = per_slice(q), count;
	u8 *slice;
	int ret;

	*left = 0;
	if (!off)
		goto none;
	pthread_mutex_lock(&q->refs.lock);
	ret = get_slice(q, off, &slice);
	if (ret) {
		pthread_mutex_unlock(&q->refs.lock);
		return ret;
	}
	count = get_count(q, slice, cluster % nr);
	if (count) {
		*left = count - 1;
		put_count(q, slice, cluster % nr, *left);
		qcow2_cache_dirty(&q->refs, off);
	}
	pthread_mutex_unlock(&q->refs.lock);
	if (count)
		return 0;
none:
	return qcow2_corrupt(q, "the refcount of cluster 0x%llx is 0, but it was in use",
			     (unsigned long long)cluster);
}

/* The cluster, which is free as the refcounts say, is one to write to. */
static int check_free(struct qcow2 *q, u64 first, u64 nr)
{
	bool meta;

	pthread_mutex_lock(&q->l2.lock);
	meta = qcow2_is_meta(q, first, nr);
	pthread_mutex_unlock(&q->l2.lock);
	if (meta)
		return qcow2_corrupt(q, "the refcount of a table at 0x%llx is 0",
				     (unsigned long long)first << q->cluster_bits);
	return 0;
}

static int reserve_meta(struct qcow2 *q, u64 nr)
{
	int ret;

	pthread_mutex_lock(&q->l2.lock);
	ret = qcow2_set_reserve(&q->meta, nr);
	pthread_mutex_unlock(&q->l2.lock);
	return ret;
}

static void add_block(struct qcow2 *q, u64 block, u64 cluster)
{
	u64 off = cluster << q->cluster_bits;

	pthread_mutex_lock(&q->refs.lock);
	qcow2_cache_forget(&q->refs, off, q->cluster_size);
	pthread_mutex_unlock(&q->refs.lock);
	pthread_mutex_lock(&q->l2.lock);
	qcow2_set_add(&q->meta, cluster);
	pthread_mutex_unlock(&q->l2.lock);
	q->reftable[block] = off;
	q->unused = max(q->unused, cluster + 1);
}

/* Writes a refcount block at @cluster, where the counts of [from, to) are 1, of those it has. */
static int write_block(struct qcow2 *q, u64 cluster, u64 block, u64 from, u64 to)
{
	u64 first = block << q->ref_block_bits, last = (block + 1) << q->ref_block_bits;
	u8 *raw = calloc(1, q->cluster_size);
	int ret;

	if (!raw)
		return -ENOMEM;
	for (u64 i = max(from, first); i < min(to, last); i++)
		put_count(q, raw, i - first, 1);
	ret = qcow2_write(q, raw, q->cluster_size, cluster << q->cluster_bits);
	free(raw);
	return ret;
}

/* The block that counts @cluster, and that is put there. */
static int new_block(struct qcow2 *q, u64 cluster)
{
	u64 block = cluster >> q->ref_block_bits;
	u8 entry[8];
	int ret;

	ret = check_free(q, cluster, 1);
	if (!ret)
		ret = reserve_meta(q, 1);
	if (!ret)
		ret = write_block(q, cluster, block, cluster, cluster + 1);
	if (!ret)
		ret = qcow2_barrier(q);
	if (ret)
		return ret;
	put_be64(entry, cluster << q->cluster_bits);
	ret = qcow2_write(q, entry, sizeof(entry),
			  (q->reftable_at.first << q->cluster_bits) + block * sizeof(entry));
	if (ret)
		return ret;
	add_block(q, block, cluster);
	return 0;
}

static int write_table(struct qcow2 *q, const u64 *table, u64 nr, u64 cluster)
{
	u8 *raw = malloc(nr * 8);
	int ret;

	if (!raw)
		return -ENOMEM;
	for (u64 i = 0; i < nr; i++)
		put_be64(raw + i * 8, table[i]);
	ret = qcow2_write(q, raw, nr * 8, cluster << q->cluster_bits);
	free(raw);
	return ret;
}

/* From now on the header names the table of @clusters clusters at @cluster. */
static int switch_table(struct qcow2 *q, u64 cluster, u64 clusters)
{
	u8 raw[12];
	int ret;

	ret = qcow2_barrier(q);
	if (ret)
		return ret;
	put_be64(raw, cluster << q->cluster_bits);
	put_be32(raw + 8, clusters);
	ret = qcow2_write(q, raw, sizeof(raw), QCOW2_H_REFTABLE);
	/* Which of the two it names is not known then. */
	return ret ? qcow2_stop(q) : qcow2_barrier(q);
}

/*
 * All that the refcount table can count is in use: behind that come blocks that count
 * themselves and the new table, and then this table, half as large again.
 */
static int grow_table(struct qcow2 *q)
{
	struct qcow2_clusters old = q->reftable_at;
	u64 first = q->nr_reftable << q->ref_block_bits;
	u64 clusters = old.nr + old.nr / 2 + 1, blocks = 0, end, nr;
	u64 *table;
	int ret = 0;

	do {
		blocks++;
		end = first + blocks + clusters;
	} while (end > (q->nr_reftable + blocks) << q->ref_block_bits);
	nr = clusters << (q->cluster_bits - 3);
	if (clusters << q->cluster_bits > QCOW2_MAX_REFTABLE || nr < q->nr_reftable + blocks ||
	    end > QCOW2_MAX_OFFSET >> q->cluster_bits)
		return -ERANGE;
	table = calloc(nr, sizeof(*table));
	if (!table || reserve_meta(q, blocks)) {
		free(table);
		return -ENOMEM;
	}
	memcpy(table, q->reftable, q->nr_reftable * sizeof(*table));
	for (u64 i = 0; i < blocks && !ret; i++) {
		table[q->nr_reftable + i] = (first + i) << q->cluster_bits;
		ret = write_block(q, first + i, q->nr_reftable + i, first, end);
	}
	if (!ret)
		ret = write_table(q, table, nr, first + blocks);
	if (!ret)
		ret = switch_table(q, first + blocks, clusters);
	if (ret) {
		free(table);
		return ret;
	}
	free(q->reftable);
	q->reftable = table;
	for (u64 i = 0; i < blocks; i++)
		add_block(q, q->nr_reftable + i, first + i);
	pthread_mutex_lock(&q->l2.lock);
	q->reftable_at = (struct qcow2_clusters){first + blocks, clusters};
	pthread_mutex_unlock(&q->l2.lock);
	q->nr_reftable = nr;
	q->unused = max(q->unused, end);
	return qcow2_release(q, &old);
}

/* Makes q->scan a free cluster that has a refcount. */
static int scan(struct qcow2 *q)
{
	for (;;) {
		int ret = find_free(q, &q->scan);

		if (!ret)
			return 0;
		if (ret == -ENXIO && q->skipped) {
			q->skipped = false;
			q->scan = 0;
			continue;
		}
		if (ret == -ENXIO && q->scan >= QCOW2_MAX_OFFSET >> q->cluster_bits)
			return -ERANGE;
		if (ret == -ENXIO)
			ret = q->scan >> q->ref_block_bits < q->nr_reftable ? new_block(q, q->scan)
									    : grow_table(q);
		if (ret && ret != -ENOENT)
			return ret;
	}
}

/* Of those that were given back: *@out is empty if there is none. */
static int take_reuse(struct qcow2 *q, u64 max, struct qcow2_clusters *out)
{
	*out = (struct qcow2_clusters){0};
	while (q->nr_reuse && out->nr < max) {
		u64 next = q->reuse[q->nr_reuse - 1], taken;
		int ret;

		if (out->nr && next != out->first + out->nr)
			return 0;
		ret = take(q, next, 1, &taken);
		if (ret)
			return out->nr ? 0 : ret;
		q->nr_reuse--;
		/* The search for free ones may have come by. */
		if (!taken)
			continue;
		if (!out->nr)
			out->first = next;
		out->nr++;
	}
	return 0;
}

/* The file grows by more than a cluster at a time. */
static int grow_file(struct qcow2 *q, u64 end)
{
	if (end <= raw_end(q->file))
		return 0;
	return raw_grow(q->file, align_up(end, max(q->cluster_size, GROW_STEP)));
}

int qcow2_alloc(struct qcow2 *q, u64 max, struct qcow2_clusters *out, bool *fresh)
{
	int ret;

	ret = take_reuse(q, max, out);
	if (!ret && !out->nr) {
		ret = scan(q);
		out->first = q->scan;
		if (!ret)
			ret = take(q, out->first, max, &out->nr);
		q->scan += out->nr;
	}
	if (ret)
		return ret;
	*fresh = out->first >= q->unused;
	q->unused = max(q->unused, out->first + out->nr);
	ret = check_free(q, out->first, out->nr);
	if (!ret && out->first + out->nr > QCOW2_MAX_OFFSET >> q->cluster_bits)
		ret = -ERANGE;
	if (!ret)
		ret = grow_file(q, (out->first + out->nr) << q->cluster_bits);
	if (ret && !atomic_load(&q->stopped))
		qcow2_release(q, out);
	return ret;
}

static void punch(struct qcow2 *q, u64 first, u64 nr)
{
	if (nr && q->file->can_discard)
		q->file->ops->discard(q->file, first << q->cluster_bits, nr << q->cluster_bits);
}

int qcow2_release(struct qcow2 *q, const struct qcow2_clusters *clusters)
{
	u64 cluster = clusters->first + clusters->nr, nr = 0;

	/* From the last to the first: so they are taken from the first to the last. */
	while (cluster-- > clusters->first) {
		u64 left;
		int ret = lower(q, cluster, &left);

		if (ret)
			return ret;
		if (left) {
			punch(q, cluster + 1, nr);
			nr = 0;
			continue;
		}
		nr++;
		if (q->nr_reuse < QCOW2_REUSE_MAX)
			q->reuse[q->nr_reuse++] = cluster;
		else if (cluster < q->scan)
			q->skipped = true;
	}
	punch(q, clusters->first, nr);
	return 0;
}

void qcow2_free_later(struct qcow2 *q, u64 first, u64 nr)
{
	if (q->nr_freed) {
		struct qcow2_clusters *last = &q->freed[q->nr_freed - 1];

		if (last->first + last->nr == first) {
			last->nr += nr;
			return;
		}
	}
	q->freed[q->nr_freed++] = (struct qcow2_clusters){first, nr};
}

void qcow2_free_entry(struct qcow2 *q, const struct qcow2_entry *e)
{
	u64 off, len;

	if (e->packed) {
		qcow2_packed_at(q, e->packed, &off, &len);
		qcow2_free_later(q, to_cluster(q, off),
				 to_cluster(q, off + len - 1) - to_cluster(q, off) + 1);
	} else if (e->host) {
		qcow2_free_later(q, to_cluster(q, e->host), 1);
	}
}
