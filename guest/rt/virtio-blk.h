/* SPDX-License-Identifier: GPL-2.0-only */
/* A virtio block device with one request in flight. */
#ifndef LKVM_GUEST_RT_VIRTIO_BLK_H
#define LKVM_GUEST_RT_VIRTIO_BLK_H

#include "rt/virtio.h"

#define BLK_SECTOR   512U
#define BLK_MAX_SEGS 14

#define BLK_F_RO    BIT_ULL(5)
#define BLK_F_FLUSH BIT_ULL(9)

#define BLK_OK	   0
#define BLK_IOERR  1
#define BLK_UNSUPP 2

/* @dev addresses are as the device is to use them. */
struct blk_seg {
	u64 dev;
	u32 len;
};

struct blk {
	struct virtio_dev v;
	struct vq vq;
	struct dma header, status;
	u64 capacity; /* sectors, from blk_start() on */
	u16 vector; /* for completions, as vq_enable() takes it */
	u32 used_len; /* what the device said it wrote in the last request */
};

/* @align as in vq_alloc(). False if @at is no block device. */
bool blk_open(struct blk *b, const struct fw_device *at, u64 align);

/* Reset, negotiation and the queue, with rings and header at their .dev addresses. */
bool blk_start(struct blk *b);

/* A request on its way: the answer is what blk_wait() returns. */
void blk_submit(struct blk *b, u32 type, u64 sector, const struct blk_seg *segs, unsigned int n);

/* The status that the device wrote (0xff: none), or VQ_BROKEN, or VQ_TIMEOUT. */
int blk_wait(struct blk *b);

int blk_read(struct blk *b, u64 sector, u64 dev, u32 len);
int blk_write(struct blk *b, u64 sector, u64 dev, u32 len);
int blk_flush(struct blk *b);

/* "OK", "IOERR", ..., "needs reset" for what blk_wait() returns. */
const char *blk_result_name(int result);

#define BLK_T_IN    0
#define BLK_T_OUT   1
#define BLK_T_FLUSH 4

#endif /* LKVM_GUEST_RT_VIRTIO_BLK_H */
