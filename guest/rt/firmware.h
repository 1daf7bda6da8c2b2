/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the firmware's tables say about the machine: filled in before
 * guest_main(), from ACPI or from a device tree.
 */
#ifndef LKVM_GUEST_RT_FIRMWARE_H
#define LKVM_GUEST_RT_FIRMWARE_H

#include "util/types.h"

#define FW_MAX_RANGES 32
#define FW_MAX_MMIO   64
#define FW_MAX_INTX   128

#define FW_NO_IRQ ~0U

/* Where a device is. */
struct fw_device {
	bool is_mmio; /* virtio-mmio, or else a PCI function */
	u16 bdf; /* PCI */
	u64 base; /* MMIO: GPA of the registers */
	u32 irq; /* MMIO: the interrupt controller's number of its wire, or FW_NO_IRQ */
};

/* A virtio-mmio device; whether and as which endpoint it is behind the virtio-iommu. */
struct fw_mmio {
	struct fw_device at;
	bool behind_iommu;
	u32 endpoint;
};

/* PCI functions [bdf_first, bdf_last] are endpoints @endpoint and following. */
struct fw_iommu_range {
	u16 bdf_first, bdf_last;
	u32 endpoint;
};

/* INTA (@pin 1) to INTD (4) of a PCI function is wire @irq. */
struct fw_intx {
	u16 bdf;
	u8 pin;
	u32 irq;
};

struct firmware {
	const char *cmdline;
	u64 ram_start, ram_end; /* the RAM that mem_alloc() takes from */

	u64 ecam; /* configuration space of PCI segment 0, 0: no PCI */
	u8 bus_first, bus_last;

	/* What of a function's BDF and pin @intx is looked up by. */
	u16 intx_bdf_mask;
	u8 intx_pin_mask;
	struct fw_intx intx[FW_MAX_INTX];
	unsigned int nr_intx;

	const char *iommu_source; /* what names the virtio-iommu, NULL: there is none */
	struct fw_device iommu;
	struct fw_iommu_range ranges[FW_MAX_RANGES];
	unsigned int nr_ranges;

	struct fw_mmio mmio[FW_MAX_MMIO];
	unsigned int nr_mmio;
};

extern struct firmware fw;

/* Every function on the first PCI bus, then every virtio-mmio device: start with @pos = -1. */
bool fw_next(int *pos, struct fw_device *at);

bool fw_same(const struct fw_device *a, const struct fw_device *b);

/* "00:02.0" or "mmio@d0000000", into @buf of FW_NAME_SIZE bytes. */
#define FW_NAME_SIZE 24
void fw_name(const struct fw_device *at, char *buf);

/* The endpoint ID of a device; false if the IOMMU has nothing to do with it. */
bool fw_endpoint(const struct fw_device *at, u32 *endpoint);

/* The wire of pin 1 to 4 of a PCI function, or FW_NO_IRQ. */
u32 fw_intx(u16 bdf, u8 pin);

/* For who fills in @fw: NULL if none is at @base; a new one. */
struct fw_mmio *fw_find_mmio(u64 base);
struct fw_mmio *fw_add_mmio(u64 base, u32 irq);

/* Fills in @fw from the ACPI tables behind the RSDP at @rsdp. */
void acpi_init(u64 rsdp);

/* The table with that signature, checksum verified, or NULL. */
void *acpi_table(const char *signature);

#endif /* LKVM_GUEST_RT_FIRMWARE_H */
