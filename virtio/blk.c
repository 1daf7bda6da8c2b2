// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtio block device: virtio 1.3, 5.2.
 *
 * A request is a header in the first readable bytes, data, and a status in the last
 * writable byte; how the driver cut that into descriptors means nothing (2.7.4).
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util/log.h"
#include "util/report.h"
#include "virtio/blk.h"
#include "virtio/worker.h"

#define QUEUE_SIZE 256
/* A chain has the header and the status besides the data. */
#define SEG_MAX (QUEUE_SIZE - 2)

/* Limits of discard and write zeroes: they bound how long one of them takes. */
#define MAX_RANGES		 32
#define MAX_DISCARD_SECTORS	 (2 * GiB / DISK_SECTOR_SIZE)
#define MAX_WRITE_ZEROES_SECTORS (128 * MiB / DISK_SECTOR_SIZE)

/*
 * Data is moved in rounds of at most so many bytes and pieces. 512 pieces are always
 * enough for a sector.
 */
#define ROUND_BYTES (1 * MiB)
#define ROUND_IOVS  VIRTQ_MAX_SEGS

/* How long a finished request may wait for the rest of its batch. */
#define BATCH_NS 50000

#define CONFIG_SIZE offsetof(struct virtio_blk_config, max_secure_erase_sectors)

/* What requests are counted as. */
enum blk_kind {
	BLK_READ,
	BLK_WRITE,
	BLK_FLUSH,
	BLK_DISCARD,
	BLK_WRITE_ZEROES,
	BLK_OTHER, /* the serial number, and what is no request */
	BLK_NR_KINDS,
};

struct blk_counters {
	_Atomic u64 requests, failed;
	_Atomic u64 bytes; /* of the disk, also by requests that failed later */
};

struct blk_queue {
	struct virtio_blk *blk;
	struct virtq *vq;
	struct virtio_worker worker;
	struct blk_counters counters[BLK_NR_KINDS]; /* written by the queue's thread alone */

	/* Of the request in work. */
	struct virtq_chain chain;
	enum blk_kind kind;
	u64 bytes; /* of the disk that were read, written, discarded or zeroed */
	struct iovec iov[ROUND_IOVS];
	dma_handle_t handles[ROUND_IOVS];
};

static struct virtio_blk *to_blk(struct virtio_device *vdev)
{
	return container_of(vdev, struct virtio_blk, vdev);
}

static bool in_disk(const struct disk *disk, u64 sector, u64 nr)
{
	u64 sectors = disk->size / DISK_SECTOR_SIZE;

	return sector <= sectors && nr <= sectors - sector;
}

/* The end of a write: it has to be stable now if there is no writeback cache. */
static int write_done(struct virtio_blk *blk)
{
	if (atomic_load(&blk->writeback))
		return 0;
	return blk->disk->ops->flush(blk->disk);
}

/* One round of do_transfer(): @len bytes of the request at @off, of the disk at @pos. */
static int transfer_round(struct blk_queue *q, bool write, u64 off, u64 len, u64 pos)
{
	struct disk *disk = q->blk->disk;
	unsigned int nr_handles;
	int ret;

	ret = virtq_map(q->vq, &q->chain, !write, off, len, q->iov, q->handles, ROUND_IOVS,
			&nr_handles);
	if (ret < 0)
		return ret;
	if (write)
		ret = disk->ops->pwritev(disk, q->iov, ret, pos);
	else
		ret = disk->ops->preadv(disk, q->iov, ret, pos);
	virtq_unmap(q->vq, q->handles, nr_handles);
	return ret ? -EIO : 0;
}

