// SPDX-License-Identifier: GPL-2.0-only
/*
 * The header of a qcow2 image ("Header", "Additional fields", "Header extensions"), and
 * what of it is not possible here.
 */
#include <errno.h>
#include <stdlib.h>

#include "disk/raw.h"
#include "qcow2-internal.h"
#include "util/log.h"

#define MIN_CLUSTER_BITS   9
#define MAX_CLUSTER_BITS   21
#define MIN_EXTL2_BITS	   14
#define MAX_REF_ORDER	   6
#define V2_REF_ORDER	   4
#define MAX_SNAPSHOTS	   65536
#define COMPRESSION_OFF	   104
#define COMPRESSION_ZSTD   1
#define EXT_END		   0
#define EXT_BACKING_FORMAT 0xe2792acaU

static int refuse(const struct qcow2 *q, const char *what, const char *remedy)
{
	pr_err("disk %s: %s; %s", q->name, what, remedy);
	return -EOPNOTSUPP;
}

static int check_incompatible(struct qcow2 *q, u64 bits)
{
	u64 known = QCOW2_INCOMPAT_DIRTY | QCOW2_INCOMPAT_CORRUPT | QCOW2_INCOMPAT_DATA |
		    QCOW2_INCOMPAT_COMPRESS | QCOW2_INCOMPAT_EXTL2;

	if (bits & ~known) {
		pr_err("disk %s: it needs features that lkvm does not know (bits 0x%llx); "
		       "'qemu-img convert -O qcow2' makes a plain copy",
		       q->name, (unsigned long long)(bits & ~known));
		return -EOPNOTSUPP;
	}
	if (bits & QCOW2_INCOMPAT_DATA)
		return refuse(q, "its data is in another file, which lkvm does not know to use",
			      "'qemu-img convert -O qcow2' makes a copy that is one file");
	if (q->disk.read_only)
		return 0;
	if (bits & QCOW2_INCOMPAT_CORRUPT)
		return refuse(q, "the image is marked as damaged and can only be read, with ',ro'",
			      "'qemu-img check -r all' may mend it");
	if (bits & QCOW2_INCOMPAT_DIRTY)
		return refuse(q, "it was not closed by its last user (lazy refcounts)",
			      "'qemu-img check -r all' mends it, or open it with ',ro'");
	return 0;
}

static int read_v3(struct qcow2 *q, struct qcow2_header *h, const u8 *raw, u32 *len)
{
	u32 type;
	int ret;

	h->incompatible = get_be64(raw + QCOW2_H_INCOMPATIBLE);
	h->autoclear = get_be64(raw + QCOW2_H_AUTOCLEAR);
	q->ref_order = get_be32(raw + 96);
	*len = get_be32(raw + 100);
	ret = check_incompatible(q, h->incompatible);
	if (ret)
		return ret;
	if (*len < QCOW2_V3_HEADER_LEN || *len % 8 || *len > q->cluster_size)
		return qcow2_bad(q, "a header of %u bytes", *len);
	if (q->ref_order > MAX_REF_ORDER)
		return qcow2_bad(q, "refcounts of 2^%u bits", q->ref_order);
	type = *len > COMPRESSION_OFF ? raw[COMPRESSION_OFF] : 0;
	if (!(h->incompatible & QCOW2_INCOMPAT_COMPRESS) != !type)
		return qcow2_bad(q, "compression type %u and its feature bit do not agree", type);
	if (type > COMPRESSION_ZSTD)
		return refuse(q, "it is compressed in a way that lkvm does not know",
			      "'qemu-img convert -O qcow2' makes a plain copy");
	q->zstd = type;
	return 0;
}

/* The feature bits and lengths of version 2 are not in the file. */
static int read_version(struct qcow2 *q, struct qcow2_header *h, const u8 *raw, u32 *len)
{
	q->version = get_be32(raw + 4);
	if (q->version == 3)
		return read_v3(q, h, raw, len);
	if (q->version != 2) {
		pr_err("disk %s: qcow2 version %u is not known, only 2 and 3", q->name, q->version);
		return -EOPNOTSUPP;
	}
	q->ref_order = V2_REF_ORDER;
	*len = QCOW2_V2_HEADER_LEN;
	return 0;
}

static int read_sizes(struct qcow2 *q, struct qcow2_header *h, const u8 *raw)
{
	bool ext = h->incompatible & QCOW2_INCOMPAT_EXTL2;
	u64 nr_l1;

	if (ext && q->cluster_bits < MIN_EXTL2_BITS)
		return qcow2_bad(q, "subclusters of clusters of %u bytes", 1U << q->cluster_bits);
	q->nr_subs = ext ? 32 : 1;
	q->sub_size = q->cluster_size / q->nr_subs;
	q->entry_size = ext ? 16 : 8;
	q->l2_bits = q->cluster_bits - (ext ? 4 : 3);
	q->ref_block_bits = q->cluster_bits + 3 - q->ref_order;

	q->size = get_be64(raw + 24);
	if (!q->size) {
		pr_err("disk %s: it is empty; 'qemu-img resize %s 1G' would give it a size",
		       q->name, q->name);
		return -EINVAL;
	}
	if (q->size > INT64_MAX - 2 * q->cluster_size)
		return qcow2_bad(q, "a size of %llu bytes", (unsigned long long)q->size);
	nr_l1 = ((q->size - 1) >> (q->cluster_bits + q->l2_bits)) + 1;
	if (nr_l1 > QCOW2_MAX_L1 / 8) {
		pr_err("disk %s: its size, %llu bytes, is more than lkvm supports with clusters "
		       "of %llu bytes",
		       q->name, (unsigned long long)q->size, (unsigned long long)q->cluster_size);
		return -EOPNOTSUPP;
	}
	q->nr_l1 = nr_l1;
	return 0;
}

