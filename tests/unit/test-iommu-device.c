// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtio-iommu as a device: features, configuration, bypass and reset (virtio 1.3,
 * 5.13.3 to 5.13.5), and how requests lie in the queue.
 */
#include <endian.h>
#include <linux/virtio_config.h>
#include <string.h>

#include "capture.h"
#include "iommu-guest.h"
#include "unit.h"

#define F(name) BIT_ULL(VIOMMU_F_##name)

#define LEGACY_BYPASS BIT_ULL(3)

TEST(offers_map_unmap_and_not_the_legacy_bypass)
{
	const u64 own = GENMASK_ULL(23, 0);

	guest_create(&default_config);
	CHECK_EQ(g.viommu.vdev.offered & own, F(INPUT_RANGE) | F(DOMAIN_RANGE) | F(MAP_UNMAP) |
						      F(PROBE) | F(MMIO) | F(BYPASS_CONFIG));
	CHECK(!(g.viommu.vdev.offered & LEGACY_BYPASS));
	/* The device itself is not behind an IOMMU. */
	CHECK(!(g.viommu.vdev.offered & BIT_ULL(VIRTIO_F_ACCESS_PLATFORM)));
	CHECK(!fake_driver_negotiate(&g.drv, g.viommu.vdev.offered | LEGACY_BYPASS));
	CHECK(fake_driver_negotiate(&g.drv, BIT_ULL(VIRTIO_F_VERSION_1)));
	guest_end();
}

static void read_config(u8 *buf, u32 off, u32 len)
{
	struct virtio_device *vdev = &g.viommu.vdev;

	pthread_mutex_lock(&vdev->lock);
	vdev->ops->config_read(vdev, off, buf, len);
	pthread_mutex_unlock(&vdev->lock);
}

TEST(config_space_byte_by_byte)
{
	static const u8 expected[] = {
		0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* page_size_mask */
		0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00, /* input_range.start */
		0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x00, 0x00, /* input_range.end */
		0x03, 0x00, 0x00, 0x00, 0x05, 0x04, 0x03, 0x02, /* domain_range */
		0x00, 0x02, 0x00, 0x00, /* probe_size */
		0x01, 0x00, 0x00, 0x00, /* bypass */
	};
	const struct iommu_config config = {
		.page_size_mask = ~0xffffULL,
		.input_start = 0x100000,
		.input_last = 0x7fffffffffff,
		.domain_start = 3,
		.domain_last = 0x02030405,
		.max_mappings = 1,
		.bypass = true,
	};
	u8 buf[64];

	guest_create(&config);
	CHECK_EQ(g.viommu.vdev.ops->config_size, sizeof(expected));
	CHECK_EQ(g.viommu.vdev.ops->id, 23);
	read_config(buf, 0, sizeof(expected));
	for (unsigned int i = 0; i < sizeof(expected); i++)
		CHECK_EQ(buf[i], expected[i]);
	/* Any part of it is the same. */
	for (unsigned int off = 0; off < sizeof(expected); off++) {
		read_config(buf, off, 1);
		CHECK_EQ(buf[0], expected[off]);
	}
	read_config(buf, 28, 8);
	CHECK(!memcmp(buf, expected + 28, 8));
	guest_end();
}

static void write_config(u32 off, const void *buf, u32 len)
{
	struct virtio_device *vdev = &g.viommu.vdev;

	pthread_mutex_lock(&vdev->lock);
	vdev->ops->config_write(vdev, off, buf, len);
	pthread_mutex_unlock(&vdev->lock);
}

TEST(bypass_is_the_only_writable_field_and_one_byte_wide)
{
	static const u8 ones[8] = {1, 1, 1, 1, 1, 1, 1, 1};
	u8 before[40], after[40];

	guest_start();
	read_config(before, 0, 40);
	for (u32 len = 1; len <= 8; len *= 2) {
		for (u32 off = 0; off + len <= 40; off++) {
			if (off != 36 || len != 1)
				write_config(off, ones, len);
		}
	}
	read_config(after, 0, 40);
	CHECK(!memcmp(before, after, 40));
	CHECK_EQ(read_bypass(), 0);
	write_config(36, ones, 1);
	CHECK_EQ(read_bypass(), 1);
	guest_end();
}

