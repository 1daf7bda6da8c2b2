/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A flattened device tree (Devicetree Specification, release 0.4), and what the runtime takes
 * from it. A node is a number, that of the root is 0.
 */
#ifndef LKVM_GUEST_RT_FDT_H
#define LKVM_GUEST_RT_FDT_H

#include "util/types.h"

#define DT_NONE (-1)

/* Reads the tree at @blob, which stays where it is. Panics if it is none. */
void dt_init(const void *blob);
const void *dt_blob(void);
u64 dt_size(void);

/* The node at a path such as "/chosen", or DT_NONE. Unit addresses are part of names. */
int dt_find(const char *path);

/* The next node of that kind that is not disabled: start with @prev = DT_NONE. */
int dt_next_compatible(int prev, const char *compatible);
bool dt_is_compatible(int node, const char *compatible);

/* The next child of @parent after its child @prev, or the first one (DT_NONE). */
int dt_next_child(int parent, int prev);
int dt_parent(int node);
int dt_by_phandle(u32 phandle);

/* A property's value, or NULL. @len may be NULL. */
const void *dt_prop(int node, const char *name, u32 *len);
/* Cell @i of it, or @otherwise if there is no such cell. */
u32 dt_cell(int node, const char *name, unsigned int i, u32 otherwise);
/* How many cells it has; 0 if there is no such property. */
unsigned int dt_nr_cells(int node, const char *name);
/* As many of the cells from @i on as make a number of one or two cells. */
u64 dt_number(int node, const char *name, unsigned int i, unsigned int nr);
/* A string, or "". */
const char *dt_string(int node, const char *name);

/* Range @i of "reg", as the CPU addresses it. False if there is none. @size may be NULL. */
bool dt_reg(int node, unsigned int i, u64 *base, u64 *size);

/* The cells of interrupt @i of "interrupts", at most DT_IRQ_CELLS; returns how many. */
#define DT_IRQ_CELLS 4
unsigned int dt_interrupt(int node, unsigned int i, u32 *cells);

/*
 * What PCI function @bdf is to a controller: looks it up in "iommu-map" or "msi-map" of the host
 * bridge. False if the map leaves it out.
 */
bool dt_map_id(const char *map, u16 bdf, u32 *phandle, u32 *id);

/* The host bridge, or DT_NONE. */
int dt_pci_host(void);

/* Range @i in the memory reservation block; false at its end. */
bool dt_reserved(unsigned int i, u64 *base, u64 *size);

/*
 * Fills in @fw. The RAM is the largest piece in which there is nothing: neither the image, which
 * is in [@image, @image_end), nor the tree, the initrd, nor what is reserved.
 */
void fdt_machine_init(u64 image, u64 image_end);

/* As map_phys(), for the RAM that mem_alloc() will take from: the architecture's. */
void map_ram(u64 gpa, u64 len);

/* Wire numbers are the architecture's: from an interrupt's cells, or FW_NO_IRQ. */
u32 dt_wire(const u32 *cells, unsigned int nr);

/* The console is a 16550 that /chosen names, or else the first one. Silent without. */
void uart_init(void);

/* Ends the machine with @status, if it has a register for that. */
void fdt_test_exit(int status);

#endif /* LKVM_GUEST_RT_FDT_H */
