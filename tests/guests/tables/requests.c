// SPDX-License-Identifier: GPL-2.0-only
/* What a driver does wrong, and memory or room that there is not: nothing is changed by it. */
#include "rt/pages.h"
#include "steps.h"

void scenario_no_memory(struct space *s)
{
	const struct kind *kind = s->t->row->kind;
	struct space poor = {.t = s->t, .pasid = s->pasid - 1, .id = s->id + 60};
	u64 far = LONG_IOVA(s->t) + GiB, iova = PAGE_IOVA(s->t);
	bool ok;

	reset_memory();
	pages_left = 0;
	check_space(&poor, kind->open(&poor) == VIOMMU_S_NOMEM, "no memory for a page table");
	check_space(s,
		    map(s, far, page_a, row_page(s->t->row), USER_RW) == VIOMMU_S_NOMEM &&
			    read_refused(s, far, 0, VIOMMU_FAULT_MAPPING),
		    "nor for one below it");
	pages_left = PAGES_NO_LIMIT;
	ok = map_now(s, iova, page_a, USER_RW) && reads_word(s, iova, WORD_A);
	check_space(s, ok, "what is there goes on");
	kind->free(&poor);
}

/* All that a driver needs memory for. The first status that is not OK. */
static int set_up(struct target *t, struct page_table *pt)
{
	u32 last = BIT(t->cfg.pasid_bits) - 1;
	int ret = pasid_table_alloc(&t->table, &iommu, &t->cfg, t->domain, t->endpoint);

	*pt = (struct page_table){0};
	if (ret == VIOMMU_S_OK)
		ret = pasid_table_attach(&t->table);
	if (ret == VIOMMU_S_OK && !page_table_alloc(pt, t->row->pages))
		ret = VIOMMU_S_NOMEM;
	if (ret == VIOMMU_S_OK &&
	    !page_table_map(pt, PAGE_IOVA(t), gpa_of(page_a), row_page(t->row), USER_RW))
		ret = VIOMMU_S_NOMEM;
	if (ret == VIOMMU_S_OK)
		ret = pasid_table_set(&t->table, 1, pt, 1);
	if (ret == VIOMMU_S_OK)
		ret = pasid_table_set(&t->table, last, pt, 1);
	return ret;
}

/* The same with room for @limit allocations, and all of it taken down. *@taken: how many it had. */
static int try_set_up(struct target *t, u32 limit, u32 *taken)
{
	u32 before = pages_taken;
	struct page_table pt;
	int ret;

	pages_left = limit;
	ret = set_up(t, &pt);
	pages_left = PAGES_NO_LIMIT;
	*taken = pages_taken - before;
	viommu_detach(&iommu, t->domain, t->endpoint);
	pasid_table_free(&t->table);
	page_table_free(&pt);
	return ret;
}

/* With the first allocation failing, the second, ..., the last. */
void scenario_failing_allocations(struct target *t)
{
	u32 before = pages_taken, needed, taken, n;
	bool ok = try_set_up(t, PAGES_NO_LIMIT, &needed) == VIOMMU_S_OK && needed;

	for (n = 0; ok && n < needed; n++)
		ok = try_set_up(t, n, &taken) == VIOMMU_S_NOMEM && taken == n;
	check(ok && pages_taken == before,
	      "each of %u allocations failing: NOMEM, and nothing is left behind", needed);
}

static int send_attach(const struct viommu_req_attach_table *req)
{
	return viommu_request(&iommu, req, sizeof(*req));
}

/* The endpoint's ATTACH_TABLE with one byte of its descriptor changed. */
static int attach_with(const struct target *t, unsigned int at, u8 byte)
{
	struct viommu_req_attach_table req;

	t->table.ops->attach(&t->table, &req);
	req.descriptor[at] = byte;
	return send_attach(&req);
}

/* Without the last byte of all that it should be. */
static int send_truncated(const void *req, u32 len)
{
	struct viommu_tail tail;
	u32 used;

	if (viommu_request_raw(&iommu, req, len - 1, &tail, sizeof(tail), &used) ||
	    used != sizeof(tail))
		return VIOMMU_NO_ANSWER;
	return tail.status;
}

