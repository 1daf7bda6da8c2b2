// SPDX-License-Identifier: GPL-2.0-only
/* The transport-independent life of a virtio device: virtio 1.3, 2.1, 2.2 and 3. */
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "util/log.h"
#include "util/trace.h"
#include "virtio/device.h"

#ifndef VIRTIO_F_RING_RESET
#define VIRTIO_F_RING_RESET 40
#endif

int virtio_device_init(struct virtio_device *vdev, const struct virtio_ops *ops, u64 features,
		       unsigned int nr_vqs, u16 queue_size, const struct guest_mem *mem,
		       struct iommu_endpoint *ep)
{
	unsigned int i;
	int ret;

	memset(vdev, 0, sizeof(*vdev));
	vdev->ops = ops;
	vdev->offered = features | BIT_ULL(VIRTIO_F_VERSION_1) |
			BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) | BIT_ULL(VIRTIO_RING_F_EVENT_IDX) |
			BIT_ULL(VIRTIO_F_RING_RESET);
	if (ep)
		vdev->offered |= BIT_ULL(VIRTIO_F_ACCESS_PLATFORM);
	vdev->vqs = calloc(nr_vqs, sizeof(*vdev->vqs));
	if (!vdev->vqs)
		return -ENOMEM;

	for (i = 0; i < nr_vqs; i++) {
		struct virtq *vq = &vdev->vqs[i];

		vq->vdev = vdev;
		vq->index = i;
		vq->max_size = queue_size;
		vq->kick_fd = -1;
		virtq_reset(vq);
		/* The rings and the segments of one chain can be open at a time. */
		ret = dma_chan_init(&vq->dma, mem, ep, VIRTQ_MAX_SEGS + 4);
		if (ret)
			goto err;
		if (!ops->threaded)
			continue;
		vq->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (vq->kick_fd < 0) {
			ret = -errno;
			dma_chan_destroy(&vq->dma);
			goto err;
		}
	}
	vdev->nr_vqs = nr_vqs;
	pthread_mutex_init(&vdev->lock, NULL);
	return 0;

err:
	while (i--) {
		if (ops->threaded)
			close(vdev->vqs[i].kick_fd);
		dma_chan_destroy(&vdev->vqs[i].dma);
	}
	free(vdev->vqs);
	return ret;
}

void virtio_device_destroy(struct virtio_device *vdev)
{
	for (unsigned int i = 0; i < vdev->nr_vqs; i++) {
		if (vdev->ops->threaded)
			close(vdev->vqs[i].kick_fd);
		dma_chan_destroy(&vdev->vqs[i].dma);
	}
	free(vdev->vqs);
	pthread_mutex_destroy(&vdev->lock);
}

bool virtio_has_feature(const struct virtio_device *vdev, unsigned int bit)
{
	return vdev->accepted & BIT_ULL(bit);
}

static bool driver_ok(const struct virtio_device *vdev)
{
	return atomic_load(&vdev->status) & VIRTIO_CONFIG_S_DRIVER_OK;
}

void virtio_config_changed(struct virtio_device *vdev)
{
	atomic_fetch_add(&vdev->config_generation, 1);
	if (driver_ok(vdev))
		vdev->transport->interrupt(vdev, NULL);
}

void virtio_needs_reset(struct virtio_device *vdev, const char *why)
{
	u8 old = atomic_fetch_or(&vdev->status, VIRTIO_CONFIG_S_NEEDS_RESET);

	if (old & VIRTIO_CONFIG_S_NEEDS_RESET)
		return;
	trace(TRACE_VIRTIO, "%s at %s: needs reset: %s", vdev->ops->name, vdev->where, why);
	/* A guest can do this at will: one line a device is enough. */
	if (!atomic_exchange(&vdev->warned, true))
		pr_warn("%s at %s stopped until the guest resets it: %s", vdev->ops->name,
			vdev->where, why);
	if (old & VIRTIO_CONFIG_S_DRIVER_OK)
		vdev->transport->interrupt(vdev, NULL);
}

static void queue_start(struct virtio_device *vdev, unsigned int index)
{
	struct virtq *vq = &vdev->vqs[index];

	virtq_start(vq);
	if (vq->kick_fd >= 0 && vdev->transport->kick_fd_set(vdev, vq, true)) {
		virtio_needs_reset(vdev, "the host refuses an ioeventfd");
		return;
	}
	if (vdev->ops->queue_start(vdev, index))
		virtio_needs_reset(vdev, "the queue cannot start");
}

