/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Address translation for devices: endpoints, the domains that they are attached
 * to, and what an unattached endpoint may reach. This is the state behind the
 * requests of the virtio-iommu, whose wire format virtio/iommu.c knows; nothing
 * here does.
 *
 * Locks, in this order:
 *   iommu->lock    attachments, the list of domains, the bypass setting, and all
 *                  changes of mappings. Held while a revocation waits for
 *                  accesses that are open, so an open access never takes it.
 *   domain->lock   the mapping store against lookups by accesses.
 *   ep->chans_lock the list of the endpoint's DMA channels.
 */
#ifndef LKVM_IOMMU_IOMMU_H
#define LKVM_IOMMU_IOMMU_H

#include <pthread.h>
#include <stdatomic.h>

#include "iommu/mapping.h"
#include "util/list.h"
#include "util/types.h"

enum iommu_resv_type {
	IOMMU_RESV_RESERVED,
	IOMMU_RESV_MSI, /* writes here are message-signalled interrupts, not DMA */
};

#define IOMMU_MAX_RESV 16

/* A range of IOVAs that MAP must leave alone; both ends inclusive. */
struct iommu_resv {
	u64 start;
	u64 last;
	enum iommu_resv_type type;
};

/* What the user chose, fixed while the guest runs. */
struct iommu_config {
	u64 page_size_mask; /* lowest bit: the granule */
	u64 input_start; /* IOVAs that MAP accepts, inclusive */
	u64 input_last;
	u32 domain_start; /* domain IDs that ATTACH accepts, inclusive */
	u32 domain_last;
	u64 max_mappings; /* in all domains together */
	bool bypass; /* unattached endpoints reach memory untranslated */
	bool msi_mapped; /* addresses of interrupt messages are translated like any other */
	struct iommu_resv resv[IOMMU_MAX_RESV]; /* sorted and disjoint */
	unsigned int nr_resv;
};

enum iommu_fault_reason {
	IOMMU_FAULT_UNKNOWN,
	IOMMU_FAULT_DOMAIN, /* the endpoint is not attached */
	IOMMU_FAULT_MAPPING, /* no mapping there, or not for this access */
};

struct iommu_fault {
	enum iommu_fault_reason reason;
	u32 dir; /* DMA_READ, DMA_WRITE */
	u32 endpoint; /* ID */
	u64 iova;
};

struct iommu_domain {
	struct list_head node; /* in iommu->domains */
	u32 id;
	bool bypass; /* created with the BYPASS flag: identity */
	struct list_head endpoints;
	pthread_rwlock_t lock;
	struct mapping_store *mappings; /* NULL for a bypass domain */
};

struct iommu;

struct iommu_endpoint {
	struct iommu *iommu;
	struct list_head node; /* in iommu->endpoints */
	struct list_head peer; /* in domain->endpoints */
	u32 id;

	/*
	 * Read by accesses without a lock: an access is published before it
	 * reads them, and a domain is freed only after the wait that follows
	 * the change. @gen rises with each change that takes something away.
	 */
	_Atomic(struct iommu_domain *) domain; /* NULL: not attached */
	_Atomic u64 gen;

	pthread_mutex_t chans_lock;
	struct list_head chans;
	_Atomic u64 faults;
};

struct iommu {
	struct iommu_config config;
	pthread_mutex_t lock;
	struct list_head endpoints;
	struct list_head domains;
	u64 nr_mappings;
	_Atomic bool bypass;

	/* Told of each fault, in the thread of the access, which is still open. */
	void (*report)(void *opaque, const struct iommu_fault *fault);
	void *report_opaque;
};

int iommu_init(struct iommu *iommu, const struct iommu_config *config);
void iommu_destroy(struct iommu *iommu);

/* Before the guest runs. @id must be new (-EEXIST). */
int iommu_add_endpoint(struct iommu *iommu, struct iommu_endpoint *ep, u32 id);

/* The endpoint, or NULL. Endpoints stay until iommu_destroy(). */
struct iommu_endpoint *iommu_find_endpoint(struct iommu *iommu, u32 id);

/*
 * The requests of the specification, virtio-iommu "Device operations". Each
 * validates everything before it changes anything, and answers once no access
 * relies on what it took away. Errors stand for the statuses of the same name:
 * -ENOENT, -EINVAL, -ERANGE, -EOPNOTSUPP (UNSUPP), -ENOMEM. They take iommu->lock.
 */

/*
 * ATTACH: creates the domain if it is new (with the BYPASS flag if @bypass), and
 * moves @ep_id there from the domain that it was in.
 * -ENOENT: no such endpoint; -ERANGE: ID outside the domain range; -EINVAL: the
 * domain exists with another BYPASS flag.
 */
int iommu_attach(struct iommu *iommu, u32 domain_id, u32 ep_id, bool bypass);

/* DETACH. -ENOENT: no such endpoint; -EINVAL: it is not in that domain. */
int iommu_detach(struct iommu *iommu, u32 domain_id, u32 ep_id);

/*
 * MAP of [m->start, m->last] to m->gpa. -ENOENT: no such domain; -EINVAL: a bypass
 * domain, or an overlap with a mapping or a reserved region; -ERANGE: not aligned
 * to the granule, wrapping, ending before it starts or outside the input range;
 * -ENOMEM: max_mappings are there, or the host has no memory.
 */
int iommu_map(struct iommu *iommu, u32 domain_id, const struct mapping *m);

/*
 * UNMAP. -ENOENT: no such domain; -EINVAL: a bypass domain; -ERANGE: it would split
 * a mapping, or ends before it starts; nothing is removed then.
 */
int iommu_unmap(struct iommu *iommu, u32 domain_id, u64 start, u64 last);

/* Detaches every endpoint and drops every domain; the bypass setting stays. */
void iommu_detach_all(struct iommu *iommu);

/* What unattached endpoints may reach from now on. */
void iommu_set_bypass(struct iommu *iommu, bool bypass);

/*
 * Translation for one access, by the channel that published it: the longest run
 * from @iova on that is contiguous in GPA, up to @last. Takes domain->lock.
 */
struct iommu_run {
	u64 start; /* IOVA, <= the one asked for */
	u64 last;
	u64 gpa; /* of start */
	u32 dir; /* DMA_* that are allowed */
};

/* -EFAULT, with the reason, if nothing is there. Permissions are the caller's to check. */
int iommu_translate(struct iommu_endpoint *ep, u64 iova, struct iommu_run *run,
		    enum iommu_fault_reason *reason);

#endif /* LKVM_IOMMU_IOMMU_H */
