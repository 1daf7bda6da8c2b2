// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests to the virtio-iommu on a host without memory: the first, the second, ... allocation of
 * each fails, until it needs no more. The guest is told, nothing else changes, and the same request
 * is served afterwards. What takes something away needs no memory at all.
 */
#include <linux/virtio_config.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail-nth.h"
#include "iommu-guest.h"
#include "iommu/mapping-debug.h"
#include "iommu/pasid-tables.h"
#include "space.h"
#include "unit.h"

#define TABLES	(4 * MiB)
#define DATA(n) (DATA_BASE + (n) * SPACE_PAGE)
#define MANY	3000 /* mappings: several slabs of nodes */

static struct table_memory tables;

static void start_driver(void)
{
	guest_negotiate(ALL_FEATURES);
	guest_setup_queues();
	fake_driver_status(&g.drv, VIRTIO_CONFIG_S_DRIVER_OK);
}

static void start(void)
{
	struct iommu_config config = default_config;

	config.offer_tables = true;
	config.max_mappings = 2 * MANY;
	guest_create(&config);
	tables = (struct table_memory){.mem = g.mem, .next = TABLES};
	start_driver();
}

/* All that requests can change, and what endpoints reach by it, as text. */
struct state {
	char text[512 * KiB];
};

static void add_mappings(FILE *f, const struct mapping_store *store)
{
	struct mapping m = {0};

	CHECK_STR_EQ(mapping_store_check(store), NULL);
	for (u64 iova = 0; mapping_store_next(store, iova, &m); iova = m.last + 1)
		fprintf(f, " %llx-%llx:%llx/%x", (unsigned long long)m.start,
			(unsigned long long)m.last, (unsigned long long)m.gpa, m.flags);
}

static void add_pasids(FILE *f, const struct pasid_tables *pasids)
{
	const struct iommu_table *t = pasid_tables_next(pasids, 0);

	for (; t; t = pasid_tables_next(pasids, t->pasid + 1))
		fprintf(f, " pasid %u %p", t->pasid, (const void *)t);
}

static void add_reach(FILE *f, unsigned int n)
{
	for (unsigned int page = 0; page < SPACE_PAGES; page++) {
		for (unsigned int k = 0; k < SPACE_KINDS; k++) {
			dma_handle_t handle;
			struct iovec iov;
			int ret = dma_map(&g.chans[n], space_kinds[k].pasid,
					  SPACE_IOVA + page * SPACE_PAGE, 8, DMA_READ, &iov, 1,
					  &handle);

			fprintf(f, " %p", ret < 0 ? NULL : iov.iov_base);
			if (ret >= 0)
				dma_unmap(&g.chans[n], handle);
		}
	}
}

static void look(struct state *state)
{
	FILE *f = fmemopen(state->text, sizeof(state->text), "w");
	struct iommu_domain *domain;

	if (!f)
		abort();
	fprintf(f, "%llu mappings, %llu tables\n", (unsigned long long)g.iommu.nr_mappings,
		(unsigned long long)g.iommu.nr_tables);
	list_for_each_entry (domain, &g.iommu.domains, node) {
		fprintf(f, "domain %u bypass %d format %p", domain->id, domain->bypass,
			(const void *)domain->format);
		if (domain->mappings)
			add_mappings(f, domain->mappings);
		if (domain->pasids)
			add_pasids(f, domain->pasids);
		fprintf(f, "\n");
	}
	for (unsigned int n = 0; n < NR_ENDPOINTS; n++) {
		fprintf(f, "endpoint %u domain %p base %p", n,
			(void *)atomic_load(&g.eps[n].domain), (void *)atomic_load(&g.eps[n].base));
		add_reach(f, n);
		fprintf(f, "\n");
	}
	/* It would be cut otherwise. */
	if (ftell(f) >= (long)sizeof(state->text) - 1 || fclose(f))
		abort();
}

/* A request, and what the guest has done before. */
struct scenario {
	const char *name;
	void (*prepare)(void);
	int (*request)(void);
};

static struct space space;

/* Returns whether an allocation failed. */
static bool run_failing(const struct scenario *s, unsigned int nth, bool onward)
{
	static struct state was, is;
	struct stock before = take_stock();
	bool failed;
	int status;

	start();
	s->prepare();
	look(&was);
	fail_begin(nth, onward);
	status = s->request();
	failed = fail_end();
	CHECK_EQ(status, failed ? VIOMMU_S_NOMEM : VIOMMU_S_OK);
	if (failed) {
		look(&is);
		CHECK_STR_EQ(is.text, was.text);
		CHECK_EQ(s->request(), VIOMMU_S_OK);
	}
	guest_end();
	same_stock(&before);
	return failed;
}

