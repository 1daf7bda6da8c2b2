// SPDX-License-Identifier: GPL-2.0-only
/*
 * What each request of the virtio-iommu must, should and may do: virtio 1.3, 5.13.6.2
 * to 5.13.6.7. One test a sentence of the text.
 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "iommu-guest.h"
#include "iommu/mapping-debug.h"
#include "unit.h"

/* 5.13.6.2: requests in general. */

TEST(unknown_type_writes_nothing)
{
	static const u8 types[] = {0, 6, 7, 8, 0x7f, 0x80, 0xff};
	u8 req[128] = {0}, reply[64], untouched[64];

	guest_start();
	memset(untouched, 0xee, sizeof(untouched));
	for (unsigned int i = 0; i < ARRAY_SIZE(types); i++) {
		req[0] = types[i];
		CHECK_EQ(guest_request(req, sizeof(req), reply, sizeof(reply)), 0);
		CHECK(!memcmp(reply, untouched, sizeof(reply)));
	}
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	guest_end();
}

TEST(request_without_room_for_a_tail_writes_nothing)
{
	struct viommu_attach req = {
		.head.type = VIOMMU_T_ATTACH,
		.domain = htole32(1),
		.endpoint = htole32(ep_id(0)),
	};

	guest_start();
	for (u32 in = 1; in < sizeof(struct viommu_tail); in++) {
		u8 reply[4] = {0};

		CHECK_EQ(guest_request(&req, sizeof(req), reply, in), 0);
		for (u32 i = 0; i < in; i++)
			CHECK_EQ(reply[i], 0xee);
	}
	/* Nor is it served. */
	CHECK_EQ(detach(1, ep_id(0)), VIOMMU_S_INVAL);
	guest_end();
}

TEST(reserved_bytes_of_the_head_are_ignored)
{
	struct viommu_attach req = {
		.head = {.type = VIOMMU_T_ATTACH, .reserved = {0xff, 1, 0x80}},
		.domain = htole32(1),
		.endpoint = htole32(ep_id(0)),
	};

	guest_start();
	CHECK_EQ(guest_status(&req, sizeof(req)), VIOMMU_S_OK);
	CHECK_EQ(detach(1, ep_id(0)), VIOMMU_S_OK);
	guest_end();
}

TEST(reserved_bytes_of_the_tail_are_zero_and_success_is_ok)
{
	struct viommu_attach req = {
		.head.type = VIOMMU_T_ATTACH,
		.domain = htole32(1),
		.endpoint = htole32(ep_id(0)),
	};
	const u8 ok[4] = {VIOMMU_S_OK}, noent[4] = {VIOMMU_S_NOENT};
	u8 tail[4];

	guest_start();
	CHECK_EQ(guest_request(&req, sizeof(req), tail, sizeof(tail)), 4);
	CHECK(!memcmp(tail, ok, 4));
	req.endpoint = htole32(UNKNOWN_EP);
	CHECK_EQ(guest_request(&req, sizeof(req), tail, sizeof(tail)), 4);
	CHECK(!memcmp(tail, noent, 4));
	guest_end();
}

/* 5.13.6.3: ATTACH. */

TEST(attach_with_nonzero_reserved_is_inval)
{
	guest_start();
	for (unsigned int i = 0; i < 4; i++) {
		struct viommu_attach req = {
			.head.type = VIOMMU_T_ATTACH,
			.domain = htole32(1),
			.endpoint = htole32(ep_id(0)),
		};

		req.reserved[i] = 0x10;
		CHECK_EQ(guest_status(&req, sizeof(req)), VIOMMU_S_INVAL);
	}
	/* None of them made the domain. */
	CHECK_EQ(map_page(1, 0, DATA_BASE), VIOMMU_S_NOENT);
	guest_end();
}

TEST(attach_with_an_unknown_flag_is_inval)
{
	guest_start();
	for (unsigned int bit = 1; bit < 32; bit++) {
		CHECK_EQ(attach(1, ep_id(0), BIT(bit)), VIOMMU_S_INVAL);
		CHECK_EQ(attach(1, ep_id(0), BIT(bit) | VIOMMU_ATTACH_BYPASS), VIOMMU_S_INVAL);
	}
	CHECK_EQ(reach(0, DATA_BASE, DMA_READ), NOWHERE);
	guest_end();
}

TEST(attach_of_an_unknown_endpoint_is_noent)
{
	static const u32 ids[] = {0, 1, UNKNOWN_EP, 0x10008, 0xffffffff};

	guest_start();
	for (unsigned int i = 0; i < ARRAY_SIZE(ids); i++)
		CHECK_EQ(attach(1, ids[i], 0), VIOMMU_S_NOENT);
	CHECK_EQ(map_page(1, 0, DATA_BASE), VIOMMU_S_NOENT);
	guest_end();
}

TEST(attach_to_a_domain_that_has_another_endpoint_shares_it)
{
	guest_start();
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	CHECK_EQ(map_page(1, 0x10000, DATA_BASE), VIOMMU_S_OK);
	CHECK_EQ(attach(1, ep_id(1), 0), VIOMMU_S_OK);
	CHECK_EQ(reach(0, 0x10000, DMA_READ), DATA_BASE);
	CHECK_EQ(reach(1, 0x10000, DMA_READ), DATA_BASE);
	CHECK_EQ(reach(2, 0x10000, DMA_READ), NOWHERE);
	guest_end();
}

