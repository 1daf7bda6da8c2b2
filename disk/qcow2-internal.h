/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between the files of the qcow2 disk. Section names are those of QEMU's "Qcow2 Image File
 * Format". A cluster's number is its offset divided by the size of a cluster: a guest cluster is
 * one of the disk, a host cluster one of the file.
 *
 * Locks, in the order in which they are taken:
 *   ranges      a request keeps the guest clusters that it works on: qcow2-range.c
 *   alloc_lock  all changes of metadata; held over I/O. What only they need belongs to it
 *   l2.lock     the mapping: L1 table, cached L2 tables, which clusters are metadata. Not held
 *               over I/O; a change holds alloc_lock, too
 * Nothing else is taken while packed.lock or refs.lock is held.
 *
 * What has to be on the disk before what, so that the image is whole whenever the host stops:
 *   refcounts that were raised, data, and new L2 tables as they were made, before the L2 and L1
 *   entries that point to them;
 *   these before refcounts that are lowered, and before a cluster is used again.
 * So refcounts in memory may be written at any time: they are too high at worst.
 */
#ifndef LKVM_DISK_QCOW2_INTERNAL_H
#define LKVM_DISK_QCOW2_INTERNAL_H

#include <endian.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "disk/disk.h"
#include "disk/qcow2.h"
#include "util/list.h"

/* Header: byte offsets. */
#define QCOW2_H_REFTABLE       48
#define QCOW2_H_INCOMPATIBLE   72
#define QCOW2_H_AUTOCLEAR      88
#define QCOW2_V2_HEADER_LEN    72
#define QCOW2_V3_HEADER_LEN    104
#define QCOW2_MAX_BACKING_NAME 1023

#define QCOW2_INCOMPAT_DIRTY	BIT_ULL(0)
#define QCOW2_INCOMPAT_CORRUPT	BIT_ULL(1)
#define QCOW2_INCOMPAT_DATA	BIT_ULL(2)
#define QCOW2_INCOMPAT_COMPRESS BIT_ULL(3)
#define QCOW2_INCOMPAT_EXTL2	BIT_ULL(4)

/* L1 and L2 table entries. */
#define QCOW2_OFFSET	 GENMASK_ULL(55, 9)
#define QCOW2_COPIED	 BIT_ULL(63)
#define QCOW2_COMPRESSED BIT_ULL(62)
#define QCOW2_ZERO	 BIT_ULL(0)
#define QCOW2_MAX_OFFSET (1ULL << 56)

/* Tables that are larger are refused, as QEMU does. */
#define QCOW2_MAX_L1	   (32 * MiB)
#define QCOW2_MAX_REFTABLE (8 * MiB)

/* Files in a chain of backing files, the image with it. */
#define QCOW2_MAX_CHAIN 16

#define QCOW2_SLICE	 4096U /* of a table, cached as a whole */
#define QCOW2_L2_SLICES	 512
#define QCOW2_REF_SLICES 64
#define QCOW2_FREED_MAX	 4096 /* clusters that wait to be freed */
#define QCOW2_REUSE_MAX	 1024
#define QCOW2_PACKED	 4 /* unpacked clusters that are kept */

struct qcow2;

static inline u64 get_be64(const u8 *p)
{
	u64 val;

	memcpy(&val, p, sizeof(val));
	return be64toh(val);
}

static inline u32 get_be32(const u8 *p)
{
	u32 val;

	memcpy(&val, p, sizeof(val));
	return be32toh(val);
}

static inline void put_be64(u8 *p, u64 val)
{
	val = htobe64(val);
	memcpy(p, &val, sizeof(val));
}

static inline void put_be32(u8 *p, u32 val)
{
	val = htobe32(val);
	memcpy(p, &val, sizeof(val));
}

/* qcow2-cache.c: pieces of tables */

struct qcow2_slice {
	u64 off; /* in the file; 0: none */
	u8 *data;
	u64 used; /* the clock's time of the last use */
	bool loading; /* its data and place belong to the thread that reads it */
	bool dirty; /* stays until it is written, which holders of alloc_lock do */
	u16 next; /* of its bucket; 0: the last */
};

struct qcow2_cache {
	pthread_mutex_t lock; /* guards all that follows */
	pthread_cond_t loaded;
	u32 slice_size;
	unsigned int max, nr, nr_dirty;
	u64 clock;
	struct qcow2_slice *slices; /* that of index 0 is not used */
	u16 *buckets;
};

