// SPDX-License-Identifier: GPL-2.0-only
/* The bytes of a chain, and queues whose rings and buffers are behind an IOMMU. */
#include <errno.h>
#include <linux/virtio_config.h>
#include <string.h>

#include "capture.h"
#include "queue-guest.h"
#include "unit.h"

static void fill_buffers(void)
{
	for (unsigned int i = 0; i < 64 * KiB; i++)
		fake_fill(&t.drv, BUFFERS + i, i * 7 + i / 256, 1);
}

static u8 buffer_byte(u64 addr)
{
	u8 byte;

	fake_read(&t.drv, addr, &byte, 1);
	return byte;
}

TEST(copy_out_from_any_offset)
{
	/* With empty descriptors at the start, in the middle and at the end. */
	const struct fake_seg segs[] = {
		{BUFFERS, 0},	   {BUFFERS + 10, 3}, {OUTSIDE, 0},	   {BUFFERS + 1000, 5},
		{BUFFERS + 20, 1}, {BUFFERS, 0},      {BUFFERS + 5000, 7}, /* writable */
	};
	u8 all[9], buf[16];
	unsigned int n = 0;

	device_start(ALL_FEATURES, SIZE);
	fill_buffers();
	for (unsigned int i = 0; i < 6; i++) {
		for (u32 k = 0; k < segs[i].len; k++)
			all[n++] = buffer_byte(segs[i].addr + k);
	}
	fake_offer(&t.q, fake_chain(&t.q, segs, 6, 1));
	pop();
	CHECK_EQ(t.chain.out_len, 9);
	for (unsigned int off = 0; off < 12; off++) {
		for (unsigned int len = 0; len <= sizeof(buf); len++) {
			ssize_t want = off > 9 ? 0 : min(len, 9 - off);

			memset(buf, 0, sizeof(buf));
			CHECK_EQ(virtq_copy_out(t.vq, &t.chain, off, buf, len), want);
			CHECK(!memcmp(buf, all + min(off, 9U), want));
			CHECK(want == (ssize_t)sizeof(buf) || buf[want] == 0);
		}
	}
	device_end();
}

TEST(copy_in_to_any_offset)
{
	const struct fake_seg segs[] = {
		{BUFFERS + 100, 9}, {BUFFERS, 2}, {OUTSIDE, 0}, {BUFFERS + 3, 4}};
	static const u64 where[] = {BUFFERS,	 BUFFERS + 1, BUFFERS + 3,
				    BUFFERS + 4, BUFFERS + 5, BUFFERS + 6};
	const u8 data[8] = {1, 2, 3, 4, 5, 6, 7, 8};

	device_start(ALL_FEATURES, SIZE);
	fake_offer(&t.q, fake_chain(&t.q, segs, 1, 3));
	pop();
	for (unsigned int off = 0; off < 8; off++) {
		unsigned int want = off > 6 ? 0 : 6 - off;

		fake_fill(&t.drv, BUFFERS, 0xee, 16);
		CHECK_EQ(virtq_copy_in(t.vq, &t.chain, off, data, sizeof(data)), want);
		for (unsigned int i = 0; i < 6; i++)
			CHECK_EQ(buffer_byte(where[i]), i < off ? 0xee : data[i - off]);
		CHECK_EQ(buffer_byte(BUFFERS + 2), 0xee);
		CHECK_EQ(buffer_byte(BUFFERS + 7), 0xee);
	}
	device_end();
}

TEST(copy_outside_of_memory_fails_and_the_queue_lives)
{
	const struct fake_seg segs[] = {{BUFFERS, 4}, {OUTSIDE, 4}, {RAM_SIZE - 2, 4}};
	u8 buf[16] = {0};

	device_start(ALL_FEATURES, SIZE);
	fake_offer(&t.q, fake_chain(&t.q, segs, 2, 1));
	pop();
	CHECK_EQ(virtq_copy_out(t.vq, &t.chain, 0, buf, 4), 4);
	CHECK_EQ(virtq_copy_out(t.vq, &t.chain, 0, buf, 5), -EFAULT);
	CHECK_EQ(virtq_copy_in(t.vq, &t.chain, 0, buf, 2), 2);
	CHECK_EQ(virtq_copy_in(t.vq, &t.chain, 0, buf, 3), -EFAULT);
	CHECK_EQ(virtq_push(t.vq, t.chain.head, 0), 0);
	CHECK(!needs_reset());
	device_end();
}