TEST(attach_with_another_bypass_flag_than_the_domain_is_inval)
{
	guest_start();
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	CHECK_EQ(attach(2, ep_id(1), VIOMMU_ATTACH_BYPASS), VIOMMU_S_OK);
	CHECK_EQ(attach(1, ep_id(2), VIOMMU_ATTACH_BYPASS), VIOMMU_S_INVAL);
	CHECK_EQ(attach(2, ep_id(2), 0), VIOMMU_S_INVAL);
	CHECK_EQ(reach(2, DATA_BASE, DMA_READ), NOWHERE);
	/* Nor for the only endpoint that is in the domain. */
	CHECK_EQ(attach(1, ep_id(0), VIOMMU_ATTACH_BYPASS), VIOMMU_S_INVAL);
	CHECK_EQ(map_page(1, 0, DATA_BASE), VIOMMU_S_OK);
	CHECK_EQ(reach(0, 0, DMA_READ), DATA_BASE);
	guest_end();
}

TEST(attach_of_an_attached_endpoint_moves_it)
{
	guest_start();
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	CHECK_EQ(attach(1, ep_id(1), 0), VIOMMU_S_OK);
	CHECK_EQ(map_page(1, 0x10000, DATA_BASE), VIOMMU_S_OK);
	CHECK_EQ(reach(0, 0x10000, DMA_READ), DATA_BASE);

	CHECK_EQ(attach(2, ep_id(0), 0), VIOMMU_S_OK);
	CHECK_EQ(reach(0, 0x10000, DMA_READ), NOWHERE);
	CHECK_EQ(reach(1, 0x10000, DMA_READ), DATA_BASE);
	CHECK_EQ(detach(1, ep_id(0)), VIOMMU_S_INVAL);
	CHECK_EQ(map_page(2, 0x10000, DATA_BASE + GRANULE), VIOMMU_S_OK);
	CHECK_EQ(reach(0, 0x10000, DMA_READ), DATA_BASE + GRANULE);
	CHECK_EQ(reach(1, 0x10000, DMA_READ), DATA_BASE);

	/* From and to bypass domains as well. */
	CHECK_EQ(attach(3, ep_id(0), VIOMMU_ATTACH_BYPASS), VIOMMU_S_OK);
	CHECK_EQ(reach(0, 0x10000, DMA_READ), 0x10000);
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	CHECK_EQ(reach(0, 0x10000, DMA_READ), DATA_BASE);
	guest_end();
}

TEST(attach_to_the_domain_it_is_in_changes_nothing)
{
	guest_start();
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	CHECK_EQ(map_page(1, 0, DATA_BASE), VIOMMU_S_OK);
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	CHECK_EQ(reach(0, 0, DMA_READ), DATA_BASE);
	guest_end();
}

/* Endpoints that differ could be incompatible: these do not differ. */
TEST(endpoints_have_the_same_properties_so_any_can_share_a_domain)
{
	u8 first[PROBE_SIZE + 4], other[PROBE_SIZE + 4];
	struct viommu_probe req = {.head.type = VIOMMU_T_PROBE, .endpoint = htole32(ep_id(0))};

	guest_start();
	CHECK_EQ(guest_request(&req, sizeof(req), first, sizeof(first)), sizeof(first));
	for (unsigned int n = 1; n < NR_ENDPOINTS; n++) {
		req.endpoint = htole32(ep_id(n));
		CHECK_EQ(guest_request(&req, sizeof(req), other, sizeof(other)), sizeof(other));
		CHECK(!memcmp(first, other, sizeof(first)));
	}
	for (unsigned int n = 0; n < NR_ENDPOINTS; n++)
		CHECK_EQ(attach(1, ep_id(n), 0), VIOMMU_S_OK);
	guest_end();
}

TEST(domain_begins_with_its_first_endpoint_and_ends_with_its_last)
{
	guest_start();
	CHECK_EQ(map_page(1, 0, DATA_BASE), VIOMMU_S_NOENT);
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	CHECK_EQ(attach(1, ep_id(1), 0), VIOMMU_S_OK);
	CHECK_EQ(map_page(1, 0, DATA_BASE), VIOMMU_S_OK);
	CHECK_EQ(detach(1, ep_id(0)), VIOMMU_S_OK);
	CHECK_EQ(reach(1, 0, DMA_READ), DATA_BASE);
	/* The last one leaves by moving on. */
	CHECK_EQ(attach(2, ep_id(1), 0), VIOMMU_S_OK);
	CHECK_EQ(unmap_page(1, 0), VIOMMU_S_NOENT);
	CHECK_EQ(g.iommu.nr_mappings, 0);

	/* A domain of that ID is another one, of either kind. */
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	CHECK_EQ(reach(0, 0, DMA_READ), NOWHERE);
	CHECK_EQ(detach(1, ep_id(0)), VIOMMU_S_OK);
	CHECK_EQ(attach(1, ep_id(0), VIOMMU_ATTACH_BYPASS), VIOMMU_S_OK);
	CHECK_EQ(reach(0, DATA_BASE, DMA_READ), DATA_BASE);
	guest_end();
}

