// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"
#include "virtio-pci-guest.h"

#define BDF (SLOT << 3)

struct virtio_pci_guest m;

static void config_read(struct virtio_device *vdev, u32 off, void *buf, u32 len)
{
	(void)vdev;
	memcpy(buf, m.config + off, len);
}

static void config_write(struct virtio_device *vdev, u32 off, const void *buf, u32 len)
{
	(void)vdev;
	memcpy(m.config + off, buf, len);
}

static int features_ok(struct virtio_device *vdev, u64 features)
{
	(void)vdev;
	(void)features;
	return m.refuse_features ? -EINVAL : 0;
}

static int queue_start(struct virtio_device *vdev, unsigned int index)
{
	(void)vdev;
	m.starts[index]++;
	return 0;
}

static void queue_stop(struct virtio_device *vdev, unsigned int index)
{
	(void)vdev;
	m.stops[index]++;
}

static void kick(struct virtio_device *vdev, unsigned int index)
{
	(void)vdev;
	m.kicks[index]++;
}

static void reset(struct virtio_device *vdev)
{
	(void)vdev;
	m.resets++;
}

#define COMMON_OPS                                                                                \
	.name = "thing", .id = DEVICE_ID, .config_size = CONFIG_SIZE, .config_read = config_read, \
	.config_write = config_write, .features_ok = features_ok, .queue_start = queue_start,     \
	.queue_stop = queue_stop, .kick = kick, .reset = reset

const struct virtio_ops plain_ops = {COMMON_OPS};
const struct virtio_ops threaded_ops = {COMMON_OPS, .threaded = true};

static u32 intx_gsi(unsigned int dev, unsigned int pin)
{
	return 16 + dev + pin;
}

u32 pci_read(unsigned int off, unsigned int len)
{
	u32 val = 0;

	pci_config_access(&m.bus, BDF, off, &val, len, false);
	return val;
}

void pci_write(unsigned int off, unsigned int len, u32 val)
{
	pci_config_access(&m.bus, BDF, off, &val, len, true);
}

void set_decode(bool on)
{
	pci_write(PCI_COMMAND, 2, on ? PCI_COMMAND_MEMORY : 0);
}

void machine_start(bool behind_iommu)
{
	static const struct iommu_config config = {
		.page_size_mask = ~4095ULL,
		.input_last = UINT64_MAX,
		.domain_last = 9,
		.max_mappings = 100,
	};

	memset(&m, 0, sizeof(m));
	fake_kvm_start(&m.vm, RAM);
	pci_bus_init(&m.bus, &m.vm, WINDOW, WINDOW_SIZE, intx_gsi);
	m.has_iommu = behind_iommu;
	if (behind_iommu &&
	    (iommu_init(&m.iommu, &config) || iommu_add_endpoint(&m.iommu, &m.ep, EP_ID)))
		exit(2);
}

void thing_make(const struct virtio_ops *ops, bool behind_iommu)
{
	machine_start(behind_iommu);
	for (unsigned int i = 0; i < CONFIG_SIZE; i++)
		m.config[i] = 0x40 + i;
	if (virtio_device_init(&m.vdev, ops, DEVICE_BITS, NR_VQS, VQ_SIZE, &m.vm.mem,
			       behind_iommu ? &m.ep : NULL))
		exit(2);
}

void thing_start(const struct virtio_ops *ops, bool behind_iommu)
{
	thing_make(ops, behind_iommu);
	thing_plug();
}

void thing_plug(void)
{
	if (virtio_pci_init(&m.vpci, &m.vdev, &m.bus, SLOT, 0x018000, m.has_iommu ? &m.ep : NULL))
		exit(2);
	m.bar = (pci_read(PCI_BASE_ADDRESS_0, 4) & ~0xfU) | (u64)pci_read(PCI_BASE_ADDRESS_1, 4)
								    << 32;
	set_decode(true);
}

void thing_end(void)
{
	virtio_pci_destroy(&m.vpci);
	thing_free();
}

void thing_free(void)
{
	virtio_device_destroy(&m.vdev);
	if (m.has_iommu)
		iommu_destroy(&m.iommu);
	CHECK_EQ(fake_kvm_nr_irqfds(), 0);
	CHECK_EQ(fake_kvm_nr_doorbells(), 0);
	fake_kvm_end(&m.vm);
}

unsigned int find_cap(u8 type)
{
	unsigned int cap;

	for (cap = pci_read(PCI_CAPABILITY_LIST, 1); cap; cap = pci_read(cap + 1, 1)) {
		if (pci_read(cap, 1) == PCI_CAP_ID_VNDR && pci_read(cap + 3, 1) == type)
			return cap;
	}
	return 0;
}

u64 region(u8 type)
{
	return m.bar + pci_read(find_cap(type) + 8, 4);
}

u64 mem_read(u64 addr, unsigned int len)
{
	u64 val = 0;

	bus_access(&m.vm.mmio, addr, &val, len, false);
	return val;
}

void mem_write(u64 addr, unsigned int len, u64 val)
{
	bus_access(&m.vm.mmio, addr, &val, len, true);
}

u64 common_get(unsigned int off, unsigned int len)
{
	return mem_read(region(VIRTIO_PCI_CAP_COMMON_CFG) + off, len);
}

void common_set(unsigned int off, unsigned int len, u64 val)
{
	mem_write(region(VIRTIO_PCI_CAP_COMMON_CFG) + off, len, val);
}

u64 isr(void)
{
	return mem_read(region(VIRTIO_PCI_CAP_ISR_CFG), 1);
}

void set_features(u64 features)
{
	for (unsigned int i = 0; i < 2; i++) {
		common_set(VIRTIO_PCI_COMMON_GFSELECT, 4, i);
		common_set(VIRTIO_PCI_COMMON_GF, 4, (u32)(features >> 32 * i));
	}
}

u8 status(void)
{
	return common_get(VIRTIO_PCI_COMMON_STATUS, 1);
}

void set_status(u8 val)
{
	common_set(VIRTIO_PCI_COMMON_STATUS, 1, val);
}

void run_queue(unsigned int index)
{
	set_status(ACK | DRIVER);
	set_features(m.vdev.offered);
	set_status(ACK | DRIVER | FEATURES_OK);
	common_set(VIRTIO_PCI_COMMON_Q_SELECT, 2, index);
	common_set(VIRTIO_PCI_COMMON_Q_DESCLO, 8, 0x10000);
	common_set(VIRTIO_PCI_COMMON_Q_AVAILLO, 8, 0x11000);
	common_set(VIRTIO_PCI_COMMON_Q_USEDLO, 8, 0x12000);
	common_set(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	set_status(ACK | DRIVER | FEATURES_OK | DRIVER_OK);
	CHECK_EQ(status(), ACK | DRIVER | FEATURES_OK | DRIVER_OK);
}

bool negotiate(u64 features)
{
	set_status(0);
	set_status(ACK | DRIVER);
	set_features(features);
	set_status(ACK | DRIVER | FEATURES_OK);
	return status() & FEATURES_OK;
}
