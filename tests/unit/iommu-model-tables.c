// SPDX-License-Identifier: GPL-2.0-only
/*
 * The part of the model for page tables, of the toy formats. What an entry was may stay in use
 * until an INVALIDATE names it: the model remembers what may be cached, and an access has to end
 * at one of these places, or where the table leads now.
 */
#include <endian.h>
#include <string.h>

#include "iommu-model.h"
#include "toy-format.h"

/* Tables, of 512 entries for the first 2 MiB of IOVAs, which the low cells are in. */
#define NR_TABLES 3
#define TABLE(n)  (4 * MiB + (n) * GRANULE)
#define FIRST	  (DATA_BASE / GRANULE) /* entry of the first cell */

/* So few that what was cached is met again. */
#define CELLS	    4
#define USED_PASIDS 4

/* Accesses have one of the PASIDs, or this for none. */
#define PLAIN	  MODEL_PASIDS
#define NR_ACCESS (MODEL_PASIDS + 1)

/* What an access got, and may get again. */
struct cached {
	u64 entry;
	u32 id;
};

#define MAX_CACHED 6

static struct {
	/* With more than MAX_CACHED, anything may be there. */
	unsigned int nr[NR_ENDPOINTS][NR_ACCESS][CELLS];
	struct cached at[NR_ENDPOINTS][NR_ACCESS][CELLS][MAX_CACHED];
} seen;

void model_forget(unsigned int n)
{
	memset(seen.nr[n], 0, sizeof(seen.nr[n]));
}

unsigned int model_tables(void)
{
	unsigned int nr = 0;

	for (unsigned int n = 0; n < NR_ENDPOINTS; n++)
		nr += model.base[n].table != 0;
	for (unsigned int i = 0; i < MODEL_DOMAINS; i++) {
		for (unsigned int p = 0; p < MODEL_PASIDS; p++)
			nr += model.domains[i].pasids[p].table != 0;
	}
	return nr;
}

static bool is_member(const struct model_domain *d, unsigned int n)
{
	return model.domain_of[n] == d - model.domains;
}

/* What was translated by the table of @pasid is gone. */
static void forget_pasid(const struct model_domain *d, u32 pasid)
{
	for (unsigned int n = 0; n < NR_ENDPOINTS; n++) {
		if (is_member(d, n))
			memset(seen.nr[n][pasid], 0, sizeof(seen.nr[n][pasid]));
	}
}

/* @n is the endpoint that it comes to be for. */
static u32 attach_rules(u32 id, unsigned int *n, bool known, u8 format, bool malformed, u32 pasid)
{
	const struct model_domain *d =
		id < MODEL_DOMAINS && model.domains[id].exists ? &model.domains[id] : NULL;
	const struct iommu_format *f;
	u32 broken = 0;

	/* Where requests name the domain only, it is for any endpoint there. */
	if (d && d->format == &toy_domain_format && format == TOY_PASID) {
		for (*n = 0; !is_member(d, *n); (*n)++)
			;
		known = true;
	}
	if (!known)
		return S(NOENT);
	f = model.formats[*n];
	if (!f || (format != TOY_BASE && format != TOY_PASID))
		return S(UNSUPP);
	if (malformed)
		broken |= S(INVAL);
	if (id >= MODEL_DOMAINS)
		broken |= S(RANGE);
	if (d && d->format != f)
		broken |= S(INVAL);
	if (format == TOY_BASE) {
		if (!model.base[*n].table && model_tables() == MODEL_LIMIT)
			broken |= S(NOMEM);
		return broken;
	}
	if (pasid >= MODEL_PASIDS)
		return broken | S(RANGE);
	if (model.domain_of[*n] != NO_DOMAIN && (!d || !is_member(d, *n)))
		broken |= S(INVAL);
	if (f->needs_base && (!d || !is_member(d, *n)))
		broken |= S(NOENT);
	if (!(d && d->pasids[pasid].table) && model_tables() == MODEL_LIMIT)
		broken |= S(NOMEM);
	return broken;
}