TEST(attach_outside_the_domain_range_is_range)
{
	struct iommu_config config = default_config;

	config.domain_start = 10;
	config.domain_last = 20;
	guest_start_with(&config, ALL_FEATURES);
	CHECK_EQ(attach(9, ep_id(0), 0), VIOMMU_S_RANGE);
	CHECK_EQ(attach(21, ep_id(0), 0), VIOMMU_S_RANGE);
	CHECK_EQ(attach(0xffffffff, ep_id(0), VIOMMU_ATTACH_BYPASS), VIOMMU_S_RANGE);
	CHECK_EQ(attach(10, ep_id(0), 0), VIOMMU_S_OK);
	CHECK_EQ(attach(20, ep_id(1), 0), VIOMMU_S_OK);
	/* A refused one stays where it is. */
	CHECK_EQ(map_page(10, 0, DATA_BASE), VIOMMU_S_OK);
	CHECK_EQ(attach(21, ep_id(0), 0), VIOMMU_S_RANGE);
	CHECK_EQ(reach(0, 0, DMA_READ), DATA_BASE);
	guest_end();
}

/* 5.13.6.4: DETACH. */

TEST(detach_ignores_reserved)
{
	struct viommu_detach req = {
		.head.type = VIOMMU_T_DETACH,
		.domain = htole32(1),
		.endpoint = htole32(ep_id(0)),
	};

	guest_start();
	req.pasid = ~0U;
	req.flags = ~0U;
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	CHECK_EQ(guest_status(&req, sizeof(req)), VIOMMU_S_OK);
	CHECK_EQ(map_page(1, 0, DATA_BASE), VIOMMU_S_NOENT);
	guest_end();
}

TEST(detach_of_an_unknown_endpoint_is_noent)
{
	guest_start();
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	CHECK_EQ(detach(1, UNKNOWN_EP), VIOMMU_S_NOENT);
	CHECK_EQ(detach(77, 0xffffffff), VIOMMU_S_NOENT);
	guest_end();
}

TEST(detach_from_a_domain_it_is_not_in_is_inval)
{
	guest_start();
	CHECK_EQ(detach(1, ep_id(0)), VIOMMU_S_INVAL);
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	CHECK_EQ(attach(2, ep_id(1), 0), VIOMMU_S_OK);
	CHECK_EQ(map_page(1, 0, DATA_BASE), VIOMMU_S_OK);
	CHECK_EQ(detach(2, ep_id(0)), VIOMMU_S_INVAL);
	CHECK_EQ(detach(3, ep_id(0)), VIOMMU_S_INVAL);
	CHECK_EQ(detach(1, ep_id(2)), VIOMMU_S_INVAL);
	CHECK_EQ(reach(0, 0, DMA_READ), DATA_BASE);
	CHECK_EQ(detach(1, ep_id(0)), VIOMMU_S_OK);
	CHECK_EQ(detach(1, ep_id(0)), VIOMMU_S_INVAL);
	guest_end();
}

TEST(detached_endpoint_reaches_no_old_mapping)
{
	guest_start();
	for (unsigned int n = 0; n < 2; n++)
		CHECK_EQ(attach(1, ep_id(n), 0), VIOMMU_S_OK);
	CHECK_EQ(map_page(1, 0x10000, DATA_BASE), VIOMMU_S_OK);
	CHECK_EQ(reach(0, 0x10000, DMA_WRITE), DATA_BASE);
	CHECK_EQ(detach(1, ep_id(0)), VIOMMU_S_OK);
	CHECK_EQ(reach(0, 0x10000, DMA_WRITE), NOWHERE);
	CHECK_EQ(reach(1, 0x10000, DMA_WRITE), DATA_BASE);
	guest_end();
}

/* 5.13.6.5: MAP. */

TEST(map_that_is_not_aligned_to_the_granule_is_range)
{
	guest_start();
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	CHECK_EQ(map(1, 0x1001, 0x1fff, DATA_BASE, RW), VIOMMU_S_RANGE);
	CHECK_EQ(map(1, 0x1800, 0x27ff, DATA_BASE, RW), VIOMMU_S_RANGE);
	CHECK_EQ(map(1, 0x1000, 0x1ffe, DATA_BASE, RW), VIOMMU_S_RANGE);
	CHECK_EQ(map(1, 0x1000, 0x2000, DATA_BASE, RW), VIOMMU_S_RANGE);
	CHECK_EQ(map(1, 0x1000, 0x1fff, DATA_BASE + 1, RW), VIOMMU_S_RANGE);
	CHECK_EQ(map(1, 0x1000, 0x1fff, DATA_BASE + 0x800, RW), VIOMMU_S_RANGE);
	CHECK_EQ(g.iommu.nr_mappings, 0);
	CHECK_EQ(map(1, 0x1000, 0x1fff, DATA_BASE, RW), VIOMMU_S_OK);
	guest_end();
}

