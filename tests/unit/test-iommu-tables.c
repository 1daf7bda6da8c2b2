// SPDX-License-Identifier: GPL-2.0-only
/*
 * ATTACH_TABLE, INVALIDATE and DETACH with a PASID, by requests of a driver, with a table format
 * that has no vendor. Each rule of docs/page-tables.md has a test here.
 */
#include <endian.h>
#include <linux/virtio_config.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "iommu-guest.h"
#include "toy-format.h"
#include "unit.h"

/* Tables, and what they lead to. */
#define TABLE(n) (DATA_BASE + (n) * 4096ULL)
#define PAGE(n)	 (2 * MiB + (n) * 4096ULL)

#define PASID_BITS 8

static void start_with(const struct iommu_format *format, u64 features)
{
	struct iommu_config config = default_config;
	const struct iommu_limits limits = {.pa_bits = 40, .pasid_bits = PASID_BITS};

	config.offer_tables = true;
	guest_create(&config);
	for (unsigned int n = 0; n < NR_ENDPOINTS; n++)
		iommu_set_format(&g.eps[n], n == 3 ? NULL : format, &limits);
	guest_negotiate(features);
	guest_setup_queues();
	fake_driver_status(&g.drv, VIRTIO_CONFIG_S_DRIVER_OK);
	toy_walks = 0;
}

static void start(void)
{
	start_with(&toy_format, ALL_FEATURES);
}

static int attach_table_as(u8 format, u32 domain, u32 endpoint, u64 table, u32 pasid, u32 id,
			   u8 reserved)
{
	const struct toy_descriptor desc = {
		.reserved = {reserved},
		.table = htole64(table),
		.pasid = htole32(pasid),
		.id = htole32(id),
	};

	return attach_table(domain, endpoint, format, &desc, sizeof(desc));
}

static int attach_base(u32 domain, unsigned int n, u64 table)
{
	return attach_table_as(TOY_BASE, domain, ep_id(n), table, 0, 1, 0);
}

static int attach_pasid(u32 domain, unsigned int n, u32 pasid, u64 table)
{
	return attach_table_as(TOY_PASID, domain, ep_id(n), table, pasid, pasid + 10, 0);
}

static int invalidate_domain(u32 domain)
{
	return invalidate(&(struct viommu_invalidate){
		.scope = VIOMMU_INVALIDATE_DOMAIN,
		.caches = VIOMMU_INVALIDATE_C_TLB,
		.domain = htole32(domain),
	});
}

static int invalidate_pasid(u32 domain, u32 pasid)
{
	return invalidate(&(struct viommu_invalidate){
		.scope = VIOMMU_INVALIDATE_PASID,
		.caches = VIOMMU_INVALIDATE_C_TLB,
		.flags = htole16(VIOMMU_INVALIDATE_F_PASID),
		.domain = htole32(domain),
		.pasid = htole32(pasid),
	});
}

static int invalidate_pages(u32 domain, u64 address, u64 nr)
{
	return invalidate(&(struct viommu_invalidate){
		.scope = VIOMMU_INVALIDATE_ADDRESS,
		.caches = VIOMMU_INVALIDATE_C_TLB,
		.domain = htole32(domain),
		.address = htole64(address),
		.nr_pages = htole64(nr),
		.page_size = 12,
	});
}

static void set_entry(u64 table, unsigned int index, u64 entry)
{
	u64 wire = htole64(entry);

	fake_write(&g.drv, table + 8 * index, &wire, sizeof(wire));
}

static u64 reach_pasid(unsigned int n, u32 pasid, u64 iova, u32 dir)
{
	dma_handle_t handle;
	struct iovec iov;
	u64 gpa;

	if (dma_map(&g.chans[n], pasid, iova, 1, dir, &iov, 1, &handle) < 0)
		return NOWHERE;
	gpa = (u8 *)iov.iov_base - g.mem.banks[0].hva;
	dma_unmap(&g.chans[n], handle);
	return gpa;
}

TEST(an_attached_table_translates)
{
	start();
	set_entry(TABLE(0), 3, PAGE(0) | TOY_P | TOY_W);
	set_entry(TABLE(0), 4, PAGE(1) | TOY_P);
	CHECK_EQ(attach_base(1, 0, TABLE(0)), VIOMMU_S_OK);
	CHECK_EQ(reach(0, 0x3123, DMA_WRITE), PAGE(0) + 0x123);
	CHECK_EQ(reach(0, 0x4123, DMA_READ), PAGE(1) + 0x123);
	CHECK_EQ(reach(0, 0x4123, DMA_WRITE), NOWHERE);
	CHECK_EQ(reach(0, 0x5123, DMA_READ), NOWHERE);
	CHECK_EQ(reach(1, 0x3123, DMA_READ), NOWHERE);
	CHECK_EQ(detach(1, ep_id(0)), VIOMMU_S_OK);
	CHECK_EQ(reach(0, 0x3123, DMA_READ), NOWHERE);
	CHECK_EQ(g.iommu.nr_tables, 0);
	guest_end();
}

