/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How devices reach guest memory. dma_map() turns an I/O virtual address (IOVA)
 * of an endpoint into host memory and opens an access; dma_unmap() ends it. While
 * an access is open its range is published, and whoever revokes a translation
 * (UNMAP, DETACH, a reset) waits for the accesses that it concerns: once that
 * request is answered none of them is running.
 *
 * A channel belongs to one queue of a device and is used by one thread at a time.
 * It caches translations; a cache hit takes no lock.
 */
#ifndef LKVM_IOMMU_DMA_H
#define LKVM_IOMMU_DMA_H

#include <stdatomic.h>
#include <sys/uio.h>

#include "iommu/iommu.h"
#include "util/list.h"
#include "util/types.h"
#include "vm/memory.h"

/* What the device does to memory: DMA_READ reads guest memory. */
#define DMA_READ  BIT(0)
#define DMA_WRITE BIT(1)
#define DMA_EXEC  BIT(2) /* a read of what is to be executed; with DMA_READ */
#define DMA_PRIV  BIT(3) /* with the device's own privilege */

/* An access without a PASID. */
#define DMA_NO_PASID (~0U)

#define DMA_TLB_ENTRIES 64

/* A published access. @seq is odd while the access is open. */
struct dma_slot {
	_Atomic u32 seq;
	_Atomic u32 pasid;
	_Atomic u64 start; /* IOVA */
	_Atomic u64 last;
};

struct dma_tlb_entry {
	struct iommu_cached cached; /* its generation is the last one that it was seen to hold at */
	u8 *hva; /* of its start */
	u32 flags; /* DMA_* that are allowed; 0: none. DMA_PRIV: for those accesses only */
};

struct dma_chan {
	const struct guest_mem *mem;
	struct iommu_endpoint *ep; /* NULL: an IOVA is a GPA, and no tracking */
	struct list_head node; /* in ep->chans, guarded by ep->chans_lock */

	struct dma_slot *slots;
	unsigned int nr_slots;
	_Atomic u32 top; /* slots from here on were never used */
	_Atomic u32 waiting; /* revocations that wait for an access to end */
	u16 *free_slots; /* a stack of the free ones */
	unsigned int nr_free;

	struct dma_tlb_entry tlb[DMA_TLB_ENTRIES];
	struct iommu_fault fault; /* of the last access that failed */
	_Atomic u64 tlb_hits, tlb_misses; /* written by who uses the channel, read by anybody */
};

/* An open access: what dma_map() returned, for dma_unmap(). */
typedef u16 dma_handle_t;

/*
 * @max_open is how many accesses the channel may have open at a time. The channel
 * registers with @ep (may be NULL) until dma_chan_destroy(). -ENOMEM.
 */
int dma_chan_init(struct dma_chan *chan, const struct guest_mem *mem, struct iommu_endpoint *ep,
		  unsigned int max_open);

/* While no revocation is on its way that concerns the endpoint. */
void dma_chan_destroy(struct dma_chan *chan);

/*
 * Opens an access to [iova, iova + len) and fills @iov with the host memory behind
 * it, in order, at most @max entries. Returns how many were filled, or
 * -EFAULT: not translated, not permitted or not RAM; reported as a fault of the
 *          endpoint unless that lies outside any IOMMU;
 * -E2BIG:  more than @max pieces;
 * -EBUSY:  max_open accesses are open already;
 * -EINVAL: len is 0, or the range wraps.
 * @dir is DMA_READ, DMA_WRITE or both, with DMA_EXEC or DMA_PRIV where the device has such
 * accesses. On an error nothing stays open; after -EFAULT of an endpoint chan->fault says why.
 */
int dma_map(struct dma_chan *chan, u32 pasid, u64 iova, u64 len, u32 dir, struct iovec *iov,
	    unsigned int max, dma_handle_t *handle);
void dma_unmap(struct dma_chan *chan, dma_handle_t handle);

/*
 * Copies with an access of their own. 0 or an error of dma_map(); after an error a
 * part may have been copied.
 */
int dma_read(struct dma_chan *chan, u64 iova, void *buf, u64 len);
int dma_write(struct dma_chan *chan, u64 iova, const void *buf, u64 len);

/*
 * One little-endian access of the whole word, at an aligned address, ordered as an
 * acquire (load) or a release (store). -EFAULT; -EINVAL if not aligned.
 */
int dma_load16(struct dma_chan *chan, u64 iova, u16 *val);
int dma_load32(struct dma_chan *chan, u64 iova, u32 *val);
int dma_store16(struct dma_chan *chan, u64 iova, u16 val);
int dma_store32(struct dma_chan *chan, u64 iova, u32 val);

/*
 * Takes a write that need not go to memory, with the GPA that it goes to; false if nobody is
 * there. The access is open meanwhile.
 */
typedef bool dma_doorbell(void *opaque, u64 gpa, u32 val);

/*
 * As dma_store32(), but of a number, which becomes little-endian, and @doorbell is asked first.
 * What neither it nor memory takes is a fault.
 */
int dma_post32(struct dma_chan *chan, u64 iova, u32 val, dma_doorbell *doorbell, void *opaque);

/* How far a revocation has come in a channel; all 0: it begins. */
struct dma_chan_pos {
	u32 slot; /* those before it hold nothing up */
	u32 seq; /* of the access in @slot that is waited for */
	bool waits; /* there is one */
};

/*
 * Goes on from @pos. True, with @pos at its beginning again: no access of @chan is open that
 * @scope concerns, whatever its ID, and that was opened before the first call. False: one is, and
 * when it ends iommu_wake() is called. Called after the translation is gone and the endpoint's
 * generation was raised.
 */
bool dma_chan_over(struct dma_chan *chan, const struct iommu_scope *scope,
		   struct dma_chan_pos *pos);

/* After a false: nobody waits there any more. */
void dma_chan_leave(struct dma_chan *chan, struct dma_chan_pos *pos);

#endif /* LKVM_IOMMU_DMA_H */
