// SPDX-License-Identifier: GPL-2.0-only
/* Configuration space: PCI Express Base 4.0, 7.5. */
#include <endian.h>
#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "util/log.h"
#include "vm/pci.h"
#include "vm/vm.h"

/* PCI Express Capabilities: version 2, root complex integrated endpoint. */
#define EXP_FLAGS_RC_ENDPOINT (2 | PCI_EXP_TYPE_RC_END << 4)
#define EXP_CAP_SIZE	      60

static void put16(struct pci_device *dev, unsigned int off, u16 val)
{
	val = htole16(val);
	memcpy(&dev->config[off], &val, sizeof(val));
}

static void put32(struct pci_device *dev, unsigned int off, u32 val)
{
	val = htole32(val);
	memcpy(&dev->config[off], &val, sizeof(val));
}

static u16 get16(const struct pci_device *dev, unsigned int off)
{
	u16 val;

	memcpy(&val, &dev->config[off], sizeof(val));
	return le16toh(val);
}

static u32 get32(const struct pci_device *dev, unsigned int off)
{
	u32 val;

	memcpy(&val, &dev->config[off], sizeof(val));
	return le32toh(val);
}

void pci_bus_init(struct pci_bus *bus, struct vm *vm, u64 mmio_base, u64 mmio_size,
		  u32 (*intx_gsi)(unsigned int dev, unsigned int pin))
{
	memset(bus, 0, sizeof(*bus));
	bus->vm = vm;
	bus->mmio_next = mmio_base;
	bus->mmio_end = mmio_base + mmio_size;
	bus->intx_gsi = intx_gsi;
	pthread_mutex_init(&bus->lock, NULL);
	pthread_mutex_init(&bus->intx_lock, NULL);
}

u64 pci_mem64_base(const struct guest_mem *mem, u64 above, u64 size, unsigned int bits)
{
	const struct guest_bank *last = &mem->banks[mem->nr_banks - 1];
	u64 base = align_up(max(last->gpa + last->size, above), size);

	return base + size > 1ULL << bits ? 0 : base;
}

void pci_device_init(struct pci_device *dev, const struct pci_device_ops *ops, void *priv,
		     const struct pci_ids *ids)
{
	unsigned int cap;

	memset(dev, 0, sizeof(*dev));
	dev->ops = ops;
	dev->priv = priv;
	pthread_mutex_init(&dev->msix.lock, NULL);

	put16(dev, PCI_VENDOR_ID, ids->vendor);
	put16(dev, PCI_DEVICE_ID, ids->device);
	put16(dev, PCI_SUBSYSTEM_VENDOR_ID, ids->subsystem_vendor);
	put16(dev, PCI_SUBSYSTEM_ID, ids->subsystem);
	put32(dev, PCI_CLASS_REVISION, ids->class << 8 | ids->revision);
	put16(dev, PCI_STATUS, PCI_STATUS_CAP_LIST);

	dev->wmask[PCI_COMMAND] = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	dev->wmask[PCI_COMMAND + 1] = PCI_COMMAND_INTX_DISABLE >> 8;
	dev->wmask[PCI_CACHE_LINE_SIZE] = 0xff;
	dev->wmask[PCI_INTERRUPT_LINE] = 0xff;

	dev->last_cap = PCI_CAPABILITY_LIST;
	dev->next_cap = PCI_STD_HEADER_SIZEOF;
	cap = pci_add_cap(dev, PCI_CAP_ID_EXP, EXP_CAP_SIZE);
	dev->exp_cap = cap;
	put16(dev, cap + PCI_EXP_FLAGS, EXP_FLAGS_RC_ENDPOINT);
	put32(dev, cap + PCI_EXP_DEVCAP, PCI_EXP_DEVCAP_RBER);
}

void pci_set_bar(struct pci_device *dev, unsigned int index, u64 size)
{
	unsigned int off = PCI_BASE_ADDRESS_0 + 4 * index;
	u64 mask = htole64(~(size - 1));

	dev->bars[index] = (struct pci_bar){.dev = dev, .index = index, .size = size};
	put32(dev, off, PCI_BASE_ADDRESS_SPACE_MEMORY | PCI_BASE_ADDRESS_MEM_TYPE_64);
	memcpy(&dev->wmask[off], &mask, sizeof(mask));
}