TEST(granule_is_the_lowest_bit_of_the_page_size_mask)
{
	struct iommu_config config = default_config;

	config.page_size_mask = ~(64 * KiB - 1);
	guest_start_with(&config, ALL_FEATURES);
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	CHECK_EQ(map(1, 0, 0xfff, DATA_BASE, RW), VIOMMU_S_RANGE);
	CHECK_EQ(map(1, 0x1000, 0x10fff, DATA_BASE, RW), VIOMMU_S_RANGE);
	CHECK_EQ(map(1, 0, 0xffff, DATA_BASE + 0x1000, RW), VIOMMU_S_RANGE);
	/* A multiple of the granule that is no page size of its own. */
	CHECK_EQ(map(1, 0x30000, 0x5ffff, DATA_BASE, RW), VIOMMU_S_OK);
	CHECK_EQ(reach(0, 0x5ffff, DMA_WRITE), DATA_BASE + 0x2ffff);
	guest_end();
}

TEST(map_that_ends_before_it_starts_is_range)
{
	guest_start();
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	CHECK_EQ(map(1, 0x3000, 0x1fff, DATA_BASE, RW), VIOMMU_S_RANGE);
	CHECK_EQ(map(1, 0x1000, 0xfff, DATA_BASE, RW), VIOMMU_S_RANGE);
	CHECK_EQ(map(1, UINT64_MAX - 0xfff, 0xfff, DATA_BASE, RW), VIOMMU_S_RANGE);
	CHECK_EQ(g.iommu.nr_mappings, 0);
	guest_end();
}

TEST(map_whose_physical_end_wraps_is_range)
{
	guest_start();
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	CHECK_EQ(map(1, 0, 0x1fff, UINT64_MAX - 0xfff, RW), VIOMMU_S_RANGE);
	CHECK_EQ(map(1, 0, UINT64_MAX, 0x1000, RW), VIOMMU_S_RANGE);
	CHECK_EQ(g.iommu.nr_mappings, 0);
	/* The last page does not wrap. */
	CHECK_EQ(map(1, 0, 0xfff, UINT64_MAX - 0xfff, RW), VIOMMU_S_OK);
	CHECK_EQ(reach(0, 0, DMA_READ), NOWHERE);
	guest_end();
}

TEST(map_of_all_iovas_is_one_mapping)
{
	guest_start();
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	CHECK_EQ(map(1, 0, UINT64_MAX, 0, RW), VIOMMU_S_OK);
	CHECK_EQ(reach(0, DATA_BASE + 5, DMA_READ | DMA_WRITE), DATA_BASE + 5);
	CHECK_EQ(map_page(1, 0x1000, DATA_BASE), VIOMMU_S_INVAL);
	CHECK_EQ(unmap(1, 0, UINT64_MAX), VIOMMU_S_OK);
	CHECK_EQ(reach(0, DATA_BASE + 5, DMA_READ), NOWHERE);
	guest_end();
}

TEST(map_that_overlaps_a_mapping_is_inval)
{
	guest_start();
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	CHECK_EQ(map(1, 0x4000, 0x7fff, DATA_BASE, VIOMMU_MAP_READ), VIOMMU_S_OK);
	CHECK_EQ(map(1, 0x4000, 0x7fff, DATA_BASE, VIOMMU_MAP_READ), VIOMMU_S_INVAL);
	CHECK_EQ(map(1, 0x3000, 0x4fff, DATA_BASE, RW), VIOMMU_S_INVAL);
	CHECK_EQ(map(1, 0x7000, 0x8fff, DATA_BASE, RW), VIOMMU_S_INVAL);
	CHECK_EQ(map(1, 0x5000, 0x5fff, DATA_BASE, RW), VIOMMU_S_INVAL);
	CHECK_EQ(map(1, 0x0000, 0xffff, DATA_BASE, RW), VIOMMU_S_INVAL);
	/* What is there is as it was; the neighbours are free. */
	CHECK_EQ(reach(0, 0x5000, DMA_WRITE), NOWHERE);
	CHECK_EQ(reach(0, 0x5000, DMA_READ), DATA_BASE + 0x1000);
	CHECK_EQ(reach(0, 0x3000, DMA_READ), NOWHERE);
	CHECK_EQ(map(1, 0x3000, 0x3fff, DATA_BASE, RW), VIOMMU_S_OK);
	CHECK_EQ(map(1, 0x8000, 0x8fff, DATA_BASE, RW), VIOMMU_S_OK);
	guest_end();
}

TEST(map_with_an_unknown_flag_is_inval)
{
	guest_start();
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	for (unsigned int bit = 3; bit < 32; bit++)
		CHECK_EQ(map(1, 0, 0xfff, DATA_BASE, RW | BIT(bit)), VIOMMU_S_INVAL);
	CHECK_EQ(g.iommu.nr_mappings, 0);
	for (u32 flags = 0; flags < 8; flags++)
		CHECK_EQ(map(1, flags << 12, (flags << 12) + 0xfff, DATA_BASE, flags), VIOMMU_S_OK);
	guest_end();
}

TEST(map_in_no_domain_is_noent)
{
	guest_start();
	CHECK_EQ(map_page(0, 0, DATA_BASE), VIOMMU_S_NOENT);
	CHECK_EQ(map_page(0xffffffff, 0, DATA_BASE), VIOMMU_S_NOENT);
	guest_end();
}

TEST(map_in_a_bypass_domain_is_inval)
{
	guest_start();
	CHECK_EQ(attach(1, ep_id(0), VIOMMU_ATTACH_BYPASS), VIOMMU_S_OK);
	CHECK_EQ(map_page(1, 0, DATA_BASE), VIOMMU_S_INVAL);
	CHECK_EQ(reach(0, 0, DMA_READ), 0);
	guest_end();
}

