// SPDX-License-Identifier: GPL-2.0-only
/* The virtio entropy device: virtio 1.3, 5.4. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "util/counter.h"
#include "util/log.h"
#include "util/parse.h"
#include "util/report.h"
#include "virtio/rng.h"

#define QUEUE_SIZE 64

/*
 * A buffer gets no more than this, and the used length tells (5.4.6.1): what a request
 * costs does not depend on its length.
 */
#define MAX_BYTES (64 * KiB)

/* Bytes are made outside of guest memory, so that an access to it is but a copy. */
#define CHUNK 4096

static struct virtio_rng *to_rng(struct virtio_device *vdev)
{
	return container_of(vdev, struct virtio_rng, vdev);
}

/* Without waiting. Once the host's generator is seeded it has no reason to fail. */
static bool random_bytes(u8 *buf, size_t len)
{
	while (len) {
		ssize_t ret = getrandom(buf, len, GRND_NONBLOCK);

		if (ret < 0 && errno == EINTR)
			continue;
		if (ret < 0)
			return false;
		buf += ret;
		len -= ret;
	}
	return true;
}

/* Fills the writable part of the chain; how many bytes of it were written. */
static u32 fill(struct virtio_rng *rng, struct virtq *vq)
{
	u64 len = min(rng->chain.in_len, MAX_BYTES), done = 0;
	u8 buf[CHUNK];

	while (done < len) {
		size_t part = min(len - done, (u64)sizeof(buf));

		if (!random_bytes(buf, part) ||
		    virtq_copy_in(vq, &rng->chain, done, buf, part) != (ssize_t)part)
			break;
		done += part;
	}
	atomic_fetch_add_explicit(&rng->bytes, done, memory_order_relaxed);
	return done;
}

static void serve(struct virtio_worker *worker)
{
	struct virtio_rng *rng = container_of(worker, struct virtio_rng, worker);
	struct virtq *vq = worker->vq;

	while (!atomic_load(&worker->stop)) {
		virtq_disable_kick(vq);
		while (!atomic_load(&worker->stop) && virtq_pop(vq, &rng->chain) > 0) {
			if (virtq_push(vq, rng->chain.head, fill(rng, vq)))
				break;
			virtq_publish(vq);
		}
		if (!virtq_enable_kick(vq))
			virtio_worker_wait(worker, NULL, 0);
	}
}

static int rng_queue_start(struct virtio_device *vdev, unsigned int index)
{
	(void)index;
	virtio_worker_start(&to_rng(vdev)->worker);
	return 0;
}

static void rng_queue_stop(struct virtio_device *vdev, unsigned int index)
{
	(void)index;
	virtio_worker_stop(&to_rng(vdev)->worker);
}

static void rng_stat(struct virtio_device *vdev, struct report *r)
{
	report_u64(r, "bytes", counter_get(&to_rng(vdev)->bytes));
}

static const struct virtio_ops rng_ops = {
	.name = "virtio-rng",
	.id = 4,
	.threaded = true,
	.queue_start = rng_queue_start,
	.queue_stop = rng_queue_stop,
	.stat = rng_stat,
};

int virtio_rng_create(struct virtio_rng **out, const struct guest_mem *mem,
		      struct iommu_endpoint *ep)
{
	struct virtio_rng *rng;
	u8 byte;
	int ret;

	if (!random_bytes(&byte, 1)) {
		pr_err("--rng: the host's own random number generator is not ready yet: %s",
		       strerror(errno));
		return -EAGAIN;
	}
	rng = calloc(1, sizeof(*rng));
	if (!rng) {
		ret = -ENOMEM;
		goto err;
	}
	ret = virtio_device_init(&rng->vdev, &rng_ops, 0, 1, QUEUE_SIZE, mem, ep);
	if (ret)
		goto err_free;
	ret = virtio_worker_init(&rng->worker, &rng->vdev.vqs[0], serve, "rng");
	if (ret)
		goto err_device;
	*out = rng;
	return 0;

err_device:
	virtio_device_destroy(&rng->vdev);
err_free:
	free(rng);
err:
	pr_err("--rng: cannot make its device: %s", strerror(-ret));
	return ret;
}

void virtio_rng_destroy(struct virtio_rng *rng)
{
	virtio_worker_destroy(&rng->worker);
	virtio_device_destroy(&rng->vdev);
	free(rng);
}

static const struct subopt rng_subopts[] = {
	VIRTIO_SUBOPTS,
	{NULL, NULL, false},
};

int rng_parse(const char *arg, struct rng_config *out)
{
	memset(out, 0, sizeof(*out));
	out->options.what = "--rng";
	return parse_subopts(out->options.what, arg, rng_subopts, out);
}

const char rng_usage[] = "random numbers of the host; suboptions:\n" VIRTIO_SUBOPTS_USAGE;
