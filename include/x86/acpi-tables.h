/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The bytes of the ACPI tables that lkvm makes. Section numbers are of the ACPI
 * Specification, release 6.5, which only reserves the signatures of three of them:
 * - MCFG: PCI Firmware Specification 3.3, 4.1.2
 * - SPCR: Serial Port Console Redirection Table (Microsoft), revision 4
 * - VIOT: Virtual I/O Translation Table, revision 0
 */
#ifndef LKVM_X86_ACPI_TABLES_H
#define LKVM_X86_ACPI_TABLES_H

#include <assert.h>

#include "util/types.h"

/* 5.2.3.2 Generic Address Structure. */
struct acpi_gas {
	u8 space;
	u8 bit_width;
	u8 bit_offset;
	u8 access_size;
	u64 address;
} __packed;
static_assert(sizeof(struct acpi_gas) == 12, "GAS");

#define GAS_SYSTEM_IO	1
#define GAS_ACCESS_BYTE 1

/* 5.2.5.3 Root System Description Pointer. */
struct acpi_rsdp {
	char signature[8];
	u8 checksum; /* of what ACPI 1.0 had: the bytes before length */
	char oem_id[6];
	u8 revision;
	u32 rsdt_address;
	u32 length;
	u64 xsdt_address;
	u8 extended_checksum; /* of all */
	u8 reserved[3];
} __packed;
static_assert(sizeof(struct acpi_rsdp) == 36, "RSDP");
static_assert(offsetof(struct acpi_rsdp, length) == 20, "RSDP of ACPI 1.0");

#define RSDP_REVISION 2

/* 5.2.6 System Description Table Header. */
struct acpi_header {
	char signature[4];
	u32 length; /* header included */
	u8 revision;
	u8 checksum;
	char oem_id[6];
	char oem_table_id[8];
	u32 oem_revision;
	char creator_id[4];
	u32 creator_revision;
} __packed;
static_assert(sizeof(struct acpi_header) == 36, "header");

#define XSDT_REVISION 1
#define DSDT_REVISION 2 /* integers have 64 bits from 2 on */

/* 5.2.9 Fixed ACPI Description Table. */
struct acpi_fadt {
	struct acpi_header header;
	u32 firmware_ctrl;
	u32 dsdt;
	u8 reserved0;
	u8 preferred_pm_profile;
	u16 sci_int;
	u32 smi_cmd;
	u8 acpi_enable;
	u8 acpi_disable;
	u8 s4bios_req;
	u8 pstate_cnt;
	u32 pm1a_evt_blk;
	u32 pm1b_evt_blk;
	u32 pm1a_cnt_blk;
	u32 pm1b_cnt_blk;
	u32 pm2_cnt_blk;
	u32 pm_tmr_blk;
	u32 gpe0_blk;
	u32 gpe1_blk;
	u8 pm1_evt_len;
	u8 pm1_cnt_len;
	u8 pm2_cnt_len;
	u8 pm_tmr_len;
	u8 gpe0_blk_len;
	u8 gpe1_blk_len;
	u8 gpe1_base;
	u8 cst_cnt;
	u16 p_lvl2_lat;
	u16 p_lvl3_lat;
	u16 flush_size;
	u16 flush_stride;
	u8 duty_offset;
	u8 duty_width;
	u8 day_alrm;
	u8 mon_alrm;
	u8 century;
	u16 iapc_boot_arch;
	u8 reserved1;
	u32 flags;
	struct acpi_gas reset_reg;
	u8 reset_value;
	u16 arm_boot_arch;
	u8 minor_version;
	u64 x_firmware_ctrl;
	u64 x_dsdt;
	struct acpi_gas x_pm1a_evt_blk;
	struct acpi_gas x_pm1b_evt_blk;
	struct acpi_gas x_pm1a_cnt_blk;
	struct acpi_gas x_pm1b_cnt_blk;
	struct acpi_gas x_pm2_cnt_blk;
	struct acpi_gas x_pm_tmr_blk;
	struct acpi_gas x_gpe0_blk;
	struct acpi_gas x_gpe1_blk;
	struct acpi_gas sleep_control_reg;
	struct acpi_gas sleep_status_reg;
	char hypervisor_vendor_id[8];
} __packed;
static_assert(sizeof(struct acpi_fadt) == 276, "FADT");
static_assert(offsetof(struct acpi_fadt, iapc_boot_arch) == 109, "FADT: IAPC_BOOT_ARCH");
static_assert(offsetof(struct acpi_fadt, reset_reg) == 116, "FADT: RESET_REG");
static_assert(offsetof(struct acpi_fadt, x_dsdt) == 140, "FADT: X_DSDT");
static_assert(offsetof(struct acpi_fadt, sleep_control_reg) == 244, "FADT: SLEEP_CONTROL_REG");

#define FADT_REVISION	       6
#define FADT_MINOR_VERSION     5
#define FADT_ENTERPRISE_SERVER 4

/* 5.2.9: latencies in us above 100 and 1000 say that there is no C2 and no C3. */
#define FADT_NO_C2 101
#define FADT_NO_C3 1001

/* 5.2.9, Fixed ACPI Description Table Fixed Feature Flags. */
#define FADT_WBINVD	     BIT(0)
#define FADT_PROC_C1	     BIT(2)
#define FADT_NO_FIXED_PWRBTN BIT(4)
#define FADT_NO_FIXED_SLPBTN BIT(5)
#define FADT_NO_FIXED_RTC    BIT(6)
#define FADT_RESET_REG_SUP   BIT(10)
#define FADT_HEADLESS	     BIT(12)
#define FADT_HW_REDUCED_ACPI BIT(20)