TEST(map_permits_only_what_its_flags_say)
{
	static const struct {
		u32 flags;
		bool read, write;
	} cases[] = {
		{0, false, false},
		{VIOMMU_MAP_READ, true, false},
		{VIOMMU_MAP_WRITE, false, true},
		{RW, true, true},
		{VIOMMU_MAP_READ | VIOMMU_MAP_MMIO, true, false},
		{VIOMMU_MAP_MMIO, false, false},
	};

	guest_start();
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		u64 iova = i * GRANULE;

		CHECK_EQ(map(1, iova, iova + GRANULE - 1, DATA_BASE, cases[i].flags), VIOMMU_S_OK);
		CHECK_EQ(reach(0, iova, DMA_READ) == DATA_BASE, cases[i].read);
		CHECK_EQ(reach(0, iova, DMA_WRITE) == DATA_BASE, cases[i].write);
		CHECK_EQ(reach(0, iova, DMA_READ | DMA_WRITE) == DATA_BASE,
			 cases[i].read && cases[i].write);
	}
	guest_end();
}

static const struct iommu_resv regions[] = {
	{0x8000, 0xbfff, IOMMU_RESV_RESERVED},
	{0xfee00000, 0xfeefffff, IOMMU_RESV_MSI},
	{UINT64_MAX - 0xffff, UINT64_MAX, IOMMU_RESV_RESERVED},
};

static struct iommu_config config_with_regions(void)
{
	struct iommu_config config = default_config;

	memcpy(config.resv, regions, sizeof(regions));
	config.nr_resv = ARRAY_SIZE(regions);
	return config;
}

TEST(map_that_overlaps_a_reserved_region_is_inval)
{
	const struct iommu_config config = config_with_regions();

	guest_start_with(&config, ALL_FEATURES);
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	for (unsigned int i = 0; i < ARRAY_SIZE(regions); i++) {
		u64 start = regions[i].start, last = regions[i].last;

		CHECK_EQ(map(1, start, last, DATA_BASE, RW), VIOMMU_S_INVAL);
		CHECK_EQ(map_page(1, start, DATA_BASE), VIOMMU_S_INVAL);
		CHECK_EQ(map_page(1, last - 0xfff, DATA_BASE), VIOMMU_S_INVAL);
		CHECK_EQ(map(1, start - 0x1000, start + 0xfff, DATA_BASE, RW), VIOMMU_S_INVAL);
		CHECK_EQ(map_page(1, start - 0x1000, DATA_BASE), VIOMMU_S_OK);
		if (last != UINT64_MAX)
			CHECK_EQ(map_page(1, last + 1, DATA_BASE), VIOMMU_S_OK);
	}
	CHECK_EQ(map(1, 0x20000, UINT64_MAX, 0, RW), VIOMMU_S_INVAL);
	guest_end();
}

TEST(map_outside_the_input_range_is_range)
{
	struct iommu_config config = default_config;

	config.input_start = 0x10000;
	config.input_last = 0xffffffffff;
	guest_start_with(&config, ALL_FEATURES);
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	CHECK_EQ(map(1, 0xf000, 0x10fff, DATA_BASE, RW), VIOMMU_S_RANGE);
	CHECK_EQ(map(1, 0xf000, 0xffff, DATA_BASE, RW), VIOMMU_S_RANGE);
	CHECK_EQ(map(1, 0x10000000000, 0x10000000fff, DATA_BASE, RW), VIOMMU_S_RANGE);
	CHECK_EQ(map(1, 0xfffffff000, 0x10000000fff, DATA_BASE, RW), VIOMMU_S_RANGE);
	CHECK_EQ(map(1, 0, UINT64_MAX, 0, RW), VIOMMU_S_RANGE);
	CHECK_EQ(map_page(1, 0x10000, DATA_BASE), VIOMMU_S_OK);
	CHECK_EQ(map_page(1, 0xfffffff000, DATA_BASE), VIOMMU_S_OK);
	guest_end();
}

TEST(map_beyond_the_limit_is_nomem_until_something_is_unmapped)
{
	struct iommu_config config = default_config;

	config.max_mappings = 3;
	guest_start_with(&config, ALL_FEATURES);
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	CHECK_EQ(attach(2, ep_id(1), 0), VIOMMU_S_OK);
	CHECK_EQ(map_page(1, 0x1000, DATA_BASE), VIOMMU_S_OK);
	CHECK_EQ(map_page(1, 0x2000, DATA_BASE), VIOMMU_S_OK);
	CHECK_EQ(map_page(2, 0x1000, DATA_BASE), VIOMMU_S_OK);
	CHECK_EQ(map_page(1, 0x3000, DATA_BASE), VIOMMU_S_NOMEM);
	CHECK_EQ(map_page(2, 0x3000, DATA_BASE), VIOMMU_S_NOMEM);
	CHECK_EQ(reach(1, 0x3000, DMA_READ), NOWHERE);
	/* What is wrong in any case is said even now. */
	CHECK_EQ(map_page(1, 0x1000, DATA_BASE), VIOMMU_S_INVAL);

	CHECK_EQ(unmap_page(1, 0x2000), VIOMMU_S_OK);
	CHECK_EQ(map_page(2, 0x3000, DATA_BASE), VIOMMU_S_OK);
	CHECK_EQ(map_page(1, 0x2000, DATA_BASE), VIOMMU_S_NOMEM);
	/* A domain that ends gives back all it had. */
	CHECK_EQ(detach(2, ep_id(1)), VIOMMU_S_OK);
	CHECK_EQ(map_page(1, 0x2000, DATA_BASE), VIOMMU_S_OK);
	CHECK_EQ(map_page(1, 0x3000, DATA_BASE), VIOMMU_S_OK);
	CHECK_EQ(map_page(1, 0x4000, DATA_BASE), VIOMMU_S_NOMEM);
	guest_end();
}

