/* SPDX-License-Identifier: GPL-2.0-only */
/* Registers and descriptors of the DMA engine, little-endian: docs/dma-engine.md. */
#ifndef LKVM_HW_DMA_ENGINE_REGS_H
#define LKVM_HW_DMA_ENGINE_REGS_H

#include <assert.h>

#include "util/types.h"

#define DMA_ENGINE_BAR_SIZE 4096

#define DMA_ENGINE_MAGIC	0x00 /* "LKDE" */
#define DMA_ENGINE_VERSION	0x04
#define DMA_ENGINE_CAPS		0x08
#define DMA_ENGINE_CONTROL	0x0c
#define DMA_ENGINE_STATUS	0x10
#define DMA_ENGINE_RING_LOG2	0x14
#define DMA_ENGINE_RING_BASE	0x18 /* 64 bits */
#define DMA_ENGINE_RING_PASID	0x20 /* as in a descriptor */
#define DMA_ENGINE_TAIL		0x24
#define DMA_ENGINE_HEAD		0x28
#define DMA_ENGINE_INT_STATUS	0x2c
#define DMA_ENGINE_INT_ENABLE	0x30
#define DMA_ENGINE_HALT_ADDRESS 0x38 /* 64 bits */
#define DMA_ENGINE_REGS_END	0x40

#define DMA_ENGINE_MAGIC_VALUE 0x45444b4c
#define DMA_ENGINE_VERSION_1   1

/* CAPS: log2 of the largest ring, bits of a PASID. */
#define DMA_ENGINE_MAX_RING_LOG2 12

#define DMA_ENGINE_CONTROL_RUN	 BIT(0)
#define DMA_ENGINE_CONTROL_RESET BIT(1)

#define DMA_ENGINE_STATUS_RUNNING BIT(0)
#define DMA_ENGINE_STATUS_HALTED  BIT(1)

/* Interrupts, which are MSI-X vectors, too. */
#define DMA_ENGINE_INT_DONE 0
#define DMA_ENGINE_INT_HALT 1
#define DMA_ENGINE_NR_INTS  2

struct dma_engine_desc {
	u8 op;
	u8 flags;
	u16 reserved;
	u32 src_pasid; /* DMA_ENGINE_PASID_* */
	u32 dst_pasid;
	u32 len; /* bytes */
	u64 src;
	u64 dst;
	u64 pattern; /* FILL */
	/* What the engine writes. */
	u32 status;
	u32 fault;
	u64 fault_address;
	u64 result; /* CHECKSUM */
} __packed;
static_assert(sizeof(struct dma_engine_desc) == 64, "a ring is made of 64-byte descriptors");

enum {
	DMA_ENGINE_OP_NOP = 0,
	DMA_ENGINE_OP_COPY = 1,
	DMA_ENGINE_OP_FILL = 2,
	DMA_ENGINE_OP_CHECKSUM = 3,
};

#define DMA_ENGINE_FLAG_INT BIT(0) /* interrupt when it is done */

#define DMA_ENGINE_PASID_VALID BIT(31)
#define DMA_ENGINE_PASID_PRIV  BIT(30)
#define DMA_ENGINE_PASID_EXEC  BIT(29) /* of what is read only */
#define DMA_ENGINE_PASID_MASK  0xfffffU

enum {
	DMA_ENGINE_STATUS_NONE = 0, /* not done yet */
	DMA_ENGINE_STATUS_OK = 1,
	DMA_ENGINE_STATUS_SRC_FAULT = 2,
	DMA_ENGINE_STATUS_DST_FAULT = 3,
	DMA_ENGINE_STATUS_INVALID = 4,
};

/* fault: the reason as in the virtio-iommu's reports, and DMA_READ, DMA_WRITE, DMA_EXEC. */
#define DMA_ENGINE_FAULT(reason, access) ((reason) | (access) << 8)

#endif /* LKVM_HW_DMA_ENGINE_REGS_H */