/* How many allocations a request needs. */
static unsigned int each_fails(const struct scenario *s)
{
	unsigned int n = 1;

	while (run_failing(s, n, false)) {
		run_failing(s, n, true);
		n++;
	}
	return n - 1;
}

static void nothing(void)
{
}

static int attach_new(void)
{
	return attach(1, ep_id(0), 0);
}

static int attach_new_bypass(void)
{
	return attach(1, ep_id(0), VIOMMU_ATTACH_BYPASS);
}

/* In a domain with a mapping. */
static void be_mapped(void)
{
	CHECK_EQ(attach(7, ep_id(0), 0), VIOMMU_S_OK);
	CHECK_EQ(map_page(7, SPACE_IOVA, DATA(0)), VIOMMU_S_OK);
}

TEST(attach)
{
	static const struct scenario scenarios[] = {
		{"ATTACH to a new domain", nothing, attach_new},
		{"ATTACH to a new bypass domain", nothing, attach_new_bypass},
		{"ATTACH from one domain to another", be_mapped, attach_new},
		{"ATTACH from a domain to bypass", be_mapped, attach_new_bypass},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(scenarios); i++)
		CHECK(each_fails(&scenarios[i]) >= 1);
}

/* Each MAP that needs memory of the host is refused once, and then served. */
TEST(map)
{
	struct stock before = take_stock();
	unsigned int refused = 0;

	start();
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	for (u64 i = 0; i < MANY; i++) {
		/* With gaps, in an order that splits nodes in the middle, too. */
		u64 iova = i * 1237 % MANY * 2 * SPACE_PAGE;
		int status;
		bool failed;

		fail_begin(1, false);
		status = map_page(1, iova, DATA(i % 16));
		failed = fail_end();
		if (!CHECK_EQ(status, failed ? VIOMMU_S_NOMEM : VIOMMU_S_OK))
			break;
		if (!failed)
			continue;
		refused++;
		CHECK_EQ(g.iommu.nr_mappings, i);
		CHECK_EQ(reach(0, iova, DMA_READ), NOWHERE);
		if (i)
			CHECK_EQ(reach(0, 0, DMA_READ), DATA(0));
		CHECK_EQ(map_page(1, iova, DATA(i % 16)), VIOMMU_S_OK);
	}
	CHECK(refused >= 3);
	guest_end();
	same_stock(&before);
}

/* As many as there are nodes of them: the first MAP behind that needs memory. */
static void map_up_to_the_brim(void)
{
	u64 iova = SPACE_IOVA;
	bool failed = false;

	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	for (unsigned int i = 0; i < MANY && !failed; i++) {
		iova += SPACE_PAGE;
		fail_begin(1, false);
		map_page(1, iova, DATA(i % 16));
		failed = fail_end();
	}
}

static int map_one_more(void)
{
	return map_page(1, SPACE_IOVA + 3 * MANY * SPACE_PAGE, DATA(0));
}

TEST(map_fails_as_a_whole)
{
	const struct scenario s = {"MAP", map_up_to_the_brim, map_one_more};

	CHECK(each_fails(&s) >= 1);
}

static void make_space(void)
{
	/* The trees are for tests with several; each start() has memory of its own. */
	const struct space_kind *kind = space.kind;

	space_init(&space, kind, &tables, 1, ep_id(0));
	CHECK_EQ(space_map(&space, 0, DATA(0)), VIOMMU_S_OK);
	CHECK_EQ(space_map(&space, SPACE_PAGES - 1, DATA(1)), VIOMMU_S_OK);
}

static void make_space_be_mapped(void)
{
	make_space();
	be_mapped();
}

static void make_space_be_attached(void)
{
	make_space();
	CHECK_EQ(space_attach(&space), VIOMMU_S_OK);
}

/* With what a PASID's table needs. */
static void make_space_with_base(void)
{
	const struct space_table *t = &space.tree.requests[0];

	make_space();
	if (space.tree.nr_requests > 1)
		CHECK_EQ(attach_table(1, ep_id(0), t->format, t->desc, IOMMU_DESCRIPTOR_SIZE),
			 VIOMMU_S_OK);
}

static int attach_first(void)
{
	const struct space_table *t = &space.tree.requests[0];

	return attach_table(1, ep_id(0), t->format, t->desc, IOMMU_DESCRIPTOR_SIZE);
}

static int attach_last(void)
{
	const struct space_table *t = &space.tree.requests[space.tree.nr_requests - 1];

	return attach_table(1, ep_id(0), t->format, t->desc, IOMMU_DESCRIPTOR_SIZE);
}

static int attach_other_tree(void)
{
	const struct space_table *t = &space.empty.requests[space.empty.nr_requests - 1];

	return attach_table(1, ep_id(0), t->format, t->desc, IOMMU_DESCRIPTOR_SIZE);
}