TEST(without_the_feature_the_requests_are_unknown)
{
	start_with(&toy_format, ~BIT_ULL(VIOMMU_F_ATTACH_TABLE));
	CHECK_EQ(attach_base(1, 0, TABLE(0)), NO_ANSWER);
	CHECK_EQ(invalidate_domain(1), NO_ANSWER);
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	/* Reserved, and ignored. */
	CHECK_EQ(detach_pasid(1, ep_id(0), 3, VIOMMU_DETACH_PASID), VIOMMU_S_OK);
	CHECK_EQ(map_page(1, 0, PAGE(0)), VIOMMU_S_NOENT);
	guest_end();
}

static u32 probe(unsigned int n, u8 *reply)
{
	const struct viommu_probe req = {
		.head.type = VIOMMU_T_PROBE,
		.endpoint = htole32(ep_id(n)),
	};

	return guest_request(&req, sizeof(req), reply, PROBE_SIZE + 4);
}

TEST(probe_tells_the_format_to_who_negotiated_it)
{
	u8 reply[PROBE_SIZE + 4];

	start();
	CHECK_EQ(probe(0, reply), sizeof(reply));
	CHECK_EQ(reply[0], 0x42);
	CHECK_EQ(reply[4], PASID_BITS);
	CHECK_EQ(probe(3, reply), sizeof(reply));
	CHECK_EQ(reply[0], 0);
	guest_end();
	start_with(&toy_format, ~BIT_ULL(VIOMMU_F_ATTACH_TABLE));
	CHECK_EQ(probe(0, reply), sizeof(reply));
	CHECK_EQ(reply[0], 0);
	guest_end();
}

TEST(attach_table_of_an_unknown_endpoint_is_noent)
{
	start();
	CHECK_EQ(attach_table_as(TOY_BASE, 1, UNKNOWN_EP, TABLE(0), 0, 0, 0), VIOMMU_S_NOENT);
	guest_end();
}

TEST(attach_table_in_a_format_that_the_endpoint_does_not_take_is_unsupp)
{
	start();
	CHECK_EQ(attach_table_as(0, 1, ep_id(0), TABLE(0), 0, 0, 0), VIOMMU_S_UNSUPP);
	CHECK_EQ(attach_table_as(3, 1, ep_id(0), TABLE(0), 0, 0, 0), VIOMMU_S_UNSUPP);
	CHECK_EQ(attach_base(1, 3, TABLE(0)), VIOMMU_S_UNSUPP);
	guest_end();
}

TEST(attach_table_with_a_malformed_descriptor_is_inval)
{
	start();
	CHECK_EQ(attach_table_as(TOY_BASE, 1, ep_id(0), TABLE(0), 0, 0, 1), VIOMMU_S_INVAL);
	CHECK_EQ(detach(1, ep_id(0)), VIOMMU_S_INVAL);
	guest_end();
}

TEST(attach_table_outside_the_domain_range_is_range)
{
	start();
	CHECK_EQ(attach_base(100, 0, TABLE(0)), VIOMMU_S_RANGE);
	guest_end();
}

TEST(attach_table_that_is_too_short_is_inval)
{
	const struct viommu_attach_table req = {.head.type = VIOMMU_T_ATTACH_TABLE};

	start();
	CHECK_EQ(guest_status(&req, sizeof(req) - 1), VIOMMU_S_INVAL);
	guest_end();
}

TEST(a_domain_is_of_one_kind)
{
	start();
	set_entry(TABLE(0), 3, PAGE(0) | TOY_P | TOY_W);
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	CHECK_EQ(attach_base(1, 1, TABLE(0)), VIOMMU_S_INVAL);
	CHECK_EQ(attach(2, ep_id(0), VIOMMU_ATTACH_BYPASS), VIOMMU_S_OK);
	CHECK_EQ(attach_base(2, 1, TABLE(0)), VIOMMU_S_INVAL);
	CHECK_EQ(attach_base(3, 1, TABLE(0)), VIOMMU_S_OK);
	CHECK_EQ(map_page(3, 0, PAGE(0)), VIOMMU_S_INVAL);
	CHECK_EQ(unmap_page(3, 0), VIOMMU_S_INVAL);
	CHECK_EQ(attach(3, ep_id(0), 0), VIOMMU_S_INVAL);
	CHECK_EQ(attach(3, ep_id(0), VIOMMU_ATTACH_BYPASS), VIOMMU_S_INVAL);
	CHECK_EQ(invalidate_domain(2), VIOMMU_S_INVAL);
	CHECK_EQ(invalidate_domain(4), VIOMMU_S_NOENT);
	CHECK_EQ(reach(1, 0x3000, DMA_READ), PAGE(0));
	guest_end();
}

TEST(a_domain_has_one_format)
{
	const struct iommu_limits limits = {.pa_bits = 40, .pasid_bits = PASID_BITS};

	start();
	g.eps[1].format = &toy_free_format;
	g.eps[1].limits = limits;
	CHECK_EQ(attach_base(1, 0, TABLE(0)), VIOMMU_S_OK);
	CHECK_EQ(attach_base(1, 1, TABLE(0)), VIOMMU_S_INVAL);
	CHECK_EQ(attach_pasid(1, 1, 5, TABLE(0)), VIOMMU_S_INVAL);
	guest_end();
}