/* Memory of the host for mappings runs out after so many blocks. */
static unsigned int blocks_left;

static void *limited_alloc(size_t align, size_t size)
{
	return blocks_left && blocks_left-- ? aligned_alloc(align, size) : NULL;
}

TEST(map_or_attach_without_host_memory_is_nomem_and_changes_nothing)
{
	void *(*alloc)(size_t align, size_t size) = mapping_store_alloc;
	u64 nr = 0;
	int status;

	guest_start();
	mapping_store_alloc = limited_alloc;
	for (blocks_left = 0; (status = attach(1, ep_id(0), 0)) == VIOMMU_S_NOMEM;
	     blocks_left = ++nr)
		CHECK_EQ(map_page(1, 0, DATA_BASE), VIOMMU_S_NOENT);
	CHECK_EQ(status, VIOMMU_S_OK);
	CHECK(nr > 0);
	/* One that is in a domain stays in it. */
	CHECK_EQ(map_page(1, 0, DATA_BASE), VIOMMU_S_OK);
	blocks_left = 0;
	CHECK_EQ(attach(2, ep_id(0), 0), VIOMMU_S_NOMEM);
	CHECK_EQ(reach(0, 0, DMA_READ), DATA_BASE);

	for (nr = 1; (status = map_page(1, nr * GRANULE, DATA_BASE)) == VIOMMU_S_OK; nr++)
		;
	CHECK_EQ(status, VIOMMU_S_NOMEM);
	CHECK_EQ(g.iommu.nr_mappings, nr);
	CHECK_EQ(reach(0, nr * GRANULE, DMA_READ), NOWHERE);
	CHECK_EQ(reach(0, (nr - 1) * GRANULE, DMA_READ), DATA_BASE);
	/* UNMAP needs none, and makes room. */
	CHECK_EQ(unmap(1, 0, nr * GRANULE - 1), VIOMMU_S_OK);
	CHECK_EQ(map_page(1, nr * GRANULE, DATA_BASE), VIOMMU_S_OK);
	mapping_store_alloc = alloc;
	guest_end();
}

/* 5.13.6.6: UNMAP. */

TEST(unmap_with_nonzero_reserved_is_inval_and_removes_nothing)
{
	guest_start();
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	CHECK_EQ(map_page(1, 0, DATA_BASE), VIOMMU_S_OK);
	for (unsigned int i = 0; i < 4; i++) {
		struct viommu_unmap req = {
			.head.type = VIOMMU_T_UNMAP,
			.domain = htole32(1),
			.virt_end = htole64(0xfff),
		};

		req.reserved[i] = 1;
		CHECK_EQ(guest_status(&req, sizeof(req)), VIOMMU_S_INVAL);
	}
	CHECK_EQ(reach(0, 0, DMA_READ), DATA_BASE);
	guest_end();
}

TEST(unmap_in_no_domain_is_noent)
{
	guest_start();
	CHECK_EQ(unmap(0, 0, UINT64_MAX), VIOMMU_S_NOENT);
	CHECK_EQ(unmap_page(0xffffffff, 0), VIOMMU_S_NOENT);
	guest_end();
}

TEST(unmap_in_a_bypass_domain_is_inval)
{
	guest_start();
	CHECK_EQ(attach(1, ep_id(0), VIOMMU_ATTACH_BYPASS), VIOMMU_S_OK);
	CHECK_EQ(unmap(1, 0, UINT64_MAX), VIOMMU_S_INVAL);
	CHECK_EQ(reach(0, DATA_BASE, DMA_READ), DATA_BASE);
	guest_end();
}

TEST(unmap_that_would_split_a_mapping_is_range_and_removes_nothing)
{
	guest_start();
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	CHECK_EQ(map(1, 0x1000, 0x1fff, DATA_BASE, RW), VIOMMU_S_OK);
	CHECK_EQ(map(1, 0x2000, 0x5fff, DATA_BASE, RW), VIOMMU_S_OK);
	CHECK_EQ(unmap(1, 0x1000, 0x4fff), VIOMMU_S_RANGE);
	CHECK_EQ(unmap(1, 0x0000, 0x2000), VIOMMU_S_RANGE);
	CHECK_EQ(unmap(1, 0x3000, 0x3fff), VIOMMU_S_RANGE);
	CHECK_EQ(unmap(1, 0x5fff, UINT64_MAX), VIOMMU_S_RANGE);
	CHECK_EQ(g.iommu.nr_mappings, 2);
	CHECK_EQ(reach(0, 0x1000, DMA_READ), DATA_BASE);
	CHECK_EQ(reach(0, 0x2000, DMA_READ), DATA_BASE);
	CHECK_EQ(unmap(1, 0x1000, 0x5fff), VIOMMU_S_OK);
	CHECK_EQ(g.iommu.nr_mappings, 0);
	guest_end();
}

