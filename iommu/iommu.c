// SPDX-License-Identifier: GPL-2.0-only
/*
 * Endpoints, domains and the requests on them: virtio 1.3, 5.13.6. Which status a
 * violated rule gets, where the text leaves it open: RANGE for anything about where
 * a range or an ID lies, INVAL for the rest.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "iommu/dma.h"
#include "iommu/iommu.h"

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
	if (iommu_find_endpoint(iommu, id))
		ret = -EEXIST;
	else
		list_add_tail(&ep->node, &iommu->endpoints);
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

static struct iommu_domain *find_domain(struct iommu *iommu, u32 id)
{
	struct iommu_domain *domain;

	list_for_each_entry (domain, &iommu->domains, node) {
		if (domain->id == id)
			return domain;
	}
	return NULL;
}

/* Lookups of busy devices, which overlap all the time, must not keep MAP and UNMAP out. */
static void init_domain_lock(pthread_rwlock_t *lock)
{
	pthread_rwlockattr_t attr;

	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(lock, &attr);
	pthread_rwlockattr_destroy(&attr);
}

static struct iommu_domain *domain_new(struct iommu *iommu, u32 id, bool bypass)
{
	struct iommu_domain *domain = calloc(1, sizeof(*domain));

	if (!domain)
		return NULL;
	if (!bypass) {
		domain->mappings = mapping_store_new();
		if (!domain->mappings) {
			free(domain);
			return NULL;
		}
	}
	domain->id = id;
	domain->bypass = bypass;
	list_init(&domain->endpoints);
	init_domain_lock(&domain->lock);
	list_add_tail(&domain->node, &iommu->domains);
	return domain;
}

/* Nobody translates through it any more. */
static void domain_free(struct iommu *iommu, struct iommu_domain *domain)
{
	list_del(&domain->node);
	if (domain->mappings) {
		iommu->nr_mappings -= mapping_store_count(domain->mappings);
		mapping_store_free(domain->mappings);
	}
	pthread_rwlock_destroy(&domain->lock);
	free(domain);
}

/* After this no access of @ep relies on what it could reach in [start, last] before. */
static void endpoint_revoke(struct iommu_endpoint *ep, u64 start, u64 last)
{
	struct dma_chan *chan;

	atomic_fetch_add(&ep->gen, 1);
	pthread_mutex_lock(&ep->chans_lock);
	list_for_each_entry (chan, &ep->chans, node)
		dma_chan_wait(chan, start, last);
	pthread_mutex_unlock(&ep->chans_lock);
}

/* Moves @ep to @domain, or to none. The domain that it leaves dies with its last endpoint. */
static void endpoint_move(struct iommu_endpoint *ep, struct iommu_domain *domain)
{
	struct iommu_domain *old = atomic_load(&ep->domain);

	list_del(&ep->peer);
	if (domain)
		list_add_tail(&ep->peer, &domain->endpoints);
	atomic_store(&ep->domain, domain);
	endpoint_revoke(ep, 0, UINT64_MAX);
	if (old && list_empty(&old->endpoints))
		domain_free(ep->iommu, old);
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
	*domain = find_domain(iommu, domain_id);
	return *ep ? 0 : -ENOENT;
}

int iommu_attach(struct iommu *iommu, u32 domain_id, u32 ep_id, bool bypass)
{
	struct iommu_domain *domain;
	struct iommu_endpoint *ep;
	int ret = find_both(iommu, domain_id, ep_id, &domain, &ep);

	if (ret)
		goto out;
	if (domain_id < iommu->config.domain_start || domain_id > iommu->config.domain_last) {
		ret = -ERANGE;
		goto out;
	}
	if (domain && domain->bypass != bypass) {
		ret = -EINVAL;
		goto out;
	}
	if (!domain)
		domain = domain_new(iommu, domain_id, bypass);
	if (!domain) {
		ret = -ENOMEM;
		goto out;
	}
	if (atomic_load(&ep->domain) != domain)
		endpoint_move(ep, domain);
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
	endpoint_move(ep, NULL);
out:
	pthread_mutex_unlock(&iommu->lock);
	return ret;
}

/* The domain that MAP and UNMAP of @id work on. */
static int find_mapped_domain(struct iommu *iommu, u32 id, struct iommu_domain **out)
{
	struct iommu_domain *domain = find_domain(iommu, id);

	if (!domain)
		return -ENOENT;
	if (domain->bypass)
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
	pthread_rwlock_wrlock(&domain->lock);
	ret = mapping_store_add(domain->mappings, m);
	pthread_rwlock_unlock(&domain->lock);
	if (ret == -EEXIST)
		ret = -EINVAL;
	if (!ret)
		iommu->nr_mappings++;
	/* Nothing caches what is not mapped: there is nothing to revoke. */
out:
	pthread_mutex_unlock(&iommu->lock);
	return ret;
}

int iommu_unmap(struct iommu *iommu, u32 domain_id, u64 start, u64 last)
{
	struct iommu_domain *domain;
	struct iommu_endpoint *ep;
	u64 removed = 0;
	int ret;

	pthread_mutex_lock(&iommu->lock);
	ret = find_mapped_domain(iommu, domain_id, &domain);
	if (ret)
		goto out;
	if (last < start) {
		ret = -ERANGE;
		goto out;
	}
	pthread_rwlock_wrlock(&domain->lock);
	ret = mapping_store_remove(domain->mappings, start, last, &removed);
	pthread_rwlock_unlock(&domain->lock);
	if (ret || !removed)
		goto out;
	iommu->nr_mappings -= removed;
	list_for_each_entry (ep, &domain->endpoints, peer)
		endpoint_revoke(ep, start, last);
out:
	pthread_mutex_unlock(&iommu->lock);
	return ret;
}

static void detach_all_locked(struct iommu *iommu)
{
	struct iommu_endpoint *ep;

	list_for_each_entry (ep, &iommu->endpoints, node) {
		if (atomic_load(&ep->domain))
			endpoint_move(ep, NULL);
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
				endpoint_revoke(ep, 0, UINT64_MAX);
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

int iommu_translate(struct iommu_endpoint *ep, u64 iova, struct iommu_run *run,
		    enum iommu_fault_reason *reason)
{
	struct iommu_domain *domain = atomic_load(&ep->domain);
	struct mapping m;
	bool found;

	if (domain ? domain->bypass : atomic_load(&ep->iommu->bypass)) {
		*run = (struct iommu_run){
			.start = 0,
			.last = UINT64_MAX,
			.gpa = 0,
			.dir = DMA_READ | DMA_WRITE,
		};
		return 0;
	}
	if (!domain) {
		*reason = IOMMU_FAULT_DOMAIN;
		return -EFAULT;
	}

	pthread_rwlock_rdlock(&domain->lock);
	found = mapping_store_find(domain->mappings, iova, &m);
	pthread_rwlock_unlock(&domain->lock);
	if (!found) {
		*reason = IOMMU_FAULT_MAPPING;
		return -EFAULT;
	}
	*run = (struct iommu_run){
		.start = m.start,
		.last = m.last,
		.gpa = m.gpa,
		.dir = (m.flags & MAPPING_READ ? DMA_READ : 0) |
		       (m.flags & MAPPING_WRITE ? DMA_WRITE : 0),
	};
	return 0;
}
