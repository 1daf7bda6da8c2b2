// SPDX-License-Identifier: GPL-2.0-only
/* The virtio devices of a machine: from their options to their places on a bus. */
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"
#include "util/log.h"

static int create_iommu(struct machine *m, const void *config, struct iommu_endpoint *ep,
			struct virtio_device **vdev)
{
	int ret = virtio_iommu_init(&m->viommu, &m->iommu, &m->vm.mem, &m->vm.stopping);

	(void)config;
	(void)ep;
	if (ret)
		pr_err("cannot make the virtio-iommu: %s", strerror(-ret));
	else
		*vdev = &m->viommu.vdev;
	return ret;
}

static void destroy_iommu(struct virtio_device *vdev)
{
	virtio_iommu_destroy(container_of(vdev, struct virtio_iommu, vdev));
}

static const struct device_type iommu_type = {
	.name = "virtio-iommu",
	.word = "iommu",
	.pci_class = 0x080600,
	.create = create_iommu,
	.destroy = destroy_iommu,
};

static bool is_behind_iommu(const struct machine *m, const struct device_type *type,
			    const struct virtio_options *options)
{
	return m->config->has_iommu && type != &iommu_type && options->iommu != VIRTIO_CHOICE_OFF;
}

/* What the driver is offered in this machine. Before the transport shows it. */
static void offer_features(struct machine *m, struct machine_device *d,
			   const struct virtio_options *options)
{
	enum virtio_ring ring = options->ring ? options->ring : m->config->ring;

	if (ring == VIRTIO_RING_PACKED)
		d->vdev->offered |= BIT_ULL(VIRTIO_F_RING_PACKED);
	/*
	 * A driver uses a table for each request of more than one descriptor. Behind the
	 * virtio-iommu the table is one more buffer to map and unmap, an exit each; for the
	 * virtio-iommu itself it is one to allocate.
	 */
	if (d->behind_iommu || d->type == &iommu_type)
		d->vdev->offered &= ~BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC);
}

static int plug(struct machine *m, struct machine_device *d)
{
	struct iommu_endpoint *ep = d->behind_iommu ? &d->ep : NULL;
	struct mmio_slot place;
	int ret;

	if (d->transport == VIRTIO_TRANSPORT_PCI) {
		ret = virtio_pci_init(&d->pci, d->vdev, &m->pci, d->slot, d->type->pci_class, ep);
	} else {
		arch_mmio_slot(d->slot, &place);
		ret = virtio_mmio_init(&d->mmio, d->vdev, &m->vm, place.base, place.gsi);
	}
	if (ret)
		pr_err("cannot plug in a %s: %s", d->type->name, strerror(-ret));
	return ret;
}

static void unplug(struct machine_device *d)
{
	if (d->transport == VIRTIO_TRANSPORT_PCI)
		virtio_pci_destroy(&d->pci);
	else
		virtio_mmio_destroy(&d->mmio);
}

/* Chooses where @d goes. PCI slot 0 is the host bridge's. */
static int take_slot(struct machine *m, struct machine_device *d,
		     const struct virtio_options *options)
{
	struct mmio_slot place;

	d->transport = options->transport;
	if (d->transport == VIRTIO_TRANSPORT_DEFAULT)
		d->transport = m->config->transport;
	if (d->transport == VIRTIO_TRANSPORT_DEFAULT)
		d->transport = VIRTIO_TRANSPORT_PCI;

	if (d->transport == VIRTIO_TRANSPORT_PCI) {
		if (m->nr_pci == MACHINE_MAX_PCI) {
			pr_err("%s: PCI is full, it has room for %d devices: try transport=mmio",
			       options->what, MACHINE_MAX_PCI);
			return -ENOSPC;
		}
		d->slot = ++m->nr_pci;
		return 0;
	}
	if (m->nr_mmio == MACHINE_MAX_MMIO || !arch_mmio_slot(m->nr_mmio, &place)) {
		pr_err("%s: all %u places for virtio-mmio are in use: try transport=pci",
		       options->what, m->nr_mmio);
		return -ENOSPC;
	}
	d->slot = m->nr_mmio++;
	return 0;
}

static int add_endpoint(struct machine *m, struct machine_device *d,
			const struct virtio_options *options, unsigned int pasid_bits)
{
	struct iommu_limits limits = {.pasid_bits = pasid_bits};
	u32 id = d->transport == VIRTIO_TRANSPORT_PCI ? d->slot << 3
						      : MACHINE_MMIO_ENDPOINTS + d->slot;
	int ret = iommu_add_endpoint(&m->iommu, &d->ep, id);

	limits.pa_bits = min(m->vm.phys_bits, 52U);
	if (ret)
		pr_err("cannot put a %s behind the virtio-iommu: %s", d->type->name,
		       strerror(-ret));
	else
		iommu_set_format(&d->ep,
				 options->has_format ? options->format : m->config->iommu.format,
				 &limits);
	return ret;
}

