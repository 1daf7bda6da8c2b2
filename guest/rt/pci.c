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

/* Makes the BAR's size readable for a moment; 0 if there is none, or one for ports. */
static u64 bar_size(u16 bdf, unsigned int n)
{
	u32 low = pci_read32(bdf, PCI_BAR(n)), high = 0;
	u64 mask;

	if (low & 1)
		return 0;
	pci_write32(bdf, PCI_BAR(n), ~0U);
	mask = (pci_read32(bdf, PCI_BAR(n)) & ~15U) | ~0ULL << 32;
	pci_write32(bdf, PCI_BAR(n), low);
	if (!(u32)mask)
		return 0;
	if ((low & 6) == 4) {
		high = pci_read32(bdf, PCI_BAR(n + 1));
		pci_write32(bdf, PCI_BAR(n + 1), ~0U);
		mask = (u32)mask | (u64)pci_read32(bdf, PCI_BAR(n + 1)) << 32;
		pci_write32(bdf, PCI_BAR(n + 1), high);
	}
	return -mask;
}

void pci_assign_bars(u64 base, u64 size)
{
	u64 next = max(base, (u64)PAGE_SIZE);
	unsigned int n;
	int bdf = -1;

	while ((bdf = pci_next(bdf)) >= 0) {
		/* A bridge has two BARs, and behind it is another bus. */
		unsigned int nr = pci_read8(bdf, PCI_HEADER) & 0x7f ? 2 : 6;

		for (n = 0; n < nr; n++) {
			bool wide = (pci_read32(bdf, PCI_BAR(n)) & 7) == 4;
			u64 len = pci_bar(bdf, n) ? 0 : bar_size(bdf, n);

			next = align_up(next, max(len, (u64)PAGE_SIZE));
			if (len && next - base <= size && len <= size - (next - base)) {
				pci_write32(bdf, PCI_BAR(n), next);
				if (wide)
					pci_write32(bdf, PCI_BAR(n + 1), 0);
				next += len;
			}
			n += wide;
		}
	}
}

#define MSIX_CONTROL	    2
#define MSIX_CONTROL_ENABLE BIT(15)
#define MSIX_CONTROL_MASK   BIT(14)
#define MSIX_TABLE	    4
#define MSIX_ENTRY_SIZE	    16
#define MSIX_ENTRY_CONTROL  12
#define MSIX_ENTRY_MASKED   1

/* The registers of MSI-X table entry @entry, or NULL. */
static u8 *msix_entry(u16 bdf, unsigned int entry)
{
	u8 cap = pci_find_cap(bdf, PCI_CAP_MSIX, 0);
	u32 table;

	if (!cap || entry > (pci_read16(bdf, cap + MSIX_CONTROL) & 0x7ff))
		return NULL;
	table = pci_read32(bdf, cap + MSIX_TABLE);
	return map_phys(pci_bar(bdf, table & 7) + (table & ~7U) + entry * MSIX_ENTRY_SIZE,
			MSIX_ENTRY_SIZE);
}

bool pci_msix_route(u16 bdf, unsigned int entry, unsigned int line)
{
	u8 *e = msix_entry(bdf, entry);
	u16 control;
	u32 data;
	u64 addr;
	u8 cap;

	if (!e || !msi_message(bdf, line, &addr, &data))
		return false;
	mmio_write32(e, addr);
	mmio_write32(e + 4, addr >> 32);
	mmio_write32(e + 8, data);
	mmio_write32(e + MSIX_ENTRY_CONTROL, 0);
	cap = pci_find_cap(bdf, PCI_CAP_MSIX, 0);
	control = pci_read16(bdf, cap + MSIX_CONTROL);
	control = (control | MSIX_CONTROL_ENABLE) & ~MSIX_CONTROL_MASK;
	pci_write16(bdf, cap + MSIX_CONTROL, control);
	return true;
}

u64 pci_msix_address(u16 bdf, unsigned int entry)
{
	u8 *e = msix_entry(bdf, entry);

	return mmio_read32(e) | (u64)mmio_read32(e + 4) << 32;
}

void pci_msix_redirect(u16 bdf, unsigned int entry, u64 addr)
{
	u8 *e = msix_entry(bdf, entry);

	/* The address of an entry that is not masked must not change. */
	mmio_write32(e + MSIX_ENTRY_CONTROL, MSIX_ENTRY_MASKED);
	mmio_write32(e, addr);
	mmio_write32(e + 4, addr >> 32);
	mmio_write32(e + MSIX_ENTRY_CONTROL, 0);
}