TEST(bypass_reads_0_or_1_whatever_is_written)
{
	guest_start();
	for (unsigned int val = 2; val < 256; val++) {
		write_bypass(val);
		CHECK_EQ(read_bypass(), 0);
	}
	write_bypass(1);
	CHECK_EQ(read_bypass(), 1);
	for (unsigned int val = 2; val < 256; val++) {
		write_bypass(val);
		CHECK_EQ(read_bypass(), 1);
	}
	write_bypass(0);
	CHECK_EQ(read_bypass(), 0);
	guest_end();
}

TEST(bypass_is_written_only_when_negotiated)
{
	guest_start_with(&default_config, ~F(BYPASS_CONFIG));
	write_bypass(1);
	CHECK_EQ(read_bypass(), 0);
	CHECK_EQ(reach(0, DATA_BASE, DMA_READ), NOWHERE);
	guest_end();
}

TEST(bypass_that_starts_on_counts_without_the_feature)
{
	struct iommu_config config = default_config;

	config.bypass = true;
	guest_start_with(&config, ~F(BYPASS_CONFIG));
	CHECK_EQ(read_bypass(), 1);
	CHECK_EQ(reach(0, DATA_BASE, DMA_READ | DMA_WRITE), DATA_BASE);
	write_bypass(0);
	CHECK_EQ(reach(0, DATA_BASE, DMA_READ), DATA_BASE);
	guest_end();

	/* And before any driver is there. */
	guest_create(&config);
	CHECK_EQ(reach(3, DATA_BASE, DMA_WRITE), DATA_BASE);
	guest_end();
}

TEST(bypass_is_kept_over_a_device_reset)
{
	struct iommu_config config = default_config;

	guest_start();
	write_bypass(1);
	fake_driver_status(&g.drv, 0);
	CHECK_EQ(read_bypass(), 1);
	CHECK_EQ(reach(0, DATA_BASE, DMA_READ), DATA_BASE);
	guest_end();

	config.bypass = true;
	guest_start_with(&config, ALL_FEATURES);
	write_bypass(0);
	fake_driver_status(&g.drv, 0);
	CHECK_EQ(read_bypass(), 0);
	CHECK_EQ(reach(0, DATA_BASE, DMA_READ), NOWHERE);
	guest_end();
}

TEST(unattached_endpoint_bypasses_with_the_bypass_byte)
{
	guest_start();
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	write_bypass(1);
	CHECK_EQ(reach(1, DATA_BASE, DMA_READ | DMA_WRITE), DATA_BASE);
	/* An attached one does not. */
	CHECK_EQ(reach(0, DATA_BASE, DMA_READ), NOWHERE);
	CHECK_EQ(detach(1, ep_id(0)), VIOMMU_S_OK);
	CHECK_EQ(reach(0, DATA_BASE, DMA_READ), DATA_BASE);
	write_bypass(0);
	CHECK_EQ(reach(0, DATA_BASE, DMA_READ), NOWHERE);
	CHECK_EQ(reach(1, DATA_BASE, DMA_READ), NOWHERE);
	guest_end();
}

TEST(endpoint_of_a_bypass_domain_bypasses_whatever_the_byte)
{
	guest_start();
	CHECK_EQ(attach(1, ep_id(0), VIOMMU_ATTACH_BYPASS), VIOMMU_S_OK);
	CHECK_EQ(reach(0, DATA_BASE, DMA_READ | DMA_WRITE), DATA_BASE);
	write_bypass(1);
	write_bypass(0);
	CHECK_EQ(reach(0, DATA_BASE, DMA_READ | DMA_WRITE), DATA_BASE);
	CHECK_EQ(reach(1, DATA_BASE, DMA_READ), NOWHERE);
	guest_end();
}

TEST(unattached_endpoint_without_bypass_reaches_nothing)
{
	guest_start();
	for (unsigned int n = 0; n < NR_ENDPOINTS; n++) {
		CHECK_EQ(reach(n, 0, DMA_READ), NOWHERE);
		CHECK_EQ(reach(n, DATA_BASE, DMA_WRITE), NOWHERE);
		CHECK_EQ(faults(n), 2);
	}
	guest_end();
}

