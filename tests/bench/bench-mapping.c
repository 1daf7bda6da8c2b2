// SPDX-License-Identifier: GPL-2.0-only
/*
 * What MAP, UNMAP and a lookup cost, in ns, and what a mapping takes, in bytes, at several
 * numbers of live mappings: in the mapping store, and in the whole of iommu_map(), iommu_unmap()
 * and iommu_translate(), for an endpoint whose device does nothing. The baseline of each measure
 * is the smallest number of mappings. The patterns:
 *
 * random   any mapping goes, any free IOVA comes
 * up       a window that moves up: the lowest goes, the next higher comes
 * down     the same downwards, as a guest allocates before it reuses
 * guest    a guest in steady state: buffers of a small set come and go, some of
 *          them out of order, among all the others, which stay
 *
 * Lookups are of live mappings in the order in which the pattern adds them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "iommu/dma.h"
#include "iommu/mapping-debug.h"
#include "timing.h"

/* Operations that are timed at once: few enough to keep the number of mappings. */
#define BATCH_MAX 256
#define GUEST_SET 512
#define DOMAIN	  1

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
	bool requests; /* to the IOMMU; else to the store */
	struct iommu iommu;
	struct iommu_endpoint endpoint;
	struct dma_chan chan;
	struct mapping_store *store;
	enum pattern pattern;
	u64 nr;
	u64 *live;
	u64 *spare; /* RANDOM: free slots, as many as live ones */
	u64 next; /* UP, DOWN: the next slot */
};

static int add(struct bench *b, const struct mapping *m)
{
	return b->requests ? iommu_map(&b->iommu, DOMAIN, m) : mapping_store_add(b->store, m);
}

static int take_away(struct bench *b, const struct mapping *m)
{
	return b->requests ? iommu_unmap(&b->iommu, DOMAIN, m->start, m->last)
			   : mapping_store_remove(b->store, m->start, m->last, NULL);
}

static u64 find(struct bench *b, u64 iova)
{
	struct iommu_fault fault;
	struct iommu_run run;
	struct mapping m;

	if (!b->requests)
		return mapping_store_find(b->store, iova, &m) ? m.gpa : 0;
	return iommu_translate(&b->endpoint, NULL, DMA_NO_PASID, iova, DMA_READ, &run, &fault)
		       ? 0
		       : run.gpa;
}

static void start(struct bench *b)
{
	static const struct iommu_config config = {
		.page_size_mask = ~(4 * KiB - 1),
		.input_last = UINT64_MAX,
		.domain_last = DOMAIN,
		.max_mappings = UINT64_MAX,
	};

	if (!b->requests) {
		b->store = mapping_store_new();
		must(b->store, "no store");
		return;
	}
	must(!iommu_init(&b->iommu, &config) && !iommu_add_endpoint(&b->iommu, &b->endpoint, 0) &&
		     !iommu_attach(&b->iommu, DOMAIN, 0, false) &&
		     !dma_chan_init(&b->chan, NULL, &b->endpoint, 256),
	     "no endpoint");
	b->store = atomic_load(&b->endpoint.domain)->mappings;
}

static void end(struct bench *b)
{
	free(b->live);
	if (!b->requests) {
		mapping_store_free(b->store);
		return;
	}
	dma_chan_destroy(&b->chan);
	iommu_destroy(&b->iommu);
}

static void setup(struct bench *b, enum pattern pattern, u64 nr)
{
	u64 *slots = must_alloc(2 * nr, sizeof(*slots)), i;
	struct mapping m;

	b->pattern = pattern;
	b->nr = nr;
	b->live = slots;
	b->spare = slots + nr;
	start(b);
	for (i = 0; i < 2 * nr; i++)
		slots[i] = pattern == DOWN || pattern == GUEST ? (1ULL << 40) - i : i;
	if (pattern == RANDOM)
		shuffle(slots, 2 * nr);
	b->next = slots[nr];
	for (i = 0; i < nr; i++) {
		slot_mapping(slots[i], &m);
		must(!add(b, &m), "a mapping was not added");
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

static const u64 sizes[] = {10, 100, 1000, 10000, 100000, 1000000};

struct costs {
	double add, find, take_away, bytes;
};

static struct costs run(bool requests, enum pattern pattern, u64 nr)
{
	unsigned int batch = min(nr / 2, (u64)BATCH_MAX);
	u64 steps = MIN_OPS / batch + 1, begin, sum = 0;
	u64 *adding = must_alloc(steps, sizeof(*adding));
	u64 *finding = must_alloc(steps, sizeof(*finding));
	u64 *taking = must_alloc(steps, sizeof(*taking));
	u64 gone[BATCH_MAX], come[BATCH_MAX] = {0};
	struct bench b = {.requests = requests};
	struct mapping m[BATCH_MAX];
	struct costs costs;

	setup(&b, pattern, nr);
	for (u64 step = 0; step < steps; step++) {
		plan(&b, step, batch, gone, come);

		for (unsigned int i = 0; i < batch; i++)
			slot_mapping(b.live[gone[i]], &m[i]);
		begin = now_ns();
		for (unsigned int i = 0; i < batch; i++)
			sum += find(&b, m[i].start + 100);
		finding[step] = now_ns() - begin;

		begin = now_ns();
		for (unsigned int i = 0; i < batch; i++)
			sum += take_away(&b, &m[i]);
		taking[step] = now_ns() - begin;
		must(mapping_store_count(b.store) == nr - batch, "a mapping is still there");

		for (unsigned int i = 0; i < batch; i++) {
			b.live[gone[i]] = come[i];
			slot_mapping(come[i], &m[i]);
		}
		begin = now_ns();
		for (unsigned int i = 0; i < batch; i++)
			sum += add(&b, &m[i]);
		adding[step] = now_ns() - begin;
		must(mapping_store_count(b.store) == nr, "a mapping is not there");
	}
	must(sum, "nothing was found");
	costs = (struct costs){
		.add = per_op(adding, steps, batch),
		.find = per_op(finding, steps, batch),
		.take_away = per_op(taking, steps, batch),
		.bytes = (double)mapping_store_bytes(b.store) / nr,
	};
	end(&b);
	free(adding);
	free(finding);
	free(taking);
	return costs;
}

static void print(bool requests, enum pattern pattern, const char *what, u64 nr, double ns)
{
	char measure[80], who[32];

	snprintf(measure, sizeof(measure), "%s, %s: %s", requests ? "request" : "store",
		 pattern_names[pattern], what);
	snprintf(who, sizeof(who), "%" PRIu64 " mappings", nr);
	print_ns(measure, who, ns);
}

int main(void)
{
	for (int i = 0; i < 2 * NR_PATTERNS; i++) {
		enum pattern pattern = i % NR_PATTERNS;
		bool requests = i >= NR_PATTERNS;

		for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
			struct costs costs = run(requests, pattern, sizes[s]);

			print(requests, pattern, "MAP", sizes[s], costs.add);
			print(requests, pattern, "UNMAP", sizes[s], costs.take_away);
			print(requests, pattern, "lookup", sizes[s], costs.find);
			if (!requests)
				printf("store, %s: memory|%" PRIu64 " mappings|%.1f|bytes\n",
				       pattern_names[pattern], sizes[s], costs.bytes);
		}
	}
	return 0;
}