/* Reads and writes. q->bytes says how many bytes of the data were moved, also on failure. */
static int do_transfer(struct blk_queue *q, bool write, u64 sector)
{
	const struct virtq_chain *chain = &q->chain;
	struct disk *disk = q->blk->disk;
	u64 start = write ? sizeof(struct virtio_blk_outhdr) : 0;
	u64 len = write ? chain->out_len - start : chain->in_len - 1;
	u64 round = ROUND_BYTES;

	if (write && disk->read_only)
		return -EIO;
	if (len % DISK_SECTOR_SIZE || !in_disk(disk, sector, len / DISK_SECTOR_SIZE))
		return -EIO;

	while (q->bytes < len) {
		u64 part = min(len - q->bytes, round);
		int ret;

		if (atomic_load(&q->worker.stop))
			return -ECANCELED;
		ret = transfer_round(q, write, start + q->bytes, part,
				     sector * DISK_SECTOR_SIZE + q->bytes);
		if ((ret == -E2BIG || ret == -EBUSY) && part > DISK_SECTOR_SIZE) {
			round = align_up(part / 2, DISK_SECTOR_SIZE);
			continue;
		}
		if (ret)
			return ret;
		q->bytes += part;
	}
	return write ? write_done(q->blk) : 0;
}

static int do_flush(struct blk_queue *q)
{
	/* It may take long: what is finished does not wait for it. */
	virtq_publish(q->vq);
	return q->blk->disk->ops->flush(q->blk->disk);
}

static int do_get_id(struct blk_queue *q, u64 *done)
{
	u64 len = min(q->chain.in_len - 1, (u64)BLK_SERIAL_LEN);

	if (virtq_copy_in(q->vq, &q->chain, 0, q->blk->serial, len) != (ssize_t)len)
		return -EIO;
	*done = len;
	return 0;
}

/* The limit in sectors of what would else be @most; a power of two. */
static u32 range_limit(const struct disk *disk, u32 most)
{
	return disk->max_range ? min(disk->max_range / DISK_SECTOR_SIZE, (u64)most) : most;
}

static int check_range(const struct disk *disk, const struct virtio_blk_discard_write_zeroes *range,
		       bool discard)
{
	u32 known = discard ? 0 : VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
	u32 limit = range_limit(disk, discard ? MAX_DISCARD_SECTORS : MAX_WRITE_ZEROES_SECTORS);
	u32 nr = le32toh(range->num_sectors);

	if (le32toh(range->flags) & ~known)
		return -EOPNOTSUPP;
	if (nr > limit || !in_disk(disk, le64toh(range->sector), nr))
		return -EIO;
	return 0;
}

static int do_range(struct disk *disk, const struct virtio_blk_discard_write_zeroes *range,
		    bool discard)
{
	u64 off = le64toh(range->sector) * DISK_SECTOR_SIZE;
	u64 len = (u64)le32toh(range->num_sectors) * DISK_SECTOR_SIZE;

	if (!len)
		return 0;
	if (discard)
		return disk->ops->discard(disk, off, len);
	return disk->ops->write_zeroes(disk, off, len,
				       le32toh(range->flags) & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP);
}

/* Discard and write zeroes. */
static int do_ranges(struct blk_queue *q, bool discard)
{
	struct virtio_blk_discard_write_zeroes ranges[MAX_RANGES];
	u64 start = sizeof(struct virtio_blk_outhdr);
	u64 len = q->chain.out_len - start;
	unsigned int nr = len / sizeof(ranges[0]);
	int ret = 0;

	if (!virtio_has_feature(&q->blk->vdev,
				discard ? VIRTIO_BLK_F_DISCARD : VIRTIO_BLK_F_WRITE_ZEROES))
		return -EOPNOTSUPP;
	if (!len || len % sizeof(ranges[0]) || len > sizeof(ranges))
		return -EIO;
	if (virtq_copy_out(q->vq, &q->chain, start, ranges, len) != (ssize_t)len)
		return -EIO;

	/* Nothing is done if one of them is wrong. */
	for (unsigned int i = 0; i < nr && !ret; i++)
		ret = check_range(q->blk->disk, &ranges[i], discard);
	for (unsigned int i = 0; i < nr && !ret; i++) {
		if (atomic_load(&q->worker.stop))
			return -ECANCELED;
		ret = do_range(q->blk->disk, &ranges[i], discard);
		if (!ret)
			q->bytes += (u64)le32toh(ranges[i].num_sectors) * DISK_SECTOR_SIZE;
	}
	if (!ret && !discard)
		ret = write_done(q->blk);
	return ret;
}