TEST(device_reset_detaches_every_endpoint)
{
	guest_start();
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	CHECK_EQ(attach(1, ep_id(1), 0), VIOMMU_S_OK);
	CHECK_EQ(attach(2, ep_id(2), VIOMMU_ATTACH_BYPASS), VIOMMU_S_OK);
	CHECK_EQ(map_page(1, 0x1000, DATA_BASE), VIOMMU_S_OK);
	CHECK_EQ(reach(0, 0x1000, DMA_READ), DATA_BASE);
	CHECK_EQ(reach(2, DATA_BASE, DMA_READ), DATA_BASE);

	fake_driver_status(&g.drv, 0);
	CHECK_EQ(reach(0, 0x1000, DMA_READ), NOWHERE);
	CHECK_EQ(reach(1, 0x1000, DMA_READ), NOWHERE);
	CHECK_EQ(reach(2, DATA_BASE, DMA_READ), NOWHERE);
	CHECK_EQ(g.iommu.nr_mappings, 0);
	CHECK(list_empty(&g.iommu.domains));

	guest_negotiate(ALL_FEATURES);
	guest_setup_queues();
	fake_driver_status(&g.drv, VIRTIO_CONFIG_S_DRIVER_OK);
	CHECK_EQ(map_page(1, 0x1000, DATA_BASE), VIOMMU_S_NOENT);
	CHECK_EQ(attach(1, ep_id(2), 0), VIOMMU_S_OK);
	CHECK_EQ(map_page(1, 0x1000, DATA_BASE), VIOMMU_S_OK);
	guest_end();
}

/* Requests and flags of features that the driver did not take. */

TEST(map_and_unmap_are_unknown_without_their_feature)
{
	guest_start_with(&default_config, ~F(MAP_UNMAP));
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	CHECK_EQ(map_page(1, 0, DATA_BASE), NO_ANSWER);
	CHECK_EQ(unmap_page(1, 0), NO_ANSWER);
	CHECK_EQ(g.iommu.nr_mappings, 0);
	CHECK_EQ(detach(1, ep_id(0)), VIOMMU_S_OK);
	guest_end();
}

TEST(probe_is_unknown_without_its_feature)
{
	struct viommu_probe req = {.head.type = VIOMMU_T_PROBE, .endpoint = htole32(ep_id(0))};
	u8 reply[PROBE_SIZE + 4];

	guest_start_with(&default_config, ~F(PROBE));
	CHECK_EQ(guest_request(&req, sizeof(req), reply, sizeof(reply)), 0);
	for (unsigned int i = 0; i < sizeof(reply); i++)
		CHECK_EQ(reply[i], 0xee);
	guest_end();
}

TEST(mmio_flag_is_inval_without_its_feature)
{
	guest_start_with(&default_config, ~F(MMIO));
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	CHECK_EQ(map(1, 0, 0xfff, DATA_BASE, RW | VIOMMU_MAP_MMIO), VIOMMU_S_INVAL);
	CHECK_EQ(map(1, 0, 0xfff, DATA_BASE, RW), VIOMMU_S_OK);
	guest_end();
}

TEST(bypass_flag_is_inval_without_its_feature)
{
	guest_start_with(&default_config, ~F(BYPASS_CONFIG));
	CHECK_EQ(attach(1, ep_id(0), VIOMMU_ATTACH_BYPASS), VIOMMU_S_INVAL);
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	guest_end();
}

/* How a request lies in the queue is the driver's choice (2.6.4). */

/* A MAP of one page at @iova in domain 1, put at SCRATCH. */
static struct viommu_map put_map(u64 iova)
{
	const struct viommu_map req = {
		.head.type = VIOMMU_T_MAP,
		.domain = htole32(1),
		.virt_start = htole64(iova),
		.virt_end = htole64(iova + GRANULE - 1),
		.phys_start = htole64(DATA_BASE),
		.flags = htole32(RW),
	};

	fake_write(&g.drv, SCRATCH, &req, sizeof(req));
	return req;
}