TEST(each_endpoint_of_a_domain_has_a_table_of_its_own)
{
	start();
	set_entry(TABLE(0), 3, PAGE(0) | TOY_P);
	set_entry(TABLE(1), 3, PAGE(1) | TOY_P);
	CHECK_EQ(attach_base(1, 0, TABLE(0)), VIOMMU_S_OK);
	CHECK_EQ(attach_base(1, 1, TABLE(1)), VIOMMU_S_OK);
	CHECK_EQ(reach(0, 0x3000, DMA_READ), PAGE(0));
	CHECK_EQ(reach(1, 0x3000, DMA_READ), PAGE(1));
	guest_end();
}

TEST(a_second_table_takes_the_place_of_the_first)
{
	start();
	set_entry(TABLE(0), 3, PAGE(0) | TOY_P);
	set_entry(TABLE(1), 3, PAGE(1) | TOY_P);
	CHECK_EQ(attach_base(1, 0, TABLE(0)), VIOMMU_S_OK);
	CHECK_EQ(reach(0, 0x3000, DMA_READ), PAGE(0));
	CHECK_EQ(attach_base(1, 0, TABLE(1)), VIOMMU_S_OK);
	CHECK_EQ(reach(0, 0x3000, DMA_READ), PAGE(1));
	CHECK_EQ(attach_pasid(1, 0, 5, TABLE(0)), VIOMMU_S_OK);
	CHECK_EQ(reach_pasid(0, 5, 0x3000, DMA_READ), PAGE(0));
	CHECK_EQ(attach_pasid(1, 0, 5, TABLE(1)), VIOMMU_S_OK);
	CHECK_EQ(reach_pasid(0, 5, 0x3000, DMA_READ), PAGE(1));
	CHECK_EQ(g.iommu.nr_tables, 2);
	guest_end();
}

TEST(attach_table_moves_the_endpoint)
{
	start();
	set_entry(TABLE(0), 3, PAGE(0) | TOY_P);
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	CHECK_EQ(map_page(1, 0x3000, PAGE(5)), VIOMMU_S_OK);
	CHECK_EQ(reach(0, 0x3000, DMA_READ), PAGE(5));
	CHECK_EQ(attach_base(2, 0, TABLE(0)), VIOMMU_S_OK);
	CHECK_EQ(reach(0, 0x3000, DMA_READ), PAGE(0));
	CHECK_EQ(map_page(1, 0x4000, PAGE(5)), VIOMMU_S_NOENT);
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	CHECK_EQ(reach(0, 0x3000, DMA_READ), NOWHERE);
	CHECK_EQ(invalidate_domain(2), VIOMMU_S_NOENT);
	CHECK_EQ(g.iommu.nr_tables, 0);
	guest_end();
}

TEST(pasids_have_tables_of_their_own)
{
	start();
	set_entry(TABLE(0), 3, PAGE(0) | TOY_P);
	set_entry(TABLE(1), 3, PAGE(1) | TOY_P);
	set_entry(TABLE(2), 3, PAGE(2) | TOY_P);
	CHECK_EQ(attach_base(1, 0, TABLE(0)), VIOMMU_S_OK);
	CHECK_EQ(attach_pasid(1, 0, 0, TABLE(1)), VIOMMU_S_OK);
	CHECK_EQ(attach_pasid(1, 0, 255, TABLE(2)), VIOMMU_S_OK);
	CHECK_EQ(reach(0, 0x3000, DMA_READ), PAGE(0));
	CHECK_EQ(reach_pasid(0, 0, 0x3000, DMA_READ), PAGE(1));
	CHECK_EQ(reach_pasid(0, 255, 0x3000, DMA_READ), PAGE(2));
	CHECK_EQ(reach_pasid(0, 7, 0x3000, DMA_READ), NOWHERE);
	CHECK_EQ(reach_pasid(0, 1 << 20, 0x3000, DMA_READ), NOWHERE);
	CHECK_EQ(detach_pasid(1, ep_id(0), 0, VIOMMU_DETACH_PASID), VIOMMU_S_OK);
	CHECK_EQ(reach_pasid(0, 0, 0x3000, DMA_READ), NOWHERE);
	CHECK_EQ(reach_pasid(0, 255, 0x3000, DMA_READ), PAGE(2));
	CHECK_EQ(reach(0, 0x3000, DMA_READ), PAGE(0));
	guest_end();
}

TEST(the_table_of_a_pasid_is_for_all_endpoints_of_the_domain)
{
	start();
	set_entry(TABLE(1), 3, PAGE(1) | TOY_P);
	CHECK_EQ(attach_base(1, 0, TABLE(0)), VIOMMU_S_OK);
	CHECK_EQ(attach_base(1, 1, TABLE(0)), VIOMMU_S_OK);
	CHECK_EQ(attach_pasid(1, 0, 5, TABLE(1)), VIOMMU_S_OK);
	CHECK_EQ(reach_pasid(0, 5, 0x3000, DMA_READ), PAGE(1));
	CHECK_EQ(reach_pasid(1, 5, 0x3000, DMA_READ), PAGE(1));
	guest_end();
}