/* @done: how many bytes of the writable part were written, from its start on. */
static int execute(struct blk_queue *q, u64 *done)
{
	struct virtio_blk_outhdr hdr;
	int ret;

	if (virtq_copy_out(q->vq, &q->chain, 0, &hdr, sizeof(hdr)) != sizeof(hdr))
		return -EIO;
	switch (le32toh(hdr.type)) {
	case VIRTIO_BLK_T_IN:
		q->kind = BLK_READ;
		ret = do_transfer(q, false, le64toh(hdr.sector));
		*done = q->bytes;
		return ret;
	case VIRTIO_BLK_T_OUT:
		/* What a write moves is read from the driver's memory. */
		q->kind = BLK_WRITE;
		return do_transfer(q, true, le64toh(hdr.sector));
	case VIRTIO_BLK_T_FLUSH:
		q->kind = BLK_FLUSH;
		return do_flush(q);
	case VIRTIO_BLK_T_GET_ID:
		return do_get_id(q, done);
	case VIRTIO_BLK_T_DISCARD:
		q->kind = BLK_DISCARD;
		return do_ranges(q, true);
	case VIRTIO_BLK_T_WRITE_ZEROES:
		q->kind = BLK_WRITE_ZEROES;
		return do_ranges(q, false);
	default:
		return -EOPNOTSUPP;
	}
}

