// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "blk-guest.h"

/* A wait that takes so long is a completion that never comes. */
#define LOST_SECONDS 30

struct test_disk tdisk;
struct blk_guest guest;

static int disk_enter(unsigned int *count)
{
	int ret;

	pthread_mutex_lock(&tdisk.lock);
	++*count;
	tdisk.waiting++;
	pthread_cond_broadcast(&tdisk.changed);
	while (tdisk.gate && !tdisk.passes)
		pthread_cond_wait(&tdisk.changed, &tdisk.lock);
	if (tdisk.gate)
		tdisk.passes--;
	tdisk.waiting--;
	ret = tdisk.fail;
	pthread_mutex_unlock(&tdisk.lock);
	return ret;
}

static int disk_leave(int ret)
{
	pthread_mutex_lock(&tdisk.lock);
	tdisk.finished++;
	pthread_cond_broadcast(&tdisk.changed);
	pthread_mutex_unlock(&tdisk.lock);
	return ret;
}

static int test_preadv(struct disk *disk, struct iovec *iov, unsigned int nr, u64 off)
{
	int ret = disk_enter(&tdisk.reads);

	for (unsigned int i = 0; i < nr && !ret; i++) {
		if (off + iov[i].iov_len > disk->size)
			abort();
		memcpy(iov[i].iov_base, tdisk.data + off, iov[i].iov_len);
		off += iov[i].iov_len;
	}
	return disk_leave(ret);
}

static int test_pwritev(struct disk *disk, struct iovec *iov, unsigned int nr, u64 off)
{
	int ret = disk_enter(&tdisk.writes);

	for (unsigned int i = 0; i < nr && !ret; i++) {
		if (off + iov[i].iov_len > disk->size || disk->read_only)
			abort();
		memcpy(tdisk.data + off, iov[i].iov_base, iov[i].iov_len);
		off += iov[i].iov_len;
	}
	return disk_leave(ret);
}

static int test_flush(struct disk *disk)
{
	(void)disk;
	return disk_leave(disk_enter(&tdisk.flushes));
}

static int test_discard(struct disk *disk, u64 off, u64 len)
{
	int ret = disk_enter(&tdisk.discards);

	if (off + len > disk->size || disk->read_only)
		abort();
	if (!ret)
		memset(tdisk.data + off, 0xdd, len);
	return disk_leave(ret);
}

static int test_write_zeroes(struct disk *disk, u64 off, u64 len, bool unmap)
{
	int ret = disk_enter(&tdisk.zeroes);

	if (off + len > disk->size || disk->read_only)
		abort();
	tdisk.unmaps += unmap;
	if (!ret)
		memset(tdisk.data + off, 0, len);
	return disk_leave(ret);
}

static void test_close(struct disk *disk)
{
	(void)disk;
	free(tdisk.data);
}

static const struct disk_ops test_disk_ops = {
	.preadv = test_preadv,
	.pwritev = test_pwritev,
	.flush = test_flush,
	.discard = test_discard,
	.write_zeroes = test_write_zeroes,
	.close = test_close,
};

void gate_close(void)
{
	pthread_mutex_lock(&tdisk.lock);
	tdisk.gate = true;
	pthread_mutex_unlock(&tdisk.lock);
}

void gate_open(void)
{
	pthread_mutex_lock(&tdisk.lock);
	tdisk.gate = false;
	pthread_cond_broadcast(&tdisk.changed);
	pthread_mutex_unlock(&tdisk.lock);
}

void gate_wait(unsigned int waiting)
{
	pthread_mutex_lock(&tdisk.lock);
	while (tdisk.waiting < waiting)
		pthread_cond_wait(&tdisk.changed, &tdisk.lock);
	pthread_mutex_unlock(&tdisk.lock);
}

void gate_pass(void)
{
	pthread_mutex_lock(&tdisk.lock);
	tdisk.passes++;
	pthread_cond_broadcast(&tdisk.changed);
	pthread_mutex_unlock(&tdisk.lock);
}

void gate_wait_finished(unsigned int finished)
{
	pthread_mutex_lock(&tdisk.lock);
	while (tdisk.finished < finished)
		pthread_cond_wait(&tdisk.changed, &tdisk.lock);
	pthread_mutex_unlock(&tdisk.lock);
}

