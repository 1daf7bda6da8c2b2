// SPDX-License-Identifier: GPL-2.0-only
/*
 * Endpoints, domains and the requests on them: virtio 1.3, 5.13.6. Which status a
 * violated rule gets, where the text leaves it open: RANGE for anything about where
 * a range or an ID lies, INVAL for the rest.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "iommu-internal.h"
#include "iommu/dma.h"
#include "iommu/format.h"
#include "iommu/pasid-tables.h"
#include "iommu/revocation.h"

const struct iommu_scope iommu_scope_all = {
	.last = UINT64_MAX,
	.pasid = IOMMU_EACH_PASID,
	.id = IOMMU_NO_ID,
};

int iommu_init(struct iommu *iommu, const struct iommu_config *config)
{
	memset(iommu, 0, sizeof(*iommu));
	iommu->config = *config;
	atomic_store(&iommu->bypass, config->bypass);
	list_init(&iommu->endpoints);
	list_init(&iommu->domains);
	return -pthread_mutex_init(&iommu->lock, NULL);
}

static u64 granule(const struct iommu *iommu)
{
	return iommu->config.page_size_mask & -iommu->config.page_size_mask;
}

int iommu_add_endpoint(struct iommu *iommu, struct iommu_endpoint *ep, u32 id)
{
	int ret = 0;

	memset(ep, 0, sizeof(*ep));
	ep->iommu = iommu;
	ep->id = id;
	list_init(&ep->peer);
	list_init(&ep->chans);
	pthread_mutex_init(&ep->chans_lock, NULL);

	pthread_mutex_lock(&iommu->lock);
	if (iommu_find_endpoint(iommu, id)) {
		ret = -EEXIST;
	} else if (iommu->nr_endpoints == IOMMU_MAX_ENDPOINTS) {
		ret = -ENOSPC;
	} else {
		ep->index = iommu->nr_endpoints++;
		iommu->by_index[ep->index] = ep;
		list_add_tail(&ep->node, &iommu->endpoints);
	}
	pthread_mutex_unlock(&iommu->lock);
	return ret;
}

struct iommu_endpoint *iommu_find_endpoint(struct iommu *iommu, u32 id)
{
	struct iommu_endpoint *ep;

	list_for_each_entry (ep, &iommu->endpoints, node) {
		if (ep->id == id)
			return ep;
	}
	return NULL;
}

struct iommu_domain *iommu_find_domain(struct iommu *iommu, u32 id)
{
	struct iommu_domain *domain;

	list_for_each_entry (domain, &iommu->domains, node) {
		if (domain->id == id)
			return domain;
	}
	return NULL;
}

bool iommu_domain_in_range(const struct iommu *iommu, u32 id)
{
	return id >= iommu->config.domain_start && id <= iommu->config.domain_last;
}

struct iommu_domain *iommu_domain_new(struct iommu *iommu, u32 id, enum domain_kind kind,
				      const struct iommu_format *format)
{
	struct iommu_domain *domain = calloc(1, sizeof(*domain));

	if (!domain)
		return NULL;
	if (kind == DOMAIN_MAPPINGS)
		domain->mappings = mapping_store_new();
	else if (kind == DOMAIN_TABLES)
		domain->pasids = pasid_tables_new();
	if (kind != DOMAIN_BYPASS && !domain->mappings && !domain->pasids) {
		free(domain);
		return NULL;
	}
	domain->id = id;
	domain->bypass = kind == DOMAIN_BYPASS;
	domain->format = format;
	list_init(&domain->endpoints);
	list_add_tail(&domain->node, &iommu->domains);
	return domain;
}

void iommu_domain_free(struct iommu *iommu, struct iommu_domain *domain)
{
	list_del(&domain->node);
	if (domain->mappings) {
		iommu->nr_mappings -= mapping_store_count(domain->mappings);
		mapping_store_free(domain->mappings);
	}
	if (domain->pasids) {
		iommu->nr_tables -= pasid_tables_count(domain->pasids);
		pasid_tables_free(domain->pasids);
	}
	free(domain);
}

#define TOP_SHIFT 56

bool iommu_ranges_meet(u64 a_start, u64 a_last, u64 b_start, u64 b_last, bool top_ignored)
{
	const u64 mask = BIT_ULL(TOP_SHIFT) - 1;

	if (a_start <= b_last && a_last >= b_start)
		return true;
	if (!top_ignored)
		return false;
	/* A range across such a border has all there is on one side of it: it may be any. */
	if ((a_start ^ a_last) >> TOP_SHIFT || (b_start ^ b_last) >> TOP_SHIFT)
		return true;
	return (a_start & mask) <= (b_last & mask) && (a_last & mask) >= (b_start & mask);
}

