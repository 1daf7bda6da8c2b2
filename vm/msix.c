// SPDX-License-Identifier: GPL-2.0-only
/* MSI-X: PCI Local Bus 3.0, 6.8.2; PCI Express Base 4.0, 7.7.2. */
#include <endian.h>
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>

#include "util/log.h"
#include "vm/pci.h"
#include "vm/vm.h"

struct msix_vector {
	u32 entry[4]; /* as in the table, little-endian: address, upper address, data, control */
	bool pending;
	struct msi_route route;
};

int pci_add_msix(struct pci_device *dev, unsigned int nr, unsigned int bar)
{
	struct msix *msix = &dev->msix;
	unsigned int cap = pci_add_cap(dev, PCI_CAP_ID_MSIX, PCI_CAP_MSIX_SIZEOF);
	u16 flags = htole16(nr - 1);
	u32 where;

	msix->vectors = calloc(nr, sizeof(*msix->vectors));
	if (!msix->vectors)
		return -ENOMEM;
	for (unsigned int i = 0; i < nr; i++) {
		msix->vectors[i].entry[3] = htole32(PCI_MSIX_ENTRY_CTRL_MASKBIT);
		msi_route_init(&msix->vectors[i].route);
	}
	msix->cap = cap;
	msix->nr = nr;
	msix->bar = bar;
	msix->pba_off = align_up(nr * PCI_MSIX_ENTRY_SIZE, 8);

	memcpy(&dev->config[cap + PCI_MSIX_FLAGS], &flags, sizeof(flags));
	dev->wmask[cap + PCI_MSIX_FLAGS + 1] =
		(PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL) >> 8;
	where = htole32(bar);
	memcpy(&dev->config[cap + PCI_MSIX_TABLE], &where, sizeof(where));
	where = htole32(bar | msix->pba_off);
	memcpy(&dev->config[cap + PCI_MSIX_PBA], &where, sizeof(where));
	return 0;
}

void pci_device_destroy(struct pci_device *dev)
{
	/* One that never was on a bus sent no message. */
	for (unsigned int i = 0; dev->bus && i < dev->msix.nr; i++)
		msi_route_free(dev->bus->vm, &dev->msix.vectors[i].route);
	free(dev->msix.vectors);
	dev->msix.vectors = NULL;
	pthread_mutex_destroy(&dev->msix.lock);
}

static void send(struct pci_device *dev, struct msix_vector *v)
{
	u64 addr = le32toh(v->entry[0]) | (u64)le32toh(v->entry[1]) << 32;
	u32 data = le32toh(v->entry[2]);
	struct vm *vm = dev->bus->vm;
	int ret;

	if (dev->msi_is_dma || !arch_is_msi_addr(vm, addr)) {
		if (dev->ops->msi_dma)
			dev->ops->msi_dma(dev, addr, data);
		return;
	}
	ret = msi_route_set(vm, &v->route, pci_bdf(dev), addr, data);
	if (ret) {
		/* A guest can make this happen at will: one line a device is enough. */
		if (!dev->msix.warned)
			pr_warn("interrupt messages of 00:%02x.0 are lost: %s", dev->devfn >> 3,
				strerror(-ret));
		dev->msix.warned = true;
		return;
	}
	msi_route_signal(&v->route);
}

/* With msix->lock. */
static bool may_send(const struct pci_device *dev, const struct msix_vector *v)
{
	return dev->msix.enabled && !dev->msix.masked &&
	       !(le32toh(v->entry[3]) & PCI_MSIX_ENTRY_CTRL_MASKBIT) &&
	       (!dev->msi_needs_master || pci_is_master(dev));
}

/* With msix->lock: sends what waited until it may be sent. */
static void flush_pending(struct pci_device *dev, struct msix_vector *v)
{
	if (!v->pending || !may_send(dev, v))
		return;
	v->pending = false;
	send(dev, v);
}

void msix_config_written(struct pci_device *dev)
{
	struct msix *msix = &dev->msix;
	u8 flags = dev->config[msix->cap + PCI_MSIX_FLAGS + 1];

	pthread_mutex_lock(&msix->lock);
	msix->enabled = flags & (PCI_MSIX_FLAGS_ENABLE >> 8);
	msix->masked = flags & (PCI_MSIX_FLAGS_MASKALL >> 8);
	for (unsigned int i = 0; i < msix->nr; i++)
		flush_pending(dev, &msix->vectors[i]);
	pthread_mutex_unlock(&msix->lock);
}

bool msix_enabled(struct pci_device *dev)
{
	bool enabled;

	pthread_mutex_lock(&dev->msix.lock);
	enabled = dev->msix.enabled;
	pthread_mutex_unlock(&dev->msix.lock);
	return enabled;
}

void msix_notify(struct pci_device *dev, unsigned int vector)
{
	struct msix *msix = &dev->msix;
	struct msix_vector *v;

	if (vector >= msix->nr)
		return;
	v = &msix->vectors[vector];
	pthread_mutex_lock(&msix->lock);
	if (may_send(dev, v))
		send(dev, v);
	else
		v->pending = true;
	pthread_mutex_unlock(&msix->lock);
}

static u8 pending_byte(const struct msix *msix, u64 off)
{
	u8 bits = 0;

	for (unsigned int i = 0; i < 8 && off * 8 + i < msix->nr; i++)
		bits |= msix->vectors[off * 8 + i].pending << i;
	return bits;
}

void msix_table_access(struct pci_device *dev, u64 off, void *data, unsigned int len, bool write)
{
	struct msix *msix = &dev->msix;
	u8 *bytes = data;

	pthread_mutex_lock(&msix->lock);
	for (unsigned int i = 0; i < len; i++, off++) {
		struct msix_vector *v;
		u8 *byte;

		if (off >= msix->pba_off) {
			if (!write)
				bytes[i] = pending_byte(msix, off - msix->pba_off);
			continue;
		}
		if (off >= msix->nr * PCI_MSIX_ENTRY_SIZE) {
			if (!write)
				bytes[i] = 0;
			continue;
		}
		v = &msix->vectors[off / PCI_MSIX_ENTRY_SIZE];
		byte = (u8 *)v->entry + off % PCI_MSIX_ENTRY_SIZE;
		if (!write)
			bytes[i] = *byte;
		else if (off % PCI_MSIX_ENTRY_SIZE < PCI_MSIX_ENTRY_VECTOR_CTRL)
			*byte = bytes[i];
		else if (off % PCI_MSIX_ENTRY_SIZE == PCI_MSIX_ENTRY_VECTOR_CTRL)
			*byte = bytes[i] & PCI_MSIX_ENTRY_CTRL_MASKBIT; /* the rest is reserved */
	}
	if (write) {
		off = min(off - 1, (u64)msix->nr * PCI_MSIX_ENTRY_SIZE - 1);
		flush_pending(dev, &msix->vectors[off / PCI_MSIX_ENTRY_SIZE]);
	}
	pthread_mutex_unlock(&msix->lock);
}
