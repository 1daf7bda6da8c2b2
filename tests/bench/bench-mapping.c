// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the operations of a mapping store cost, in ns, and what a mapping takes, in
 * bytes, at several numbers of live mappings and for these patterns:
 *
 * random   any mapping goes, any free IOVA comes
 * up       a window that moves up: the lowest goes, the next higher comes
 * down     the same downwards, as a guest allocates before it reuses
 * guest    a guest in steady state: buffers of a small set come and go, some of
 *          them out of order, among all the others, which stay
 *
 * "find" looks up live mappings in the order in which the pattern adds them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "iommu/mapping-debug.h"

/* Operations that are timed at once: few enough to keep the number of mappings. */
#define BATCH_MAX 256
#define GUEST_SET 512
#define MIN_OPS	  (1 << 20)

static u64 rand_state = 1;

static u64 next_rand(void)
{
	u64 z = rand_state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static void *must_alloc(size_t nr, size_t size)
{
	void *mem = calloc(nr, size);

	if (!mem) {
		perror("calloc");
		exit(1);
	}
	return mem;
}

static void must(bool ok)
{
	if (!ok) {
		fprintf(stderr, "a mapping was not as expected\n");
		exit(1);
	}
}

/* Mappings are at 128 KiB times their slot number, 4 to 128 KiB long. */
static void slot_mapping(u64 slot, struct mapping *m)
{
	m->start = slot << 17;
	m->last = m->start + (4096ULL << (slot * 7 % 6)) - 1;
	m->gpa = slot << 12;
	m->flags = MAPPING_READ | MAPPING_WRITE;
}

enum pattern {
	RANDOM,
	UP,
	DOWN,
	GUEST,
	NR_PATTERNS
};

static const char *const pattern_names[] = {"random", "up", "down", "guest"};

/*
 * The order in which slots come and go: live[head..head+nr) modulo the size of the
 * ring, oldest first.
 */
struct bench {
	struct mapping_store *store;
	enum pattern pattern;
	u64 nr;
	u64 *live;
	u64 *spare; /* RANDOM: free slots, as many as live ones */
	u64 next; /* UP, DOWN: the next slot */
};

static void shuffle(u64 *slots, u64 nr)
{
	for (u64 i = nr; i > 1; i--) {
		u64 j = next_rand() % i, tmp = slots[i - 1];

		slots[i - 1] = slots[j];
		slots[j] = tmp;
	}
}

static void setup(struct bench *b, enum pattern pattern, u64 nr)
{
	u64 *slots = must_alloc(2 * nr, sizeof(*slots)), i;
	struct mapping m;

	b->pattern = pattern;
	b->nr = nr;
	b->live = slots;
	b->spare = slots + nr;
	b->store = mapping_store_new();
	must(b->store);

	for (i = 0; i < 2 * nr; i++)
		slots[i] = pattern == DOWN || pattern == GUEST ? (1ULL << 40) - i : i;
	if (pattern == RANDOM)
		shuffle(slots, 2 * nr);
	b->next = slots[nr];
	for (i = 0; i < nr; i++) {
		slot_mapping(slots[i], &m);
		must(!mapping_store_add(b->store, &m));
	}
}

/* Which live mappings go, as indices of live[], and the slots that come for them. */
static void plan(struct bench *b, u64 step, unsigned int batch, u64 *gone, u64 *come)
{
	u64 set = min(b->nr, (u64)GUEST_SET);

	for (unsigned int i = 0; i < batch; i++) {
		switch (b->pattern) {
		case RANDOM:
			/* Consecutive ones of a shuffled array. */
			gone[i] = (step * batch + i) % b->nr;
			come[i] = b->spare[gone[i]];
			b->spare[gone[i]] = b->live[gone[i]];
			break;
		case UP:
		case DOWN:
			gone[i] = (step * batch + i) % b->nr;
			come[i] = b->next;
			b->next += b->pattern == UP ? 1 : -1;
			break;
		default:
			gone[i] = b->nr / 2 + (step * batch + i) % set - set / 2;
			break;
		}
	}
	if (b->pattern == GUEST) {
		/* The same come back, in reverse order except for some. */
		for (unsigned int i = 0; i < batch; i++)
			come[i] = b->live[gone[batch - 1 - i]];
		for (unsigned int i = 0; i + 8 < batch; i += 8) {
			u64 j = i + next_rand() % 8, tmp = come[i];

			come[i] = come[j];
			come[j] = tmp;
		}
	}
}

static int compare_u64(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return (x > y) - (x < y);
}

/* The median: what else runs on the machine disturbs some batches, not most. */
static double per_op(u64 *times, u64 steps, unsigned int batch)
{
	static double clock_cost = -1;

	if (clock_cost < 0) {
		u64 costs[1001];

		for (size_t i = 0; i < ARRAY_SIZE(costs); i++) {
			costs[i] = now_ns();
			costs[i] = now_ns() - costs[i];
		}
		clock_cost = 0;
		clock_cost = per_op(costs, ARRAY_SIZE(costs), 1);
	}
	qsort(times, steps, sizeof(*times), compare_u64);
	return (times[steps / 2] - clock_cost) / batch;
}

static void run(enum pattern pattern, u64 nr)
{
	unsigned int batch = min(nr / 2, (u64)BATCH_MAX);
	u64 gone[BATCH_MAX], come[BATCH_MAX] = {0};
	struct mapping m[BATCH_MAX], out;
	u64 steps = MIN_OPS / batch + 1, start, sum = 0;
	u64 *add = must_alloc(steps, sizeof(*add));
	u64 *find = must_alloc(steps, sizeof(*find));
	u64 *remove = must_alloc(steps, sizeof(*remove));
	struct bench b;

	setup(&b, pattern, nr);
	for (u64 step = 0; step < steps; step++) {
		plan(&b, step, batch, gone, come);

		for (unsigned int i = 0; i < batch; i++)
			slot_mapping(b.live[gone[i]], &m[i]);
		start = now_ns();
		for (unsigned int i = 0; i < batch; i++) {
			mapping_store_find(b.store, m[i].start + 100, &out);
			sum += out.gpa;
		}
		find[step] = now_ns() - start;

		start = now_ns();
		for (unsigned int i = 0; i < batch; i++)
			sum += mapping_store_remove(b.store, m[i].start, m[i].last, NULL);
		remove[step] = now_ns() - start;
		must(mapping_store_count(b.store) == nr - batch);

		for (unsigned int i = 0; i < batch; i++) {
			b.live[gone[i]] = come[i];
			slot_mapping(come[i], &m[i]);
		}
		start = now_ns();
		for (unsigned int i = 0; i < batch; i++)
			sum += mapping_store_add(b.store, &m[i]);
		add[step] = now_ns() - start;
		must(mapping_store_count(b.store) == nr);
	}
	must(sum);
	printf("%-8s %9" PRIu64 " %8.1f %8.1f %8.1f %8.1f\n", pattern_names[pattern], nr,
	       per_op(add, steps, batch), per_op(find, steps, batch), per_op(remove, steps, batch),
	       (double)mapping_store_bytes(b.store) / nr);
	mapping_store_free(b.store);
	free(b.live);
	free(add);
	free(find);
	free(remove);
}

int main(void)
{
	static const u64 sizes[] = {10, 1000, 100000, 1000000};

	printf("%-8s %9s %8s %8s %8s %8s\n", "pattern", "mappings", "add", "find", "remove",
	       "bytes");
	for (int pattern = 0; pattern < NR_PATTERNS; pattern++) {
		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
			run(pattern, sizes[i]);
	}
	return 0;
}
