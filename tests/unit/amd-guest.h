/* SPDX-License-Identifier: GPL-2.0-only */
/* A guest with tables of the formats amd or amd-pt, made by the builder, and walks of them. */
#ifndef LKVM_TESTS_AMD_GUEST_H
#define LKVM_TESTS_AMD_GUEST_H

#include <errno.h>

#include "build-x86.h"
#include "iommu/dma.h"
#include "iommu/format.h"
#include "unit.h"

#define RAM	   (1 * MiB) /* GPA and size */
#define PAGE	   4096ULL
#define GCR3_ROOT  (RAM + 32 * KiB) /* and more GCR3 tables behind it */
#define TABLES	   (RAM + 64 * KiB)
#define PA_BITS	   40
#define PASID_BITS 20

/* Types of events. */
#define PAGE_FAULT     2
#define HARDWARE_ERROR 4

#define GCR3 5 /* ATTACH_TABLE's formats */
#define PT   6

/* The fields of format 5 that are not 0 everywhere. */
struct amd_setup {
	u64 root;
	u8 glx, giov, mode, gaupdatedis;
};

struct amd_guest {
	struct guest_mem mem;
	struct iommu_limits limits;
	struct x86_build b;
	bool pt; /* the format amd-pt */
	struct iommu_table base, table; /* and, for amd-pt, of one PASID */
	bool has_table;
	struct iommu_walk_result result;
};

/* There is one at a time. */
extern struct amd_guest amd;

/* Memory; and a table of @pasid, empty but for its root. */
void amd_begin_empty(bool pt);
void amd_begin(bool pt, struct amd_setup s, u32 pasid);
void amd_end(void);

const struct iommu_format *amd_format(void);

/* ATTACH_TABLE: its bytes, and what the format says to them. */
void amd_gcr3_desc(u8 *desc, const struct amd_setup *s);
void amd_pt_desc(u8 *desc, u64 root, u32 pasid);
int amd_check(u8 wire_format, const u8 *desc, struct iommu_table *table);

/* The base; for amd-pt with root 0. */
void amd_attach(struct amd_setup s);

u64 amd_gcr3_index(u32 pasid, unsigned int level);

/* Where the entry for @pasid is in tables from GCR3_ROOT on, each a page behind the one above. */
u64 amd_gcr3_entry(u32 pasid, unsigned int glx, unsigned int level);

/* The builder's tables are those of @pasid. */
void amd_set_pasid(u32 pasid, unsigned int glx);

/* What a walk finds tables of PASIDs with, in amd-pt only. @opaque is &amd. */
iommu_table_lookup amd_lookup;

/* What it finds is in amd.result. */
int amd_walk(u32 pasid, u64 iova, u32 access);
void amd_check_fault(int ret, u32 code, enum iommu_fault_reason reason);

/* What the GCR3 table has for a PASID. */
enum gcr3_end {
	GCR3_FOUND = REF_ENDS,
	GCR3_NONE,
	GCR3_UNREADABLE,
	GCR3_RESERVED,
	ALL_ENDS,
};

/*
 * One access with everything random but the memory, in one of the twins, against the reference in
 * the other: an enum x86_ref_end or gcr3_end. amd.pt and the limit of PASIDs are the caller's.
 */
unsigned int amd_compare(struct x86_twins *twins, unsigned int pa_bits);

/* Four pages for GCR3 tables, which are not likely among the others; their @n-th entry. */
#define AMD_GCR3_ENTRIES (4 * 512)
void amd_choose_gcr3_pages(void);
void amd_random_gcr3(struct x86_twins *twins, unsigned int n);

#endif /* LKVM_TESTS_AMD_GUEST_H */
