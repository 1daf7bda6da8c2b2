// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "iommu/mapping-debug.h"
#include "unit.h"

#define PAGE 4096ULL
#define TOP  (~0ULL)

/* Allocations that tests count, and may let fail. */
static unsigned int allocs;
static unsigned int fail_at; /* the allocation that fails; 0: none */

static void *test_alloc(size_t align, size_t size)
{
	if (++allocs == fail_at)
		return NULL;
	return aligned_alloc(align, size);
}

static struct mapping_store *new_store(void)
{
	struct mapping_store *store;

	mapping_store_alloc = test_alloc;
	fail_at = 0;
	store = mapping_store_new();
	if (!store) {
		perror("mapping_store_new");
		exit(2);
	}
	return store;
}

static bool well_formed(const struct mapping_store *store)
{
	return CHECK_STR_EQ(mapping_store_check(store), NULL);
}

static int add(struct mapping_store *store, u64 start, u64 last, u64 gpa, u32 flags)
{
	struct mapping m = {start, last, gpa, flags};

	return mapping_store_add(store, &m);
}

/* The answers that a sorted array gives. */
struct model {
	struct mapping *m;
	size_t nr;
	size_t max;
};

/* Index of the first mapping that ends at or after @iova. */
static size_t model_rank(const struct model *model, u64 iova)
{
	size_t lo = 0, hi = model->nr;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (model->m[mid].last < iova)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int model_add(struct model *model, const struct mapping *m)
{
	size_t i = model_rank(model, m->start);

	if (i < model->nr && model->m[i].start <= m->last)
		return -EEXIST;
	if (model->nr == model->max) {
		model->max = model->max * 2 + 64;
		model->m = reallocarray(model->m, model->max, sizeof(*m));
		if (!model->m) {
			perror("reallocarray");
			exit(2);
		}
	}
	memmove(&model->m[i + 1], &model->m[i], (model->nr - i) * sizeof(*m));
	model->m[i] = *m;
	model->nr++;
	return 0;
}

static int model_remove(struct model *model, u64 start, u64 last, u64 *removed)
{
	size_t i, end;

	for (i = 0; i < model->nr; i++) {
		const struct mapping *m = &model->m[i];

		if (m->last >= start && m->start <= last && (m->start < start || m->last > last))
			return -ERANGE;
	}
	i = model_rank(model, start);
	for (end = i; end < model->nr && model->m[end].last <= last; end++)
		;
	if (end > i)
		memmove(&model->m[i], &model->m[end], (model->nr - end) * sizeof(*model->m));
	model->nr -= end - i;
	*removed = end - i;
	return 0;
}

static bool same_mapping(const struct mapping *a, const struct mapping *b)
{
	return CHECK_EQ(a->start, b->start) && CHECK_EQ(a->last, b->last) &&
	       CHECK_EQ(a->gpa, b->gpa) && CHECK_EQ(a->flags, b->flags);
}

/* Iterates by next(). */
static bool same_contents(const struct mapping_store *store, const struct model *model)
{
	struct mapping m;
	u64 iova = 0;
	size_t i;

	if (!well_formed(store) || !CHECK_EQ(mapping_store_count(store), model->nr))
		return false;
	for (i = 0; i < model->nr; i++) {
		if (!CHECK(mapping_store_next(store, iova, &m)) || !same_mapping(&m, &model->m[i]))
			return false;
		if (m.last == TOP)
			return CHECK_EQ(i, model->nr - 1);
		iova = m.last + 1;
	}
	return CHECK(!mapping_store_next(store, iova, &m));
}

static bool same_lookup(struct mapping_store *store, const struct model *model, u64 iova)
{
	size_t i = model_rank(model, iova);
	bool expected = i < model->nr;
	struct mapping m;

	if (!CHECK_EQ(mapping_store_next(store, iova, &m), expected))
		return false;
	if (expected && !same_mapping(&m, &model->m[i]))
		return false;
	expected = expected && model->m[i].start <= iova;
	if (!CHECK_EQ(mapping_store_find(store, iova, &m), expected))
		return false;
	return !expected || same_mapping(&m, &model->m[i]);
}

/* Where random ranges lie: units of @unit bytes, @span of them from @base on. */
struct shape {
	const char *name;
	u64 base;
	u64 unit;
	u64 span;
	u64 max_len;
	unsigned int steps;
};

static const struct shape shapes[] = {
	{"dense", 0x80000000, PAGE, 6000, 32, 40000},
	{"dense pages", 0, PAGE, 4000, 1, 40000},
	{"bytes", 0, 1, 3000, 1, 40000},
	{"short ranges of bytes", 0, 1, 9000, 4, 40000},
	{"sparse", 0, 1, TOP, 1ULL << 40, 40000},
	{"sparse pages", 0, PAGE, TOP / PAGE, 32, 40000},
	{"huge ranges", 0, 1, TOP, 1ULL << 60, 10000},
	{"top", TOP - 5000 * PAGE + 1, PAGE, 5000, 2, 40000},
	{"top bytes", TOP - 2999, 1, 3000, 3, 40000},
	{"few", 0, PAGE, 60, 4, 20000},
};

/* Sets [*start, *last] to a random range of at most @max_len units. */
static void random_range(const struct shape *shape, u64 max_len, u64 *start, u64 *last)
{
	u64 first = unit_rand() % shape->span;
	u64 len = 1 + unit_rand() % max_len;

	len = min(len, shape->span - first);
	*start = shape->base + first * shape->unit;
	*last = *start + (len * shape->unit - 1);
}

/* A range to remove: as added ones, a part, or up to all; mostly at borders of mappings. */
static void random_removal(const struct shape *shape, const struct model *model, u64 *start,
			   u64 *last)
{
	size_t i, n, end;

	if (!model->nr || unit_rand() % 4 == 0) {
		random_range(shape, shape->max_len, start, last);
		return;
	}
	i = unit_rand() % model->nr;
	n = unit_rand() % 16 ? 1 + unit_rand() % 4 : 1 + unit_rand() % model->nr;
	end = min(i + n, model->nr) - 1;
	*start = model->m[i].start;
	*last = model->m[end].last;

	/* Over the holes around it, or one byte into a neighbour or the mapping itself. */
	switch (unit_rand() % 8) {
	case 0:
		*start = i ? model->m[i - 1].last + 1 : 0;
		*last = end + 1 < model->nr ? model->m[end + 1].start - 1 : TOP;
		break;
	case 1:
		*start -= *start > 0;
		break;
	case 2:
		*last += *last < TOP;
		break;
	case 3:
		*start += *start < *last;
		break;
	case 4:
		*last -= *last > *start;
		break;
	}
}

/* Only runs in which the store grows, shrinks, or neither, see all of the tree. */
static bool random_step(struct mapping_store *store, struct model *model, const struct shape *shape,
			unsigned int add_percent)
{
	u64 removed = 0, model_removed = 0, before = mapping_store_count(store);
	struct mapping m;
	u64 start, last;
	int ret;

	if (unit_rand() % 100 < add_percent) {
		random_range(shape, shape->max_len, &m.start, &m.last);
		m.gpa = unit_rand();
		m.flags = unit_rand() % 8;
		ret = model_add(model, &m);
		if (!CHECK_EQ(mapping_store_add(store, &m), ret))
			return false;
		if (!same_lookup(store, model, m.last))
			return false;
	} else {
		random_removal(shape, model, &start, &last);
		ret = model_remove(model, start, last, &model_removed);
		if (!CHECK_EQ(mapping_store_remove(store, start, last, &removed), ret))
			return false;
		if (!CHECK_EQ(removed, model_removed) ||
		    !CHECK_EQ(mapping_store_count(store), before - removed))
			return false;
		if (!same_lookup(store, model, start) || !same_lookup(store, model, last))
			return false;
	}
	if (model->nr) {
		size_t i = unit_rand() % model->nr;

		if (!same_lookup(store, model, model->m[i].start) ||
		    !same_lookup(store, model, model->m[i].last) ||
		    !same_lookup(store, model, model->m[i].last + 1))
			return false;
	}
	return same_lookup(store, model, unit_rand()) && same_lookup(store, model, 0) &&
	       same_lookup(store, model, TOP);
}

static bool run_shape(const struct shape *shape)
{
	struct mapping_store *store = new_store();
	struct model model = {0};
	unsigned int i, add_percent = 100;
	size_t most = 0;
	bool ok = true;

	for (i = 0; i < shape->steps && ok; i++) {
		if (i % (shape->steps / 16) == 0) {
			static const u8 percents[] = {98, 90, 50, 30, 70};

			add_percent = percents[unit_rand() % ARRAY_SIZE(percents)];
			if (i == 0)
				add_percent = 100;
		}
		if (unit_rand() % (shape->steps / 3) == 0) {
			mapping_store_clear(store);
			model.nr = 0;
		}
		ok = random_step(store, &model, shape, add_percent);
		if (ok && i % 64 == 0)
			ok = same_contents(store, &model);
		most = max(most, model.nr);
	}
	printf("# %s: up to %zu mappings\n", shape->name, most);
	if (!ok)
		printf("# in shape '%s', step %u\n", shape->name, i);
	ok = ok && same_contents(store, &model);
	mapping_store_free(store);
	free(model.m);
	return ok;
}

TEST(random_against_model)
{
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		if (!CHECK(run_shape(&shapes[i])))
			break;
	}
}

