// SPDX-License-Identifier: GPL-2.0-only
#include "rt/pci.h"

#include "rt/arch.h"
#include "rt/core.h"
#include "rt/firmware.h"

static u8 *config(u16 bdf, u16 reg)
{
	return map_phys(fw.ecam + ((u64)(bdf - (fw.bus_first << 8)) << 12) + reg, 4);
}

u8 pci_read8(u16 bdf, u16 reg)
{
	return mmio_read8(config(bdf, reg));
}

u16 pci_read16(u16 bdf, u16 reg)
{
	return mmio_read16(config(bdf, reg));
}

u32 pci_read32(u16 bdf, u16 reg)
{
	return mmio_read32(config(bdf, reg));
}

void pci_write16(u16 bdf, u16 reg, u16 val)
{
	mmio_write16(config(bdf, reg), val);
}

void pci_write32(u16 bdf, u16 reg, u32 val)
{
	mmio_write32(config(bdf, reg), val);
}

int pci_next(int bdf)
{
	int first = fw.bus_first << 8;

	if (!fw.ecam)
		return -1;
	for (bdf = bdf < 0 ? first : bdf + 1; bdf < first + 256; bdf++) {
		/* Functions 1 to 7 exist only where function 0 says so. */
		if ((bdf & 7) && !(pci_read8(bdf & ~7, PCI_HEADER) & 0x80)) {
			bdf |= 7;
			continue;
		}
		if (pci_read16(bdf, PCI_VENDOR) != 0xffff)
			return bdf;
		if (!(bdf & 7))
			bdf |= 7;
	}
	return -1;
}

u8 pci_find_cap(u16 bdf, u8 id, u8 pos)
{
	unsigned int left = 48; /* more do not fit: the list may be a loop */

	if (!(pci_read16(bdf, PCI_STATUS) & PCI_STATUS_CAPS))
		return 0;
	pos = pci_read8(bdf, pos ? pos + 1 : PCI_CAPS) & ~3;
	for (; pos && left--; pos = pci_read8(bdf, pos + 1) & ~3) {
		if (pci_read8(bdf, pos) == id)
			return pos;
	}
	return 0;
}

u64 pci_bar(u16 bdf, unsigned int n)
{
	u32 low = pci_read32(bdf, PCI_BAR(n));
	u64 gpa = low & ~15U;

	if (low & 1)
		return 0;
	if ((low & 6) == 4)
		gpa |= (u64)pci_read32(bdf, PCI_BAR(n + 1)) << 32;
	return gpa;
}

#define MSIX_CONTROL	    2
#define MSIX_CONTROL_ENABLE BIT(15)
#define MSIX_CONTROL_MASK   BIT(14)
#define MSIX_TABLE	    4
#define MSIX_ENTRY_SIZE	    16

bool pci_msix_route(u16 bdf, unsigned int entry, unsigned int line)
{
	u8 cap = pci_find_cap(bdf, PCI_CAP_MSIX, 0);
	u16 control;
	u32 table, data;
	u64 addr;
	u8 *e;

	if (!cap)
		return false;
	control = pci_read16(bdf, cap + MSIX_CONTROL);
	if (entry > (control & 0x7ff))
		return false;
	table = pci_read32(bdf, cap + MSIX_TABLE);
	e = map_phys(pci_bar(bdf, table & 7) + (table & ~7U) + entry * MSIX_ENTRY_SIZE,
		     MSIX_ENTRY_SIZE);
	msi_message(line, &addr, &data);
	mmio_write32(e, addr);
	mmio_write32(e + 4, addr >> 32);
	mmio_write32(e + 8, data);
	mmio_write32(e + 12, 0); /* unmasked */
	control = (control | MSIX_CONTROL_ENABLE) & ~MSIX_CONTROL_MASK;
	pci_write16(bdf, cap + MSIX_CONTROL, control);
	return true;
}
