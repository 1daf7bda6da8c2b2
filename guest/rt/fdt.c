// SPDX-License-Identifier: GPL-2.0-only
/* Devicetree Specification 0.4, chapter 5: the flattened format; and chapter 2.3. */
#include "rt/fdt.h"

#include "rt/core.h"

#define FDT_MAGIC      0xd00dfeed
#define FDT_BEGIN_NODE 1
#define FDT_END_NODE   2
#define FDT_PROP       3
#define FDT_NOP	       4
#define FDT_END	       9

struct fdt_header {
	u32 magic;
	u32 totalsize;
	u32 off_dt_struct;
	u32 off_dt_strings;
	u32 off_mem_rsvmap;
	u32 version;
	u32 last_comp_version;
	u32 boot_cpuid_phys;
	u32 size_dt_strings;
	u32 size_dt_struct;
};

#define MAX_NODES 2048
#define MAX_DEPTH 16

static struct {
	const char *name;
	int parent;
	u32 props; /* where they begin in the structure block */
} nodes[MAX_NODES];
static int nr_nodes;

static const struct fdt_header *header;
static const u8 *structs;
static const char *strings;
static u32 structs_size, strings_size;

/* By bytes, for which not every CPU has an instruction; cells are aligned to 4 only. */
static u32 be32(const void *p)
{
	const u8 *b = p;

	return (u32)b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3];
}

static u64 be64(const void *p)
{
	return (u64)be32(p) << 32 | be32((const u8 *)p + 4);
}

static u32 token(u32 off)
{
	if (structs_size < 4 || off > structs_size - 4)
		panic("the device tree ends too early");
	return be32(structs + off);
}

/* Where the token after the one at @off is. */
static u32 after(u32 off)
{
	switch (token(off)) {
	case FDT_BEGIN_NODE:
		return align_up(off + 4 + strlen((const char *)structs + off + 4) + 1, 4);
	case FDT_PROP:
		return align_up((u64)off + 12 + token(off + 4), 4);
	default:
		return off + 4;
	}
}

static void add_node(u32 off, int parent)
{
	if (nr_nodes == MAX_NODES)
		panic("a device tree of more than %u nodes", MAX_NODES);
	nodes[nr_nodes].name = (const char *)structs + off + 4;
	nodes[nr_nodes].parent = parent;
	nodes[nr_nodes].props = after(off);
	nr_nodes++;
}

void dt_init(const void *blob)
{
	int open[MAX_DEPTH], depth = 0;
	u32 off = 0;

	header = blob;
	if (be32(&header->magic) != FDT_MAGIC)
		panic("no device tree at 0x%lx", gpa_of(blob));
	structs = (const u8 *)blob + be32(&header->off_dt_struct);
	structs_size = be32(&header->size_dt_struct);
	strings = (const char *)blob + be32(&header->off_dt_strings);
	strings_size = be32(&header->size_dt_strings);
	for (; token(off) != FDT_END; off = after(off)) {
		if (token(off) == FDT_BEGIN_NODE) {
			if (depth == MAX_DEPTH)
				panic("a device tree of more than %u levels", MAX_DEPTH);
			add_node(off, depth ? open[depth - 1] : DT_NONE);
			open[depth++] = nr_nodes - 1;
		} else if (token(off) == FDT_END_NODE && depth-- == 0) {
			panic("a node of the device tree ends that was not begun");
		}
	}
	if (!nr_nodes)
		panic("the device tree has no nodes");
}

const void *dt_blob(void)
{
	return header;
}

u64 dt_size(void)
{
	return be32(&header->totalsize);
}

const void *dt_prop(int node, const char *name, u32 *len)
{
	u32 off, what;

	if (node < 0)
		return NULL;
	for (off = nodes[node].props; (what = token(off)) == FDT_PROP || what == FDT_NOP;
	     off = after(off)) {
		if (what == FDT_NOP || token(off + 8) >= strings_size ||
		    strcmp(strings + token(off + 8), name))
			continue;
		if (len)
			*len = token(off + 4);
		return structs + off + 12;
	}
	return NULL;
}

unsigned int dt_nr_cells(int node, const char *name)
{
	u32 len = 0;

	dt_prop(node, name, &len);
	return len / 4;
}

u32 dt_cell(int node, const char *name, unsigned int i, u32 otherwise)
{
	const u8 *p;
	u32 len;

	p = dt_prop(node, name, &len);
	return p && i < len / 4 ? be32(p + 4 * i) : otherwise;
}

u64 dt_number(int node, const char *name, unsigned int i, unsigned int nr)
{
	u64 val = 0;

	while (nr--)
		val = val << 32 | dt_cell(node, name, i++, 0);
	return val;
}

const char *dt_string(int node, const char *name)
{
	u32 len;
	const char *s = dt_prop(node, name, &len);

	return s && len && !s[len - 1] ? s : "";
}

int dt_parent(int node)
{
	return nodes[node].parent;
}

