// SPDX-License-Identifier: GPL-2.0-only
/* The virtio devices of a machine: from their options to their places on a bus. */
#include <errno.h>
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"
#include "util/log.h"

/* Slot 0 is the host bridge. */
#define FIRST_SLOT 1

static int plug(struct machine *m, struct machine_device *d, unsigned int slot)
{
	int ret = virtio_pci_init(&d->pci, d->vdev, &m->pci, slot, d->type->pci_class,
				  d->behind_iommu ? &d->ep : NULL);

	if (ret)
		pr_err("cannot put a %s on the PCI bus: %s", d->type->name, strerror(-ret));
	return ret;
}

static int create_iommu(struct machine *m, const void *config, struct iommu_endpoint *ep,
			struct virtio_device **vdev)
{
	int ret = virtio_iommu_init(&m->viommu, &m->iommu, &m->vm.mem, &m->vm.stopping);

	(void)config;
	(void)ep;
	*vdev = &m->viommu.vdev;
	if (ret)
		pr_err("cannot make the virtio-iommu: %s", strerror(-ret));
	return ret;
}

static void destroy_iommu(struct virtio_device *vdev)
{
	virtio_iommu_destroy(container_of(vdev, struct virtio_iommu, vdev));
}

static const struct device_type iommu_type = {
	.name = "virtio-iommu",
	.pci_class = 0x080600,
	.create = create_iommu,
	.destroy = destroy_iommu,
};

static bool is_behind_iommu(const struct machine *m, const struct device_type *type,
			    const struct virtio_options *options)
{
	return m->config->has_iommu && type != &iommu_type && options->iommu != VIRTIO_CHOICE_OFF;
}

/* What the driver is offered by the user's choice. Before the transport shows it. */
static void offer_features(struct machine *m, struct virtio_device *vdev,
			   const struct virtio_options *options)
{
	enum virtio_ring ring = options->ring ? options->ring : m->config->ring;

	if (ring == VIRTIO_RING_PACKED)
		vdev->offered |= BIT_ULL(VIRTIO_F_RING_PACKED);
}

static int add_device(struct machine *m, const struct device_type *type,
		      const struct virtio_options *options, const void *config)
{
	unsigned int slot = FIRST_SLOT + m->nr_devices;
	struct machine_device *d;
	int ret;

	if (m->nr_devices == MACHINE_MAX_DEVICES || slot >= PCI_MAX_DEVICES) {
		pr_err("too many devices: there is no room for one more %s", type->name);
		return -ENOSPC;
	}
	d = calloc(1, sizeof(*d));
	if (!d) {
		pr_err("out of memory");
		return -ENOMEM;
	}
	m->devices[m->nr_devices++] = d;
	d->type = type;
	d->behind_iommu = is_behind_iommu(m, type, options);
	if (d->behind_iommu) {
		/* An endpoint's ID is its bus, device and function. */
		ret = iommu_add_endpoint(&m->iommu, &d->ep, slot << 3);
		if (ret) {
			pr_err("cannot put a %s behind the virtio-iommu: %s", type->name,
			       strerror(-ret));
			return ret;
		}
	}
	ret = type->create(m, config, d->behind_iommu ? &d->ep : NULL, &d->vdev);
	if (ret)
		return ret;
	offer_features(m, d->vdev, options);
	ret = plug(m, d, slot);
	if (ret) {
		type->destroy(d->vdev);
		d->vdev = NULL;
	}
	return ret;
}

static int create_disk(struct machine *m, const void *opaque, struct iommu_endpoint *ep,
		       struct virtio_device **vdev)
{
	const struct blk_config *config = opaque;
	struct virtio_blk *blk;
	struct disk *disk;
	int ret = disk_open(&disk, &config->disk);

	if (ret)
		return ret;
	ret = virtio_blk_create(&blk, config, disk, &m->vm.mem, ep);
	if (ret)
		disk_close(disk);
	else
		*vdev = &blk->vdev;
	return ret;
}

static void destroy_disk(struct virtio_device *vdev)
{
	virtio_blk_destroy(container_of(vdev, struct virtio_blk, vdev));
}

static const struct device_type disk_type = {
	.name = "disk",
	.pci_class = 0x018000,
	.create = create_disk,
	.destroy = destroy_disk,
};

static int create_rng(struct machine *m, const void *config, struct iommu_endpoint *ep,
		      struct virtio_device **vdev)
{
	struct virtio_rng *rng;
	int ret = virtio_rng_create(&rng, &m->vm.mem, ep);

	(void)config;
	if (!ret)
		*vdev = &rng->vdev;
	return ret;
}

static void destroy_rng(struct virtio_device *vdev)
{
	virtio_rng_destroy(container_of(vdev, struct virtio_rng, vdev));
}

static const struct device_type rng_type = {
	.name = "virtio-rng",
	.pci_class = 0x00ff00,
	.create = create_rng,
	.destroy = destroy_rng,
};

int machine_add_devices(struct machine *m)
{
	const struct machine_config *config = m->config;
	int ret = 0;

	if (config->has_iommu) {
		ret = iommu_init(&m->iommu, &config->iommu);
		if (ret) {
			pr_err("cannot make the virtio-iommu: %s", strerror(-ret));
			return ret;
		}
		m->has_iommu = true;
		ret = add_device(m, &iommu_type, &config->viommu, NULL);
		if (!ret)
			m->viommu_device = m->devices[0];
	}
	for (unsigned int i = 0; !ret && i < config->nr_disks; i++)
		ret = add_device(m, &disk_type, &config->disks[i].options, &config->disks[i]);
	if (!ret && config->has_rng)
		ret = add_device(m, &rng_type, &config->rng.options, &config->rng);
	return ret;
}

/* Stops what a device does before what it uses goes away. */
static void stop_device(struct virtio_device *vdev)
{
	pthread_mutex_lock(&vdev->lock);
	virtio_set_status(vdev, 0);
	pthread_mutex_unlock(&vdev->lock);
}

void machine_destroy_devices(struct machine *m)
{
	/* In reverse, so that the IOMMU is there as long as a device uses it. */
	for (unsigned int i = m->nr_devices; i--;) {
		if (m->devices[i]->vdev)
			stop_device(m->devices[i]->vdev);
	}
	for (unsigned int i = m->nr_devices; i--;) {
		struct machine_device *d = m->devices[i];

		if (!d->vdev)
			continue;
		virtio_pci_destroy(&d->pci);
		d->type->destroy(d->vdev);
	}
	if (m->has_iommu)
		iommu_destroy(&m->iommu);
	/* The IOMMU's list of endpoints goes through these. */
	while (m->nr_devices)
		free(m->devices[--m->nr_devices]);
}
