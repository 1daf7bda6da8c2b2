/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * I/O page tables of a guest, in the formats of the proposed extension of the virtio-iommu. All
 * that lkvm knows of a vendor is in one file, iommu/format-VENDOR.c, behind struct iommu_format:
 * the ID registers that a guest sees, the checks of an ATTACH_TABLE, and the walk in software.
 *
 * A format has no state: what was attached is a struct iommu_table, which the domain keeps, and
 * everything else is in guest memory. A walk may run in many threads at a time and takes no lock.
 */
#ifndef LKVM_IOMMU_FORMAT_H
#define LKVM_IOMMU_FORMAT_H

#include "iommu/iommu.h"
#include "util/types.h"
#include "vm/memory.h"

/* ATTACH_TABLE: the bytes behind the format's number, and how many there are. */
#define IOMMU_DESCRIPTOR_SIZE 111

/* One ATTACH_TABLE that was found valid. */
struct iommu_table {
	u8 wire_format;
	u32 pasid; /* DMA_NO_PASID: for all of the endpoint's accesses, or those without a PASID */
	u64 word[4]; /* what the format keeps of it */
};

struct report;

/* Supplies tables that the device keeps a PASID; NULL if there is none. No lock needed. */
typedef const struct iommu_table *iommu_table_lookup(const void *opaque, u32 pasid);

/* One access to be translated. */
struct iommu_walk {
	const struct guest_mem *mem;
	const struct iommu_limits *limits;
	const struct iommu_table *base; /* the one without a PASID; NULL: none */
	iommu_table_lookup *lookup; /* those with a PASID */
	const void *opaque; /* for lookup */
	u32 pasid; /* or DMA_NO_PASID */
	u64 iova;
	u32 access; /* DMA_READ, DMA_WRITE, DMA_EXEC, and DMA_PRIV */
};

/* What came of it. */
struct iommu_walk_result {
	/*
	 * IOVAs [start, last] translate to GPAs from gpa on, and are all of one leaf; or, if
	 * the access is not translated, are all that pass, from 0 to ~0 or as many bits as
	 * addresses may have, with gpa 0.
	 */
	u64 start, last;
	u64 gpa;
	/*
	 * What accesses of the same privilege may do there without another walk: without
	 * DMA_WRITE as long as the leaf is not marked dirty, if that is this format's way. An
	 * access needs each of its bits: DMA_READ | DMA_EXEC is both.
	 */
	u32 access;
	/*
	 * For INVALIDATE, what the entry is tagged with. The PASID is that of the table, which
	 * need not be the access's own: one without a PASID may be served by the table of
	 * PASID 0. Only accesses with the access's own PASID may use the entry.
	 */
	u32 pasid; /* or DMA_NO_PASID */
	u32 id; /* ASID, PSCID; IOMMU_NO_ID */
	bool global; /* valid for each ID */
	/* start and last have in bits 63:56 what the access had; an ADDRESS has others. */
	bool top_ignored;

	/* On failure: */
	enum iommu_fault_reason reason;
	u32 code; /* the vendor's number of the event, for messages */
	const char *why; /* the vendor's name of it, static */
	bool silent; /* the guest asked for no report of this one */
};

struct iommu_format {
	const char *name; /* as in tables=NAME */

	/*
	 * Numbers that ATTACH_TABLE may have: that of the table for the whole endpoint and
	 * that of tables of one PASID, which the device keeps. 0: there is no such table.
	 */
	u8 base_format;
	u8 pasid_format;
	/* Tables of a PASID need the base to be attached first. */
	bool needs_base;
	/* A request for a table of a PASID names a domain, and no endpoint. */
	bool whole_domain;

	/*
	 * The PROBE property of an emulated endpoint with these limits: header and all, in
	 * @buf of IOMMU_PROPERTY_MAX bytes. Returns its length, a multiple of 8.
	 */
	unsigned int (*property)(const struct iommu_limits *limits, u8 *buf);

	/*
	 * Checks a request: @desc has IOMMU_DESCRIPTOR_SIZE bytes, all those that are
	 * reserved included. 0 with @table filled in; -EINVAL: a field is malformed;
	 * -EOPNOTSUPP: well formed, but not offered; -ERANGE: a PASID too wide.
	 */
	int (*check)(const struct iommu_limits *limits, u8 wire_format, const u8 *desc,
		     struct iommu_table *table);

	/*
	 * Translates. -EFAULT with the reason in @result. Reads each entry of guest memory
	 * once, ends after as many reads as there can be levels (and retries after a lost
	 * compare-and-swap, each of which means that somebody else went on).
	 */
	int (*walk)(const struct iommu_walk *walk, struct iommu_walk_result *result);

	/*
	 * What a table of this format says, in the vendor's terms, into an open object of @r:
	 * for people who write a guest's driver.
	 */
	void (*describe)(const struct iommu_table *table, struct report *r);

	/* What an ID of INVALIDATE is: an ASID or PSCID, or a domain's, which no entry knows. */
	unsigned int id_bits;

	/* Sizes of leaves, as bits of log2: what page_size of INVALIDATE may be. */
	u64 page_sizes;
};

#define IOMMU_PROPERTY_MAX 64

/* ATTACH_TABLE's numbers of formats, and types of PROBE properties. */
#define VIOMMU_TABLE_ARM_SMMU3 1
#define VIOMMU_TABLE_INTEL_PT  2
#define VIOMMU_TABLE_RISCV     4
#define VIOMMU_TABLE_AMD_GCR3  5
#define VIOMMU_TABLE_AMD_PT    6

#define VIOMMU_PROBE_T_HW_ARM_SMMU3 2
#define VIOMMU_PROBE_T_HW_INTEL_VTD 3
#define VIOMMU_PROBE_T_HW_RISCV	    4
#define VIOMMU_PROBE_T_HW_AMD	    5

extern const struct iommu_format format_smmuv3;
extern const struct iommu_format format_vtd;
extern const struct iommu_format format_amd; /* GCR3 tables of the guest */
extern const struct iommu_format format_amd_pt; /* a GCR3 table that the device keeps */
extern const struct iommu_format format_riscv;
extern const struct iommu_format format_riscv_gipc; /* a process directory that the device keeps */

/* All of them, up to a NULL. */
extern const struct iommu_format *const iommu_formats[];

/* What names one, for usage texts and messages; "none" is NULL. */
#define IOMMU_FORMATS "smmuv3|vtd|amd|amd-pt|riscv|riscv-gipc|none"

/* Prints nothing; -EINVAL. */
int iommu_format_by_name(const char *name, const struct iommu_format **format);

/*
 * What a guest may see of a host's ID registers: a bit is shown only if it is known, if lkvm
 * can do it with the host's help, and if it means something to a guest. Pure functions.
 */
struct smmuv3_regs {
	u32 idr[6];
};
struct vtd_regs {
	u64 cap, ecap;
};
struct amd_regs {
	u32 cap;
	u64 efr, efr2;
};
struct riscv_regs {
	u64 capabilities;
	u32 fctl;
};
void smmuv3_sanitize(const struct smmuv3_regs *host, const struct iommu_limits *limits,
		     struct smmuv3_regs *guest);
void vtd_sanitize(const struct vtd_regs *host, const struct iommu_limits *limits,
		  struct vtd_regs *guest);
void amd_sanitize(const struct amd_regs *host, const struct iommu_limits *limits,
		  struct amd_regs *guest);
void riscv_sanitize(const struct riscv_regs *host, const struct iommu_limits *limits,
		    struct riscv_regs *guest);

#endif /* LKVM_IOMMU_FORMAT_H */
