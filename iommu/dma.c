// SPDX-License-Identifier: GPL-2.0-only
/*
 * How an access and a revocation meet: the access first publishes its range (slot
 * seq odd), then reads the endpoint's generation and translation. The revocation
 * first takes the translation away and raises the generation, then looks at the
 * slots. All four are sequentially consistent, so either the access sees the new
 * state, or the revocation sees the access and waits for its end.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "iommu/dma.h"
#include "iommu/iommu.h"
#include "iommu/revocation.h"
#include "util/counter.h"

#define TLB_SHIFT 12

int dma_chan_init(struct dma_chan *chan, const struct guest_mem *mem, struct iommu_endpoint *ep,
		  unsigned int max_open)
{
	memset(chan, 0, sizeof(*chan));
	list_init(&chan->node);
	chan->mem = mem;
	chan->ep = ep;
	if (!ep)
		return 0;

	chan->slots = calloc(max_open, sizeof(*chan->slots));
	chan->free_slots = calloc(max_open, sizeof(*chan->free_slots));
	if (!chan->slots || !chan->free_slots) {
		free(chan->slots);
		free(chan->free_slots);
		return -ENOMEM;
	}
	chan->nr_slots = max_open;
	/* Low slots on top of the stack: a revocation looks at few. */
	while (chan->nr_free < max_open) {
		chan->free_slots[chan->nr_free] = max_open - 1 - chan->nr_free;
		chan->nr_free++;
	}

	pthread_mutex_lock(&ep->chans_lock);
	list_add_tail(&chan->node, &ep->chans);
	pthread_mutex_unlock(&ep->chans_lock);
	return 0;
}

void dma_chan_destroy(struct dma_chan *chan)
{
	if (!chan->ep)
		return;
	pthread_mutex_lock(&chan->ep->chans_lock);
	list_del(&chan->node);
	pthread_mutex_unlock(&chan->ep->chans_lock);
	free(chan->slots);
	free(chan->free_slots);
	chan->ep = NULL;
}

static int slot_open(struct dma_chan *chan, u32 pasid, u64 start, u64 last, dma_handle_t *handle)
{
	struct dma_slot *slot;
	u16 n;

	if (!chan->nr_free)
		return -EBUSY;
	n = chan->free_slots[--chan->nr_free];
	if (n >= atomic_load_explicit(&chan->top, memory_order_relaxed))
		atomic_store(&chan->top, n + 1U);
	slot = &chan->slots[n];
	/* Release: who reads these knows that the slot's access before is over. */
	atomic_store_explicit(&slot->pasid, pasid, memory_order_release);
	atomic_store_explicit(&slot->start, start, memory_order_release);
	atomic_store_explicit(&slot->last, last, memory_order_release);
	atomic_store(&slot->seq, atomic_load_explicit(&slot->seq, memory_order_relaxed) + 1);
	*handle = n;
	return 0;
}

static void slot_close(struct dma_chan *chan, dma_handle_t n)
{
	struct dma_slot *slot = &chan->slots[n];

	atomic_store(&slot->seq, atomic_load_explicit(&slot->seq, memory_order_relaxed) + 1);
	if (atomic_load(&chan->waiting))
		iommu_wake(chan->ep->iommu);
	chan->free_slots[chan->nr_free++] = n;
}

/*
 * Whether an access is open in the slot that @scope concerns. If the one of *@seq ended meanwhile
 * this may be the range or the PASID of the next one. That began after the change: nothing to wait
 * for either way.
 */
static bool slot_concerned(struct dma_slot *slot, const struct iommu_scope *scope, u32 *seq)
{
	*seq = atomic_load(&slot->seq);
	return *seq & 1 &&
	       iommu_ranges_meet(atomic_load_explicit(&slot->start, memory_order_acquire),
				 atomic_load_explicit(&slot->last, memory_order_acquire),
				 scope->start, scope->last, scope->top_ignored) &&
	       iommu_scope_has_access(scope,
				      atomic_load_explicit(&slot->pasid, memory_order_acquire));
}