TEST(empty)
{
	struct mapping_store *store = new_store();
	struct mapping m;
	u64 removed = 5;

	well_formed(store);
	CHECK_EQ(mapping_store_count(store), 0);
	CHECK(!mapping_store_find(store, 0, &m));
	CHECK(!mapping_store_find(store, TOP, &m));
	CHECK(!mapping_store_next(store, 0, &m));
	CHECK_EQ(mapping_store_remove(store, 0, TOP, &removed), 0);
	CHECK_EQ(removed, 0);
	mapping_store_clear(store);
	well_formed(store);
	mapping_store_free(store);
	mapping_store_free(NULL);
}

TEST(all_of_the_space)
{
	struct mapping_store *store = new_store();
	struct mapping m;
	u64 removed;

	CHECK_EQ(add(store, 0, TOP, 7, MAPPING_READ), 0);
	CHECK_EQ(add(store, 0, 0, 0, 0), -EEXIST);
	CHECK_EQ(add(store, TOP, TOP, 0, 0), -EEXIST);
	CHECK_EQ(add(store, 0, TOP, 0, 0), -EEXIST);
	CHECK(mapping_store_find(store, 1ULL << 63, &m));
	CHECK_EQ(m.start, 0);
	CHECK_EQ(m.last, TOP);
	CHECK_EQ(m.gpa, 7);
	CHECK_EQ(m.flags, MAPPING_READ);
	CHECK_EQ(mapping_store_remove(store, 1, TOP, NULL), -ERANGE);
	CHECK_EQ(mapping_store_remove(store, 0, TOP - 1, NULL), -ERANGE);
	CHECK_EQ(mapping_store_remove(store, 5, 6, NULL), -ERANGE);
	CHECK_EQ(mapping_store_count(store), 1);
	CHECK_EQ(mapping_store_remove(store, 0, TOP, &removed), 0);
	CHECK_EQ(removed, 1);
	CHECK(!mapping_store_next(store, 0, &m));
	mapping_store_free(store);
}