/* -ENOMEM. @max is a power of two. */
int qcow2_cache_init(struct qcow2_cache *c, u64 cluster_size, unsigned int max);
/* Harmless for one that is all zeroes. */
void qcow2_cache_destroy(struct qcow2_cache *c);

/*
 * With c->lock, which is let go while the file is read. The slice at @off, until the lock is let
 * go. -ENOMEM, or what the read returns.
 */
int qcow2_cache_get(struct qcow2 *q, struct qcow2_cache *c, u64 off, u8 **data);

/* With alloc_lock and c->lock: the slice that qcow2_cache_get() just found was changed. */
void qcow2_cache_dirty(struct qcow2_cache *c, u64 off);

/* With alloc_lock and c->lock: what is cached of [off, off + len) is not true any more. */
void qcow2_cache_forget(struct qcow2_cache *c, u64 off, u64 len);

/* With alloc_lock: writes the dirty slices; on failure some stay dirty. */
int qcow2_cache_write(struct qcow2 *q, struct qcow2_cache *c);

/* Whether so many slices are dirty that they should be written. With alloc_lock. */
bool qcow2_cache_full(struct qcow2_cache *c);

/* qcow2-range.c: who works on which guest clusters */

struct qcow2_range {
	struct list_head node;
	u64 first, last; /* guest clusters */
	bool exclusive;
};

struct qcow2_ranges {
	pthread_mutex_t lock;
	pthread_cond_t done;
	struct list_head list; /* in the order in which they came */
	unsigned int waiting;
};

/*
 * Waits until no earlier request has one of the clusters of [off, off + len); with @exclusive
 * not set, others that have it not set either may. A thread holds one at a time.
 */
void qcow2_range_lock(struct qcow2 *q, struct qcow2_range *r, u64 off, u64 len, bool exclusive);
void qcow2_range_unlock(struct qcow2 *q, struct qcow2_range *r);

/* qcow2-set.c: a set of host clusters */

struct qcow2_set {
	u64 *slots; /* the cluster's number, which is never 0; 0: empty */
	u64 nr, size;
};

/* Room for @nr more. -ENOMEM. */
int qcow2_set_reserve(struct qcow2_set *set, u64 nr);
/* There has to be room, if it is not in it yet. */
void qcow2_set_add(struct qcow2_set *set, u64 cluster);
bool qcow2_set_has(const struct qcow2_set *set, u64 cluster);
void qcow2_set_remove(struct qcow2_set *set, u64 cluster);

/* The disk */

/* Host clusters. */
struct qcow2_clusters {
	u64 first, nr;
};

/* An unpacked cluster. */
struct qcow2_packed {
	u64 desc; /* its descriptor; 0: none */
	u64 used;
	bool busy; /* belongs to a thread */
	u8 *data;
};

struct qcow2 {
	struct disk disk;
	struct disk *file; /* the image, a raw disk */
	struct disk *backing; /* or NULL */
	struct qcow2 *overlay; /* whose backing file this is, or NULL; while it is opened */
	char *name; /* for messages */

	/* The format; fixed. */
	unsigned int version;
	unsigned int cluster_bits;
	u64 cluster_size;
	u64 size; /* of the disk as the header says, bytes */
	bool zstd; /* compressed by it, and not by deflate */
	unsigned int nr_subs; /* subclusters of a cluster: 32, or 1 */
	u64 sub_size;
	unsigned int entry_size; /* of an L2 table, bytes */
	unsigned int l2_bits; /* entries of an L2 table */
	u64 incompatible;
	struct qcow2_clusters l1_at, snapshots_at; /* where they are */

	/* Nothing is written any more: the image is damaged, or the host failed. */
	atomic_bool stopped;
	atomic_bool complained;

	struct qcow2_ranges ranges;

	/* With l2.lock: */
	struct qcow2_cache l2;
	u64 *l1; /* entries of the host's byte order */
	u32 nr_l1;
	struct qcow2_set meta; /* active L2 tables and refcount blocks */
	struct qcow2_clusters reftable_at;

	/* With alloc_lock: */
	pthread_mutex_t alloc_lock;
	u8 *l1_dirty; /* each QCOW2_SLICE bytes of the L1 table */
	bool any_l1_dirty;
	/* There may be dirty L2 or L1 entries, or what they need is not stable yet. */
	atomic_bool dirty; /* read without the lock */
	atomic_bool autoclear; /* bits are set that a change has to clear; read without it */
	struct qcow2_cache refs; /* refcount blocks */
	unsigned int ref_order;
	unsigned int ref_block_bits; /* clusters that a block counts */
	u64 *reftable; /* entries of the host's byte order */
	u64 nr_reftable;
	u64 scan; /* host cluster: where to look for a free one */
	u64 unused; /* host cluster: none from here on was ever used */
	bool skipped; /* a free cluster may be before scan */
	u64 reuse[QCOW2_REUSE_MAX]; /* host clusters that are known to be free */
	unsigned int nr_reuse;
	struct qcow2_clusters *freed; /* not in use any more when the L2 tables are stable */
	unsigned int nr_freed;