void model_attach_table(void)
{
	u32 id = model_random_domain(), endpoint, broken;
	const struct model_table table = {TABLE(unit_below(NR_TABLES)), unit_below(3)};
	u32 pasid = unit_below(model_chance(20) ? 40 : USED_PASIDS);
	u8 format = model_chance(30) ? unit_below(256) : unit_below(2) ? TOY_BASE : TOY_PASID;
	struct toy_descriptor desc = {
		.table = htole64(table.table),
		.pasid = htole32(pasid),
		.id = htole32(table.id),
	};
	struct model_domain *d;
	unsigned int n;
	bool known;

	endpoint = model_random_endpoint(&n, &known);
	desc.reserved[0] = model_chance(20);
	broken = attach_rules(id, &n, known, format, desc.reserved[0], pasid);
	if (!model_status("attach-table", attach_table(id, endpoint, format, &desc, sizeof(desc)),
			  broken, VIOMMU_F_ATTACH_TABLE))
		return;
	d = &model.domains[id];
	if (!d->exists)
		*d = (struct model_domain){.exists = true, .format = model.formats[n]};
	if (model.domain_of[n] != (int)id)
		model_move(n, id);
	if (format == TOY_BASE) {
		model.base[n] = table;
		model_forget(n);
	} else {
		d->pasids[pasid] = table;
		forget_pasid(d, pasid);
	}
}

void model_detach_pasid(void)
{
	u32 id = model_random_domain(), pasid = unit_below(model_chance(20) ? 40 : USED_PASIDS),
	    broken = 0;
	u32 flags = model_chance(20) ? 2 + unit_below(6) : VIOMMU_DETACH_PASID;
	u32 endpoint;
	struct model_domain *d = id < MODEL_DOMAINS ? &model.domains[id] : NULL;
	bool whole = !model_has_feature(VIOMMU_F_ATTACH_TABLE), known, member;
	unsigned int n;

	endpoint = model_random_endpoint(&n, &known);
	member = known && d && is_member(d, n);
	if (!whole && flags != VIOMMU_DETACH_PASID)
		broken |= S(INVAL);
	if (!known)
		broken |= S(NOENT);
	else if (!member || (!whole && !d->format))
		broken |= S(INVAL);
	if (!whole && pasid >= MODEL_PASIDS)
		broken |= S(RANGE);
	else if (!whole && member && !d->pasids[pasid].table)
		broken |= S(NOENT);
	if (!model_status("detach-pasid", detach_pasid(id, endpoint, pasid, flags), broken, -1) ||
	    !member)
		return;
	if (whole) {
		model_move(n, NO_DOMAIN);
		return;
	}
	d->pasids[pasid] = (struct model_table){0};
	forget_pasid(d, pasid);
}

/* An INVALIDATE as fields. */
struct invalidation {
	u8 scope, caches, page_size;
	u16 flags;
	u32 domain, pasid;
	u64 id, address, nr_pages;
};

/* What there is to be wrong. */
static u32 invalidate_rules(const struct invalidation *i, bool reserved)
{
	const struct model_domain *d = i->domain < MODEL_DOMAINS ? &model.domains[i->domain] : NULL;
	u64 size = 1ULL << i->page_size % 64;
	u32 broken = 0;

	if (reserved || i->scope < VIOMMU_INVALIDATE_DOMAIN ||
	    i->scope > VIOMMU_INVALIDATE_ADDRESS || i->flags > 15 || i->caches < 1 || i->caches > 3)
		broken |= S(INVAL);
	if (i->scope == VIOMMU_INVALIDATE_DOMAIN && i->flags & VIOMMU_INVALIDATE_F_PASID)
		broken |= S(INVAL);
	if (!(i->flags & VIOMMU_INVALIDATE_F_PASID) && i->pasid)
		broken |= S(INVAL);
	if (!(i->flags & VIOMMU_INVALIDATE_F_ID) && i->id)
		broken |= S(INVAL);
	if (i->flags & VIOMMU_INVALIDATE_F_PASID && i->pasid >= 1 << 20)
		broken |= S(RANGE);
	if (i->scope == VIOMMU_INVALIDATE_ADDRESS) {
		if (i->caches != VIOMMU_INVALIDATE_C_TLB || !i->nr_pages ||
		    (i->page_size != 12 && i->page_size != 21) || i->address % size)
			broken |= S(INVAL);
		else if ((unsigned __int128)i->address + (unsigned __int128)i->nr_pages * size >
			 (unsigned __int128)1 << 64)
			broken |= S(RANGE);
	} else if (i->address || i->nr_pages || i->page_size) {
		broken |= S(INVAL);
	}
	if (!d || !d->exists)
		broken |= S(NOENT);
	else if (!d->format)
		broken |= S(INVAL);
	return broken;
}

