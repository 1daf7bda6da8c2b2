// SPDX-License-Identifier: GPL-2.0-only
/*
 * The queues of the virtio block device and their threads: kicks, stops at any moment,
 * several at a time, and buffers behind an IOMMU.
 */
#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "blk-guest.h"
#include "capture.h"

static const struct blk_guest_options one_queue;

/* The threads have names, and leave signals to others. */
TEST(threads)
{
	unsigned int found = 0;
	struct dirent *d;
	DIR *tasks;

	blk_guest_start(&(struct blk_guest_options){.queues = 3});
	/* A thread that has not yet begun still has all blocked: wait until each has. */
	for (unsigned int i = 0; i < 3; i++)
		guest.vdev->ops->queue_stop(guest.vdev, i);
	tasks = opendir("/proc/self/task");
	while (tasks && (d = readdir(tasks))) {
		char path[64], line[128], want[32];
		u64 blocked = 0;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/task/%.20s/status", d->d_name);
		f = fopen(path, "re");
		if (!f || !fgets(line, sizeof(line), f)) {
			if (f)
				fclose(f);
			continue;
		}
		for (unsigned int i = 0; i < 3; i++) {
			snprintf(want, sizeof(want), "Name:\tblk7-q%u\n", i);
			if (strcmp(line, want))
				continue;
			found |= BIT(i);
			while (fgets(line, sizeof(line), f))
				sscanf(line, "SigBlk: %lx", &blocked);
			/* All but KILL, STOP, the C library's own two, and its own faults. */
			CHECK_EQ(blocked | 0x180040100, ~0x400004f8ULL);
			break;
		}
		fclose(f);
	}
	if (CHECK(tasks))
		closedir(tasks);
	CHECK_EQ(found, 7);
	blk_guest_end();
}

/* Maps pages of IOVAs to the guest's in reverse order, so that no two are contiguous. */
static u64 scatter(u64 iova, u64 gpa, u64 pages)
{
	for (u64 i = 0; i < pages; i++) {
		struct mapping m = {
			.start = iova + i * 4096,
			.last = iova + i * 4096 + 4095,
			.gpa = gpa + (pages - 1 - i) * 4096,
			.flags = MAPPING_READ | MAPPING_WRITE,
		};

		if (!CHECK_EQ(iommu_map(&guest.iommu, 1, &m), 0))
			break;
	}
	return iova;
}

