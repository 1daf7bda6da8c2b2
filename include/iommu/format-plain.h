/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Accesses without a PASID. PCIe carries privilege and execute along with a PASID: without one an
 * access is a user's, and to execute is to read.
 */
#ifndef LKVM_IOMMU_FORMAT_PLAIN_H
#define LKVM_IOMMU_FORMAT_PLAIN_H

#include "iommu/dma.h"

/* What is asked of the tables. */
static inline u32 plain_request(u32 access)
{
	return (access & DMA_WRITE) | (access & (DMA_READ | DMA_EXEC) ? DMA_READ : 0);
}

/* What may be done if the tables allow a user that. */
static inline u32 plain_result(u32 allowed)
{
	return (allowed & (DMA_READ | DMA_WRITE)) | (allowed & DMA_READ ? DMA_EXEC : 0);
}

#endif /* LKVM_IOMMU_FORMAT_PLAIN_H */