TEST(both_ends)
{
	struct mapping_store *store = new_store();
	struct mapping m;

	CHECK_EQ(add(store, TOP, TOP, 1, 0), 0);
	CHECK_EQ(add(store, 0, 0, 2, 0), 0);
	CHECK(mapping_store_find(store, TOP, &m) && m.gpa == 1);
	CHECK(!mapping_store_find(store, TOP - 1, &m));
	CHECK(mapping_store_find(store, 0, &m) && m.gpa == 2);
	CHECK(!mapping_store_find(store, 1, &m));
	CHECK(mapping_store_next(store, 1, &m) && m.gpa == 1);
	CHECK_EQ(add(store, 1, TOP - 1, 3, 0), 0);
	CHECK_EQ(mapping_store_remove(store, 0, TOP - 1, NULL), 0);
	CHECK_EQ(mapping_store_count(store), 1);
	CHECK(mapping_store_next(store, 0, &m) && m.gpa == 1);
	mapping_store_free(store);
}

/* What leaves the order of the tree to its keys: each new range spans what others left. */
TEST(range_over_removed_ones)
{
	struct mapping_store *store = new_store();
	struct model model = {0};
	u64 removed;

	for (u64 i = 0; i < 8000; i++) {
		struct mapping m = {i * PAGE, i * PAGE + PAGE - 1, i, MAPPING_READ};

		CHECK_EQ(mapping_store_add(store, &m), 0);
		CHECK_EQ(model_add(&model, &m), 0);
	}
	for (unsigned int round = 0; round < 4000; round++) {
		u64 first = unit_rand() % 8000, n = 1 + unit_rand() % 60;
		struct mapping m = {first * PAGE, (first + n) * PAGE - 1, round, MAPPING_WRITE};
		int ret = model_remove(&model, m.start, m.last, &removed);

		if (!CHECK_EQ(mapping_store_remove(store, m.start, m.last, NULL), ret))
			break;
		ret = model_add(&model, &m);
		if (!CHECK_EQ(mapping_store_add(store, &m), ret))
			break;
		if (!same_lookup(store, &model, m.last) || !well_formed(store))
			break;
	}
	same_contents(store, &model);
	mapping_store_free(store);
	free(model.m);
}

