/* SPDX-License-Identifier: GPL-2.0-only */
/* What the IOMMU holds, for people who write a guest's driver. */
#ifndef LKVM_IOMMU_REPORT_H
#define LKVM_IOMMU_REPORT_H

#include <time.h>

#include "iommu/iommu.h"
#include "util/report.h"

/* Mappings and tables of PASIDs in one report; a domain that has more says where the next is. */
#define IOMMU_REPORT_MAX_MAPPINGS 4096

struct iommu_report_filter {
	bool mappings; /* list them, too */
	bool one_domain;
	u32 domain; /* only this one, if one_domain */
	u64 from; /* mappings that end at or after this IOVA; tables of PASIDs from this one on */
};

/*
 * Endpoints, domains, mappings and tables into an open object of @r. Takes iommu->lock, and waits
 * for it until @deadline (CLOCK_MONOTONIC): -EBUSY, with nothing reported. -ENOENT: there is no
 * such domain.
 */
int iommu_report(struct iommu *iommu, struct report *r, const struct iommu_report_filter *filter,
		 const struct timespec *deadline);

#endif /* LKVM_IOMMU_REPORT_H */