/* Whether @i names what an access with PASID @access got at @cell. */
static bool names(const struct invalidation *i, unsigned int access, unsigned int cell,
		  const struct cached *c)
{
	bool by_pasid =
		i->scope == VIOMMU_INVALIDATE_PASID ||
		(i->scope == VIOMMU_INVALIDATE_ADDRESS && i->flags & VIOMMU_INVALIDATE_F_PASID);
	unsigned int which = i->flags & VIOMMU_INVALIDATE_F_PASID ? i->pasid : PLAIN;
	u64 pages = i->page_size == 21 ? 512 : 1;

	if (by_pasid && which != access)
		return false;
	if (i->scope == VIOMMU_INVALIDATE_ADDRESS &&
	    (model_cell(cell) < i->address ||
	     (model_cell(cell) - i->address) / GRANULE / pages >= i->nr_pages))
		return false;
	if (i->caches & VIOMMU_INVALIDATE_C_PASID || !(i->flags & VIOMMU_INVALIDATE_F_ID))
		return true;
	if (c->entry & TOY_G)
		return i->flags & VIOMMU_INVALIDATE_F_GLOBAL;
	return c->id == i->id;
}

static void drop(const struct invalidation *i, unsigned int n, unsigned int access,
		 unsigned int cell)
{
	struct cached *list = seen.at[n][access][cell];
	unsigned int *nr = &seen.nr[n][access][cell];

	/* Of what is not known, nothing is known if it names all. */
	if (*nr > MAX_CACHED) {
		if (!(i->flags & VIOMMU_INVALIDATE_F_ID) && names(i, access, cell, &list[0]))
			*nr = 0;
		return;
	}
	for (unsigned int c = 0; c < *nr;) {
		if (names(i, access, cell, &list[c]))
			list[c] = list[--*nr];
		else
			c++;
	}
}

static void forget_named(const struct invalidation *i, unsigned int n)
{
	for (unsigned int access = 0; access < NR_ACCESS; access++) {
		for (unsigned int cell = 0; cell < CELLS; cell++)
			drop(i, n, access, cell);
	}
	/* Now it shows. */
	model_sweep_tables(n, DMA_READ);
	model_sweep_tables(n, DMA_WRITE);
}

void model_invalidate(void)
{
	struct invalidation i = {
		.scope = VIOMMU_INVALIDATE_DOMAIN + unit_below(3),
		.caches = VIOMMU_INVALIDATE_C_TLB,
		.domain = model_random_domain(),
	};
	struct viommu_invalidate req;
	bool reserved = model_chance(40);

	if (model_chance(4) && i.scope != VIOMMU_INVALIDATE_ADDRESS)
		i.caches = 1 + unit_below(3);
	if (model_chance(2) && i.scope != VIOMMU_INVALIDATE_DOMAIN) {
		i.flags |= VIOMMU_INVALIDATE_F_PASID;
		i.pasid = unit_below(USED_PASIDS);
	}
	if (model_chance(3)) {
		i.flags |= VIOMMU_INVALIDATE_F_ID;
		i.id = unit_below(3);
	}
	i.flags |= model_chance(4) ? VIOMMU_INVALIDATE_F_GLOBAL : 0;
	i.flags |= model_chance(4) ? VIOMMU_INVALIDATE_F_LEAF : 0;
	if (i.scope == VIOMMU_INVALIDATE_ADDRESS) {
		i.page_size = model_chance(8) ? 21 : 12;
		i.address = i.page_size == 21 ? 0 : model_cell(unit_below(CELLS));
		i.nr_pages = 1 + unit_below(8);
	}
	switch (unit_below(60)) {
	case 0:
		i.scope = unit_below(6);
		break;
	case 1:
		i.caches = unit_below(8);
		break;
	case 2:
		i.flags = unit_below(40);
		break;
	case 3:
		i.page_size = unit_below(70);
		break;
	case 4:
		i.nr_pages = unit_below(2) ? 0 : UINT64_MAX;
		break;
	case 5:
		i.address += unit_below(GRANULE);
		break;
	case 6:
		i.pasid = unit_below(2) ? 1 << 20 : unit_below(3);
		break;
	}
	req = (struct viommu_invalidate){
		.scope = i.scope,
		.caches = i.caches,
		.flags = htole16(i.flags),
		.domain = htole32(i.domain),
		.pasid = htole32(i.pasid),
		.id = htole64(i.id),
		.address = htole64(i.address),
		.nr_pages = htole64(i.nr_pages),
		.page_size = i.page_size,
	};
	if (reserved)
		req.reserved[unit_below(sizeof(req.reserved))] = 1;
	if (!model_status("invalidate", invalidate(&req), invalidate_rules(&i, reserved),
			  VIOMMU_F_ATTACH_TABLE))
		return;
	for (unsigned int n = 0; n < NR_ENDPOINTS; n++) {
		if (is_member(&model.domains[i.domain], n))
			forget_named(&i, n);
	}
}

