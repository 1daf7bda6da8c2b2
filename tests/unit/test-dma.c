// SPDX-License-Identifier: GPL-2.0-only
/* Accesses of one thread to guest memory: where they end, and how they fail. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dma-guest.h"
#include "unit.h"

#define IOVA 0x7000000000ULL

static struct iovec iov[8];
static dma_handle_t handle;

/* An access by channel 0 of endpoint 0. */
static int open_access(u64 iova, u64 len, u32 dir, unsigned int max)
{
	return dma_map(&d.chans[0][0], DMA_NO_PASID, iova, len, dir, iov, max, &handle);
}

static void close_access(void)
{
	dma_unmap(&d.chans[0][0], handle);
}

static bool piece(unsigned int i, const u8 *hva, u64 len)
{
	return iov[i].iov_base == hva && iov[i].iov_len == len;
}

TEST(without_an_endpoint_an_iova_is_a_gpa)
{
	u8 buf[16];

	dma_guest_start();
	CHECK_EQ(dma_map(&d.direct, DMA_NO_PASID, BANK1 + 5, 10, DMA_READ, iov, 1, &handle), 1);
	CHECK(piece(0, host(BANK1 + 5), 10));
	dma_unmap(&d.direct, handle);
	/* From one bank into the next. */
	CHECK_EQ(dma_map(&d.direct, DMA_NO_PASID, PAGE - 6, 10, DMA_READ, iov, 2, &handle), 2);
	CHECK(piece(0, host(PAGE - 6), 6) && piece(1, host(PAGE), 4));
	dma_unmap(&d.direct, handle);
	CHECK_EQ(dma_map(&d.direct, DMA_NO_PASID, PAGE - 6, 10, DMA_READ, iov, 1, &handle), -E2BIG);
	CHECK_EQ(dma_map(&d.direct, DMA_NO_PASID, BANK1 + BANK_SIZE - 1, 2, DMA_READ, iov, 2,
			 &handle),
		 -EFAULT);
	CHECK_EQ(dma_read(&d.direct, GiB, buf, 1), -EFAULT);
	CHECK_EQ(dma_map(&d.direct, DMA_NO_PASID, 0, 0, DMA_READ, iov, 1, &handle), -EINVAL);
	CHECK_EQ(dma_map(&d.direct, DMA_NO_PASID, UINT64_MAX, 2, DMA_READ, iov, 1, &handle),
		 -EINVAL);
	memcpy(host(PAGE - 3), "abc", 3);
	memcpy(host(PAGE), "defg", 4);
	CHECK_EQ(dma_read(&d.direct, PAGE - 3, buf, 7), 0);
	CHECK(!memcmp(buf, "abcdefg", 7));
	CHECK_EQ(dma_write(&d.direct, PAGE - 1, "xy", 2), 0);
	CHECK(*host(PAGE - 1) == 'x' && *host(PAGE) == 'y');
	/* It is nobody's fault. */
	CHECK_EQ(d.nr_faults, 0);
	dma_guest_end();
}

TEST(pieces_of_scattered_pages)
{
	dma_guest_start();
	dma_guest_map(IOVA, BANK1 + 8 * PAGE, 1, MAP_RW);
	dma_guest_map(IOVA + PAGE, BANK1 + 2 * PAGE, 1, MAP_RW);
	dma_guest_map(IOVA + 2 * PAGE, BANK_HIGH, 1, MAP_RW);
	dma_guest_map(IOVA + 3 * PAGE, BANK_HIGH + PAGE, 1, MAP_RW);
	CHECK_EQ(open_access(IOVA + 100, 4 * PAGE - 200, DMA_READ, 8), 3);
	CHECK(piece(0, host(BANK1 + 8 * PAGE + 100), PAGE - 100));
	CHECK(piece(1, host(BANK1 + 2 * PAGE), PAGE));
	/* Neighbours in memory are one piece, also of two mappings. */
	CHECK(piece(2, host(BANK_HIGH), 2 * PAGE - 100));
	close_access();
	CHECK_EQ(open_access(IOVA + PAGE - 1, 2, DMA_WRITE, 8), 2);
	CHECK(piece(0, host(BANK1 + 9 * PAGE - 1), 1) && piece(1, host(BANK1 + 2 * PAGE), 1));
	close_access();
	dma_guest_end();
}