TEST(refused_removal_removes_nothing)
{
	struct mapping_store *store = new_store();
	struct model model = {0};
	u64 removed = 77;

	for (u64 i = 0; i < 5000; i++) {
		struct mapping m = {i * 4 * PAGE, (i * 4 + 2) * PAGE - 1, i, MAPPING_READ};

		CHECK_EQ(mapping_store_add(store, &m), 0);
		CHECK_EQ(model_add(&model, &m), 0);
	}
	/* The middle of the first or of the last mapping, with thousands between. */
	CHECK_EQ(mapping_store_remove(store, PAGE, 4000 * 4 * PAGE - 1, &removed), -ERANGE);
	CHECK_EQ(mapping_store_remove(store, 0, 4000 * 4 * PAGE, &removed), -ERANGE);
	CHECK_EQ(mapping_store_remove(store, 0, 4999 * 4 * PAGE, &removed), -ERANGE);
	CHECK_EQ(mapping_store_remove(store, PAGE, 2 * PAGE - 1, &removed), -ERANGE);
	CHECK_EQ(mapping_store_remove(store, PAGE, TOP, &removed), -ERANGE);
	CHECK_EQ(removed, 77);
	same_contents(store, &model);

	/* Holes only. */
	CHECK_EQ(mapping_store_remove(store, 2 * PAGE, 4 * PAGE - 1, &removed), 0);
	CHECK_EQ(removed, 0);
	CHECK_EQ(mapping_store_remove(store, 2 * PAGE, 4000 * 4 * PAGE - 1, &removed), 0);
	CHECK_EQ(removed, 3999);
	CHECK_EQ(mapping_store_remove(store, 2 * PAGE, 4000 * 4 * PAGE - 1, &removed), 0);
	CHECK_EQ(removed, 0);
	CHECK_EQ(mapping_store_count(store), 1001);
	well_formed(store);
	mapping_store_free(store);
	free(model.m);
}