TEST(the_table_of_a_pasid_comes_after_that_of_the_endpoint)
{
	start();
	CHECK_EQ(attach_pasid(1, 0, 5, TABLE(1)), VIOMMU_S_NOENT);
	CHECK_EQ(attach_base(1, 1, TABLE(0)), VIOMMU_S_OK);
	CHECK_EQ(attach_pasid(1, 0, 5, TABLE(1)), VIOMMU_S_NOENT);
	CHECK_EQ(attach_pasid(2, 1, 5, TABLE(1)), VIOMMU_S_NOENT);
	CHECK_EQ(attach_base(2, 0, TABLE(0)), VIOMMU_S_OK);
	CHECK_EQ(attach_pasid(2, 1, 5, TABLE(1)), VIOMMU_S_INVAL);
	guest_end();
}

TEST(unless_the_format_has_none_of_the_endpoint)
{
	start_with(&toy_free_format, ALL_FEATURES);
	set_entry(TABLE(1), 3, PAGE(1) | TOY_P);
	CHECK_EQ(attach_pasid(1, 0, 5, TABLE(1)), VIOMMU_S_OK);
	CHECK_EQ(reach_pasid(0, 5, 0x3000, DMA_READ), PAGE(1));
	CHECK_EQ(reach(0, 0x3000, DMA_READ), NOWHERE);
	/* The endpoint is attached: it cannot be in a second domain. */
	CHECK_EQ(attach_pasid(2, 0, 6, TABLE(1)), VIOMMU_S_INVAL);
	CHECK_EQ(detach(1, ep_id(0)), VIOMMU_S_OK);
	CHECK_EQ(reach_pasid(0, 5, 0x3000, DMA_READ), NOWHERE);
	CHECK_EQ(invalidate_domain(1), VIOMMU_S_NOENT);
	guest_end();
}

TEST(a_format_may_name_the_domain_only)
{
	start_with(&toy_domain_format, ALL_FEATURES);
	set_entry(TABLE(1), 3, PAGE(1) | TOY_P);
	CHECK_EQ(attach_table_as(TOY_PASID, 1, UNKNOWN_EP, TABLE(1), 5, 0, 0), VIOMMU_S_NOENT);
	CHECK_EQ(attach_base(1, 0, TABLE(0)), VIOMMU_S_OK);
	CHECK_EQ(attach_table_as(TOY_PASID, 1, UNKNOWN_EP, TABLE(1), 5, 0, 0), VIOMMU_S_OK);
	CHECK_EQ(reach_pasid(0, 5, 0x3000, DMA_READ), PAGE(1));
	guest_end();
}

TEST(detach_of_a_pasid_checks_what_it_is_told)
{
	start();
	CHECK_EQ(attach_base(1, 0, TABLE(0)), VIOMMU_S_OK);
	CHECK_EQ(attach_base(2, 1, TABLE(0)), VIOMMU_S_OK);
	CHECK_EQ(attach(3, ep_id(2), 0), VIOMMU_S_OK);
	CHECK_EQ(attach_pasid(1, 0, 5, TABLE(1)), VIOMMU_S_OK);
	CHECK_EQ(detach_pasid(1, UNKNOWN_EP, 5, VIOMMU_DETACH_PASID), VIOMMU_S_NOENT);
	CHECK_EQ(detach_pasid(1, ep_id(0), 6, VIOMMU_DETACH_PASID), VIOMMU_S_NOENT);
	CHECK_EQ(detach_pasid(1, ep_id(1), 5, VIOMMU_DETACH_PASID), VIOMMU_S_INVAL);
	CHECK_EQ(detach_pasid(4, ep_id(0), 5, VIOMMU_DETACH_PASID), VIOMMU_S_INVAL);
	CHECK_EQ(detach_pasid(3, ep_id(2), 5, VIOMMU_DETACH_PASID), VIOMMU_S_INVAL);
	CHECK_EQ(detach_pasid(1, ep_id(0), 5, VIOMMU_DETACH_PASID | BIT(1)), VIOMMU_S_INVAL);
	CHECK_EQ(detach_pasid(1, ep_id(0), 5, 0), VIOMMU_S_INVAL);
	CHECK_EQ(detach_pasid(1, ep_id(0), 256, VIOMMU_DETACH_PASID), VIOMMU_S_RANGE);
	CHECK_EQ(detach_pasid(1, ep_id(0), 5, VIOMMU_DETACH_PASID), VIOMMU_S_OK);
	guest_end();
}

/* Caches the translation of page 3 for endpoint 0, then changes the entry. */
static void cache_and_change(u32 pasid, u64 table)
{
	set_entry(table, 3, PAGE(0) | TOY_P);
	CHECK_EQ(invalidate_domain(1), VIOMMU_S_OK);
	CHECK_EQ(reach_pasid(0, pasid, 0x3000, DMA_READ), PAGE(0));
	set_entry(table, 3, PAGE(1) | TOY_P);
	CHECK_EQ(reach_pasid(0, pasid, 0x3000, DMA_READ), PAGE(0));
}

