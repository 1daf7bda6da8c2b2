// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests without exits: a driver that maps each buffer kicks for each request and spins for the
 * answer, so that exits are what the virtio-iommu costs it. After a kick a thread looks for more
 * requests, and tells the driver that it need not kick, until none has come for some time.
 *
 * It is for a host with a CPU to spare. The thread yields that CPU after each look, since what else
 * runs there may be what the guest waits for, as the thread that reads from its disk. Where it has
 * to take turns with the vCPU, that spins instead of being served. So a thread that came late to
 * requests too often, or has looked for nothing, leaves them to the vCPUs for a while.
 */
#include <errno.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "iommu-internal.h"

/*
 * From one look to the next it takes less than that, also with a thread in between that serves a
 * request to a disk. Of threads that take all they get, each has the CPU for longer.
 */
#define KEPT_US 500
/* One that came late counts for so many that did not; with so many more of them it is no help. */
#define LATE	 4
#define MAX_LATE 32
/* Rests are twice as long each time, up to a limit, until looking brought something. */
#define MIN_REST_US 100000
#define MAX_REST_US 1000000

static u64 now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Lets a vCPU in that came when the thread was just about to begin. */
static void give_way(struct virtio_iommu *viommu)
{
	pthread_mutex_unlock(&viommu->poll.lock);
	while (atomic_load(&viommu->poll.awaited))
		sched_yield();
	pthread_mutex_lock(&viommu->poll.lock);
}

static bool may_go_on(const struct virtio_iommu *viommu)
{
	return !atomic_load(&viommu->poll.worker.stop) && !atomic_load(viommu->stopping) &&
	       !viommu->vdev.vqs[VIOMMU_REQUESTQ].broken;
}

/* With poll.lock. */
static void look_for_requests(struct virtio_iommu *viommu)
{
	u64 patience = viommu->iommu->config.poll_us;
	u64 looked = now_us(), served = looked;
	unsigned int late = 0;
	bool found = false;

	virtq_disable_kick(&viommu->vdev.vqs[VIOMMU_REQUESTQ]);
	while (may_go_on(viommu) && late < MAX_LATE) {
		u64 now = now_us();

		if (viommu_serve_waiting(viommu)) {
			found = true;
			if (now - looked > KEPT_US)
				late += LATE;
			else if (late)
				late--;
			now = now_us();
			served = now;
		} else if (now - served >= patience) {
			break;
		}
		looked = now;
		if (atomic_load(&viommu->poll.awaited)) {
			give_way(viommu);
			virtq_disable_kick(&viommu->vdev.vqs[VIOMMU_REQUESTQ]);
			looked = now_us();
		}
		sched_yield();
	}
	if (found && late < MAX_LATE) {
		viommu->poll.rest_us = MIN_REST_US;
		return;
	}
	atomic_store(&viommu->poll.rest_until, now_us() + viommu->poll.rest_us);
	viommu->poll.rest_us = min(2 * viommu->poll.rest_us, (u64)MAX_REST_US);
}

static void serve(struct virtio_worker *w)
{
	struct virtio_iommu *viommu = container_of(w, struct virtio_iommu, poll.worker);

	while (!atomic_load(&w->stop)) {
		struct pollfd wake = {.fd = viommu->poll.wake_fd, .events = POLLIN};
		eventfd_t kicks;

		virtio_worker_wait(w, &wake, 1);
		if (atomic_load(&w->stop) || eventfd_read(wake.fd, &kicks))
			continue;
		pthread_mutex_lock(&viommu->poll.lock);
		atomic_store(&viommu->poll.on, true);
		look_for_requests(viommu);
		/* A kick that saw it on came before this, and its request is found. */
		atomic_store(&viommu->poll.on, false);
		if (may_go_on(viommu) && virtq_enable_kick(w->vq))
			viommu_serve_kick(viommu);
		viommu_await(viommu);
		pthread_mutex_unlock(&viommu->poll.lock);
	}
}

static bool is_thread(const struct virtio_iommu *viommu)
{
	return viommu->iommu->config.poll_us &&
	       pthread_equal(viommu->poll.worker.thread, pthread_self());
}

bool viommu_poll_must_stop(struct virtio_iommu *viommu)
{
	return is_thread(viommu) && atomic_load(&viommu->poll.worker.stop);
}

/* Of a vCPU, which the thread lets in if it is at work. */
static void lock_out_of_turn(struct virtio_iommu *viommu)
{
	atomic_store(&viommu->poll.awaited, true);
	pthread_mutex_lock(&viommu->poll.lock);
	atomic_store(&viommu->poll.awaited, false);
}

void viommu_poll_unlock(struct virtio_iommu *viommu)
{
	if (viommu->iommu->config.poll_us)
		pthread_mutex_unlock(&viommu->poll.lock);
	if (!is_thread(viommu))
		pthread_mutex_unlock(&viommu->vdev.lock);
}

void viommu_poll_lock(struct virtio_iommu *viommu)
{
	if (is_thread(viommu)) {
		pthread_mutex_lock(&viommu->poll.lock);
		return;
	}
	pthread_mutex_lock(&viommu->vdev.lock);
	if (viommu->iommu->config.poll_us)
		lock_out_of_turn(viommu);
}

void viommu_poll_kick(struct virtio_iommu *viommu)
{
	if (!viommu->iommu->config.poll_us) {
		viommu_serve_kick(viommu);
		viommu_await(viommu);
		return;
	}
	if (atomic_load(&viommu->poll.on))
		return;
	lock_out_of_turn(viommu);
	viommu_serve_kick(viommu);
	pthread_mutex_unlock(&viommu->poll.lock);
	if (now_us() >= atomic_load(&viommu->poll.rest_until))
		eventfd_write(viommu->poll.wake_fd, 1);
	if (!viommu->nr_waiting)
		return;
	lock_out_of_turn(viommu);
	viommu_await(viommu);
	pthread_mutex_unlock(&viommu->poll.lock);
}

void viommu_poll_start(struct virtio_iommu *viommu)
{
	if (viommu->iommu->config.poll_us)
		virtio_worker_start(&viommu->poll.worker);
}

/* The thread may be asleep until an access ends. */
static void wake_thread(struct virtio_iommu *viommu)
{
	atomic_store(&viommu->poll.worker.stop, true);
	iommu_wake(viommu->iommu);
}

void viommu_poll_stop(struct virtio_iommu *viommu)
{
	if (!viommu->iommu->config.poll_us)
		return;
	wake_thread(viommu);
	virtio_worker_stop(&viommu->poll.worker);
}

int viommu_poll_init(struct virtio_iommu *viommu)
{
	int ret;

	if (!viommu->iommu->config.poll_us)
		return 0;
	viommu->poll.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (viommu->poll.wake_fd < 0)
		return -errno;
	pthread_mutex_init(&viommu->poll.lock, NULL);
	viommu->poll.rest_us = MIN_REST_US;
	ret = virtio_worker_init(&viommu->poll.worker, &viommu->vdev.vqs[VIOMMU_REQUESTQ], serve,
				 "iommu");
	if (ret) {
		pthread_mutex_destroy(&viommu->poll.lock);
		close(viommu->poll.wake_fd);
	}
	return ret;
}

void viommu_poll_destroy(struct virtio_iommu *viommu)
{
	if (!viommu->iommu->config.poll_us)
		return;
	wake_thread(viommu);
	virtio_worker_destroy(&viommu->poll.worker);
	pthread_mutex_destroy(&viommu->poll.lock);
	close(viommu->poll.wake_fd);
}
