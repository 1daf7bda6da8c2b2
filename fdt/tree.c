// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <libfdt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "fdt/tree.h"

/* The longest name of a node here, with its unit address. */
#define NAME_MAX_SIZE 64

/* The tree has neither memory reservations nor a physical CPU ID of the boot CPU but 0. */
void fdt_tree_init(struct fdt_tree *t, void *buf, size_t size)
{
	*t = (struct fdt_tree){.buf = buf, .size = size};
	t->error = fdt_create(buf, size);
	if (!t->error)
		t->error = fdt_finish_reservemap(buf);
	fdt_tree_begin(t, "%s", "");
}

int fdt_tree_finish(struct fdt_tree *t)
{
	fdt_tree_end(t);
	if (!t->error)
		t->error = fdt_finish(t->buf);
	if (t->error)
		return t->error == -FDT_ERR_NOSPACE ? -ENOSPC : -EINVAL;
	return fdt_totalsize(t->buf);
}

void fdt_tree_begin(struct fdt_tree *t, const char *fmt, ...)
{
	char name[NAME_MAX_SIZE];
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(name, sizeof(name), fmt, args);
	va_end(args);
	if (!t->error && (len < 0 || (size_t)len >= sizeof(name)))
		t->error = -FDT_ERR_BADPATH;
	if (!t->error)
		t->error = fdt_begin_node(t->buf, name);
}

void fdt_tree_end(struct fdt_tree *t)
{
	if (!t->error)
		t->error = fdt_end_node(t->buf);
}

static void put(struct fdt_tree *t, const char *name, const void *value, size_t size)
{
	if (!t->error && size > INT32_MAX)
		t->error = -FDT_ERR_NOSPACE;
	if (!t->error)
		t->error = fdt_property(t->buf, name, value, size);
}

void fdt_prop_empty(struct fdt_tree *t, const char *name)
{
	put(t, name, NULL, 0);
}

void fdt_prop_string(struct fdt_tree *t, const char *name, const char *value)
{
	put(t, name, value, strlen(value) + 1);
}

void fdt_prop_strings(struct fdt_tree *t, const char *name, const char *values, size_t size)
{
	put(t, name, values, size);
}

void fdt_prop_u32(struct fdt_tree *t, const char *name, u32 value)
{
	fdt_prop_cells(t, name, &value, 1);
}

void fdt_prop_u64(struct fdt_tree *t, const char *name, u64 value)
{
	const u32 cells[] = {value >> 32, value};

	fdt_prop_cells(t, name, cells, ARRAY_SIZE(cells));
}

void fdt_prop_cells(struct fdt_tree *t, const char *name, const u32 *cells, unsigned int nr)
{
	void *room;

	if (t->error)
		return;
	t->error = fdt_property_placeholder(t->buf, name, nr * sizeof(u32), &room);
	for (unsigned int i = 0; !t->error && i < nr; i++) {
		u32 cell = htobe32(cells[i]);

		memcpy((u8 *)room + i * sizeof(cell), &cell, sizeof(cell));
	}
}

void fdt_prop_bytes(struct fdt_tree *t, const char *name, const void *bytes, size_t size)
{
	put(t, name, bytes, size);
}

void fdt_prop_reg(struct fdt_tree *t, u64 base, u64 size)
{
	const u32 cells[] = {base >> 32, base, size >> 32, size};

	fdt_prop_cells(t, "reg", cells, ARRAY_SIZE(cells));
}

void fdt_prop_phandle(struct fdt_tree *t, enum fdt_phandle phandle)
{
	fdt_prop_u32(t, "phandle", phandle);
}