#define TAIL (SCRATCH + 4 * KiB)

/* Runs the chain; its used length, with the status in @status. */
static u32 run_chain(u16 head, u8 *status)
{
	u32 id, len = 0;

	fake_fill(&g.drv, TAIL, 0xee, 4);
	fake_offer(&g.requestq, head);
	fake_kick(&g.requestq);
	CHECK(fake_take_used(&g.requestq, &id, &len));
	CHECK_EQ(id, head);
	fake_read(&g.drv, TAIL, status, 1);
	return len;
}

TEST(request_in_single_bytes)
{
	struct fake_seg segs[sizeof(struct viommu_map) + 4 + 2];
	unsigned int nr = 0;
	u8 status;

	guest_start();
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	put_map(0x5000);
	for (unsigned int i = 0; i < sizeof(struct viommu_map); i++)
		segs[nr++] = (struct fake_seg){SCRATCH + i, 1};
	segs[nr++] = (struct fake_seg){SCRATCH, 0}; /* of no byte at all */
	segs[nr++] = (struct fake_seg){TAIL, 0};
	for (unsigned int i = 0; i < 4; i++)
		segs[nr++] = (struct fake_seg){TAIL + i, 1};

	CHECK_EQ(run_chain(fake_chain(&g.requestq, segs, nr - 5, 5), &status), 4);
	CHECK_EQ(status, VIOMMU_S_OK);
	CHECK_EQ(reach(0, 0x5000, DMA_READ), DATA_BASE);

	put_map(0x6000);
	CHECK_EQ(run_chain(fake_chain_indirect(&g.requestq, segs, nr - 5, 5, SCRATCH + 8 * KiB),
			   &status),
		 4);
	CHECK_EQ(status, VIOMMU_S_OK);
	CHECK_EQ(reach(0, 0x6000, DMA_READ), DATA_BASE);
	guest_end();
}

TEST(request_split_at_any_byte)
{
	u8 status;

	guest_start();
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	for (u32 at = 1; at < sizeof(struct viommu_map); at++) {
		const struct fake_seg segs[] = {
			{SCRATCH, at},
			{SCRATCH + at, sizeof(struct viommu_map) - at},
			{TAIL, 1 + at % 3},
			{TAIL + 1 + at % 3, 3 - at % 3},
		};

		put_map(at * GRANULE);
		CHECK_EQ(run_chain(fake_chain(&g.requestq, segs, 2, 2), &status), 4);
		CHECK_EQ(status, VIOMMU_S_OK);
		CHECK_EQ(reach(0, at * GRANULE, DMA_WRITE), DATA_BASE);
	}
	guest_end();
}

TEST(truncated_request_is_inval)
{
	static const struct {
		u8 type;
		u32 size;
		u32 properties;
	} types[] = {
		{VIOMMU_T_ATTACH, sizeof(struct viommu_attach), 0},
		{VIOMMU_T_DETACH, sizeof(struct viommu_detach), 0},
		{VIOMMU_T_MAP, sizeof(struct viommu_map), 0},
		{VIOMMU_T_UNMAP, sizeof(struct viommu_unmap), 0},
		{VIOMMU_T_PROBE, sizeof(struct viommu_probe), PROBE_SIZE},
	};
	u8 reply[PROBE_SIZE + 4];

	guest_start();
	CHECK_EQ(attach(0, ep_id(0), 0), VIOMMU_S_OK);
	for (unsigned int i = 0; i < ARRAY_SIZE(types); i++) {
		u8 req[sizeof(struct viommu_probe)] = {types[i].type};

		for (u32 out = 4; out < types[i].size; out++) {
			CHECK_EQ(guest_request(req, out, reply, types[i].properties + 4),
				 types[i].properties + 4);
			CHECK_EQ(reply[types[i].properties], VIOMMU_S_INVAL);
		}
		/* Not even a head: there is no type to answer for. */
		for (u32 out = 1; out < 4; out++)
			CHECK_EQ(guest_request(req, out, reply, types[i].properties + 4), 0);
	}
	guest_end();
}

