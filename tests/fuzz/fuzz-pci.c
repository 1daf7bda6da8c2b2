// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PCI transport of virtio devices: any accesses to configuration space and to BARs, wherever
 * they have been moved, with resets, interrupts and kicks between them.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>

#include "fake-ioctl.h"
#include "fuzz.h"
#include "unit.h"
#include "virtio-pci-guest.h"

#define REGION_TYPES 5

static const unsigned int lengths[] = {1, 2, 4, 8};

void fuzz_begin(void)
{
	fake_ioctl_install();
}

static void config_space(void)
{
	unsigned int len = lengths[unit_below(3)], off = fuzz_int(2) % 4096;
	u32 val = fuzz_bool() ? fuzz_int(4) : fuzz_number();

	switch (unit_below(4)) {
	case 0:
		pci_read(off, len);
		break;
	case 1:
		pci_ecam_access(&m.bus, (u64)SLOT << 15 | off, &val, len, fuzz_bool());
		break;
	case 2:
		pci_ecam_access(&m.bus, fuzz_int(4), &val, len, fuzz_bool());
		break;
	default:
		pci_write(off, len, val);
	}
}

/* Through the capability that is a window on the BARs. */
static void window(void)
{
	unsigned int cap = find_cap(VIRTIO_PCI_CAP_PCI_CFG);

	pci_write(cap + 4, 1, unit_below(6));
	pci_write(cap + 8, 4, fuzz_int(2));
	pci_write(cap + 12, 4, unit_below(10));
	if (fuzz_bool())
		pci_write(cap + 16, 4, fuzz_number());
	else
		pci_read(cap + 16, 4);
}

static void registers(void)
{
	unsigned int len = fuzz_pick(lengths);
	u64 addr = WINDOW + fuzz_int(3) % (64 * KiB);

	if (fuzz_bool())
		addr = region(1 + unit_below(REGION_TYPES - 1)) + fuzz_int(1);
	else if (unit_below(8) == 0)
		addr = WINDOW + fuzz_int(4) % WINDOW_SIZE;
	if (fuzz_bool())
		mem_write(addr, len, fuzz_bool() ? fuzz_int(len) : fuzz_number());
	else
		mem_read(addr, len);
}

static void common(void)
{
	static const u16 widths[] = {4, 4, 4, 4, 2, 2, 1, 1, 2, 2, 2, 2, 2, 8, 8, 8, 2, 2};
	static const u8 offsets[] = {0,	 4,  8,	 12, 16, 18, 20, 21, 22,
				     24, 26, 28, 30, 32, 40, 48, 56, QUEUE_RESET};
	unsigned int i = unit_below(ARRAY_SIZE(offsets));

	common_set(offsets[i], widths[i], fuzz_bool() ? unit_below(16) : fuzz_number());
}

static void interrupt(void)
{
	u32 data;
	u64 addr;

	m.vdev.transport->interrupt(&m.vdev, fuzz_bool() ? &m.vdev.vqs[unit_below(NR_VQS)] : NULL);
	if (fuzz_bool())
		isr();
	while (fake_kvm_message(&addr, &data))
		;
}

/* MSI-X that works, from where small changes begin. */
static void set_up(void)
{
	u64 table = m.bar + 0x800;

	u8 how = fuzz_int(1);

	set_decode(how & 7);
	/* Then a doorbell or a message is more than the host has. */
	fake_kvm_refuse(how >= 0xf0 ? ENOSPC : 0);
	if (fuzz_bool()) {
		negotiate(m.vdev.offered);
		common_set(VIRTIO_PCI_COMMON_Q_SELECT, 2, unit_below(NR_VQS));
		common_set(VIRTIO_PCI_COMMON_Q_DESCLO, 8, 0x10000);
		common_set(VIRTIO_PCI_COMMON_Q_AVAILLO, 8, 0x11000);
		common_set(VIRTIO_PCI_COMMON_Q_USEDLO, 8, 0x12000);
		common_set(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
		set_status(ACK | DRIVER | FEATURES_OK | DRIVER_OK);
		return;
	}
	for (unsigned int i = 0; i < 4; i++) {
		mem_write(table + i * 16, 4, fuzz_bool() ? FAKE_MSI_START : fuzz_number());
		mem_write(table + i * 16 + 4, 4, fuzz_bool() ? 0 : fuzz_number());
		mem_write(table + i * 16 + 8, 4, i);
		mem_write(table + i * 16 + 12, 4, fuzz_int(1));
	}
	pci_write(PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	pci_write(m.vpci.pci.msix.cap + PCI_MSIX_FLAGS, 2, (how & 8 ? 0x8000 : 0xc000) ^ how << 8);
	common_set(VIRTIO_PCI_COMMON_MSIX, 2, unit_below(4));
	for (unsigned int i = 0; i < NR_VQS; i++) {
		common_set(VIRTIO_PCI_COMMON_Q_SELECT, 2, i);
		common_set(VIRTIO_PCI_COMMON_Q_MSIX, 2, unit_below(4));
	}
}

/* Memory, and where messages go, at two places. */
static void start_iommu(void)
{
	struct mapping map = {.last = RAM - 1, .flags = MAPPING_READ | MAPPING_WRITE};

	CHECK(!iommu_attach(&m.iommu, 1, EP_ID, false));
	CHECK(!iommu_map(&m.iommu, 1, &map));
	map = (struct mapping){FAKE_MSI_START, FAKE_MSI_START + 4095, FAKE_MSI_START, 2};
	CHECK(!iommu_map(&m.iommu, 1, &map));
}

void fuzz_one(void)
{
	const struct virtio_ops *ops = fuzz_bool() ? &plain_ops : &threaded_ops;

	thing_make(ops, fuzz_bool());
	if (m.has_iommu) {
		m.iommu.config.msi_mapped = fuzz_bool();
		start_iommu();
	}
	thing_plug();
	m.refuse_features = unit_below(16) == 0;
	while (fuzz_more()) {
		u8 step = fuzz_int(1);

		if (step < 64)
			config_space();
		else if (step < 96)
			window();
		else if (step < 160)
			registers();
		else if (step < 220)
			common();
		else if (step < 248)
			interrupt();
		else
			set_up();
	}
	set_status(0);
	thing_end();
}