TEST(attach_table_in_each_format)
{
	static const struct scenario scenarios[] = {
		{"ATTACH_TABLE to a new domain", make_space, attach_first},
		{"the table that accesses use", make_space_with_base, attach_last},
		{"ATTACH_TABLE in the place of another", make_space_be_attached, attach_other_tree},
	};

	for (unsigned int k = 1; k < SPACE_KINDS; k++) {
		space.kind = &space_kinds[k];
		for (unsigned int i = 0; i < ARRAY_SIZE(scenarios); i++) {
			if (!CHECK(each_fails(&scenarios[i]) >= 1))
				printf("# %s: %s\n", space.kind->name, scenarios[i].name);
		}
	}
}

/* An endpoint that comes from elsewhere, where the request is one that moves it. */
TEST(attach_table_from_mappings)
{
	const struct scenario s = {"ATTACH_TABLE from mappings", make_space_be_mapped,
				   attach_first};

	for (unsigned int k = 1; k < SPACE_KINDS; k++) {
		space.kind = &space_kinds[k];
		/* A PASID's table does not move the endpoint. */
		if (space.kind->format != &format_vtd)
			CHECK(each_fails(&s) >= 2);
	}
}

static int probe(void)
{
	const struct viommu_probe req = {.head.type = VIOMMU_T_PROBE,
					 .endpoint = htole32(ep_id(0))};
	u8 reply[PROBE_SIZE + sizeof(struct viommu_tail)];

	if (guest_request(&req, sizeof(req), reply, sizeof(reply)) != sizeof(reply))
		return NO_ANSWER;
	return reply[PROBE_SIZE];
}

static int detach_it(void)
{
	return detach(space.kind->format ? 1 : 7, ep_id(0));
}

static int invalidate_all(void)
{
	return space_invalidate(&space, VIOMMU_INVALIDATE_DOMAIN, 0, SPACE_PAGES);
}

static int invalidate_page(void)
{
	return space_invalidate(&space, VIOMMU_INVALIDATE_ADDRESS, 0, 1);
}

static int detach_its_pasid(void)
{
	return detach_pasid(1, ep_id(0), space.kind->pasid, VIOMMU_DETACH_PASID);
}

static int unmap_it(void)
{
	return unmap_page(7, SPACE_IOVA);
}

static int unmap_every_other(void)
{
	for (u64 i = 0; i < MANY; i += 2) {
		int status = unmap_page(7, SPACE_IOVA + (i + 1) * SPACE_PAGE);

		if (status)
			return status;
	}
	return VIOMMU_S_OK;
}

static void be_mapped_often(void)
{
	be_mapped();
	for (u64 i = 0; i < MANY; i++)
		CHECK_EQ(map_page(7, SPACE_IOVA + (i + 1) * SPACE_PAGE, DATA(0)), VIOMMU_S_OK);
}

static int reset(void)
{
	fake_driver_status(&g.drv, 0);
	CHECK_EQ(g.iommu.nr_mappings, 0);
	CHECK_EQ(g.iommu.nr_tables, 0);
	CHECK(list_empty(&g.iommu.domains));
	start_driver();
	return VIOMMU_S_OK;
}

TEST(what_takes_away_needs_no_memory)
{
	static const struct scenario scenarios[] = {
		{"PROBE", be_mapped, probe},
		{"UNMAP", be_mapped, unmap_it},
		{"DETACH", be_mapped, detach_it},
		{"reset", be_mapped, reset},
		{"UNMAP", be_mapped_often, unmap_every_other},
	};

	space.kind = &space_kinds[0];
	for (unsigned int i = 0; i < ARRAY_SIZE(scenarios); i++)
		CHECK_EQ(each_fails(&scenarios[i]), 0);
}

TEST(nor_with_tables)
{
	static const struct scenario scenarios[] = {
		{"PROBE", make_space_be_attached, probe},
		{"INVALIDATE", make_space_be_attached, invalidate_all},
		{"INVALIDATE", make_space_be_attached, invalidate_page},
		{"DETACH", make_space_be_attached, detach_it},
		{"reset", make_space_be_attached, reset},
		{"DETACH of a PASID", make_space_be_attached, detach_its_pasid},
	};

	for (unsigned int k = 1; k < SPACE_KINDS; k++) {
		space.kind = &space_kinds[k];
		for (unsigned int i = 0; i < ARRAY_SIZE(scenarios); i++) {
			if (scenarios[i].request != detach_its_pasid ||
			    space.kind->format->pasid_format)
				CHECK_EQ(each_fails(&scenarios[i]), 0);
		}
	}
}