TEST(unmap_spills_over_holes)
{
	guest_start();
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	for (u64 iova = 0x10000; iova < 0x20000; iova += 0x4000)
		CHECK_EQ(map_page(1, iova, DATA_BASE), VIOMMU_S_OK);
	CHECK_EQ(unmap(1, 0x11000, 0x13fff), VIOMMU_S_OK);
	CHECK_EQ(unmap(1, 0x100000, 0x1fffff), VIOMMU_S_OK);
	CHECK_EQ(g.iommu.nr_mappings, 4);
	CHECK_EQ(unmap(1, 0x12000, 0x1bfff), VIOMMU_S_OK);
	CHECK_EQ(reach(0, 0x10000, DMA_READ), DATA_BASE);
	CHECK_EQ(reach(0, 0x14000, DMA_READ), NOWHERE);
	CHECK_EQ(reach(0, 0x18000, DMA_READ), NOWHERE);
	CHECK_EQ(reach(0, 0x1c000, DMA_READ), DATA_BASE);
	guest_end();
}

TEST(unmap_of_all_iovas_removes_everything)
{
	guest_start();
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	CHECK_EQ(unmap(1, 0, UINT64_MAX), VIOMMU_S_OK);
	CHECK_EQ(map_page(1, 0, DATA_BASE), VIOMMU_S_OK);
	CHECK_EQ(map_page(1, 0x7ffffffff000, DATA_BASE), VIOMMU_S_OK);
	CHECK_EQ(map_page(1, UINT64_MAX - 0xfff, DATA_BASE), VIOMMU_S_OK);
	CHECK_EQ(reach(0, UINT64_MAX, DMA_READ), DATA_BASE + 0xfff);
	CHECK_EQ(unmap(1, 0, UINT64_MAX), VIOMMU_S_OK);
	CHECK_EQ(g.iommu.nr_mappings, 0);
	CHECK_EQ(reach(0, UINT64_MAX, DMA_READ), NOWHERE);
	guest_end();
}

TEST(unmap_that_ends_before_it_starts_is_range)
{
	guest_start();
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	CHECK_EQ(map_page(1, 0x1000, DATA_BASE), VIOMMU_S_OK);
	CHECK_EQ(unmap(1, 0x1fff, 0x1000), VIOMMU_S_RANGE);
	CHECK_EQ(unmap(1, UINT64_MAX, 0), VIOMMU_S_RANGE);
	CHECK_EQ(g.iommu.nr_mappings, 1);
	guest_end();
}

TEST(unmapped_range_is_not_reached_from_any_endpoint_of_the_domain)
{
	guest_start();
	for (unsigned int n = 0; n < NR_ENDPOINTS; n++)
		CHECK_EQ(attach(1, ep_id(n), 0), VIOMMU_S_OK);
	CHECK_EQ(map_page(1, 0x1000, DATA_BASE), VIOMMU_S_OK);
	CHECK_EQ(map_page(1, 0x2000, DATA_BASE), VIOMMU_S_OK);
	for (unsigned int n = 0; n < NR_ENDPOINTS; n++)
		CHECK_EQ(reach(n, 0x1000, DMA_READ), DATA_BASE);
	CHECK_EQ(unmap_page(1, 0x1000), VIOMMU_S_OK);
	for (unsigned int n = 0; n < NR_ENDPOINTS; n++) {
		CHECK_EQ(reach(n, 0x1000, DMA_READ), NOWHERE);
		CHECK_EQ(reach(n, 0x2000, DMA_READ), DATA_BASE);
	}
	guest_end();
}

/* 5.13.6.7: PROBE. */

static u32 probe(u32 endpoint, u8 *reply, u32 in)
{
	struct viommu_probe req = {.head.type = VIOMMU_T_PROBE, .endpoint = htole32(endpoint)};

	return guest_request(&req, sizeof(req), reply, in);
}

TEST(probe_ignores_reserved)
{
	struct viommu_probe req = {.head.type = VIOMMU_T_PROBE, .endpoint = htole32(ep_id(0))};
	u8 reply[PROBE_SIZE + 4];

	guest_start();
	memset(req.reserved, 0xff, sizeof(req.reserved));
	CHECK_EQ(guest_request(&req, sizeof(req), reply, sizeof(reply)), sizeof(reply));
	CHECK_EQ(reply[PROBE_SIZE], VIOMMU_S_OK);
	guest_end();
}

TEST(probe_of_an_unknown_endpoint_is_noent)
{
	const struct iommu_config config = config_with_regions();
	u8 reply[PROBE_SIZE + 4];

	guest_start_with(&config, ALL_FEATURES);
	CHECK_EQ(probe(UNKNOWN_EP, reply, sizeof(reply)), sizeof(reply));
	CHECK_EQ(reply[PROBE_SIZE], VIOMMU_S_NOENT);
	for (unsigned int i = 0; i < PROBE_SIZE; i++)
		CHECK_EQ(reply[i], 0);
	guest_end();
}