TEST(behind_an_iommu)
{
	static struct seg segs[1024];
	const struct mapping queues = {
		.start = GUEST_BASE,
		.last = DATA_BASE - 1,
		.gpa = GUEST_BASE,
		.flags = MAPPING_READ | MAPPING_WRITE,
	};
	const struct mapping readable = {
		.start = 1ULL << 40,
		.last = (1ULL << 40) + 4095,
		.gpa = DATA_BASE,
		.flags = MAPPING_READ,
	};
	struct driver_queue *q = &guest.queues[0];
	u64 table, pages = MiB / 4096 + 1, iova = 1ULL << 32;
	unsigned int nr = 1;
	s64 used;

	blk_guest_start(&(struct blk_guest_options){.iommu = true});
	CHECK_EQ(iommu_map(&guest.iommu, 1, &queues), 0);
	CHECK_EQ(iommu_map(&guest.iommu, 1, &readable), 0);
	scatter(iova, DATA_BASE, pages);
	status_set(VIRTIO_CONFIG_S_DRIVER_OK);

	CHECK_EQ(request(q, VIRTIO_BLK_T_IN, 0, iova, pages * 4096, true, &used), VIRTIO_BLK_S_OK);
	CHECK_EQ(used, pages * 4096 + 1);
	for (u64 i = 0; i < pages; i++)
		CHECK_EQ(memcmp(tdisk.data + i * 4096, hva(DATA_BASE + (pages - 1 - i) * 4096),
				4096),
			 0);

	/* A thousand segments that all lie across a border: more pieces than a round has. */
	table = GUEST_BASE + 40 * KiB;
	for (u64 i = 0; i < 1000; i++)
		segs[nr++] = (struct seg){iova + i % (pages - 1) * 4096 + 4096 - 256, 512};
	segs[nr++] = (struct seg){q->scratch + STATUS_OFF, 1};
	segs[0] = (struct seg){q->scratch, 16};
	put_header(q, VIRTIO_BLK_T_IN, 8);
	CHECK_EQ(run_chain(q, segs, 1, nr - 1, table), 1000 * 512 + 1);
	CHECK_EQ(get_status(q), VIRTIO_BLK_S_OK);
	CHECK(tdisk.reads >= 3);
	/* The last round over the pages is what they hold. */
	for (u64 i = 1000 - (pages - 1); i < 1000; i++) {
		u64 at = i % (pages - 1);

		if (!CHECK_EQ(memcmp(tdisk.data + (8 + i) * 512,
				     hva(DATA_BASE + (pages - 1 - at) * 4096 + 4096 - 256), 256),
			      0))
			break;
	}

	/* What is not mapped, or not for this. */
	CHECK_EQ(atomic_load(&guest.ep.faults), 0);
	CHECK_EQ(request(q, VIRTIO_BLK_T_IN, 0, DATA_BASE, 512, true, &used), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(used, 0);
	CHECK_EQ(atomic_load(&guest.ep.faults), 1);
	CHECK_EQ(request(q, VIRTIO_BLK_T_IN, 0, readable.start, 512, true, &used),
		 VIRTIO_BLK_S_IOERR);
	CHECK_EQ(atomic_load(&guest.ep.faults), 2);
	CHECK_EQ(request(q, VIRTIO_BLK_T_OUT, 0, readable.start, 512, false, &used),
		 VIRTIO_BLK_S_OK);
	CHECK_EQ(memcmp(tdisk.data, hva(DATA_BASE), 512), 0);
	blk_guest_end();
}

TEST(kick_before_driver_ok)
{
	struct driver_queue *q = &guest.queues[0];
	u16 head;

	blk_guest_start(&one_queue);
	driver_init(0, false);
	head = add_read(q, 0, 9, DATA_BASE, 512);
	virtio_kick(guest.vdev, 0);
	CHECK_EQ(used_now(q), 0);
	status_set(VIRTIO_CONFIG_S_DRIVER_OK);
	if (wait_used(q, 1))
		CHECK_EQ(take_used(q, head), 513);
	CHECK_EQ(memcmp(tdisk.data + 9 * 512, hva(DATA_BASE), 512), 0);
	blk_guest_end();
}

/* Requests one by one and in groups, kicked only when the device asks for it. */
static void no_lost_kick(u64 without)
{
	struct driver_queue *q = &guest.queues[0];

	blk_guest_start(&(struct blk_guest_options){.without = without});
	for (unsigned int i = 0; i < 3000; i++) {
		unsigned int nr = 1 + unit_rand() % 8, added = 0;
		u16 heads[8];

		for (unsigned int j = 0; j < nr; j++) {
			heads[j] = add_read(q, j, (i + j) % DISK_SECTORS, DATA_BASE + j * 512, 512);
			added++;
			if (unit_rand() % 2 || j + 1 == nr) {
				kick(q, added);
				added = 0;
			}
		}
		if (!wait_used(q, nr))
			exit(1);
		for (unsigned int j = 0; j < nr; j++)
			CHECK_EQ(take_used(q, heads[j]), 513);
		if (!CHECK_EQ(*(u8 *)hva(q->scratch + STATUS_OFF + nr - 1), VIRTIO_BLK_S_OK))
			break;
	}
	blk_guest_end();
}

TEST(no_lost_kick_event_idx)
{
	no_lost_kick(0);
}

TEST(no_lost_kick_flags)
{
	no_lost_kick(BIT_ULL(VIRTIO_RING_F_EVENT_IDX));
}

/*
 * Takes the place of the C library's poll(), to count how often the thread of a queue
 * sleeps. By another name, as that one's declaration says that it reads nothing.
 */
int counting_poll(struct pollfd *fds, nfds_t nr, int timeout) __asm__("poll");

static _Atomic int polled_fd = -1;
static _Atomic unsigned int polls;

int counting_poll(struct pollfd *fds, nfds_t nr, int timeout)
{
	struct timespec time = {timeout / 1000, timeout % 1000 * 1000000L};

	if (fds[0].fd == atomic_load(&polled_fd))
		atomic_fetch_add(&polls, 1);
	return ppoll(fds, nr, timeout < 0 ? NULL : &time, NULL);
}

/* A queue without requests does not wake up while another is busy. */
TEST(idle_queue_sleeps)
{
	struct driver_queue *idle = &guest.queues[0], *busy = &guest.queues[1];

	blk_guest_start(&(struct blk_guest_options){.queues = 2});
	atomic_store(&polled_fd, idle->vq->kick_fd);
	atomic_store(&polls, 0);
	CHECK_EQ(request(idle, VIRTIO_BLK_T_FLUSH, 0, 0, 0, true, NULL), VIRTIO_BLK_S_OK);
	queue_reset(idle);
	queue_setup(idle);
	CHECK_EQ(request(idle, VIRTIO_BLK_T_FLUSH, 0, 0, 0, true, NULL), VIRTIO_BLK_S_OK);
	for (unsigned int i = 0; i < 2000; i++)
		CHECK_EQ(request(busy, VIRTIO_BLK_T_FLUSH, 0, 0, 0, true, NULL), VIRTIO_BLK_S_OK);
	/* Two starts, two kicks at most. */
	CHECK(atomic_load(&polls) <= 4);
	atomic_store(&polled_fd, -1);
	blk_guest_end();
}

/* What is finished is visible while the disk is busy with a flush. */
TEST(flush_holds_nothing_back)
{
	struct driver_queue *q = &guest.queues[0];
	struct seg segs[2];
	u16 heads[2];

	blk_guest_start(&(struct blk_guest_options){.without = BIT_ULL(VIRTIO_RING_F_EVENT_IDX)});
	/* Only the read may pass. */
	gate_close();
	tdisk.passes = 1;
	heads[0] = add_read(q, 1, 0, DATA_BASE, 512);
	put_header(q, VIRTIO_BLK_T_FLUSH, 0);
	segs[0] = (struct seg){q->scratch, 16};
	segs[1] = (struct seg){q->scratch + STATUS_OFF, 1};
	heads[1] = add_chain(q, segs, 1, 1, 0);
	kick(q, 2);
	if (wait_used(q, 1))
		CHECK_EQ(take_used(q, heads[0]), 513);
	gate_open();
	if (wait_used(q, 1))
		CHECK_EQ(take_used(q, heads[1]), 1);
	blk_guest_end();
}

/*
 * Takes the C library's place: with this call the device tells the thread of a queue to
 * stop, so a test can wait until it did.
 */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned int nr; /* guarded by lock */
} stops = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};

