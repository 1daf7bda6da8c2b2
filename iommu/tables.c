// SPDX-License-Identifier: GPL-2.0-only
/*
 * Domains whose translations are page tables of the guest. The table for the whole endpoint
 * belongs to the endpoint, as each device has its own entry in the tables of real IOMMUs; tables
 * of PASIDs that the device keeps belong to the domain.
 */
#include <errno.h>
#include <stdlib.h>

#include "iommu-internal.h"
#include "iommu/dma.h"
#include "iommu/format.h"
#include "iommu/pasid-tables.h"
#include "iommu/revocation.h"

void iommu_set_format(struct iommu_endpoint *ep, const struct iommu_format *format,
		      const struct iommu_limits *limits)
{
	ep->format = format;
	ep->limits = *limits;
}

/* A domain with tables of @ep's format; NULL in @out if there is none of that ID yet. */
static int find_tables_domain(struct iommu *iommu, u32 id, const struct iommu_format *format,
			      struct iommu_domain **out)
{
	*out = iommu_find_domain(iommu, id);
	if (!iommu_domain_in_range(iommu, id))
		return -ERANGE;
	return *out && (*out)->format != format ? -EINVAL : 0;
}

static int check_room(const struct iommu *iommu)
{
	return iommu->nr_tables < iommu->config.max_mappings ? 0 : -ENOMEM;
}

static int attach_base(struct iommu *iommu, struct iommu_endpoint *ep, struct iommu_domain *domain,
		       u32 domain_id, struct iommu_table *table)
{
	int ret = atomic_load(&ep->base) ? 0 : check_room(iommu);

	if (ret)
		return ret;
	if (!domain) {
		domain = iommu_domain_new(iommu, domain_id, DOMAIN_TABLES, ep->format);
		if (!domain)
			return -ENOMEM;
	}
	iommu_move(ep, domain, table);
	return 0;
}

/* Puts @table, which may be NULL, in the place of what the domain has for @pasid. */
static void replace_pasid(struct iommu *iommu, struct iommu_domain *domain, u32 pasid,
			  struct iommu_table *table)
{
	const struct iommu_scope scope = {
		.last = UINT64_MAX,
		.pasid = pasid,
		.id = IOMMU_NO_ID,
	};
	struct iommu_table *old = pasid_tables_set(domain->pasids, pasid, table);
	struct iommu_endpoint *ep;

	iommu->nr_tables += !!table - !!old;
	if (!old)
		return;
	list_for_each_entry (ep, &domain->endpoints, peer)
		iommu_revoke(ep, &scope);
	free(old);
}

static int attach_pasid(struct iommu *iommu, struct iommu_endpoint *ep, struct iommu_domain *domain,
			u32 domain_id, struct iommu_table *table)
{
	struct iommu_domain *there = atomic_load(&ep->domain);
	const struct iommu_format *format = ep->format;
	struct iommu_domain *fresh = NULL;
	int ret;

	if (format->needs_base && !domain)
		return -ENOENT;
	if (there && there != domain)
		return -EINVAL;
	if (format->needs_base && !there)
		return -ENOENT;
	if (!domain) {
		fresh = iommu_domain_new(iommu, domain_id, DOMAIN_TABLES, format);
		if (!fresh)
			return -ENOMEM;
		domain = fresh;
	}
	ret = pasid_tables_find(domain->pasids, table->pasid) ? 0 : check_room(iommu);
	if (!ret)
		ret = pasid_tables_reserve(domain->pasids, table->pasid);
	if (ret) {
		if (fresh)
			iommu_domain_free(iommu, fresh);
		return ret;
	}
	replace_pasid(iommu, domain, table->pasid, table);
	if (!there)
		iommu_move(ep, domain, NULL);
	return 0;
}

/* A domain's tables of PASIDs are for any PASID that one of its endpoints may send. */
static struct iommu_endpoint *widest_endpoint(const struct iommu_domain *domain)
{
	struct iommu_endpoint *ep, *widest = NULL;

	list_for_each_entry (ep, &domain->endpoints, peer) {
		if (!widest || ep->limits.pasid_bits > widest->limits.pasid_bits)
			widest = ep;
	}
	return widest;
}

/*
 * The endpoint that a request is for, or, where the format's requests name none, the one of the
 * domain with the most PASIDs: they all have the format.
 */
static int find_endpoint(struct iommu *iommu, u32 domain_id, u32 ep_id, u8 wire_format,
			 struct iommu_endpoint **ep)
{
	struct iommu_domain *domain = iommu_find_domain(iommu, domain_id);
	const struct iommu_format *format = domain ? domain->format : NULL;

	if (format && format->whole_domain && wire_format == format->pasid_format) {
		*ep = widest_endpoint(domain);
		return 0;
	}
	*ep = iommu_find_endpoint(iommu, ep_id);
	return *ep ? 0 : -ENOENT;
}