static void wrong_attach_table(struct target *t)
{
	struct viommu_req_attach_table req, good;
	unsigned int i;
	bool ok = true;

	t->table.ops->attach(&t->table, &good);
	req = good;
	req.format = 0xee;
	ok = send_attach(&req) == VIOMMU_S_UNSUPP;
	req.format = good.format == 1 ? 2 : 1;
	ok &= send_attach(&req) == VIOMMU_S_UNSUPP;
	req.format = 0;
	check(ok && send_attach(&req) == VIOMMU_S_UNSUPP,
	      "ATTACH_TABLE of an unknown format, another's or none: UNSUPP");
	for (i = 0, ok = true; i < sizeof(req.reserved); i++) {
		req = good;
		req.reserved[i] = 1;
		ok &= send_attach(&req) == VIOMMU_S_INVAL;
	}
	/* No format has so large a pointer, or one that fills the descriptor. */
	ok &= attach_with(t, 7, 0xff) == VIOMMU_S_INVAL;
	ok &= attach_with(t, sizeof(req.descriptor) - 1, 1) == VIOMMU_S_INVAL;
	check(ok && send_truncated(&good, sizeof(good)) == VIOMMU_S_INVAL,
	      "with a reserved byte, a pointer beyond all memory, or truncated: INVAL");
	req = good;
	req.endpoint = ~0U;
	check(send_attach(&req) == VIOMMU_S_NOENT, "for an endpoint that there is not: NOENT");
}

/* Of tables of PASIDs: where the device keeps them it looks at them. */
static void wrong_pasids(struct space *s)
{
	struct target *t = s->t;
	u32 none = s->pasid - 1;
	bool kept = t->row->keeps != KEEPS_NOTHING;
	int want = kept ? VIOMMU_S_NOENT : VIOMMU_S_INVAL;

	check(viommu_detach_pasid(&iommu, t->domain, t->endpoint, none) == want,
	      "DETACH of a PASID that %s: %s", kept ? "has no table" : "is the guest's business",
	      viommu_status_name(want));
	if (!kept)
		return;
	check(pasid_table_set(&t->table, BIT(t->cfg.pasid_bits), &s->pt, 1) == VIOMMU_S_RANGE,
	      "ATTACH_TABLE for a PASID that is too wide: RANGE");
}

static int send_invalidate(const struct viommu_req_invalidate *req)
{
	return viommu_request(&iommu, req, sizeof(*req));
}

static void wrong_invalidate(struct target *t)
{
	unsigned int page = row_page(t->row);
	struct viommu_req_invalidate good, req;
	u64 iova = PAGE_IOVA(t);
	bool ok;

	pasid_table_inv_address(&t->table, 0, iova, 1, page, &good);
	ok = send_invalidate(&good) == VIOMMU_S_OK;
#define WRONG(field, value)                                    \
	do {                                                   \
		req = good;                                    \
		req.field = value;                             \
		ok &= send_invalidate(&req) == VIOMMU_S_INVAL; \
	} while (0)
	WRONG(caches, VIOMMU_CACHE_PASID);
	pasid_table_inv_domain(&t->table, &good);
	WRONG(scope, 0);
	WRONG(scope, 4);
	WRONG(caches, 0);
	WRONG(caches, 4);
	WRONG(flags, BIT(4));
	WRONG(pasid, 1);
	WRONG(id, 1);
	WRONG(address, iova);
	WRONG(nr_pages, 1);
	WRONG(page_size, page);
	WRONG(reserved[sizeof(req.reserved) - 1], 1);
	check(ok && send_truncated(&good, sizeof(good)) == VIOMMU_S_INVAL,
	      "INVALIDATE with an unknown scope, cache or flag, what it has no use for, or "
	      "truncated: INVAL");
	pasid_table_inv_address(&t->table, 0, iova, 1, page, &good);
	ok = true;
	WRONG(nr_pages, 0);
	WRONG(page_size, page + 1);
	WRONG(page_size, 64);
	WRONG(address, iova + 8);
#undef WRONG
	check(ok, "of no pages, with a size of none, or at an odd address: INVAL");
	req = good;
	req.nr_pages = BIT_ULL(64 - page);
	check(send_invalidate(&req) == VIOMMU_S_RANGE, "beyond the last address: RANGE");
	req = good;
	req.flags = VIOMMU_INVALIDATE_F_PASID;
	req.pasid = BIT(DMA_PASID_BITS);
	check(send_invalidate(&req) == VIOMMU_S_RANGE, "of a PASID of 21 bits: RANGE");
	req = good;
	req.domain = iommu.domain_last;
	check(send_invalidate(&req) == VIOMMU_S_NOENT, "of a domain that there is not: NOENT");
}