static bool is_gone(u32 pasid)
{
	return reach_pasid(0, pasid, 0x3000, DMA_READ) == PAGE(1);
}

TEST(invalidate_takes_what_it_names)
{
	start();
	CHECK_EQ(attach_base(1, 0, TABLE(0)), VIOMMU_S_OK);
	CHECK_EQ(attach_pasid(1, 0, 5, TABLE(1)), VIOMMU_S_OK);
	cache_and_change(DMA_NO_PASID, TABLE(0));
	CHECK_EQ(invalidate_domain(1), VIOMMU_S_OK);
	CHECK(is_gone(DMA_NO_PASID));
	cache_and_change(DMA_NO_PASID, TABLE(0));
	CHECK_EQ(invalidate_pages(1, 0x3000, 1), VIOMMU_S_OK);
	CHECK(is_gone(DMA_NO_PASID));
	cache_and_change(5, TABLE(1));
	CHECK_EQ(invalidate_pasid(1, 5), VIOMMU_S_OK);
	CHECK(is_gone(5));
	cache_and_change(5, TABLE(1));
	CHECK_EQ(invalidate_pages(1, 0, 512), VIOMMU_S_OK);
	CHECK(is_gone(5));
	guest_end();
}

TEST(invalidate_of_an_address_whatever_the_access_had_on_top)
{
	const u64 tagged = 0xab00000000003000;

	start();
	CHECK_EQ(attach_base(1, 0, TABLE(0)), VIOMMU_S_OK);
	set_entry(TABLE(0), 3, PAGE(0) | TOY_P);
	CHECK_EQ(reach(0, tagged, DMA_READ), PAGE(0));
	set_entry(TABLE(0), 3, PAGE(1) | TOY_P);
	CHECK_EQ(invalidate_pages(1, 0x4000, 1), VIOMMU_S_OK);
	CHECK_EQ(reach(0, tagged, DMA_READ), PAGE(0));
	CHECK_EQ(invalidate_pages(1, 0x3000, 1), VIOMMU_S_OK);
	CHECK_EQ(reach(0, tagged, DMA_READ), PAGE(1));
	guest_end();
}

TEST(invalidate_leaves_what_it_does_not_name)
{
	start();
	CHECK_EQ(attach_base(1, 0, TABLE(0)), VIOMMU_S_OK);
	CHECK_EQ(attach_base(2, 1, TABLE(2)), VIOMMU_S_OK);
	CHECK_EQ(attach_pasid(1, 0, 5, TABLE(1)), VIOMMU_S_OK);
	cache_and_change(5, TABLE(1));
	set_entry(TABLE(0), 3, PAGE(0) | TOY_P);
	CHECK_EQ(reach(0, 0x3000, DMA_READ), PAGE(0));
	set_entry(TABLE(0), 3, PAGE(1) | TOY_P);
	CHECK_EQ(invalidate_domain(2), VIOMMU_S_OK);
	CHECK_EQ(invalidate_pasid(1, 6), VIOMMU_S_OK);
	CHECK_EQ(invalidate_pages(1, 0x4000, 300), VIOMMU_S_OK);
	CHECK_EQ(invalidate_pages(1, 0, 3), VIOMMU_S_OK);
	CHECK(!is_gone(DMA_NO_PASID) && !is_gone(5));
	CHECK_EQ(invalidate_pasid(1, 5), VIOMMU_S_OK);
	CHECK(!is_gone(DMA_NO_PASID) && is_gone(5));
	guest_end();
}

TEST(what_was_cached_long_ago_is_looked_up_again)
{
	start();
	CHECK_EQ(attach_base(1, 0, TABLE(0)), VIOMMU_S_OK);
	cache_and_change(DMA_NO_PASID, TABLE(0));
	for (int i = 0; i < IOMMU_NR_CHANGES; i++)
		CHECK_EQ(invalidate_pages(1, 0x8000, 1), VIOMMU_S_OK);
	CHECK(is_gone(DMA_NO_PASID));
	guest_end();
}

