// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the granule means for requests, and what it does not (virtio 1.3, 5.13.6.5, 5.13.6.6 and
 * 5.13.6.8.1): the same for each size that a guest's pages can have.
 */
#include <stddef.h>
#include <string.h>

#include "iommu-guest.h"
#include "unit.h"

static const u64 granules[] = {4 * KiB, 16 * KiB, 64 * KiB};

static u64 gran; /* that of the guest */

/* With at most one region. */
static void start(u64 granule, const struct iommu_resv *resv)
{
	struct iommu_config config = default_config;

	gran = granule;
	config.page_size_mask = ~(granule - 1);
	if (resv)
		config.resv[config.nr_resv++] = *resv;
	guest_start_with(&config, ALL_FEATURES);
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
}

/* Granule @n of the IOVAs, to the one at @gpa. */
static int map_nth(u64 n, u64 gpa)
{
	return map(1, n * gran, (n + 1) * gran - 1, gpa, RW);
}

TEST(mask_in_the_configuration)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(granules); i++) {
		__le64 mask;

		start(granules[i], NULL);
		pthread_mutex_lock(&g.viommu.vdev.lock);
		g.viommu.vdev.ops->config_read(&g.viommu.vdev,
					       offsetof(struct viommu_config, page_size_mask),
					       &mask, sizeof(mask));
		pthread_mutex_unlock(&g.viommu.vdev.lock);
		/* Every larger size is one, too. */
		CHECK_EQ(le64toh(mask), -gran);
		guest_end();
	}
}

TEST(map_is_aligned)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(granules); i++) {
		start(granules[i], NULL);
		/* Off by any smaller power of two, at each of the three. */
		for (u64 off = 1; off < gran; off <<= 1) {
			CHECK_EQ(map(1, gran + off, 3 * gran - 1, DATA_BASE, RW), VIOMMU_S_RANGE);
			CHECK_EQ(map(1, gran, 2 * gran - 1 + off, DATA_BASE, RW), VIOMMU_S_RANGE);
			CHECK_EQ(map(1, gran, 2 * gran - 1, DATA_BASE + off, RW), VIOMMU_S_RANGE);
			/* A whole number of granules, in the wrong place. */
			CHECK_EQ(map(1, gran + off, 2 * gran + off - 1, DATA_BASE + off, RW),
				 VIOMMU_S_RANGE);
		}
		CHECK_EQ(g.iommu.nr_mappings, 0);
		CHECK_EQ(map_nth(1, DATA_BASE), VIOMMU_S_OK);
		CHECK_EQ(map(1, 2 * gran, 5 * gran - 1, DATA_BASE + 8 * gran, RW), VIOMMU_S_OK);
		CHECK_EQ(map_nth(UINT64_MAX / gran, DATA_BASE), VIOMMU_S_OK);
		CHECK_EQ(reach(0, gran - 1, DMA_READ), NOWHERE);
		CHECK_EQ(reach(0, gran, DMA_READ), DATA_BASE);
		CHECK_EQ(reach(0, 2 * gran - 1, DMA_READ), DATA_BASE + gran - 1);
		CHECK_EQ(reach(0, 5 * gran - 1, DMA_READ), DATA_BASE + 11 * gran - 1);
		CHECK_EQ(reach(0, 5 * gran, DMA_READ), NOWHERE);
		CHECK_EQ(reach(0, UINT64_MAX, DMA_WRITE), DATA_BASE + gran - 1);
		guest_end();
	}
}