bool dma_chan_over(struct dma_chan *chan, const struct iommu_scope *scope, struct dma_chan_pos *pos)
{
	u32 top = atomic_load(&chan->top);

	if (pos->waits) {
		if (atomic_load(&chan->slots[pos->slot].seq) == pos->seq)
			return false;
		dma_chan_leave(chan, pos);
		pos->slot++;
	}
	for (; pos->slot < top; pos->slot++) {
		struct dma_slot *slot = &chan->slots[pos->slot];

		if (!slot_concerned(slot, scope, &pos->seq))
			continue;
		atomic_fetch_add(&chan->waiting, 1);
		pos->waits = true;
		/* Who ends it sees that somebody waits, or has ended it by now. */
		if (atomic_load(&slot->seq) == pos->seq)
			return false;
		dma_chan_leave(chan, pos);
	}
	*pos = (struct dma_chan_pos){0};
	return true;
}

void dma_chan_leave(struct dma_chan *chan, struct dma_chan_pos *pos)
{
	atomic_fetch_sub(&chan->waiting, 1);
	pos->waits = false;
}

/* An access ends in chan->fault, which is the endpoint's fault. Always -EFAULT. */
static int fail(struct dma_chan *chan, u32 pasid, u64 iova, u32 dir)
{
	struct iommu *iommu = chan->ep->iommu;

	chan->fault.dir = dir & ~DMA_PRIV;
	chan->fault.endpoint = chan->ep->id;
	chan->fault.pasid = pasid;
	chan->fault.iova = iova;
	atomic_fetch_add(&chan->ep->faults, 1);
	if (iommu->report)
		iommu->report(iommu->report_opaque, &chan->fault);
	return -EFAULT;
}

static int fail_because(struct dma_chan *chan, u32 pasid, u64 iova, u32 dir,
			enum iommu_fault_reason reason, const char *why)
{
	chan->fault = (struct iommu_fault){.reason = reason, .why = why};
	return fail(chan, pasid, iova, dir);
}

/* Where an access goes, if it is one that is permitted; else it has failed. */
static int translate(struct dma_chan *chan, u32 pasid, u64 iova, u32 dir, struct iommu_run *run)
{
	if (iommu_translate(chan->ep, chan->mem, pasid, iova, dir, run, &chan->fault))
		return fail(chan, pasid, iova, dir);
	if (dir & ~run->dir & ~DMA_PRIV)
		return fail_because(chan, pasid, iova, dir, IOMMU_FAULT_MAPPING, "not permitted");
	return 0;
}

static struct dma_tlb_entry *tlb_entry(struct dma_chan *chan, u32 pasid, u64 iova)
{
	return &chan->tlb[((iova >> TLB_SHIFT) + pasid) % DMA_TLB_ENTRIES];
}

/* Whether the entry holds for an access now; it is known to hold at @gen then. */
static bool tlb_valid(const struct dma_chan *chan, struct dma_tlb_entry *e, u64 gen, u32 pasid,
		      u64 iova, u32 dir)
{
	struct iommu_cached *c = &e->cached;

	if (iova < c->start || iova > c->last || c->pasid != pasid || (e->flags & dir) != dir ||
	    (e->flags ^ dir) & DMA_PRIV)
		return false;
	if (c->gen == gen)
		return true;
	if (!iommu_unchanged(chan->ep, c, gen))
		return false;
	c->gen = gen;
	return true;
}

/* What was looked up at @gen, as far as it is in one bank; or the access has failed. */
static int tlb_fill(struct dma_chan *chan, struct dma_tlb_entry *e, u64 gen, u32 pasid, u64 iova,
		    u32 dir)
{
	u64 before, behind;
	struct iommu_run run;
	u8 *hva;

	if (translate(chan, pasid, iova, dir, &run))
		return -EFAULT;
	hva = guest_mem_around(chan->mem, run.gpa + (iova - run.start), &before, &behind);
	if (!hva)
		return fail_because(chan, pasid, iova, dir, IOMMU_FAULT_UNKNOWN, "not memory");
	before = min(before, iova - run.start);
	behind = min(behind, run.last - iova);
	*e = (struct dma_tlb_entry){
		.cached =
			{
				.gen = gen,
				.start = iova - before,
				.last = iova + behind,
				.pasid = pasid,
				.table_pasid = run.table_pasid,
				.id = run.id,
				.global = run.global,
				.top_ignored = run.top_ignored,
			},
		.hva = hva - before,
		.flags = run.dir | (dir & DMA_PRIV),
	};
	return 0;
}