unsigned int disk_count(const unsigned int *count)
{
	unsigned int ret;

	pthread_mutex_lock(&tdisk.lock);
	ret = *count;
	pthread_mutex_unlock(&tdisk.lock);
	return ret;
}

void *hva(u64 gpa)
{
	return guest.ram + (gpa - GUEST_BASE);
}

static void test_interrupt(struct virtio_device *vdev, struct virtq *vq)
{
	struct driver_queue *q;

	(void)vdev;
	q = &guest.queues[vq ? vq->index : BLK_MAX_QUEUES];
	pthread_mutex_lock(&q->lock);
	q->interrupts++;
	pthread_cond_broadcast(&q->interrupted);
	pthread_mutex_unlock(&q->lock);
}

static int test_kick_fd_set(struct virtio_device *vdev, struct virtq *vq, bool on)
{
	(void)vdev;
	(void)vq;
	(void)on;
	return 0;
}

static const struct virtio_transport_ops test_transport = {
	.interrupt = test_interrupt,
	.kick_fd_set = test_kick_fd_set,
};

void status_set(u8 bits)
{
	pthread_mutex_lock(&guest.vdev->lock);
	virtio_set_status(guest.vdev, bits ? atomic_load(&guest.vdev->status) | bits : 0);
	pthread_mutex_unlock(&guest.vdev->lock);
}

void queue_setup(struct driver_queue *q)
{
	u64 base = GUEST_BASE + q->index * QUEUE_SPACE;
	struct virtq *vq = &guest.vdev->vqs[q->index];

	memset(hva(base), 0, QUEUE_SPACE);
	q->vq = vq;
	q->desc = hva(base);
	q->avail = hva(base + 8 * KiB);
	q->used = hva(base + 16 * KiB);
	q->scratch = base + 32 * KiB;
	q->next_desc = 0;
	q->avail_idx = 0;
	q->used_idx = 0;

	pthread_mutex_lock(&guest.vdev->lock);
	vq->size = RING_SIZE;
	vq->desc = base;
	vq->avail = base + 8 * KiB;
	vq->used = base + 16 * KiB;
	virtio_queue_enable(guest.vdev, q->index);
	pthread_mutex_unlock(&guest.vdev->lock);
}

