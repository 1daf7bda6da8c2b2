/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where things are in the guest-physical address space, and which wire of the interrupt
 * controller is whose, on machines that a device tree describes. One map for all of them:
 * devices below 2 GiB, RAM from there on, the 64-bit PCI window behind it.
 */
#ifndef LKVM_FDT_LAYOUT_H
#define LKVM_FDT_LAYOUT_H

#include "util/types.h"

/* A page of 64 KiB each, so that any guest can map one without the others. */
#define FDT_SERIAL_BASE	   0x01000000ULL
#define FDT_RTC_BASE	   0x01010000ULL
#define FDT_PVPANIC_BASE   0x01020000ULL
#define FDT_TEST_EXIT_BASE 0x01030000ULL

/* A page of 4 KiB for each virtio-mmio device. */
#define FDT_VIRTIO_MMIO_BASE 0x02000000ULL

/* The interrupt controller's own: what is where in it is the architecture's. */
#define FDT_IRQCHIP_BASE 0x08000000ULL
#define FDT_IRQCHIP_SIZE 0x08000000ULL

/* One bus: Linux looks for devices at each place of every bus that there might be. */
#define FDT_ECAM_BASE 0x10000000ULL
#define FDT_PCI_BUSES 1
#define FDT_ECAM_SIZE (FDT_PCI_BUSES * 0x100000ULL)

#define FDT_PCI_MEM32_BASE 0x40000000ULL
#define FDT_PCI_MEM32_SIZE 0x40000000ULL

#define FDT_RAM_BASE 0x80000000ULL

/* The 64-bit PCI window starts at a multiple of its size, above all RAM. */
#define FDT_PCI_MEM64_SIZE (64 * GiB)

/* Wires, by GSI. 0 is no wire: interrupt controllers of RISC-V have no source 0. */
#define FDT_GSI_SERIAL	     1
#define FDT_GSI_RTC	     2
#define FDT_GSI_POWER_BUTTON 3
#define FDT_GSI_INTX	     4 /* INTA to INTD */
#define FDT_GSI_VIRTIO_MMIO  8 /* one a slot */
#define FDT_NR_WIRES	     96

#endif /* LKVM_FDT_LAYOUT_H */