static u64 entry_at(u64 table, unsigned int cell)
{
	u64 entry;

	fake_read(&g.drv, table + 8 * (FIRST + cell), &entry, sizeof(entry));
	return le64toh(entry);
}

void model_table_entry(void)
{
	u64 entry = htole64((DATA_BASE + unit_below(64) * GRANULE) |
			    (model_chance(8) ? unit_below(8) : TOY_P | unit_below(8)));

	fake_write(&g.drv, TABLE(unit_below(NR_TABLES)) + 8 * (FIRST + unit_below(CELLS)), &entry,
		   sizeof(entry));
}

/* The entry of the table now; false if there is no table. */
static bool walk(unsigned int n, unsigned int access, unsigned int cell, struct cached *out)
{
	const struct model_domain *d = &model.domains[model.domain_of[n]];
	const struct model_table *t = access == PLAIN ? &model.base[n] : &d->pasids[access];

	if (!t->table)
		return false;
	*out = (struct cached){entry_at(t->table, cell), t->id};
	return out->entry & TOY_P;
}

/* Where an access ends by that entry. */
static u64 ends(const struct cached *c, u32 dir)
{
	return dir & DMA_WRITE && !(c->entry & TOY_W) ? NOWHERE : c->entry & ~0xfffULL;
}

static u64 reach_pasid(unsigned int n, unsigned int access, u64 iova, u32 dir)
{
	dma_handle_t handle;
	struct iovec iov;
	u64 gpa;

	if (dma_map(&g.chans[n], access == PLAIN ? DMA_NO_PASID : access, iova, 1, dir, &iov, 1,
		    &handle) < 0)
		return NOWHERE;
	gpa = (u8 *)iov.iov_base - g.mem.banks[0].hva;
	dma_unmap(&g.chans[n], handle);
	return gpa;
}

static bool same(const struct cached *a, const struct cached *b)
{
	return a->entry == b->entry && a->id == b->id;
}

static void sample(unsigned int n, unsigned int access, unsigned int cell, u32 dir, u32 off)
{
	struct cached *list = seen.at[n][access][cell], now = {0};
	unsigned int *nr = &seen.nr[n][access][cell], i;
	bool there = walk(n, access, cell, &now), right;
	u64 got = reach_pasid(n, access, model_cell(cell) + off, dir);

	if (got != NOWHERE)
		got -= off;
	right = *nr > MAX_CACHED || got == (there ? ends(&now, dir) : NOWHERE);
	for (i = 0; i < *nr && i < MAX_CACHED; i++)
		right = right || got == ends(&list[i], dir);
	CHECK(right);

	/* It is cached now, unless it was before. */
	for (i = 0; i < *nr && i < MAX_CACHED; i++)
		if (same(&list[i], &now))
			return;
	if (!there || *nr > MAX_CACHED)
		return;
	if (*nr < MAX_CACHED)
		list[*nr] = now;
	(*nr)++;
}

void model_sample_tables(unsigned int n)
{
	unsigned int access = model_chance(3) ? PLAIN : unit_below(model_chance(8) ? PLAIN : 4);

	sample(n, access, unit_below(CELLS), 1 + unit_below(3), unit_below(GRANULE));
}

void model_sweep_tables(unsigned int n, u32 dir)
{
	for (unsigned int cell = 0; cell < CELLS; cell++) {
		sample(n, PLAIN, cell, dir, 0);
		for (unsigned int pasid = 0; pasid < USED_PASIDS; pasid++)
			sample(n, pasid, cell, dir, 0);
	}
}
