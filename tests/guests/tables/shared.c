// SPDX-License-Identifier: GPL-2.0-only
/* Two engines at once: in two domains, and in one. */
#include "steps.h"

/* @b of another format, or the one with mappings and the other with tables. */
static void refuse_mixture(struct target *a, struct target *b)
{
	bool mapped = !a->row->kind->has_pasids && !b->row->kind->has_pasids;

	if (mapped || (a->row->kind == b->row->kind && a->row->format == b->row->format))
		return;
	check(b->row->kind->enter(b, a->domain) == VIOMMU_S_INVAL,
	      "the second to the domain of the first, which is of another kind: INVAL");
	b->table.domain = b->domain;
}

void run_pair(struct target *a, struct target *b)
{
	struct space of_a = {0}, of_b = {0};
	bool ok;

	section("Two endpoints: %s at %s, %s at %s", a->row->name, a->engine->name, b->row->name,
		b->engine->name);
	alloc_memory();
	reset_memory();
	if (!check(begin(a, &of_a) && begin(b, &of_b), "attached, to two domains"))
		return;
	refuse_mixture(a, b);
	check(map_now(&of_a, PAGE_IOVA(a), page_a, USER_RW) &&
		      map_now(&of_b, PAGE_IOVA(b), page_b, USER_RW) &&
		      reads_word(&of_a, PAGE_IOVA(a), WORD_A) &&
		      reads_word(&of_b, PAGE_IOVA(b), WORD_B),
	      "one address: each has a page of its own");
	ok = unmap(&of_a, PAGE_IOVA(a), row_page(a->row)) == VIOMMU_S_OK &&
	     invalidate(&of_a, INV_DOMAIN, 0, 0) == VIOMMU_S_OK &&
	     read_refused(&of_a, PAGE_IOVA(a), 0, VIOMMU_FAULT_MAPPING);
	check(ok && reads_word(&of_b, PAGE_IOVA(b), WORD_B), "gone from one, there in the other");
	map_now(&of_a, PAGE_IOVA(a), page_c, USER_RW);
	end(b, &of_b, 1);
	check(reads_word(&of_a, PAGE_IOVA(a), WORD_C), "the other is detached, this one goes on");
	end(a, &of_a, 1);
}

/* Attaches @b to the domain of @main, with the same tables. @of_b is @main as @b has it. */
static bool join(struct target *b, const struct space *main, struct space *of_b)
{
	const struct kind *kind = b->row->kind;

	*of_b = *main;
	of_b->t = b;
	b->table = main->t->table;
	b->table.endpoint = b->endpoint;
	/* Entry 0 may be the endpoint's own: it is set for each. */
	if (kind->enter(b, b->domain) != VIOMMU_S_OK || kind->open(of_b) != VIOMMU_S_OK ||
	    !map_ring(of_b) || !map_doorbell(of_b))
		return false;
	start_engine(b);
	return true;
}

/* Detaches @b, and leaves the tables to who has them, too. */
static void leave(struct target *b)
{
	dma_engine_stop(b->engine);
	viommu_detach(&iommu, b->domain, b->endpoint);
	b->table.base = NULL;
}

static bool both_read(struct space *x, struct space *y, u64 word)
{
	return reads_word(x, PAGE_IOVA(x->t), word) && reads_word(y, PAGE_IOVA(y->t), word);
}

static bool both_refused(struct space *x, struct space *y, u8 reason)
{
	return read_refused(x, PAGE_IOVA(x->t), 0, reason) &&
	       read_refused(y, PAGE_IOVA(y->t), 0, reason);
}

/* One space that both have, by @x of the one and @y of the other. */
static void scenario_same_tables(struct space *x, struct space *y)
{
	unsigned int page = row_page(x->t->row);
	u64 iova = PAGE_IOVA(x->t);
	bool ok;

	reset_memory();
	check_space(x, map_now(x, iova, page_a, USER_RW) && both_read(x, y, WORD_A),
		    "a page is read by both");
	ok = map(x, iova, page_b, page, USER_RW) == VIOMMU_S_OK &&
	     invalidate(x, INV_ADDRESS, iova, page) == VIOMMU_S_OK;
	check_space(x, ok && both_read(x, y, WORD_B), "changed, and one INVALIDATE is for both");
	ok = unmap(y, iova, page) == VIOMMU_S_OK &&
	     invalidate(y, INV_PASID, iova, page) == VIOMMU_S_OK;
	check_space(x, ok && both_refused(x, y, VIOMMU_FAULT_MAPPING),
		    "unmapped: refused to both, each with a report of its own");
}

