// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lookups take no lock: threads look up while the store changes. What stays is always found, what
 * comes and goes is found as it is or not at all.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "iommu/mapping.h"
#include "unit.h"

#define PAGE	   4096ULL
#define NR_THREADS 3
#define NR_SLOTS   20000 /* several levels of nodes */
#define ROUNDS	   24

/* Of each eight slots the first is always mapped, the others come and go. */
#define STAYS(slot) ((slot) % 8 == 0)

static struct mapping_store *store;
static _Atomic bool stop;

static struct mapping slot_mapping(u64 slot)
{
	u64 start = slot * 16 * PAGE;

	/* So that what belongs to different ones does not fit together. */
	return (struct mapping){
		.start = start,
		.last = start + (1 + slot % 15) * PAGE - 1,
		.gpa = ~start,
		.flags = slot % 8,
	};
}

static bool look_up(u64 slot)
{
	struct mapping expected = slot_mapping(slot), m;

	if (!mapping_store_find(store, expected.start + PAGE / 2, &m))
		return CHECK(!STAYS(slot));
	return CHECK_EQ(m.start, expected.start) && CHECK_EQ(m.last, expected.last) &&
	       CHECK_EQ(m.gpa, expected.gpa) && CHECK_EQ(m.flags, expected.flags) &&
	       CHECK(!mapping_store_find(store, expected.start + 15 * PAGE, &m));
}

static void *look_up_many(void *arg)
{
	u64 z = *(u64 *)arg;

	while (!atomic_load(&stop)) {
		z = z * 6364136223846793005ULL + 1442695040888963407ULL;
		if (!look_up((z >> 33) % NR_SLOTS))
			break;
	}
	return NULL;
}

/* All of one kind, forwards, backwards or at once. */
static void change(bool add, unsigned int round)
{
	for (u64 i = 0; i < NR_SLOTS; i++) {
		u64 slot = round & 1 ? i : NR_SLOTS - 1 - i;
		struct mapping m = slot_mapping(slot);

		if (STAYS(slot))
			continue;
		if (add)
			CHECK_EQ(mapping_store_add(store, &m), 0);
		else
			CHECK_EQ(mapping_store_remove(store, m.start, m.last, NULL), 0);
	}
}

/* Each run of those that go, with one call. */
static void remove_runs(void)
{
	u64 removed;

	for (u64 slot = 0; slot < NR_SLOTS; slot += 8) {
		CHECK_EQ(mapping_store_remove(store, (slot + 1) * 16 * PAGE,
					      (slot + 8) * 16 * PAGE - 1, &removed),
			 0);
		CHECK_EQ(removed, 7);
	}
}

TEST(lookups_while_the_store_changes)
{
	pthread_t threads[NR_THREADS];
	u64 seeds[NR_THREADS];

	store = mapping_store_new();
	if (!CHECK(store))
		return;
	for (u64 slot = 0; slot < NR_SLOTS; slot += 8) {
		struct mapping m = slot_mapping(slot);

		CHECK_EQ(mapping_store_add(store, &m), 0);
	}
	atomic_store(&stop, false);
	for (unsigned int i = 0; i < NR_THREADS; i++) {
		seeds[i] = unit_rand();
		if (pthread_create(&threads[i], NULL, look_up_many, &seeds[i]))
			abort();
	}
	for (unsigned int round = 0; round < ROUNDS; round++) {
		change(true, round);
		if (round % 3)
			change(false, round >> 1);
		else
			remove_runs();
	}
	atomic_store(&stop, true);
	for (unsigned int i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	CHECK_EQ(mapping_store_count(store), NR_SLOTS / 8);
	mapping_store_free(store);
}
