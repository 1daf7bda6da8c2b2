// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "iommu-internal.h"
#include "iommu/dma.h"
#include "iommu/format.h"
#include "iommu/pasid-tables.h"
#include "iommu/report.h"
#include "util/counter.h"
#include "util/lock.h"

static void report_table(const struct iommu_format *format, const struct iommu_table *table,
			 const char *name, struct report *r)
{
	report_object_begin(r, name);
	if (table->pasid != DMA_NO_PASID)
		report_u64(r, "pasid", table->pasid);
	report_u64(r, "format", table->wire_format);
	format->describe(table, r);
	report_object_end(r);
}

static void report_endpoint(const struct iommu_endpoint *ep, struct report *r)
{
	const struct iommu_domain *domain = atomic_load(&ep->domain);
	const struct iommu_table *base = atomic_load(&ep->base);
	bool bypass = domain ? domain->bypass : atomic_load(&ep->iommu->bypass);

	report_object_begin(r, NULL);
	report_hex(r, "id", ep->id);
	report_bool(r, "attached", domain);
	if (domain)
		report_u64(r, "domain", domain->id);
	report_bool(r, "bypass", bypass);
	report_u64(r, "faults", counter_get(&ep->faults));
	if (ep->format) {
		report_str(r, "tables", ep->format->name);
		report_u64(r, "pasid_bits", ep->limits.pasid_bits);
		if (base)
			report_table(ep->format, base, "table", r);
	}
	report_object_end(r);
}

static void report_mapping(const struct mapping *m, struct report *r)
{
	report_object_begin(r, NULL);
	report_hex(r, "start", m->start);
	report_hex(r, "last", m->last);
	report_hex(r, "gpa", m->gpa);
	report_bool(r, "read", m->flags & MAPPING_READ);
	report_bool(r, "write", m->flags & MAPPING_WRITE);
	report_bool(r, "mmio", m->flags & MAPPING_MMIO);
	report_object_end(r);
}

/* The first ones from @iova on; @room is how many of them the report takes, in all. */
static void report_mappings(const struct mapping_store *store, struct report *r, u64 iova,
			    unsigned int *room)
{
	bool more, cut = false;
	struct mapping m;

	report_list_begin(r, "mappings");
	more = mapping_store_next(store, iova, &m);
	while (more) {
		if (!*room) {
			cut = true;
			break;
		}
		--*room;
		report_mapping(&m, r);
		more = m.last != UINT64_MAX && mapping_store_next(store, m.last + 1, &m);
	}
	report_list_end(r);
	if (cut)
		report_hex(r, "next", m.start);
}

/* Those of PASIDs, from @pasid on. */
static void report_pasids(const struct iommu_domain *domain, struct report *r, u64 pasid,
			  unsigned int *room)
{
	const struct iommu_table *table = NULL;

	report_list_begin(r, "pasids");
	if (pasid <= UINT32_MAX)
		table = pasid_tables_next(domain->pasids, pasid);
	for (; table && *room; --*room) {
		report_table(domain->format, table, NULL, r);
		table = pasid_tables_next(domain->pasids, table->pasid + 1);
	}
	report_list_end(r);
	if (table)
		report_hex(r, "next", table->pasid);
}

static void report_domain(const struct iommu_domain *domain, struct report *r,
			  const struct iommu_report_filter *filter, unsigned int *room)
{
	const struct iommu_endpoint *ep;

	report_object_begin(r, NULL);
	report_u64(r, "id", domain->id);
	report_bool(r, "bypass", domain->bypass);
	report_list_begin(r, "endpoints");
	list_for_each_entry (ep, &domain->endpoints, peer)
		report_hex(r, NULL, ep->id);
	report_list_end(r);
	if (domain->format) {
		report_str(r, "tables", domain->format->name);
		report_u64(r, "nr_pasids", pasid_tables_count(domain->pasids));
		if (filter->mappings)
			report_pasids(domain, r, filter->from, room);
	} else {
		report_u64(r, "nr_mappings",
			   domain->mappings ? mapping_store_count(domain->mappings) : 0);
		if (filter->mappings && domain->mappings)
			report_mappings(domain->mappings, r, filter->from, room);
	}
	report_object_end(r);
}

static void report_all(const struct iommu *iommu, struct report *r,
		       const struct iommu_report_filter *filter)
{
	unsigned int room = IOMMU_REPORT_MAX_MAPPINGS;
	const struct iommu_domain *domain;
	const struct iommu_endpoint *ep;

	report_bool(r, "bypass", atomic_load(&iommu->bypass));
	report_u64(r, "nr_mappings", iommu->nr_mappings);
	report_u64(r, "nr_tables", iommu->nr_tables);
	report_u64(r, "max_mappings", iommu->config.max_mappings);
	report_list_begin(r, "endpoints");
	list_for_each_entry (ep, &iommu->endpoints, node)
		report_endpoint(ep, r);
	report_list_end(r);
	report_list_begin(r, "domains");
	list_for_each_entry (domain, &iommu->domains, node) {
		if (!filter->one_domain || domain->id == filter->domain)
			report_domain(domain, r, filter, &room);
	}
	report_list_end(r);
}

int iommu_report(struct iommu *iommu, struct report *r, const struct iommu_report_filter *filter,
		 const struct timespec *deadline)
{
	int ret = 0;

	/* Held by a request that waits for a device's access to end, which may take long. */
	if (!mutex_lock_until(&iommu->lock, deadline))
		return -EBUSY;
	if (filter->one_domain && !iommu_find_domain(iommu, filter->domain))
		ret = -ENOENT;
	else
		report_all(iommu, r, filter);
	pthread_mutex_unlock(&iommu->lock);
	return ret;
}
