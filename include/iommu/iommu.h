/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Address translation for devices: endpoints, the domains that they are attached
 * to, and what an unattached endpoint may reach. This is the state behind the
 * requests of the virtio-iommu, whose wire format virtio/iommu.c knows; nothing
 * here does.
 *
 * A domain translates in one of three ways, for good: by the mappings of MAP, by page tables of
 * the guest (ATTACH_TABLE), or not at all (bypass).
 *
 * Locks, in this order:
 *   iommu->lock    attachments, the list of domains, the bypass setting, and all
 *                  changes of mappings. Held while ATTACH, DETACH and the like wait
 *                  for accesses that are open, so an open access never takes it;
 *                  not while UNMAP and INVALIDATE do.
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
	const struct iommu_format *format; /* of endpoints that do not say; NULL: none */
	bool offer_tables; /* ATTACH_TABLE, because some endpoint has a format */
	bool no_map; /* MAP and UNMAP are not offered */
	u64 poll_us; /* how long a thread looks for more requests after one; 0: there is none */
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
	u32 dir; /* DMA_READ, DMA_WRITE, DMA_EXEC */
	u32 endpoint; /* ID */
	u32 pasid; /* or DMA_NO_PASID */
	u64 iova;
	u32 code; /* the number that the vendor of a table format gives it; 0: none */
	const char *why; /* in words, static */
	bool silent; /* the guest's table asks for no report */
};

/* What the machine and an endpoint have, whatever a table format could do. */
struct iommu_limits {
	unsigned int pa_bits; /* of a guest-physical address: 32 to 52 */
	unsigned int pasid_bits; /* 0: the endpoint sends no PASIDs; at most 20 */
};

struct iommu_format;
struct iommu_table;
struct pasid_tables;

struct iommu_domain {
	struct list_head node; /* in iommu->domains */
	u32 id;
	bool bypass; /* created with the BYPASS flag: identity */
	struct list_head endpoints;
	struct mapping_store *mappings; /* NULL for a domain of another kind */
	const struct iommu_format *format; /* of a domain with page tables, else NULL */
	struct pasid_tables *pasids; /* those that the device keeps, with a format */
};

/* Which translations a change has taken away. */
struct iommu_scope {
	u64 start, last; /* IOVA */
	u32 pasid; /* one, DMA_NO_PASID or IOMMU_EACH_PASID */
	u32 id; /* ASID or the like; IOMMU_NO_ID: whatever it is */
	bool global; /* with an ID: what is valid for every ID, too */
	bool top_ignored; /* an access to it may have anything in bits 63:56 of its IOVA */
};

#define IOMMU_EACH_PASID (~0U - 1)
#define IOMMU_NO_ID	 (~0U)

/* More than a machine has places for devices. */
#define IOMMU_MAX_ENDPOINTS 128

/* An endpoint remembers so many changes; what was cached before those is looked up anew. */
#define IOMMU_NR_CHANGES 32

struct iommu_change {
	_Atomic u64 start, last;
	_Atomic u32 pasid, id;
	_Atomic bool global;
};

struct iommu;
struct iommu_revocation;
struct guest_mem;

struct iommu_endpoint {
	struct iommu *iommu;
	struct list_head node; /* in iommu->endpoints */
	struct list_head peer; /* in domain->endpoints */
	u32 id;
	unsigned int index; /* in iommu->by_index */

	/* Fixed while the guest runs. NULL: it takes no page tables. */
	const struct iommu_format *format;
	struct iommu_limits limits;

	/*
	 * Read by accesses without a lock: an access is published before it
	 * reads them, and what they point to is freed only after the wait that
	 * follows the change. @gen rises with each change that takes something
	 * away, and changes[gen % IOMMU_NR_CHANGES] says what.
	 */
	_Atomic u32 moves; /* odd while domain and base change: an access sees both, or neither */
	_Atomic(struct iommu_domain *) domain; /* NULL: not attached */
	_Atomic(struct iommu_table *) base; /* in a domain with a format; NULL: none */
	_Atomic u64 gen;
	struct iommu_change changes[IOMMU_NR_CHANGES];