TEST(request_with_no_readable_part_is_not_answered)
{
	const struct fake_seg seg = {TAIL, 4};
	u8 status;

	guest_start();
	CHECK_EQ(run_chain(fake_chain(&g.requestq, &seg, 0, 1), &status), 0);
	CHECK_EQ(status, 0xee);
	guest_end();
}

TEST(readable_bytes_behind_the_request_are_ignored)
{
	u8 req[256], tail[4];

	guest_start();
	memset(req, 0xff, sizeof(req));
	memcpy(req,
	       &(struct viommu_attach){.head.type = VIOMMU_T_ATTACH,
				       .domain = htole32(1),
				       .endpoint = htole32(ep_id(0))},
	       sizeof(struct viommu_attach));
	CHECK_EQ(guest_request(req, sizeof(req), tail, 4), 4);
	CHECK_EQ(tail[0], VIOMMU_S_OK);
	guest_end();
}

TEST(writable_bytes_behind_the_tail_are_left_alone)
{
	struct viommu_attach req = {
		.head.type = VIOMMU_T_ATTACH,
		.domain = htole32(1),
		.endpoint = htole32(ep_id(0)),
	};
	const struct viommu_probe probe = {
		.head.type = VIOMMU_T_PROBE,
		.endpoint = htole32(ep_id(0)),
	};
	u8 reply[PROBE_SIZE + 100];

	guest_start();
	CHECK_EQ(guest_request(&req, sizeof(req), reply, 100), 4);
	CHECK_EQ(reply[0], VIOMMU_S_OK);
	for (unsigned int i = 4; i < 100; i++)
		CHECK_EQ(reply[i], 0xee);
	CHECK_EQ(guest_request(&probe, sizeof(probe), reply, sizeof(reply)), PROBE_SIZE + 4);
	CHECK_EQ(reply[PROBE_SIZE], VIOMMU_S_OK);
	for (unsigned int i = PROBE_SIZE + 4; i < sizeof(reply); i++)
		CHECK_EQ(reply[i], 0xee);
	guest_end();
}

TEST(huge_descriptors_are_answered_by_their_first_bytes)
{
	u8 status;

	guest_start();
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	put_map(0x1000);
	CHECK_EQ(run_chain(fake_chain(&g.requestq,
				      (struct fake_seg[]){{SCRATCH, 0xffffffff}, {TAIL, 1}}, 1, 1),
			   &status),
		 0);
	CHECK_EQ(run_chain(fake_chain(&g.requestq,
				      (struct fake_seg[]){{SCRATCH, 0xfffffff0}, {TAIL, 16}}, 1, 1),
			   &status),
		 4);
	CHECK_EQ(status, VIOMMU_S_OK);
	put_map(0x2000);
	CHECK_EQ(run_chain(fake_chain(&g.requestq,
				      (struct fake_seg[]){{SCRATCH, 36}, {TAIL, 0xffffffdc}}, 1, 1),
			   &status),
		 4);
	CHECK_EQ(status, VIOMMU_S_OK);
	CHECK_EQ(reach(0, 0x1000, DMA_READ), DATA_BASE);
	CHECK_EQ(reach(0, 0x2000, DMA_READ), DATA_BASE);
	guest_end();
}

TEST(buffers_outside_of_memory_are_not_answered)
{
	u8 status;

	guest_start();
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	put_map(0x1000);
	CHECK_EQ(run_chain(fake_chain(&g.requestq, (struct fake_seg[]){{RAM_SIZE, 36}, {TAIL, 4}},
				      1, 1),
			   &status),
		 0);
	CHECK_EQ(status, 0xee);
	CHECK_EQ(run_chain(fake_chain(&g.requestq,
				      (struct fake_seg[]){{SCRATCH, 36}, {RAM_SIZE - 2, 4}}, 1, 1),
			   &status),
		 0);
	CHECK_EQ(run_chain(fake_chain(&g.requestq, (struct fake_seg[]){{~0ULL, 36}, {TAIL, 4}}, 1,
				      1),
			   &status),
		 0);
	CHECK_EQ(attach(2, ep_id(1), 0), VIOMMU_S_OK);
	guest_end();
}