static void count(_Atomic u64 *counter, u64 n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* Before the driver sees that the request is done. */
static void count_request(struct blk_queue *q, bool failed)
{
	struct blk_counters *c = &q->counters[q->kind];

	count(&c->requests, 1);
	count(&c->failed, failed);
	count(&c->bytes, q->bytes);
}

/*
 * Executes q->chain and writes its status. @used is the used length. -ECANCELED: the
 * queue stops, the request is given up and must not be put in the used ring.
 *
 * The used length promises that so many bytes from the start of the writable part were
 * written; it may be too small, never too big (2.7.8.2). So a request that left out
 * bytes before the status does not count the status.
 */
static int handle_request(struct blk_queue *q, u32 *used)
{
	u64 in_len = q->chain.in_len;
	u64 done = 0;
	u8 status;
	int ret;

	*used = 0;
	q->kind = BLK_OTHER;
	q->bytes = 0;
	/* Without room for a status nothing can be answered. */
	if (!in_len) {
		count_request(q, true);
		return 0;
	}
	ret = execute(q, &done);
	if (ret == -ECANCELED)
		return ret;
	count_request(q, ret);

	if (!ret)
		status = VIRTIO_BLK_S_OK;
	else if (ret == -EOPNOTSUPP)
		status = VIRTIO_BLK_S_UNSUPP;
	else
		status = VIRTIO_BLK_S_IOERR;
	if (virtq_copy_in(q->vq, &q->chain, in_len - 1, &status, 1) != 1)
		return 0;
	if (done == in_len - 1)
		done++;
	*used = min(done, (u64)UINT32_MAX);
	return 0;
}

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* Executes the requests that are there, until there are none or the queue stops. */
static void handle_requests(struct blk_queue *q)
{
	u64 batch_start = now_ns();
	u32 used;

	virtq_disable_kick(q->vq);
	while (!atomic_load(&q->worker.stop) && virtq_pop(q->vq, &q->chain) > 0) {
		u64 now;

		if (handle_request(q, &used) || virtq_push(q->vq, q->chain.head, used))
			break;
		now = now_ns();
		if (now - batch_start >= BATCH_NS) {
			virtq_publish(q->vq);
			batch_start = now;
		}
	}
	virtq_publish(q->vq);
}

static void serve(struct virtio_worker *worker)
{
	struct blk_queue *q = container_of(worker, struct blk_queue, worker);

	/* There may be requests from before the start, with or without a kick. */
	while (!atomic_load(&worker->stop)) {
		handle_requests(q);
		if (!virtq_enable_kick(q->vq))
			virtio_worker_wait(worker, NULL, 0);
	}
}

static int blk_queue_start(struct virtio_device *vdev, unsigned int index)
{
	virtio_worker_start(&to_blk(vdev)->queues[index].worker);
	return 0;
}

static void blk_queue_stop(struct virtio_device *vdev, unsigned int index)
{
	virtio_worker_stop(&to_blk(vdev)->queues[index].worker);
}

static void blk_config_read(struct virtio_device *vdev, u32 off, void *buf, u32 len)
{
	struct virtio_blk *blk = to_blk(vdev);
	struct virtio_blk_config config = blk->config;

	config.wce = atomic_load(&blk->writeback);
	memcpy(buf, (u8 *)&config + off, len);
}

static void blk_config_write(struct virtio_device *vdev, u32 off, const void *buf, u32 len)
{
	u32 wce = offsetof(struct virtio_blk_config, wce);

	if (!virtio_has_feature(vdev, VIRTIO_BLK_F_CONFIG_WCE))
		return;
	if (off <= wce && wce - off < len)
		atomic_store(&to_blk(vdev)->writeback, ((const u8 *)buf)[wce - off] != 0);
}

/*
 * A driver that does not know of flushes must find each completed write stable, and
 * the writeback byte starts at 0 for it (5.2.5.2, 5.2.6.2).
 */
static int blk_features_ok(struct virtio_device *vdev, u64 features)
{
	atomic_store(&to_blk(vdev)->writeback, features & BIT_ULL(VIRTIO_BLK_F_FLUSH));
	return 0;
}

static void blk_reset(struct virtio_device *vdev)
{
	atomic_store(&to_blk(vdev)->writeback, true);
}

static u64 sum(const struct virtio_blk *blk, enum blk_kind kind, size_t off)
{
	u64 total = 0;

	for (unsigned int i = 0; i < blk->nr_queues; i++) {
		const u8 *counters = (const u8 *)&blk->queues[i].counters[kind];

		total += atomic_load_explicit((const _Atomic u64 *)(counters + off),
					      memory_order_relaxed);
	}
	return total;
}

static void blk_stat(struct virtio_device *vdev, struct report *r)
{
	static const struct {
		const char *name;
		bool has_bytes;
	} kinds[BLK_NR_KINDS] = {
		[BLK_READ] = {"reads", true},	       [BLK_WRITE] = {"writes", true},
		[BLK_FLUSH] = {"flushes", false},      [BLK_DISCARD] = {"discards", true},
		[BLK_WRITE_ZEROES] = {"zeroes", true}, [BLK_OTHER] = {"others", false},
	};
	const struct virtio_blk *blk = to_blk(vdev);

	report_u64(r, "disk_size", blk->disk->size);
	report_bool(r, "read_only", blk->disk->read_only);
	for (enum blk_kind k = 0; k < BLK_NR_KINDS; k++) {
		report_object_begin(r, kinds[k].name);
		report_u64(r, "requests", sum(blk, k, offsetof(struct blk_counters, requests)));
		if (kinds[k].has_bytes)
			report_u64(r, "bytes", sum(blk, k, offsetof(struct blk_counters, bytes)));
		report_u64(r, "failed", sum(blk, k, offsetof(struct blk_counters, failed)));
		report_object_end(r);
	}
}

static const struct virtio_ops blk_ops = {
	.name = "virtio-blk",
	.id = 2,
	.threaded = true,
	.config_size = CONFIG_SIZE,
	.config_read = blk_config_read,
	.config_write = blk_config_write,
	.features_ok = blk_features_ok,
	.queue_start = blk_queue_start,
	.queue_stop = blk_queue_stop,
	.reset = blk_reset,
	.stat = blk_stat,
};

static u64 disk_features(const struct disk *disk, unsigned int nr_queues)
{
	u64 features = BIT_ULL(VIRTIO_BLK_F_SEG_MAX) | BIT_ULL(VIRTIO_BLK_F_BLK_SIZE) |
		       BIT_ULL(VIRTIO_BLK_F_TOPOLOGY) | BIT_ULL(VIRTIO_BLK_F_FLUSH) |
		       BIT_ULL(VIRTIO_BLK_F_CONFIG_WCE);

	if (nr_queues > 1)
		features |= BIT_ULL(VIRTIO_BLK_F_MQ);
	if (disk->read_only)
		return features | BIT_ULL(VIRTIO_BLK_F_RO);
	if (disk->can_discard)
		features |= BIT_ULL(VIRTIO_BLK_F_DISCARD);
	if (disk->can_write_zeroes)
		features |= BIT_ULL(VIRTIO_BLK_F_WRITE_ZEROES);
	return features;
}

static void fill_config(struct virtio_blk_config *config, const struct disk *disk,
			unsigned int nr_queues)
{
	u32 block = disk->block_size;
	u32 min_io = max(disk->min_io_size, disk->physical_block_size) / block;
	u32 align_offset = disk->align_offset / block;

	config->capacity = htole64(disk->size / DISK_SECTOR_SIZE);
	config->seg_max = htole32(SEG_MAX);
	config->blk_size = htole32(block);
	config->physical_block_exp = __builtin_ctz(disk->physical_block_size / block);
	config->alignment_offset = align_offset <= UINT8_MAX ? align_offset : 0;
	config->min_io_size = htole16(min(min_io, (u32)UINT16_MAX));
	config->opt_io_size = htole32(disk->opt_io_size / block);
	config->num_queues = htole16(nr_queues);
	if (disk->can_discard) {
		config->max_discard_sectors = htole32(range_limit(disk, MAX_DISCARD_SECTORS));
		config->max_discard_seg = htole32(MAX_RANGES);
		config->discard_sector_alignment =
			htole32(max(disk->discard_granularity, block) / DISK_SECTOR_SIZE);
	}
	if (disk->can_write_zeroes) {
		config->max_write_zeroes_sectors =
			htole32(range_limit(disk, MAX_WRITE_ZEROES_SECTORS));
		config->max_write_zeroes_seg = htole32(MAX_RANGES);
		config->write_zeroes_may_unmap = disk->can_unmap;
	}
}

static int queue_create(struct blk_queue *q, struct virtio_blk *blk, unsigned int disk_index,
			unsigned int index)
{
	char name[16];

	q->blk = blk;
	q->vq = &blk->vdev.vqs[index];
	/* As long as a thread's name may be: of these numbers nothing is ever cut. */
	snprintf(name, sizeof(name), "blk%hhu-q%hhu", (u8)disk_index, (u8)index);
	return virtio_worker_init(&q->worker, q->vq, serve, name);
}

static void stop_threads(struct virtio_blk *blk)
{
	while (blk->nr_queues)
		virtio_worker_destroy(&blk->queues[--blk->nr_queues].worker);
}

int virtio_blk_create(struct virtio_blk **out, const struct blk_config *config, struct disk *disk,
		      const struct guest_mem *mem, struct iommu_endpoint *ep)
{
	struct virtio_blk *blk = calloc(1, sizeof(*blk));
	int ret = -ENOMEM;

	if (!blk)
		goto err;
	blk->queues = calloc(config->queues, sizeof(*blk->queues));
	if (!blk->queues)
		goto err_free;
	blk->disk = disk;
	atomic_init(&blk->writeback, true);
	memcpy(blk->serial, config->serial, sizeof(blk->serial));
	fill_config(&blk->config, disk, config->queues);
	ret = virtio_device_init(&blk->vdev, &blk_ops, disk_features(disk, config->queues),
				 config->queues, QUEUE_SIZE, mem, ep);
	if (ret)
		goto err_queues;
	while (blk->nr_queues < config->queues) {
		ret = queue_create(&blk->queues[blk->nr_queues], blk, config->index,
				   blk->nr_queues);
		if (ret)
			goto err_device;
		blk->nr_queues++;
	}
	*out = blk;
	return 0;

err_device:
	stop_threads(blk);
	virtio_device_destroy(&blk->vdev);
err_queues:
	free(blk->queues);
err_free:
	free(blk);
err:
	pr_err("disk %s: cannot make its device: %s", config->disk.path, strerror(-ret));
	return ret;
}

void virtio_blk_destroy(struct virtio_blk *blk)
{
	stop_threads(blk);
	virtio_device_destroy(&blk->vdev);
	free(blk->queues);
	disk_close(blk->disk);
	free(blk);
}
