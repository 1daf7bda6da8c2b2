// SPDX-License-Identifier: GPL-2.0-only
/*
 * The L1 table and the refcount table, which stay in memory, and which clusters hold
 * metadata: a guest's data must never be written there, whatever the image says.
 */
#include <errno.h>
#include <stdlib.h>

#include "disk/raw.h"
#include "qcow2-internal.h"
#include "util/log.h"

#define MAX_SNAPSHOT_TABLE (64 * MiB)

/* @nr entries at @off, in the host's byte order. NULL: the reason was printed, *@err says which. */
static u64 *load_table(struct qcow2 *q, u64 off, u64 nr, int *err)
{
	u64 *table = malloc(nr * sizeof(*table));

	if (!table) {
		*err = qcow2_no_memory(q);
		return NULL;
	}
	*err = qcow2_read(q, table, nr * sizeof(*table), off);
	if (*err) {
		pr_err("disk %s: its tables cannot be read", q->name);
		free(table);
		return NULL;
	}
	for (u64 i = 0; i < nr; i++)
		table[i] = be64toh(table[i]);
	return table;
}

static bool overlap(const struct qcow2_clusters *c, u64 first, u64 nr)
{
	return first < c->first + c->nr && c->first < first + nr;
}

bool qcow2_is_meta(const struct qcow2 *q, u64 first, u64 nr)
{
	if (!first || overlap(&q->l1_at, first, nr) || overlap(&q->reftable_at, first, nr) ||
	    overlap(&q->snapshots_at, first, nr))
		return true;
	while (nr--) {
		if (qcow2_set_has(&q->meta, first++))
			return true;
	}
	return false;
}

/* An entry of the L1 or of the refcount table leads to a cluster that nothing else does. */
static int add_meta(struct qcow2 *q, const char *what, u64 off)
{
	u64 cluster = to_cluster(q, off);

	if (in_cluster(q, off) || off >= raw_end(q->file))
		return qcow2_bad(q, "%s at 0x%llx", what, (unsigned long long)off);
	if (qcow2_is_meta(q, cluster, 1))
		return qcow2_bad(q, "%s at 0x%llx, where other metadata is", what,
				 (unsigned long long)off);
	if (qcow2_set_reserve(&q->meta, 1))
		return qcow2_no_memory(q);
	qcow2_set_add(&q->meta, cluster);
	return 0;
}

/* The snapshots are left alone; only where their table ends is found out. */
static int measure_snapshots(struct qcow2 *q, const struct qcow2_header *h)
{
	u64 off = h->snapshots_off, room = align_up(raw_end(q->file), 8);
	u8 raw[40];

	for (u32 i = 0; i < h->nr_snapshots; i++) {
		u64 len;
		int ret;

		ret = qcow2_read(q, raw, sizeof(raw), off);
		if (ret) {
			pr_err("disk %s: its snapshot table cannot be read", q->name);
			return ret;
		}
		len = sizeof(raw) + get_be32(raw + 36) + (raw[12] << 8) + raw[13] + (raw[14] << 8) +
		      raw[15];
		off = align_up(off + len, 8);
		if (off > room || off - h->snapshots_off > MAX_SNAPSHOT_TABLE)
			return qcow2_bad(q, "a snapshot table that does not end");
	}
	q->snapshots_at.first = to_cluster(q, h->snapshots_off);
	q->snapshots_at.nr = to_cluster(q, off - h->snapshots_off + q->cluster_size - 1);
	return 0;
}

static int load_refcounts(struct qcow2 *q, const struct qcow2_header *h)
{
	int ret;

	q->l1_at.first = to_cluster(q, h->l1_off);
	q->l1_at.nr = to_cluster(q, h->l1_size * 8ULL + q->cluster_size - 1);
	if (h->nr_snapshots) {
		ret = measure_snapshots(q, h);
		if (ret)
			return ret;
	}
	if (qcow2_is_meta(q, to_cluster(q, h->reftable_off), h->reftable_clusters) ||
	    overlap(&q->l1_at, q->snapshots_at.first, q->snapshots_at.nr))
		return qcow2_bad(q, "two tables at the same place");
	q->reftable_at.first = to_cluster(q, h->reftable_off);
	q->reftable_at.nr = h->reftable_clusters;

	q->nr_reftable = q->reftable_at.nr << (q->cluster_bits - 3);
	q->reftable = load_table(q, h->reftable_off, q->nr_reftable, &ret);
	if (!q->reftable)
		return ret;
	for (u64 i = 0; i < q->nr_reftable; i++) {
		if (!q->reftable[i])
			continue;
		ret = add_meta(q, "a refcount block", q->reftable[i]);
		if (ret)
			return ret;
	}
	for (u32 i = 0; i < q->nr_l1; i++) {
		if (!(q->l1[i] & QCOW2_OFFSET))
			continue;
		ret = add_meta(q, "an L2 table", q->l1[i] & QCOW2_OFFSET);
		if (ret)
			return ret;
	}
	return 0;
}

int qcow2_load_tables(struct qcow2 *q, const struct qcow2_header *h)
{
	int ret;

	q->l1 = load_table(q, h->l1_off, q->nr_l1, &ret);
	if (!q->l1)
		return ret;
	if (qcow2_cache_init(&q->l2, q->cluster_size, QCOW2_L2_SLICES))
		return qcow2_no_memory(q);
	if (q->disk.read_only)
		return 0;

	q->l1_dirty = calloc(1, q->nr_l1 * 8ULL / QCOW2_SLICE + 1);
	q->freed = calloc(QCOW2_FREED_MAX, sizeof(*q->freed));
	if (!q->l1_dirty || !q->freed ||
	    qcow2_cache_init(&q->refs, q->cluster_size, QCOW2_REF_SLICES))
		return qcow2_no_memory(q);
	q->unused = to_cluster(q, raw_end(q->file) + q->cluster_size - 1);
	atomic_store(&q->autoclear, h->autoclear != 0);
	return load_refcounts(q, h);
}
