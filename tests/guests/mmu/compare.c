// SPDX-License-Identifier: GPL-2.0-only
/* A case is built once for each access; the CPU goes first, then the DMA engine, all in a row. */
#include "mmu.h"

#include "rt/core.h"

/* Of accesses without a PASID: the ring, and where what was read arrives. */
#define RING_IOVA 0x10000000ULL
#define SINK_IOVA 0x10001000ULL

/* What is written: no code that mmu_code() makes. */
#define TOKEN 0x70ce700000000000ULL

#define MAX_SHOWN 5

const struct access accesses[NR_ACCESSES] = {
	{"a user's read", ACCESS_READ, true},
	{"a user's write", ACCESS_WRITE, true},
	{"a user's execute", ACCESS_EXEC, true},
	{"a read with privilege", ACCESS_READ, false},
	{"a write with privilege", ACCESS_WRITE, false},
	{"an execute with privilege", ACCESS_EXEC, false},
};

/* What one side made of a case, access by access. */
struct side {
	struct outcome outcome[NR_ACCESSES];
	u64 entry[NR_ACCESSES][MAX_LEVELS]; /* as they are afterwards */
};

struct counts {
	unsigned int cases, accesses, allowed, marked, exec_only, broken, different;
};

static u64 *table[NR_ACCESSES][MAX_LEVELS];
static u64 *sink;

/* Where the entries of the case are, and what they were. */
static u64 *place[NR_ACCESSES][MAX_LEVELS];
static u64 before[NR_ACCESSES][MAX_LEVELS];

static void alloc(void)
{
	unsigned int a, level;

	if (sink)
		return;
	cases_alloc();
	sink = page_alloc();
	for (a = 0; a < NR_ACCESSES; a++) {
		for (level = 0; level < MAX_LEVELS; level++)
			table[a][level] = mem_alloc(64 * KiB, 64 * KiB);
	}
}

static unsigned int index_of(const struct regime *r, unsigned int level, u64 address)
{
	unsigned int shift = level_shift(r, level);
	unsigned int bits = level ? r->page_log2 - 3 : r->address_bits - shift;

	return address >> shift & (BIT_ULL(bits) - 1);
}

/* Writes the leaf, and the others of its group; or removes them. */
static void put_leaf(const struct regime *r, const struct mmu_case *c, unsigned int a, bool there)
{
	unsigned int level = c->depth - 1, shift = level_shift(r, level), i;
	unsigned int n = c->leaf_log2 > shift ? BIT(c->leaf_log2 - shift) : 1;
	unsigned int first = align_down(index_of(r, level, c->address), n);
	u64 gpa = align_down(gpa_of(c->target), BIT_ULL(c->leaf_log2));

	for (i = 0; i < n; i++) {
		table[a][level][first + i] = there ? c->entry[level] ^ mmu_encode(r, gpa) : 0;
		if (r->groups == GROUPS_OF_PARTS)
			gpa += BIT_ULL(shift);
	}
}

static void build(const struct regime *r, const struct mmu_case *c)
{
	unsigned int a, level;

	for (a = 0; a < NR_ACCESSES; a++) {
		put_leaf(r, c, a, true);
		for (level = 0; level < c->depth; level++) {
			u64 *entry = &table[a][level][index_of(r, level, c->address)];

			if (level < c->depth - 1)
				*entry = c->entry[level] ^
					 mmu_encode(r, gpa_of(table[a][level + 1]));
			place[a][level] = entry;
			before[a][level] = *entry;
		}
	}
}

static void remove(const struct regime *r, const struct mmu_case *c)
{
	unsigned int a, level;

	for (a = 0; a < NR_ACCESSES; a++) {
		for (level = 0; level < c->depth - 1; level++)
			*place[a][level] = 0;
		put_leaf(r, c, a, false);
	}
}

/* Notes what an access left of the entries, which are then as before. */
static void take_entries(const struct mmu_case *c, unsigned int a, struct side *s)
{
	unsigned int level;

	for (level = 0; level < c->depth; level++) {
		s->entry[a][level] = READ_ONCE(*place[a][level]);
		WRITE_ONCE(*place[a][level], before[a][level]);
	}
}

/* The same for the CPU, which is shown less of them. */
static void hide_bits(const struct regime *r, const struct mmu_case *c, unsigned int a)
{
	unsigned int level;

	for (level = 0; level < c->depth; level++)
		*place[a][level] &= ~mmu_hidden_bits(r, level, c->entry[level]);
}

static void show_bits(const struct regime *r, const struct mmu_case *c, unsigned int a,
		      struct side *s)
{
	unsigned int level;

	for (level = 0; level < c->depth; level++)
		s->entry[a][level] |= before[a][level] & mmu_hidden_bits(r, level, c->entry[level]);
}

