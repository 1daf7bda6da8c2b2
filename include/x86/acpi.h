/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Describes the machine to the guest by ACPI tables: RSDP, DSDT, FADT, MADT, MCFG,
 * SPCR, VIOT and XSDT, in this order. The platform is hardware-reduced (ACPI 6.5,
 * 4.1), so it has no FACS, no fixed-feature hardware and no SCI.
 */
#ifndef LKVM_X86_ACPI_H
#define LKVM_X86_ACPI_H

#include "util/types.h"

/* Where the tables go by convention: a guest that is not told searches here for them. */
#define ACPI_TABLES_GPA	     0xe0000
#define ACPI_TABLES_MAX_SIZE 0x20000

/* The ports that the tables name, and what the guest writes there. */
#define ACPI_RESET_PORT		0xcf9
#define ACPI_RESET_VALUE	6
#define ACPI_SLEEP_CONTROL_PORT 0x600
#define ACPI_SLEEP_STATUS_PORT	0x601
/* Bit 0: the power button was pressed; cleared by the read. */
#define ACPI_EVENT_PORT	  0x602
#define ACPI_EVENT_GSI	  9 /* level-triggered */
#define ACPI_RTC_PORT	  0x70
#define ACPI_RTC_GSI	  8
#define ACPI_RTC_CENTURY  0x32 /* index of its century byte */
#define ACPI_PVPANIC_PORT 0x505

/* 4.8.3.7, Sleep Control Register: writing this much enters S5, which is power off. */
#define ACPI_SLEEP_TYPE_S5	   5
#define ACPI_SLEEP_CONTROL_SLP_TYP 0x1c /* bits 2-4 */
#define ACPI_SLEEP_CONTROL_SLP_EN  0x20
#define ACPI_SLEEP_CONTROL_S5	   (ACPI_SLEEP_TYPE_S5 << 2 | ACPI_SLEEP_CONTROL_SLP_EN)

#define ACPI_LAPIC_BASE	   0xfee00000
#define ACPI_IOAPIC_BASE   0xfec00000
#define ACPI_IOAPIC_PINS   24
#define ACPI_PCI_FIRST_GSI 16
#define ACPI_PCI_GSIS	   8

/* The GSI of pin @pin (0 is INTA) of PCI device @dev on bus 0: level-triggered. */
static inline u32 acpi_pci_gsi(unsigned int dev, unsigned int pin)
{
	return ACPI_PCI_FIRST_GSI + (dev + pin) % ACPI_PCI_GSIS;
}

/* In bytes; absent when size is 0. */
struct acpi_range {
	u64 base;
	u64 size;
};

/* A virtio-mmio transport: device LNRO0005, with a level-triggered interrupt that is shared. */
struct acpi_virtio_mmio {
	u64 base; /* [base, base + size) below 4 GiB */
	u64 size; /* bytes */
	u32 gsi; /* 0..15 without those of fixed devices: the others belong to PCI */
	bool behind_iommu;
	u32 endpoint; /* endpoint ID of the virtio-iommu, if behind_iommu */
};

struct acpi_config {
	unsigned int nr_cpus; /* 1..255; CPU n has APIC ID n and processor UID n */

	/* What the host bridge passes on; not where bridge or machine have registers. */
	struct acpi_range pci_io; /* below 64 Ki ports */
	struct acpi_range pci_mem32; /* below 4 GiB */
	struct acpi_range pci_mem64;
	u64 ecam_base; /* of bus 0 in segment 0 */
	unsigned int nr_buses; /* 1..256, 1 MiB of ECAM each */

	u16 serial_port; /* a 16550 at this and the seven next ports */
	u32 serial_gsi; /* 0..15, not the RTC's nor ACPI_EVENT_GSI */

	/* The arrays are the caller's and only read. */
	const struct acpi_virtio_mmio *virtio_mmio;
	unsigned int nr_virtio_mmio; /* at most 256 */

	/* The virtio-iommu, and who is behind it: these and the virtio_mmio that say so. */
	bool has_viot;
	bool iommu_is_mmio;
	u16 iommu_bdf; /* if not iommu_is_mmio; segment 0 */
	unsigned int iommu_mmio; /* index into virtio_mmio, if iommu_is_mmio */
	const u16 *endpoints; /* BDFs in segment 0, each its own endpoint ID */
	unsigned int nr_endpoints;
};

/*
 * Builds the tables for guest address @gpa, a multiple of 16, into @buf of @size
 * bytes. The RSDP, whose address goes to @rsdp_gpa, is the first of them; @used is how
 * many bytes there are, none of them to be changed later. Prints nothing, needs no
 * lock.
 *
 * 255 CPUs need less than 13 KiB; an endpoint adds 24 bytes and a virtio-mmio
 * device at most 96.
 *
 * -EINVAL: @cfg breaks a rule given above, or @gpa is not aligned.
 * -ENOSPC: @size is too small. The contents of @buf are undefined then.
 */
int acpi_build(const struct acpi_config *cfg, u64 gpa, void *buf, size_t size, u64 *rsdp_gpa,
	       size_t *used);

#endif /* LKVM_X86_ACPI_H */
