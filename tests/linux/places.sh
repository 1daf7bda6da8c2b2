# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# For scripts in stock guests: where a device is, whatever the architecture calls it.

# The names of devices on a bus, one a line, as 02.0 for a PCI function of bus 0 and mmio3 for the
# device in slot 3 of virtio-mmio: that has its number in ACPI, or its address in a device tree.
places()
{
	sed -e 's/^0000:00:\(..\..\)$/\1/' \
		-e 's/^LNRO0005:0\(.\)$/mmio\1/' -e 's/^LNRO0005:\(..\)$/mmio\1/' \
		-e 's/^200\(.\)000\..*/mmio\1/' -e 's/^20\(..\)000\..*/mmio\1/'
}
