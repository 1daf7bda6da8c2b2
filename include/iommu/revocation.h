/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is left to do when a translation has been taken away: accesses may be open that began
 * before, and whoever asked for the change gets an answer when they have ended.
 *
 * A revocation is begun with iommu->lock, and takes no lock of the IOMMU afterwards, so that no
 * other change waits for it. It belongs to its owner, who looks whether it is over, one thread at a
 * time, until it is, or calls it off. Endpoints and their channels stay meanwhile.
 */
#ifndef LKVM_IOMMU_REVOCATION_H
#define LKVM_IOMMU_REVOCATION_H

#include "iommu/dma.h"
#include "iommu/iommu.h"

struct iommu_revocation {
	struct iommu *iommu;
	struct iommu_scope scope; /* once an endpoint is concerned */
	u64 endpoints[IOMMU_MAX_ENDPOINTS / 64]; /* that are still to be looked at, by index */
	struct iommu_endpoint *ep; /* that is being looked at; NULL: none yet */
	struct dma_chan *chan; /* of it */
	struct dma_chan_pos pos; /* in that channel */
};

/* One of nothing, which is over. What else is in it has no meaning then. */
static inline void iommu_revocation_init(struct iommu_revocation *rev, struct iommu *iommu)
{
	rev->iommu = iommu;
	for (unsigned int i = 0; i < ARRAY_SIZE(rev->endpoints); i++)
		rev->endpoints[i] = 0;
	rev->ep = NULL;
}

/*
 * Whether no access is open any more that relies on what was taken away; each access that began
 * before has ended then, and all that it did is visible. Does not wait. Once true, it stays so.
 */
bool iommu_revocation_over(struct iommu_revocation *rev);

/* Waits until it is. With iommu->lock or without. */
void iommu_revocation_wait(struct iommu_revocation *rev);

/* Nobody needs to know any more. */
void iommu_revocation_cancel(struct iommu_revocation *rev);

/*
 * For who waits for one of several revocations, and for other things: iommu_sleep() returns if an
 * access that one waited for has ended or somebody called iommu_wake() since iommu_wakes() returned
 * @seen, and maybe earlier. So what is waited for is looked at in between.
 */
u32 iommu_wakes(const struct iommu *iommu);
void iommu_sleep(struct iommu *iommu, u32 seen);
void iommu_wake(struct iommu *iommu);

#endif /* LKVM_IOMMU_REVOCATION_H */
