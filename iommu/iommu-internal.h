/* SPDX-License-Identifier: GPL-2.0-only */
/* What iommu.c, tables.c and revocation.c share. All of it with iommu->lock. */
#ifndef LKVM_IOMMU_INTERNAL_H
#define LKVM_IOMMU_INTERNAL_H

#include "iommu/iommu.h"

/* Everything that can be translated. */
extern const struct iommu_scope iommu_scope_all;

enum domain_kind {
	DOMAIN_MAPPINGS,
	DOMAIN_BYPASS,
	DOMAIN_TABLES,
};

struct iommu_domain *iommu_find_domain(struct iommu *iommu, u32 id);

/* Whether the guest may have a domain of that ID. */
bool iommu_domain_in_range(const struct iommu *iommu, u32 id);

/* @format: of a domain with tables. NULL when out of memory. */
struct iommu_domain *iommu_domain_new(struct iommu *iommu, u32 id, enum domain_kind kind,
				      const struct iommu_format *format);

/* Nobody translates through it any more. */
void iommu_domain_free(struct iommu *iommu, struct iommu_domain *domain);

/*
 * Takes what the revocation's scope names from what @ep has cached, or all endpoints of @domain;
 * the translation is gone already.
 */
void iommu_revoke_begin(struct iommu_revocation *rev, struct iommu_endpoint *ep);
void iommu_revoke_domain_begin(struct iommu_revocation *rev, struct iommu_domain *domain);

/*
 * The same at once: after this no access of @ep relies on what @scope has taken away before. What
 * others ask of the IOMMU waits as well, so this is for changes of who is attached to what.
 */
void iommu_revoke(struct iommu_endpoint *ep, const struct iommu_scope *scope);

/*
 * Moves @ep to @domain, or to none (NULL), with @base as its table (NULL: none), which it owns
 * from then on. The domain that it leaves dies with its last endpoint. @ep may be there already.
 */
void iommu_move(struct iommu_endpoint *ep, struct iommu_domain *domain, struct iommu_table *base);

#endif /* LKVM_IOMMU_INTERNAL_H */
