// SPDX-License-Identifier: GPL-2.0-only
/* What one descriptor makes the DMA engine do. */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "dma-engine-internal.h"
#include "util/counter.h"

/*
 * So much is accessed at a time: short enough for who waits for the engine to stop, or for a
 * translation to be out of use.
 */
#define CHUNK	   (64 * KiB)
#define MAX_PIECES (CHUNK / (4 * KiB) + 1)

/* One side of a transfer. */
struct side {
	u64 iova;
	u32 field; /* of the descriptor, which the PASID is from */
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

/* Bytes of @pattern, which begins at byte @at of it. */
static void fill_pieces(const struct window *dst, const void *pattern, u64 at)
{
	for (unsigned int i = 0; i < dst->nr; i++) {
		for (size_t j = 0; j < dst->iov[i].iov_len; j++)
			((u8 *)dst->iov[i].iov_base)[j] = ((const u8 *)pattern)[at++ % 8];
	}
}

/* The 64-bit hash of Fowler, Noll and Vo, variant 1a. */
#define HASH_START 0xcbf29ce484222325

static u64 hash_pieces(const struct window *src, u64 hash)
{
	for (unsigned int i = 0; i < src->nr; i++) {
		for (size_t j = 0; j < src->iov[i].iov_len; j++) {
			hash ^= ((const u8 *)src->iov[i].iov_base)[j];
			hash *= 0x100000001b3;
		}
	}
	return hash;
}

/* What the driver let the engine do when the descriptor began, it may have forbidden. */
static bool is_allowed(const struct dma_engine *e, const struct side *side)
{
	u32 dir, pasid;

	if (!side)
		return true;
	dir = side->dir;
	return pci_is_master(&e->pci) && dma_engine_decode_pasid(e, side->field, &pasid, &dir);
}

/* @done bytes come before these. */
static bool transfer_piece(struct dma_engine *e, struct dma_engine_desc *d, const struct side *src,
			   const struct side *dst, u64 len, u64 done, u64 *hash)
{
	struct window from, to;

	if (!is_allowed(e, src) || !is_allowed(e, dst))
		return false;
	if (src && !open_window(e, d, src, len, &from))
		return false;
	if (dst && !open_window(e, d, dst, len, &to)) {
		if (src)
			close_window(e, &from);
		return false;
	}
	if (src && dst)
		copy_pieces(&to, &from);
	else if (dst)
		fill_pieces(&to, &d->pattern, done);
	else if (src)
		*hash = hash_pieces(&from, *hash);
	if (dst)
		close_window(e, &to);
	if (src)
		close_window(e, &from);
	return true;
}

/* A copy has both sides, a FILL has no source and a CHECKSUM no destination: NULL. */
static bool transfer(struct dma_engine *e, struct dma_engine_desc *d, struct side *src,
		     struct side *dst, u64 total)
{
	u64 done = 0, hash = HASH_START;

	while (done < total && !atomic_load(&e->stop)) {
		u64 len = total - done;
		bool ok;

		if (src)
			len = chunk_at(src->iova, len);
		if (dst)
			len = chunk_at(dst->iova, len);
		dma_engine_begin_piece(e);
		ok = transfer_piece(e, d, src, dst, len, done, &hash);
		dma_engine_end_piece(e);
		if (!ok)
			return false;
		if (src)
			src->iova += len;
		if (dst)
			dst->iova += len;
		done += len;
		counter_add(&e->stat.bytes, len);
	}
	if (!dst)
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
	*side = (struct side){
		.iova = iova,
		.field = field,
		.pasid = pasid,
		.dir = dir,
		.fault_status = status,
	};
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
	if (len)
		ok = transfer(e, d, needs_src ? &src : NULL, needs_dst ? &dst : NULL, len);
	if (atomic_load(&e->stop))
		return false;
	if (ok)
		d->status = htole32(DMA_ENGINE_STATUS_OK);
	else if (d->status != htole32(DMA_ENGINE_STATUS_INVALID))
		counter_add(&e->stat.faults, 1);
	return true;
}
