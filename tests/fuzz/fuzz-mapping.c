// SPDX-License-Identifier: GPL-2.0-only
/*
 * The store of mappings, one by one and in rows of hundreds, so that its tree grows and
 * shrinks by levels; compared with a sorted array. Allocations fail now and then.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "iommu/mapping-debug.h"

#define MOST 4096
#define PAGE 4096ULL
#define TOP  (~0ULL)

static struct mapping_store *store;
static struct mapping model[MOST];
static size_t nr;
static bool fails;

static void *test_alloc(size_t align, size_t size)
{
	return fails ? NULL : aligned_alloc(align, size);
}

/* The first that ends at or after @iova. */
static size_t rank(u64 iova)
{
	size_t lo = 0, hi = nr;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (model[mid].last < iova)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool same(const struct mapping *a, const struct mapping *b)
{
	return a->start == b->start && a->last == b->last && a->gpa == b->gpa &&
	       a->flags == b->flags;
}

static void look(u64 iova)
{
	size_t i = rank(iova);
	struct mapping m;

	CHECK_EQ(mapping_store_next(store, iova, &m), i < nr);
	CHECK(i == nr || same(&m, &model[i]));
	CHECK_EQ(mapping_store_find(store, iova, &m), i < nr && model[i].start <= iova);
	CHECK(i == nr || model[i].start > iova || same(&m, &model[i]));
}

/* False if there is no memory, or too much of it in use. */
static bool add(u64 start, u64 last, u64 gpa)
{
	const struct mapping m = {start, last, gpa, gpa % 8};
	size_t i = rank(start);
	int ret;

	if (nr == MOST)
		return false;
	ret = mapping_store_add(store, &m);
	if (i < nr && model[i].start <= last) {
		CHECK_EQ(ret, -EEXIST);
		return true;
	}
	if (ret) {
		CHECK(ret == -ENOMEM && fails);
		return false;
	}
	memmove(&model[i + 1], &model[i], (nr - i) * sizeof(model[0]));
	model[i] = m;
	nr++;
	return true;
}

static u64 address(void)
{
	switch (unit_below(4)) {
	case 0:
		return fuzz_number();
	case 1:
		return nr ? model[unit_below(nr)].start : 0;
	default:
		return fuzz_int(2) * PAGE;
	}
}

static u64 end_of(u64 start, u64 len)
{
	return len - 1 > TOP - start ? TOP : start + (len - 1);
}

static void add_one(void)
{
	u64 start = address();

	add(start, end_of(start, fuzz_bool() ? PAGE : fuzz_number() | 1), fuzz_int(1));
}

/* Upwards or downwards. */
static void add_row(void)
{
	u64 start = address(), step = fuzz_bool() ? PAGE : 1 + fuzz_int(2);
	u64 len = 1 + unit_below(step);
	bool down = fuzz_bool();

	for (u64 i = 0, n = fuzz_int(1) * 2; i < n; i++) {
		u64 at = down ? start - i * step : start + i * step;

		if (!add(at, end_of(at, len), i))
			return;
	}
}

static void remove_range(u64 start, u64 last)
{
	size_t i = rank(start), end = i;
	u64 removed = 0;
	int ret;

	while (end < nr && model[end].start <= last)
		end++;
	ret = mapping_store_remove(store, start, last, &removed);
	if (i < end && (model[i].start < start || model[end - 1].last > last)) {
		CHECK_EQ(ret, -ERANGE);
		return;
	}
	CHECK_EQ(ret, 0);
	CHECK_EQ(removed, end - i);
	memmove(&model[i], &model[end], (nr - end) * sizeof(model[0]));
	nr -= end - i;
}

/* Mostly with whole mappings at its ends. */
static void remove_some(void)
{
	u64 start = address(), last = end_of(start, fuzz_number() | 1);
	size_t i = rank(start), n = unit_below(4) ? 1 + unit_below(8) : 1 + unit_below(MOST);

	if (nr && fuzz_bool()) {
		i = min(i, nr - 1);
		start = model[i].start;
		last = model[min(i + n, nr) - 1].last;
	}
	remove_range(start, last);
}

/* Every other one, so that nodes come to be too empty. */
static void thin_out(void)
{
	size_t i = rank(address());

	for (unsigned int n = fuzz_int(1); n-- && i < nr; i++)
		remove_range(model[i].start, model[i].last);
}

static void clear(void)
{
	mapping_store_clear(store);
	nr = 0;
}

static void compare(void)
{
	struct mapping m;
	u64 iova = 0;

	CHECK_STR_EQ(mapping_store_check(store), NULL);
	CHECK_EQ(mapping_store_count(store), nr);
	for (size_t i = 0; i < nr; i++) {
		CHECK(mapping_store_next(store, iova, &m) && same(&m, &model[i]));
		iova = m.last + 1;
	}
	CHECK((nr && !iova) || !mapping_store_next(store, iova, &m));
}

void fuzz_begin(void)
{
	mapping_store_alloc = test_alloc;
}

void fuzz_one(void)
{
	fails = false;
	nr = 0;
	store = mapping_store_new();
	if (!store)
		exit(2);
	while (fuzz_more()) {
		u8 step = fuzz_int(1);

		if (step < 64)
			add_one();
		else if (step < 128)
			add_row();
		else if (step < 200)
			remove_some();
		else if (step < 232)
			thin_out();
		else if (step < 240)
			fails = !fails;
		else if (step < 252)
			compare();
		else
			clear();
		look(address());
		look(step);
		look(TOP);
	}
	compare();
	mapping_store_free(store);
}