TEST(pieces_of_a_mapping_over_two_banks)
{
	dma_guest_start();
	dma_guest_map(IOVA, BANK0, 3, MAP_RW);
	CHECK_EQ(open_access(IOVA, 3 * PAGE, DMA_READ, 8), 2);
	CHECK(piece(0, host(0), PAGE) && piece(1, host(PAGE), 2 * PAGE));
	close_access();
	/* From the second one on, though the mapping begins in the first. */
	CHECK_EQ(open_access(IOVA + 2 * PAGE + 7, 5, DMA_READ, 8), 1);
	CHECK(piece(0, host(2 * PAGE + 7), 5));
	close_access();
	CHECK_EQ(open_access(IOVA + 7, 5, DMA_READ, 8), 1);
	CHECK(piece(0, host(7), 5));
	close_access();
	dma_guest_end();
}

TEST(mapping_larger_than_memory_reaches_what_is_there)
{
	dma_guest_start();
	dma_guest_map(0, 0, 1U << 31, MAP_RW); /* 8 TiB */
	CHECK_EQ(open_access(BANK_HIGH + 5, 10, DMA_WRITE, 1), 1);
	CHECK(piece(0, host(BANK_HIGH + 5), 10));
	close_access();
	CHECK_EQ(open_access(GiB, 1, DMA_WRITE, 1), -EFAULT);
	CHECK_EQ(d.fault.reason, IOMMU_FAULT_UNKNOWN);
	CHECK_EQ(open_access(BANK_HIGH + BANK_SIZE - 2, 4, DMA_WRITE, 2), -EFAULT);
	dma_guest_end();
}

TEST(mapping_from_a_bank_into_a_hole)
{
	u8 byte = 0x5a;

	dma_guest_start();
	dma_guest_map(IOVA, BANK1 + BANK_SIZE - PAGE, 3, MAP_RW);
	CHECK_EQ(open_access(IOVA + PAGE - 10, 20, DMA_WRITE, 8), -EFAULT);
	CHECK_EQ(d.fault.reason, IOMMU_FAULT_UNKNOWN);
	CHECK_EQ(d.fault.iova, IOVA + PAGE);
	/* What is in the bank can be reached, and the hole alone cannot. */
	CHECK_EQ(dma_write(&d.chans[0][0], IOVA + PAGE - 1, &byte, 1), 0);
	CHECK_EQ(*host(BANK1 + BANK_SIZE - 1), byte);
	CHECK_EQ(dma_write(&d.chans[0][0], IOVA + 2 * PAGE, &byte, 1), -EFAULT);
	dma_guest_end();
}

TEST(last_bytes_of_the_address_space)
{
	u64 val = 0x1122334455667788;

	dma_guest_start();
	dma_guest_map(UINT64_MAX - 2 * PAGE + 1, BANK1, 1, MAP_RW);
	dma_guest_map(UINT64_MAX - PAGE + 1, BANK_HIGH, 1, MAP_RW);
	CHECK_EQ(dma_write(&d.chans[0][0], UINT64_MAX - 7, &val, 8), 0);
	CHECK(!memcmp(host(BANK_HIGH + PAGE - 8), &val, 8));
	CHECK_EQ(open_access(UINT64_MAX - PAGE - 3, PAGE + 4, DMA_READ, 8), 2);
	close_access();
	CHECK_EQ(open_access(UINT64_MAX, 1, DMA_READ, 8), 1);
	CHECK(piece(0, host(BANK_HIGH + PAGE - 1), 1));
	close_access();
	CHECK_EQ(open_access(UINT64_MAX, 2, DMA_READ, 8), -EINVAL);
	CHECK_EQ(open_access(1, UINT64_MAX, DMA_READ, 8), -EFAULT);
	dma_guest_end();
}

TEST(permissions)
{
	static const u32 dirs[] = {DMA_READ, DMA_WRITE, DMA_READ | DMA_WRITE};

	dma_guest_start();
	for (u32 flags = 0; flags < 4; flags++) {
		u64 iova = IOVA + flags * PAGE;

		dma_guest_map(iova, BANK1, 1,
			      (flags & 1 ? MAPPING_READ : 0) | (flags & 2 ? MAPPING_WRITE : 0));
		for (unsigned int i = 0; i < ARRAY_SIZE(dirs); i++) {
			u32 need = i + 1;
			int ret = open_access(iova, 1, dirs[i], 1);

			/* Whatever was there before, also in a cache. */
			CHECK_EQ(ret, (flags & need) == need ? 1 : -EFAULT);
			if (ret == 1)
				close_access();
		}
	}
	/* A part of the range is enough to refuse it all. */
	CHECK_EQ(open_access(IOVA + 2 * PAGE, 2 * PAGE, DMA_WRITE, 8), 2);
	close_access();
	CHECK_EQ(open_access(IOVA + 2 * PAGE, 2 * PAGE, DMA_READ, 8), -EFAULT);
	CHECK_EQ(open_access(IOVA + PAGE, 2 * PAGE, DMA_READ, 8), -EFAULT);
	dma_guest_end();
}