void driver_init(u64 without, bool ok)
{
	u64 features = guest.vdev->offered & ~without;

	status_set(0);
	status_set(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	pthread_mutex_lock(&guest.vdev->lock);
	virtio_set_features(guest.vdev, features);
	pthread_mutex_unlock(&guest.vdev->lock);
	status_set(VIRTIO_CONFIG_S_FEATURES_OK);
	CHECK(atomic_load(&guest.vdev->status) & VIRTIO_CONFIG_S_FEATURES_OK);
	guest.event_idx = features & BIT_ULL(VIRTIO_RING_F_EVENT_IDX);
	for (unsigned int i = 0; i < guest.nr_queues; i++)
		queue_setup(&guest.queues[i]);
	if (ok)
		status_set(VIRTIO_CONFIG_S_DRIVER_OK);
}

void blk_guest_start(const struct blk_guest_options *opts)
{
	struct blk_config config = {
		.disk.path = "test",
		.queues = opts->queues ? opts->queues : 1,
		.serial = "SERIAL-0123456789-AB",
		.index = 7,
	};

	memset(&guest, 0, sizeof(guest));
	memset(&tdisk, 0, sizeof(tdisk));
	pthread_mutex_init(&tdisk.lock, NULL);
	pthread_cond_init(&tdisk.changed, NULL);
	tdisk.data = malloc(DISK_SIZE);
	for (u64 i = 0; i < DISK_SIZE; i++)
		tdisk.data[i] = i / DISK_SECTOR_SIZE * 7 + i;
	tdisk.disk = (struct disk){
		.ops = &test_disk_ops,
		.size = opts->big_disk ? 1024 * GiB : DISK_SIZE,
		.block_size = 512,
		.physical_block_size = 4096,
		.opt_io_size = 64 * KiB,
		.discard_granularity = 4096,
		.max_range = opts->max_range,
		.read_only = opts->read_only,
		.can_discard = !opts->read_only && !opts->plain_disk,
		.can_write_zeroes = !opts->read_only && !opts->plain_disk,
		.can_unmap = !opts->read_only && !opts->plain_disk,
	};

	guest.ram =
		mmap(NULL, GUEST_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	guest.mem.banks[0] =
		(struct guest_bank){.gpa = GUEST_BASE, .size = GUEST_SIZE, .hva = guest.ram};
	guest.mem.nr_banks = 1;
	if (opts->iommu) {
		const struct iommu_config iommu_config = {
			.page_size_mask = ~4095ULL,
			.input_last = ~0ULL,
			.domain_last = 100,
			.max_mappings = 1 << 20,
		};

		CHECK_EQ(iommu_init(&guest.iommu, &iommu_config), 0);
		CHECK_EQ(iommu_add_endpoint(&guest.iommu, &guest.ep, 8), 0);
		CHECK_EQ(iommu_attach(&guest.iommu, 1, 8, false), 0);
	}
	if (!CHECK_EQ(virtio_blk_create(&guest.blk, &config, &tdisk.disk, &guest.mem,
					opts->iommu ? &guest.ep : NULL),
		      0))
		exit(2);
	guest.vdev = &guest.blk->vdev;
	guest.vdev->transport = &test_transport;
	guest.nr_queues = config.queues;
	for (unsigned int i = 0; i < ARRAY_SIZE(guest.queues); i++) {
		pthread_condattr_t attr;

		guest.queues[i].index = i;
		pthread_mutex_init(&guest.queues[i].lock, NULL);
		pthread_condattr_init(&attr);
		pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
		pthread_cond_init(&guest.queues[i].interrupted, &attr);
		pthread_condattr_destroy(&attr);
	}
	driver_init(opts->without, !opts->iommu);
}

void blk_guest_end(void)
{
	status_set(0);
	virtio_blk_destroy(guest.blk);
	if (guest.ep.iommu)
		iommu_destroy(&guest.iommu);
	munmap(guest.ram, GUEST_SIZE);
}

u16 add_chain(struct driver_queue *q, const struct seg *segs, unsigned int nr_out,
	      unsigned int nr_in, u64 table)
{
	unsigned int nr = nr_out + nr_in;
	struct vring_desc *descs = table ? hva(table) : q->desc;
	u16 head = q->next_desc;
	u16 at = table ? 0 : head;

	if (nr > (table ? 1024 : RING_SIZE))
		abort();
	for (unsigned int i = 0; i < nr; i++) {
		u16 next = table ? i + 1U : (at + 1U) % RING_SIZE;

		descs[at].addr = htole64(segs[i].addr);
		descs[at].len = htole32(segs[i].len);
		descs[at].flags = htole16((i >= nr_out ? VRING_DESC_F_WRITE : 0) |
					  (i + 1 < nr ? VRING_DESC_F_NEXT : 0));
		descs[at].next = htole16(i + 1 < nr ? next : 0);
		at = next;
	}
	if (table) {
		q->desc[head].addr = htole64(table);
		q->desc[head].len = htole32(nr * sizeof(*descs));
		q->desc[head].flags = htole16(VRING_DESC_F_INDIRECT);
		at = (head + 1) % RING_SIZE;
	}
	q->next_desc = at;
	q->avail->ring[q->avail_idx % RING_SIZE] = htole16(head);
	q->avail_idx++;
	/* An interrupt when the last one is used. */
	__atomic_store_n(&q->avail->ring[RING_SIZE], htole16((u16)(q->avail_idx - 1)),
			 __ATOMIC_RELEASE);
	__atomic_store_n(&q->avail->idx, htole16(q->avail_idx), __ATOMIC_RELEASE);
	return head;
}

bool kick_wanted(const struct driver_queue *q, u16 added)
{
	u16 event;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!guest.event_idx)
		return !(le16toh(__atomic_load_n(&q->used->flags, __ATOMIC_ACQUIRE)) &
			 VRING_USED_F_NO_NOTIFY);
	event = __atomic_load_n((u16 *)&q->used->ring[RING_SIZE], __ATOMIC_ACQUIRE);
	return vring_need_event(le16toh(event), q->avail_idx, q->avail_idx - added);
}

void kick(struct driver_queue *q, u16 added)
{
	if (kick_wanted(q, added))
		virtio_kick(guest.vdev, q->index);
}

u16 used_now(struct driver_queue *q)
{
	return le16toh(__atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE));
}