TEST(invalidate_by_id)
{
	struct viommu_invalidate inv = {
		.scope = VIOMMU_INVALIDATE_DOMAIN,
		.caches = VIOMMU_INVALIDATE_C_TLB,
		.flags = htole16(VIOMMU_INVALIDATE_F_ID),
		.domain = htole32(1),
		.id = htole64(2),
	};

	start();
	CHECK_EQ(attach_base(1, 0, TABLE(0)), VIOMMU_S_OK);
	cache_and_change(DMA_NO_PASID, TABLE(0));
	CHECK_EQ(invalidate(&inv), VIOMMU_S_OK);
	CHECK(!is_gone(DMA_NO_PASID));
	inv.id = htole64(1);
	CHECK_EQ(invalidate(&inv), VIOMMU_S_OK);
	CHECK(is_gone(DMA_NO_PASID));

	/* Global entries stay unless they are meant, too. */
	set_entry(TABLE(0), 4, PAGE(0) | TOY_P | TOY_G);
	CHECK_EQ(reach(0, 0x4000, DMA_READ), PAGE(0));
	set_entry(TABLE(0), 4, PAGE(1) | TOY_P | TOY_G);
	CHECK_EQ(invalidate(&inv), VIOMMU_S_OK);
	CHECK_EQ(reach(0, 0x4000, DMA_READ), PAGE(0));
	inv.flags = htole16(VIOMMU_INVALIDATE_F_ID | VIOMMU_INVALIDATE_F_GLOBAL);
	CHECK_EQ(invalidate(&inv), VIOMMU_S_OK);
	CHECK_EQ(reach(0, 0x4000, DMA_READ), PAGE(1));

	/* The ID in a PASID's entry may have been another one. */
	cache_and_change(DMA_NO_PASID, TABLE(0));
	inv.caches = VIOMMU_INVALIDATE_C_PASID;
	inv.id = htole64(99);
	CHECK_EQ(invalidate(&inv), VIOMMU_S_OK);
	CHECK(is_gone(DMA_NO_PASID));
	guest_end();
}

TEST(invalidate_checks_each_field)
{
	static const struct viommu_invalidate good = {
		.scope = VIOMMU_INVALIDATE_ADDRESS,
		.caches = VIOMMU_INVALIDATE_C_TLB,
		.domain = 1,
		.address = 0x3000,
		.nr_pages = 1,
		.page_size = 12,
	};
	struct viommu_invalidate inv = good;

#define BAD(member, value, status)                  \
	do {                                        \
		inv = good;                         \
		inv.member = (value);               \
		CHECK_EQ(invalidate(&inv), status); \
	} while (0)

	start();
	CHECK_EQ(attach_base(1, 0, TABLE(0)), VIOMMU_S_OK);
	CHECK_EQ(invalidate(&good), VIOMMU_S_OK);
	BAD(scope, 0, VIOMMU_S_INVAL);
	BAD(scope, 4, VIOMMU_S_INVAL);
	/* An address means nothing to the larger scopes. */
	BAD(scope, VIOMMU_INVALIDATE_DOMAIN, VIOMMU_S_INVAL);
	BAD(scope, VIOMMU_INVALIDATE_PASID, VIOMMU_S_INVAL);
	BAD(caches, 0, VIOMMU_S_INVAL);
	BAD(caches, VIOMMU_INVALIDATE_C_PASID, VIOMMU_S_INVAL);
	BAD(caches, 4 | VIOMMU_INVALIDATE_C_TLB, VIOMMU_S_INVAL);
	BAD(flags, htole16(BIT(4)), VIOMMU_S_INVAL);
	BAD(domain, htole32(9), VIOMMU_S_NOENT);
	BAD(pasid, htole32(1), VIOMMU_S_INVAL);
	BAD(id, htole64(1), VIOMMU_S_INVAL);
	BAD(nr_pages, 0, VIOMMU_S_INVAL);
	BAD(nr_pages, ~0ULL, VIOMMU_S_RANGE);
	BAD(page_size, 13, VIOMMU_S_INVAL);
	BAD(page_size, 200, VIOMMU_S_INVAL);
	BAD(page_size, 21, VIOMMU_S_INVAL);
	BAD(address, htole64(0x3001), VIOMMU_S_INVAL);
	BAD(reserved[18], 1, VIOMMU_S_INVAL);
	inv = good;
	inv.flags = htole16(VIOMMU_INVALIDATE_F_PASID);
	inv.pasid = htole32(1 << 20);
	CHECK_EQ(invalidate(&inv), VIOMMU_S_RANGE);
	inv = good;
	inv.flags = htole16(VIOMMU_INVALIDATE_F_ID);
	inv.id = htole64(1ULL << 32);
	CHECK_EQ(invalidate(&inv), VIOMMU_S_INVAL);
	/* To the last address. */
	inv = good;
	inv.address = htole64(0xfffffffffffff000);
	CHECK_EQ(invalidate(&inv), VIOMMU_S_OK);
	CHECK_EQ(guest_status(&good, sizeof(good) - 1), NO_ANSWER);
	guest_end();
#undef BAD
}

struct invalidator {
	pthread_t thread;
	_Atomic bool done;
	u64 address;
};

static void *invalidator_run(void *arg)
{
	struct invalidator *inv = arg;

	CHECK_EQ(invalidate_pages(1, inv->address, 1), VIOMMU_S_OK);
	inv->done = true;
	return NULL;
}

/* An INVALIDATE of page 3 waits for an access there, at @iova. */
static void check_wait(u64 iova)
{
	struct invalidator inv = {.address = 0x3000};
	struct dma_chan *chan = &g.chans[0];
	dma_handle_t handle;
	struct iovec iov;

	start();
	set_entry(TABLE(1), 3, PAGE(0) | TOY_P);
	CHECK_EQ(attach_base(1, 0, TABLE(0)), VIOMMU_S_OK);
	CHECK_EQ(attach_pasid(1, 0, 5, TABLE(1)), VIOMMU_S_OK);
	CHECK_EQ(dma_map(chan, 5, iova, 16, DMA_READ, &iov, 1, &handle), 1);
	/* Nothing to do with it. */
	CHECK_EQ(invalidate_pages(1, 0x4000, 1), VIOMMU_S_OK);
	CHECK_EQ(invalidate_pasid(1, 6), VIOMMU_S_OK);
	if (pthread_create(&inv.thread, NULL, invalidator_run, &inv))
		abort();
	while (!inv.done && !atomic_load(&chan->waiting))
		sched_yield();
	CHECK(!inv.done);
	dma_unmap(chan, handle);
	pthread_join(inv.thread, NULL);
	CHECK(inv.done);
	guest_end();
}