TEST(probe_lists_the_reserved_regions_byte_by_byte)
{
	static const u8 expected[] = {
		/* type, length without the header, subtype, reserved, start, end */
		0x01, 0x00, 0x14, 0x00, 0x00, 0x00, 0x00, 0x00, /* */
		0x00, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* */
		0xff, 0xbf, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* */
		0x01, 0x00, 0x14, 0x00, 0x01, 0x00, 0x00, 0x00, /* MSI */
		0x00, 0x00, 0xe0, 0xfe, 0x00, 0x00, 0x00, 0x00, /* */
		0xff, 0xff, 0xef, 0xfe, 0x00, 0x00, 0x00, 0x00, /* */
		0x01, 0x00, 0x14, 0x00, 0x00, 0x00, 0x00, 0x00, /* */
		0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* */
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	};
	const struct iommu_config config = config_with_regions();
	u8 reply[PROBE_SIZE + 4];

	guest_start_with(&config, ALL_FEATURES);
	CHECK_EQ(probe(ep_id(3), reply, sizeof(reply)), sizeof(reply));
	for (unsigned int i = 0; i < sizeof(reply); i++)
		CHECK_EQ(reply[i], i < sizeof(expected) ? expected[i] : 0);
	guest_end();
}

TEST(probe_fills_with_zeroes_where_there_are_no_properties)
{
	u8 reply[PROBE_SIZE + 4];

	guest_start();
	CHECK_EQ(probe(ep_id(0), reply, sizeof(reply)), sizeof(reply));
	for (unsigned int i = 0; i < sizeof(reply); i++)
		CHECK_EQ(reply[i], 0);
	guest_end();
}

TEST(probe_properties_follow_each_other_exactly)
{
	struct iommu_config config = default_config;
	u8 reply[PROBE_SIZE + 4];
	unsigned int off = 0, nr_msi = 0;
	u64 end_before = 0;

	/* As many as there can be. */
	for (unsigned int i = 0; i < IOMMU_MAX_RESV; i++)
		config.resv[i] = (struct iommu_resv){(i + 1) * MiB, (i + 1) * MiB + 0xfff,
						     i == 7 ? IOMMU_RESV_MSI : IOMMU_RESV_RESERVED};
	config.nr_resv = IOMMU_MAX_RESV;
	guest_start_with(&config, ALL_FEATURES);
	CHECK_EQ(probe(ep_id(0), reply, sizeof(reply)), sizeof(reply));
	CHECK_EQ(reply[PROBE_SIZE], VIOMMU_S_OK);
	for (unsigned int i = 0; i < IOMMU_MAX_RESV; i++) {
		struct viommu_resv_mem prop;

		memcpy(&prop, reply + off, sizeof(prop));
		CHECK_EQ(le16toh(prop.head.type), VIOMMU_PROBE_T_RESV_MEM);
		CHECK_EQ(le16toh(prop.head.length), sizeof(prop) - 4);
		CHECK(!prop.reserved[0] && !prop.reserved[1] && !prop.reserved[2]);
		nr_msi += prop.subtype == VIOMMU_RESV_MSI;
		/* Sorted, so that disjoint is easy to see. */
		CHECK(le64toh(prop.start) > end_before);
		end_before = le64toh(prop.end);
		off += le16toh(prop.head.length) + 4;
	}
	CHECK_EQ(nr_msi, 1);
	for (; off < PROBE_SIZE; off++)
		CHECK_EQ(reply[off], 0);
	guest_end();
}

TEST(probe_with_too_little_room_is_inval_and_writes_no_property)
{
	const struct iommu_config config = config_with_regions();
	static const u32 rooms[] = {0, 1, 4, 23, 24, 72, PROBE_SIZE - 1};
	u8 reply[PROBE_SIZE + 4];

	guest_start_with(&config, ALL_FEATURES);
	for (unsigned int i = 0; i < ARRAY_SIZE(rooms); i++) {
		u32 room = rooms[i];

		CHECK_EQ(probe(ep_id(0), reply, room + 4), room + 4);
		for (u32 n = 0; n < room; n++)
			CHECK_EQ(reply[n], 0);
		CHECK_EQ(reply[room], VIOMMU_S_INVAL);
		CHECK_EQ(reply[room + 1] | reply[room + 2] | reply[room + 3], 0);
	}
	guest_end();
}

TEST(access_to_a_reserved_region_reaches_no_memory)
{
	const struct iommu_config config = config_with_regions();

	guest_start_with(&config, ALL_FEATURES);
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	CHECK_EQ(map(1, 0, 0x7fff, DATA_BASE, RW), VIOMMU_S_OK);
	CHECK_EQ(map(1, 0xc000, 0xffff, DATA_BASE, RW), VIOMMU_S_OK);
	for (u64 iova = 0x8000; iova < 0xc000; iova += GRANULE)
		CHECK_EQ(reach(0, iova, DMA_WRITE), NOWHERE);
	CHECK_EQ(reach(0, 0xfee00000, DMA_WRITE), NOWHERE);
	CHECK_EQ(faults(0), 5);
	CHECK_EQ(faults(1), 0);
	guest_end();
}
