// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "iommu/dma.h"
#include "toy-format.h"
#include "util/report.h"

_Atomic unsigned int toy_walks;

static unsigned int toy_property(const struct iommu_limits *limits, u8 *buf)
{
	memset(buf, 0, 16);
	buf[0] = 0x42;
	buf[2] = 12;
	buf[4] = limits->pasid_bits;
	return 16;
}

static int toy_check(const struct iommu_limits *limits, u8 wire_format, const u8 *bytes,
		     struct iommu_table *table)
{
	struct toy_descriptor desc;

	memcpy(&desc, bytes, sizeof(desc));
	if (desc.reserved[0])
		return -EINVAL;
	if (wire_format == TOY_PASID && le32toh(desc.pasid) >> limits->pasid_bits)
		return -ERANGE;
	*table = (struct iommu_table){
		.wire_format = wire_format,
		.pasid = wire_format == TOY_PASID ? le32toh(desc.pasid) : DMA_NO_PASID,
		.word = {le64toh(desc.table), le32toh(desc.id)},
	};
	return 0;
}

static int toy_walk(const struct iommu_walk *w, struct iommu_walk_result *result)
{
	const struct iommu_table *table = w->base;
	u64 top = w->iova & 0xff00000000000000, page = (w->iova ^ top) >> 12, entry;

	atomic_fetch_add(&toy_walks, 1);
	if (w->pasid != DMA_NO_PASID)
		table = w->lookup(w->opaque, w->pasid);
	result->why = "toy";
	result->code = 7;
	if (!table) {
		result->reason = IOMMU_FAULT_DOMAIN;
		return -EFAULT;
	}
	result->reason = IOMMU_FAULT_UNKNOWN;
	if (page > 511 || guest_mem_load64(w->mem, table->word[0] + 8 * page, &entry))
		return -EFAULT;
	result->reason = IOMMU_FAULT_MAPPING;
	result->silent = page == 511;
	if (!(entry & TOY_P))
		return -EFAULT;
	result->start = top | page << 12;
	result->last = result->start + 4095;
	result->top_ignored = true;
	result->gpa = entry & 0xffffffffff000;
	result->access = DMA_READ | (entry & TOY_W ? DMA_WRITE : 0);
	result->pasid = w->pasid;
	result->id = table->word[1];
	result->global = entry & TOY_G;
	return 0;
}

static void toy_describe(const struct iommu_table *table, struct report *r)
{
	report_hex(r, "table", table->word[0]);
}

#define TOY(...)                                  \
	{.name = "toy",                           \
	 .base_format = TOY_BASE,                 \
	 .pasid_format = TOY_PASID,               \
	 .property = toy_property,                \
	 .check = toy_check,                      \
	 .walk = toy_walk,                        \
	 .describe = toy_describe,                \
	 .id_bits = 16,                           \
	 .page_sizes = BIT_ULL(12) | BIT_ULL(21), \
	 __VA_ARGS__}

const struct iommu_format toy_format = TOY(.needs_base = true);
const struct iommu_format toy_free_format = TOY();
const struct iommu_format toy_domain_format = TOY(.needs_base = true, .whole_domain = true);