unsigned int pci_add_cap(struct pci_device *dev, u8 id, unsigned int size)
{
	unsigned int cap = dev->next_cap;

	dev->config[dev->last_cap] = cap;
	dev->config[cap + PCI_CAP_LIST_ID] = id;
	dev->last_cap = cap + PCI_CAP_LIST_NEXT;
	dev->next_cap = align_up(cap + size, 4);
	return cap;
}

void pci_add_pasid(struct pci_device *dev, unsigned int bits)
{
	/* The only extended capability: the list begins, and ends, there. */
	unsigned int cap = PCI_CFG_SPACE_SIZE;

	dev->pasid_cap = cap;
	put32(dev, cap, PCI_EXT_CAP_ID_PASID | 1 << 16);
	put16(dev, cap + PCI_PASID_CAP, PCI_PASID_CAP_EXEC | PCI_PASID_CAP_PRIV | bits << 8);
	dev->wmask[cap + PCI_PASID_CTRL] =
		PCI_PASID_CTRL_ENABLE | PCI_PASID_CTRL_EXEC | PCI_PASID_CTRL_PRIV;
	/* A PASID is a prefix of a request. */
	put32(dev, dev->exp_cap + PCI_EXP_DEVCAP2, PCI_EXP_DEVCAP2_EE_PREFIX);
}

/* Two bytes that the driver may write at any time. */
static u16 get16_locked(const struct pci_device *dev, unsigned int off)
{
	u16 val;

	pthread_mutex_lock(&dev->bus->intx_lock);
	val = get16(dev, off);
	pthread_mutex_unlock(&dev->bus->intx_lock);
	return val;
}

u16 pci_pasid_control(const struct pci_device *dev)
{
	return dev->pasid_cap ? get16_locked(dev, dev->pasid_cap + PCI_PASID_CTRL) : 0;
}

bool pci_is_master(const struct pci_device *dev)
{
	return get16_locked(dev, PCI_COMMAND) & PCI_COMMAND_MASTER;
}

void pci_enable_intx(struct pci_device *dev)
{
	dev->config[PCI_INTERRUPT_PIN] = 1;
}

int pci_add(struct pci_bus *bus, struct pci_device *dev, unsigned int slot)
{
	dev->bus = bus;
	for (unsigned int i = 0; i < PCI_NR_BARS; i++) {
		struct pci_bar *bar = &dev->bars[i];
		u64 addr;

		if (!bar->size)
			continue;
		addr = align_up(bus->mmio_next, bar->size);
		if (addr + bar->size > bus->mmio_end) {
			pr_err("the PCI window is full: remove a device");
			return -ENOSPC;
		}
		bus->mmio_next = addr + bar->size;
		put32(dev, PCI_BASE_ADDRESS_0 + 4 * i,
		      addr | (get32(dev, PCI_BASE_ADDRESS_0 + 4 * i) & 0xf));
	}
	dev->devfn = slot << 3;
	bus->devs[slot] = dev;
	if (dev->config[PCI_INTERRUPT_PIN])
		dev->config[PCI_INTERRUPT_LINE] =
			bus->intx_gsi(slot, dev->config[PCI_INTERRUPT_PIN] - 1);
	return 0;
}

static void bar_region_access(void *opaque, u64 off, void *data, unsigned int len, bool write)
{
	struct pci_bar *bar = opaque;

	if (bar->dev->msix.cap && bar->index == bar->dev->msix.bar)
		msix_table_access(bar->dev, off, data, len, write);
	else
		bar->dev->ops->bar_access(bar->dev, bar->index, off, data, len, write);
}

static void update_bar(struct pci_device *dev, struct pci_bar *bar)
{
	unsigned int off = PCI_BASE_ADDRESS_0 + 4 * bar->index;
	u64 addr = (get32(dev, off) & ~0xfU) | (u64)get32(dev, off + 4) << 32;
	bool on = get16(dev, PCI_COMMAND) & PCI_COMMAND_MEMORY;

	if (bar->mapped && (!on || bar->addr != addr)) {
		bus_remove(&dev->bus->vm->mmio, bar->addr);
		bar->mapped = false;
		if (dev->ops->bar_mapped)
			dev->ops->bar_mapped(dev, bar->index);
	}
	if (on && !bar->mapped) {
		/* Refused where something else is: then it decodes nothing. */
		if (bus_add(&dev->bus->vm->mmio, addr, bar->size, bar_region_access, bar))
			return;
		bar->addr = addr;
		bar->mapped = true;
		if (dev->ops->bar_mapped)
			dev->ops->bar_mapped(dev, bar->index);
	}
}

