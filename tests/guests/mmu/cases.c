// SPDX-License-Identifier: GPL-2.0-only
#include "mmu.h"

#include "rt/core.h"

#define NR_PAGES 16

/* That many bits are flipped in a random case, at most. */
#define MAX_FLIPS 5

#define NR_WORDS (PAGE_SIZE / sizeof(u64))

static u64 *pages[NR_PAGES];
static u64 state;

void cases_seed(u64 seed)
{
	state = seed;
}

/* SplitMix64, of Steele, Lea and Flood, "Fast splittable pseudorandom number generators". */
static u64 random64(void)
{
	u64 z = state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static unsigned int random_below(unsigned int n)
{
	return (random64() >> 32) * n >> 32;
}

void cases_alloc(void)
{
	unsigned int i, j;

	for (i = 0; i < NR_PAGES; i++) {
		/* Addresses whose low bits, of which larger leaves are translated, are all sorts.
		 */
		u64 gap = (i * 37 % NR_PAGES) * PAGE_SIZE, align = PAGE_SIZE << i % 10;

		pages[i] = (u64 *)((u8 *)mem_alloc(gap + PAGE_SIZE, align) + gap);
		for (j = 0; j < NR_WORDS; j++)
			pages[i][j] = mmu_code(i * NR_WORDS + j);
		mmu_sync_code(pages[i], PAGE_SIZE);
	}
}

/* A case with that leaf, of which nothing is flipped. */
static void start(const struct regime *r, unsigned int leaf, bool group, struct mmu_case *c)
{
	unsigned int i;

	for (i = 0; i < leaf; i++)
		c->entry[i] = mmu_table_entry(r);
	/* A leaf that becomes a table by a bit leads to another leaf. */
	for (; i < r->levels; i++)
		c->entry[i] = mmu_leaf_entry(r, i, group && i == leaf);
}

/* The entries are as they will be: an address that they translate. */
static void finish(const struct regime *r, struct mmu_case *c)
{
	unsigned int level;
	u64 same;

	/* Of bits that were flipped some may now be of an address. */
	for (level = 0; level < r->levels; level++)
		c->entry[level] &= mmu_all_bits(r, level, c->entry[level]);
	level = 0;
	while (level < r->levels - 1 && mmu_leads_on(r, level, c->entry[level]))
		level++;
	c->depth = level + 1;
	c->leaf_log2 = mmu_leaf_log2(r, level, c->entry[level]);
	c->target = pages[random_below(NR_PAGES)] + random_below(NR_WORDS - NR_ACCESSES);
	same = BIT_ULL(c->leaf_log2) - 1;
	c->address = (mmu_address(r, random64()) & ~same) | (gpa_of(c->target) & same);
}

/* The bits that are not translated but have to be right, and the highest that is. */
static unsigned int first_rest_bit(const struct regime *r)
{
	return r->address_bits - 1;
}

bool cases_next(const struct regime *r, struct mmu_places *at, struct mmu_case *c)
{
	if (!at->leaf && r->top_leaf)
		*at = (struct mmu_places){.leaf = r->top_leaf};

	for (; at->leaf < r->levels; at->leaf++, at->group = false) {
		for (;; at->group = true) {
			start(r, at->leaf, at->group, c);
			for (; at->level <= at->leaf; at->level++, at->bit = 0) {
				u64 bits = mmu_all_bits(r, at->level, c->entry[at->level]);

				while (at->bit < 64 && !(bits & BIT_ULL(at->bit)))
					at->bit++;
				if (at->bit == 64)
					continue;
				c->entry[at->level] ^= BIT_ULL(at->bit++);
				finish(r, c);
				return true;
			}
			at->level = at->bit = 0;
			if (at->group || r->groups == NO_GROUPS)
				break;
		}
	}
	if (at->leaf == r->levels)
		*at = (struct mmu_places){.leaf = r->levels + 1, .bit = first_rest_bit(r)};
	if (at->bit == 64)
		return false;
	start(r, r->levels - 1, false, c);
	finish(r, c);
	c->address ^= BIT_ULL(at->bit++);
	return true;
}

void cases_random(const struct regime *r, struct mmu_case *c)
{
	unsigned int leaf = r->top_leaf + random_below(r->levels - r->top_leaf);
	unsigned int flips = random_below(MAX_FLIPS + 1);

	start(r, leaf, r->groups != NO_GROUPS && !random_below(4), c);
	while (flips--) {
		unsigned int level = random_below(leaf + 1);
		u64 *entry = &c->entry[level];
		u64 bits = random_below(4) ? mmu_main_bits(r, level, *entry)
					   : mmu_all_bits(r, level, *entry);
		u64 bit;

		do
			bit = BIT_ULL(random_below(64));
		while (!(bits & bit));
		*entry ^= bit;
	}
	finish(r, c);
	if (!random_below(16))
		c->address ^= BIT_ULL(first_rest_bit(r) + random_below(64 - first_rest_bit(r)));
}