TEST(map_gives_the_memory_of_a_part)
{
	const struct fake_seg segs[] = {
		{BUFFERS, 100}, {BUFFERS + 1000, 100}, {BUFFERS + 5000, 0}, {BUFFERS + 9000, 50}};
	u8 *ram;
	struct iovec iov[4];
	dma_handle_t handles[4];
	unsigned int nr;

	device_start(ALL_FEATURES, SIZE);
	ram = t.mem.banks[0].hva;
	fake_offer(&t.q, fake_chain(&t.q, segs, 2, 2));
	pop();
	if (CHECK_EQ(virtq_map(t.vq, &t.chain, false, 30, 150, iov, handles, 4, &nr), 2)) {
		CHECK_EQ(nr, 2);
		CHECK(iov[0].iov_base == ram + BUFFERS + 30 && iov[0].iov_len == 70);
		CHECK(iov[1].iov_base == ram + BUFFERS + 1000 && iov[1].iov_len == 80);
		virtq_unmap(t.vq, handles, nr);
	}
	if (CHECK_EQ(virtq_map(t.vq, &t.chain, true, 0, 50, iov, handles, 1, &nr), 1)) {
		CHECK(iov[0].iov_base == ram + BUFFERS + 9000 && iov[0].iov_len == 50);
		virtq_unmap(t.vq, handles, nr);
	}
	CHECK_EQ(virtq_map(t.vq, &t.chain, false, 0, 200, iov, handles, 1, &nr), -E2BIG);
	device_end();
}

/* Behind an endpoint: IOVA pages from IOVA_BASE on are in memory in another order. */

TEST(rings_on_scattered_pages)
{
	const unsigned int size = 256;

	/* So that a used element lies across the border of pages. */
	device_start_behind_iommu(size, IOVA_BASE + 2 * PAGE + 200 * 16);
	CHECK_EQ((t.q.used + 4 + 8 * 46) % PAGE, PAGE - 4);
	for (unsigned int i = 0; i < 3 * size; i++) {
		const u64 addr = IOVA_BASE + 20 * PAGE - 3;
		u8 data[6] = {1, 2, 3, 4, 5, i}, back[6] = {0};
		u32 id, len;

		fake_offer(&t.q, fake_chain(&t.q, &(struct fake_seg){addr, 6}, 0, 1));
		if (!pop())
			break;
		CHECK_EQ(virtq_copy_in(t.vq, &t.chain, 0, data, 6), 6);
		CHECK_EQ(virtq_push(t.vq, t.chain.head, 0x01020300 + i), 0);
		virtq_publish(t.vq);
		fake_read(&t.drv, addr, back, 6);
		CHECK(!memcmp(data, back, 6));
		CHECK(fake_take_used(&t.q, &id, &len) && len == 0x01020300 + i);
	}
	device_end();
}

TEST(map_across_scattered_pages)
{
	struct iovec iov[4];
	dma_handle_t handles[4];
	unsigned int nr;

	device_start_behind_iommu(SIZE, IOVA_BASE);
	fake_offer(&t.q, fake_chain(&t.q, &(struct fake_seg){IOVA_BASE + 9 * PAGE + 100, 2 * PAGE},
				    1, 0));
	pop();
	CHECK_EQ(virtq_map(t.vq, &t.chain, false, 0, 2 * PAGE, iov, handles, 2, &nr), -E2BIG);
	if (CHECK_EQ(virtq_map(t.vq, &t.chain, false, 0, 2 * PAGE, iov, handles, 4, &nr), 3)) {
		CHECK_EQ(nr, 1);
		CHECK_EQ(iov[0].iov_len, PAGE - 100);
		CHECK_EQ(iov[1].iov_len, PAGE);
		CHECK_EQ(iov[2].iov_len, 100);
		CHECK(iov[1].iov_base == t.mem.banks[0].hva + scattered(IOVA_BASE + 10 * PAGE));
		virtq_unmap(t.vq, handles, nr);
	}
	/* Whatever failed before has left no access open. */
	iova_page_unmap(9);
	device_end();
}

