// SPDX-License-Identifier: GPL-2.0-only
/* Requests of the proposed extension for page tables, as docs/page-tables.md has them. */
#include <endian.h>
#include <errno.h>

#include "iommu-internal.h"
#include "iommu/dma.h"
#include "util/bytes.h"
#include "util/trace.h"

int viommu_attach_table(struct virtio_iommu *viommu, const void *req, struct viommu_reply *reply)
{
	const struct viommu_attach_table *r = req;
	u32 domain = le32toh(r->domain), endpoint = le32toh(r->endpoint);
	u32 pasid;
	int ret = iommu_attach_table(viommu->iommu, domain, endpoint, r->format, r->descriptor,
				     &pasid);
	const char *status = viommu_status_name(viommu_status(ret));

	(void)reply;
	if (pasid == DMA_NO_PASID)
		trace(TRACE_IOMMU, "attach-table domain=%u endpoint=0x%x format=%u: %s", domain,
		      endpoint, r->format, status);
	else
		trace(TRACE_IOMMU, "attach-table domain=%u endpoint=0x%x format=%u pasid=%u: %s",
		      domain, endpoint, r->format, pasid, status);
	return ret;
}

int viommu_detach_pasid(struct virtio_iommu *viommu, const struct viommu_detach *r)
{
	u32 domain = le32toh(r->domain), endpoint = le32toh(r->endpoint);
	u32 pasid = le32toh(r->pasid), flags = le32toh(r->flags);
	int ret = -EINVAL;

	if (flags == VIOMMU_DETACH_PASID)
		ret = iommu_detach_pasid(viommu->iommu, domain, endpoint, pasid);
	trace(TRACE_IOMMU, "detach domain=%u endpoint=0x%x pasid=%u flags=0x%x: %s", domain,
	      endpoint, pasid, flags, viommu_status_name(viommu_status(ret)));
	return ret;
}

/* DMA_NO_PASID is what the request calls by the flag, and not a number of its own. */
static u32 pasid_of(const struct viommu_invalidate *r)
{
	if (!(le16toh(r->flags) & VIOMMU_INVALIDATE_F_PASID))
		return DMA_NO_PASID;
	return min(le32toh(r->pasid), DMA_NO_PASID - 1);
}

/* What a scope has no use for has to be 0. */
static bool is_malformed(const struct viommu_invalidate *r)
{
	u16 flags = le16toh(r->flags);
	u16 known = VIOMMU_INVALIDATE_F_LEAF | VIOMMU_INVALIDATE_F_PASID | VIOMMU_INVALIDATE_F_ID |
		    VIOMMU_INVALIDATE_F_GLOBAL;

	if (!all_zero(r->reserved, sizeof(r->reserved)) || (flags & ~known) || !r->caches ||
	    (r->caches & ~(VIOMMU_INVALIDATE_C_PASID | VIOMMU_INVALIDATE_C_TLB)))
		return true;
	if (!(flags & VIOMMU_INVALIDATE_F_PASID) && r->pasid)
		return true;
	if (flags & VIOMMU_INVALIDATE_F_ID ? le64toh(r->id) >= IOMMU_NO_ID : r->id)
		return true;
	switch (r->scope) {
	case VIOMMU_INVALIDATE_DOMAIN:
		if (flags & VIOMMU_INVALIDATE_F_PASID)
			return true;
		break;
	case VIOMMU_INVALIDATE_PASID:
		break;
	case VIOMMU_INVALIDATE_ADDRESS:
		return r->caches != VIOMMU_INVALIDATE_C_TLB;
	default:
		return true;
	}
	return r->address || r->nr_pages || r->page_size;
}

int viommu_invalidate(struct virtio_iommu *viommu, const void *req, struct viommu_reply *reply)
{
	static const enum iommu_invalidate_scope scopes[] = {
		[VIOMMU_INVALIDATE_DOMAIN] = IOMMU_INVALIDATE_DOMAIN,
		[VIOMMU_INVALIDATE_PASID] = IOMMU_INVALIDATE_PASID,
		[VIOMMU_INVALIDATE_ADDRESS] = IOMMU_INVALIDATE_ADDRESS,
	};
	const struct viommu_invalidate *r = req;
	u32 domain = le32toh(r->domain), flags = le16toh(r->flags);
	int ret = -EINVAL;

	if (!is_malformed(r)) {
		/* Only leaves are cached here, so LEAF makes no difference. */
		const struct iommu_invalidation inv = {
			.scope = scopes[r->scope],
			.tables = r->caches & VIOMMU_INVALIDATE_C_PASID,
			.pasid = pasid_of(r),
			.id = flags & VIOMMU_INVALIDATE_F_ID ? le64toh(r->id) : IOMMU_NO_ID,
			.global = flags & VIOMMU_INVALIDATE_F_GLOBAL,
			.address = le64toh(r->address),
			.nr_pages = le64toh(r->nr_pages),
			.page_bits = r->page_size,
		};

		ret = iommu_invalidate_begin(viommu->iommu, domain, &inv, &reply->rev);
	}
	trace(TRACE_IOMMU,
	      "invalidate domain=%u scope=%u caches=0x%x flags=0x%x pasid=%u id=0x%llx "
	      "address=0x%llx pages=%llu of 2^%u: %s",
	      domain, r->scope, r->caches, flags, le32toh(r->pasid),
	      (unsigned long long)le64toh(r->id), (unsigned long long)le64toh(r->address),
	      (unsigned long long)le64toh(r->nr_pages), r->page_size,
	      viommu_status_name(viommu_status(ret)));
	return ret;
}
