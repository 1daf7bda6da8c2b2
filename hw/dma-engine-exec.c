// SPDX-License-Identifier: GPL-2.0-only
/* What one descriptor makes the DMA engine do. */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "dma-engine-internal.h"

/*
 * So much is accessed at a time: short enough for who waits for the engine to stop, or for a
 * translation to be out of use.
 */
#define CHUNK	   (64 * KiB)
#define MAX_PIECES (CHUNK / (4 * KiB) + 1)

/* One side of a transfer. */
struct side {
	u64 iova;
	u32 pasid;
	u32 dir;
	u32 fault_status;
};

/* An access that is open. */
struct window {
	struct iovec iov[MAX_PIECES];
	unsigned int nr;
	dma_handle_t handle;
};

static void note_fault(struct dma_engine_desc *d, u32 status, const struct iommu_fault *fault)
{
	d->status = htole32(status);
	d->fault = htole32(DMA_ENGINE_FAULT(fault->reason, fault->dir));
	d->fault_address = htole64(fault->iova);
}

/* False, with the fault noted, if the memory is not reached. */
static bool open_window(struct dma_engine *e, struct dma_engine_desc *d, const struct side *side,
			u64 len, struct window *w)
{
	const struct iommu_fault unknown = {
		.reason = IOMMU_FAULT_UNKNOWN,
		.dir = side->dir & ~DMA_PRIV,
		.iova = side->iova,
	};
	int n = dma_map(&e->chan, side->pasid, side->iova, len, side->dir, w->iov,
			ARRAY_SIZE(w->iov), &w->handle);

	if (n < 0) {
		note_fault(d, side->fault_status,
			   n == -EFAULT && e->chan.ep ? &e->chan.fault : &unknown);
		return false;
	}
	w->nr = n;
	return true;
}

static void close_window(struct dma_engine *e, const struct window *w)
{
	dma_unmap(&e->chan, w->handle);
}

/* How much of @left can be accessed at a time from @iova on: up to a multiple of the chunk. */
static u64 chunk_at(u64 iova, u64 left)
{
	return min(left, CHUNK - (iova & (CHUNK - 1)));
}

static void copy_pieces(const struct window *dst, const struct window *src)
{
	unsigned int s = 0, d = 0;
	size_t s_off = 0, d_off = 0;

	while (s < src->nr && d < dst->nr) {
		size_t n = min(src->iov[s].iov_len - s_off, dst->iov[d].iov_len - d_off);

		memmove((u8 *)dst->iov[d].iov_base + d_off, (u8 *)src->iov[s].iov_base + s_off, n);
		s_off += n;
		d_off += n;
		if (s_off == src->iov[s].iov_len) {
			s_off = 0;
			s++;
		}
		if (d_off == dst->iov[d].iov_len) {
			d_off = 0;
			d++;
		}
	}
}

static bool copy(struct dma_engine *e, struct dma_engine_desc *d, struct side *src,
		 struct side *dst, u64 left)
{
	while (left && !atomic_load(&e->stop)) {
		u64 len = min(chunk_at(src->iova, left), chunk_at(dst->iova, left));
		struct window from, to;

		if (!open_window(e, d, src, len, &from))
			return false;
		if (!open_window(e, d, dst, len, &to)) {
			close_window(e, &from);
			return false;
		}
		copy_pieces(&to, &from);
		close_window(e, &to);
		close_window(e, &from);
		src->iova += len;
		dst->iova += len;
		left -= len;
		dma_engine_count(&e->stat.bytes, len);
	}
	return true;
}

static bool fill(struct dma_engine *e, struct dma_engine_desc *d, struct side *dst, u64 left)
{
	const u8 *pattern = (const u8 *)&d->pattern;
	u64 done = 0;

	while (left && !atomic_load(&e->stop)) {
		u64 len = chunk_at(dst->iova, left);
		struct window to;

		if (!open_window(e, d, dst, len, &to))
			return false;
		for (unsigned int i = 0; i < to.nr; i++) {
			for (size_t j = 0; j < to.iov[i].iov_len; j++)
				((u8 *)to.iov[i].iov_base)[j] = pattern[done++ % 8];
		}
		close_window(e, &to);
		dst->iova += len;
		left -= len;
		dma_engine_count(&e->stat.bytes, len);
	}
	return true;
}

/* The 64-bit hash of Fowler, Noll and Vo, variant 1a. */
static bool checksum(struct dma_engine *e, struct dma_engine_desc *d, struct side *src, u64 left)
{
	u64 hash = 0xcbf29ce484222325;

	while (left && !atomic_load(&e->stop)) {
		u64 len = chunk_at(src->iova, left);
		struct window from;

		if (!open_window(e, d, src, len, &from))
			return false;
		for (unsigned int i = 0; i < from.nr; i++) {
			for (size_t j = 0; j < from.iov[i].iov_len; j++) {
				hash ^= ((const u8 *)from.iov[i].iov_base)[j];
				hash *= 0x100000001b3;
			}
		}
		close_window(e, &from);
		src->iova += len;
		left -= len;
		dma_engine_count(&e->stat.bytes, len);
	}
	d->result = htole64(hash);
	return true;
}

/* False: the field has bits that mean nothing, or that the driver has not enabled. */
static bool decode_side(const struct dma_engine *e, u32 field, u64 iova, u32 dir, u32 status,
			struct side *side)
{
	u32 pasid;

	if (!dma_engine_decode_pasid(e, field, &pasid, &dir))
		return false;
	*side = (struct side){.iova = iova, .pasid = pasid, .dir = dir, .fault_status = status};
	return true;
}

static bool wraps(u64 iova, u64 len)
{
	return iova + (len - 1) < iova;
}

bool dma_engine_execute(struct dma_engine *e, struct dma_engine_desc *d)
{
	u64 len = le32toh(d->len);
	struct side src, dst;
	bool needs_src = d->op == DMA_ENGINE_OP_COPY || d->op == DMA_ENGINE_OP_CHECKSUM;
	bool needs_dst = d->op == DMA_ENGINE_OP_COPY || d->op == DMA_ENGINE_OP_FILL;
	bool ok = true;

	d->status = htole32(DMA_ENGINE_STATUS_INVALID);
	d->fault = 0;
	d->fault_address = 0;
	d->result = 0;
	if (d->op > DMA_ENGINE_OP_CHECKSUM || (d->flags & ~DMA_ENGINE_FLAG_INT) || d->reserved)
		return true;
	if ((needs_src || needs_dst) != !!len)
		return true;
	if (needs_src && (!decode_side(e, le32toh(d->src_pasid), le64toh(d->src), DMA_READ,
				       DMA_ENGINE_STATUS_SRC_FAULT, &src) ||
			  wraps(src.iova, len)))
		return true;
	if (needs_dst && (!decode_side(e, le32toh(d->dst_pasid), le64toh(d->dst), DMA_WRITE,
				       DMA_ENGINE_STATUS_DST_FAULT, &dst) ||
			  wraps(dst.iova, len)))
		return true;
	if (d->op == DMA_ENGINE_OP_COPY)
		ok = copy(e, d, &src, &dst, len);
	else if (d->op == DMA_ENGINE_OP_FILL)
		ok = fill(e, d, &dst, len);
	else if (d->op == DMA_ENGINE_OP_CHECKSUM)
		ok = checksum(e, d, &src, len);
	if (atomic_load(&e->stop))
		return false;
	if (ok)
		d->status = htole32(DMA_ENGINE_STATUS_OK);
	else
		dma_engine_count(&e->stat.faults, 1);
	return true;
}