TEST(rings_that_the_iommu_hides_break_the_queue)
{
	/* A page each: descriptors at 0, the rest begins at 256 in the same page. */
	static const struct {
		u32 flags;
		int ret;
	} pages[] = {{0, -EIO}, {MAPPING_READ, 1}, {MAPPING_WRITE, -EIO}};

	for (unsigned int i = 0; i < ARRAY_SIZE(pages); i++) {
		device_start_behind_iommu(SIZE, IOVA_BASE);
		fake_offer(&t.q, fake_chain(&t.q, &(struct fake_seg){IOVA_BASE + PAGE, 4}, 0, 1));
		iova_page_unmap(0);
		iova_page_map(0, pages[i].flags);
		capture_begin();
		CHECK_EQ(virtq_pop(t.vq, &t.chain), pages[i].ret);
		/* What can be read only takes no used elements. */
		if (pages[i].ret == 1)
			CHECK_EQ(virtq_push(t.vq, 0, 0), -EIO);
		check_broken(capture_end());

		/* Reset, and an IOMMU that lets it: all is well. */
		fake_driver_status(&t.drv, 0);
		iova_page_unmap(0);
		iova_page_map(0, MAPPING_READ | MAPPING_WRITE);
		driver_start(ALL_FEATURES, SIZE, IOVA_BASE);
		check_works();
		device_end();
	}
}

static int do_pop(void)
{
	return virtq_pop(t.vq, &t.chain);
}

static int do_push(void)
{
	return virtq_push(t.vq, 0, 0);
}

static int do_publish(void)
{
	CHECK_EQ(virtq_push(t.vq, 0, 0), 0);
	virtq_publish(t.vq);
	return t.vq->broken ? -EIO : 0;
}

static int do_enable_kick(void)
{
	CHECK(!virtq_enable_kick(t.vq));
	return t.vq->broken ? -EIO : 0;
}

TEST(each_ring_access_is_checked)
{
	/*
	 * The descriptors in page 3; of the available ring flags and index in page 5, the
	 * rest in page 6; of the used ring flags, index and half an element in page 8, the
	 * rest in page 9.
	 */
	static const struct {
		unsigned int page;
		int (*call)(void);
	} cases[] = {
		{3, do_pop},	 {5, do_pop},	      {6, do_pop},
		{8, do_push},	 {9, do_push},	      {8, do_publish},
		{6, do_publish}, {9, do_enable_kick}, {5, do_enable_kick},
	};
	const u64 avail = IOVA_BASE + 6 * PAGE - 4, used = IOVA_BASE + 9 * PAGE - 8;

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		device_start_behind_iommu(SIZE, IOVA_BASE + 20 * PAGE);
		fake_driver_status(&t.drv, 0);
		CHECK(fake_driver_negotiate(&t.drv, t.vdev.offered));
		fake_queue_setup_at(&t.q, &t.drv, 0, SIZE, IOVA_BASE + 3 * PAGE, avail, used);
		fake_driver_status(&t.drv, VIRTIO_CONFIG_S_DRIVER_OK);
		fake_offer(&t.q, fake_chain(&t.q, &(struct fake_seg){IOVA_BASE, 4}, 0, 1));
		/* A used element needs both of its pages: the index is in the first. */
		if (cases[i].call == do_publish && cases[i].page == 8)
			t.vq->split.used_idx = t.vq->split.published = 1;
		iova_page_unmap(cases[i].page);
		capture_begin();
		CHECK_EQ(cases[i].call(), -EIO);
		CHECK(capture_one_line(capture_end(), "cannot reach"));
		CHECK(needs_reset());
		CHECK_EQ(atomic_load(&t.ep.faults), 1);
		device_end();
	}
}

TEST(buffer_that_the_iommu_hides_is_a_fault_and_no_more)
{
	u8 buf[8] = {0};

	device_start_behind_iommu(SIZE, IOVA_BASE);
	fake_offer(&t.q, fake_chain(&t.q, &(struct fake_seg){IOVA_BASE + 40 * PAGE, 4}, 0, 1));
	pop();
	CHECK_EQ(virtq_copy_in(t.vq, &t.chain, 0, buf, 4), -EFAULT);
	CHECK_EQ(atomic_load(&t.ep.faults), 1);
	CHECK(!needs_reset());
	device_end();
}