static struct timespec lost_time(void)
{
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += LOST_SECONDS;
	return end;
}

bool wait_interrupt(struct driver_queue *q)
{
	struct timespec end = lost_time();
	int ret = 0;

	pthread_mutex_lock(&q->lock);
	while (!q->interrupts && !ret)
		ret = pthread_cond_timedwait(&q->interrupted, &q->lock, &end);
	pthread_mutex_unlock(&q->lock);
	return CHECK_EQ(ret, 0);
}

bool wait_used(struct driver_queue *q, u16 nr)
{
	u16 want = q->used_idx + nr;
	struct timespec end = lost_time();
	int ret = 0;

	pthread_mutex_lock(&q->lock);
	while (used_now(q) != want && !ret)
		ret = pthread_cond_timedwait(&q->interrupted, &q->lock, &end);
	pthread_mutex_unlock(&q->lock);
	return CHECK_EQ(ret, 0);
}

s64 take_used(struct driver_queue *q, u16 head)
{
	const struct vring_used_elem *e = &q->used->ring[q->used_idx % RING_SIZE];

	q->used_idx++;
	return CHECK_EQ(le32toh(e->id), head) ? (s64)le32toh(e->len) : -1;
}

s64 run_chain(struct driver_queue *q, const struct seg *segs, unsigned int nr_out,
	      unsigned int nr_in, u64 table)
{
	u16 head = add_chain(q, segs, nr_out, nr_in, table);

	kick(q, 1);
	return wait_used(q, 1) ? take_used(q, head) : -1;
}

void put_header(struct driver_queue *q, u32 type, u64 sector)
{
	struct virtio_blk_outhdr hdr = {
		.type = htole32(type),
		.sector = htole64(sector),
	};

	memcpy(hva(q->scratch), &hdr, sizeof(hdr));
	*(u8 *)hva(q->scratch + STATUS_OFF) = NO_STATUS;
}

u8 get_status(struct driver_queue *q)
{
	return *(u8 *)hva(q->scratch + STATUS_OFF);
}

u8 request(struct driver_queue *q, u32 type, u64 sector, u64 data, u32 len, bool in, s64 *used)
{
	struct seg segs[3] = {{q->scratch, sizeof(struct virtio_blk_outhdr)}};
	unsigned int nr = 1;
	s64 ret;

	if (len)
		segs[nr++] = (struct seg){data, len};
	segs[nr++] = (struct seg){q->scratch + STATUS_OFF, 1};
	put_header(q, type, sector);
	ret = run_chain(q, segs, in ? 1 : nr - 1, in ? nr - 1 : 1, 0);
	if (used)
		*used = ret;
	return get_status(q);
}

struct virtio_blk_config read_config(void)
{
	struct virtio_blk_config c = {0};

	guest.vdev->ops->config_read(guest.vdev, 0, &c, guest.vdev->ops->config_size);
	return c;
}

u16 add_read(struct driver_queue *q, unsigned int n, u64 sector, u64 addr, u32 len)
{
	u64 hdr_at = q->scratch + 1024 + n * sizeof(struct virtio_blk_outhdr);
	struct virtio_blk_outhdr hdr = {
		.type = htole32(VIRTIO_BLK_T_IN),
		.sector = htole64(sector),
	};
	struct seg segs[3] = {
		{hdr_at, sizeof(hdr)},
		{addr, len},
		{q->scratch + STATUS_OFF + n, 1},
	};

	memcpy(hva(hdr_at), &hdr, sizeof(hdr));
	*(u8 *)hva(q->scratch + STATUS_OFF + n) = NO_STATUS;
	return add_chain(q, segs, 1, 2, 0);
}

void queue_reset(struct driver_queue *q)
{
	pthread_mutex_lock(&guest.vdev->lock);
	virtio_queue_reset(guest.vdev, q->index);
	pthread_mutex_unlock(&guest.vdev->lock);
}
