// SPDX-License-Identifier: GPL-2.0-only
#include <linux/virtio_config.h>
#include <string.h>

#include "virtio/transport.h"

void virtio_set_address(u64 *reg, unsigned int off, u64 val, unsigned int len)
{
	if (len == 8)
		*reg = val;
	else if (len == 4 && !off)
		*reg = (*reg & ~0xffffffffULL) | val;
	else if (len == 4)
		*reg = (*reg & 0xffffffffULL) | val << 32;
}

void virtio_write_features(struct virtio_regs *regs, struct virtio_device *vdev, u32 val)
{
	/* What was agreed on stays, and is what the register shows. */
	if (regs->driver_feature_select >= 2 ||
	    (atomic_load(&vdev->status) & VIRTIO_CONFIG_S_FEATURES_OK))
		return;
	virtio_set_address(&regs->driver_features, 4 * regs->driver_feature_select, val, 4);
	virtio_set_features(vdev, regs->driver_features);
}

struct virtq *virtio_selected_queue(const struct virtio_regs *regs, struct virtio_device *vdev)
{
	return regs->queue_select < vdev->nr_vqs ? &vdev->vqs[regs->queue_select] : NULL;
}

void virtio_config_access(struct virtio_device *vdev, u64 off, void *data, unsigned int len,
			  bool write)
{
	if (!write)
		memset(data, 0, len);
	if (off + len > vdev->ops->config_size)
		return;
	pthread_mutex_lock(&vdev->lock);
	if (!write)
		vdev->ops->config_read(vdev, off, data, len);
	else if (vdev->ops->config_write)
		vdev->ops->config_write(vdev, off, data, len);
	pthread_mutex_unlock(&vdev->lock);
}
