/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A flattened device tree (Devicetree Specification, release 0.4) as it is written, node by
 * node, on top of libfdt. The first failure is kept and makes all that follows do nothing, so
 * that only fdt_tree_finish() has to be looked at.
 */
#ifndef LKVM_FDT_TREE_H
#define LKVM_FDT_TREE_H

#include "util/types.h"

struct fdt_tree {
	void *buf;
	size_t size; /* of buf */
	int error; /* the first one, of libfdt; 0 */
};

/* Begins with the open root node. @buf stays the caller's. */
void fdt_tree_init(struct fdt_tree *t, void *buf, size_t size);

/* Closes the root node. The tree's length in bytes; -ENOSPC: it does not fit; -EINVAL. */
int fdt_tree_finish(struct fdt_tree *t);

void fdt_tree_begin(struct fdt_tree *t, const char *fmt, ...) __printf(2, 3);
void fdt_tree_end(struct fdt_tree *t);

/* Properties of the node that is open. */
void fdt_prop_empty(struct fdt_tree *t, const char *name);
void fdt_prop_string(struct fdt_tree *t, const char *name, const char *value);
/* Several strings, each with its final NUL, as in "one\0two"; @size as sizeof() gives it. */
void fdt_prop_strings(struct fdt_tree *t, const char *name, const char *values, size_t size);
void fdt_prop_u32(struct fdt_tree *t, const char *name, u32 value);
void fdt_prop_u64(struct fdt_tree *t, const char *name, u64 value);
void fdt_prop_cells(struct fdt_tree *t, const char *name, const u32 *cells, unsigned int nr);
/* As it is; for the seeds of random number generators. */
void fdt_prop_bytes(struct fdt_tree *t, const char *name, const void *bytes, size_t size);
/* "reg" of one range, two cells each for address and size, as below the root node. */
void fdt_prop_reg(struct fdt_tree *t, u64 base, u64 size);

/* The phandle property: a constant of who makes the node, from the list below. */
enum fdt_phandle {
	FDT_PHANDLE_NONE,
	FDT_PHANDLE_IRQCHIP, /* where wires go */
	FDT_PHANDLE_MSI, /* where messages go */
	FDT_PHANDLE_IOMMU,
	FDT_PHANDLE_CLOCK,
	FDT_PHANDLE_CPU0 = 0x100, /* and the following ones: interrupt controllers of vCPUs */
};
void fdt_prop_phandle(struct fdt_tree *t, enum fdt_phandle phandle);

#endif /* LKVM_FDT_TREE_H */