/* A PASID that the one attaches, and the other has as well; until that takes it away. */
static void scenario_same_pasid(struct space *x, struct target *b)
{
	const struct kind *kind = x->t->row->kind;
	struct space y;
	bool ok;

	if (!check_space(x, kind->open(x) == VIOMMU_S_OK, "attached, for both"))
		return;
	y = *x;
	y.t = b;
	scenario_same_tables(x, &y);
	ok = map_now(x, PAGE_IOVA(b), page_a, USER_RW) && both_read(x, &y, WORD_A) &&
	     kind->close(&y) == VIOMMU_S_OK;
	check_space(x, ok && both_refused(x, &y, x->t->row->no_entry), "detached, for both");
	check_space(x, kind->open(x) == VIOMMU_S_OK && both_read(x, &y, WORD_A), "attached again");
}

/*
 * The second has a table of its own, in the domain of the first. @x is of a PASID that the first
 * has: with a table that the device keeps the second has it, too.
 */
static void scenario_own_tables(struct space *main, struct space *x, struct target *b)
{
	struct target *a = main->t;
	unsigned int page = row_page(a->row);
	struct space own, y = {.t = b, .pasid = x->pasid, .id = x->id};
	u64 iova = PAGE_IOVA(a);
	bool ok;

	reset_memory();
	if (!check(begin(b, &own), "the second in the same domain, with a table of its own"))
		return;
	ok = map_now(main, iova, page_a, USER_RW) && map_now(&own, iova, page_b, USER_RW);
	check(ok && reads_word(main, iova, WORD_A) && reads_word(&own, iova, WORD_B),
	      "one address: each has a page of its own");
	ok = map(main, iova, page_b, page, USER_RW) == VIOMMU_S_OK &&
	     map(&own, iova, page_c, page, USER_RW) == VIOMMU_S_OK &&
	     invalidate(main, INV_DOMAIN, 0, 0) == VIOMMU_S_OK;
	check(ok && reads_word(main, iova, WORD_B) && reads_word(&own, iova, WORD_C),
	      "both changed, and one INVALIDATE of the domain is for both");
	ok = map_now(x, iova, page_c, USER_RW) && reads_word(x, iova, WORD_C);
	if (a->row->keeps == KEEPS_PASIDS) {
		check_space(x, ok && reads_word(&y, iova, WORD_C), "of the device, for both");
	} else {
		/* Once it was there, so that the tables that lead to it are. */
		ok &= pasid_table_set(&b->table, y.pasid, &x->pt, y.id) == VIOMMU_S_OK &&
		      reads_word(&y, iova, WORD_C) &&
		      pasid_table_clear(&b->table, y.pasid) == VIOMMU_S_OK;
		check_space(x,
			    ok && read_refused(&y, iova, 0, a->row->no_entry) &&
				    reads_word(x, iova, WORD_C),
			    "taken from the second's table, and still in the first's");
	}
	end(b, &own, 1);
	check(reads_word(main, iova, WORD_B), "the second is detached, the first goes on");
}

void run_shared(struct target *a, struct target *b)
{
	struct space main = {0}, of_b = {0}, x = {.t = a, .id = 77};
	const struct kind *kind = a->row->kind;
	u32 domain = b->domain;

	section("One domain: %s, at %s and %s", a->row->name, a->engine->name, b->engine->name);
	alloc_memory();
	reset_memory();
	b->domain = a->domain;
	x.pasid = kind->has_pasids ? BIT(a->cfg.pasid_bits) - 1 : 0;
	if (!check(begin(a, &main) && join(b, &main, &of_b), "attached, with the same tables"))
		return;
	scenario_same_tables(&main, &of_b);
	if (kind->has_pasids)
		scenario_same_pasid(&x, b);
	map_now(&main, PAGE_IOVA(a), page_b, USER_RW);
	leave(b);
	start_engine(b);
	check(is_cut_off(&of_b, VIOMMU_FAULT_DOMAIN) && reads_word(&main, PAGE_IOVA(a), WORD_B),
	      "the second is detached and reaches nothing, the first goes on");
	if (kind->has_pasids && a->row->keeps != KEEPS_ALL)
		scenario_own_tables(&main, &x, b);
	dma_engine_stop(b->engine);
	end(a, &main, 1);
	if (kind->has_pasids)
		kind->free(&x);
	b->domain = domain;
}
