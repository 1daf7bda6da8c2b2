// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/device.h"

void virtio_features(struct report *r)
{
	report_bool(r, "virtio.transport.pci", true);
	report_bool(r, "virtio.transport.mmio", true);
	report_bool(r, "virtio.ring.split", true);
	report_bool(r, "virtio.ring.packed", true);
}