int eventfd_write(int fd, eventfd_t value)
{
	int ret = write(fd, &value, sizeof(value)) == sizeof(value) ? 0 : -1;

	pthread_mutex_lock(&stops.lock);
	stops.nr++;
	pthread_cond_broadcast(&stops.changed);
	pthread_mutex_unlock(&stops.lock);
	return ret;
}

static void stops_watch(void)
{
	pthread_mutex_lock(&stops.lock);
	stops.nr = 0;
	pthread_mutex_unlock(&stops.lock);
}

static void stops_wait(void)
{
	pthread_mutex_lock(&stops.lock);
	while (!stops.nr)
		pthread_cond_wait(&stops.changed, &stops.lock);
	pthread_mutex_unlock(&stops.lock);
}

static void *resetter_run(void *opaque)
{
	unsigned int *finished = opaque;

	queue_reset(&guest.queues[0]);
	*finished = disk_count(&tdisk.finished);
	return NULL;
}

static void *device_resetter_run(void *opaque)
{
	unsigned int *finished = opaque;

	status_set(0);
	*finished = disk_count(&tdisk.finished);
	return NULL;
}

/* A reset returns after the disk has left the request, and the queue can start again. */
static void stop_in_flight(void *(*reset)(void *), bool whole_device)
{
	struct driver_queue *q = &guest.queues[0];
	unsigned int finished;
	pthread_t thread;
	u16 head;

	blk_guest_start(&(struct blk_guest_options){.queues = 2});
	for (unsigned int i = 0; i < 20; i++) {
		finished = 0;
		tdisk.finished = 0;
		gate_close();
		add_read(q, 0, 0, DATA_BASE, 3 * MiB);
		add_read(q, 1, 0, DATA_BASE, 512);
		kick(q, 2);
		gate_wait(1);
		CHECK_EQ(pthread_create(&thread, NULL, reset, &finished), 0);
		gate_open();
		CHECK_EQ(pthread_join(thread, NULL), 0);
		CHECK(finished >= 1);
		CHECK_EQ(disk_count(&tdisk.waiting), 0);
		if (whole_device)
			driver_init(0, true);
		else
			queue_setup(q);
		CHECK_EQ(used_now(q), 0);
		head = add_read(q, 0, i, DATA_BASE, 512);
		kick(q, 1);
		if (!wait_used(q, 1))
			break;
		CHECK_EQ(take_used(q, head), 513);
		CHECK_EQ(disk_count(&tdisk.finished), finished + 1);
	}
	blk_guest_end();
}

TEST(queue_reset_in_flight)
{
	stop_in_flight(resetter_run, false);
}

TEST(device_reset_in_flight)
{
	stop_in_flight(device_resetter_run, true);
}

/* A request of several rounds is given up between them: nothing of it is used. */
TEST(long_request_is_given_up)
{
	struct driver_queue *q = &guest.queues[0];
	unsigned int finished = 0;
	pthread_t thread;

	blk_guest_start(&one_queue);
	gate_close();
	add_read(q, 0, 0, DATA_BASE, 3 * MiB);
	add_read(q, 1, 0, DATA_BASE, 512);
	kick(q, 2);
	gate_wait(1);
	stops_watch();
	CHECK_EQ(pthread_create(&thread, NULL, resetter_run, &finished), 0);
	stops_wait();
	gate_open();
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(finished, 1);
	CHECK_EQ(tdisk.reads, 1);
	CHECK_EQ(used_now(q), 0);
	blk_guest_end();
}

