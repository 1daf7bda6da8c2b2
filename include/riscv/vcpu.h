/* SPDX-License-Identifier: GPL-2.0-only */
/* Registers of a vCPU, and what it asks of lkvm. */
#ifndef LKVM_RISCV_VCPU_H
#define LKVM_RISCV_VCPU_H

#include "util/types.h"
#include "vm/vm.h"

/* One of 64 bits by KVM's ID of it, RISCV_REG(). -errno; -ENOENT: this vCPU does not have it. */
int riscv_get_reg(const struct vcpu *vcpu, u64 id, u64 *val);
int riscv_set_reg(const struct vcpu *vcpu, u64 id, u64 val);

/* A call of the Supervisor Binary Interface that KVM does not answer itself (vcpu->run). */
void riscv_sbi_call(struct vcpu *vcpu);

#endif /* LKVM_RISCV_VCPU_H */