TEST(fault_tells_the_first_address_that_failed)
{
	dma_guest_start();
	dma_guest_map(IOVA, BANK1, 3, MAP_RW);
	dma_guest_map(IOVA + 3 * PAGE, BANK1, 1, MAPPING_READ);
	CHECK_EQ(open_access(IOVA + 100, 8 * PAGE, DMA_WRITE, 8), -EFAULT);
	CHECK_EQ(d.nr_faults, 1);
	CHECK_EQ(d.fault.iova, IOVA + 3 * PAGE);
	CHECK_EQ(d.fault.dir, DMA_WRITE);
	CHECK_EQ(d.fault.endpoint, 0);
	CHECK_EQ(d.fault.reason, IOMMU_FAULT_MAPPING);

	d.nr_faults = 0;
	CHECK_EQ(dma_map(&d.chans[1][0], DMA_NO_PASID, IOVA - 5, 10, DMA_READ | DMA_WRITE, iov, 8,
			 &handle),
		 -EFAULT);
	CHECK_EQ(d.fault.iova, IOVA - 5);
	CHECK_EQ(d.fault.dir, DMA_READ | DMA_WRITE);
	CHECK_EQ(d.fault.endpoint, 1);
	CHECK_EQ(d.eps[0].faults, 1);
	CHECK_EQ(d.eps[1].faults, 1);

	d.nr_faults = 0;
	CHECK_EQ(iommu_detach(&d.iommu, DOMAIN, 0), 0);
	CHECK_EQ(open_access(IOVA, 1, DMA_READ, 1), -EFAULT);
	CHECK_EQ(d.fault.reason, IOMMU_FAULT_DOMAIN);
	CHECK_EQ(d.nr_faults, 1);
	dma_guest_end();
}

TEST(too_many_pieces)
{
	dma_guest_start();
	for (unsigned int i = 0; i < 8; i++)
		dma_guest_map(IOVA + i * PAGE, BANK1 + 2 * i * PAGE, 1, MAP_RW);
	for (unsigned int max = 0; max < 8; max++)
		CHECK_EQ(open_access(IOVA, 8 * PAGE, DMA_READ, max), -E2BIG);
	CHECK_EQ(d.nr_faults, 0);
	CHECK_EQ(d.chans[0][0].nr_free, MAX_OPEN);
	CHECK_EQ(open_access(IOVA, 8 * PAGE, DMA_READ, 8), 8);
	close_access();
	dma_guest_end();
}

TEST(too_many_open_accesses)
{
	dma_handle_t handles[MAX_OPEN];

	dma_guest_start();
	dma_guest_map(IOVA, BANK1, 1, MAP_RW);
	for (unsigned int i = 0; i < MAX_OPEN; i++) {
		CHECK_EQ(open_access(IOVA + i, 1, DMA_READ, 1), 1);
		handles[i] = handle;
	}
	CHECK_EQ(open_access(IOVA, 1, DMA_READ, 1), -EBUSY);
	/* Not even a fault is looked for, and another channel is not concerned. */
	CHECK_EQ(open_access(0, 1, DMA_READ, 1), -EBUSY);
	CHECK_EQ(d.nr_faults, 0);
	CHECK_EQ(dma_map(&d.chans[0][1], DMA_NO_PASID, IOVA, 1, DMA_READ, iov, 1, &handle), 1);
	dma_unmap(&d.chans[0][1], handle);
	/* In any order. */
	dma_unmap(&d.chans[0][0], handles[2]);
	CHECK_EQ(open_access(IOVA, 1, DMA_READ, 1), 1);
	CHECK_EQ(handle, handles[2]);
	for (unsigned int i = 0; i < MAX_OPEN; i++)
		dma_unmap(&d.chans[0][0], handles[i]);
	dma_guest_end();
}

