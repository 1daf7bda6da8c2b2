// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "build-aarch64.h"
#include "iommu/dma.h"

/* By log2 of the page size and level; 0: there is no such level. */
unsigned int a64_level_bit(unsigned int granule, unsigned int level)
{
	static const u8 bit_4k[] = {39, 30, 21, 12};
	static const u8 bit_16k[] = {47, 36, 25, 14};
	static const u8 bit_64k[] = {0, 42, 29, 16};

	return granule == 12 ? bit_4k[level] : granule == 14 ? bit_16k[level] : bit_64k[level];
}

static unsigned int first_level(unsigned int granule, unsigned int tsz)
{
	unsigned int level = granule == 16 ? 1 : 0;

	while (level < 3 && a64_level_bit(granule, level) >= 64 - tsz)
		level++;
	return level;
}

unsigned int a64_first_level(const struct a64_space *space)
{
	return first_level(space->granule, space->tsz);
}

/* How many entries the first table has. */
static u64 first_entries(unsigned int granule, unsigned int tsz)
{
	return 1ULL << (64 - tsz - a64_level_bit(granule, first_level(granule, tsz)));
}

void a64_init(struct a64_space *space, struct table_memory *tm, unsigned int granule,
	      unsigned int tsz, bool upper)
{
	u64 size = first_entries(granule, tsz) * 8;

	*space = (struct a64_space){tm, granule, tsz, upper, 0};
	/* What is 52 bits wide is in steps of 64 bytes. */
	space->ttb = table_alloc(tm, size < 64 ? 64 : size);
}

u64 a64_va(unsigned int tsz, bool upper, u64 low)
{
	u64 mask = ~0ULL >> tsz;

	return upper ? ~mask | (low & mask) : low & mask;
}

static u64 a64_index(const struct a64_space *space, u64 va, unsigned int level)
{
	unsigned int lo = a64_level_bit(space->granule, level);
	unsigned int hi = level == a64_first_level(space)
				  ? 63 - space->tsz
				  : a64_level_bit(space->granule, level - 1) - 1;

	return bits(va, hi, lo);
}

/* An address where descriptors have it: 51:48 in 15:12, which only 64 KiB pages can. */
static u64 a64_address(unsigned int granule, u64 gpa)
{
	return bits(gpa, 47, 0) | (granule == 16 ? bits(gpa, 51, 48) << 12 : 0);
}

u64 a64_entry(const struct a64_space *space, u64 va, unsigned int level)
{
	u64 table = space->ttb;
	unsigned int l;

	for (l = a64_first_level(space);; l++) {
		u64 at = table + a64_index(space, va, l) * 8;

		if (l == level)
			return at;
		if (!table_get(space->tm, at)) {
			u64 next = table_alloc(space->tm, 1ULL << space->granule);

			table_put(space->tm, at, a64_address(space->granule, next) | 3);
		}
		table = table_get(space->tm, at) & 0xfffffffff000ULL;
	}
}

u64 a64_leaf(const struct a64_space *space, unsigned int level, u64 pa, u64 attributes)
{
	return a64_address(space->granule, pa) | attributes | (level == 3 ? 3 : 1);
}

void a64_map(const struct a64_space *space, u64 va, unsigned int level, u64 pa, u64 attributes)
{
	table_put(space->tm, a64_entry(space, va, level), a64_leaf(space, level, pa, attributes));
}

static u64 cd_half(const struct a64_space *space)
{
	u64 tg0 = space->granule == 12 ? 0 : space->granule == 16 ? 1 : 2;
	u64 tg1 = space->granule == 14 ? 1 : space->granule == 12 ? 2 : 3;

	return space->upper ? (u64)space->tsz << 16 | tg1 << 22 : space->tsz | tg0 << 6;
}

void cd_fill(u64 cd[8], const struct a64_space *space, u16 asid)
{
	memset(cd, 0, 8 * sizeof(*cd));
	cd[0] = CD_V | CD_AA64 | CD_A | CD_R | CD_ASET | CD_ASID(asid) | CD_IPS(5) |
		CD_EPD(!space->upper) | cd_half(space);
	cd[space->upper ? 2 : 1] = space->ttb;
	cd[3] = 0xff440c0400ULL; /* MAIR */
}

void cd_add(u64 cd[8], const struct a64_space *space)
{
	cd[0] &= ~CD_EPD(space->upper);
	cd[0] |= cd_half(space);
	cd[space->upper ? 2 : 1] = space->ttb;
}

