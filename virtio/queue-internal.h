/* SPDX-License-Identifier: GPL-2.0-only */
/* Between virtio/queue*.c: what differs by layout, and what the layouts share. */
#ifndef LKVM_VIRTIO_QUEUE_INTERNAL_H
#define LKVM_VIRTIO_QUEUE_INTERNAL_H

#include <linux/virtio_ring.h>

#include "virtio/queue.h"

/* Of descriptors in both layouts, in rings and in tables. */
#define DESC_SIZE 16

/*
 * None of these is called on a broken queue. Those that return int break the queue on
 * an error, and return -EIO then.
 */
struct virtq_layout {
	bool (*is_valid)(const struct virtq *vq);
	void (*start)(struct virtq *vq);
	/* Whether a chain waits. */
	int (*pending)(struct virtq *vq);
	/* 1: @chain, empty at first, is filled; 0: there is none. */
	int (*pop)(struct virtq *vq, struct virtq_chain *chain);
	int (*push)(struct virtq *vq, u16 head, u32 len);
	/* 1: the driver wants an interrupt; 0: not, or nothing is new. */
	int (*publish)(struct virtq *vq);
	/* Tells the driver whether to kick for the next chain. */
	int (*ask_kick)(struct virtq *vq, bool on);
};

extern const struct virtq_layout virtq_split_layout;
extern const struct virtq_layout virtq_packed_layout;

/* The queue is broken from now on, which the device tells once. Always -EIO. */
int virtq_break(struct virtq *vq, const char *why);
int virtq_break_unreachable(struct virtq *vq);

/* Adds a segment, of which @flags say whether it is writable. 0 or -EIO. */
int virtq_add_seg(struct virtq *vq, struct virtq_chain *chain, u64 iova, u32 len, u16 flags);

/* Descriptors of an indirect table that are fetched at a time. */
#define VIRTQ_TABLE_BATCH 32

/* An indirect table. Drivers fill it in order, so that entries are fetched in batches. */
struct virtq_table {
	u64 iova;
	u32 nr; /* entries */
	u32 base, have; /* which of them are in @batch */
	u8 batch[VIRTQ_TABLE_BATCH][DESC_SIZE] __attribute__((aligned(8)));
};

/* Begins with a table of @len bytes. 0 or -EIO. */
int virtq_table_open(struct virtq *vq, struct virtq_table *table, u64 iova, u32 len);

/* Entry @i, below @nr, valid until the next call; NULL if it is out of reach: broken. */
const void *virtq_table_entry(struct virtq *vq, struct virtq_table *table, u32 i);

#endif /* LKVM_VIRTIO_QUEUE_INTERNAL_H */