int iommu_attach_table(struct iommu *iommu, u32 domain_id, u32 ep_id, u8 wire_format,
		       const u8 *desc, u32 *pasid)
{
	struct iommu_table *table = calloc(1, sizeof(*table));
	struct iommu_domain *domain;
	struct iommu_endpoint *ep;
	int ret;

	*pasid = DMA_NO_PASID;
	if (!table)
		return -ENOMEM;
	pthread_mutex_lock(&iommu->lock);
	ret = find_endpoint(iommu, domain_id, ep_id, wire_format, &ep);
	if (ret)
		goto out;
	if (!ep->format || !wire_format ||
	    (wire_format != ep->format->base_format && wire_format != ep->format->pasid_format)) {
		ret = -EOPNOTSUPP;
		goto out;
	}
	ret = ep->format->check(&ep->limits, wire_format, desc, table);
	if (!ret)
		ret = find_tables_domain(iommu, domain_id, ep->format, &domain);
	if (ret)
		goto out;
	*pasid = table->pasid;
	if (table->pasid == DMA_NO_PASID)
		ret = attach_base(iommu, ep, domain, domain_id, table);
	else
		ret = attach_pasid(iommu, ep, domain, domain_id, table);
	if (!ret)
		table = NULL;
out:
	pthread_mutex_unlock(&iommu->lock);
	free(table);
	return ret;
}

int iommu_detach_pasid(struct iommu *iommu, u32 domain_id, u32 ep_id, u32 pasid)
{
	struct iommu_domain *domain;
	struct iommu_endpoint *ep;
	int ret = 0;

	pthread_mutex_lock(&iommu->lock);
	ep = iommu_find_endpoint(iommu, ep_id);
	domain = iommu_find_domain(iommu, domain_id);
	if (!ep)
		ret = -ENOENT;
	else if (!domain || atomic_load(&ep->domain) != domain || !domain->format ||
		 !domain->format->pasid_format)
		ret = -EINVAL;
	else if (pasid >> widest_endpoint(domain)->limits.pasid_bits)
		ret = -ERANGE;
	else if (!pasid_tables_find(domain->pasids, pasid))
		ret = -ENOENT;
	else
		replace_pasid(iommu, domain, pasid, NULL);
	pthread_mutex_unlock(&iommu->lock);
	return ret;
}

static int make_scope(const struct iommu_format *format, const struct iommu_invalidation *inv,
		      struct iommu_scope *scope)
{
	*scope = (struct iommu_scope){
		.last = UINT64_MAX,
		.pasid = IOMMU_EACH_PASID,
		/* What a PASID's entry said before the change is not known: it may be any ID. */
		.id = inv->tables ? IOMMU_NO_ID : inv->id,
		.global = inv->global,
	};
	if (inv->id != IOMMU_NO_ID && inv->id >> format->id_bits)
		return -EINVAL;
	if (inv->scope == IOMMU_INVALIDATE_ADDRESS &&
	    (!inv->nr_pages || inv->page_bits > 63 ||
	     !(format->page_sizes & BIT_ULL(inv->page_bits)) ||
	     !is_aligned(inv->address, BIT_ULL(inv->page_bits))))
		return -EINVAL;
	if (inv->pasid != DMA_NO_PASID && inv->pasid >> PASID_MAX_BITS)
		return -ERANGE;
	if (inv->scope == IOMMU_INVALIDATE_DOMAIN)
		return 0;
	if (inv->scope == IOMMU_INVALIDATE_PASID) {
		scope->pasid = inv->pasid;
		return 0;
	}
	if (inv->pasid != DMA_NO_PASID)
		scope->pasid = inv->pasid;
	if (inv->nr_pages - 1 > (UINT64_MAX - inv->address) >> inv->page_bits)
		return -ERANGE;
	/* Whether the table of an access in flight ignores them is not known. */
	scope->top_ignored = true;
	scope->start = inv->address;
	scope->last = inv->address + ((inv->nr_pages - 1) << inv->page_bits) +
		      (BIT_ULL(inv->page_bits) - 1);
	return 0;
}

int iommu_invalidate_begin(struct iommu *iommu, u32 domain_id, const struct iommu_invalidation *inv,
			   struct iommu_revocation *rev)
{
	struct iommu_domain *domain;
	int ret;

	iommu_revocation_init(rev, iommu);
	pthread_mutex_lock(&iommu->lock);
	domain = iommu_find_domain(iommu, domain_id);
	if (!domain)
		ret = -ENOENT;
	else if (!domain->format)
		ret = -EINVAL;
	else
		ret = make_scope(domain->format, inv, &rev->scope);
	if (!ret)
		iommu_revoke_domain_begin(rev, domain);
	pthread_mutex_unlock(&iommu->lock);
	return ret;
}

int iommu_invalidate(struct iommu *iommu, u32 domain_id, const struct iommu_invalidation *inv)
{
	struct iommu_revocation rev;
	int ret = iommu_invalidate_begin(iommu, domain_id, inv, &rev);

	iommu_revocation_wait(&rev);
	return ret;
}