int dt_next_child(int parent, int prev)
{
	int i;

	/* A node comes after its parent. */
	for (i = max(prev, parent) + 1; i < nr_nodes; i++) {
		if (nodes[i].parent == parent)
			return i;
	}
	return DT_NONE;
}

int dt_find(const char *path)
{
	int node = 0;

	while (node != DT_NONE && *path == '/') {
		const char *end = ++path;
		int child = DT_NONE;

		/* What is after ':' in stdout-path is not part of the path. */
		while (*end && *end != '/' && *end != ':')
			end++;
		if (end == path)
			break;
		while ((child = dt_next_child(node, child)) != DT_NONE) {
			size_t len = end - path;

			if (strlen(nodes[child].name) == len &&
			    !memcmp(nodes[child].name, path, len))
				break;
		}
		node = child;
		path = end;
	}
	return node;
}

bool dt_is_compatible(int node, const char *compatible)
{
	u32 len, pos, size = strlen(compatible) + 1;
	const char *s = dt_prop(node, "compatible", &len);

	for (pos = 0; s && pos + size <= len; pos += strlen(s + pos) + 1) {
		if (!memcmp(s + pos, compatible, size))
			return true;
	}
	return false;
}

int dt_next_compatible(int prev, const char *compatible)
{
	int i;

	for (i = prev + 1; i < nr_nodes; i++) {
		if (dt_is_compatible(i, compatible) && strcmp(dt_string(i, "status"), "disabled"))
			return i;
	}
	return DT_NONE;
}

int dt_by_phandle(u32 phandle)
{
	int i;

	for (i = 0; i < nr_nodes; i++) {
		if (dt_cell(i, "phandle", 0, 0) == phandle)
			return i;
	}
	return DT_NONE;
}

/* An address on the bus @bus, below which a node is, as its parent has it. */
static bool translate(int bus, u64 *addr)
{
	u32 len, na = dt_cell(bus, "#address-cells", 0, 2), ns = dt_cell(bus, "#size-cells", 0, 1);
	u32 pa = dt_cell(nodes[bus].parent, "#address-cells", 0, 2), i;

	if (!dt_prop(bus, "ranges", &len))
		return false;
	for (i = 0; i + na + pa + ns <= len / 4; i += na + pa + ns) {
		u64 child = dt_number(bus, "ranges", i, na);
		u64 size = dt_number(bus, "ranges", i + na + pa, ns);

		if (*addr >= child && *addr - child < size) {
			*addr += dt_number(bus, "ranges", i + na, pa) - child;
			return true;
		}
	}
	return !len;
}

bool dt_reg(int node, unsigned int i, u64 *base, u64 *size)
{
	int bus = node < 0 ? DT_NONE : nodes[node].parent;
	u32 na = dt_cell(bus, "#address-cells", 0, 2), ns = dt_cell(bus, "#size-cells", 0, 1);

	if (bus < 0 || (i + 1) * (na + ns) > dt_nr_cells(node, "reg"))
		return false;
	*base = dt_number(node, "reg", i * (na + ns), na);
	if (size)
		*size = dt_number(node, "reg", i * (na + ns) + na, ns);
	for (; nodes[bus].parent != DT_NONE; bus = nodes[bus].parent) {
		if (!translate(bus, base))
			return false;
	}
	return true;
}

unsigned int dt_interrupt(int node, unsigned int i, u32 *cells)
{
	u32 parent = 0, nr, j;
	int at;

	for (at = node; at != DT_NONE && !parent; at = nodes[at].parent)
		parent = dt_cell(at, "interrupt-parent", 0, 0);
	nr = dt_cell(dt_by_phandle(parent), "#interrupt-cells", 0, 1);
	if (!parent || nr > DT_IRQ_CELLS || (i + 1) * nr > dt_nr_cells(node, "interrupts"))
		return 0;
	for (j = 0; j < nr; j++)
		cells[j] = dt_cell(node, "interrupts", i * nr + j, 0);
	return nr;
}

int dt_pci_host(void)
{
	return dt_next_compatible(DT_NONE, "pci-host-ecam-generic");
}

bool dt_map_id(const char *map, u16 bdf, u32 *phandle, u32 *id)
{
	int host = dt_pci_host();
	u32 i;

	for (i = 0; i + 4 <= dt_nr_cells(host, map); i += 4) {
		u32 first = dt_cell(host, map, i, 0), len = dt_cell(host, map, i + 3, 0);

		if (bdf < first || bdf - first >= len)
			continue;
		*phandle = dt_cell(host, map, i + 1, 0);
		*id = dt_cell(host, map, i + 2, 0) + bdf - first;
		return true;
	}
	return false;
}

bool dt_reserved(unsigned int i, u64 *base, u64 *size)
{
	const u8 *entry = (const u8 *)header + be32(&header->off_mem_rsvmap) + 16 * i;

	*base = be64(entry);
	*size = be64(entry + 8);
	return *base || *size;
}
