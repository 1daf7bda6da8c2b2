/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One suite of scenarios for every way in which a guest says what an endpoint's addresses mean:
 * MAP and UNMAP, or tables of each format. A target is a DMA engine with one of these; a space is
 * what one PASID of it, or accesses without one, can reach.
 */
#ifndef LKVM_TESTS_TABLES_SUITE_H
#define LKVM_TESTS_TABLES_SUITE_H

#include "pasid-table.h"
#include "rt.h"
#include "rt/dma-engine.h"

#define MAX_ENGINES 4

/* On which an engine says that it is done. */
#define LINE_DONE 2

extern struct viommu iommu;

struct kind;

/* What a row's pages need, to be accessed, in the way of bits that say that they were. */
enum marks {
	MARKS_NONE, /* there are no such bits, or nobody looks at them */
	MARKS_SET, /* the IOMMU sets them */
	MARKS_NEEDED, /* the guest sets them; who does not gets a fault */
};

/* What of a table the device keeps: that is the domain's, and all of its endpoints have it. */
enum keeps {
	KEEPS_NOTHING,
	KEEPS_PASIDS,
	KEEPS_ALL, /* entry 0, too */
};

/* Adding a format adds a row of these, or a few. */
struct row {
	const char *name;
	const struct kind *kind;
	enum pasid_table_format format;
	bool brief; /* what the rows before have in common with it is tried less */
	unsigned int pasid_bits; /* at most; the property may say less */
	unsigned int shape; /* of the PASID table: what the vendor has several of */
	enum page_table_kind pages;
	enum pasid_table_plain plain;
	enum marks marks;
	enum keeps keeps;
	bool extended; /* EAFE */
	bool writes_all; /* with privilege, what is read-only for users */
	u8 no_entry; /* reason of a fault where an entry was cleared */
};

struct target {
	unsigned int index; /* among the engines */
	struct dma_engine *engine;
	u32 endpoint;
	u32 domain;
	bool has_messages; /* the engine's vector 0 comes in on LINE_DONE */
	u64 doorbell; /* of its messages, if they need a mapping; else 0 */
	const struct row *row;
	struct pasid_table_cfg cfg; /* as chosen for the row */
	struct pasid_table table;
};

/* Accesses without a PASID have PASID 0 here. */
struct space {
	struct target *t;
	u32 pasid;
	u32 id; /* ASID or PSCID, each another */
	struct page_table pt;
};

enum inv_scope {
	INV_ADDRESS,
	INV_PASID,
	INV_DOMAIN,
	INV_ID, /* only if the format has IDs */
	NR_INV_SCOPES,
	INV_ID_GLOBAL = NR_INV_SCOPES, /* and what is global */
};

/* What is done in another way over tables than over mappings; each returns a status. */
struct kind {
	bool has_pasids;
	int (*attach)(struct target *t);
	/* Attaches it to @domain, with the table that it has. */
	int (*enter)(struct target *t, u32 domain);
	/* The endpoint is detached by then, or the IOMMU was reset. */
	void (*release)(struct target *t);
	/* Makes an empty space that the endpoint has; takes it away; gives back what it took. */
	int (*open)(struct space *s);
	int (*close)(struct space *s);
	void (*free)(struct space *s);
	/* One leaf, in place of what was there. PAGE_* flags. */
	int (*map)(struct space *s, u64 iova, u64 gpa, unsigned int size_log2, u32 flags);
	int (*unmap)(struct space *s, u64 iova, unsigned int size_log2);
	/* From then on what map() and unmap() wrote holds. */
	int (*invalidate)(struct space *s, enum inv_scope scope, u64 iova, unsigned int size_log2);
	/* The @n-th of what max-mappings= counts, made with @main; and takes it away. */
	int (*take)(struct space *main, u32 n);
	int (*give)(struct space *main, u32 n);
};

extern const struct kind kind_mapping, kind_tables;

/* All rows that the property of an endpoint allows; NULL at the end. @probed NULL: mappings. */
const struct row *row_next(const struct pasid_table_cfg *probed, const struct row *row);

/* @probed as that row has it. */
void row_choose(const struct row *row, const struct pasid_table_cfg *probed,
		struct pasid_table_cfg *cfg);

/* log2 of a page; sizes that leaves have, as bits; and the highest bit of addresses. */
unsigned int row_page(const struct row *row);
u64 row_sizes(const struct row *row);
u64 row_high(const struct row *row);

/* Runs all of it. The endpoint is detached before and after. */
void run_suite(struct target *t);

/* Two endpoints at once, each with a row of its own. */
void run_pair(struct target *a, struct target *b);

/* Two endpoints in one domain, both with the same row. */
void run_shared(struct target *a, struct target *b);

/*
 * The device has room for @limit mappings or tables, by max-mappings=. @b, which may be NULL, is
 * attached when @a has used it up.
 */
void run_limit(struct target *a, struct target *b, u32 limit);

#endif /* LKVM_TESTS_TABLES_SUITE_H */