/* With bus->intx_lock. */
static void update_intx(struct pci_device *dev)
{
	bool up = dev->intx_level && !(get16(dev, PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE);

	if (dev->intx_level)
		dev->config[PCI_STATUS] |= PCI_STATUS_INTERRUPT;
	else
		dev->config[PCI_STATUS] &= ~PCI_STATUS_INTERRUPT;
	if (up == dev->intx_up)
		return;
	dev->intx_up = up;
	irq_wire_set(dev->bus->vm,
		     dev->bus->intx_gsi(dev->devfn >> 3, dev->config[PCI_INTERRUPT_PIN] - 1), up);
}

void pci_intx_set(struct pci_device *dev, bool level)
{
	pthread_mutex_lock(&dev->bus->intx_lock);
	dev->intx_level = level;
	update_intx(dev);
	pthread_mutex_unlock(&dev->bus->intx_lock);
}

static bool overlaps(unsigned int off, unsigned int len, unsigned int start, unsigned int size)
{
	return off < start + size && off + len > start;
}

/* @first has changed; what was refused for overlapping it may fit now. */
static void update_bars(struct pci_bus *bus, struct pci_device *first)
{
	for (unsigned int i = 0; i < PCI_NR_BARS; i++) {
		if (first->bars[i].size)
			update_bar(first, &first->bars[i]);
	}
	for (unsigned int d = 0; d < PCI_MAX_DEVICES; d++) {
		for (unsigned int i = 0; bus->devs[d] && i < PCI_NR_BARS; i++) {
			if (bus->devs[d]->bars[i].size)
				update_bar(bus->devs[d], &bus->devs[d]->bars[i]);
		}
	}
}

static void config_write(struct pci_device *dev, unsigned int off, const u8 *data, unsigned int len)
{
	pthread_mutex_lock(&dev->bus->intx_lock);
	for (unsigned int i = 0; i < len; i++) {
		u8 mask = dev->wmask[off + i];

		dev->config[off + i] = (dev->config[off + i] & ~mask) | (data[i] & mask);
	}
	if (overlaps(off, len, PCI_COMMAND, 2))
		update_intx(dev);
	pthread_mutex_unlock(&dev->bus->intx_lock);

	if (overlaps(off, len, PCI_COMMAND, 2) ||
	    overlaps(off, len, PCI_BASE_ADDRESS_0, 4 * PCI_NR_BARS))
		update_bars(dev->bus, dev);
	if (dev->msix.cap && (overlaps(off, len, dev->msix.cap, PCI_CAP_MSIX_SIZEOF) ||
			      (dev->msi_needs_master && overlaps(off, len, PCI_COMMAND, 2))))
		msix_config_written(dev);
}

void pci_config_access(struct pci_bus *bus, unsigned int bdf, unsigned int off, void *data,
		       unsigned int len, bool write)
{
	struct pci_device *dev =
		bdf < PCI_MAX_DEVICES << 3 && !(bdf & 7) ? bus->devs[bdf >> 3] : NULL;

	if (!dev || off + len > PCI_CONFIG_SIZE) {
		if (!write)
			memset(data, 0xff, len);
		return;
	}
	if (!write && dev->ops->config_window)
		dev->ops->config_window(dev, off, len, false);
	pthread_mutex_lock(&bus->lock);
	if (write) {
		config_write(dev, off, data, len);
	} else {
		pthread_mutex_lock(&bus->intx_lock);
		memcpy(data, &dev->config[off], len);
		pthread_mutex_unlock(&bus->intx_lock);
	}
	pthread_mutex_unlock(&bus->lock);
	if (write && dev->ops->config_window)
		dev->ops->config_window(dev, off, len, true);
}

void pci_ecam_access(void *opaque, u64 off, void *data, unsigned int len, bool write)
{
	pci_config_access(opaque, off >> 12, off & (PCI_CONFIG_SIZE - 1), data, len, write);
}