TEST(unmap_is_of_whole_mappings_and_not_aligned)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(granules); i++) {
		start(granules[i], NULL);
		CHECK_EQ(map(1, gran, 3 * gran - 1, DATA_BASE, RW), VIOMMU_S_OK);
		CHECK_EQ(map_nth(3, DATA_BASE), VIOMMU_S_OK);
		/* Each end inside of a mapping, also at a granule. */
		CHECK_EQ(unmap(1, gran, 2 * gran - 1), VIOMMU_S_RANGE);
		CHECK_EQ(unmap(1, 2 * gran, 3 * gran - 1), VIOMMU_S_RANGE);
		CHECK_EQ(unmap(1, gran + 1, 4 * gran - 1), VIOMMU_S_RANGE);
		CHECK_EQ(unmap(1, gran, 4 * gran - 2), VIOMMU_S_RANGE);
		CHECK_EQ(g.iommu.nr_mappings, 2);
		CHECK_EQ(reach(0, gran, DMA_READ), DATA_BASE);
		/* Ends that no mapping has may be anywhere. */
		CHECK_EQ(unmap(1, gran - 1, 3 * gran - 1), VIOMMU_S_OK);
		CHECK_EQ(reach(0, gran, DMA_READ), NOWHERE);
		CHECK_EQ(unmap(1, 2 * gran + 5, 4 * gran + 7), VIOMMU_S_OK);
		CHECK_EQ(unmap(1, 17, 18), VIOMMU_S_OK);
		CHECK_EQ(g.iommu.nr_mappings, 0);
		guest_end();
	}
}

/* Whether PROBE answers with this one region. */
static void check_probe(const struct iommu_resv *resv)
{
	const struct viommu_probe req = {.head.type = VIOMMU_T_PROBE,
					 .endpoint = htole32(ep_id(0))};
	struct viommu_resv_mem prop;
	u8 reply[PROBE_SIZE + 4];

	CHECK_EQ(guest_request(&req, sizeof(req), reply, sizeof(reply)), sizeof(reply));
	memcpy(&prop, reply, sizeof(prop));
	CHECK_EQ(le16toh(prop.head.type), VIOMMU_PROBE_T_RESV_MEM);
	CHECK_EQ(prop.subtype,
		 resv->type == IOMMU_RESV_MSI ? VIOMMU_RESV_MSI : VIOMMU_RESV_RESERVED);
	CHECK_EQ(le64toh(prop.start), resv->start);
	CHECK_EQ(le64toh(prop.end), resv->last);
	CHECK_EQ(reply[sizeof(prop)], 0);
}

/* A region keeps every granule free that it touches, and none besides. */
static void check_region(const struct iommu_resv *resv)
{
	u64 first = resv->start / gran, last = resv->last / gran;

	check_probe(resv);
	for (u64 n = first; n <= last; n++)
		CHECK_EQ(map_nth(n, DATA_BASE), VIOMMU_S_INVAL);
	CHECK_EQ(map_nth(first - 1, DATA_BASE), VIOMMU_S_OK);
	CHECK_EQ(map_nth(last + 1, DATA_BASE), VIOMMU_S_OK);
	CHECK_EQ(g.iommu.nr_mappings, 2);
}

TEST(regions_are_said_as_they_are)
{
	static const struct iommu_resv regions[] = {
		/* In the middle of a granule, over the border of two, a single byte. */
		{0x1000100, 0x10001ff, IOMMU_RESV_RESERVED},
		{0x100ff00, 0x10100ff, IOMMU_RESV_RESERVED},
		{0x1010000, 0x1010000, IOMMU_RESV_RESERVED},
		{0x101ffff, 0x101ffff, IOMMU_RESV_RESERVED},
		/* The page of an Arm ITS that takes messages, one frame of a GICv2m. */
		{0x8090000, 0x809ffff, IOMMU_RESV_MSI},
		{0x8021000, 0x8021fff, IOMMU_RESV_MSI},
		/* The pages of RISC-V IMSICs, one for each of five harts. */
		{0x28000000, 0x28004fff, IOMMU_RESV_MSI},
		/* x86. */
		{0xfee00000, 0xfeefffff, IOMMU_RESV_MSI},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(granules); i++) {
		for (unsigned int n = 0; n < ARRAY_SIZE(regions); n++) {
			start(granules[i], &regions[n]);
			check_region(&regions[n]);
			guest_end();
		}
	}
}
