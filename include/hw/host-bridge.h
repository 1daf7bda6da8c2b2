/* SPDX-License-Identifier: GPL-2.0-only */
/* The function at slot 0 of the root bus: software takes its class for a sign of PCI. */
#ifndef LKVM_HW_HOST_BRIDGE_H
#define LKVM_HW_HOST_BRIDGE_H

#include "vm/pci.h"

/* -ENOSPC as pci_add(). @bridge has to live as long as the bus. */
int host_bridge_add(struct pci_device *bridge, struct pci_bus *bus);

#endif /* LKVM_HW_HOST_BRIDGE_H */
