/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KVM's interface for RISC-V (Documentation/virt/kvm/api.rst and devices/ in Linux), as far as
 * it is younger than the kernel headers that a build may find.
 */
#ifndef LKVM_RISCV_KVM_H
#define LKVM_RISCV_KVM_H

#include <linux/kvm.h>

/* Registers whose numbers are not those of a struct. All have 64 bits. */
#define RISCV_REG(type, number) (KVM_REG_RISCV | KVM_REG_SIZE_U64 | (type) | (number))

/* Fields of struct kvm_riscv_config. */
#define RISCV_CONFIG_ZICBOM_BLOCK_SIZE 1
#define RISCV_CONFIG_ZICBOZ_BLOCK_SIZE 5
#define RISCV_CONFIG_SATP_MODE	       6
#define RISCV_CONFIG_ZICBOP_BLOCK_SIZE 7

/* Whether the guest has an SBI extension, by KVM's number of it: 0 or 1. */
#define RISCV_REG_TYPE_SBI_EXT (8U << KVM_REG_RISCV_TYPE_SHIFT)
#define RISCV_SBI_EXT_DBCN     9

/* The AIA: an APLIC, and an IMSIC for each vCPU. */
#define RISCV_DEV_TYPE_AIA 11

#define RISCV_AIA_CONFIG    0
#define RISCV_AIA_IDS	    1
#define RISCV_AIA_SRCS	    2
#define RISCV_AIA_HART_BITS 5

#define RISCV_AIA_ADDR		   1
#define RISCV_AIA_ADDR_APLIC	   0
#define RISCV_AIA_ADDR_IMSIC(vcpu) (1 + (vcpu))

#define RISCV_AIA_CTRL	    2
#define RISCV_AIA_CTRL_INIT 0

#endif /* LKVM_RISCV_KVM_H */
