/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A PLIC (RISC-V Platform-Level Interrupt Controller Specification 1.0.0) with the registers
 * that Linux knows as "sifive,plic-1.0.0": a gateway for each source, and a context for the
 * supervisor mode of each hart. It takes no messages.
 */
#ifndef LKVM_RISCV_PLIC_H
#define LKVM_RISCV_PLIC_H

#include <pthread.h>

#include "util/types.h"
#include "vm/vm.h"

/* Source 0 does not exist. */
#define PLIC_MAX_SOURCES  128
#define PLIC_MAX_CONTEXTS VM_MAX_VCPUS
#define PLIC_WORDS	  (PLIC_MAX_SOURCES / 32)

/* Priorities and thresholds have this many bits. 0 is never delivered. */
#define PLIC_PRIORITY_BITS 3

/* What a context's interrupt output is connected to. With plic->lock: must not call back. */
typedef void (*plic_output)(void *opaque, unsigned int context, bool up);

struct plic_context {
	u32 enabled[PLIC_WORDS];
	u8 threshold;
	bool up; /* the output */
};

struct plic {
	plic_output output;
	void *opaque;
	unsigned int nr_sources; /* the highest one */
	unsigned int nr_contexts;

	pthread_mutex_t lock; /* guards what follows; a leaf */
	u8 priority[PLIC_MAX_SOURCES];
	u32 edge[PLIC_WORDS]; /* which gateways take edges */
	u32 level[PLIC_WORDS]; /* the wires */
	u32 pending[PLIC_WORDS];
	u32 in_service[PLIC_WORDS]; /* claimed, and not completed yet */
	u32 again[PLIC_WORDS]; /* an edge came meanwhile */
	struct plic_context contexts[PLIC_MAX_CONTEXTS];
};

/* Sources are 1 to @nr_sources, contexts 0 to @nr_contexts - 1; all outputs are low. */
void plic_init(struct plic *plic, unsigned int nr_sources, unsigned int nr_contexts,
	       plic_output output, void *opaque);
void plic_destroy(struct plic *plic);

/* What a source asks with is the rise of its wire, and not that it is up. Before it does. */
void plic_set_edge(struct plic *plic, unsigned int source);

/*
 * Drives a wire. One that goes up makes its source pending, until that is claimed. While it is in
 * service, a rise of an edge-triggered one is kept, as one more interrupt, and a level-triggered
 * one that is up at the end of that is pending again.
 */
void plic_set_level(struct plic *plic, unsigned int source, bool up);

/* The registers, for bus_add(); @opaque is the struct plic. */
void plic_access(void *opaque, u64 off, void *data, unsigned int len, bool write);

#endif /* LKVM_RISCV_PLIC_H */
