// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>

#include "build-riscv.h"
#include "iommu/dma.h"

unsigned int rv_levels(unsigned int mode)
{
	return mode == SV39 ? 3 : mode == SV48 ? 4 : 5;
}

void rv_init(struct rv_space *space, struct table_memory *tm, unsigned int mode)
{
	*space = (struct rv_space){tm, mode, table_alloc(tm, 4 * KiB)};
}

u64 rv_iosatp(const struct rv_space *space)
{
	return space->root / 4096 | (u64)space->mode << 60;
}

u64 rv_sign_extend(unsigned int mode, u64 va)
{
	unsigned int unused = 64 - 12 - 9 * rv_levels(mode);

	return (u64)((s64)(va << unused) >> unused);
}

u64 rv_entry(const struct rv_space *space, u64 va, unsigned int level)
{
	unsigned int l = rv_levels(space->mode) - 1;
	u64 table = space->root;

	for (;; l--) {
		u64 at = table + bits(va, 12 + 9 * l + 8, 12 + 9 * l) * 8;

		if (l == level)
			return at;
		if (!table_get(space->tm, at))
			table_put(space->tm, at,
				  table_alloc(space->tm, 4 * KiB) / 4096 << 10 | PTE_V);
		table = bits(table_get(space->tm, at), 53, 10) << 12;
	}
}

u64 rv_leaf(u64 pa, u64 attributes)
{
	return pa / 4096 << 10 | attributes;
}

void rv_map(const struct rv_space *space, u64 va, unsigned int level, u64 pa, u64 attributes)
{
	table_put(space->tm, rv_entry(space, va, level), rv_leaf(pa, attributes));
}

u64 pdt_init(struct table_memory *tm, unsigned int mode)
{
	return table_alloc(tm, 4 * KiB) / 4096 | (u64)mode << 60;
}

static u64 pdt_next(struct table_memory *tm, u64 table, u64 index)
{
	u64 at = table + index * 8;

	if (!table_get(tm, at))
		table_put(tm, at, table_alloc(tm, 4 * KiB) / 4096 << 10 | 1);
	return bits(table_get(tm, at), 53, 10) << 12;
}

u64 pdt_entry(struct table_memory *tm, u64 pdtp, u32 pasid)
{
	u64 table = bits(pdtp, 43, 0) << 12, mode = bits(pdtp, 63, 60);

	if (mode == PD20)
		table = pdt_next(tm, table, bits(pasid, 19, 17));
	if (mode >= PD17)
		table = pdt_next(tm, table, bits(pasid, 16, 8));
	return table + bits(pasid, 7, 0) * 16;
}

/* The slow walk. */

struct reference {
	const struct guest_mem *mem;
	struct iommu_walk_result *result;
	unsigned int pa_bits;
	bool dtf;
	struct rv_pte *last;
};

static int fault(struct reference *ref, enum iommu_fault_reason reason, u32 cause)
{
	ref->result->reason = reason;
	ref->result->code = cause;
	/* 1 to 23, 260 to 267, 269 to 271, 274 */
	ref->result->silent = ref->dtf && (cause <= 23 || (cause >= 260 && cause <= 267));
	return -EFAULT;
}

static bool load(struct reference *ref, u64 gpa, u64 *val)
{
	u64 raw;

	if (gpa >= 1ULL << ref->pa_bits || guest_mem_read(ref->mem, gpa, &raw, sizeof(raw)))
		return false;
	*val = le64toh(raw);
	return true;
}

static int by_access(struct reference *ref, enum iommu_fault_reason reason, u32 access, u32 exec,
		     u32 read, u32 write)
{
	if (access & DMA_WRITE)
		return fault(ref, reason, write);
	return fault(ref, reason, access & DMA_EXEC ? exec : read);
}

static int page_fault(struct reference *ref, u32 access)
{
	return by_access(ref, IOMMU_FAULT_MAPPING, access, 12, 13, 15);
}

static int access_fault(struct reference *ref, u32 access)
{
	return by_access(ref, IOMMU_FAULT_UNKNOWN, access, 1, 5, 7);
}

static int bare(struct reference *ref, u64 iova, u32 access)
{
	if (iova >= 1ULL << ref->pa_bits)
		return by_access(ref, IOMMU_FAULT_MAPPING, access, 1, 5, 7);
	ref->result->start = 0;
	ref->result->last = (1ULL << ref->pa_bits) - 1;
	ref->result->gpa = 0;
	ref->result->access = DMA_READ | DMA_WRITE | DMA_EXEC;
	return 0;
}

