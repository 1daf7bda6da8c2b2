/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Address spaces of endpoints, of each kind that a guest can make: by MAP and by page tables in
 * each format, with and without PASIDs. All is done by requests to the virtio-iommu of
 * iommu-guest.h, which has to offer tables, and by writes to page tables in the guest's memory.
 */
#ifndef LKVM_TESTS_SPACE_H
#define LKVM_TESTS_SPACE_H

#include "iommu/format.h"
#include "table-memory.h"
#include "util/types.h"

#define SPACE_PAGES 4 /* in a row, of SPACE_PAGE bytes, that can be mapped */
#define SPACE_PAGE  4096ULL
#define SPACE_IOVA  0x40000000ULL /* of the first one */

#define SPACE_MAX_REQUESTS 2

struct space;

/* An ATTACH_TABLE that is ready to be sent. */
struct space_table {
	u8 format;
	u8 desc[IOMMU_DESCRIPTOR_SIZE];
};

/* A root with all that is below it. */
struct space_tree {
	struct space_table requests[SPACE_MAX_REQUESTS];
	unsigned int nr_requests;
	u64 entries[SPACE_PAGES]; /* GPAs of the leaves' entries */
};

struct space_kind {
	const char *name;
	const struct iommu_format *format; /* NULL: MAP and UNMAP */
	u32 pasid; /* that the accesses have */
	u32 id; /* what INVALIDATE may name it by, or IOMMU_NO_ID */
	u64 (*leaf)(u64 gpa);
	void (*build)(const struct space_kind *kind, struct table_memory *tm,
		      struct space_tree *tree);
};

/* All of them; the first one is without tables. */
#define SPACE_KINDS 9
extern const struct space_kind space_kinds[SPACE_KINDS];

struct space {
	const struct space_kind *kind;
	u32 domain, ep; /* IDs */
	struct table_memory *tm;
	struct space_tree tree;
	struct space_tree empty; /* another one, that stays so */
};

/*
 * @tm: where tables go, part of the guest's memory. Nothing is attached yet; the endpoint takes
 * the kind's format.
 */
void space_init(struct space *s, const struct space_kind *kind, struct table_memory *tm, u32 domain,
		u32 ep);

/* The status of the request, or of the first that is not OK. */
int space_attach(struct space *s);
int space_attach_empty(struct space *s); /* with tables only */
int space_map(struct space *s, unsigned int page, u64 gpa);
int space_unmap(struct space *s, unsigned int page, unsigned int nr);
int space_detach(struct space *s);

/* With tables only: takes entries away, without a request; INVALIDATE of @scope, as wide as it. */
void space_clear(struct space *s, unsigned int page, unsigned int nr);
int space_invalidate(struct space *s, u8 scope, unsigned int page, unsigned int nr);

#endif /* LKVM_TESTS_SPACE_H */
