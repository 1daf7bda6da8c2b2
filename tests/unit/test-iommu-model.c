// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random requests against the model, and random accesses through the DMA channels against the
 * translation that the model gives, with the bytes in memory.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "iommu-model.h"

#define STEPS 10000

/* What the model says is in memory, from DATA_BASE on; tables are behind it. */
#define DATA_SIZE (2 * MiB)
static u8 ram[DATA_SIZE];

static u8 *data(u64 gpa)
{
	return guest_mem_ptr(&g.mem, gpa, 1);
}

/* The last page of memory is used, too, for what is not looked at. */
static bool in_data(u64 gpa)
{
	return gpa >= DATA_BASE && gpa < DATA_BASE + DATA_SIZE;
}

/* A read or a write of some bytes anywhere in the cells by endpoint @n. */
static void access_memory(unsigned int n, bool write)
{
	u64 iova = model_cell(unit_below(MODEL_CELLS)) + unit_below(GRANULE);
	u64 len = 1 + unit_below(model_chance(4) ? 3 * GRANULE : 16);
	u8 buf[3 * GRANULE];
	u64 done, gpa;
	int ret;

	if (iova + (len - 1) < iova)
		len = 0 - iova;
	for (done = 0; done < len; done++) {
		if (!model_translate(n, iova + done, write ? DMA_WRITE : DMA_READ, &gpa))
			break;
	}

	if (!write) {
		ret = dma_read(&g.chans[n], iova, buf, len);
		CHECK_EQ(ret, done == len ? 0 : -EFAULT);
		for (u64 i = 0; i < len && !ret; i++) {
			if (!CHECK(model_translate(n, iova + i, DMA_READ, &gpa)))
				return;
			if (in_data(gpa) && !CHECK_EQ(buf[i], ram[gpa - DATA_BASE]))
				return;
		}
		return;
	}

	for (u64 i = 0; i < len; i++)
		buf[i] = unit_rand();
	ret = dma_write(&g.chans[n], iova, buf, len);
	CHECK_EQ(ret, done == len ? 0 : -EFAULT);
	for (u64 i = 0; i < done; i++) {
		model_translate(n, iova + i, DMA_WRITE, &gpa);
		/* How much is written before a fault is open. */
		if (in_data(gpa))
			ram[gpa - DATA_BASE] = ret ? *data(gpa) : buf[i];
	}
}

static void check_memory(void)
{
	CHECK(!memcmp(ram, data(DATA_BASE), sizeof(ram)));
}

struct step {
	void (*run)(void);
	unsigned int weight;
};

/* Unless there were so many of them, this tests less than it says. */
static void run_steps(const struct step *steps, unsigned int nr, unsigned int most_mappings,
		      unsigned int most_tables)
{
	unsigned int total = 0, mappings = 0, tables = 0;

	model_begin();
	for (unsigned int i = 0; i < sizeof(ram); i++)
		ram[i] = unit_rand();
	memcpy(data(DATA_BASE), ram, sizeof(ram));
	for (unsigned int i = 0; i < nr; i++)
		total += steps[i].weight;

	for (unsigned int i = 0; i < STEPS; i++) {
		unsigned int pick = unit_below(total), s = 0;

		while (pick >= steps[s].weight)
			pick -= steps[s++].weight;
		steps[s].run();
		if (!CHECK_EQ(g.iommu.nr_mappings, model_mappings()) ||
		    !CHECK_EQ(g.iommu.nr_tables, model_tables()))
			break;
		mappings = max(mappings, model_mappings());
		tables = max(tables, model_tables());
		for (unsigned int n = 0; n < NR_ENDPOINTS; n++) {
			if (model_has_tables(n) || unit_below(2))
				model_sample(n);
			else
				access_memory(n, unit_below(2));
		}
		if (model_chance(2))
			model_sweep(unit_below(NR_ENDPOINTS), 1 + unit_below(2));
		if (i % 1000 == 0)
			check_memory();
	}
	check_memory();
	CHECK(mappings >= most_mappings);
	CHECK(tables >= most_tables);
	model_end();
}

TEST(random_requests_and_accesses)
{
	static const struct step steps[] = {
		{model_attach, 25}, {model_detach, 10}, {model_map, 80},  {model_unmap, 40},
		{model_probe, 3},   {model_bypass, 3},	{model_reset, 1},
	};

	run_steps(steps, ARRAY_SIZE(steps), MODEL_LIMIT, 0);
}

TEST(random_requests_with_tables)
{
	static const struct step steps[] = {
		{model_attach, 6},	{model_detach, 4},	  {model_map, 50},
		{model_unmap, 15},	{model_probe, 3},	  {model_bypass, 2},
		{model_reset, 1},	{model_attach_table, 80}, {model_detach_pasid, 10},
		{model_invalidate, 30}, {model_table_entry, 80},
	};

	run_steps(steps, ARRAY_SIZE(steps), MODEL_LIMIT / 2, MODEL_LIMIT / 2);
}