TEST(invalidate_waits_for_accesses_that_it_names)
{
	check_wait(0x3000);
}

TEST(invalidate_waits_for_accesses_whatever_they_have_on_top)
{
	check_wait(0xab00000000003000);
}

TEST(reset_forgets_tables)
{
	start();
	set_entry(TABLE(0), 3, PAGE(0) | TOY_P);
	CHECK_EQ(attach_base(1, 0, TABLE(0)), VIOMMU_S_OK);
	CHECK_EQ(attach_pasid(1, 0, 5, TABLE(0)), VIOMMU_S_OK);
	fake_driver_status(&g.drv, 0);
	CHECK_EQ(g.iommu.nr_tables, 0);
	CHECK_EQ(reach(0, 0x3000, DMA_READ), NOWHERE);
	CHECK_EQ(reach_pasid(0, 5, 0x3000, DMA_READ), NOWHERE);
	guest_end();
}

TEST(the_number_of_tables_is_bounded)
{
	start();
	g.iommu.config.max_mappings = 2;
	CHECK_EQ(attach_base(1, 0, TABLE(0)), VIOMMU_S_OK);
	CHECK_EQ(attach_pasid(1, 0, 5, TABLE(0)), VIOMMU_S_OK);
	CHECK_EQ(attach_pasid(1, 0, 6, TABLE(0)), VIOMMU_S_NOMEM);
	CHECK_EQ(attach_base(2, 1, TABLE(0)), VIOMMU_S_NOMEM);
	CHECK_EQ(invalidate_domain(2), VIOMMU_S_NOENT);
	CHECK_EQ(attach_pasid(1, 0, 5, TABLE(1)), VIOMMU_S_OK);
	CHECK_EQ(attach_base(1, 0, TABLE(1)), VIOMMU_S_OK);
	guest_end();
}

TEST(accesses_with_a_pasid_in_other_domains)
{
	start();
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	CHECK_EQ(map_page(1, 0x3000, PAGE(0)), VIOMMU_S_OK);
	CHECK_EQ(reach(0, 0x3000, DMA_READ), PAGE(0));
	CHECK_EQ(reach_pasid(0, 5, 0x3000, DMA_READ), NOWHERE);
	CHECK_EQ(attach(2, ep_id(0), VIOMMU_ATTACH_BYPASS), VIOMMU_S_OK);
	CHECK_EQ(reach_pasid(0, 5, PAGE(0), DMA_READ), PAGE(0));
	guest_end();
}

/* The next report, in the only buffer. */
static struct viommu_fault take_fault(void)
{
	struct viommu_fault fault = {.reason = 0xff};
	u32 id, len;

	if (fake_take_used(&g.eventq, &id, &len))
		fake_read(&g.drv, EVENT_BASE, &fault, sizeof(fault));
	return fault;
}

static void give_buffer(void)
{
	const struct fake_seg seg = {EVENT_BASE, sizeof(struct viommu_fault)};

	fake_offer(&g.eventq, fake_chain(&g.eventq, &seg, 0, 1));
	fake_kick(&g.eventq);
}

TEST(faults_tell_the_pasid)
{
	struct viommu_fault fault;

	start();
	CHECK_EQ(attach_base(1, 0, TABLE(0)), VIOMMU_S_OK);
	CHECK_EQ(attach_pasid(1, 0, 5, TABLE(0)), VIOMMU_S_OK);
	give_buffer();
	CHECK_EQ(reach_pasid(0, 5, 0x6010, DMA_READ | DMA_EXEC | DMA_PRIV), NOWHERE);
	fault = take_fault();
	CHECK_EQ(fault.reason, VIOMMU_FAULT_R_MAPPING);
	CHECK_EQ(le32toh(fault.flags), 0x305);
	CHECK_EQ(le32toh(fault.pasid), 5);
	CHECK_EQ(le64toh(fault.address), 0x6010);

	give_buffer();
	CHECK_EQ(reach(0, 0x6010, DMA_WRITE), NOWHERE);
	fault = take_fault();
	CHECK_EQ(le32toh(fault.flags), 0x102);
	CHECK_EQ(fault.pasid, 0);

	/* A table may ask for silence: the access ends all the same. */
	give_buffer();
	CHECK_EQ(reach(0, 511 * 0x1000, DMA_READ), NOWHERE);
	CHECK_EQ(take_fault().reason, 0xff);
	CHECK_EQ(faults(0), 3);
	guest_end();
}

