// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>
#include <sys/eventfd.h>

#include "inline-worker.h"
#include "unit.h"
#include "virtio/worker.h"

#define MAX_WORKERS 64

/* So often one goes on at once, because what it waits for is there: more is in circles. */
#define MAX_WAITS 10000

static struct virtio_worker *workers[MAX_WORKERS];
static unsigned int nr_workers, nr_waits;

int virtio_worker_init(struct virtio_worker *w, struct virtq *vq,
		       void (*serve)(struct virtio_worker *worker), const char *name)
{
	(void)name;
	CHECK(nr_workers < MAX_WORKERS);
	memset(w, 0, sizeof(*w));
	w->vq = vq;
	w->serve = serve;
	w->stop_fd = -1;
	workers[nr_workers++] = w;
	return 0;
}

void virtio_worker_destroy(struct virtio_worker *w)
{
	unsigned int i = 0;

	while (workers[i] != w)
		i++;
	memmove(workers + i, workers + i + 1, (--nr_workers - i) * sizeof(workers[0]));
}

void virtio_worker_start(struct virtio_worker *w)
{
	w->running = true;
}

void virtio_worker_stop(struct virtio_worker *w)
{
	w->running = false;
}

static bool was_kicked(const struct virtio_worker *w)
{
	eventfd_t count;

	return !eventfd_read(w->vq->kick_fd, &count);
}

static bool is_ready(struct pollfd *more, unsigned int nr)
{
	return nr && poll(more, nr, 0) > 0;
}

/* The thread would sleep: its turn is over. */
void virtio_worker_wait(struct virtio_worker *w, struct pollfd *more, unsigned int nr)
{
	bool kicked = was_kicked(w), ready = is_ready(more, nr);

	CHECK(nr_waits++ < MAX_WAITS);
	if (!kicked && !ready)
		atomic_store(&w->stop, true);
}

static void run(struct virtio_worker *w)
{
	if (!w->running)
		return;
	nr_waits = 0;
	atomic_store(&w->stop, false);
	/* For as long as that it is the thread, and not a vCPU. */
	w->thread = pthread_self();
	w->serve(w);
	w->thread = 0;
	CHECK(atomic_load(&w->stop));
}

void inline_workers_run(void)
{
	for (unsigned int i = 0; i < nr_workers; i++)
		run(workers[i]);
}
