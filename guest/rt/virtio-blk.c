// SPDX-License-Identifier: GPL-2.0-only
/* virtio 1.x, "Block Device". */
#include "rt/virtio-blk.h"

#include "rt/core.h"

#define QUEUE_SIZE 16

struct blk_header {
	u32 type;
	u32 reserved;
	u64 sector;
};

#define STATUS_NONE 0xff /* no status of the specification */

bool blk_open(struct blk *b, const struct fw_device *at, u64 align)
{
	memset(b, 0, sizeof(*b));
	b->vector = VIRTIO_NO_VECTOR;
	if (!virtio_open(&b->v, at) || b->v.type != VIRTIO_TYPE_BLK)
		return false;
	vq_alloc(&b->vq, QUEUE_SIZE, align);
	b->header.cpu = mem_alloc(sizeof(struct blk_header), align);
	b->header.dev = gpa_of(b->header.cpu);
	b->status.cpu = mem_alloc(1, align);
	b->status.dev = gpa_of(b->status.cpu);
	return true;
}

bool blk_start(struct blk *b)
{
	if (!virtio_negotiate(&b->v, VIRTIO_F_VERSION_1 | VIRTIO_F_ACCESS_PLATFORM |
					     VIRTIO_F_RING_PACKED | BLK_F_RO | BLK_F_FLUSH) ||
	    !vq_enable(&b->vq, &b->v, 0, b->vector))
		return false;
	virtio_driver_ok(&b->v);
	b->capacity = virtio_config64(&b->v, 0);
	return true;
}

void blk_submit(struct blk *b, u32 type, u64 sector, const struct blk_seg *segs, unsigned int n)
{
	u16 write = type == BLK_T_IN ? VQ_DESC_WRITE : 0;
	struct blk_header *h = b->header.cpu;
	unsigned int i;

	if (n > BLK_MAX_SEGS)
		panic("a block request of %u segments", n);
	*h = (struct blk_header){.type = type, .sector = sector};
	*(u8 *)b->status.cpu = STATUS_NONE;

	vq_set_desc(&b->vq, 0, b->header.dev, sizeof(*h), VQ_DESC_NEXT, 1);
	for (i = 0; i < n; i++)
		vq_set_desc(&b->vq, 1 + i, segs[i].dev, segs[i].len, VQ_DESC_NEXT | write, 2 + i);
	vq_set_desc(&b->vq, 1 + n, b->status.dev, 1, VQ_DESC_WRITE, 0);
	vq_publish(&b->vq, 0);
	vq_kick(&b->vq);
}

int blk_wait(struct blk *b)
{
	int ret;

	b->used_len = 0;
	ret = vq_wait_used(&b->vq, NULL, &b->used_len);
	return ret ? ret : READ_ONCE(*(u8 *)b->status.cpu);
}

static int transfer(struct blk *b, u32 type, u64 sector, u64 dev, u32 len)
{
	struct blk_seg seg = {.dev = dev, .len = len};

	blk_submit(b, type, sector, &seg, len ? 1 : 0);
	return blk_wait(b);
}

int blk_read(struct blk *b, u64 sector, u64 dev, u32 len)
{
	return transfer(b, BLK_T_IN, sector, dev, len);
}

int blk_write(struct blk *b, u64 sector, u64 dev, u32 len)
{
	return transfer(b, BLK_T_OUT, sector, dev, len);
}

int blk_flush(struct blk *b)
{
	return transfer(b, BLK_T_FLUSH, 0, 0, 0);
}

const char *blk_result_name(int result)
{
	switch (result) {
	case BLK_OK:
		return "OK";
	case BLK_IOERR:
		return "IOERR";
	case BLK_UNSUPP:
		return "UNSUPP";
	case STATUS_NONE:
		return "no status";
	case VQ_BROKEN:
		return "needs reset";
	case VQ_TIMEOUT:
		return "no answer";
	default:
		return "unknown status";
	}
}