/* All numbers below 2^20 in an order without pattern. */
static u64 shuffled(u64 i)
{
	i = (i * 0x9e37) & 0xfffff;
	i ^= i >> 9;
	i = (i * 0xb5297a4d) & 0xfffff;
	i ^= i >> 11;
	return i;
}

enum order {
	UP,
	DOWN,
	RANDOM
};

static u64 nth(enum order order, u64 nr, u64 i)
{
	switch (order) {
	case UP:
		return i;
	case DOWN:
		return nr - 1 - i;
	default:
		return shuffled(i);
	}
}

/* 64 KiB apart, from 1 to 15 pages. */
static void big_mapping(u64 i, struct mapping *m)
{
	m->start = i << 16;
	m->last = m->start + (1 + i % 15) * PAGE - 1;
	m->gpa = ~i;
	m->flags = i % 8;
}

static bool fill(struct mapping_store *store, enum order order, u64 nr)
{
	struct mapping m;

	for (u64 i = 0; i < nr; i++) {
		big_mapping(nth(order, nr, i), &m);
		if (!CHECK_EQ(mapping_store_add(store, &m), 0))
			return false;
	}
	return CHECK_EQ(mapping_store_count(store), nr);
}

static bool drain(struct mapping_store *store, enum order order, u64 nr)
{
	struct mapping m;
	u64 removed = 0;

	for (u64 i = 0; i < nr; i++) {
		big_mapping(nth(order, nr, i), &m);
		if (!CHECK_EQ(mapping_store_remove(store, m.start, m.last, &removed), 0) ||
		    !CHECK_EQ(removed, 1))
			return false;
		if (i % 65536 == 0 && !well_formed(store))
			return false;
	}
	return CHECK_EQ(mapping_store_count(store), 0) && well_formed(store);
}

/* A million, in and out in each pair of orders. */
TEST(million)
{
	static const struct {
		enum order in, out;
	} runs[] = {{UP, UP}, {DOWN, RANDOM}, {RANDOM, DOWN}, {RANDOM, RANDOM}, {UP, DOWN}};
	const u64 nr = 1 << 20;

	for (size_t run = 0; run < ARRAY_SIZE(runs); run++) {
		struct mapping_store *store = new_store();
		struct mapping m, expected;
		unsigned int before;

		if (!fill(store, runs[run].in, nr) || !well_formed(store))
			break;
		CHECK(mapping_store_bytes(store) <= 100 * nr);
		for (u64 i = 0; i < nr; i++) {
			big_mapping(shuffled(i), &expected);
			if (!CHECK(mapping_store_find(store, expected.last, &m)) ||
			    !same_mapping(&m, &expected) ||
			    !CHECK(!mapping_store_find(store, expected.start - 1, &m)))
				break;
		}

		/* Removal takes no memory, and what it gave back is used again. */
		before = allocs;
		if (!drain(store, runs[run].out, nr) || !fill(store, runs[run].in, nr))
			break;
		CHECK_EQ(allocs, before);
		mapping_store_clear(store);
		CHECK(!mapping_store_next(store, 0, &m));
		CHECK(fill(store, runs[run].in, nr));
		CHECK_EQ(allocs, before);
		well_formed(store);
		mapping_store_free(store);
	}
}

/* However a guest leaves holes: few mappings do not hold many nodes. */
TEST(thinned_out)
{
	const u64 nr = 1 << 20;
	struct mapping_store *store = new_store();
	struct mapping m;
	unsigned int before;

	CHECK(fill(store, UP, nr));
	for (u64 i = 0; i < nr; i++) {
		if (i % 64 == 0)
			continue;
		big_mapping(i, &m);
		CHECK_EQ(mapping_store_remove(store, m.start, m.last, NULL), 0);
	}
	well_formed(store); /* checks that nodes are filled */
	CHECK_EQ(mapping_store_count(store), nr / 64);

	/* So there is room for nearly as many elsewhere. */
	before = allocs;
	for (u64 i = 0; i < nr - nr / 8; i++) {
		big_mapping(nr + i, &m);
		if (!CHECK_EQ(mapping_store_add(store, &m), 0))
			break;
	}
	CHECK_EQ(allocs, before);
	well_formed(store);
	mapping_store_free(store);
}