int machine_new_device(struct machine *m, const struct device_type *type,
		       const struct virtio_options *options, unsigned int pasid_bits,
		       struct machine_device **out)
{
	struct machine_device *d = calloc(1, sizeof(*d));
	int ret;

	if (!d) {
		pr_err("out of memory");
		return -ENOMEM;
	}
	d->type = type;
	ret = take_slot(m, d, options);
	if (ret) {
		free(d);
		return ret;
	}
	m->devices[m->nr_devices++] = d;
	d->behind_iommu = is_behind_iommu(m, type, options);
	*out = d;
	return d->behind_iommu ? add_endpoint(m, d, options, pasid_bits) : 0;
}

static int add_device(struct machine *m, const struct device_type *type,
		      const struct virtio_options *options, const void *config)
{
	struct machine_device *d;
	int ret = machine_new_device(m, type, options, 0, &d);

	if (ret)
		return ret;
	ret = type->create(m, config, d->behind_iommu ? &d->ep : NULL, &d->vdev);
	if (ret)
		return ret;
	offer_features(m, d, options);
	ret = plug(m, d);
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
	.word = "disk",
	.pci_class = 0x018000,
	.create = create_disk,
	.destroy = destroy_disk,
};

static int create_net(struct machine *m, const void *opaque, struct iommu_endpoint *ep,
		      struct virtio_device **vdev)
{
	const struct net_config *config = opaque;
	struct net_backend *backend;
	struct virtio_net *net;
	int ret = tap_open(&backend, config->options.what, &config->tap);

	if (ret)
		return ret;
	ret = virtio_net_create(&net, config, backend, &m->vm.mem, ep);
	if (ret)
		backend->ops->close(backend);
	else
		*vdev = &net->vdev;
	return ret;
}

static void destroy_net(struct virtio_device *vdev)
{
	virtio_net_destroy(container_of(vdev, struct virtio_net, vdev));
}

static const struct device_type net_type = {
	.name = "network device",
	.word = "net",
	.pci_class = 0x020000,
	.create = create_net,
	.destroy = destroy_net,
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
	.word = "rng",
	.pci_class = 0x00ff00,
	.create = create_rng,
	.destroy = destroy_rng,
};

static int create_console(struct machine *m, const void *opaque, struct iommu_endpoint *ep,
			  struct virtio_device **vdev)
{
	const struct console_config *config = opaque;
	struct chardev *chardevs[CONSOLE_MAX_PORTS] = {NULL};
	struct virtio_console *con;
	unsigned int nr = 0;
	int ret = 0;

	while (nr < config->nr_ports) {
		ret = machine_open_chardev(m, config->options.what, &config->ports[nr].chardev,
					   &chardevs[nr]);
		if (ret)
			break;
		nr++;
	}
	if (!ret)
		ret = virtio_console_create(&con, config, chardevs, &m->vm.mem, ep);
	if (ret) {
		while (nr)
			chardev_close(chardevs[--nr]);
		return ret;
	}
	*vdev = &con->vdev;
	return 0;
}

static void destroy_console(struct virtio_device *vdev)
{
	virtio_console_destroy(container_of(vdev, struct virtio_console, vdev));
}

static const struct device_type console_type = {
	.name = "console",
	.word = "console",
	.pci_class = 0x078000,
	.create = create_console,
	.destroy = destroy_console,
};

static const struct device_type *const types[] = {
	&iommu_type, &disk_type, &net_type, &console_type, &rng_type,
};

void machine_features(struct report *r)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(types); i++) {
		char name[64];

		snprintf(name, sizeof(name), "device.%s", types[i]->word);
		report_bool(r, name, true);
	}
}

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
	for (unsigned int i = 0; !ret && i < config->nr_nets; i++)
		ret = add_device(m, &net_type, &config->nets[i].options, &config->nets[i]);
	if (!ret && config->has_rng)
		ret = add_device(m, &rng_type, &config->rng.options, &config->rng);
	if (!ret && config->console.nr_ports)
		ret = add_device(m, &console_type, &config->console.options, &config->console);
	for (unsigned int i = 0; !ret && i < config->nr_engines; i++)
		ret = machine_add_engine(m, &config->engines[i]);
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
		else if (m->devices[i]->engine)
			dma_engine_reset(m->devices[i]->engine);
	}
	for (unsigned int i = m->nr_devices; i--;) {
		struct machine_device *d = m->devices[i];

		if (d->engine)
			dma_engine_destroy(d->engine);
		if (!d->vdev)
			continue;
		unplug(d);
		d->type->destroy(d->vdev);
	}
	if (m->has_iommu)
		iommu_destroy(&m->iommu);
	/* The IOMMU's list of endpoints goes through these. */
	while (m->nr_devices)
		free(m->devices[--m->nr_devices]);
}
