/* SPDX-License-Identifier: GPL-2.0-only */
/* PCI configuration space by ECAM. A function's address (BDF) is bus:8 device:5 function:3. */
#ifndef LKVM_GUEST_RT_PCI_H
#define LKVM_GUEST_RT_PCI_H

#include "util/types.h"

#define PCI_BDF(bus, dev, fn) ((u16)((bus) << 8 | (dev) << 3 | (fn)))
#define PCI_FMT		      "%02x:%02x.%x"
#define PCI_ARGS(bdf)	      (bdf) >> 8, (bdf) >> 3 & 31, (bdf) % 8

#define PCI_VENDOR	    0x00
#define PCI_DEVICE	    0x02
#define PCI_COMMAND	    0x04
#define PCI_COMMAND_MEM	    BIT(1)
#define PCI_COMMAND_MASTER  BIT(2)
#define PCI_COMMAND_NO_INTX BIT(10)
#define PCI_STATUS	    0x06
#define PCI_STATUS_CAPS	    BIT(4)
#define PCI_HEADER	    0x0e
#define PCI_BAR(n)	    (0x10 + 4 * (n))
#define PCI_CAPS	    0x34
#define PCI_INTERRUPT_PIN   0x3d

#define PCI_CAP_VENDOR 0x09
#define PCI_CAP_MSIX   0x11

u8 pci_read8(u16 bdf, u16 reg);
u16 pci_read16(u16 bdf, u16 reg);
u32 pci_read32(u16 bdf, u16 reg);
void pci_write16(u16 bdf, u16 reg, u16 val);
void pci_write32(u16 bdf, u16 reg, u32 val);

/* Every function on the first bus: start with @bdf = -1; -1 when there is no more. */
int pci_next(int bdf);

/* The next capability @id after @pos (0: the first), or 0. */
u8 pci_find_cap(u16 bdf, u8 id, u8 pos);

/* GPA of memory BAR @n as the firmware has set it up, or 0. */
u64 pci_bar(u16 bdf, unsigned int n);

/*
 * Gives every memory BAR on the first bus that has no address yet one in [base, base + size),
 * which lies below 4 GiB. The addresses that the firmware has given stay.
 */
void pci_assign_bars(u64 base, u64 size);

/*
 * Routes MSI-X table entry @entry to interrupt line @line and turns MSI-X on.
 * False if the function has no such entry, or the machine no messages.
 */
bool pci_msix_route(u16 bdf, unsigned int entry, unsigned int line);

/* Where the messages of an entry that is routed go, and has them go to @addr instead. */
u64 pci_msix_address(u16 bdf, unsigned int entry);
void pci_msix_redirect(u16 bdf, unsigned int entry, u64 addr);

#endif /* LKVM_GUEST_RT_PCI_H */
