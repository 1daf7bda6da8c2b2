/* SPDX-License-Identifier: GPL-2.0-only */
/* What a vCPU asks of lkvm. */
#ifndef LKVM_RISCV_VCPU_H
#define LKVM_RISCV_VCPU_H

#include "util/types.h"
#include "vm/vm.h"

/* A call of the Supervisor Binary Interface that KVM does not answer itself (vcpu->run). */
void riscv_sbi_call(struct vcpu *vcpu);

#endif /* LKVM_RISCV_VCPU_H */