/* Where a write went shows there. */
static void take_word(const struct mmu_case *c, unsigned int a, u64 was, struct outcome *o)
{
	if (accesses[a].kind != ACCESS_WRITE)
		return;
	o->word = READ_ONCE(c->target[a]);
	WRITE_ONCE(c->target[a], was);
	mmu_sync_code(&c->target[a], sizeof(was));
}

static u64 address_of(const struct mmu_case *c, unsigned int a)
{
	return c->address + a * sizeof(u64);
}

static void ask_cpu(const struct regime *r, const struct mmu_case *c, struct side *s)
{
	unsigned int a;
	u64 was;

	mmu_begin(r);
	for (a = 0; a < NR_ACCESSES; a++) {
		s->outcome[a] = (struct outcome){0};
		was = c->target[a];
		hide_bits(r, c, a);
		mmu_access(r, a, table[a][0], address_of(c, a), TOKEN + a, &s->outcome[a]);
		take_entries(c, a, s);
		show_bits(r, c, a, s);
		take_word(c, a, was, &s->outcome[a]);
	}
	mmu_end(r);
}

static struct dma_desc descriptor(const struct mmu_case *c, unsigned int a)
{
	u32 pasid = DMA_PASID | (1 + a) | (accesses[a].user ? 0 : DMA_PRIVILEGED);

	if (accesses[a].kind == ACCESS_WRITE)
		return (struct dma_desc){
			.op = DMA_FILL,
			.dst_pasid = pasid,
			.len = sizeof(u64),
			.dst = address_of(c, a),
			.pattern = TOKEN + a,
		};
	return (struct dma_desc){
		.op = DMA_COPY,
		.src_pasid = pasid | (accesses[a].kind == ACCESS_EXEC ? DMA_EXECUTE : 0),
		.len = sizeof(u64),
		.src = address_of(c, a),
		.dst = SINK_IOVA + a * sizeof(u64),
	};
}

/* False if the engine does not go on. */
static bool ask_engine(struct engine *e, struct pasid_table *t, const struct mmu_case *c,
		       struct side *s)
{
	struct dma_desc *slot[NR_ACCESSES];
	struct viommu_req_invalidate req;
	u64 was[NR_ACCESSES];
	unsigned int a;

	pasid_table_inv_domain(t, &req);
	if (viommu_request(&iommu, &req, sizeof(req)) != VIOMMU_S_OK)
		return false;
	for (a = 0; a < NR_ACCESSES; a++) {
		struct dma_desc d = descriptor(c, a);

		was[a] = c->target[a];
		sink[a] = 0;
		slot[a] = dma_engine_queue(&e->dma, &d);
	}
	dma_engine_tell(&e->dma);
	if (dma_engine_wait(&e->dma))
		return false;
	for (a = 0; a < NR_ACCESSES; a++) {
		u32 status = slot[a]->status;

		s->outcome[a] = (struct outcome){
			.allowed = status == DMA_OK,
			.broken = status != DMA_OK &&
				  DMA_FAULT_REASON(slot[a]->fault) == VIOMMU_FAULT_UNKNOWN,
			.word = READ_ONCE(sink[a]),
		};
		if (status == DMA_PENDING || status == DMA_MALFORMED)
			return false;
		take_entries(c, a, s);
		take_word(c, a, was[a], &s->outcome[a]);
	}
	return true;
}

/* What the virtio-iommu has to make of an access, by what the CPU did. */
static void expect(const struct regime *r, const struct mmu_case *c, const struct side *cpu,
		   unsigned int a, struct side *s, struct counts *n)
{
	struct outcome *o = &s->outcome[a];
	unsigned int level;

	*o = cpu->outcome[a];
	if (o->allowed && accesses[a].kind == ACCESS_EXEC && r->exec_reads &&
	    !cpu->outcome[access_reading(a)].allowed) {
		*o = (struct outcome){0};
		n->exec_only++;
	}
	/* What a CPU marks of tables by a walk that ends in a fault is its own business. */
	for (level = 0; level < c->depth; level++) {
		u64 entry = before[a][level];

		s->entry[a][level] =
			o->allowed ? mmu_marked(r, entry, cpu->entry[a][level]) : entry;
	}
}

static bool outcomes_agree(const struct outcome *x, const struct outcome *y)
{
	return x->allowed == y->allowed &&
	       (x->allowed ? x->word == y->word : x->broken == y->broken);
}

static bool same_entries(const struct mmu_case *c, const u64 *x, const u64 *y)
{
	return !memcmp(x, y, c->depth * sizeof(u64));
}

static void show_outcome(const struct mmu_case *c, unsigned int a, const char *who,
			 const struct side *s)
{
	const struct outcome *o = &s->outcome[a];
	u64 there = accesses[a].kind == ACCESS_WRITE ? TOKEN + a : c->target[a];
	unsigned int level;

	note("  %s %s", who,
	     !o->allowed ? o->broken ? "refuses it, since the table is malformed" : "refuses it"
	     : o->word == there ? "allows it"
				: "allows it, but reaches another place");
	for (level = 0; level < c->depth; level++) {
		if (s->entry[a][level] != before[a][level])
			note("    and makes 0x%016lx of the entry of level %u", s->entry[a][level],
			     level);
	}
}

