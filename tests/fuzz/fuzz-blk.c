// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests to the virtio block device, with a disk in memory that holds the device to what it has
 * promised its disk.
 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "hostile-driver.h"
#include "inline-worker.h"
#include "virtio/blk.h"

#define DISK_SIZE (64 * KiB)
#define SECTORS	  (DISK_SIZE / DISK_SECTOR_SIZE)

static u8 data[DISK_SIZE];
static struct disk disk;
static bool fails;

static void check_range(u64 off, u64 len)
{
	CHECK(off % DISK_SECTOR_SIZE == 0 && len % DISK_SECTOR_SIZE == 0);
	CHECK(off <= disk.size && len <= disk.size - off);
}

/* A disk that says to be larger than what is there has only its first bytes. */
static int move(const struct iovec *iov, unsigned int nr, u64 off, bool write)
{
	u64 len = 0;

	for (unsigned int i = 0; i < nr; i++)
		len += iov[i].iov_len;
	check_range(off, len);
	for (unsigned int i = 0; i < nr; off += iov[i++].iov_len) {
		for (size_t n = 0; n < iov[i].iov_len; n++) {
			u8 *byte = (u8 *)iov[i].iov_base + n, *there = &data[(off + n) % DISK_SIZE];

			*(write ? there : byte) = *(write ? byte : there);
		}
	}
	return fails ? -5 : 0;
}

static int test_preadv(struct disk *d, struct iovec *iov, unsigned int nr, u64 off)
{
	(void)d;
	return move(iov, nr, off, false);
}

static int test_pwritev(struct disk *d, struct iovec *iov, unsigned int nr, u64 off)
{
	CHECK(!d->read_only);
	return move(iov, nr, off, true);
}

static int test_flush(struct disk *d)
{
	(void)d;
	return fails ? -5 : 0;
}

static int test_discard(struct disk *d, u64 off, u64 len)
{
	CHECK(!d->read_only && d->can_discard && len);
	check_range(off, len);
	return 0;
}

static int test_write_zeroes(struct disk *d, u64 off, u64 len, bool unmap)
{
	(void)unmap;
	CHECK(!d->read_only && d->can_write_zeroes && len);
	check_range(off, len);
	return 0;
}

static void test_close(struct disk *d)
{
	(void)d;
}

static const struct disk_ops ops = {
	.preadv = test_preadv,
	.pwritev = test_pwritev,
	.flush = test_flush,
	.discard = test_discard,
	.write_zeroes = test_write_zeroes,
	.close = test_close,
};

static void request(unsigned int queue)
{
	static const u32 types[] = {
		VIRTIO_BLK_T_IN,     VIRTIO_BLK_T_OUT,	   VIRTIO_BLK_T_FLUSH,
		VIRTIO_BLK_T_GET_ID, VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES,
	};
	u8 buf[4096] = {0};
	struct virtio_blk_outhdr *hdr = (struct virtio_blk_outhdr *)buf;
	struct virtio_blk_discard_write_zeroes *ranges = (void *)(hdr + 1);
	u32 len = sizeof(*hdr), in_len = 1;

	hdr->type = htole32(unit_below(8) ? fuzz_pick(types) : fuzz_int(4));
	hdr->sector = htole64(unit_below(8) ? unit_below(SECTORS + 4) : fuzz_number());
	switch (le32toh(hdr->type)) {
	case VIRTIO_BLK_T_IN:
		in_len += unit_below(8) * DISK_SECTOR_SIZE;
		break;
	case VIRTIO_BLK_T_OUT:
		len += unit_below(8) * DISK_SECTOR_SIZE;
		break;
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES:
		for (unsigned int i = unit_below(40); i--;) {
			ranges[i].sector =
				htole64(fuzz_bool() ? unit_below(SECTORS) : fuzz_number());
			ranges[i].num_sectors = htole32(fuzz_number());
			ranges[i].flags = htole32(fuzz_bool() ? 0 : fuzz_number());
			len = max(len, (u32)(sizeof(*hdr) + (i + 1) * sizeof(*ranges)));
		}
		break;
	default:
		in_len += unit_below(64);
	}
	if (!unit_below(8))
		len = unit_below(sizeof(buf));
	if (!unit_below(8))
		in_len = fuzz_int(2);
	hostile_request(queue, buf, len, in_len);
}

void fuzz_one(void)
{
	struct blk_config config = {.queues = 1 + unit_below(3), .serial = "serial"};
	u8 kind = fuzz_int(1);
	struct iommu_endpoint *ep = hostile_begin();
	struct virtio_blk *blk;

	disk = (struct disk){
		.ops = &ops,
		.size = kind & 1   ? DISK_SIZE
			: kind & 2 ? 1ULL << 50
				   : DISK_SECTOR_SIZE,
		.block_size = DISK_SECTOR_SIZE,
		.physical_block_size = 4096,
		.read_only = kind & 4,
		.can_discard = !(kind & 8),
		.can_write_zeroes = !(kind & 16),
		.can_unmap = kind & 32,
	};
	fails = false;
	if (virtio_blk_create(&blk, &config, &disk, &hd.mem, ep))
		exit(2);
	hostile_start(&blk->vdev, config.queues);
	while (fuzz_more()) {
		unsigned int queue = unit_below(config.queues);
		u8 step = fuzz_int(1);

		if (step < 160)
			request(queue);
		else if (step < 192)
			hostile_ring(queue);
		else if (step < 208)
			hostile_config();
		else if (step < 224)
			hostile_iommu();
		else if (step < 240)
			fails = !fails;
		else if (step < 244)
			hostile_restart();
		inline_workers_run();
		CHECK(hostile_take(queue));
	}
	fake_driver_status(&hd.drv, 0);
	virtio_blk_destroy(blk);
	hostile_end();
}