/* A table of @bytes at @off is aligned, begins in the file and not in the header. */
static int check_table(const struct qcow2 *q, const char *what, u64 off, u64 bytes)
{
	u64 end = align_up(raw_end(q->file), q->cluster_size);

	if (in_cluster(q, off) || off < q->cluster_size || off >= end || bytes > end - off)
		return qcow2_bad(q, "the %s cannot be at 0x%llx", what, (unsigned long long)off);
	return 0;
}

static int read_tables(struct qcow2 *q, struct qcow2_header *h, const u8 *raw)
{
	int ret;

	h->l1_size = get_be32(raw + 36);
	h->l1_off = get_be64(raw + 40);
	h->reftable_off = get_be64(raw + QCOW2_H_REFTABLE);
	h->reftable_clusters = get_be32(raw + 56);
	h->nr_snapshots = get_be32(raw + 60);
	h->snapshots_off = get_be64(raw + 64);
	if (h->l1_size < q->nr_l1 || h->l1_size > QCOW2_MAX_L1 / 8)
		return qcow2_bad(q, "an L1 table of %u entries where %u are needed", h->l1_size,
				 q->nr_l1);
	/* What it has beyond the disk's size is the state of machines in snapshots. */
	ret = check_table(q, "L1 table", h->l1_off, q->nr_l1 * 8ULL);
	if (ret || q->disk.read_only)
		return ret;

	if (!h->reftable_clusters || h->reftable_clusters > QCOW2_MAX_REFTABLE >> q->cluster_bits)
		return qcow2_bad(q, "a refcount table of %u clusters", h->reftable_clusters);
	ret = check_table(q, "refcount table", h->reftable_off,
			  (u64)h->reftable_clusters << q->cluster_bits);
	if (ret)
		return ret;
	if (h->nr_snapshots > MAX_SNAPSHOTS)
		return qcow2_bad(q, "%u snapshots", h->nr_snapshots);
	return h->nr_snapshots ? check_table(q, "snapshot table", h->snapshots_off, 1) : 0;
}

static void copy_text(char *to, size_t room, const u8 *from, u32 len)
{
	len = min(len, (u32)room - 1);
	memcpy(to, from, len);
	to[len] = '\0';
}

/* @raw is what the first cluster has between the header and the name of the backing file. */
static int read_extensions(const struct qcow2 *q, struct qcow2_header *h, const u8 *raw, u64 len)
{
	while (len >= 8) {
		u32 type = get_be32(raw), size = get_be32(raw + 4);

		if (type == EXT_END)
			break;
		if (size > len - 8)
			return qcow2_bad(q, "a header extension of %u bytes", size);
		if (type == EXT_BACKING_FORMAT)
			copy_text(h->backing_format, sizeof(h->backing_format), raw + 8, size);
		len -= min(len, 8 + align_up(size, 8));
		raw += 8 + align_up(size, 8);
	}
	return 0;
}

static int read_first_cluster(struct qcow2 *q, struct qcow2_header *h, const u8 *raw, u64 have)
{
	u64 backing_off = get_be64(raw + 8);
	u32 backing_len = get_be32(raw + 16), len;
	int ret;

	ret = read_version(q, h, raw, &len);
	if (ret)
		return ret;
	if (get_be32(raw + 32))
		return refuse(q, "it is encrypted, which lkvm does not know",
			      "'qemu-img convert' makes a copy that is not");
	ret = read_sizes(q, h, raw);
	if (!ret)
		ret = read_tables(q, h, raw);
	if (ret)
		return ret;
	q->incompatible = h->incompatible;
	if (!backing_off)
		return read_extensions(q, h, raw + len, have - len);
	if (backing_off < len || backing_len > QCOW2_MAX_BACKING_NAME || backing_off > have ||
	    backing_len > have - backing_off)
		return qcow2_bad(q, "the name of its backing file has %u bytes at 0x%llx",
				 backing_len, (unsigned long long)backing_off);
	if (memchr(raw + backing_off, '\0', backing_len))
		return qcow2_bad(q, "the name of its backing file has a zero byte");
	copy_text(h->backing, sizeof(h->backing), raw + backing_off, backing_len);
	return read_extensions(q, h, raw + len, backing_off - len);
}

int qcow2_read_header(struct qcow2 *q, struct qcow2_header *h)
{
	u8 start[24], *raw;
	int ret;

	memset(h, 0, sizeof(*h));
	ret = qcow2_read(q, start, sizeof(start), 0);
	if (ret) {
		pr_err("disk %s: its header cannot be read", q->name);
		return ret;
	}
	if (memcmp(start, QCOW2_MAGIC, 4)) {
		pr_err("disk %s: it is no qcow2 image; if it is a raw one write '-d %s,format=raw'",
		       q->name, q->name);
		return -EINVAL;
	}
	q->cluster_bits = get_be32(start + 20);
	if (q->cluster_bits < MIN_CLUSTER_BITS || q->cluster_bits > MAX_CLUSTER_BITS)
		return qcow2_bad(q, "clusters of 2^%u bytes", q->cluster_bits);
	q->cluster_size = 1ULL << q->cluster_bits;

	/* Behind the end of a short file it is zeroes. */
	raw = malloc(q->cluster_size);
	if (!raw)
		return qcow2_no_memory(q);
	ret = qcow2_read(q, raw, q->cluster_size, 0);
	if (ret)
		pr_err("disk %s: its header cannot be read", q->name);
	else
		ret = read_first_cluster(q, h, raw, q->cluster_size);
	free(raw);
	return ret;
}