/* Whether a leaf lets an access of one kind pass. */
static bool permits(u64 pte, u32 kind, bool supervisor, bool sum)
{
	if (kind == DMA_READ && !bits(pte, 1, 1))
		return false;
	if (kind == DMA_WRITE && !bits(pte, 2, 2))
		return false;
	if (kind == DMA_EXEC && !bits(pte, 3, 3))
		return false;
	if (!supervisor)
		return bits(pte, 4, 4);
	if (bits(pte, 4, 4))
		return kind != DMA_EXEC && sum;
	return true;
}

static int first_stage(struct reference *ref, u64 iosatp, bool supervisor, bool sum, bool sade,
		       u64 iova, u32 access)
{
	static const u32 kinds[] = {DMA_READ, DMA_WRITE, DMA_EXEC};
	unsigned int levels = rv_levels(bits(iosatp, 63, 60)), i, k, size_bits;
	u64 a = bits(iosatp, 43, 0) * 4096, pte, pa, at;
	bool global = false;

	/* All bits from the highest of the address on are the same. */
	for (k = 12 + 9 * levels; k < 64; k++)
		if (bits(iova, k, k) != bits(iova, 12 + 9 * levels - 1, 12 + 9 * levels - 1))
			return page_fault(ref, access);

	for (i = levels - 1;; i--) {
		at = a + bits(iova, 12 + 9 * i + 8, 12 + 9 * i) * 8;
		if (!load(ref, at, &pte))
			return access_fault(ref, access);
		*ref->last = (struct rv_pte){at, pte};
		if (!bits(pte, 0, 0))
			return page_fault(ref, access);
		if (!bits(pte, 1, 1) && bits(pte, 2, 2))
			return page_fault(ref, access);
		if (bits(pte, 58, 54) || bits(pte, 62, 61) == 3)
			return page_fault(ref, access);
		if (bits(pte, 63, 63) && i)
			return page_fault(ref, access);
		global = global || bits(pte, 5, 5);
		if (bits(pte, 3, 1))
			break;
		/* A, D, U and PBMT are reserved in pointers. */
		if (bits(pte, 7, 6) || bits(pte, 4, 4) || bits(pte, 62, 61))
			return page_fault(ref, access);
		if (i == 0)
			return page_fault(ref, access);
		a = bits(pte, 53, 10) * 4096;
	}

	for (k = 0; k < 3; k++)
		if (access & kinds[k] && !permits(pte, kinds[k], supervisor, sum))
			return page_fault(ref, access);
	if (i && bits(pte, 10 + 9 * i - 1, 10))
		return page_fault(ref, access);
	size_bits = 12 + 9 * i;
	pa = bits(pte, 53, 10) * 4096;
	if (bits(pte, 63, 63)) {
		if (bits(pte, 13, 10) != 8)
			return page_fault(ref, access);
		size_bits = 16;
		pa -= 8 * 4096;
	}
	if (pa >= 1ULL << ref->pa_bits)
		return access_fault(ref, access);
	if (!bits(pte, 6, 6) || (access & DMA_WRITE && !bits(pte, 7, 7))) {
		if (!sade)
			return page_fault(ref, access);
		pte |= PTE_A;
		if (access & DMA_WRITE)
			pte |= PTE_D;
		ref->last->val = pte;
	}

	ref->result->start = iova >> size_bits << size_bits;
	ref->result->last = ref->result->start + ((1ULL << size_bits) - 1);
	ref->result->gpa = pa;
	for (k = 0; k < 3; k++)
		if (permits(pte, kinds[k], supervisor, sum))
			ref->result->access |= kinds[k];
	if (!bits(pte, 7, 7))
		ref->result->access &= ~DMA_WRITE;
	ref->result->global = global;
	return 0;
}