/* A table may serve both accesses with PASID 0 and those without a PASID. */
static bool same_pasid(u32 a, u32 b)
{
	return a == b || (a == 0 && b == DMA_NO_PASID) || (a == DMA_NO_PASID && b == 0);
}

bool iommu_scope_has_access(const struct iommu_scope *scope, u32 pasid)
{
	return scope->pasid == IOMMU_EACH_PASID || same_pasid(scope->pasid, pasid);
}

static bool change_concerns(const struct iommu_change *change, const struct iommu_cached *c)
{
	u32 pasid = atomic_load_explicit(&change->pasid, memory_order_relaxed);
	u32 id = atomic_load_explicit(&change->id, memory_order_relaxed);

	if (!iommu_ranges_meet(
		    c->start, c->last, atomic_load_explicit(&change->start, memory_order_relaxed),
		    atomic_load_explicit(&change->last, memory_order_relaxed), c->top_ignored))
		return false;
	if (pasid != IOMMU_EACH_PASID && !same_pasid(pasid, c->pasid) &&
	    !same_pasid(pasid, c->table_pasid))
		return false;
	if (id == IOMMU_NO_ID || c->id == IOMMU_NO_ID)
		return true;
	return c->global ? atomic_load_explicit(&change->global, memory_order_relaxed)
			 : id == c->id;
}

bool iommu_unchanged(const struct iommu_endpoint *ep, const struct iommu_cached *c, u64 gen)
{
	if (gen - c->gen >= IOMMU_NR_CHANGES)
		return false;
	for (u64 g = c->gen + 1; g <= gen; g++) {
		if (change_concerns(&ep->changes[g % IOMMU_NR_CHANGES], c))
			return false;
	}
	/* The entries were what they should be if the oldest was not on its way out. */
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&ep->gen, memory_order_relaxed) - c->gen < IOMMU_NR_CHANGES;
}

void iommu_move(struct iommu_endpoint *ep, struct iommu_domain *domain, struct iommu_table *base)
{
	struct iommu_domain *old = atomic_load(&ep->domain);
	struct iommu_table *old_base = atomic_load(&ep->base);

	ep->iommu->nr_tables += !!base - !!old_base;
	if (domain != old) {
		list_del(&ep->peer);
		if (domain)
			list_add_tail(&ep->peer, &domain->endpoints);
	}
	atomic_fetch_add(&ep->moves, 1);
	atomic_store(&ep->base, base);
	atomic_store(&ep->domain, domain);
	atomic_fetch_add(&ep->moves, 1);
	iommu_revoke(ep, &iommu_scope_all);
	free(old_base);
	if (old && list_empty(&old->endpoints))
		iommu_domain_free(ep->iommu, old);
}

/*
 * The endpoint and the domain that a request names; the domain is NULL if there is none.
 * -ENOENT: no such endpoint. Takes iommu->lock, which the caller gives back in any case.
 */
static int find_both(struct iommu *iommu, u32 domain_id, u32 ep_id, struct iommu_domain **domain,
		     struct iommu_endpoint **ep)
{
	pthread_mutex_lock(&iommu->lock);
	*ep = iommu_find_endpoint(iommu, ep_id);
	*domain = iommu_find_domain(iommu, domain_id);
	return *ep ? 0 : -ENOENT;
}

int iommu_attach(struct iommu *iommu, u32 domain_id, u32 ep_id, bool bypass)
{
	struct iommu_domain *domain;
	struct iommu_endpoint *ep;
	int ret = find_both(iommu, domain_id, ep_id, &domain, &ep);

	if (ret)
		goto out;
	if (!iommu_domain_in_range(iommu, domain_id)) {
		ret = -ERANGE;
		goto out;
	}
	if (domain && (domain->bypass != bypass || domain->format)) {
		ret = -EINVAL;
		goto out;
	}
	if (!domain)
		domain = iommu_domain_new(iommu, domain_id,
					  bypass ? DOMAIN_BYPASS : DOMAIN_MAPPINGS, NULL);
	if (!domain) {
		ret = -ENOMEM;
		goto out;
	}
	if (atomic_load(&ep->domain) != domain)
		iommu_move(ep, domain, NULL);
out:
	pthread_mutex_unlock(&iommu->lock);
	return ret;
}

