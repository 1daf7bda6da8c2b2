/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the DMA engine share. */
#ifndef LKVM_HW_DMA_ENGINE_INTERNAL_H
#define LKVM_HW_DMA_ENGINE_INTERNAL_H

#include "hw/dma-engine-regs.h"
#include "hw/dma-engine.h"

/*
 * The PASID field of a descriptor or of the ring: @pasid is DMA_NO_PASID if it has none, and
 * @dir gets the attributes. False if it has bits that mean nothing, or attributes that the driver
 * has not enabled in the function's PASID capability.
 */
bool dma_engine_decode_pasid(const struct dma_engine *engine, u32 field, u32 *pasid, u32 *dir);

/*
 * Around what is accessed at a time, its permission checked within: once the driver's write that
 * takes the permission away is over, so is the access. Both take the lock.
 */
void dma_engine_begin_piece(struct dma_engine *engine);
void dma_engine_end_piece(struct dma_engine *engine);

/*
 * Executes @desc and fills in what the engine writes of it. False: it was told to stop, and the
 * descriptor is not done.
 */
bool dma_engine_execute(struct dma_engine *engine, struct dma_engine_desc *desc);

#endif /* LKVM_HW_DMA_ENGINE_INTERNAL_H */