static void show(const struct mmu_case *c, unsigned int a, const struct side *cpu,
		 const struct side *dma)
{
	unsigned int level;

	note("%s at 0x%016lx, to reach 0x%lx by the entries", accesses[a].name, address_of(c, a),
	     gpa_of(&c->target[a]));
	for (level = 0; level < c->depth; level++)
		note("    0x%016lx", before[a][level]);
	show_outcome(c, a, "the CPU", cpu);
	show_outcome(c, a, "the virtio-iommu", dma);
}

/* Whether the CPU came to where the tables say. If not, the case is no evidence. */
static bool cpu_is_right(const struct mmu_case *c, const struct side *cpu, unsigned int a)
{
	u64 there = accesses[a].kind == ACCESS_WRITE ? TOKEN + a : c->target[a];

	return !cpu->outcome[a].allowed || cpu->outcome[a].word == there;
}

static bool compare_case(struct engine *e, struct pasid_table *t, const struct regime *r,
			 const struct mmu_case *c, struct counts *n)
{
	struct side cpu, dma, expected;
	unsigned int a;

	build(r, c);
	ask_cpu(r, c, &cpu);
	if (!ask_engine(e, t, c, &dma))
		return false;
	n->cases++;
	for (a = 0; a < NR_ACCESSES; a++) {
		expect(r, c, &cpu, a, &expected, n);
		n->accesses++;
		n->allowed += expected.outcome[a].allowed;
		n->broken += expected.outcome[a].broken;
		n->marked += !same_entries(c, expected.entry[a], before[a]);
		if (cpu_is_right(c, &cpu, a) &&
		    outcomes_agree(&expected.outcome[a], &dma.outcome[a]) &&
		    same_entries(c, expected.entry[a], dma.entry[a]))
			continue;
		if (n->different++ < MAX_SHOWN)
			show(c, a, &cpu, &dma);
	}
	remove(r, c);
	return true;
}

static bool compare_all(struct engine *e, struct pasid_table *t, const struct regime *r,
			unsigned int nr_random, struct counts *n)
{
	struct mmu_places at = {0};
	struct mmu_case c;

	while (!r->brief && cases_next(r, &at, &c)) {
		if (!compare_case(e, t, r, &c, n))
			return false;
	}
	while (nr_random--) {
		cases_random(r, &c);
		if (!compare_case(e, t, r, &c, n))
			return false;
	}
	return true;
}

/* Accesses without a PASID reach the ring and the sink. */
static bool start(struct engine *e, struct pasid_table *t, const struct regime *r,
		  struct page_table *plain)
{
	u64 *root[NR_ACCESSES];
	unsigned int a;

	for (a = 0; a < NR_ACCESSES; a++)
		root[a] = table[a][0];
	return page_table_alloc(plain, pasid_table_pages(r->format)) &&
	       page_table_map(plain, RING_IOVA, gpa_of(e->dma.ring), PAGE_4K,
			      PAGE_USER | PAGE_WRITE) &&
	       page_table_map(plain, SINK_IOVA, gpa_of(sink), PAGE_4K, PAGE_USER | PAGE_WRITE) &&
	       pasid_table_alloc(t, &iommu, &e->cfg, iommu.domain_first, e->endpoint) ==
		       VIOMMU_S_OK &&
	       mmu_attach(r, t, plain, root) == VIOMMU_S_OK;
}

void compare(struct engine *e, const struct regime *r, u64 seed, unsigned int nr_random)
{
	struct page_table plain = {0};
	struct pasid_table t = {0};
	struct counts n = {0};
	unsigned int a;
	bool goes;

	section("%s, at %s", r->name, e->dma.name);
	alloc();
	for (a = 0; a < NR_ACCESSES; a++) {
		memset(table[a][0], 0, 64 * KiB);
		mmu_prepare_root(r, table[a][0]);
	}
	cases_seed(seed);
	if (!check(start(e, &t, r, &plain), "the endpoint is attached"))
		return;
	dma_engine_start(&e->dma, RING_IOVA, 0);
	goes = compare_all(e, &t, r, nr_random, &n);
	dma_engine_stop(&e->dma);
	viommu_detach(&iommu, iommu.domain_first, e->endpoint);
	viommu_drop_faults(&iommu);
	pasid_table_free(&t);
	page_table_free(&plain);

	check(goes, "%u cases, %u accesses", n.cases, n.accesses);
	if (n.exec_only)
		note("%u executes of what cannot be read, which are for CPUs alone: refused",
		     n.exec_only);
	check(n.allowed && n.allowed < n.accesses,
	      "%u are allowed, %u of which leave marks; %u are refused, %u for malformed tables",
	      n.allowed, n.marked, n.accesses - n.allowed, n.broken);
	check(!n.different, "the CPU and the virtio-iommu differ in %u", n.different);
}