int iommu_detach(struct iommu *iommu, u32 domain_id, u32 ep_id)
{
	struct iommu_domain *domain;
	struct iommu_endpoint *ep;
	int ret = find_both(iommu, domain_id, ep_id, &domain, &ep);

	if (ret)
		goto out;
	if (!domain || atomic_load(&ep->domain) != domain) {
		ret = -EINVAL;
		goto out;
	}
	iommu_move(ep, NULL, NULL);
out:
	pthread_mutex_unlock(&iommu->lock);
	return ret;
}

/* The domain that MAP and UNMAP of @id work on. */
static int find_mapped_domain(struct iommu *iommu, u32 id, struct iommu_domain **out)
{
	struct iommu_domain *domain = iommu_find_domain(iommu, id);

	if (!domain)
		return -ENOENT;
	if (!domain->mappings)
		return -EINVAL;
	*out = domain;
	return 0;
}

static int check_map(const struct iommu *iommu, const struct mapping *m)
{
	const struct iommu_config *config = &iommu->config;
	u64 mask = granule(iommu) - 1;

	if ((m->start & mask) || (m->gpa & mask) || ((m->last + 1) & mask))
		return -ERANGE;
	if (m->last < m->start || m->gpa + (m->last - m->start) < m->gpa)
		return -ERANGE;
	if (m->start < config->input_start || m->last > config->input_last)
		return -ERANGE;
	for (unsigned int i = 0; i < config->nr_resv; i++) {
		if (m->start <= config->resv[i].last && m->last >= config->resv[i].start)
			return -EINVAL;
	}
	return 0;
}

int iommu_map(struct iommu *iommu, u32 domain_id, const struct mapping *m)
{
	struct iommu_domain *domain;
	int ret;

	pthread_mutex_lock(&iommu->lock);
	ret = find_mapped_domain(iommu, domain_id, &domain);
	if (ret)
		goto out;
	ret = check_map(iommu, m);
	if (ret)
		goto out;
	if (iommu->nr_mappings >= iommu->config.max_mappings) {
		struct mapping there;

		/* An overlap is wrong at any number of mappings: it is said first. */
		ret = mapping_store_next(domain->mappings, m->start, &there) &&
				      there.start <= m->last
			      ? -EINVAL
			      : -ENOMEM;
		goto out;
	}
	ret = mapping_store_add(domain->mappings, m);
	if (ret == -EEXIST)
		ret = -EINVAL;
	if (!ret)
		iommu->nr_mappings++;
	/* Nothing caches what is not mapped: there is nothing to revoke. */
out:
	pthread_mutex_unlock(&iommu->lock);
	return ret;
}

int iommu_unmap_begin(struct iommu *iommu, u32 domain_id, u64 start, u64 last,
		      struct iommu_revocation *rev)
{
	struct iommu_domain *domain;
	u64 removed = 0;
	int ret;

	iommu_revocation_init(rev, iommu);
	pthread_mutex_lock(&iommu->lock);
	ret = find_mapped_domain(iommu, domain_id, &domain);
	if (ret)
		goto out;
	if (last < start) {
		ret = -ERANGE;
		goto out;
	}
	ret = mapping_store_remove(domain->mappings, start, last, &removed);
	if (ret || !removed)
		goto out;
	iommu->nr_mappings -= removed;
	rev->scope = iommu_scope_all;
	rev->scope.start = start;
	rev->scope.last = last;
	iommu_revoke_domain_begin(rev, domain);
out:
	pthread_mutex_unlock(&iommu->lock);
	return ret;
}

int iommu_unmap(struct iommu *iommu, u32 domain_id, u64 start, u64 last)
{
	struct iommu_revocation rev;
	int ret = iommu_unmap_begin(iommu, domain_id, start, last, &rev);

	iommu_revocation_wait(&rev);
	return ret;
}

static void detach_all_locked(struct iommu *iommu)
{
	struct iommu_endpoint *ep;

	list_for_each_entry (ep, &iommu->endpoints, node) {
		if (atomic_load(&ep->domain))
			iommu_move(ep, NULL, NULL);
	}
}

void iommu_detach_all(struct iommu *iommu)
{
	pthread_mutex_lock(&iommu->lock);
	detach_all_locked(iommu);
	pthread_mutex_unlock(&iommu->lock);
}