/* The PC of @pasid in a directory in memory. */
static int locate_pc(struct reference *ref, u64 pdtp, u32 pasid, u64 pc[2])
{
	u64 a = bits(pdtp, 43, 0) * 4096, index[3], pdte, mode;
	int i = bits(pdtp, 63, 60) - 1;

	index[0] = bits(pasid, 7, 0);
	index[1] = bits(pasid, 16, 8);
	index[2] = bits(pasid, 19, 17);
	for (; i > 0; i--) {
		if (!load(ref, a + index[i] * 8, &pdte))
			return fault(ref, IOMMU_FAULT_UNKNOWN, 265);
		if (!bits(pdte, 0, 0))
			return fault(ref, IOMMU_FAULT_DOMAIN, 266);
		if (bits(pdte, 9, 1) || bits(pdte, 63, 54))
			return fault(ref, IOMMU_FAULT_UNKNOWN, 267);
		a = bits(pdte, 53, 10) * 4096;
	}
	if (!load(ref, a + index[0] * 16, &pc[0]) || !load(ref, a + index[0] * 16 + 8, &pc[1]))
		return fault(ref, IOMMU_FAULT_UNKNOWN, 265);
	if (!bits(pc[0], 0, 0))
		return fault(ref, IOMMU_FAULT_DOMAIN, 266);
	mode = bits(pc[1], 63, 60);
	if (bits(pc[0], 11, 3) || bits(pc[0], 63, 32) || bits(pc[1], 59, 44) ||
	    (mode != 0 && mode != SV39 && mode != SV48 && mode != SV57))
		return fault(ref, IOMMU_FAULT_UNKNOWN, 267);
	return 0;
}

int rv_reference(const struct guest_mem *mem, const struct iommu_limits *limits, const u64 dc[3],
		 bool managed, const u64 *pc, u32 pasid, u64 iova, u32 access,
		 struct iommu_walk_result *result, struct rv_pte *last)
{
	struct reference ref = {mem, result, limits->pa_bits, bits(dc[0], 4, 4), last};
	bool pdtv = bits(dc[0], 5, 5), dpe = bits(dc[0], 9, 9), sade = bits(dc[0], 8, 8);
	bool has_pasid = pasid != DMA_NO_PASID, plain = !has_pasid;
	u64 mode = bits(dc[2], 63, 60), found[2], ta, fsc;
	u32 request = access & (DMA_READ | DMA_WRITE | DMA_EXEC);
	bool supervisor = has_pasid && access & DMA_PRIV;
	int ret;

	*result = (struct iommu_walk_result){.pasid = DMA_NO_PASID, .id = IOMMU_NO_ID};
	*last = (struct rv_pte){~0ULL, 0};
	/* Without a PASID, to execute is a read. */
	if (plain && access & DMA_EXEC)
		request = (request & DMA_WRITE) | DMA_READ;

	if (has_pasid && !pdtv)
		return fault(&ref, IOMMU_FAULT_DOMAIN, 260);
	if (has_pasid && managed && pasid >= 1ULL << limits->pasid_bits)
		return fault(&ref, IOMMU_FAULT_DOMAIN, 260);
	if (has_pasid && !managed && mode == PD8 && pasid >= 1 << 8)
		return fault(&ref, IOMMU_FAULT_DOMAIN, 260);
	if (has_pasid && !managed && mode == PD17 && pasid >= 1 << 17)
		return fault(&ref, IOMMU_FAULT_DOMAIN, 260);
	if (has_pasid && !managed && mode == PD20 && pasid >= 1 << 20)
		return fault(&ref, IOMMU_FAULT_DOMAIN, 260);

	if (!pdtv) {
		ta = dc[1];
		fsc = dc[2];
	} else {
		if (!has_pasid && dpe) {
			has_pasid = true;
			pasid = 0;
		}
		if (!has_pasid || (!managed && mode == 0))
			return bare(&ref, iova, request);
		if (managed) {
			if (!pc)
				return fault(&ref, IOMMU_FAULT_DOMAIN, 266);
			found[0] = pc[0];
			found[1] = pc[1];
		} else {
			ret = locate_pc(&ref, dc[2], pasid, found);
			if (ret)
				return ret;
		}
		ta = found[0];
		fsc = found[1];
		if (supervisor && !bits(ta, 1, 1))
			return fault(&ref, IOMMU_FAULT_DOMAIN, 260);
		result->pasid = pasid;
	}

	if (bits(fsc, 63, 60) == 0)
		return bare(&ref, iova, request);
	ret = first_stage(&ref, fsc, supervisor, pdtv && bits(ta, 2, 2), sade, iova, request);
	if (ret)
		return ret;
	if (plain) {
		result->access &= ~DMA_EXEC;
		if (result->access & DMA_READ)
			result->access |= DMA_EXEC;
	}
	result->id = bits(ta, 31, 12);
	return 0;
}