/* Batches and interrupts. */

/* Offers @nr MAP requests in buffers of their own, without a kick. */
static void offer_maps(unsigned int nr, u64 first_iova)
{
	for (unsigned int i = 0; i < nr; i++) {
		u64 addr = DATA_BASE + i * 64ULL;
		const struct fake_seg segs[] = {{addr, sizeof(struct viommu_map)}, {addr + 48, 4}};
		const struct viommu_map req = put_map(first_iova + i * GRANULE);

		fake_write(&g.drv, addr, &req, sizeof(req));
		fake_offer(&g.requestq, fake_chain(&g.requestq, segs, 1, 1));
	}
}

static void take_all(unsigned int nr)
{
	u32 id, len;

	for (unsigned int i = 0; i < nr; i++) {
		CHECK(fake_take_used(&g.requestq, &id, &len));
		CHECK_EQ(len, 4);
	}
	CHECK(!fake_take_used(&g.requestq, &id, &len));
}

#define EVENT_IDX BIT_ULL(VIRTIO_RING_F_EVENT_IDX)

TEST(requests_of_one_kick_share_one_interrupt)
{
	static const u64 features[] = {ALL_FEATURES, ~EVENT_IDX};

	for (unsigned int i = 0; i < ARRAY_SIZE(features); i++) {
		unsigned int before;

		guest_start_with(&default_config, features[i]);
		CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
		before = fake_interrupts(&g.requestq);
		fake_used_event(&g.requestq, fake_used_idx(&g.requestq));
		offer_maps(100, 0);
		CHECK_EQ(fake_interrupts(&g.requestq), before);
		fake_kick(&g.requestq);
		CHECK_EQ(fake_interrupts(&g.requestq), before + 1);
		take_all(100);
		CHECK_EQ(g.iommu.nr_mappings, 100);
		guest_end();
	}
}

/* With the interrupt that is counted, everything is visible: there is no other update. */
static u16 idx_at_interrupt;

static void look_at_index(struct virtio_device *vdev, struct virtq *vq)
{
	(void)vdev;
	if (vq && vq->index == VIOMMU_REQUESTQ)
		idx_at_interrupt = fake_used_idx(&g.requestq);
}

static int no_kick_fd(struct virtio_device *vdev, struct virtq *vq, bool on)
{
	(void)vdev;
	(void)vq;
	(void)on;
	return 0;
}

TEST(used_index_is_complete_at_the_interrupt)
{
	static const struct virtio_transport_ops looking = {
		.interrupt = look_at_index,
		.kick_fd_set = no_kick_fd,
	};

	guest_start_with(&default_config, ~EVENT_IDX);
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	g.viommu.vdev.transport = &looking;
	offer_maps(50, 0);
	fake_kick(&g.requestq);
	CHECK_EQ(idx_at_interrupt, 51);
	guest_end();
}

TEST(no_interrupt_when_the_driver_wants_none)
{
	unsigned int before;

	guest_start_with(&default_config, ~EVENT_IDX);
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	before = fake_interrupts(&g.requestq);
	fake_avail_flags(&g.requestq, VRING_AVAIL_F_NO_INTERRUPT);
	offer_maps(10, 0);
	fake_kick(&g.requestq);
	take_all(10);
	CHECK_EQ(fake_interrupts(&g.requestq), before);
	fake_avail_flags(&g.requestq, 0);
	offer_maps(10, 10 * GRANULE);
	fake_kick(&g.requestq);
	CHECK_EQ(fake_interrupts(&g.requestq), before + 1);
	guest_end();
}

TEST(no_interrupt_before_the_event_index)
{
	unsigned int before;

	guest_start();
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	before = fake_interrupts(&g.requestq);
	fake_used_event(&g.requestq, fake_used_idx(&g.requestq) + 14);
	offer_maps(10, 0);
	fake_kick(&g.requestq);
	CHECK_EQ(fake_interrupts(&g.requestq), before);
	offer_maps(4, 10 * GRANULE);
	fake_kick(&g.requestq);
	CHECK_EQ(fake_interrupts(&g.requestq), before);
	offer_maps(1, 14 * GRANULE);
	fake_kick(&g.requestq);
	CHECK_EQ(fake_interrupts(&g.requestq), before + 1);
	take_all(15);
	guest_end();
}