	struct {
		pthread_mutex_t lock;
		pthread_cond_t done;
		u64 clock;
		struct qcow2_packed slots[QCOW2_PACKED];
	} packed;
};

static inline struct qcow2 *to_qcow2(struct disk *disk)
{
	return container_of(disk, struct qcow2, disk);
}

static inline u64 to_cluster(const struct qcow2 *q, u64 off)
{
	return off >> q->cluster_bits;
}

static inline u64 in_cluster(const struct qcow2 *q, u64 off)
{
	return off & (q->cluster_size - 1);
}

/* All subclusters of a cluster. */
static inline u32 all_subs(const struct qcow2 *q)
{
	return q->nr_subs == 1 ? 1 : ~0U;
}

/* qcow2-file.c: the file */

/* What is behind the end of the file reads as zeroes. */
int qcow2_read(struct qcow2 *q, void *buf, u64 len, u64 off);
/* Makes the file longer when it has to be. Refused when the disk has stopped: -EIO. */
int qcow2_write(struct qcow2 *q, const void *buf, u64 len, u64 off);
/* All that was written is stable; if not, the disk stops. */
int qcow2_barrier(struct qcow2 *q);

/* The disk stops, for a reason of the host that was printed. -EIO. */
int qcow2_stop(struct qcow2 *q);

/*
 * The image breaks the format: prints that, the first time, writes the corrupt bit and stops the
 * disk. -EIO. Any lock may be held.
 */
int qcow2_corrupt(struct qcow2 *q, const char *fmt, ...) __printf(2, 3);

int qcow2_no_memory(const struct qcow2 *q);

/* An operation's result, passed on: the first that has no line of its own yet gets one. */
int qcow2_result(struct qcow2 *q, int ret);

/* qcow2-header.c */

struct qcow2_header {
	u64 incompatible, autoclear;
	u64 l1_off;
	u32 l1_size; /* entries */
	u64 reftable_off;
	u32 reftable_clusters;
	u64 snapshots_off;
	u32 nr_snapshots;
	char backing[QCOW2_MAX_BACKING_NAME + 1]; /* "": none */
	char backing_format[16]; /* "": not said */
};

/*
 * Reads the header of q->file into @h and the fixed part of @q, and checks what can be checked
 * without the tables. Prints the reason on failure: -EINVAL, -EOPNOTSUPP, -EIO, -ENOMEM.
 */
int qcow2_read_header(struct qcow2 *q, struct qcow2_header *h);

/* Prints that the image breaks the format, at its start. -EINVAL. */
int qcow2_bad(const struct qcow2 *q, const char *fmt, ...) __printf(2, 3);

/* qcow2-tables.c: what stays in memory */

/*
 * The L1 table, and for an image that is written the refcount table and which clusters hold
 * metadata. Prints the reason on failure.
 */
int qcow2_load_tables(struct qcow2 *q, const struct qcow2_header *h);

/* With l2.lock: whether one of the host clusters holds metadata of the active image. */
bool qcow2_is_meta(const struct qcow2 *q, u64 first, u64 nr);

/* qcow2-backing.c */

/* Opens what @h names, or what the user does. Prints the reason on failure. */
int qcow2_open_backing(struct qcow2 *q, const struct qcow2_header *h,
		       const struct disk_config *config);

/* As qcow2_open(), as the backing file of @overlay if that is not NULL. */
int qcow2_open_chain(struct disk **out, const struct disk_config *config, struct qcow2 *overlay);

/* qcow2-map.c: the mapping */

/* An L2 entry. All zeroes: unallocated. */
struct qcow2_entry {
	u64 host; /* offset; 0: none */
	u32 alloc, zero; /* subclusters, none in both */
	bool copied;
	u64 packed; /* compressed: its descriptor, and nothing else is set; else 0 */
};

/* @raw is what the table holds. -EIO: it breaks the format, and the disk has stopped. */
int qcow2_decode(struct qcow2 *q, const u8 *raw, u64 cluster, struct qcow2_entry *e);
void qcow2_encode(const struct qcow2 *q, u8 *raw, const struct qcow2_entry *e);

