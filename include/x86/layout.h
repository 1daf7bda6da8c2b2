/* SPDX-License-Identifier: GPL-2.0-only */
/* Where things are in the guest-physical address space and among the I/O ports. */
#ifndef LKVM_X86_LAYOUT_H
#define LKVM_X86_LAYOUT_H

#include "util/types.h"

/* RAM below the hole, and from the end of the hole on. */
#define X86_HOLE_START 0xc0000000ULL
#define X86_HOLE_END   0x100000000ULL

#define X86_PCI_MEM32_BASE 0xc0000000ULL
#define X86_PCI_MEM32_SIZE 0x10000000ULL
/* A page for each virtio-mmio device; an access or a mapping of one never meets another. */
#define X86_VIRTIO_MMIO_BASE 0xd0000000ULL
#define X86_ECAM_BASE	     0xe0000000ULL
/* One bus: Linux looks for devices at each place of every bus that there might be. */
#define X86_PCI_BUSES 1
#define X86_ECAM_SIZE (X86_PCI_BUSES * 0x100000ULL)

/* Where a CPU in real mode starts after a reset, 16 bytes below 1 MiB. */
#define X86_RESET_VECTOR 0xffff0ULL

/* Scratch pages that KVM wants on Intel hosts, just below the top of 4 GiB. */
#define X86_KVM_IDENTITY_MAP 0xfffbc000ULL
#define X86_KVM_TSS	     0xfffbd000ULL

/* Messages to local APICs: the write is an interrupt, whatever an IOMMU maps. */
#define X86_MSI_START 0xfee00000ULL
#define X86_MSI_LAST  0xfeefffffULL

#define X86_SERIAL_PORT	    0x3f8
#define X86_SERIAL_GSI	    4
#define X86_PCI_CONFIG_PORT 0xcf8 /* address, and data at + 4 */
#define X86_PCI_IO_BASE	    0x1000
#define X86_PCI_IO_SIZE	    0xf000
#define X86_TEST_EXIT_PORT  0xf4

/* The 64-bit PCI window starts at a multiple of its size, above all RAM. */
#define X86_PCI_MEM64_SIZE (64 * GiB)

#endif /* LKVM_X86_LAYOUT_H */
