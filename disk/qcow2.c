// SPDX-License-Identifier: GPL-2.0-only
/* Disks in qcow2 images: opening and closing. */
#include <errno.h>
#include <stdlib.h>

#include "disk/raw.h"
#include "qcow2-internal.h"
#include "util/log.h"

/* Of one discard or write of zeroes: each may be in a place of its own. */
#define MAX_RANGE_CLUSTERS 16384ULL

static void destroy(struct qcow2 *q)
{
	if (q->backing)
		disk_close(q->backing);
	if (q->file)
		disk_close(q->file);
	qcow2_packed_destroy(q);
	qcow2_cache_destroy(&q->l2);
	qcow2_cache_destroy(&q->refs);
	pthread_cond_destroy(&q->ranges.done);
	pthread_mutex_destroy(&q->ranges.lock);
	pthread_mutex_destroy(&q->alloc_lock);
	free(q->meta.slots);
	free(q->freed);
	free(q->reftable);
	free(q->l1_dirty);
	free(q->l1);
	free(q->name);
	free(q);
}

/* What was given back is counted when all else is stable, so twice. */
static void write_back(struct qcow2 *q)
{
	int ret;

	pthread_mutex_lock(&q->alloc_lock);
	ret = qcow2_commit(q, true);
	if (!ret)
		ret = qcow2_commit(q, false);
	pthread_mutex_unlock(&q->alloc_lock);
	if (ret)
		pr_warn("disk %s: what was written last is lost", q->name);
}

static void qcow2_close(struct disk *disk)
{
	struct qcow2 *q = to_qcow2(disk);

	if (!disk->read_only && !atomic_load(&q->stopped))
		write_back(q);
	destroy(q);
}

static const struct disk_ops qcow2_ops = {
	.preadv = qcow2_preadv,
	.pwritev = qcow2_pwritev,
	.flush = qcow2_flush,
	.discard = qcow2_discard,
	.write_zeroes = qcow2_write_zeroes,
	.close = qcow2_close,
};

static struct qcow2 *new_image(const struct disk_config *config, struct qcow2 *overlay)
{
	struct qcow2 *q = calloc(1, sizeof(*q));

	if (q)
		q->name = strdup(config->path);
	if (!q || !q->name) {
		pr_err("disk %s: out of memory", config->path);
		free(q);
		return NULL;
	}
	q->overlay = overlay;
	q->disk.ops = &qcow2_ops;
	q->disk.read_only = config->read_only;
	pthread_mutex_init(&q->alloc_lock, NULL);
	pthread_mutex_init(&q->ranges.lock, NULL);
	pthread_cond_init(&q->ranges.done, NULL);
	list_init(&q->ranges.list);
	qcow2_packed_init(q);
	return q;
}

/* What the guest sees of it. */
static void describe(struct qcow2 *q)
{
	struct disk *disk = &q->disk;

	disk->size = align_up(q->size, DISK_SECTOR_SIZE);
	disk->block_size = DISK_SECTOR_SIZE;
	disk->physical_block_size = max(q->file->physical_block_size, DISK_SECTOR_SIZE);
	if (disk->read_only)
		return;
	/* Less than that is copied with what is around it, the first time. */
	disk->opt_io_size = q->sub_size;
	disk->can_write_zeroes = true;
	disk->can_discard = true;
	disk->can_unmap = true;
	disk->discard_granularity = q->sub_size;
	disk->max_range = MAX_RANGE_CLUSTERS << q->cluster_bits;
}

int qcow2_open_chain(struct disk **out, const struct disk_config *config, struct qcow2 *overlay)
{
	struct qcow2 *q = new_image(config, overlay);
	struct qcow2_header h;
	int ret;

	if (!q)
		return -ENOMEM;
	ret = raw_open_container(&q->file, config);
	if (!ret)
		ret = qcow2_read_header(q, &h);
	if (!ret)
		ret = qcow2_load_tables(q, &h);
	if (!ret)
		ret = qcow2_open_backing(q, &h, config);
	if (ret) {
		destroy(q);
		return ret;
	}
	q->overlay = NULL;
	describe(q);
	*out = &q->disk;
	return 0;
}

int qcow2_open(struct disk **out, const struct disk_config *config)
{
	return qcow2_open_chain(out, config, NULL);
}
