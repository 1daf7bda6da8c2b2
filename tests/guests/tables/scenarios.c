// SPDX-License-Identifier: GPL-2.0-only
/* The scenarios, which know of no format. */
#include "rt/arch.h"
#include "rt/core.h"
#include "rt/pages.h"
#include "rt/pci.h"
#include "suite.h"

/*
 * Of accesses without a PASID: the ring, where what was read arrives, and the page with the
 * doorbell of messages, if that needs a mapping. Nothing here has an
 * address whose low bits are those of another, so that caches by such bits keep them all.
 */
#define RING_IOVA     0x10123000ULL
#define SINK_IOVA     0x10235000ULL
#define DOORBELL_IOVA 0x10347000ULL

/* Where each space has what is tried on it. */
#define PAGE_IOVA  0x2034567000ULL
#define LARGE_IOVA 0x2080000000ULL
#define HOLE_IOVA  0x20c0001000ULL /* beside what is mapped */
#define LONG_IOVA  0x2100000000ULL

#define LARGE_SIZE BIT_ULL(PAGE_2M)

/* A long transfer: so many leaves of 2 MiB. */
#define LONG_LEAVES 512U

#define USER_RW (PAGE_USER | PAGE_WRITE)

/* Words that tell pages apart; FILL has them again and again. */
#define WORD_A 0xaaaa1111aaaa1111ULL
#define WORD_B 0xbbbb2222bbbb2222ULL
#define WORD_C 0xcccc3333cccc3333ULL

#define MAX_SPACES 4

static u64 *page_a, *page_b, *page_c, *sink, *large, *large_b;