void cd_put(const struct table_memory *tm, u64 gpa, const u64 cd[8])
{
	unsigned int i;

	for (i = 0; i < 8; i++)
		table_put(tm, gpa + i * 8, cd[i]);
}

u64 cd_table(struct table_memory *tm, unsigned int fmt, unsigned int cdmax)
{
	u64 entries = 1ULL << cdmax, size;

	if (!cdmax || fmt == FMT_LINEAR)
		size = entries * 64;
	else if (fmt == FMT_LEAVES_4K)
		size = entries > 64 ? entries / 64 * 8 : 8;
	else
		size = entries > 1024 ? entries / 1024 * 8 : 8;
	return table_alloc(tm, size < 64 ? 64 : size) | STE_V | STE_S1 | STE_FMT(fmt) |
	       STE_CDMAX(cdmax);
}

u64 cd_entry(struct table_memory *tm, u64 ste0, u32 pasid)
{
	u64 table = bits(ste0, 51, 6) << 6;
	u32 per_leaf = bits(ste0, 5, 4) == FMT_LEAVES_4K ? 64 : 1024;
	u64 l1;

	if (!bits(ste0, 63, 59) || bits(ste0, 5, 4) == FMT_LINEAR)
		return table + pasid * 64ULL;
	l1 = table + pasid / per_leaf * 8;
	if (!table_get(tm, l1))
		table_put(tm, l1, table_alloc(tm, per_leaf * 64) | 1);
	return (table_get(tm, l1) & ~0xfffULL) + pasid % per_leaf * 64;
}

/* The slow walk. */

struct reference {
	const struct guest_mem *mem;
	unsigned int oas;
	struct iommu_walk_result *result;
};

static int event(struct reference *ref, u32 code)
{
	ref->result->code = code;
	switch (code) {
	case 0x02:
	case 0x06:
	case 0x08:
		ref->result->reason = IOMMU_FAULT_DOMAIN;
		break;
	case 0x10:
	case 0x11:
	case 0x12:
	case 0x13:
		ref->result->reason = IOMMU_FAULT_MAPPING;
		break;
	default:
		ref->result->reason = IOMMU_FAULT_UNKNOWN;
		break;
	}
	return -EFAULT;
}

static bool load(struct reference *ref, u64 gpa, u64 *val)
{
	u64 raw;

	if (guest_mem_read(ref->mem, gpa, &raw, sizeof(raw)))
		return false;
	*val = le64toh(raw);
	return true;
}

static unsigned int size_bits(unsigned int code)
{
	switch (code) {
	case 0:
		return 32;
	case 1:
		return 36;
	case 2:
		return 40;
	case 3:
		return 42;
	case 4:
		return 44;
	case 5:
		return 48;
	default:
		return 52;
	}
}

struct half {
	u64 tsz, granule, ttb; /* the granule as log2; 0: reserved */
	bool disabled, tbi, had;
};

static struct half half_of(const u64 cd[3], bool upper)
{
	struct half half = {};

	if (upper) {
		half.tsz = bits(cd[0], 21, 16);
		switch (bits(cd[0], 23, 22)) {
		case 1:
			half.granule = 14;
			break;
		case 2:
			half.granule = 12;
			break;
		case 3:
			half.granule = 16;
			break;
		}
		half.disabled = bits(cd[0], 30, 30);
		half.tbi = bits(cd[0], 39, 39);
		half.had = bits(cd[2], 1, 1);
		half.ttb = bits(cd[2], 51, 4) << 4;
		return half;
	}
	half.tsz = bits(cd[0], 5, 0);
	switch (bits(cd[0], 7, 6)) {
	case 0:
		half.granule = 12;
		break;
	case 1:
		half.granule = 16;
		break;
	case 2:
		half.granule = 14;
		break;
	}
	half.disabled = bits(cd[0], 14, 14);
	half.tbi = bits(cd[0], 38, 38);
	half.had = bits(cd[1], 1, 1);
	half.ttb = bits(cd[1], 51, 4) << 4;
	return half;
}

static bool fits(u64 gpa, unsigned int width)
{
	return width >= 64 || gpa < 1ULL << width;
}

static bool half_bad(const struct half *half, unsigned int ips)
{
	u64 ttb = half->ttb;

	if (half->disabled)
		return false;
	if (!half->granule)
		return true;
	if (half->tsz > 39 || half->tsz < (half->granule == 16 ? 12 : 16))
		return true;
	if (ips == 52)
		ttb = ttb / 64 * 64;
	return !fits(ttb, ips) || (half->granule < 16 && !fits(ttb, 48));
}