TEST(errors_leave_nothing_open)
{
	dma_guest_start();
	dma_guest_map(IOVA, BANK1, 1, MAP_RW);
	for (unsigned int i = 0; i < 10 * MAX_OPEN; i++) {
		CHECK_EQ(open_access(IOVA, 2 * PAGE, DMA_READ, 8), -EFAULT);
		CHECK_EQ(open_access(IOVA, PAGE, DMA_READ, 0), -E2BIG);
		CHECK_EQ(open_access(IOVA, 0, DMA_READ, 8), -EINVAL);
	}
	/* Would wait for ever. */
	dma_guest_unmap(IOVA, 1);
	dma_guest_end();
}

TEST(words)
{
	struct dma_chan *chan = &d.chans[0][0];
	u16 val;
	u32 val32;

	dma_guest_start();
	dma_guest_map(IOVA, BANK1, 1, MAP_RW);
	dma_guest_map(IOVA + PAGE, BANK1, 1, MAPPING_READ);
	dma_guest_map(IOVA + 2 * PAGE, BANK1, 1, MAPPING_WRITE);
	CHECK_EQ(dma_store16(chan, IOVA + PAGE - 2, 0x1234), 0);
	CHECK_EQ(dma_load16(chan, IOVA + 2 * PAGE - 2, &val), 0);
	CHECK_EQ(val, 0x1234);
	CHECK_EQ(dma_store32(chan, IOVA + 2 * PAGE + 4, 0x89abcdef), 0);
	CHECK(!memcmp(host(BANK1 + 4), &(u32){0x89abcdef}, 4));
	CHECK_EQ(dma_load32(chan, IOVA + PAGE + 4, &val32), 0);
	CHECK_EQ(val32, 0x89abcdef);

	CHECK_EQ(dma_load32(chan, IOVA + 2, &val32), -EINVAL);
	CHECK_EQ(dma_load16(chan, IOVA + 1, &val), -EINVAL);
	CHECK_EQ(dma_store16(chan, IOVA + PAGE - 1, 0), -EINVAL);
	CHECK_EQ(dma_store32(chan, IOVA + 2, 0), -EINVAL);
	CHECK_EQ(d.nr_faults, 0);
	CHECK_EQ(dma_store16(chan, IOVA + PAGE, 0), -EFAULT);
	CHECK_EQ(dma_store32(chan, IOVA + PAGE, 0), -EFAULT);
	CHECK_EQ(dma_load16(chan, IOVA + 2 * PAGE, &val), -EFAULT);
	CHECK_EQ(dma_load32(chan, IOVA + 2 * PAGE, &val32), -EFAULT);
	CHECK_EQ(dma_load16(chan, IOVA - 2, &val), -EFAULT);
	dma_guest_end();
}

/* IOVA page i is this one of a bank: far apart, and never in order. */
static u64 shuffled(u64 i)
{
	return (i & 1 ? BANK1 : BANK_HIGH) + i * 37 % 256 * PAGE;
}

TEST(copies_over_many_pages)
{
	static u8 buf[200 * PAGE], ref[200 * PAGE];
	static const struct {
		u64 off, len;
	} cases[] = {
		{0, 1},
		{0, sizeof(buf)},
		{1, 17 * PAGE},
		{PAGE - 1, 2},
		{PAGE - 1, 16 * PAGE},
		{PAGE / 2, 100 * PAGE},
		{1023, 64 * KiB},
		{1025, 65 * KiB},
		{4095, 128 * KiB + 2},
		{3 * PAGE + 5, 0},
	};
	struct dma_chan *chan = &d.chans[0][0];

	dma_guest_start();
	for (u64 i = 0; i < 200; i++)
		dma_guest_map(IOVA + i * PAGE, shuffled(i), 1, MAP_RW);
	for (unsigned int c = 0; c < ARRAY_SIZE(cases); c++) {
		u64 off = cases[c].off, len = min(cases[c].len, sizeof(buf) - cases[c].off);

		for (u64 i = 0; i < sizeof(ref); i++) {
			ref[i] = unit_rand();
			*(host(shuffled(i / PAGE)) + i % PAGE) = ref[i];
		}
		memset(buf, 0, sizeof(buf));
		CHECK_EQ(dma_read(chan, IOVA + off, buf, len), 0);
		CHECK(!memcmp(buf, ref + off, len));
		CHECK(len == sizeof(buf) || buf[len] == 0);

		for (u64 i = 0; i < len; i++)
			ref[off + i] = buf[i] = unit_rand();
		CHECK_EQ(dma_write(chan, IOVA + off, buf, len), 0);
		for (u64 i = 0; i < 200; i++)
			CHECK(!memcmp(host(shuffled(i)), ref + i * PAGE, PAGE));
	}
	CHECK_EQ(d.nr_faults, 0);
	dma_guest_end();
}