/* Where the data of a compressed cluster is in the file. */
void qcow2_packed_at(const struct qcow2 *q, u64 desc, u64 *off, u64 *len);

/* Whether a subcluster that is unallocated at @off of the disk shows the backing file. */
bool qcow2_is_backed(const struct qcow2 *q, u64 off);

/* The subclusters that bytes [from, to) of a cluster are, borders of subclusters. */
u32 qcow2_subs(const struct qcow2 *q, u64 from, u64 to);

/*
 * With l2.lock, which is let go while the file is read: the entry of guest cluster @cluster and
 * those behind it, *@nr in all, up to the end of what is cached. NULL: there is no table, and *@nr
 * is what one would hold. @off, if not NULL: where the slice is.
 */
int qcow2_find(struct qcow2 *q, u64 cluster, u8 **raw, u64 *nr, u64 *off);

enum qcow2_kind {
	QCOW2_NOTHING, /* unallocated: what the backing file has */
	QCOW2_ZEROES,
	QCOW2_DATA,
	QCOW2_COMPRESSED_DATA,
};

struct qcow2_extent {
	enum qcow2_kind kind;
	u64 len; /* bytes */
	u64 host; /* DATA: offset in the file; COMPRESSED_DATA: the descriptor */
	bool own; /* DATA: may be written where it is */
};

/*
 * What is at @off of the disk, up to @len bytes of one kind. With @write only what is alike for
 * writing, too, and it is checked to be no metadata.
 */
int qcow2_map(struct qcow2 *q, u64 off, u64 len, bool write, struct qcow2_extent *ext);

/* Whether the extent, at @off of the disk, reads as zeroes, as the metadata says. */
bool qcow2_is_zero(const struct qcow2 *q, const struct qcow2_extent *ext, u64 off);

/*
 * With alloc_lock: makes the L2 table of guest cluster @cluster one that may be changed.
 */
int qcow2_own_table(struct qcow2 *q, u64 cluster);

/* qcow2-refcount.c */

/*
 * With alloc_lock: up to @max free clusters in a row, at least one, whose refcounts are 1 then.
 * @fresh: they are at the end of the file and read as zeroes.
 */
int qcow2_alloc(struct qcow2 *q, u64 max, struct qcow2_clusters *out, bool *fresh);

/* With alloc_lock: lowers the refcounts at once. For what nothing points to, on the disk either. */
int qcow2_release(struct qcow2 *q, const struct qcow2_clusters *clusters);

/* With alloc_lock: the same when what points to them now is not there any more. */
void qcow2_free_later(struct qcow2 *q, u64 first, u64 nr);

/* The same for what an L2 entry points to, which it will not any more. */
void qcow2_free_entry(struct qcow2 *q, const struct qcow2_entry *e);

/* qcow2-commit.c */

/*
 * With alloc_lock: writes all metadata in its order. @sync: and it is stable, with all data that
 * was written before.
 */
int qcow2_commit(struct qcow2 *q, bool sync);

/* With alloc_lock, before changes of up to an L2 slice: makes room in what is bounded. */
int qcow2_make_room(struct qcow2 *q);

/* Before each change of the disk's contents. -EROFS, -EIO. */
int qcow2_begin_change(struct qcow2 *q);

int qcow2_flush(struct disk *disk);

/* Operations: qcow2-read.c, qcow2-write.c, qcow2-zero.c, qcow2-compressed.c */

int qcow2_preadv(struct disk *disk, struct iovec *iov, unsigned int nr, u64 off);
int qcow2_pwritev(struct disk *disk, struct iovec *iov, unsigned int nr, u64 off);
int qcow2_discard(struct disk *disk, u64 off, u64 len);
int qcow2_write_zeroes(struct disk *disk, u64 off, u64 len, bool unmap);

/* What the guest sees of [off, off + len), which its range lock keeps; zeroes behind the end. */
int qcow2_view(struct qcow2 *q, struct iovec *iov, unsigned int nr, u64 off, u64 len);

/* Bytes [from, from + len) of the compressed cluster @desc. */
int qcow2_unpack(struct qcow2 *q, u64 desc, u64 from, u64 len, struct iovec **iov,
		 unsigned int *nr);
void qcow2_packed_init(struct qcow2 *q);
void qcow2_packed_destroy(struct qcow2 *q);

#endif /* LKVM_DISK_QCOW2_INTERNAL_H */