/* What the endpoint may reach at @iova, from the cache or by a lookup. NULL: it has failed. */
static inline const struct dma_tlb_entry *tlb_get(struct dma_chan *chan, u32 pasid, u64 iova,
						  u32 dir)
{
	struct dma_tlb_entry *e = tlb_entry(chan, pasid, iova);
	u64 gen = atomic_load(&chan->ep->gen);

	if (tlb_valid(chan, e, gen, pasid, iova, dir)) {
		counter_add(&chan->tlb_hits, 1);
		return e;
	}
	counter_add(&chan->tlb_misses, 1);
	return tlb_fill(chan, e, gen, pasid, iova, dir) ? NULL : e;
}

static int map_direct(struct dma_chan *chan, u64 gpa, u64 len, struct iovec *iov, unsigned int max)
{
	unsigned int n = 0;

	while (len) {
		u64 run;
		void *hva = guest_mem_run(chan->mem, gpa, len, &run);

		if (!hva)
			return -EFAULT;
		if (n == max)
			return -E2BIG;
		iov[n++] = (struct iovec){.iov_base = hva, .iov_len = run};
		gpa += run;
		len -= run;
	}
	return n;
}

/* The pieces of an access that is not in one, with @first as what holds its beginning. */
static int map_pieces(struct dma_chan *chan, const struct dma_tlb_entry *first, u32 pasid, u64 iova,
		      u64 len, u32 dir, struct iovec *iov, unsigned int max)
{
	const struct dma_tlb_entry *e = first;
	unsigned int n = 0;

	for (;;) {
		u8 *hva = e->hva + (iova - e->cached.start);
		u64 run = min(len - 1, e->cached.last - iova) + 1;

		if (n && (u8 *)iov[n - 1].iov_base + iov[n - 1].iov_len == hva) {
			iov[n - 1].iov_len += run;
		} else {
			if (n == max)
				return -E2BIG;
			iov[n++] = (struct iovec){.iov_base = hva, .iov_len = run};
		}
		if (run == len)
			return n;
		iova += run;
		len -= run;
		e = tlb_get(chan, pasid, iova, dir);
		if (!e)
			return -EFAULT;
	}
}

int dma_map(struct dma_chan *chan, u32 pasid, u64 iova, u64 len, u32 dir, struct iovec *iov,
	    unsigned int max, dma_handle_t *handle)
{
	const struct dma_tlb_entry *e;
	u64 last = iova + (len - 1);
	int ret;

	if (!len || last < iova)
		return -EINVAL;
	if (!chan->ep) {
		*handle = 0;
		return map_direct(chan, iova, len, iov, max);
	}

	ret = slot_open(chan, pasid, iova, last, handle);
	if (ret)
		return ret;
	e = tlb_get(chan, pasid, iova, dir);
	if (e && last <= e->cached.last && max) {
		*iov = (struct iovec){e->hva + (iova - e->cached.start), len};
		return 1;
	}
	ret = e ? map_pieces(chan, e, pasid, iova, len, dir, iov, max) : -EFAULT;
	if (ret < 0)
		slot_close(chan, *handle);
	return ret;
}

void dma_unmap(struct dma_chan *chan, dma_handle_t handle)
{
	if (chan->ep)
		slot_close(chan, handle);
}

/* The pieces of a mapping that are not contiguous in host memory are at least this long. */
#define MIN_PIECE   (4 * KiB)
#define COPY_PIECES 16