void iommu_set_bypass(struct iommu *iommu, bool bypass)
{
	struct iommu_endpoint *ep;

	pthread_mutex_lock(&iommu->lock);
	if (atomic_exchange(&iommu->bypass, bypass) != bypass) {
		list_for_each_entry (ep, &iommu->endpoints, node) {
			if (!atomic_load(&ep->domain))
				iommu_revoke(ep, &iommu_scope_all);
		}
	}
	pthread_mutex_unlock(&iommu->lock);
}

void iommu_destroy(struct iommu *iommu)
{
	struct iommu_endpoint *ep;

	iommu_detach_all(iommu);
	while (!list_empty(&iommu->endpoints)) {
		ep = container_of(iommu->endpoints.next, struct iommu_endpoint, node);
		list_del(&ep->node);
		pthread_mutex_destroy(&ep->chans_lock);
	}
	pthread_mutex_destroy(&iommu->lock);
}

static int no_translation(struct iommu_fault *fault, enum iommu_fault_reason reason,
			  const char *why)
{
	*fault = (struct iommu_fault){.reason = reason, .why = why};
	return -EFAULT;
}

/* Where the endpoint is, and the table that it has there. */
static struct iommu_domain *attachment(struct iommu_endpoint *ep, const struct iommu_table **base)
{
	struct iommu_domain *domain;
	u32 moves;

	do {
		while ((moves = atomic_load(&ep->moves)) & 1)
			sched_yield();
		domain = atomic_load(&ep->domain);
		*base = atomic_load(&ep->base);
	} while (atomic_load(&ep->moves) != moves);
	return domain;
}

static int walk(const struct iommu_domain *domain, const struct iommu_table *base,
		struct iommu_endpoint *ep, const struct guest_mem *mem, u32 pasid, u64 iova,
		u32 dir, struct iommu_run *run, struct iommu_fault *fault)
{
	const struct iommu_walk w = {
		.mem = mem,
		.limits = &ep->limits,
		.base = base,
		.lookup = pasid_tables_find,
		.opaque = domain->pasids,
		.pasid = pasid,
		.iova = iova,
		.access = dir,
	};
	struct iommu_walk_result result = {.pasid = pasid, .id = IOMMU_NO_ID};

	if (domain->format->walk(&w, &result) < 0) {
		no_translation(fault, result.reason, result.why);
		fault->code = result.code;
		fault->silent = result.silent;
		return -EFAULT;
	}
	*run = (struct iommu_run){
		.start = result.start,
		.last = result.last,
		.gpa = result.gpa,
		.dir = result.access,
		.table_pasid = result.pasid,
		.id = result.id,
		.global = result.global,
		.top_ignored = result.top_ignored,
	};
	return 0;
}

int iommu_translate(struct iommu_endpoint *ep, const struct guest_mem *mem, u32 pasid, u64 iova,
		    u32 dir, struct iommu_run *run, struct iommu_fault *fault)
{
	const struct iommu_table *base;
	struct iommu_domain *domain = attachment(ep, &base);
	struct mapping m;

	if (domain ? domain->bypass : atomic_load(&ep->iommu->bypass)) {
		*run = (struct iommu_run){
			.last = UINT64_MAX,
			.dir = DMA_READ | DMA_WRITE | DMA_EXEC,
			.table_pasid = DMA_NO_PASID,
			.id = IOMMU_NO_ID,
		};
		return 0;
	}
	if (!domain)
		return no_translation(fault, IOMMU_FAULT_DOMAIN, "endpoint not attached");
	if (domain->format)
		return walk(domain, base, ep, mem, pasid, iova, dir, run, fault);
	/* Mappings are those of accesses without a PASID. */
	if (pasid != DMA_NO_PASID)
		return no_translation(fault, IOMMU_FAULT_DOMAIN, "no table of that PASID");

	if (!mapping_store_find_run(domain->mappings, iova, &m))
		return no_translation(fault, IOMMU_FAULT_MAPPING, "not mapped");
	*run = (struct iommu_run){
		.start = m.start,
		.last = m.last,
		.gpa = m.gpa,
		.dir = (m.flags & MAPPING_READ ? DMA_READ | DMA_EXEC : 0) |
		       (m.flags & MAPPING_WRITE ? DMA_WRITE : 0),
		.table_pasid = DMA_NO_PASID,
		.id = IOMMU_NO_ID,
	};
	return 0;
}
