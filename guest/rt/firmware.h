/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the firmware's tables say about the machine: filled in before
 * guest_main(), from ACPI or from a device tree.
 */
#ifndef LKVM_GUEST_RT_FIRMWARE_H
#define LKVM_GUEST_RT_FIRMWARE_H

#include "util/types.h"

#define FW_MAX_RANGES 16

/* PCI functions [bdf_first, bdf_last] are endpoints @endpoint and following. */
struct fw_iommu_range {
	u16 bdf_first, bdf_last;
	u32 endpoint;
};

struct firmware {
	const char *cmdline;
	u64 ram_start, ram_end; /* the RAM that mem_alloc() takes from */

	u64 ecam; /* configuration space of PCI segment 0, 0: no PCI */
	u8 bus_first, bus_last;

	const char *iommu_source; /* what names the virtio-iommu, NULL: there is none */
	u16 iommu_bdf;
	struct fw_iommu_range ranges[FW_MAX_RANGES];
	unsigned int nr_ranges;
};

extern struct firmware fw;

/* The endpoint ID of PCI function @bdf; false if the IOMMU has nothing to do with it. */
bool fw_endpoint(u16 bdf, u32 *endpoint);

/* Fills in @fw from the ACPI tables behind the RSDP at @rsdp. */
void acpi_init(u64 rsdp);

/* The table with that signature, checksum verified, or NULL. */
void *acpi_table(const char *signature);

#endif /* LKVM_GUEST_RT_FIRMWARE_H */