TEST(privilege_is_part_of_what_is_cached)
{
	start();
	set_entry(TABLE(0), 3, PAGE(0) | TOY_P);
	CHECK_EQ(attach_base(1, 0, TABLE(0)), VIOMMU_S_OK);
	CHECK_EQ(reach(0, 0x3000, DMA_READ), PAGE(0));
	CHECK_EQ(reach(0, 0x3000, DMA_READ), PAGE(0));
	CHECK_EQ(toy_walks, 1);
	CHECK_EQ(reach(0, 0x3000, DMA_READ | DMA_PRIV), PAGE(0));
	CHECK_EQ(toy_walks, 2);
	guest_end();
}

TEST(an_unmap_elsewhere_leaves_the_cache)
{
	u64 misses;

	start();
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	CHECK_EQ(map_page(1, 0x3000, PAGE(0)), VIOMMU_S_OK);
	CHECK_EQ(map_page(1, 0x4000, PAGE(2)), VIOMMU_S_OK);
	CHECK_EQ(reach(0, 0x3000, DMA_READ), PAGE(0));
	CHECK_EQ(reach(0, 0x4000, DMA_READ), PAGE(2));
	misses = g.chans[0].tlb_misses;
	CHECK_EQ(unmap_page(1, 0x4000), VIOMMU_S_OK);
	CHECK_EQ(reach(0, 0x3000, DMA_READ), PAGE(0));
	CHECK_EQ(g.chans[0].tlb_misses, misses);
	CHECK_EQ(reach(0, 0x4000, DMA_READ), NOWHERE);
	guest_end();
}

/* As a disk has none, and a DMA engine has many: one domain, whoever is there first. */
TEST(a_domain_takes_the_pasids_of_its_widest_endpoint)
{
	const struct iommu_limits none = {.pa_bits = 40};

	for (unsigned int first = 0; first < 2; first++) {
		start_with(&toy_domain_format, ALL_FEATURES);
		iommu_set_format(&g.eps[0], &toy_domain_format, &none);
		CHECK_EQ(attach_base(1, first, TABLE(0)), VIOMMU_S_OK);
		CHECK_EQ(attach_base(1, !first, TABLE(0)), VIOMMU_S_OK);
		CHECK_EQ(attach_pasid(1, 1, 5, TABLE(1)), VIOMMU_S_OK);
		CHECK_EQ(attach_pasid(1, 1, 1U << PASID_BITS, TABLE(1)), VIOMMU_S_RANGE);
		CHECK_EQ(detach_pasid(1, ep_id(0), 5, VIOMMU_DETACH_PASID), VIOMMU_S_OK);
		guest_end();
	}
}

TEST(invalidate_of_an_id_that_is_too_wide)
{
	struct viommu_invalidate req = {
		.scope = VIOMMU_INVALIDATE_DOMAIN,
		.caches = VIOMMU_INVALIDATE_C_TLB,
		.flags = htole16(VIOMMU_INVALIDATE_F_ID),
		.domain = htole32(1),
		.id = htole64(0xffff),
	};

	start();
	CHECK_EQ(attach_base(1, 0, TABLE(0)), VIOMMU_S_OK);
	CHECK_EQ(invalidate(&req), VIOMMU_S_OK);
	req.id = htole64(0x10000);
	CHECK_EQ(invalidate(&req), VIOMMU_S_INVAL);
	req.id = htole64(1ULL << 32);
	CHECK_EQ(invalidate(&req), VIOMMU_S_INVAL);
	guest_end();
}

/* With the flag, a PASID that looks like that of no access is too wide, as any other. */
TEST(invalidate_of_a_pasid_that_is_too_wide)
{
	static const u32 wide[] = {1U << 20, 0xfffffffe, 0xffffffff};

	start();
	CHECK_EQ(attach_base(1, 0, TABLE(0)), VIOMMU_S_OK);
	for (unsigned int i = 0; i < ARRAY_SIZE(wide); i++) {
		struct viommu_invalidate req = {
			.scope = VIOMMU_INVALIDATE_ADDRESS,
			.caches = VIOMMU_INVALIDATE_C_TLB,
			.flags = htole16(VIOMMU_INVALIDATE_F_PASID),
			.domain = htole32(1),
			.pasid = htole32(wide[i]),
			.nr_pages = htole64(1),
			.page_size = 12,
		};

		CHECK_EQ(invalidate_pasid(1, wide[i]), VIOMMU_S_RANGE);
		CHECK_EQ(invalidate(&req), VIOMMU_S_RANGE);
		req.nr_pages = 0; /* malformed, which comes first */
		CHECK_EQ(invalidate(&req), VIOMMU_S_INVAL);
	}
	guest_end();
}

/* As a driver does that calls accesses without a PASID by the number 0. */
TEST(invalidate_of_pasid_0_takes_what_has_none)
{
	start();
	CHECK_EQ(attach_base(1, 0, TABLE(0)), VIOMMU_S_OK);
	cache_and_change(DMA_NO_PASID, TABLE(0));
	CHECK_EQ(invalidate_pasid(1, 0), VIOMMU_S_OK);
	CHECK(is_gone(DMA_NO_PASID));
	guest_end();
}
