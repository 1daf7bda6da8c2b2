// SPDX-License-Identifier: GPL-2.0-only
/* Packed queues whose rings and event structures are behind an IOMMU. */
#include <errno.h>
#include <linux/virtio_config.h>
#include <string.h>

#include "capture.h"
#include "queue-guest.h"
#include "unit.h"

TEST(rings_on_scattered_pages)
{
	const unsigned int size = 250;

	/* Descriptors over the border of pages, and the event structures in another one. */
	packed_start_behind_iommu(size, IOVA_BASE + 2 * PAGE + 200 * 16);
	for (unsigned int i = 0; i < 3 * size; i++) {
		const u64 addr = IOVA_BASE + 20 * PAGE - 3;
		const struct fake_seg segs[] = {{addr, 1}, {addr, 6}};
		u8 data[6] = {1, 2, 3, 4, 5, i}, back[6] = {0};
		u32 id, len;

		packed_offer(&t.p, i, segs, 1, 1);
		if (!pop())
			break;
		CHECK_EQ(virtq_copy_in(t.vq, &t.chain, 0, data, 6), 6);
		CHECK_EQ(virtq_push(t.vq, t.chain.head, 0x01020300 + i), 0);
		virtq_publish(t.vq);
		fake_read(&t.drv, addr, back, 6);
		CHECK(!memcmp(data, back, 6));
		CHECK(packed_take_used(&t.p, &id, &len) && id == i && len == 0x01020300 + i);
	}
	CHECK_EQ(atomic_load(&t.ep.faults), 0);
	device_end();
}

TEST(indirect_table_on_scattered_pages)
{
	const u64 table = IOVA_BASE + 11 * PAGE - 5 * 16;
	struct fake_seg segs[40];

	for (unsigned int i = 0; i < ARRAY_SIZE(segs); i++)
		segs[i] = (struct fake_seg){BUFFERS + i, i};
	packed_start_behind_iommu(7, IOVA_BASE);
	packed_offer_indirect(&t.p, 0, segs, 40, 0, table);
	if (pop() && CHECK_EQ(t.chain.nr_out, 40)) {
		for (unsigned int i = 0; i < 40; i++)
			CHECK(t.chain.segs[i].iova == BUFFERS + i && t.chain.segs[i].len == i);
	}
	/* The second page of it is gone. */
	iova_page_unmap(11);
	packed_offer_indirect(&t.p, 0, segs, 3, 0, table);
	pop();
	packed_offer_indirect(&t.p, 0, segs, 40, 0, table);
	capture_begin();
	CHECK_EQ(virtq_pop(t.vq, &t.chain), -EIO);
	check_broken(capture_end());
	device_end();
}

TEST(rings_that_the_iommu_hides_break_the_queue)
{
	static const struct {
		u32 flags;
		int ret;
	} pages[] = {{0, -EIO}, {MAPPING_READ, 1}, {MAPPING_WRITE, -EIO}};

	for (unsigned int i = 0; i < ARRAY_SIZE(pages); i++) {
		packed_start_behind_iommu(7, IOVA_BASE);
		packed_offer(&t.p, 0, &(struct fake_seg){IOVA_BASE + PAGE, 4}, 0, 1);
		iova_page_unmap(0);
		iova_page_map(0, pages[i].flags);
		capture_begin();
		CHECK_EQ(virtq_pop(t.vq, &t.chain), pages[i].ret);
		/* What can be read only takes no used descriptors. */
		if (pages[i].ret == 1)
			CHECK_EQ(virtq_push(t.vq, t.chain.head, 0), -EIO);
		check_broken(capture_end());

		/* Reset, and an IOMMU that lets it: all is well. */
		fake_driver_status(&t.drv, 0);
		iova_page_unmap(0);
		iova_page_map(0, MAPPING_READ | MAPPING_WRITE);
		driver_start(ALL_FEATURES, 7, IOVA_BASE);
		check_works();
		device_end();
	}
}