	pthread_mutex_t chans_lock;
	struct list_head chans;
	_Atomic u64 faults;
};

struct iommu {
	struct iommu_config config;
	pthread_mutex_t lock;
	struct list_head endpoints;
	struct iommu_endpoint *by_index[IOMMU_MAX_ENDPOINTS]; /* fixed while the guest runs */
	unsigned int nr_endpoints;
	struct list_head domains;
	_Atomic u64 nr_mappings; /* read without the lock */
	_Atomic u64 nr_tables; /* at most as many as mappings; as above */
	_Atomic bool bypass;
	_Atomic u32 wakes; /* rises when who waits for an access to end should look again */

	/* Told of each fault, in the thread of the access, which is still open. */
	void (*report)(void *opaque, const struct iommu_fault *fault);
	void *report_opaque;
};

int iommu_init(struct iommu *iommu, const struct iommu_config *config);
void iommu_destroy(struct iommu *iommu);

/* Before the guest runs. @id must be new (-EEXIST); -ENOSPC: IOMMU_MAX_ENDPOINTS are there. */
int iommu_add_endpoint(struct iommu *iommu, struct iommu_endpoint *ep, u32 id);

/* Before the guest runs: the endpoint takes page tables in @format, which may be NULL. */
void iommu_set_format(struct iommu_endpoint *ep, const struct iommu_format *format,
		      const struct iommu_limits *limits);

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
 * domain exists with another BYPASS flag, or has page tables.
 */
int iommu_attach(struct iommu *iommu, u32 domain_id, u32 ep_id, bool bypass);

/* DETACH. -ENOENT: no such endpoint; -EINVAL: it is not in that domain. */
int iommu_detach(struct iommu *iommu, u32 domain_id, u32 ep_id);

/*
 * MAP of [m->start, m->last] to m->gpa. -ENOENT: no such domain; -EINVAL: a bypass
 * domain or one with page tables, or an overlap with a mapping or a reserved region; -ERANGE: not
 * aligned to the granule, wrapping, ending before it starts or outside the input range; -ENOMEM:
 * max_mappings are there, or the host has no memory.
 */
int iommu_map(struct iommu *iommu, u32 domain_id, const struct mapping *m);

/*
 * UNMAP. -ENOENT: no such domain; -EINVAL: a bypass domain; -ERANGE: it would split
 * a mapping, or ends before it starts; nothing is removed then.
 */
int iommu_unmap(struct iommu *iommu, u32 domain_id, u64 start, u64 last);

/*
 * The same without the wait: when it returns the mappings are gone, and @rev is over when no access
 * relies on them. It is over at once after an error.
 */
int iommu_unmap_begin(struct iommu *iommu, u32 domain_id, u64 start, u64 last,
		      struct iommu_revocation *rev);

/* Detaches every endpoint and drops every domain; the bypass setting stays. */
void iommu_detach_all(struct iommu *iommu);

/* What unattached endpoints may reach from now on. */
void iommu_set_bypass(struct iommu *iommu, bool bypass);

/*
 * ATTACH_TABLE of the proposed extension, with the number of a table format and its
 * descriptor of IOMMU_DESCRIPTOR_SIZE bytes. A table without a PASID is the endpoint's, which it
 * moves to the domain; one of a PASID is the domain's. A new table takes the place of the old one.
 * -ENOENT: no such endpoint, or a PASID's table where the format wants one for the whole endpoint
 * first; -EOPNOTSUPP: not a format of the endpoint; -EINVAL: a malformed descriptor, a domain of
 * another kind or format, or a PASID's table for an endpoint that is in another domain; -ERANGE:
 * a PASID or domain ID outside its range; -ENOMEM. @pasid gets the PASID that the descriptor has,
 * or DMA_NO_PASID where it has none or is not understood.
 */