static bool cd_bad(const u64 cd[3], unsigned int ips)
{
	struct half lower = half_of(cd, false), upper = half_of(cd, true);

	if (!bits(cd[0], 31, 31)) /* V */
		return true;
	if (!bits(cd[0], 41, 41)) /* AA64 */
		return true;
	if (bits(cd[0], 43, 42)) /* HA, HD */
		return true;
	if (bits(cd[0], 44, 44)) /* S */
		return true;
	if (!bits(cd[0], 46, 46)) /* A */
		return true;
	if (bits(cd[0], 15, 15) && !(lower.disabled && upper.disabled)) /* ENDI */
		return true;
	return half_bad(&lower, ips) || half_bad(&upper, ips);
}

/* The manual's table of AP[2:1] and APTable[1:0]. */
static void access_rights(u64 ap, u64 ap_table, bool *pr, bool *pw, bool *ur, bool *uw)
{
	switch (ap) {
	case 0:
		*pr = *pw = true;
		*ur = *uw = false;
		break;
	case 1:
		*pr = *pw = *ur = *uw = true;
		break;
	case 2:
		*pr = true;
		*pw = *ur = *uw = false;
		break;
	default:
		*pr = *ur = true;
		*pw = *uw = false;
		break;
	}
	if (ap_table == 1 || ap_table == 3)
		*ur = *uw = false;
	if (ap_table == 2 || ap_table == 3)
		*pw = *uw = false;
}

static u32 rights(u64 cd0, u64 leaf, u64 ap_table, bool uxn, bool pxn, bool privileged)
{
	bool pr, pw, px, ur, uw, ux, wxn = bits(cd0, 36, 36), pan = bits(cd0, 40, 40);
	bool r, w, x;

	access_rights(bits(leaf, 7, 6), ap_table, &pr, &pw, &ur, &uw);
	ux = !uxn && !bits(leaf, 54, 54);
	px = !pxn && !bits(leaf, 53, 53);
	if (uw)
		px = false;
	if (wxn && uw)
		ux = false;
	if (wxn && pw)
		px = false;
	if (pan && (ur || uw))
		pr = pw = false;
	r = privileged ? pr : ur;
	w = privileged ? pw : uw;
	x = privileged ? px : ux;
	return (r ? DMA_READ : 0) + (w ? DMA_WRITE : 0) + (x ? DMA_EXEC : 0);
}

static int walk_half(struct reference *ref, const u64 cd[3], unsigned int ips, u64 iova, u32 access)
{
	bool upper = bits(iova, 55, 55), uxn = false, pxn = false;
	struct half half = half_of(cd, upper);
	unsigned int level, i, width = ips, top = half.tbi ? 55 : 63, lo, hi;
	u64 table, desc, ap_table = 0, pa, size;
	u32 right;

	if (half.disabled)
		return event(ref, 0x10);
	for (i = 64 - half.tsz; i <= top; i++)
		if (bits(iova, i, i) != upper)
			return event(ref, 0x10);
	if (half.granule < 16 && width > 48)
		width = 48;

	level = first_level(half.granule, half.tsz);
	table = half.ttb;
	if (ips == 52)
		table = table / 64 * 64;
	table -= table % (first_entries(half.granule, half.tsz) * 8);
	for (hi = 63 - half.tsz;; hi = lo - 1, level++) {
		bool block_ok = level == 2 || (level == 1 && half.granule == 12) ||
				(level == 1 && half.granule == 16 && ref->oas == 52);

		lo = a64_level_bit(half.granule, level);
		if (!load(ref, table + bits(iova, hi, lo) * 8, &desc))
			return event(ref, 0x0b);
		if (bits(desc, 0, 0) == 0)
			return event(ref, 0x10);
		if (level == 3 && bits(desc, 1, 1) == 0)
			return event(ref, 0x10);
		if (level < 3 && bits(desc, 1, 1) == 0 && !block_ok)
			return event(ref, 0x10);
		if (level == 3 || bits(desc, 1, 1) == 0)
			break;

		table = bits(desc, 47, half.granule) << half.granule;
		if (half.granule == 16 && ref->oas == 52)
			table += bits(desc, 15, 12) << 48;
		if (!fits(table, width))
			return event(ref, 0x11);
		if (!half.had) {
			pxn = pxn || bits(desc, 59, 59);
			uxn = uxn || bits(desc, 60, 60);
			ap_table |= bits(desc, 62, 61);
		}
	}

	size = 1ULL << lo;
	pa = bits(desc, 47, lo) << lo;
	if (half.granule == 16 && ref->oas == 52)
		pa += bits(desc, 15, 12) << 48;
	if (!fits(pa, width))
		return event(ref, 0x11);
	if (!bits(desc, 10, 10) && !bits(cd[0], 35, 35))
		return event(ref, 0x12);
	right = rights(cd[0], desc, ap_table, uxn, pxn, access & DMA_PRIV);
	for (i = 0; i < 3; i++)
		if (bits(access, i, i) && !bits(right, i, i))
			return event(ref, 0x13);

	ref->result->start = iova / size * size;
	ref->result->last = ref->result->start + size - 1;
	ref->result->gpa = pa;
	ref->result->access = right;
	ref->result->global = !bits(desc, 11, 11);
	ref->result->top_ignored = half.tbi;
	return 0;
}