/* 2 buffers of 1 and of 2 descriptors are offered; 1 and half of 2 in the first page. */
static u16 heads[2];

static int result(bool ok)
{
	CHECK_EQ(ok, !t.vq->broken);
	return ok ? 0 : -EIO;
}

static void pop_both(void)
{
	for (unsigned int i = 0; i < 2; i++) {
		pop();
		heads[i] = t.chain.head;
	}
}

static void pop_one(void)
{
	pop();
}

static void push_both(void)
{
	pop_both();
	CHECK_EQ(virtq_push(t.vq, heads[0], 0), 0);
	CHECK_EQ(virtq_push(t.vq, heads[1], 0), 0);
}

static void nothing(void)
{
}

static int do_pop(void)
{
	return virtq_pop(t.vq, &t.chain);
}

/* The used descriptor of the second goes behind the place of the first. */
static int do_push(void)
{
	return virtq_push(t.vq, heads[0], 0);
}

static int do_publish(void)
{
	virtq_publish(t.vq);
	return result(!t.vq->broken);
}

static int do_enable_kick(void)
{
	CHECK(!virtq_enable_kick(t.vq));
	return result(!t.vq->broken);
}

static int do_disable_kick(void)
{
	virtq_disable_kick(t.vq);
	return result(!t.vq->broken);
}

TEST(each_ring_access_is_checked)
{
	/*
	 * The ring begins with 2 descriptors at the end of page 3, the rest is in page 4; the
	 * driver's event structure is in page 6, the device's in page 8.
	 */
	static const struct {
		void (*before)(void);
		unsigned int page;
		int (*call)(void);
	} cases[] = {
		{nothing, 3, do_pop},	       {pop_one, 4, do_pop},
		{pop_both, 3, do_push},	       {push_both, 3, do_publish},
		{push_both, 6, do_publish},    {nothing, 8, do_enable_kick},
		{nothing, 3, do_enable_kick},  {pop_both, 4, do_enable_kick},
		{nothing, 8, do_disable_kick},
	};
	const struct fake_seg segs[] = {{IOVA_BASE, 4}, {IOVA_BASE, 4}};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		packed_start_behind_iommu(7, IOVA_BASE + 20 * PAGE);
		fake_driver_status(&t.drv, 0);
		CHECK(fake_driver_negotiate(&t.drv, t.vdev.offered));
		packed_setup_at(&t.p, &t.drv, 0, 7, IOVA_BASE + 4 * PAGE - 32,
				IOVA_BASE + 6 * PAGE + 8, IOVA_BASE + 9 * PAGE - 4);
		fake_driver_status(&t.drv, VIRTIO_CONFIG_S_DRIVER_OK);
		packed_offer(&t.p, 0, segs, 0, 1);
		packed_offer(&t.p, 1, segs, 1, 1);
		cases[i].before();
		iova_page_unmap(cases[i].page);
		capture_begin();
		CHECK_EQ(cases[i].call(), -EIO);
		CHECK(capture_one_line(capture_end(), "cannot reach"));
		CHECK(needs_reset());
		CHECK_EQ(atomic_load(&t.ep.faults), 1);
		CHECK_EQ(atomic_load(&t.drv.interrupts[0]), 0);
		device_end();
	}
}

/* No access is left open: an UNMAP of everything is answered at once. */
TEST(no_access_outlives_a_call)
{
	packed_start_behind_iommu(7, IOVA_BASE);
	for (unsigned int i = 0; i < 20; i++)
		check_works();
	virtq_enable_kick(t.vq);
	virtq_disable_kick(t.vq);
	CHECK_EQ(t.vq->dma.nr_free, t.vq->dma.nr_slots);
	for (unsigned int i = 0; i < NR_PAGES; i++)
		iova_page_unmap(i);
	capture_begin();
	CHECK_EQ(virtq_pop(t.vq, &t.chain), -EIO);
	capture_end();
	CHECK_EQ(t.vq->dma.nr_free, t.vq->dma.nr_slots);
	device_end();
}
