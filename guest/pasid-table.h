/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PASID tables: which page table translates the accesses of an endpoint, for each PASID, in the
 * format that the endpoint's PROBE property shows (docs/page-tables.md). The table is in the
 * guest's memory, or the device keeps it and an entry is written by a request: who uses the
 * library sees no difference.
 *
 * Entry 0 is of accesses without a PASID, if the caller does not want another thing for those. An
 * IOMMU may take an access with PASID 0 for one of those, or refuse it.
 *
 * A driver allocates a table, attaches it, and for each PASID prepares an entry, writes it and
 * synchronises. The functions that send a request return what viommu_request() does; those
 * that find no memory, VIOMMU_S_NOMEM.
 */
#ifndef LKVM_GUEST_PASID_TABLE_H
#define LKVM_GUEST_PASID_TABLE_H

#include "page-table.h"
#include "rt/virtio-iommu.h"

enum pasid_table_format {
	PASID_TABLE_ARM, /* SMMUv3 */
	PASID_TABLE_INTEL, /* VT-d */
	PASID_TABLE_AMD, /* GCR3 table in the guest's memory */
	PASID_TABLE_AMD_PT, /* kept by the device */
	PASID_TABLE_RISCV, /* process directory in the guest's memory */
	PASID_TABLE_RISCV_GIPC, /* kept by the device */
	PASID_TABLE_NR_FORMATS,
};

/* Of a context descriptor table: S1Fmt of a stream table entry. */
enum arm_cd_table {
	ARM_CD_LINEAR,
	ARM_CD_4K_LEAVES,
	ARM_CD_64K_LEAVES,
};

/* MODE of pdtp */
enum riscv_directory {
	RISCV_PD8 = 1,
	RISCV_PD17 = 2,
	RISCV_PD20 = 3,
};

/* What becomes of accesses without a PASID. */
enum pasid_table_plain {
	PLAIN_ENTRY_0,
	PLAIN_BYPASS, /* their addresses are GPAs; not with VT-d */
	PLAIN_REFUSED, /* only with SMMUv3 */
};

/* What the property says is the most; the caller may choose less before pasid_table_alloc(). */
struct pasid_table_cfg {
	enum pasid_table_format format;
	unsigned int pasid_bits; /* PASIDs that the table has */
	bool has_id; /* entries have an ASID or PSCID, which INVALIDATE can name */
	enum page_table_kind pages; /* with AMD of all entries; else an entry may have another */
	enum pasid_table_plain plain;
	union {
		struct {
			enum arm_cd_table cd_table;
			u8 oas; /* as in IDR5 */
		} arm;
		struct {
			bool supervisor; /* accesses with privilege are served (SRE) */
			bool write_protect; /* and write only where users may (WPE) */
			bool extended; /* pages are marked as accessed in one more bit (EAFE) */
		} intel;
		struct {
			u8 glx; /* levels - 1 */
			bool unmarked; /* pages are not marked (gaupdatedis) */
		} amd;
		struct {
			enum riscv_directory directory;
			bool marks; /* pages are marked by the IOMMU (SADE), not by the guest */
		} riscv;
	} vendor;
};

#define PASID_ENTRY_WORDS 4

/* An entry, in words of the vendor's. */
struct pasid_entry {
	u64 word[PASID_ENTRY_WORDS];
};

struct pasid_table_ops;

struct pasid_table {
	struct pasid_table_cfg cfg;
	const struct pasid_table_ops *ops;
	struct viommu *iommu;
	u32 domain;
	u32 endpoint;
	u64 *base; /* may be NULL if the device keeps the table */
};

/* What each vendor has. */
struct pasid_table_ops {
	/* Sets @base and whatever else is needed before attach(). VIOMMU_S_OK or _NOMEM. */
	int (*alloc)(struct pasid_table *t);
	void (*free)(struct pasid_table *t);

	/* Makes an entry that leads to @pt. */
	void (*prepare)(const struct pasid_table *t, const struct page_table *pt, u32 id,
			struct pasid_entry *e);

	/* Puts it in its place; with NULL there is none afterwards. */
	int (*write)(struct pasid_table *t, u32 pasid, const struct pasid_entry *e);

	/*
	 * No entry that was there before is used any more; @leaf: only entries changed, no
	 * tables that lead to them. NULL where the answer to write() says as much.
	 */
	int (*sync)(struct pasid_table *t, u32 pasid, bool leaf);

	/* The descriptor of the ATTACH_TABLE for the endpoint. */
	void (*attach)(const struct pasid_table *t, struct viommu_req_attach_table *req);
};

extern const struct pasid_table_ops pasid_table_arm, pasid_table_intel, pasid_table_amd,
	pasid_table_amd_pt, pasid_table_riscv, pasid_table_riscv_gipc;

/* What a PROBE property shows. False if it is not of a format that is known here. */
bool pasid_table_probe(const struct viommu_property *p, struct pasid_table_cfg *cfg);

/* What PROBE of @endpoint shows. False if it takes no tables that are known here. */
bool pasid_table_probe_endpoint(struct viommu *iommu, u32 endpoint, struct pasid_table_cfg *cfg);

const char *pasid_table_name(enum pasid_table_format format);

/* What pasid_table_probe() chooses as page tables of the format. */
enum page_table_kind pasid_table_pages(enum pasid_table_format format);

int pasid_table_alloc(struct pasid_table *t, struct viommu *iommu,
		      const struct pasid_table_cfg *cfg, u32 domain, u32 endpoint);

/* The table is no longer attached by then. */
void pasid_table_free(struct pasid_table *t);

/* Attaches it to the endpoint, in the domain, whose tables it has from then on. */
int pasid_table_attach(struct pasid_table *t);

/* Prepares, writes and synchronises an entry. @id is its ASID or PSCID, if there is one. */
int pasid_table_set(struct pasid_table *t, u32 pasid, const struct page_table *pt, u32 id);

/* The same of no entry: accesses of that PASID are refused. */
int pasid_table_clear(struct pasid_table *t, u32 pasid);

/*
 * Builders of INVALIDATE, to be sent with viommu_request(). @pasid is 0 for none; @global: what
 * is global, too.
 */
void pasid_table_inv_domain(const struct pasid_table *t, struct viommu_req_invalidate *req);
void pasid_table_inv_id(const struct pasid_table *t, u32 id, bool global,
			struct viommu_req_invalidate *req);
void pasid_table_inv_pasid(const struct pasid_table *t, u32 pasid,
			   struct viommu_req_invalidate *req);
void pasid_table_inv_address(const struct pasid_table *t, u32 pasid, u64 address, u64 nr_pages,
			     unsigned int size_log2, struct viommu_req_invalidate *req);

/* For the vendors' operations. */

/* INVALIDATE of the entry of @pasid and all that was translated by it. */
int pasid_table_sync_entry(struct pasid_table *t, u32 pasid, bool leaf);

/* Starts an ATTACH_TABLE; the descriptor is left zeroed. */
void pasid_table_request(const struct pasid_table *t, u8 format,
			 struct viommu_req_attach_table *req);

/*
 * The table of 2^@order pages that @entry leads to. Such an entry is the address, shifted to the
 * right by @shift, and bit 0. If there is no table, a new one, or without @alloc NULL; NULL if
 * there is no memory.
 */
u64 *pasid_table_next(u64 *entry, unsigned int shift, unsigned int order, bool alloc);

/* Writes @n words of an entry whose first has a bit that says it is valid: others come first. */
void pasid_table_store(u64 *place, const u64 *word, unsigned int n);

#endif /* LKVM_GUEST_PASID_TABLE_H */
