// SPDX-License-Identifier: GPL-2.0-only
/* The virtio block device: what each request does, and how wrong ones fail. */
#include <errno.h>
#include <stdlib.h>

#include "blk-guest.h"
#include "util/report.h"

static const struct blk_guest_options one_queue;

static void fill(u64 gpa, u64 len)
{
	u8 *p = hva(gpa);

	for (u64 i = 0; i < len; i++)
		p[i] = unit_rand();
}

static void write_wce(u8 wce)
{
	pthread_mutex_lock(&guest.vdev->lock);
	guest.vdev->ops->config_write(guest.vdev, offsetof(struct virtio_blk_config, wce), &wce, 1);
	pthread_mutex_unlock(&guest.vdev->lock);
}

TEST(config)
{
	struct virtio_blk_config c;
	u8 byte;

	blk_guest_start(&(struct blk_guest_options){.queues = 4});
	c = read_config();
	CHECK_EQ(guest.vdev->ops->id, 2);
	CHECK_EQ(guest.vdev->ops->config_size, 60);
	CHECK_EQ(le64toh(c.capacity), DISK_SECTORS);
	CHECK_EQ(le32toh(c.seg_max), 254);
	CHECK_EQ(le32toh(c.blk_size), 512);
	CHECK_EQ(c.physical_block_exp, 3);
	CHECK_EQ(le16toh(c.min_io_size), 8);
	CHECK_EQ(le32toh(c.opt_io_size), 128);
	CHECK_EQ(c.wce, 1);
	CHECK_EQ(c.unused, 0);
	CHECK_EQ(le16toh(c.num_queues), 4);
	CHECK(le32toh(c.max_discard_sectors));
	CHECK_EQ(le32toh(c.discard_sector_alignment), 8);
	CHECK(le32toh(c.max_write_zeroes_sectors));
	CHECK_EQ(c.write_zeroes_may_unmap, 1);
	CHECK(virtio_has_feature(guest.vdev, VIRTIO_BLK_F_MQ));
	CHECK(!virtio_has_feature(guest.vdev, VIRTIO_BLK_F_RO));
	guest.vdev->ops->config_read(guest.vdev, 34, &byte, 1);
	CHECK_EQ(byte, 4);
	blk_guest_end();

	blk_guest_start(&(struct blk_guest_options){.read_only = true});
	CHECK(virtio_has_feature(guest.vdev, VIRTIO_BLK_F_RO));
	CHECK(virtio_has_feature(guest.vdev, VIRTIO_BLK_F_FLUSH));
	CHECK(!virtio_has_feature(guest.vdev, VIRTIO_BLK_F_MQ));
	CHECK(!virtio_has_feature(guest.vdev, VIRTIO_BLK_F_DISCARD));
	CHECK(!virtio_has_feature(guest.vdev, VIRTIO_BLK_F_WRITE_ZEROES));
	CHECK_EQ(read_config().max_discard_sectors, 0);
	blk_guest_end();
}

