// SPDX-License-Identifier: GPL-2.0-only
#include "hw/host-bridge.h"

#define HOST_BRIDGE_VENDOR 0x1b36
#define HOST_BRIDGE_DEVICE 0x0008
#define HOST_BRIDGE_CLASS  0x060000

static const struct pci_device_ops host_bridge_ops;

int host_bridge_add(struct pci_device *bridge, struct pci_bus *bus)
{
	const struct pci_ids ids = {
		.vendor = HOST_BRIDGE_VENDOR,
		.device = HOST_BRIDGE_DEVICE,
		.class = HOST_BRIDGE_CLASS,
	};

	pci_device_init(bridge, &host_bridge_ops, NULL, &ids);
	return pci_add(bus, bridge, 0);
}