/* 5.2.9.3 IA-PC Boot Architecture Flags; CMOS RTC and MSI are there as zeros. */
#define FADT_LEGACY_DEVICES BIT(0)
#define FADT_NO_VGA	    BIT(2)

/* 5.2.12 Multiple APIC Description Table. */
struct acpi_madt {
	struct acpi_header header;
	u32 lapic_address;
	u32 flags; /* PCAT_COMPAT, bit 0, is clear: no 8259s */
} __packed;
static_assert(sizeof(struct acpi_madt) == 44, "MADT");

#define MADT_REVISION 6

/* 5.2.12.2 */
struct acpi_madt_lapic {
	u8 type;
	u8 length;
	u8 processor_uid;
	u8 apic_id;
	u32 flags;
} __packed;
static_assert(sizeof(struct acpi_madt_lapic) == 8, "MADT LAPIC");

#define MADT_LAPIC	   0
#define MADT_LAPIC_ENABLED BIT(0)

/* 5.2.12.3 */
struct acpi_madt_ioapic {
	u8 type;
	u8 length;
	u8 ioapic_id;
	u8 reserved;
	u32 address;
	u32 gsi_base;
} __packed;
static_assert(sizeof(struct acpi_madt_ioapic) == 12, "MADT IOAPIC");

#define MADT_IOAPIC 1

/* 5.2.12.5 Interrupt Source Override. */
struct acpi_madt_override {
	u8 type;
	u8 length;
	u8 bus; /* 0: ISA */
	u8 source;
	u32 gsi;
	u16 flags;
} __packed;
static_assert(sizeof(struct acpi_madt_override) == 10, "MADT override");

#define MADT_OVERRIDE	 2
#define MADT_ACTIVE_HIGH (1 << 0) /* bits 0-1 */
#define MADT_EDGE	 (1 << 2) /* bits 2-3 */
#define MADT_LEVEL	 (3 << 2)

struct acpi_mcfg {
	struct acpi_header header;
	u8 reserved0[8];
	u64 base; /* from here on: one allocation */
	u16 segment;
	u8 start_bus;
	u8 end_bus;
	u8 reserved1[4];
} __packed;
static_assert(sizeof(struct acpi_mcfg) == 60, "MCFG");

#define MCFG_REVISION 1

struct acpi_spcr {
	struct acpi_header header;
	u8 interface_type;
	u8 reserved0[3];
	struct acpi_gas base_address;
	u8 interrupt_type;
	u8 irq; /* of an 8259 */
	u32 gsi;
	u8 baud_rate;
	u8 parity;
	u8 stop_bits;
	u8 flow_control;
	u8 terminal_type;
	u8 reserved1;
	u16 pci_device;
	u16 pci_vendor;
	u8 pci_bus;
	u8 pci_slot;
	u8 pci_function;
	u32 pci_flags;
	u8 pci_segment;
	u32 uart_clock; /* Hz; 0: not said */
	u32 precise_baud_rate; /* or 0: baud_rate is precise */
	u16 namespace_string_length; /* NUL included */
	u16 namespace_string_offset;
} __packed;
static_assert(sizeof(struct acpi_spcr) == 88, "SPCR");

#define SPCR_REVISION	  4
#define SPCR_16550	  0
#define SPCR_IOAPIC	  BIT(1)
#define SPCR_115200	  7
#define SPCR_ONE_STOP_BIT 1
#define SPCR_VT_UTF8	  2
#define SPCR_NOT_PCI	  0xffff

struct acpi_viot {
	struct acpi_header header;
	u16 node_count;
	u16 node_offset;
	u8 reserved[8];
} __packed;
static_assert(sizeof(struct acpi_viot) == 48, "VIOT");

#define VIOT_REVISION 0

struct acpi_viot_node {
	u8 type;
	u8 reserved;
	u16 length;
} __packed;

struct acpi_viot_pci_range {
	struct acpi_viot_node node;
	u32 endpoint_start;
	u16 segment_start;
	u16 segment_end;
	u16 bdf_start;
	u16 bdf_end;
	u16 output_node;
	u8 reserved[6];
} __packed;
static_assert(sizeof(struct acpi_viot_pci_range) == 24, "VIOT PCI range");

struct acpi_viot_mmio_endpoint {
	struct acpi_viot_node node;
	u32 endpoint;
	u64 base;
	u16 output_node;
	u8 reserved[6];
} __packed;
static_assert(sizeof(struct acpi_viot_mmio_endpoint) == 24, "VIOT MMIO endpoint");

struct acpi_viot_iommu_pci {
	struct acpi_viot_node node;
	u16 segment;
	u16 bdf;
	u8 reserved[8];
} __packed;
static_assert(sizeof(struct acpi_viot_iommu_pci) == 16, "VIOT virtio-iommu on PCI");

struct acpi_viot_iommu_mmio {
	struct acpi_viot_node node;
	u8 reserved[4];
	u64 base;
} __packed;
static_assert(sizeof(struct acpi_viot_iommu_mmio) == 16, "VIOT virtio-iommu on MMIO");

#define VIOT_PCI_RANGE	   1
#define VIOT_MMIO_ENDPOINT 2
#define VIOT_IOMMU_PCI	   3
#define VIOT_IOMMU_MMIO	   4

#endif /* LKVM_X86_ACPI_TABLES_H */
