// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "virtio/worker.h"

static void *worker_thread(void *opaque)
{
	struct virtio_worker *w = opaque;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		w->parked = true;
		pthread_cond_broadcast(&w->changed);
		while (!w->running && !w->quit)
			pthread_cond_wait(&w->changed, &w->lock);
		if (w->quit)
			break;
		w->parked = false;
		pthread_mutex_unlock(&w->lock);
		w->serve(w);
		pthread_mutex_lock(&w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

void virtio_worker_wait(struct virtio_worker *w, struct pollfd *more, unsigned int nr)
{
	struct pollfd fds[2 + VIRTIO_WORKER_MAX_FDS] = {
		{.fd = w->vq->kick_fd, .events = POLLIN},
		{.fd = w->stop_fd, .events = POLLIN},
	};
	eventfd_t count;

	if (nr)
		memcpy(fds + 2, more, nr * sizeof(*more));
	if (poll(fds, 2 + nr, -1) < 0)
		memset(fds, 0, sizeof(fds));
	if (fds[0].revents)
		eventfd_read(w->vq->kick_fd, &count);
	for (unsigned int i = 0; i < nr; i++)
		more[i].revents = fds[2 + i].revents;
}

void virtio_worker_start(struct virtio_worker *w)
{
	pthread_mutex_lock(&w->lock);
	atomic_store(&w->stop, false);
	w->running = true;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

void virtio_worker_stop(struct virtio_worker *w)
{
	eventfd_t count;

	atomic_store(&w->stop, true);
	eventfd_write(w->stop_fd, 1);
	pthread_mutex_lock(&w->lock);
	w->running = false;
	while (!w->parked)
		pthread_cond_wait(&w->changed, &w->lock);
	pthread_mutex_unlock(&w->lock);
	eventfd_read(w->stop_fd, &count);
}

int virtio_worker_init(struct virtio_worker *w, struct virtq *vq,
		       void (*serve)(struct virtio_worker *worker), const char *name)
{
	static const int faults[] = {SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
	sigset_t all, old;
	int ret;

	memset(w, 0, sizeof(*w));
	w->vq = vq;
	w->serve = serve;
	w->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->stop_fd < 0)
		return -errno;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);

	/* Signals are for other threads, but for those that this one brings upon itself. */
	sigfillset(&all);
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		sigdelset(&all, faults[i]);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&w->thread, NULL, worker_thread, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (ret) {
		pthread_cond_destroy(&w->changed);
		pthread_mutex_destroy(&w->lock);
		close(w->stop_fd);
		return -ret;
	}
	pthread_setname_np(w->thread, name);
	return 0;
}

void virtio_worker_destroy(struct virtio_worker *w)
{
	atomic_store(&w->stop, true);
	eventfd_write(w->stop_fd, 1);
	pthread_mutex_lock(&w->lock);
	w->quit = true;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->lock);
	close(w->stop_fd);
}