TEST(device_asks_for_a_kick_after_each_batch)
{
	static const u64 features[] = {ALL_FEATURES, ~EVENT_IDX};

	for (unsigned int i = 0; i < ARRAY_SIZE(features); i++) {
		guest_start_with(&default_config, features[i]);
		CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
		for (unsigned int n = 0; n < 5; n++) {
			offer_maps(7, n * 7 * GRANULE);
			CHECK(fake_kick_wanted(&g.requestq, 7));
			fake_kick(&g.requestq);
			take_all(7);
		}
		guest_end();
	}
}

TEST(requests_offered_before_driver_ok_are_served_then)
{
	const struct viommu_attach req = {
		.head.type = VIOMMU_T_ATTACH,
		.domain = htole32(1),
		.endpoint = htole32(ep_id(0)),
	};
	const struct fake_seg segs[] = {{SCRATCH, sizeof(req)}, {TAIL, 4}};
	u32 id, len;

	guest_create(&default_config);
	guest_negotiate(ALL_FEATURES);
	guest_setup_queues();
	fake_write(&g.drv, SCRATCH, &req, sizeof(req));
	fake_offer(&g.requestq, fake_chain(&g.requestq, segs, 1, 1));
	fake_kick(&g.requestq);
	CHECK_EQ(fake_used_idx(&g.requestq), 0);
	fake_driver_status(&g.drv, VIRTIO_CONFIG_S_DRIVER_OK);
	CHECK(fake_take_used(&g.requestq, &id, &len));
	CHECK_EQ(map_page(1, 0, DATA_BASE), VIOMMU_S_OK);
	guest_end();
}

TEST(ring_indices_wrap)
{
	guest_start();
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	for (unsigned int i = 0; i < 33000; i++) {
		if (!CHECK_EQ(map_page(1, 0, DATA_BASE), VIOMMU_S_OK) ||
		    !CHECK_EQ(unmap_page(1, 0), VIOMMU_S_OK))
			break;
	}
	CHECK_EQ(fake_used_idx(&g.requestq), (u16)(1 + 66000));
	/* And in the middle of a batch. */
	while (fake_used_idx(&g.requestq) != 65530)
		attach(1, ep_id(0), 0);
	offer_maps(20, 0);
	fake_kick(&g.requestq);
	take_all(20);
	CHECK_EQ(fake_used_idx(&g.requestq), 14);
	guest_end();
}

TEST(machine_that_stops_leaves_the_requests)
{
	guest_start();
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	offer_maps(3, 0);
	atomic_store(&g.stopping, true);
	fake_kick(&g.requestq);
	CHECK_EQ(g.iommu.nr_mappings, 0);
	guest_end();
}

TEST(broken_request_queue_asks_for_a_reset_and_is_no_fault)
{
	guest_start();
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	fake_offer(&g.eventq, fake_chain(&g.eventq, &(struct fake_seg){EVENT_BASE, 24}, 0, 1));
	fake_kick(&g.eventq);
	fake_offer(&g.requestq, QUEUE_SIZE);
	capture_begin();
	fake_kick(&g.requestq);
	CHECK(capture_one_line(capture_end(), "virtio-iommu"));
	CHECK(atomic_load(&g.viommu.vdev.status) & VIRTIO_CONFIG_S_NEEDS_RESET);
	CHECK_EQ(atomic_load(&g.drv.config_interrupts), 1);
	CHECK_EQ(fake_used_idx(&g.eventq), 0);
	/* The translation goes on as it was, and a reset makes it all new. */
	fake_kick(&g.requestq);
	CHECK_EQ(fake_used_idx(&g.requestq), 1);
	fake_driver_status(&g.drv, 0);
	guest_negotiate(ALL_FEATURES);
	guest_setup_queues();
	fake_driver_status(&g.drv, VIRTIO_CONFIG_S_DRIVER_OK);
	CHECK_EQ(attach(1, ep_id(0), 0), VIOMMU_S_OK);
	guest_end();
}