/* Copies in rounds, so that any number of pieces fits a fixed array. */
static int copy(struct dma_chan *chan, u64 iova, u8 *buf, u64 len, u32 dir)
{
	while (len) {
		u64 part = min(len, COPY_PIECES * MIN_PIECE - (iova & (MIN_PIECE - 1)));
		struct iovec iov[COPY_PIECES];
		dma_handle_t handle;
		int n = dma_map(chan, DMA_NO_PASID, iova, part, dir, iov, ARRAY_SIZE(iov), &handle);

		if (n < 0)
			return n;
		for (int i = 0; i < n; i++) {
			if (dir == DMA_READ)
				memcpy(buf, iov[i].iov_base, iov[i].iov_len);
			else
				memcpy(iov[i].iov_base, buf, iov[i].iov_len);
			buf += iov[i].iov_len;
		}
		dma_unmap(chan, handle);
		iova += part;
		len -= part;
	}
	return 0;
}

int dma_read(struct dma_chan *chan, u64 iova, void *buf, u64 len)
{
	return copy(chan, iova, buf, len, DMA_READ);
}

int dma_write(struct dma_chan *chan, u64 iova, const void *buf, u64 len)
{
	return copy(chan, iova, (u8 *)(uintptr_t)buf, len, DMA_WRITE);
}

/*
 * Loads a word to @val, or stores it. As it is aligned it never crosses a page, so it is
 * in one piece.
 */
static int word(struct dma_chan *chan, u64 iova, void *val, u32 size, u32 dir)
{
	struct iovec iov;
	dma_handle_t h;
	int ret;

	if (!is_aligned(iova, size))
		return -EINVAL;
	ret = dma_map(chan, DMA_NO_PASID, iova, size, dir, &iov, 1, &h);
	if (ret < 0)
		return ret;
	if (dir == DMA_READ && size == sizeof(u16))
		*(u16 *)val = __atomic_load_n((u16 *)iov.iov_base, __ATOMIC_ACQUIRE);
	else if (dir == DMA_READ)
		*(u32 *)val = __atomic_load_n((u32 *)iov.iov_base, __ATOMIC_ACQUIRE);
	else if (size == sizeof(u16))
		__atomic_store_n((u16 *)iov.iov_base, *(u16 *)val, __ATOMIC_RELEASE);
	else
		__atomic_store_n((u32 *)iov.iov_base, *(u32 *)val, __ATOMIC_RELEASE);
	dma_unmap(chan, h);
	return 0;
}

int dma_load16(struct dma_chan *chan, u64 iova, u16 *val)
{
	return word(chan, iova, val, sizeof(*val), DMA_READ);
}

int dma_load32(struct dma_chan *chan, u64 iova, u32 *val)
{
	return word(chan, iova, val, sizeof(*val), DMA_READ);
}

int dma_store16(struct dma_chan *chan, u64 iova, u16 val)
{
	return word(chan, iova, &val, sizeof(val), DMA_WRITE);
}

int dma_store32(struct dma_chan *chan, u64 iova, u32 val)
{
	return word(chan, iova, &val, sizeof(val), DMA_WRITE);
}

/* Where the word goes: to the doorbell or to memory; or not at all. */
static bool post(struct dma_chan *chan, u64 gpa, u32 val, dma_doorbell *doorbell, void *opaque)
{
	u32 *hva;

	if (doorbell(opaque, gpa, val))
		return true;
	hva = guest_mem_ptr(chan->mem, gpa, sizeof(val));
	if (hva)
		__atomic_store_n(hva, htole32(val), __ATOMIC_RELEASE);
	return hva;
}

int dma_post32(struct dma_chan *chan, u64 iova, u32 val, dma_doorbell *doorbell, void *opaque)
{
	struct iommu_run run;
	dma_handle_t handle;
	int ret;

	if (!is_aligned(iova, sizeof(val)))
		return -EINVAL;
	if (!chan->ep)
		return post(chan, iova, val, doorbell, opaque) ? 0 : -EFAULT;

	ret = slot_open(chan, DMA_NO_PASID, iova, iova + sizeof(val) - 1, &handle);
	if (ret)
		return ret;
	ret = translate(chan, DMA_NO_PASID, iova, DMA_WRITE, &run);
	if (!ret && !post(chan, run.gpa + (iova - run.start), val, doorbell, opaque))
		ret = fail_because(chan, DMA_NO_PASID, iova, DMA_WRITE, IOMMU_FAULT_UNKNOWN,
				   "not memory");
	slot_close(chan, handle);
	return ret;
}