/* Starts and stops with requests on the way, at any moment. */
TEST(many_resets)
{
	struct driver_queue *q = &guest.queues[0];

	blk_guest_start(&one_queue);
	for (unsigned int i = 0; i < 500; i++) {
		unsigned int nr = unit_rand() % 8;

		for (unsigned int j = 0; j < nr; j++)
			add_read(q, j, j, DATA_BASE + j * 4096, 4096);
		if (nr)
			kick(q, nr);
		if (unit_rand() % 2 && nr && !wait_used(q, nr))
			exit(1);
		if (unit_rand() % 4) {
			queue_reset(q);
			queue_setup(q);
		} else {
			driver_init(unit_rand() % 2 ? BIT_ULL(VIRTIO_RING_F_EVENT_IDX) : 0, true);
		}
	}
	CHECK_EQ(request(q, VIRTIO_BLK_T_IN, 0, DATA_BASE, 512, true, NULL), VIRTIO_BLK_S_OK);
	blk_guest_end();
}

/* A queue that is stuck does not keep the others from work. */
TEST(queues_are_independent)
{
	blk_guest_start(&(struct blk_guest_options){.queues = 4});
	gate_close();
	for (unsigned int i = 0; i < 4; i++) {
		add_read(&guest.queues[i], 0, i, DATA_BASE + i * 4096, 512);
		kick(&guest.queues[i], 1);
	}
	/* All four at a time are in the disk. */
	gate_wait(4);
	CHECK_EQ(disk_count(&tdisk.finished), 0);
	gate_open();
	for (unsigned int i = 0; i < 4; i++) {
		CHECK(wait_used(&guest.queues[i], 1));
		CHECK_EQ(memcmp(tdisk.data + i * 512, hva(DATA_BASE + i * 4096), 512), 0);
	}
	blk_guest_end();
}

struct worker {
	unsigned int index;
	unsigned int wrong;
};

/* Writes and reads back its own part of the disk through its own queue. */
static void *worker_run(void *opaque)
{
	struct worker *w = opaque;
	struct driver_queue *q = &guest.queues[w->index];
	u64 buf = DATA_BASE + w->index * 64 * KiB;
	u64 first = w->index * 128;
	u64 state = w->index;

	for (unsigned int i = 0; i < 1000; i++) {
		u64 sector = first + i % 64;
		u32 len = 512 * (1 + i % 8);

		for (u32 j = 0; j < len; j += 8) {
			state = state * 6364136223846793005ULL + 1442695040888963407ULL;
			memcpy(hva(buf + j), &state, 8);
		}
		if (request(q, VIRTIO_BLK_T_OUT, sector, buf, len, false, NULL))
			w->wrong++;
		if (request(q, VIRTIO_BLK_T_IN, sector, buf + 32 * KiB, len, true, NULL))
			w->wrong++;
		if (memcmp(hva(buf), hva(buf + 32 * KiB), len))
			w->wrong++;
	}
	return NULL;
}

TEST(queues_at_a_time)
{
	struct worker workers[4] = {0};
	pthread_t threads[4];

	blk_guest_start(&(struct blk_guest_options){.queues = 4});
	for (unsigned int i = 0; i < 4; i++) {
		workers[i].index = i;
		CHECK_EQ(pthread_create(&threads[i], NULL, worker_run, &workers[i]), 0);
	}
	for (unsigned int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		CHECK_EQ(workers[i].wrong, 0);
	}
	blk_guest_end();
}

/* A broken ring stops the device, until the guest resets it. */
TEST(broken_ring)
{
	struct driver_queue *q = &guest.queues[0];

	blk_guest_start(&one_queue);
	capture_begin();
	q->avail->ring[0] = htole16(RING_SIZE);
	__atomic_store_n(&q->avail->idx, htole16(++q->avail_idx), __ATOMIC_RELEASE);
	kick(q, 1);
	if (!wait_interrupt(&guest.queues[BLK_MAX_QUEUES]))
		exit(1);
	CHECK(atomic_load(&guest.vdev->status) & VIRTIO_CONFIG_S_NEEDS_RESET);
	/* Kicks have no effect on it, and it can be stopped. */
	virtio_kick(guest.vdev, 0);
	driver_init(0, true);
	CHECK(capture_one_line(capture_end(), "a descriptor index is out of range"));
	CHECK(!(atomic_load(&guest.vdev->status) & VIRTIO_CONFIG_S_NEEDS_RESET));
	CHECK_EQ(request(q, VIRTIO_BLK_T_IN, 0, DATA_BASE, 512, true, NULL), VIRTIO_BLK_S_OK);
	blk_guest_end();
}