TEST(copy_that_runs_into_a_hole)
{
	static u8 buf[64 * PAGE];

	dma_guest_start();
	for (u64 i = 0; i < 40; i++)
		dma_guest_map(IOVA + i * PAGE, shuffled(i), 1, MAP_RW);
	CHECK_EQ(dma_read(&d.chans[0][0], IOVA + 7, buf, sizeof(buf)), -EFAULT);
	CHECK_EQ(d.fault.iova, IOVA + 40 * PAGE);
	CHECK_EQ(dma_write(&d.chans[0][0], IOVA + 7, buf, sizeof(buf)), -EFAULT);
	CHECK_EQ(d.nr_faults, 2);
	dma_guest_end();
}

/* The translation is cached, but never longer than it holds. */

static u64 where(struct dma_chan *chan, u64 iova)
{
	u8 byte = 0x5a;
	u64 gpa;

	if (dma_write(chan, iova, &byte, 1))
		return UINT64_MAX;
	for (gpa = BANK1; gpa < BANK1 + 64 * PAGE && *host(gpa) != byte; gpa += PAGE)
		;
	*host(gpa) = 0;
	return gpa;
}

TEST(repeated_accesses_hit_the_cache)
{
	struct dma_chan *chan = &d.chans[0][0];

	dma_guest_start();
	dma_guest_map(IOVA, BANK1, 1, MAP_RW);
	for (unsigned int i = 0; i < 100; i++)
		CHECK_EQ(where(chan, IOVA), BANK1);
	CHECK_EQ(chan->tlb_misses, 1);
	CHECK_EQ(chan->tlb_hits, 99);
	/* A new mapping elsewhere does not cost the old ones. */
	dma_guest_map(IOVA + PAGE, BANK1, 1, MAP_RW);
	CHECK_EQ(where(chan, IOVA), BANK1);
	CHECK_EQ(chan->tlb_misses, 1);
	dma_guest_end();
}

TEST(iovas_that_share_a_cache_entry)
{
	struct dma_chan *chan = &d.chans[0][0];
	const u64 far = DMA_TLB_ENTRIES * PAGE;

	dma_guest_start();
	for (unsigned int i = 0; i < 8; i++)
		dma_guest_map(IOVA + i * far, BANK1 + i * PAGE, 1, MAP_RW);
	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < 8; i++)
			CHECK_EQ(where(chan, IOVA + i * far), BANK1 + i * PAGE);
	}
	dma_guest_end();
}

/* How many translations an access is made of that no cache has, and of how many pieces. */
static unsigned int lookups(u64 iova, u64 len, u32 dir, int pieces)
{
	u64 before = d.chans[0][0].tlb_misses;

	if (CHECK_EQ(open_access(iova, len, dir, 8), pieces))
		close_access();
	return d.chans[0][0].tlb_misses - before;
}

TEST(one_lookup_for_all_that_is_contiguous)
{
	dma_guest_start();
	/* One mapping, and pages side by side. */
	dma_guest_map(IOVA, BANK1, 8, MAP_RW);
	CHECK_EQ(lookups(IOVA + PAGE, 7 * PAGE, DMA_READ, 1), 1);
	dma_guest_unmap(IOVA, 8);
	for (unsigned int i = 0; i < 8; i++)
		dma_guest_map(IOVA + i * PAGE, BANK1 + i * PAGE, 1, MAP_RW);
	CHECK_EQ(lookups(IOVA + 3 * PAGE, 5 * PAGE, DMA_READ, 1), 1);
	CHECK_EQ(lookups(IOVA, 8 * PAGE, DMA_READ, 1), 1);
	/* One of them goes: the others are there, and nothing is in its place. */
	dma_guest_unmap(IOVA + 4 * PAGE, 1);
	CHECK_EQ(where(&d.chans[0][0], IOVA + 4 * PAGE), UINT64_MAX);
	CHECK_EQ(lookups(IOVA, 4 * PAGE, DMA_READ, 1), 1);
	CHECK_EQ(lookups(IOVA + 5 * PAGE, 3 * PAGE, DMA_READ, 1), 1);
	/* Other rights, and another place, end a run. */
	dma_guest_map(IOVA + 4 * PAGE, BANK1 + 4 * PAGE, 1, MAPPING_READ);
	CHECK_EQ(where(&d.chans[0][0], IOVA + 3 * PAGE), BANK1 + 3 * PAGE);
	CHECK_EQ(where(&d.chans[0][0], IOVA + 4 * PAGE), UINT64_MAX);
	dma_guest_unmap(IOVA + 4 * PAGE, 1);
	dma_guest_map(IOVA + 4 * PAGE, BANK1 + 40 * PAGE, 1, MAP_RW);
	if (CHECK_EQ(open_access(IOVA + 3 * PAGE, 3 * PAGE, DMA_READ, 8), 3)) {
		CHECK(piece(1, host(BANK1 + 40 * PAGE), PAGE));
		close_access();
	}
	dma_guest_end();
}