TEST(write_and_read)
{
	struct driver_queue *q = &guest.queues[0];
	u64 src = DATA_BASE, dst = DATA_BASE + MiB;
	s64 used;

	blk_guest_start(&one_queue);
	fill(src, 64 * KiB);
	CHECK_EQ(request(q, VIRTIO_BLK_T_OUT, 5, src, 64 * KiB, false, &used), VIRTIO_BLK_S_OK);
	CHECK_EQ(used, 1);
	CHECK_EQ(memcmp(tdisk.data + 5 * 512, hva(src), 64 * KiB), 0);
	CHECK_EQ(request(q, VIRTIO_BLK_T_IN, 5, dst, 64 * KiB, true, &used), VIRTIO_BLK_S_OK);
	CHECK_EQ(used, 64 * KiB + 1);
	CHECK_EQ(memcmp(hva(dst), hva(src), 64 * KiB), 0);

	/* The last sector, and nothing at all. */
	CHECK_EQ(request(q, VIRTIO_BLK_T_IN, DISK_SECTORS - 1, dst, 512, true, &used),
		 VIRTIO_BLK_S_OK);
	CHECK_EQ(memcmp(hva(dst), tdisk.data + DISK_SIZE - 512, 512), 0);
	CHECK_EQ(request(q, VIRTIO_BLK_T_IN, DISK_SECTORS, 0, 0, true, &used), VIRTIO_BLK_S_OK);
	CHECK_EQ(used, 1);
	CHECK_EQ(request(q, VIRTIO_BLK_T_OUT, 0, 0, 0, false, &used), VIRTIO_BLK_S_OK);

	/* Several rounds. */
	fill(src, 3 * MiB + 512);
	CHECK_EQ(request(q, VIRTIO_BLK_T_OUT, 1, src, 3 * MiB + 512, false, NULL), VIRTIO_BLK_S_OK);
	CHECK_EQ(memcmp(tdisk.data + 512, hva(src), 3 * MiB + 512), 0);
	memset(hva(src), 0, 3 * MiB + 512);
	CHECK_EQ(request(q, VIRTIO_BLK_T_IN, 1, src, 3 * MiB + 512, true, &used), VIRTIO_BLK_S_OK);
	CHECK_EQ(used, 3 * MiB + 512 + 1);
	CHECK_EQ(memcmp(tdisk.data + 512, hva(src), 3 * MiB + 512), 0);

	/* The host's disk fails. */
	tdisk.fail = -ENOSPC;
	CHECK_EQ(request(q, VIRTIO_BLK_T_OUT, 0, src, 512, false, &used), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(used, 1);
	CHECK_EQ(request(q, VIRTIO_BLK_T_IN, 0, src, 512, true, &used), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(used, 0);
	CHECK_EQ(request(q, VIRTIO_BLK_T_FLUSH, 0, 0, 0, true, &used), VIRTIO_BLK_S_IOERR);
	blk_guest_end();
}

/* Requests of two queues and of all kinds, some of which fail. */
TEST(counters)
{
	struct driver_queue *q = &guest.queues[0], *other = &guest.queues[1];
	struct virtio_blk_discard_write_zeroes range = {.num_sectors = htole32(16)};
	static const char expected[] = "{\"disk_size\":4194304,\"read_only\":false,"
				       "\"reads\":{\"requests\":3,\"bytes\":3146752,\"failed\":1},"
				       "\"writes\":{\"requests\":2,\"bytes\":4096,\"failed\":1},"
				       "\"flushes\":{\"requests\":2,\"failed\":1},"
				       "\"discards\":{\"requests\":1,\"bytes\":8192,\"failed\":0},"
				       "\"zeroes\":{\"requests\":2,\"bytes\":8192,\"failed\":1},"
				       "\"others\":{\"requests\":3,\"failed\":2}}";
	struct report *r = report_new(true, 8192);
	char packed[1024] = "";
	u64 data = DATA_BASE;
	const char *text;
	size_t len, n = 0;

	blk_guest_start(&(struct blk_guest_options){.queues = 2});
	request(q, VIRTIO_BLK_T_IN, 0, data, 1024, true, NULL);
	request(other, VIRTIO_BLK_T_IN, 0, data, 3 * MiB, true, NULL);
	request(q, VIRTIO_BLK_T_IN, DISK_SECTORS, data, 512, true, NULL);
	request(q, VIRTIO_BLK_T_OUT, 0, data, 4096, false, NULL);
	request(q, VIRTIO_BLK_T_FLUSH, 0, 0, 0, true, NULL);
	memcpy(hva(data), &range, sizeof(range));
	request(other, VIRTIO_BLK_T_DISCARD, 0, data, sizeof(range), false, NULL);
	request(q, VIRTIO_BLK_T_WRITE_ZEROES, 0, data, sizeof(range), false, NULL);
	request(q, VIRTIO_BLK_T_WRITE_ZEROES, 0, data, 1, false, NULL);
	request(q, VIRTIO_BLK_T_GET_ID, 0, data, 20, true, NULL);
	request(q, 77, 0, data, 20, true, NULL);
	/* No room for a status. */
	run_chain(q, &(struct seg){q->scratch, 16}, 1, 0, 0);
	tdisk.fail = -EIO;
	request(q, VIRTIO_BLK_T_FLUSH, 0, 0, 0, true, NULL);
	request(q, VIRTIO_BLK_T_OUT, 0, data, 512, false, NULL);
	tdisk.fail = 0;

	report_object_begin(r, NULL);
	pthread_mutex_lock(&guest.vdev->lock);
	guest.vdev->ops->stat(guest.vdev, r);
	pthread_mutex_unlock(&guest.vdev->lock);
	report_object_end(r);
	text = report_text(r, &len);
	for (size_t i = 0; CHECK(text) && i < len && n + 1 < sizeof(packed); i++) {
		if (text[i] > ' ')
			packed[n++] = text[i];
	}
	CHECK_STR_EQ(packed, expected);
	report_free(r);
	blk_guest_end();
}

/* Cuts [addr, addr + len) in pieces, of one byte each if @tiny. */
static unsigned int cut(struct seg *segs, u64 addr, u32 len, bool tiny)
{
	unsigned int nr = 0;

	while (len) {
		u32 part = tiny ? 1 : 1 + unit_rand() % 300;

		part = min(part, len);
		segs[nr++] = (struct seg){addr, part};
		addr += part;
		len -= part;
	}
	return nr;
}

/* Header, data and status lie together in memory and are cut anywhere. */
TEST(framing)
{
	static struct seg segs[1200];
	struct driver_queue *q = &guest.queues[0];
	u64 out = DATA_BASE, in = DATA_BASE + MiB, table = DATA_BASE + 2 * MiB;
	const u32 hdr_len = sizeof(struct virtio_blk_outhdr);

	blk_guest_start(&one_queue);
	for (unsigned int i = 0; i < 400; i++) {
		bool tiny = i % 4 == 0;
		bool write = i % 2;
		u32 len = tiny ? 512 : 512 * (1 + unit_rand() % 16);
		u64 sector = unit_rand() % (DISK_SECTORS - 16);
		struct virtio_blk_outhdr hdr = {
			.type = htole32(write ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN),
			.sector = htole64(sector),
		};
		unsigned int nr_out, nr_in;
		u8 *status;
		s64 used;

		memcpy(hva(out), &hdr, sizeof(hdr));
		fill(out + hdr_len, len);
		memset(hva(in), 0, len + 1);
		status = (u8 *)hva(in) + (write ? 0 : len);
		*status = NO_STATUS;
		nr_out = cut(segs, out, hdr_len + (write ? len : 0), tiny);
		nr_in = cut(segs + nr_out, in, write ? 1 : len + 1, tiny);
		used = run_chain(q, segs, nr_out, nr_in, table);
		CHECK_EQ(*status, VIRTIO_BLK_S_OK);
		CHECK_EQ(used, write ? 1 : len + 1);
		if (!CHECK_EQ(memcmp(tdisk.data + sector * 512, hva(write ? out + hdr_len : in),
				     len),
			      0))
			break;
	}

	/* Descriptors without a byte, and header and status alone in the middle of others. */
	put_header(q, VIRTIO_BLK_T_IN, 3);
	segs[0] = (struct seg){UNREACHABLE, 0};
	segs[1] = (struct seg){q->scratch, 16};
	segs[2] = (struct seg){UNREACHABLE, 0};
	segs[3] = (struct seg){in, 512};
	segs[4] = (struct seg){q->scratch + STATUS_OFF, 1};
	segs[5] = (struct seg){UNREACHABLE, 0};
	CHECK_EQ(run_chain(q, segs, 3, 3, 0), 513);
	CHECK_EQ(get_status(q), VIRTIO_BLK_S_OK);
	CHECK_EQ(memcmp(hva(in), tdisk.data + 3 * 512, 512), 0);

	/* A write with more writable bytes than the status: only the last one is written. */
	put_header(q, VIRTIO_BLK_T_OUT, 3);
	memset(hva(in), 0x55, 512);
	segs[0] = (struct seg){q->scratch, 16};
	segs[1] = (struct seg){out, 512};
	segs[2] = (struct seg){in, 512};
	segs[3] = (struct seg){q->scratch + STATUS_OFF, 1};
	CHECK_EQ(run_chain(q, segs, 2, 2, 0), 0);
	CHECK_EQ(get_status(q), VIRTIO_BLK_S_OK);
	CHECK_EQ(*(u8 *)hva(in), 0x55);
	CHECK_EQ(memcmp(hva(out), tdisk.data + 3 * 512, 512), 0);
	blk_guest_end();
}

TEST(get_id)
{
	struct driver_queue *q = &guest.queues[0];
	s64 used;

	blk_guest_start(&one_queue);
	memset(hva(DATA_BASE), 0x55, 64);
	CHECK_EQ(request(q, VIRTIO_BLK_T_GET_ID, 0, DATA_BASE, 20, true, &used), VIRTIO_BLK_S_OK);
	CHECK_EQ(used, 21);
	CHECK_EQ(memcmp(hva(DATA_BASE), "SERIAL-0123456789-AB\x55", 21), 0);

	memset(hva(DATA_BASE), 0x55, 64);
	CHECK_EQ(request(q, VIRTIO_BLK_T_GET_ID, 0, DATA_BASE, 4, true, &used), VIRTIO_BLK_S_OK);
	CHECK_EQ(used, 5);
	CHECK_EQ(memcmp(hva(DATA_BASE), "SERI\x55", 5), 0);

	/* The bytes between the text and the status are not written, nor counted. */
	CHECK_EQ(request(q, VIRTIO_BLK_T_GET_ID, 0, DATA_BASE, 40, true, &used), VIRTIO_BLK_S_OK);
	CHECK_EQ(used, 20);
	CHECK_EQ(request(q, VIRTIO_BLK_T_GET_ID, 0, 0, 0, true, &used), VIRTIO_BLK_S_OK);
	CHECK_EQ(used, 1);
	CHECK_EQ(request(q, VIRTIO_BLK_T_GET_ID, 0, UNREACHABLE, 20, true, &used),
		 VIRTIO_BLK_S_IOERR);
	CHECK_EQ(used, 0);
	blk_guest_end();
}

TEST(cache_modes)
{
	struct driver_queue *q = &guest.queues[0];
	u64 flush = BIT_ULL(VIRTIO_BLK_F_FLUSH), wce = BIT_ULL(VIRTIO_BLK_F_CONFIG_WCE);
	const u32 zeroes[4] = {0, 0, htole32(8), 0};

	/* Both: the driver chooses. */
	blk_guest_start(&one_queue);
	CHECK_EQ(request(q, VIRTIO_BLK_T_OUT, 0, DATA_BASE, 512, false, NULL), VIRTIO_BLK_S_OK);
	CHECK_EQ(tdisk.flushes, 0);
	CHECK_EQ(request(q, VIRTIO_BLK_T_FLUSH, 0, 0, 0, true, NULL), VIRTIO_BLK_S_OK);
	CHECK_EQ(tdisk.flushes, 1);
	write_wce(0);
	CHECK_EQ(read_config().wce, 0);
	CHECK_EQ(request(q, VIRTIO_BLK_T_OUT, 0, DATA_BASE, 3 * MiB, false, NULL), VIRTIO_BLK_S_OK);
	CHECK_EQ(tdisk.flushes, 2);
	memcpy(hva(DATA_BASE), zeroes, sizeof(zeroes));
	CHECK_EQ(request(q, VIRTIO_BLK_T_WRITE_ZEROES, 0, DATA_BASE, 16, false, NULL),
		 VIRTIO_BLK_S_OK);
	CHECK_EQ(tdisk.flushes, 3);
	CHECK_EQ(request(q, VIRTIO_BLK_T_IN, 0, DATA_BASE, 512, true, NULL), VIRTIO_BLK_S_OK);
	CHECK_EQ(tdisk.flushes, 3);
	write_wce(1);
	CHECK_EQ(read_config().wce, 1);
	CHECK_EQ(request(q, VIRTIO_BLK_T_OUT, 0, DATA_BASE, 512, false, NULL), VIRTIO_BLK_S_OK);
	CHECK_EQ(tdisk.flushes, 3);

	/* Flushes only: writeback, and the byte is not the driver's. */
	driver_init(wce, true);
	CHECK_EQ(request(q, VIRTIO_BLK_T_OUT, 0, DATA_BASE, 512, false, NULL), VIRTIO_BLK_S_OK);
	write_wce(0);
	CHECK_EQ(request(q, VIRTIO_BLK_T_OUT, 0, DATA_BASE, 512, false, NULL), VIRTIO_BLK_S_OK);
	CHECK_EQ(tdisk.flushes, 3);

	/* The byte only: it starts with 0. */
	driver_init(flush, true);
	CHECK_EQ(read_config().wce, 0);
	CHECK_EQ(request(q, VIRTIO_BLK_T_OUT, 0, DATA_BASE, 512, false, NULL), VIRTIO_BLK_S_OK);
	CHECK_EQ(tdisk.flushes, 4);

	/* Neither: the driver has no way to flush. */
	driver_init(flush | wce, true);
	CHECK_EQ(request(q, VIRTIO_BLK_T_OUT, 0, DATA_BASE, 512, false, NULL), VIRTIO_BLK_S_OK);
	CHECK_EQ(tdisk.flushes, 5);
	blk_guest_end();
}

/* Requests that are wrong fail alone, and nothing reaches the disk. */
TEST(wrong_requests)
{
	struct driver_queue *q = &guest.queues[0];
	struct seg segs[4];
	s64 used;
	const struct {
		u32 type;
		u64 sector;
		u32 len;
	} wrong[] = {
		{VIRTIO_BLK_T_IN, 0, 511},
		{VIRTIO_BLK_T_IN, 0, 1},
		{VIRTIO_BLK_T_IN, 0, 513},
		{VIRTIO_BLK_T_IN, DISK_SECTORS, 512},
		{VIRTIO_BLK_T_IN, DISK_SECTORS - 1, 1024},
		{VIRTIO_BLK_T_IN, DISK_SECTORS + 1, 0},
		{VIRTIO_BLK_T_IN, ~0ULL, 512},
		{VIRTIO_BLK_T_IN, ~0ULL / 512 + 1, 512},
		{VIRTIO_BLK_T_IN, ~0ULL, 0},
		{VIRTIO_BLK_T_IN, 1ULL << 63, 512},
		{VIRTIO_BLK_T_OUT, 0, 511},
		{VIRTIO_BLK_T_OUT, DISK_SECTORS, 512},
		{VIRTIO_BLK_T_OUT, DISK_SECTORS - 1, 1024},
		{VIRTIO_BLK_T_OUT, ~0ULL, 512},
		{VIRTIO_BLK_T_OUT, ~0ULL / 512 + 1, 512},
	};
	static const u32 unknown[] = {2, 3, 5, 7, 9, 10, 12, 14, 15, 16, 0x80000000, ~0U};

	blk_guest_start(&one_queue);
	for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++) {
		bool in = wrong[i].type == VIRTIO_BLK_T_IN;

		memset(hva(DATA_BASE), 0x55, 2048);
		CHECK_EQ(request(q, wrong[i].type, wrong[i].sector, DATA_BASE, wrong[i].len, in,
				 &used),
			 VIRTIO_BLK_S_IOERR);
		CHECK_EQ(used, in && wrong[i].len ? 0 : 1);
		CHECK_EQ(*(u8 *)hva(DATA_BASE), 0x55);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(unknown); i++)
		CHECK_EQ(request(q, unknown[i], 0, DATA_BASE, 512, i % 2, NULL),
			 VIRTIO_BLK_S_UNSUPP);

	/* Half a header. */
	put_header(q, VIRTIO_BLK_T_FLUSH, 0);
	segs[0] = (struct seg){q->scratch, 15};
	segs[1] = (struct seg){q->scratch + STATUS_OFF, 1};
	CHECK_EQ(run_chain(q, segs, 1, 1, 0), 1);
	CHECK_EQ(get_status(q), VIRTIO_BLK_S_IOERR);
	/* None. */
	CHECK_EQ(run_chain(q, segs + 1, 0, 1, 0), 1);
	CHECK_EQ(get_status(q), VIRTIO_BLK_S_IOERR);
	/* No place for the status. */
	put_header(q, VIRTIO_BLK_T_OUT, 0);
	segs[0] = (struct seg){q->scratch, 16};
	segs[1] = (struct seg){DATA_BASE, 512};
	CHECK_EQ(run_chain(q, segs, 2, 0, 0), 0);
	segs[2] = (struct seg){q->scratch + STATUS_OFF, 0};
	CHECK_EQ(run_chain(q, segs, 2, 1, 0), 0);
	CHECK_EQ(get_status(q), NO_STATUS);
	CHECK_EQ(tdisk.reads + tdisk.writes + tdisk.flushes + tdisk.discards + tdisk.zeroes, 0);

	/* Unreachable: header, data, status. */
	segs[0] = (struct seg){UNREACHABLE, 16};
	segs[1] = (struct seg){q->scratch + STATUS_OFF, 1};
	CHECK_EQ(run_chain(q, segs, 1, 1, 0), 1);
	CHECK_EQ(get_status(q), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(request(q, VIRTIO_BLK_T_OUT, 0, UNREACHABLE, 512, false, &used),
		 VIRTIO_BLK_S_IOERR);
	CHECK_EQ(used, 1);
	CHECK_EQ(request(q, VIRTIO_BLK_T_IN, 0, GUEST_BASE + GUEST_SIZE - 512, 1024, true, &used),
		 VIRTIO_BLK_S_IOERR);
	CHECK_EQ(used, 0);
	CHECK_EQ(request(q, VIRTIO_BLK_T_IN, 0, ~0ULL - 511, 1024, true, &used),
		 VIRTIO_BLK_S_IOERR);
	CHECK_EQ(tdisk.reads + tdisk.writes, 0);
	/* A read whose second round fails: the first one was written. */
	segs[0] = (struct seg){q->scratch, 16};
	segs[1] = (struct seg){DATA_BASE, MiB};
	segs[2] = (struct seg){UNREACHABLE, 512};
	segs[3] = (struct seg){q->scratch + STATUS_OFF, 1};
	put_header(q, VIRTIO_BLK_T_IN, 0);
	CHECK_EQ(run_chain(q, segs, 1, 3, 0), MiB);
	CHECK_EQ(get_status(q), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(memcmp(hva(DATA_BASE), tdisk.data, MiB), 0);
	segs[1] = (struct seg){DATA_BASE, 512};
	segs[2] = (struct seg){UNREACHABLE, 1};
	put_header(q, VIRTIO_BLK_T_IN, 0);
	CHECK_EQ(run_chain(q, segs, 1, 2, 0), 0);

	/* And it works as before. */
	CHECK_EQ(request(q, VIRTIO_BLK_T_IN, 0, DATA_BASE, 512, true, &used), VIRTIO_BLK_S_OK);
	CHECK_EQ(used, 513);
	CHECK(!(atomic_load(&guest.vdev->status) & VIRTIO_CONFIG_S_NEEDS_RESET));
	blk_guest_end();
}

TEST(read_only)
{
	struct driver_queue *q = &guest.queues[0];
	const u32 range[4] = {0, 0, htole32(8), 0};
	s64 used;

	blk_guest_start(&(struct blk_guest_options){.read_only = true});
	CHECK_EQ(request(q, VIRTIO_BLK_T_OUT, 0, DATA_BASE, 512, false, &used), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(request(q, VIRTIO_BLK_T_OUT, 0, DATA_BASE, 0, false, &used), VIRTIO_BLK_S_IOERR);
	memcpy(hva(DATA_BASE), range, sizeof(range));
	CHECK_EQ(request(q, VIRTIO_BLK_T_DISCARD, 0, DATA_BASE, 16, false, NULL),
		 VIRTIO_BLK_S_UNSUPP);
	CHECK_EQ(request(q, VIRTIO_BLK_T_WRITE_ZEROES, 0, DATA_BASE, 16, false, NULL),
		 VIRTIO_BLK_S_UNSUPP);
	CHECK_EQ(tdisk.writes + tdisk.discards + tdisk.zeroes, 0);
	CHECK_EQ(request(q, VIRTIO_BLK_T_IN, 0, DATA_BASE, 512, true, &used), VIRTIO_BLK_S_OK);
	CHECK_EQ(request(q, VIRTIO_BLK_T_FLUSH, 0, 0, 0, true, &used), VIRTIO_BLK_S_OK);
	blk_guest_end();
}

/* Sends @nr ranges of {sector, num_sectors, flags}. */
static u8 send_ranges(bool discard, const u64 (*ranges)[3], unsigned int nr)
{
	struct virtio_blk_discard_write_zeroes *to = hva(DATA_BASE);

	for (unsigned int i = 0; i < nr; i++) {
		to[i].sector = htole64(ranges[i][0]);
		to[i].num_sectors = htole32(ranges[i][1]);
		to[i].flags = htole32(ranges[i][2]);
	}
	return request(&guest.queues[0], discard ? VIRTIO_BLK_T_DISCARD : VIRTIO_BLK_T_WRITE_ZEROES,
		       0, DATA_BASE, nr * sizeof(*to), false, NULL);
}

static bool all_bytes(const u8 *p, u64 len, u8 val)
{
	for (u64 i = 0; i < len; i++) {
		if (p[i] != val)
			return false;
	}
	return true;
}

TEST(discard_and_zeroes)
{
	static const u64 good[][3] = {{8, 8, 0}, {100, 0, 0}, {DISK_SECTORS - 3, 3, 0}};
	static const u64 unmap[][3] = {{40, 2, 1}, {50, 2, 0}};
	static u64 many[33][3];
	static const u64 bad[][3] = {
		{DISK_SECTORS, 1, 0}, {DISK_SECTORS - 1, 2, 0}, {~0ULL, 1, 0},
		{~0ULL, 0, 0},	      {1ULL << 63, 8, 0},	{0, 0xffffffff, 0},
	};
	static u8 copy[DISK_SIZE];

	blk_guest_start(&one_queue);
	CHECK_EQ(send_ranges(true, good, 3), VIRTIO_BLK_S_OK);
	CHECK_EQ(tdisk.discards, 2);
	CHECK(all_bytes(tdisk.data + 8 * 512, 8 * 512, 0xdd));
	CHECK(all_bytes(tdisk.data + DISK_SIZE - 3 * 512, 3 * 512, 0xdd));
	CHECK_EQ(send_ranges(false, good, 3), VIRTIO_BLK_S_OK);
	CHECK_EQ(tdisk.zeroes, 2);
	CHECK_EQ(tdisk.unmaps, 0);
	CHECK(all_bytes(tdisk.data + 8 * 512, 8 * 512, 0));
	CHECK(all_bytes(tdisk.data + DISK_SIZE - 3 * 512, 3 * 512, 0));
	CHECK_EQ(send_ranges(false, unmap, 2), VIRTIO_BLK_S_OK);
	CHECK_EQ(tdisk.unmaps, 1);
	CHECK_EQ(tdisk.zeroes, 4);

	/* As many as allowed, and one more. */
	for (unsigned int i = 0; i < ARRAY_SIZE(many); i++) {
		many[i][0] = 2 * i;
		many[i][1] = 1;
	}
	CHECK_EQ(le32toh(read_config().max_discard_seg), 32);
	CHECK_EQ(le32toh(read_config().max_write_zeroes_seg), 32);
	CHECK_EQ(send_ranges(true, many, 32), VIRTIO_BLK_S_OK);
	CHECK_EQ(tdisk.discards, 34);

	memcpy(copy, tdisk.data, DISK_SIZE);
	CHECK_EQ(send_ranges(true, many, 33), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(send_ranges(false, many, 33), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(send_ranges(true, many, 0), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(request(&guest.queues[0], VIRTIO_BLK_T_DISCARD, 0, DATA_BASE, 17, false, NULL),
		 VIRTIO_BLK_S_IOERR);
	CHECK_EQ(request(&guest.queues[0], VIRTIO_BLK_T_DISCARD, 0, UNREACHABLE, 16, false, NULL),
		 VIRTIO_BLK_S_IOERR);
	/* Flags: unmap is for zeroes only, and there are no others. */
	CHECK_EQ(send_ranges(true, unmap, 2), VIRTIO_BLK_S_UNSUPP);
	many[1][2] = 2;
	CHECK_EQ(send_ranges(true, many, 2), VIRTIO_BLK_S_UNSUPP);
	CHECK_EQ(send_ranges(false, many, 2), VIRTIO_BLK_S_UNSUPP);
	many[1][2] = 0x80000001;
	CHECK_EQ(send_ranges(false, many, 2), VIRTIO_BLK_S_UNSUPP);
	/* Ranges: one wrong, none done. */
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		memcpy(many[1], bad[i], sizeof(many[1]));
		CHECK_EQ(send_ranges(true, many, 2), VIRTIO_BLK_S_IOERR);
		CHECK_EQ(send_ranges(false, many, 2), VIRTIO_BLK_S_IOERR);
	}
	CHECK_EQ(memcmp(copy, tdisk.data, DISK_SIZE), 0);
	CHECK_EQ(tdisk.discards, 34);
	CHECK_EQ(tdisk.zeroes, 4);

	/* A host that cannot after all; and one that fails. */
	tdisk.fail = -EOPNOTSUPP;
	CHECK_EQ(send_ranges(true, good, 1), VIRTIO_BLK_S_UNSUPP);
	tdisk.fail = -EIO;
	CHECK_EQ(send_ranges(false, good, 1), VIRTIO_BLK_S_IOERR);
	tdisk.fail = 0;

	/* Not negotiated. */
	driver_init(BIT_ULL(VIRTIO_BLK_F_DISCARD) | BIT_ULL(VIRTIO_BLK_F_WRITE_ZEROES), true);
	CHECK_EQ(send_ranges(true, good, 1), VIRTIO_BLK_S_UNSUPP);
	CHECK_EQ(send_ranges(false, good, 1), VIRTIO_BLK_S_UNSUPP);
	blk_guest_end();

	blk_guest_start(&(struct blk_guest_options){.plain_disk = true});
	CHECK(!virtio_has_feature(guest.vdev, VIRTIO_BLK_F_DISCARD));
	CHECK_EQ(send_ranges(true, good, 1), VIRTIO_BLK_S_UNSUPP);
	blk_guest_end();
}

/* A range inside the disk but longer than the device said it may be. */
static void range_limits(u64 max_range)
{
	u64 range[1][3] = {{0}};

	blk_guest_start(&(struct blk_guest_options){.big_disk = true, .max_range = max_range});
	if (max_range)
		CHECK_EQ(le32toh(read_config().max_discard_sectors), max_range / 512);
	range[0][1] = le32toh(read_config().max_discard_sectors) + 1;
	CHECK_EQ(send_ranges(true, range, 1), VIRTIO_BLK_S_IOERR);
	range[0][1] = le32toh(read_config().max_write_zeroes_sectors) + 1;
	CHECK_EQ(send_ranges(false, range, 1), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(tdisk.discards + tdisk.zeroes, 0);
	blk_guest_end();
}

TEST(range_limits)
{
	range_limits(0);
	/* Of a disk to which each part of a range is work. */
	range_limits(MiB);
}