int iommu_attach_table(struct iommu *iommu, u32 domain_id, u32 ep_id, u8 wire_format,
		       const u8 *desc, u32 *pasid);

/*
 * DETACH with a PASID: takes one of the domain's tables away. -ENOENT: no such endpoint, or no
 * table of that PASID; -EINVAL: the endpoint is not in that domain, or its format has no such
 * tables; -ERANGE: a PASID that is too wide.
 */
int iommu_detach_pasid(struct iommu *iommu, u32 domain_id, u32 ep_id, u32 pasid);

enum iommu_invalidate_scope {
	IOMMU_INVALIDATE_DOMAIN,
	IOMMU_INVALIDATE_PASID,
	IOMMU_INVALIDATE_ADDRESS,
};

struct iommu_invalidation {
	enum iommu_invalidate_scope scope;
	bool tables; /* entries of PASID tables have changed */
	u32 pasid; /* DMA_NO_PASID: accesses without one; by address: of each PASID */
	u32 id; /* IOMMU_NO_ID: of each */
	bool global; /* with an ID: global entries, too */
	u64 address; /* by address: nr_pages of 2^page_bits bytes from here on */
	u64 nr_pages;
	unsigned int page_bits;
};

/*
 * INVALIDATE: when it returns nothing uses what it names any more. -ENOENT: no such domain;
 * -EINVAL: a domain without page tables, an ID that is too wide, no such page size, no page or an
 * address that is not a multiple of the size; -ERANGE: a PASID that is too wide, or pages beyond
 * the last address.
 */
int iommu_invalidate(struct iommu *iommu, u32 domain_id, const struct iommu_invalidation *inv);

/* The same without the wait, as iommu_unmap_begin(). */
int iommu_invalidate_begin(struct iommu *iommu, u32 domain_id, const struct iommu_invalidation *inv,
			   struct iommu_revocation *rev);

/*
 * Translation for one access, by the channel that published it: the longest run
 * around @iova that is contiguous in GPA. Takes no lock.
 */
struct iommu_run {
	u64 start; /* IOVA, <= the one asked for */
	u64 last;
	u64 gpa; /* of start */
	u32 dir; /* DMA_* that are allowed, DMA_PRIV apart */
	u32 table_pasid; /* of the table that served it; DMA_NO_PASID */
	u32 id; /* what INVALIDATE may name it by; IOMMU_NO_ID */
	bool global;
	bool top_ignored; /* bits 63:56 of start and last are those of the access */
};

/*
 * @dir: DMA_*. -EFAULT, with reason and what else is known of it in @fault, if nothing is there.
 * Permissions are the caller's to check.
 */
int iommu_translate(struct iommu_endpoint *ep, const struct guest_mem *mem, u32 pasid, u64 iova,
		    u32 dir, struct iommu_run *run, struct iommu_fault *fault);

/*
 * Whether a change may concern an access with this PASID. One without a PASID may be served by
 * the table of PASID 0.
 */
bool iommu_scope_has_access(const struct iommu_scope *scope, u32 pasid);

/* Whether two ranges have an IOVA in common, or would have but for bits 63:56. */
bool iommu_ranges_meet(u64 a_start, u64 a_last, u64 b_start, u64 b_last, bool top_ignored);

/* What was cached at generation @gen for accesses with @pasid. */
struct iommu_cached {
	u64 gen;
	u64 start, last; /* IOVA */
	u32 pasid;
	u32 table_pasid, id; /* as in struct iommu_run */
	bool global, top_ignored;
};

/* Whether it still holds at generation @gen, which was read from the endpoint. No lock. */
bool iommu_unchanged(const struct iommu_endpoint *ep, const struct iommu_cached *cached, u64 gen);

#endif /* LKVM_IOMMU_IOMMU_H */