static void fill_words(u64 *p, u64 len, u64 word)
{
	fill64(p, word, len / 8);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/*
 * The start of each 4 KiB of the large page: a guest whose accesses are emulated has no time for
 * more, and a transfer that is longer shows there.
 */
static void mark_large(u64 word)
{
	u64 off;

	for (off = 0; off < LARGE_SIZE; off += PAGE_SIZE)
		fill_words((u64 *)((u8 *)large + off), 64, word);
}

static bool large_is_marked(u64 word)
{
	u64 off;

	for (off = 0; off < LARGE_SIZE && READ_ONCE(large[off / 8]) == word; off += PAGE_SIZE)
		;
	return off == LARGE_SIZE;
}

static void alloc_memory(void)
{
	if (page_a)
		return;
	page_a = page_alloc();
	page_b = page_alloc();
	page_c = page_alloc();
	sink = mem_alloc(2 * PAGE_SIZE, PAGE_SIZE);
	large = mem_alloc(LARGE_SIZE, LARGE_SIZE);
	large_b = mem_alloc(LARGE_SIZE, LARGE_SIZE);
}

static void reset_memory(void)
{
	fill_words(page_a, PAGE_SIZE, WORD_A);
	fill_words(page_b, PAGE_SIZE, WORD_B);
	fill_words(page_c, PAGE_SIZE, WORD_C);
	fill_words(sink, 2 * PAGE_SIZE, 0);
}

static const char *name_of(const struct space *s)
{
	static char name[24];

	if (!s->pasid)
		return "no PASID";
	format(name, sizeof(name), "PASID %u", s->pasid);
	return name;
}

/* A check, which says whose it is. */
#define check_space(s, cond, fmt, ...) check(cond, "%s: " fmt, name_of(s), ##__VA_ARGS__)

static u32 pasid_field(const struct space *s)
{
	return s->pasid ? DMA_PASID | s->pasid : 0;
}

/* Reads into the sink, which is zeroed before, with attributes DMA_EXECUTE and DMA_PRIVILEGED. */
static int read_some(struct space *s, u64 iova, u32 len, u32 attributes, struct dma_desc *d)
{
	*d = (struct dma_desc){
		.op = DMA_COPY,
		.src_pasid = pasid_field(s) | attributes,
		.len = len,
		.src = iova,
		.dst = SINK_IOVA,
	};
	fill_words(sink, 2 * PAGE_SIZE, 0);
	viommu_drop_faults(&iommu);
	return dma_engine_do(s->t->engine, d);
}

static int write_some(struct space *s, u64 iova, u32 len, u32 attributes, u64 word,
		      struct dma_desc *d)
{
	*d = (struct dma_desc){
		.op = DMA_FILL,
		.dst_pasid = pasid_field(s) | attributes,
		.len = len,
		.dst = iova,
		.pattern = word,
	};
	viommu_drop_faults(&iommu);
	return dma_engine_do(s->t->engine, d);
}

static bool reads_word(struct space *s, u64 iova, u64 word)
{
	struct dma_desc d;

	return read_some(s, iova, 64, 0, &d) == DMA_OK && sink[0] == word && sink[7] == word;
}

/* What the report says of the space, beside address and access; the PASID with the feature. */
static bool fault_is_of(const struct space *s, const struct viommu_fault *f, u8 reason)
{
	u32 pasid_flag = f->flags & VIOMMU_FAULT_PASID;

	if (f->reason != reason || f->endpoint != s->t->endpoint)
		return false;
	return s->pasid && (iommu.v.features & VIOMMU_F_ATTACH_TABLE)
		       ? pasid_flag && f->pasid == s->pasid
		       : !pasid_flag && !f->pasid;
}

/* @d ended in that status, the engine and the virtio-iommu agree on why. */
static bool was_refused(struct space *s, const struct dma_desc *d, int ret, u8 reason, u32 access,
			u64 address)
{
	int want = access & VIOMMU_FAULT_WRITE ? DMA_DST_FAULT : DMA_SRC_FAULT;
	u32 both = VIOMMU_FAULT_READ | VIOMMU_FAULT_WRITE | VIOMMU_FAULT_EXEC;
	struct viommu_fault f = {0};
	bool came = ret == want && viommu_wait_fault(&iommu, &f, NULL);
	bool ok = came && fault_is_of(s, &f, reason) && (f.flags & VIOMMU_FAULT_ADDRESS) &&
		  f.address == address && (f.flags & both & access) == access &&
		  d->fault_address == address && DMA_FAULT_REASON(d->fault) == reason &&
		  (DMA_FAULT_ACCESS(d->fault) & access) == access;

	if (!ok)
		note("status %d fault 0x%x at 0x%lx; %s: reason %u flags 0x%x endpoint 0x%x "
		     "PASID %u at 0x%lx",
		     ret, d->fault, d->fault_address, came ? "report" : "no report", f.reason,
		     f.flags, f.endpoint, f.pasid, f.address);
	return ok;
}

static bool read_refused(struct space *s, u64 iova, u32 attributes, u8 reason)
{
	u32 access = attributes & DMA_EXECUTE ? VIOMMU_FAULT_EXEC : VIOMMU_FAULT_READ;
	struct dma_desc d;
	int ret = read_some(s, iova, 64, attributes, &d);

	return was_refused(s, &d, ret, reason, access, iova);
}

static bool write_refused(struct space *s, u64 iova, u8 reason)
{
	struct dma_desc d;
	int ret = write_some(s, iova, 64, 0, WORD_C, &d);

	return was_refused(s, &d, ret, reason, VIOMMU_FAULT_WRITE, iova);
}

static int map(struct space *s, u64 iova, const void *page, unsigned int size_log2, u32 flags)
{
	return s->t->row->kind->map(s, iova, gpa_of(page), size_log2, flags);
}

static int invalidate(struct space *s, enum inv_scope scope, u64 iova, unsigned int size_log2)
{
	return s->t->row->kind->invalidate(s, scope, iova, size_log2);
}

/* A page, and what was cached of its address before is gone. */
static bool map_now(struct space *s, u64 iova, const void *page, u32 flags)
{
	return map(s, iova, page, PAGE_4K, flags) == VIOMMU_S_OK &&
	       invalidate(s, INV_ADDRESS, iova, PAGE_4K) == VIOMMU_S_OK;
}

static void *doorbell_page(const struct target *t)
{
	return (void *)(uintptr_t)align_down(t->doorbell, PAGE_SIZE);
}

/* The doorbell of the engine's messages, where that needs a mapping; they go there then. */
static bool map_doorbell(struct space *main)
{
	struct target *t = main->t;

	if (!t->doorbell)
		return true;
	pci_msix_redirect(t->engine->at.bdf, 0, DOORBELL_IOVA + t->doorbell % PAGE_SIZE);
	return map_now(main, DOORBELL_IOVA, doorbell_page(t), USER_RW);
}

/* Attaches, with what the engine needs for its ring and the sink; it runs then. */
static bool begin(struct target *t, struct space *main)
{
	*main = (struct space){.t = t, .id = 100};
	if (t->row->kind->attach(t) != VIOMMU_S_OK || t->row->kind->open(main) != VIOMMU_S_OK)
		return false;
	if (map(main, RING_IOVA, t->engine->ring, PAGE_4K, USER_RW) != VIOMMU_S_OK ||
	    map(main, SINK_IOVA, sink, PAGE_4K, USER_RW) != VIOMMU_S_OK ||
	    map(main, SINK_IOVA + PAGE_SIZE, (u8 *)sink + PAGE_SIZE, PAGE_4K, USER_RW) !=
		    VIOMMU_S_OK ||
	    !map_doorbell(main))
		return false;
	dma_engine_start(t->engine, RING_IOVA, 0);
	return true;
}

/* Detaches it, if it still is attached, and gives back its tables. */
static void end(struct target *t, struct space *spaces, unsigned int n)
{
	unsigned int i;

	dma_engine_stop(t->engine);
	viommu_detach(&iommu, t->domain, t->endpoint);
	for (i = 0; i < n; i++)
		t->row->kind->free(&spaces[i]);
	t->row->kind->release(t);
	viommu_drop_faults(&iommu);
}

/* The engine's ring is out of reach: it halts, and the report says why. */
static bool is_cut_off(struct space *main, u8 reason)
{
	const struct dma_desc nop = {.op = DMA_NOP};
	struct dma_engine *e = main->t->engine;
	struct viommu_fault f;

	viommu_drop_faults(&iommu);
	dma_engine_submit(e, &nop);
	return dma_engine_wait(e) == DMA_HALTED && viommu_wait_fault(&iommu, &f, NULL) &&
	       fault_is_of(main, &f, reason) && f.address == dma_engine_halt_address(e);
}

static void scenario_unattached(struct target *t)
{
	struct space main = {.t = t};

	dma_engine_start(t->engine, RING_IOVA, 0);
	check(is_cut_off(&main, VIOMMU_FAULT_DOMAIN), "attached to nothing: the engine is refused");
	dma_engine_stop(t->engine);
	viommu_drop_faults(&iommu);
}

static void scenario_access(struct space *s)
{
	struct dma_desc d;
	bool ok;

	reset_memory();
	ok = map_now(s, PAGE_IOVA, page_a, USER_RW) &&
	     map_now(s, PAGE_IOVA + PAGE_SIZE, page_c, USER_RW) &&
	     map(s, LARGE_IOVA, large, PAGE_2M, USER_RW) == VIOMMU_S_OK &&
	     invalidate(s, INV_ADDRESS, LARGE_IOVA, PAGE_2M) == VIOMMU_S_OK;
	check_space(s, ok && reads_word(s, PAGE_IOVA, WORD_A), "a page is read");
	check_space(s,
		    !s->t->row->marks || (page_table_is_marked(&s->pt, PAGE_IOVA, false) &&
					  !page_table_is_marked(&s->pt, PAGE_IOVA, true)),
		    "%s",
		    s->t->row->marks ? "it is marked as accessed, not as dirty"
				     : "nothing is marked there");
	ok = read_some(s, PAGE_IOVA + 8, 2 * PAGE_SIZE - 16, 0, &d) == DMA_OK;
	check_space(s,
		    ok && sink[510] == WORD_A && sink[511] == WORD_C && sink[1021] == WORD_C &&
			    !sink[1022],
		    "across two pages that are apart in memory");
	ok = write_some(s, PAGE_IOVA + 64, 128, 0, WORD_B, &d) == DMA_OK;
	check_space(s,
		    ok && page_a[7] == WORD_A && page_a[8] == WORD_B && page_a[23] == WORD_B &&
			    page_a[24] == WORD_A,
		    "128 bytes are written, and no others");
	check_space(s, !s->t->row->marks || page_table_is_marked(&s->pt, PAGE_IOVA, true), "%s",
		    s->t->row->marks ? "it is marked as dirty" : "nothing is marked there");
	mark_large(WORD_A);
	fill_words(&large[(LARGE_SIZE - PAGE_SIZE) / 8], PAGE_SIZE, WORD_A);
	ok = write_some(s, LARGE_IOVA + LARGE_SIZE - 64, 64, 0, WORD_B, &d) == DMA_OK;
	check_space(s,
		    ok && large[LARGE_SIZE / 8 - 1] == WORD_B &&
			    large[LARGE_SIZE / 8 - 9] == WORD_A &&
			    reads_word(s, LARGE_IOVA + MiB, WORD_A),
		    "a leaf of 2 MiB, up to its end");
}

static void scenario_permission(struct space *s)
{
	u64 exec_iova = PAGE_IOVA + PAGE_SIZE;
	struct dma_desc d;

	reset_memory();
	check_space(s, map_now(s, PAGE_IOVA, page_a, PAGE_USER) && reads_word(s, PAGE_IOVA, WORD_A),
		    "a page that is read-only is read");
	check_space(s, write_refused(s, PAGE_IOVA, VIOMMU_FAULT_MAPPING) && page_a[0] == WORD_A,
		    "and not written");
	if (!s->pasid)
		return;
	check_space(s, read_refused(s, PAGE_IOVA, DMA_EXECUTE, VIOMMU_FAULT_MAPPING),
		    "nor executed");
	check_space(s,
		    map_now(s, exec_iova, page_b, PAGE_USER | PAGE_EXEC) &&
			    read_some(s, exec_iova, 64, DMA_EXECUTE, &d) == DMA_OK &&
			    sink[0] == WORD_B,
		    "one that may be executed is");
	check_space(s,
		    map_now(s, PAGE_IOVA, page_c, PAGE_WRITE) &&
			    read_refused(s, PAGE_IOVA, 0, VIOMMU_FAULT_MAPPING),
		    "one that is not for users is refused to them");
	check_space(s,
		    read_some(s, PAGE_IOVA, 64, DMA_PRIVILEGED, &d) == DMA_OK &&
			    sink[0] == WORD_C &&
			    write_some(s, PAGE_IOVA, 64, DMA_PRIVILEGED, WORD_A, &d) == DMA_OK &&
			    page_c[0] == WORD_A,
		    "and not to an access with privilege");
	map_now(s, exec_iova, page_b, PAGE_USER);
}

static void scenario_fault(struct space *s)
{
	struct dma_desc d;
	int ret;

	reset_memory();
	check_space(s, read_refused(s, HOLE_IOVA, 0, VIOMMU_FAULT_MAPPING),
		    "an address without a page cannot be read");
	check_space(s, write_refused(s, HOLE_IOVA + 64, VIOMMU_FAULT_MAPPING), "or written");
	map_now(s, HOLE_IOVA - PAGE_SIZE, page_a, USER_RW);
	ret = write_some(s, HOLE_IOVA - 64, 128, 0, WORD_B, &d);
	check_space(s, was_refused(s, &d, ret, VIOMMU_FAULT_MAPPING, VIOMMU_FAULT_WRITE, HOLE_IOVA),
		    "a transfer that leaves a page faults where it does");
	check_space(s, map_now(s, PAGE_IOVA, page_b, USER_RW) && reads_word(s, PAGE_IOVA, WORD_B),
		    "the next one works");
}

static const char *const scope_names[] = {
	[INV_ADDRESS] = "by address",
	[INV_PASID] = "by PASID",
	[INV_DOMAIN] = "of the domain",
	[INV_ID] = "by ID",
};

/* A page of 4 KiB or 2 MiB becomes another, then none, then the first again, read-only. */
static void scenario_change(struct space *s, enum inv_scope scope, unsigned int size_log2)
{
	u64 iova = size_log2 == PAGE_4K ? PAGE_IOVA : LARGE_IOVA;
	const void *first = size_log2 == PAGE_4K ? page_a : large;
	const void *second = size_log2 == PAGE_4K ? page_b : large_b;
	struct dma_desc d;
	bool ok, either;

	reset_memory();
	fill_words(large, 64, WORD_A);
	fill_words(large_b, 64, WORD_B);
	ok = map(s, iova, first, size_log2, USER_RW) == VIOMMU_S_OK &&
	     invalidate(s, scope, iova, size_log2) == VIOMMU_S_OK && reads_word(s, iova, WORD_A);
	ok &= map(s, iova, second, size_log2, USER_RW) == VIOMMU_S_OK;
	either = read_some(s, iova, 64, 0, &d) == DMA_OK &&
		 (sink[0] == WORD_A || sink[0] == WORD_B) && sink[7] == sink[0];
	ok &= either && invalidate(s, scope, iova, size_log2) == VIOMMU_S_OK &&
	      reads_word(s, iova, WORD_B);
	ok &= s->t->row->kind->unmap(s, iova, size_log2) == VIOMMU_S_OK;
	either = read_some(s, iova, 64, 0, &d) == DMA_SRC_FAULT || sink[0] == WORD_B;
	ok &= either && invalidate(s, scope, iova, size_log2) == VIOMMU_S_OK &&
	      read_refused(s, iova, 0, VIOMMU_FAULT_MAPPING);
	ok &= map(s, iova, first, size_log2, PAGE_USER) == VIOMMU_S_OK &&
	      invalidate(s, scope, iova, size_log2) == VIOMMU_S_OK &&
	      read_some(s, iova, 64, 0, &d) == DMA_OK &&
	      write_refused(s, iova, VIOMMU_FAULT_MAPPING);
	check_space(s, ok,
		    "a leaf of 2^%u changed: old or new before INVALIDATE %s, then the new only",
		    size_log2, scope_names[scope]);
}

/* Invalidating one space leaves the others right. */
static void scenario_isolation(struct space *spaces, unsigned int n)
{
	u64 *pages[] = {page_a, page_b, page_c, large};
	bool ok = true;
	unsigned int i;

	reset_memory();
	for (i = 0; i < n; i++) {
		fill_words(pages[i], PAGE_SIZE, WORD_A + i);
		ok &= map_now(&spaces[i], PAGE_IOVA, pages[i], USER_RW);
	}
	for (i = 0; i < n; i++)
		ok &= reads_word(&spaces[i], PAGE_IOVA, WORD_A + i);
	check(ok, "one address in %u PASIDs: each has a page of its own", n);
}

static void scenario_detach_pasid(struct space *s)
{
	const struct kind *kind = s->t->row->kind;
	bool ok;

	reset_memory();
	ok = map_now(s, PAGE_IOVA, page_a, USER_RW) && reads_word(s, PAGE_IOVA, WORD_A);
	check_space(s,
		    ok && kind->close(s) == VIOMMU_S_OK &&
			    read_refused(s, PAGE_IOVA, 0, s->t->row->no_entry),
		    "detached: its accesses are refused");
	check_space(s, kind->open(s) == VIOMMU_S_OK && reads_word(s, PAGE_IOVA, WORD_A),
		    "attached again");
}

/* Another page table takes the place of the one that is used. */
static void scenario_replace(struct space *s)
{
	struct space other = {.t = s->t, .pasid = s->pasid, .id = s->id + 50};
	const struct kind *kind = s->t->row->kind;
	bool ok;

	reset_memory();
	ok = map_now(s, PAGE_IOVA, page_a, USER_RW) && reads_word(s, PAGE_IOVA, WORD_A);
	ok = ok && page_table_alloc(&other.pt, s->t->row->pages) &&
	     map(&other, PAGE_IOVA, page_b, PAGE_4K, USER_RW) == VIOMMU_S_OK &&
	     kind->open(&other) == VIOMMU_S_OK && reads_word(s, PAGE_IOVA, WORD_B);
	check_space(s, ok, "another page table takes the place of the first");
	check_space(s, kind->open(s) == VIOMMU_S_OK && reads_word(s, PAGE_IOVA, WORD_A),
		    "and the first that of the other");
	kind->free(&other);
}

/* What a long transfer writes to, all of it one page of 2 MiB. */
static bool map_long(struct space *s)
{
	bool ok = true;
	unsigned int i;

	for (i = 0; i < LONG_LEAVES && ok; i++)
		ok = map(s, LONG_IOVA + i * LARGE_SIZE, large, PAGE_2M, USER_RW) == VIOMMU_S_OK;
	return ok && invalidate(s, INV_DOMAIN, 0, 0) == VIOMMU_S_OK;
}

/* Starts it, and returns once it has begun to write. */
static struct dma_desc *start_long(struct space *s)
{
	const struct dma_desc fill = {
		.op = DMA_FILL,
		.dst_pasid = pasid_field(s),
		.len = LONG_LEAVES * LARGE_SIZE,
		.dst = LONG_IOVA,
		.pattern = WORD_C,
	};
	struct dma_desc *d;

	mark_large(0);
	viommu_drop_faults(&iommu);
	d = dma_engine_submit(s->t->engine, &fill);
	timeout_start(60000);
	while (READ_ONCE(large[0]) != WORD_C && !timeout_expired())
		cpu_relax();
	return d;
}

/* The PASID is taken away while it is written to: nothing is written once that is answered. */
static void scenario_pasid_in_flight(struct space *s)
{
	const struct kind *kind = s->t->row->kind;
	struct dma_desc *d;
	bool ok = map_long(s);
	int ret;

	d = start_long(s);
	ret = kind->close(s);
	mark_large(0);
	ok = ok && ret == VIOMMU_S_OK && !dma_engine_wait(s->t->engine) && large_is_marked(0);
	check_space(s, ok, "detached in the middle of a transfer: nothing is written afterwards");
	check_space(s,
		    d->status == DMA_OK || (d->status == DMA_DST_FAULT &&
					    DMA_FAULT_REASON(d->fault) == s->t->row->no_entry),
		    "%s",
		    d->status == DMA_OK ? "which was over by then" : "which ends with a fault");
	check_space(s, kind->open(s) == VIOMMU_S_OK, "attached again");
}

/* The same with the endpoint; the engine has no ring then. */
static void scenario_endpoint_in_flight(struct space *s)
{
	struct target *t = s->t;
	bool ok = map_long(s);
	int ret;

	start_long(s);
	ret = viommu_detach(&iommu, t->domain, t->endpoint);
	mark_large(0);
	ok = ok && ret == VIOMMU_S_OK;
	ret = dma_engine_wait(t->engine);
	check_space(s, ok && (ret == DMA_HALTED || !ret) && large_is_marked(0),
		    "DETACH in the middle of a transfer: nothing is written afterwards");
}

static void scenario_no_memory(struct space *s)
{
	const struct kind *kind = s->t->row->kind;
	struct space poor = {.t = s->t, .pasid = s->pasid - 1, .id = s->id + 60};
	bool ok;

	reset_memory();
	pages_left = 0;
	check_space(&poor, kind->open(&poor) == VIOMMU_S_NOMEM, "no memory for a page table");
	check_space(s,
		    map(s, LONG_IOVA + GiB, page_a, PAGE_4K, USER_RW) == VIOMMU_S_NOMEM &&
			    read_refused(s, LONG_IOVA + GiB, 0, VIOMMU_FAULT_MAPPING),
		    "nor for one below it");
	pages_left = PAGES_NO_LIMIT;
	ok = map_now(s, PAGE_IOVA, page_a, USER_RW) && reads_word(s, PAGE_IOVA, WORD_A);
	check_space(s, ok, "what is there goes on");
	kind->free(&poor);
}

/* A PASID table of one page, and no more: entries whose tables do not fit are refused. */
static void scenario_no_pasid_memory(struct target *t)
{
	struct pasid_table table;
	struct page_table pt;
	int alloc, set;

	if (!page_table_alloc(&pt, t->row->pages))
		return;
	pages_left = 0;
	alloc = pasid_table_alloc(&table, &iommu, &t->cfg, t->domain, t->endpoint);
	check(alloc == VIOMMU_S_NOMEM || !table.base, "a PASID table: %s",
	      alloc == VIOMMU_S_NOMEM ? "no memory for it" : "it needs no memory");
	pages_left = 1;
	alloc = pasid_table_alloc(&table, &iommu, &t->cfg, t->domain, t->endpoint);
	pages_left = 0;
	set = alloc == VIOMMU_S_OK && pasid_table_attach(&table) == VIOMMU_S_OK
		      ? pasid_table_set(&table, 1, &pt, 1)
		      : -1;
	check(set == VIOMMU_S_OK || set == VIOMMU_S_NOMEM, "an entry in it: %s",
	      set == VIOMMU_S_OK ? "it needs no more" : "no memory for its part");
	pages_left = PAGES_NO_LIMIT;
	viommu_detach(&iommu, t->domain, t->endpoint);
	pasid_table_free(&table);
	page_table_free(&pt);
}

/* Requests that do not fit to a domain with tables, or leave none. */
static void scenario_requests(struct space *s)
{
	struct target *t = s->t;
	struct viommu_req_attach_table req;
	struct viommu_req_invalidate inv;
	/* Without the feature it is a request that the device does not know. */
	int want = iommu.v.features & VIOMMU_F_MAP_UNMAP ? VIOMMU_S_INVAL : VIOMMU_NO_ANSWER;

	check(viommu_map(&iommu, t->domain, PAGE_IOVA, gpa_of(page_a), PAGE_SIZE,
			 VIOMMU_MAP_READ) == want &&
		      viommu_unmap(&iommu, t->domain, 0, ~0ULL) == want,
	      "MAP and UNMAP in a domain with tables: %s", viommu_status_name(want));
	check(viommu_attach(&iommu, t->domain, t->endpoint, 0) == VIOMMU_S_INVAL,
	      "ATTACH to it: INVAL");
	t->table.ops->attach(&t->table, &req);
	req.format = 0xee;
	check(viommu_request(&iommu, &req, sizeof(req)) == VIOMMU_S_UNSUPP,
	      "ATTACH_TABLE of an unknown format: UNSUPP");
	t->table.ops->attach(&t->table, &req);
	req.reserved[0] = 1;
	check(viommu_request(&iommu, &req, sizeof(req)) == VIOMMU_S_INVAL,
	      "with a reserved byte: INVAL");
	pasid_table_inv_domain(&t->table, &inv);
	inv.scope = 4;
	check(viommu_request(&iommu, &inv, sizeof(inv)) == VIOMMU_S_INVAL,
	      "INVALIDATE of an unknown scope: INVAL");
	check(map_now(s, PAGE_IOVA, page_a, USER_RW) && reads_word(s, PAGE_IOVA, WORD_A),
	      "all of it left the domain as it was");
}

/* Of the IOMMU: what was attached is no more, and can be attached again. */
static void scenario_reset(struct target *t, struct space *main)
{
	u64 features = iommu.v.features;

	reset_memory();
	check(map_now(main, PAGE_IOVA, page_a, USER_RW) && reads_word(main, PAGE_IOVA, WORD_A),
	      "before a reset: a page is read");
	check(viommu_start(&iommu, features), "reset, and features agreed on again");
	check(is_cut_off(main, VIOMMU_FAULT_DOMAIN), "the engine is refused");
	end(t, main, 1);
	reset_memory();
	check(begin(t, main) && map_now(main, PAGE_IOVA, page_b, USER_RW) &&
		      reads_word(main, PAGE_IOVA, WORD_B),
	      "attached again, it works");
}

/* Whether the engine says that it is done, by an interrupt. */
static bool interrupts(struct target *t)
{
	struct dma_desc d = {.op = DMA_NOP, .flags = DMA_INTERRUPT};
	u32 before;

	dma_engine_take_int(t->engine);
	irq_take();
	before = irq_count[LINE_DONE];
	return dma_engine_do(t->engine, &d) == DMA_OK && irq_wait_line(LINE_DONE, before) &&
	       dma_engine_take_int(t->engine) == 1;
}

/* The message goes to @address, and nowhere: no interrupt, but a report. */
static bool message_is_lost(struct space *main, u64 address)
{
	struct dma_desc d = {.op = DMA_NOP, .flags = DMA_INTERRUPT};
	struct target *t = main->t;
	struct viommu_fault f;
	u32 before;

	irq_take();
	before = irq_count[LINE_DONE];
	viommu_drop_faults(&iommu);
	if (dma_engine_do(t->engine, &d) != DMA_OK || !viommu_wait_fault(&iommu, &f, NULL) ||
	    !fault_is_of(main, &f, VIOMMU_FAULT_MAPPING) || f.address != address ||
	    !(f.flags & VIOMMU_FAULT_WRITE))
		return false;
	irq_take();
	dma_engine_take_int(t->engine);
	return irq_count[LINE_DONE] == before;
}

static void scenario_interrupt(struct space *main)
{
	struct target *t = main->t;
	u16 bdf = t->engine->at.bdf;
	u64 iova = pci_msix_address(bdf, 0);

	check(interrupts(t), "the engine says by an interrupt that it is done");
	if (!t->doorbell)
		return;
	pci_msix_redirect(bdf, 0, t->doorbell);
	check(message_is_lost(main, t->doorbell), "not by a message to where the doorbell is");
	pci_msix_redirect(bdf, 0, iova);
	check(map_now(main, DOORBELL_IOVA, doorbell_page(t), PAGE_USER) &&
		      message_is_lost(main, iova),
	      "nor to where it is mapped read-only");
	check(map_doorbell(main) && interrupts(t), "mapped as before, it interrupts again");
}

/* Accesses without a PASID, the first PASIDs, and the last. */
static unsigned int choose_pasids(const struct target *t, u32 *pasids)
{
	pasids[0] = 0;
	if (!t->row->kind->has_pasids || t->cfg.pasid_bits < 2)
		return 1;
	pasids[1] = 1;
	pasids[2] = 37 & (BIT(t->cfg.pasid_bits) - 1);
	pasids[3] = BIT(t->cfg.pasid_bits) - 1;
	return 4;
}

static void all_in_space(struct space *s)
{
	enum inv_scope scope;

	scenario_access(s);
	scenario_permission(s);
	scenario_fault(s);
	for (scope = 0; scope < NR_INV_SCOPES; scope++) {
		if (scope == INV_ID && !s->t->cfg.has_id)
			continue;
		scenario_change(s, scope, PAGE_4K);
		scenario_change(s, scope, PAGE_2M);
	}
}

static void with_pasids(struct target *t, struct space *spaces, unsigned int n)
{
	struct space beyond = {.t = t, .pasid = BIT(t->cfg.pasid_bits)};
	struct space *last = &spaces[n - 1];

	if (t->cfg.pasid_bits < DMA_PASID_BITS)
		check_space(&beyond, read_refused(&beyond, PAGE_IOVA, 0, VIOMMU_FAULT_DOMAIN),
			    "more bits than the table has: refused");
	scenario_detach_pasid(last);
	scenario_replace(last);
	scenario_pasid_in_flight(last);
	scenario_no_memory(last);
	scenario_requests(last);
}

void run_suite(struct target *t)
{
	const struct kind *kind = t->row->kind;
	struct space spaces[MAX_SPACES];
	u32 pasids[MAX_SPACES];
	unsigned int n = choose_pasids(t, pasids), i;

	section("%s, at %s: %u PASIDs", t->row->name, t->engine->name,
		kind->has_pasids ? BIT(t->cfg.pasid_bits) : 0);
	alloc_memory();
	reset_memory();
	scenario_unattached(t);
	if (kind->has_pasids)
		scenario_no_pasid_memory(t);
	if (!check(begin(t, &spaces[0]), "attached"))
		return;
	if (t->has_messages)
		scenario_interrupt(&spaces[0]);
	else
		note("no messages: interrupts are not tried");
	for (i = 1; i < n; i++) {
		spaces[i] = (struct space){.t = t, .pasid = pasids[i], .id = 100 + i};
		if (!check_space(&spaces[i], kind->open(&spaces[i]) == VIOMMU_S_OK, "attached"))
			return;
	}
	for (i = 0; i < n; i++)
		all_in_space(&spaces[i]);
	scenario_isolation(spaces, n);
	if (n > 1) {
		with_pasids(t, spaces, n);
	} else {
		struct space none = {.t = t, .pasid = 1};

		check_space(&none, read_refused(&none, PAGE_IOVA, 0, VIOMMU_FAULT_DOMAIN),
			    "there are none here: refused");
	}
	scenario_endpoint_in_flight(&spaces[n - 1]);
	end(t, spaces, n);
	if (check(begin(t, &spaces[0]), "attached once more"))
		scenario_reset(t, &spaces[0]);
	end(t, spaces, 1);
}

void run_pair(struct target *a, struct target *b)
{
	struct space of_a = {0}, of_b = {0};
	bool ok;

	section("Two endpoints: %s at %s, %s at %s", a->row->name, a->engine->name, b->row->name,
		b->engine->name);
	alloc_memory();
	reset_memory();
	if (!check(begin(a, &of_a) && begin(b, &of_b), "attached, to two domains"))
		return;
	check(map_now(&of_a, PAGE_IOVA, page_a, USER_RW) &&
		      map_now(&of_b, PAGE_IOVA, page_b, USER_RW) &&
		      reads_word(&of_a, PAGE_IOVA, WORD_A) && reads_word(&of_b, PAGE_IOVA, WORD_B),
	      "one address: each has a page of its own");
	ok = a->row->kind->unmap(&of_a, PAGE_IOVA, PAGE_4K) == VIOMMU_S_OK &&
	     invalidate(&of_a, INV_DOMAIN, 0, 0) == VIOMMU_S_OK &&
	     read_refused(&of_a, PAGE_IOVA, 0, VIOMMU_FAULT_MAPPING);
	check(ok && reads_word(&of_b, PAGE_IOVA, WORD_B), "gone from one, there in the other");
	map_now(&of_a, PAGE_IOVA, page_c, USER_RW);
	end(b, &of_b, 1);
	check(reads_word(&of_a, PAGE_IOVA, WORD_C), "the other is detached, this one goes on");
	end(a, &of_a, 1);
}
