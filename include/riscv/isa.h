/* SPDX-License-Identifier: GPL-2.0-only */
/* The ISA extensions that a vCPU has, by name: the binding riscv/extensions.yaml in Linux. */
#ifndef LKVM_RISCV_ISA_H
#define LKVM_RISCV_ISA_H

#include "util/types.h"
#include "vm/vm.h"

/* KVM's numbers of extensions are below this, as far as they are known here. */
#define RISCV_MAX_EXTS 96

/* Those that are asked for by number. */
enum {
	RISCV_EXT_ZICBOM = 11,
	RISCV_EXT_ZICBOZ = 12,
	RISCV_EXT_SSAIA = 14,
	RISCV_EXT_ZICBOP = 71,
};

struct riscv_isa {
	bool has[RISCV_MAX_EXTS]; /* by KVM's number */
};

/* All that KVM says @vcpu has; what it does not know, or refuses to tell, is absent. */
void riscv_isa_read(const struct vcpu *vcpu, struct riscv_isa *isa);

/*
 * What "riscv,isa" ("rv64imac_zicbom") and "riscv,isa-extensions" hold, in canonical order: Z
 * extensions by the letter that they belong to, then S extensions. Both are cut at @size; returns
 * the bytes that it takes, with the final NUL.
 */
#define RISCV_ISA_TEXT_MAX 1024
size_t riscv_isa_string(const struct riscv_isa *isa, char *buf, size_t size);
size_t riscv_isa_list(const struct riscv_isa *isa, char *buf, size_t size);

/* The names in their order, for tests: NULL behind the last one. */
const char *riscv_isa_name(unsigned int index, unsigned int *number);

#endif /* LKVM_RISCV_ISA_H */