void scenario_requests(struct space *s)
{
	struct target *t = s->t;
	u64 iova = PAGE_IOVA(t);
	/* Without the feature it is a request that the device does not know. */
	int want = iommu.v.features & VIOMMU_F_MAP_UNMAP ? VIOMMU_S_INVAL : VIOMMU_NO_ANSWER;

	reset_memory();
	/* What is cached now is still right when all is refused. */
	map_now(s, iova, page_a, USER_RW);
	check(viommu_map(&iommu, t->domain, iova, gpa_of(page_a), PAGE_SIZE, VIOMMU_MAP_READ) ==
			      want &&
		      viommu_unmap(&iommu, t->domain, 0, ~0ULL) == want,
	      "MAP and UNMAP in a domain with tables: %s", viommu_status_name(want));
	check(viommu_attach(&iommu, t->domain, t->endpoint, 0) == VIOMMU_S_INVAL,
	      "ATTACH to it: INVAL");
	wrong_attach_table(t);
	wrong_pasids(s);
	wrong_invalidate(t);
	check(reads_word(s, iova, WORD_A) && map_now(s, iova, page_b, USER_RW) &&
		      reads_word(s, iova, WORD_B),
	      "all of it left the domain as it was");
}

void scenario_requests_of_mappings(struct space *main)
{
	struct viommu_req_invalidate req = {
		.head.type = VIOMMU_T_INVALIDATE,
		.scope = VIOMMU_INVALIDATE_DOMAIN,
		.caches = VIOMMU_CACHE_TLB,
		.domain = main->t->domain,
	};

	if (!(iommu.v.features & VIOMMU_F_ATTACH_TABLE))
		return;
	check(send_invalidate(&req) == VIOMMU_S_INVAL,
	      "INVALIDATE in a domain with mappings: INVAL");
}

/* How many it takes, if there is an end to it, and what is said of the next one. */
static u32 take_all(struct space *main, u32 limit, int *ret)
{
	u32 n = 0;

	while (n <= limit && (*ret = main->t->row->kind->take(main, n)) == VIOMMU_S_OK)
		n++;
	return n;
}

void run_limit(struct target *a, struct target *b, u32 limit)
{
	const struct kind *kind = a->row->kind;
	bool counted = !kind->has_pasids || a->row->keeps != KEEPS_NOTHING;
	/* The table of the endpoint itself counts, too. */
	u32 room = counted ? limit - kind->has_pasids : limit + 1, n;
	struct space main = {.t = a, .id = 1};
	bool full = counted || limit == 1;
	int ret;

	section("%s, with room for %u, at %s", a->row->name, limit, a->engine->name);
	if (!check(kind->attach(a) == VIOMMU_S_OK, "attached"))
		return;
	n = take_all(&main, limit, &ret);
	check(n == room && ret == (counted ? VIOMMU_S_NOMEM : VIOMMU_S_OK), "%u %s", n,
	      counted ? "fit, and the next one gets NOMEM" : "of the guest's own take no room");
	if (counted && room)
		check(kind->give(&main, 0) == VIOMMU_S_OK &&
			      kind->take(&main, room) == VIOMMU_S_OK &&
			      kind->take(&main, 0) == VIOMMU_S_NOMEM,
		      "one goes, and another one fits");
	if (kind->has_pasids && room)
		check(kind->take(&main, room) == VIOMMU_S_OK && kind->enter(a, a->domain) == 0,
		      "what takes the place of another needs none");
	if (b && b->row->kind->has_pasids) {
		ret = b->row->kind->attach(b);
		check(ret == (full ? VIOMMU_S_NOMEM : VIOMMU_S_OK), "a table of %s: %s",
		      b->engine->name, viommu_status_name(ret));
		viommu_detach(&iommu, b->domain, b->endpoint);
		b->row->kind->release(b);
	}
	viommu_detach(&iommu, a->domain, a->endpoint);
	check(kind->enter(a, a->domain) == VIOMMU_S_OK && take_all(&main, limit, &ret) == room,
	      "what was detached leaves all of its room");
	viommu_detach(&iommu, a->domain, a->endpoint);
	kind->free(&main);
	kind->release(a);
}
