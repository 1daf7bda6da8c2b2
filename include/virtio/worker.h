/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The thread of a device's queue. It sleeps while the queue is stopped, so that to start
 * and stop a queue makes no thread and cannot fail.
 *
 * A device with threaded queues has a worker for each, calls virtio_worker_start() and
 * virtio_worker_stop() from its queue_start() and queue_stop(), and does its work in
 * @serve.
 */
#ifndef LKVM_VIRTIO_WORKER_H
#define LKVM_VIRTIO_WORKER_H

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "virtio/queue.h"

struct virtio_worker {
	struct virtq *vq;
	/*
	 * Serves the queue until worker->stop is set, in the worker's thread. To sleep it
	 * calls virtio_worker_wait(), which returns when that happens.
	 */
	void (*serve)(struct virtio_worker *worker);

	atomic_bool stop; /* give up what is in work, and return */
	int stop_fd; /* readable once stop is set */

	pthread_t thread;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t changed;
	bool running; /* wanted: the queue is served */
	bool parked; /* the thread does not touch the queue */
	bool quit;
};

/*
 * Makes the thread, stopped, with all signals blocked but faults of its own; @name of at
 * most 15 bytes is its name. @vq has a kick_fd. -errno.
 */
int virtio_worker_init(struct virtio_worker *worker, struct virtq *vq,
		       void (*serve)(struct virtio_worker *worker), const char *name);

/* Ends the thread, stopped or not. */
void virtio_worker_destroy(struct virtio_worker *worker);

void virtio_worker_start(struct virtio_worker *worker);

/* Returns once the thread touches neither the queue nor its requests. */
void virtio_worker_stop(struct virtio_worker *worker);

/*
 * For @serve: sleeps until a kick, the stop, or one of @nr more descriptors (@more may be
 * NULL; filled as by poll()). The kick's counter is taken. May return early.
 */
#define VIRTIO_WORKER_MAX_FDS 4
void virtio_worker_wait(struct virtio_worker *worker, struct pollfd *more, unsigned int nr);

#endif /* LKVM_VIRTIO_WORKER_H */