static void queue_stop(struct virtio_device *vdev, unsigned int index)
{
	struct virtq *vq = &vdev->vqs[index];

	vdev->ops->queue_stop(vdev, index);
	if (vq->kick_fd >= 0)
		vdev->transport->kick_fd_set(vdev, vq, false);
}

static void device_reset(struct virtio_device *vdev)
{
	bool running = driver_ok(vdev);

	for (unsigned int i = 0; i < vdev->nr_vqs; i++) {
		if (running && vdev->vqs[i].enabled)
			queue_stop(vdev, i);
		virtq_reset(&vdev->vqs[i]);
	}
	if (vdev->ops->reset)
		vdev->ops->reset(vdev);
	vdev->accepted = 0;
	atomic_store(&vdev->status, 0);
}

/* Whether the device can live with what the driver chose (2.2.2, 6.2). */
static bool features_acceptable(const struct virtio_device *vdev)
{
	u64 must =
		(BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(VIRTIO_F_ACCESS_PLATFORM)) & vdev->offered;

	return !(vdev->accepted & ~vdev->offered) && (vdev->accepted & must) == must;
}

void virtio_set_features(struct virtio_device *vdev, u64 features)
{
	/* The driver must not change its mind after FEATURES_OK: ignore it. */
	if (!(atomic_load(&vdev->status) & VIRTIO_CONFIG_S_FEATURES_OK))
		vdev->accepted = features;
}

void virtio_set_status(struct virtio_device *vdev, u8 status)
{
	u8 old = atomic_load(&vdev->status);

	trace(TRACE_VIRTIO, "%s at %s: status 0x%x", vdev->ops->name, vdev->where, status);
	if (!status) {
		device_reset(vdev);
		return;
	}
	if ((status & VIRTIO_CONFIG_S_FEATURES_OK) && !(old & VIRTIO_CONFIG_S_FEATURES_OK)) {
		if (!features_acceptable(vdev) ||
		    (vdev->ops->features_ok && vdev->ops->features_ok(vdev, vdev->accepted)))
			status &= ~VIRTIO_CONFIG_S_FEATURES_OK;
	}
	/* Without accepted features the device must not run (3.1.1). */
	if (!(status & VIRTIO_CONFIG_S_FEATURES_OK) && !(old & VIRTIO_CONFIG_S_FEATURES_OK))
		status &= ~VIRTIO_CONFIG_S_DRIVER_OK;

	/* Only a reset clears bits, and only the device sets NEEDS_RESET. */
	atomic_fetch_or(&vdev->status, status & ~VIRTIO_CONFIG_S_NEEDS_RESET);
	if ((status & VIRTIO_CONFIG_S_DRIVER_OK) && !(old & VIRTIO_CONFIG_S_DRIVER_OK)) {
		for (unsigned int i = 0; i < vdev->nr_vqs; i++) {
			if (vdev->vqs[i].enabled)
				queue_start(vdev, i);
		}
	}
}

void virtio_queue_enable(struct virtio_device *vdev, unsigned int index)
{
	struct virtq *vq = &vdev->vqs[index];

	if (vq->enabled || !(atomic_load(&vdev->status) & VIRTIO_CONFIG_S_FEATURES_OK))
		return;
	if (!virtq_is_valid(vq)) {
		virtio_needs_reset(vdev, "the driver enabled a queue of odd size or alignment");
		return;
	}
	vq->enabled = true;
	if (driver_ok(vdev))
		queue_start(vdev, index);
}

void virtio_queue_disable(struct virtio_device *vdev, unsigned int index)
{
	struct virtq *vq = &vdev->vqs[index];

	if (vq->enabled && driver_ok(vdev))
		queue_stop(vdev, index);
	vq->enabled = false;
}

void virtio_queue_reset(struct virtio_device *vdev, unsigned int index)
{
	if (!virtio_has_feature(vdev, VIRTIO_F_RING_RESET))
		return;
	virtio_queue_disable(vdev, index);
	virtq_reset(&vdev->vqs[index]);
}

void virtio_kick(struct virtio_device *vdev, unsigned int index)
{
	struct virtq *vq;
	u64 one = 1;

	if (index >= vdev->nr_vqs)
		return;
	vq = &vdev->vqs[index];
	if (vq->kick_fd >= 0) {
		/* EAGAIN means that a kick is pending already. */
		if (write(vq->kick_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
			virtio_needs_reset(vdev, "a kick is lost");
		return;
	}
	pthread_mutex_lock(&vdev->lock);
	if (driver_ok(vdev) && vq->enabled && !vq->broken)
		vdev->ops->kick(vdev, index);
	pthread_mutex_unlock(&vdev->lock);
}