int a64_reference(const struct guest_mem *mem, const struct iommu_limits *limits, const u64 ste[2],
		  u32 pasid, u64 iova, u32 access, struct iommu_walk_result *result)
{
	struct reference ref = {.mem = mem, .result = result};
	u64 cdmax = bits(ste[0], 63, 59), fmt = bits(ste[0], 5, 4), dss = bits(ste[1], 1, 0);
	u64 table = bits(ste[0], 51, 6) << 6, l1cd, cd[3], substream, at, per_leaf;
	unsigned int code = 0, i, ips;
	int ret;

	*result = (struct iommu_walk_result){.pasid = DMA_NO_PASID, .id = IOMMU_NO_ID};
	while (code < 6 && size_bits(code) < limits->pa_bits)
		code++;
	ref.oas = size_bits(code);

	if (cdmax == 0) {
		if (pasid != DMA_NO_PASID)
			return event(&ref, 0x08);
		substream = 0;
	} else if (pasid != DMA_NO_PASID) {
		if (pasid >= 1ULL << cdmax)
			return event(&ref, 0x08);
		if (dss == 2 && pasid == 0)
			return event(&ref, 0x06);
		substream = pasid;
	} else if (dss == 0) {
		return event(&ref, 0x06);
	} else if (dss == 1) {
		if (!fits(iova, ref.oas))
			return event(&ref, 0x11);
		result->last = (1ULL << ref.oas) - 1;
		result->access = DMA_READ | DMA_WRITE | DMA_EXEC;
		return 0;
	} else {
		substream = 0;
	}

	at = table + substream * 64;
	if (cdmax && fmt != FMT_LINEAR) {
		per_leaf = fmt == FMT_LEAVES_4K ? 64 : 1024;
		if (!load(&ref, table + substream / per_leaf * 8, &l1cd))
			return event(&ref, 0x09);
		if (!bits(l1cd, 0, 0))
			return event(&ref, 0x08);
		if (!fits(bits(l1cd, 55, 12) << 12, ref.oas))
			return event(&ref, 0x08);
		at = bits(l1cd, 55, 12) << 12;
		at = at / (per_leaf * 64) * (per_leaf * 64) + substream % per_leaf * 64;
	}
	for (i = 0; i < 3; i++)
		if (!load(&ref, at + i * 8, &cd[i]))
			return event(&ref, 0x09);

	ips = size_bits(bits(cd[0], 34, 32));
	if (ips > ref.oas)
		ips = ref.oas;
	if (cd_bad(cd, ips))
		return event(&ref, 0x0a);
	/* Without a PASID, nothing is privileged, and to execute is to read. */
	if (pasid == DMA_NO_PASID) {
		if (access & DMA_EXEC)
			access |= DMA_READ;
		access &= DMA_READ | DMA_WRITE;
	}
	ret = walk_half(&ref, cd, ips, iova, access);
	if (ret) {
		result->silent = result->reason == IOMMU_FAULT_MAPPING && !bits(cd[0], 45, 45);
		return ret;
	}
	if (pasid == DMA_NO_PASID) {
		result->access &= ~DMA_EXEC;
		if (result->access & DMA_READ)
			result->access |= DMA_EXEC;
	}
	if (cdmax)
		result->pasid = substream;
	result->id = bits(cd[0], 63, 48);
	return 0;
}