TEST(unmap_and_map_of_another_page)
{
	dma_guest_start();
	for (unsigned int i = 0; i < 32; i++) {
		dma_guest_map(IOVA, BANK1 + i * PAGE, 1, MAP_RW);
		for (unsigned int n = 0; n < NR_EPS; n++)
			CHECK_EQ(where(&d.chans[n][i & 1], IOVA), BANK1 + i * PAGE);
		dma_guest_unmap(IOVA, 1);
		for (unsigned int n = 0; n < NR_EPS; n++)
			CHECK_EQ(where(&d.chans[n][i & 1], IOVA), UINT64_MAX);
	}
	dma_guest_end();
}

TEST(unmap_and_map_with_fewer_rights)
{
	struct dma_chan *chan = &d.chans[0][0];
	u8 byte;

	dma_guest_start();
	dma_guest_map(IOVA, BANK1, 1, MAP_RW);
	CHECK_EQ(where(chan, IOVA), BANK1);
	dma_guest_unmap(IOVA, 1);
	dma_guest_map(IOVA, BANK1, 1, MAPPING_READ);
	CHECK_EQ(where(chan, IOVA), UINT64_MAX);
	CHECK_EQ(dma_read(chan, IOVA, &byte, 1), 0);
	dma_guest_end();
}

TEST(detach_and_move_and_reset)
{
	struct dma_chan *chan = &d.chans[0][0];
	const struct mapping other = {
		.start = IOVA, .last = IOVA + PAGE - 1, .gpa = BANK1 + 9 * PAGE, .flags = MAP_RW};

	dma_guest_start();
	dma_guest_map(IOVA, BANK1, 1, MAP_RW);
	CHECK_EQ(where(chan, IOVA), BANK1);
	CHECK_EQ(iommu_detach(&d.iommu, DOMAIN, 0), 0);
	CHECK_EQ(where(chan, IOVA), UINT64_MAX);
	CHECK_EQ(where(&d.chans[1][0], IOVA), BANK1);

	CHECK_EQ(iommu_attach(&d.iommu, 2, 0, false), 0);
	CHECK_EQ(iommu_map(&d.iommu, 2, &other), 0);
	CHECK_EQ(where(chan, IOVA), BANK1 + 9 * PAGE);
	CHECK_EQ(iommu_attach(&d.iommu, DOMAIN, 0, false), 0);
	CHECK_EQ(where(chan, IOVA), BANK1);

	iommu_detach_all(&d.iommu);
	CHECK_EQ(where(chan, IOVA), UINT64_MAX);
	CHECK_EQ(where(&d.chans[1][0], IOVA), UINT64_MAX);
	dma_guest_end();
}

TEST(bypass_on_and_off)
{
	struct dma_chan *chan = &d.chans[0][0];

	dma_guest_start();
	dma_guest_map(BANK1, BANK1 + 5 * PAGE, 1, MAP_RW);
	CHECK_EQ(iommu_detach(&d.iommu, DOMAIN, 0), 0);
	CHECK_EQ(where(chan, BANK1), UINT64_MAX);
	for (unsigned int i = 0; i < 3; i++) {
		iommu_set_bypass(&d.iommu, true);
		CHECK_EQ(where(chan, BANK1), BANK1);
		CHECK_EQ(where(&d.chans[1][0], BANK1), BANK1 + 5 * PAGE);
		iommu_set_bypass(&d.iommu, false);
		CHECK_EQ(where(chan, BANK1), UINT64_MAX);
		CHECK_EQ(where(&d.chans[1][0], BANK1), BANK1 + 5 * PAGE);
	}
	/* A bypass domain is left at once, too. */
	CHECK_EQ(iommu_attach(&d.iommu, 3, 0, true), 0);
	CHECK_EQ(where(chan, BANK1), BANK1);
	CHECK_EQ(iommu_detach(&d.iommu, 3, 0), 0);
	CHECK_EQ(where(chan, BANK1), UINT64_MAX);
	dma_guest_end();
}
