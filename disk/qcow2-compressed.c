// SPDX-License-Identifier: GPL-2.0-only
/*
 * Compressed clusters: deflate without a header, or a zstd frame, in whole sectors, so
 * that there may be anything behind. A few clusters are kept unpacked, since readers come
 * for one piece after the other.
 */
#include <errno.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "disk/iov.h"
#include "disk/raw.h"
#include "qcow2-internal.h"

/* The largest window that there is, without a header of zlib's. */
#define DEFLATE_BITS (-15)
/* A frame cannot ask for more memory than 2^23 bytes. */
#define ZSTD_WINDOW 23

void qcow2_packed_init(struct qcow2 *q)
{
	pthread_mutex_init(&q->packed.lock, NULL);
	pthread_cond_init(&q->packed.done, NULL);
}

void qcow2_packed_destroy(struct qcow2 *q)
{
	for (unsigned int i = 0; i < QCOW2_PACKED; i++)
		free(q->packed.slots[i].data);
	pthread_cond_destroy(&q->packed.done);
	pthread_mutex_destroy(&q->packed.lock);
}

/* Each fills @to of @size bytes, or it is damaged: -EINVAL. -ENOMEM. */
static int inflate_all(u8 *to, u64 size, const u8 *from, u64 len)
{
	z_stream z = {.next_in = (u8 *)from, .avail_in = len, .next_out = to, .avail_out = size};
	int ret;

	if (inflateInit2(&z, DEFLATE_BITS) != Z_OK)
		return -ENOMEM;
	ret = inflate(&z, Z_FINISH);
	inflateEnd(&z);
	if (ret == Z_MEM_ERROR)
		return -ENOMEM;
	return (ret == Z_STREAM_END || ret == Z_BUF_ERROR) && !z.avail_out ? 0 : -EINVAL;
}

static int unzstd_all(u8 *to, u64 size, const u8 *from, u64 len)
{
	ZSTD_inBuffer in = {.src = from, .size = len};
	ZSTD_outBuffer out = {.dst = to, .size = size};
	ZSTD_DCtx *ctx = ZSTD_createDCtx();
	size_t ret = 1, before;

	if (!ctx)
		return -ENOMEM;
	ZSTD_DCtx_setParameter(ctx, ZSTD_d_windowLogMax, ZSTD_WINDOW);
	do {
		before = in.pos + out.pos;
		ret = ZSTD_decompressStream(ctx, &out, &in);
	} while (!ZSTD_isError(ret) && out.pos < size && in.pos + out.pos > before);
	ZSTD_freeDCtx(ctx);
	if (ZSTD_getErrorCode(ret) == ZSTD_error_memory_allocation)
		return -ENOMEM;
	return ZSTD_isError(ret) || out.pos < size ? -EINVAL : 0;
}

static int unpack_to(struct qcow2 *q, u64 desc, u8 *to)
{
	u64 off, len;
	u8 *from;
	int ret;

	qcow2_packed_at(q, desc, &off, &len);
	if (off >= QCOW2_MAX_OFFSET || off >= raw_end(q->file))
		return qcow2_corrupt(q, "compressed data at 0x%llx is behind the end of the file",
				     (unsigned long long)off);
	/* Its last sector may be the file's, which need not be a whole one. */
	len = min(len, raw_end(q->file) - off);
	from = malloc(len);
	if (!from)
		return -ENOMEM;
	ret = qcow2_read(q, from, len, off);
	if (!ret) {
		ret = (q->zstd ? unzstd_all : inflate_all)(to, q->cluster_size, from, len);
		if (ret == -EINVAL)
			ret = qcow2_corrupt(q, "compressed data at 0x%llx cannot be unpacked",
					    (unsigned long long)off);
	}
	free(from);
	return ret;
}

/* With packed.lock: the slot of @desc, or the one whose use is the longest ago. Marks it busy. */
static struct qcow2_packed *take_slot(struct qcow2 *q, u64 desc)
{
	for (;;) {
		struct qcow2_packed *best = NULL;

		for (unsigned int i = 0; i < QCOW2_PACKED; i++) {
			struct qcow2_packed *slot = &q->packed.slots[i];

			if (slot->desc == desc) {
				best = slot;
				break;
			}
			if (!slot->busy && (!best || slot->used < best->used))
				best = slot;
		}
		if (best && !best->busy) {
			best->busy = true;
			return best;
		}
		pthread_cond_wait(&q->packed.done, &q->packed.lock);
	}
}

int qcow2_unpack(struct qcow2 *q, u64 desc, u64 from, u64 len, struct iovec **iov, unsigned int *nr)
{
	struct qcow2_packed *slot;
	int ret = 0;

	pthread_mutex_lock(&q->packed.lock);
	slot = take_slot(q, desc);
	if (slot->desc != desc) {
		slot->desc = desc;
		pthread_mutex_unlock(&q->packed.lock);
		if (!slot->data)
			slot->data = malloc(q->cluster_size);
		ret = slot->data ? unpack_to(q, desc, slot->data) : -ENOMEM;
	} else {
		pthread_mutex_unlock(&q->packed.lock);
	}
	if (!ret)
		iov_copy(iov, nr, slot->data + from, len, false);

	pthread_mutex_lock(&q->packed.lock);
	slot->busy = false;
	slot->used = ++q->packed.clock;
	if (ret)
		slot->desc = 0;
	pthread_cond_broadcast(&q->packed.done);
	pthread_mutex_unlock(&q->packed.lock);
	return ret;
}
