/* SPDX-License-Identifier: GPL-2.0-only */
/* The DMA engine (docs/dma-engine.md): it copies, fills and checksums memory. */
#ifndef LKVM_GUEST_RT_DMA_ENGINE_H
#define LKVM_GUEST_RT_DMA_ENGINE_H

#include "rt/firmware.h"
#include "util/types.h"

#define DMA_NOP	     0
#define DMA_COPY     1
#define DMA_FILL     2
#define DMA_CHECKSUM 3

#define DMA_INTERRUPT BIT(0)

/* With a PASID of 20 bits; execute only for sources. */
#define DMA_PASID      BIT(31)
#define DMA_PRIVILEGED BIT(30)
#define DMA_EXECUTE    BIT(29)

#define DMA_PASID_BITS 20

#define DMA_PENDING   0
#define DMA_OK	      1
#define DMA_SRC_FAULT 2
#define DMA_DST_FAULT 3
#define DMA_MALFORMED 4

/* Of its status field "fault". */
#define DMA_FAULT_REASON(fault) ((fault) & 0xff)
#define DMA_FAULT_ACCESS(fault) ((fault) >> 8 & 0xff)

struct dma_desc {
	u8 op;
	u8 flags;
	u16 reserved;
	u32 src_pasid;
	u32 dst_pasid;
	u32 len;
	u64 src;
	u64 dst;
	u64 pattern;
	u32 status;
	u32 fault;
	u64 fault_address;
	u64 result;
};

_Static_assert(sizeof(struct dma_desc) == 64, "descriptor");

#define DMA_RING_LOG2 6 /* 64 descriptors: one page */

struct dma_engine {
	struct fw_device at;
	char name[FW_NAME_SIZE];
	u8 *regs;
	struct dma_desc *ring; /* one page */
	u32 tail;
};

/*
 * Takes the function into use, with PASIDs, execute and privilege turned on. False if it is
 * none. It runs only after dma_engine_start().
 */
bool dma_engine_open(struct dma_engine *e, const struct fw_device *at);

/* Has vector @vector (0 done, 1 halted) come in on @line. False: there are no messages. */
bool dma_engine_route(struct dma_engine *e, unsigned int vector, unsigned int line);

/* Runs with the ring at @iova, accessed with @pasid, which is as in a descriptor. */
void dma_engine_start(struct dma_engine *e, u64 iova, u32 pasid);

/* It accesses no memory afterwards. */
void dma_engine_stop(struct dma_engine *e);
void dma_engine_reset(struct dma_engine *e);

/*
 * Puts a copy of @d into the ring and tells the engine. The descriptor, in which the status
 * will be, stays the guest's to look at until the ring has gone round.
 */
struct dma_desc *dma_engine_submit(struct dma_engine *e, const struct dma_desc *d);

/* Both halves of it: so many descriptors can go with one doorbell. */
struct dma_desc *dma_engine_queue(struct dma_engine *e, const struct dma_desc *d);
void dma_engine_tell(struct dma_engine *e);

#define DMA_HALTED  (-1)
#define DMA_TIMEOUT (-2)

/* Waits until all that was submitted is done: 0, DMA_HALTED or DMA_TIMEOUT. */
int dma_engine_wait(struct dma_engine *e);

/* Both, with what became of @d put there: its status, or as of dma_engine_wait(). */
int dma_engine_do(struct dma_engine *e, struct dma_desc *d);

/* Where the ring could not be reached. */
u64 dma_engine_halt_address(struct dma_engine *e);

/* What the engine has told of by interrupts, and tells no more: bit 0 done, bit 1 halted. */
u32 dma_engine_take_int(struct dma_engine *e);

#endif /* LKVM_GUEST_RT_DMA_ENGINE_H */