/* MAP, and UNMAP of @nr mappings, come to O(log n + nr) nodes. */
static u64 visits_of_unmap(struct mapping_store *store, u64 first, u64 nr)
{
	u64 before = mapping_store_visits(store), removed;
	struct mapping from, to;

	big_mapping(first, &from);
	big_mapping(first + nr - 1, &to);
	CHECK_EQ(mapping_store_remove(store, from.start, to.last, &removed), 0);
	CHECK_EQ(removed, nr);
	return mapping_store_visits(store) - before;
}

TEST(cost_of_unmap)
{
	for (u64 n = 1000; n <= 1000000; n *= 10) {
		struct mapping_store *store = new_store();
		u64 first = 0, before, most = 0;
		struct mapping m;

		for (u64 i = 0; i < n; i++) {
			big_mapping(i, &m);
			before = mapping_store_visits(store);
			CHECK_EQ(mapping_store_add(store, &m), 0);
			most = max(most, mapping_store_visits(store) - before);
		}
		CHECK(most <= 8);
		for (u64 nr = 1; nr <= n / 2; nr *= 10) {
			u64 visits = visits_of_unmap(store, first, nr);

			printf("# %" PRIu64 " of %" PRIu64 " mappings: %" PRIu64 " nodes\n", nr, n,
			       visits);
			/* A few on the way down and up; then each leaf holds many. */
			CHECK(visits <= 24 + nr);
			first += nr;
		}
		well_formed(store);
		mapping_store_free(store);
	}
}

TEST(no_allocation_in_steady_state)
{
	const u64 nr = 100000;
	struct mapping_store *store = new_store();
	struct mapping m;
	unsigned int before = 0;

	/* A window that moves down, as a guest's allocator does when it wraps nowhere. */
	for (u64 i = 0; i < 2 * nr; i++) {
		if (i == nr + nr / 10)
			before = allocs;
		big_mapping((1 << 20) - i, &m);
		CHECK_EQ(mapping_store_add(store, &m), 0);
		if (i < nr)
			continue;
		big_mapping((1 << 20) - (i - nr), &m);
		CHECK_EQ(mapping_store_remove(store, m.start, m.last, NULL), 0);
	}
	CHECK_EQ(allocs, before);
	CHECK_EQ(mapping_store_count(store), nr);
	well_formed(store);
	mapping_store_free(store);
}

/* Each allocation fails once: nothing has changed, and the same succeeds afterwards. */
TEST(fail_nth_allocation)
{
	const u64 nr = 20000;
	unsigned int n, failures = 0;
	bool failed = true;

	for (n = 1; failed && n < 100; n++) {
		struct mapping_store *store;
		struct model model = {0};

		failed = false;
		mapping_store_alloc = test_alloc;
		allocs = 0;
		fail_at = n;
		store = mapping_store_new();
		if (!store) {
			failed = true;
			failures++;
			continue;
		}
		for (u64 i = 0; i < nr; i++) {
			struct mapping m;
			int ret;

			big_mapping(shuffled(i), &m);
			ret = mapping_store_add(store, &m);
			if (ret) {
				CHECK_EQ(ret, -ENOMEM);
				CHECK(!failed);
				failed = true;
				failures++;
				same_contents(store, &model);
				CHECK(!mapping_store_find(store, m.start, &m));
				if (!CHECK_EQ(mapping_store_add(store, &m), 0))
					break;
			}
			CHECK_EQ(model_add(&model, &m), 0);
		}
		same_contents(store, &model);
		mapping_store_free(store);
		free(model.m);
	}
	CHECK(!failed);
	CHECK(failures >= 8);
	fail_at = 0;
}
