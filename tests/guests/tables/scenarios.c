// SPDX-License-Identifier: GPL-2.0-only
/* The scenarios of one engine, which know of no format. */
#include "rt/arch.h"
#include "rt/pci.h"
#include "steps.h"

#define MAX_SPACES 4

static void scenario_unattached(struct target *t)
{
	struct space main = {.t = t, .pasid = main_pasid(t)};

	start_engine(t);
	check(is_cut_off(&main, VIOMMU_FAULT_DOMAIN), "attached to nothing: the engine is refused");
	dma_engine_stop(t->engine);
	viommu_drop_faults(&iommu);
}

/* Accessed or dirty, as the row has it; what has no such marks has them not. */
static bool is_marked(struct space *s, u64 iova, bool dirty)
{
	return s->t->row->kind->has_pasids && page_table_is_marked(&s->pt, iova, dirty);
}

static void scenario_access(struct space *s)
{
	struct target *t = s->t;
	u64 iova = PAGE_IOVA(t), size = page_size(t), border = iova + size;
	bool marks = t->row->marks == MARKS_SET, ok;
	struct dma_desc d;

	reset_memory();
	ok = map_now(s, iova, page_a, USER_RW) && map_now(s, border, page_c, USER_RW) &&
	     map(s, LARGE_IOVA(t), large, PAGE_2M, USER_RW) == VIOMMU_S_OK &&
	     invalidate(s, INV_ADDRESS, LARGE_IOVA(t), PAGE_2M) == VIOMMU_S_OK;
	check_space(s, ok && reads_word(s, iova, WORD_A), "a page is read");
	if (t->row->marks != MARKS_NEEDED)
		check_space(s,
			    is_marked(s, iova, false) == marks && !is_marked(s, iova, true) &&
				    (!marks ||
				     page_table_is_extended(&s->pt, iova) == t->row->extended),
			    "%s",
			    marks ? "it is marked as accessed, not as dirty"
				  : "nothing is marked there");
	fill_words(&page_a[(size - PAGE_SIZE) / 8], PAGE_SIZE, WORD_A);
	fill_words(page_c, PAGE_SIZE, WORD_C);
	ok = read_some(s, border - PAGE_SIZE + 8, 2 * PAGE_SIZE - 16, 0, &d) == DMA_OK;
	check_space(s,
		    ok && sink[510] == WORD_A && sink[511] == WORD_C && sink[1021] == WORD_C &&
			    !sink[1022],
		    "across two pages that are apart in memory");
	ok = write_some(s, iova + 64, 128, 0, WORD_B, &d) == DMA_OK;
	check_space(s,
		    ok && page_a[7] == WORD_A && page_a[8] == WORD_B && page_a[23] == WORD_B &&
			    page_a[24] == WORD_A,
		    "128 bytes are written, and no others");
	if (t->row->marks != MARKS_NEEDED)
		check_space(s, is_marked(s, iova, true) == marks, "%s",
			    marks ? "it is marked as dirty" : "nothing is marked there");
	fill_words(&large[MiB / 8], 64, WORD_A);
	fill_words(&large[LARGE_SIZE / 8 - 16], 128, WORD_A);
	ok = write_some(s, LARGE_IOVA(t) + LARGE_SIZE - 64, 64, 0, WORD_B, &d) == DMA_OK;
	check_space(s,
		    ok && large[LARGE_SIZE / 8 - 1] == WORD_B &&
			    large[LARGE_SIZE / 8 - 9] == WORD_A &&
			    reads_word(s, LARGE_IOVA(t) + MiB, WORD_A),
		    "a leaf of 2 MiB, up to its end");
}

/* Where the guest has to say that a page may be accessed: one of which it does not. */
static void scenario_unmarked(struct space *s)
{
	u64 iova = PAGE_IOVA(s->t);

	if (s->t->row->marks != MARKS_NEEDED)
		return;
	check_space(s,
		    map_now(s, iova, page_a, USER_RW | PAGE_UNMARKED) &&
			    read_refused(s, iova, 0, VIOMMU_FAULT_MAPPING) &&
			    map_now(s, iova, page_a, USER_RW) &&
			    read_refused(s, HOLE_IOVA(s->t), 0, VIOMMU_FAULT_MAPPING),
		    "a page that is not marked as accessed is refused");
}

static void scenario_permission(struct space *s)
{
	struct target *t = s->t;
	u64 iova = PAGE_IOVA(t), exec_iova = iova + page_size(t);
	struct dma_desc d;
	bool written;

	reset_memory();
	check_space(s, map_now(s, iova, page_a, PAGE_USER) && reads_word(s, iova, WORD_A),
		    "a page that is read-only is read");
	check_space(s, write_refused(s, iova, 0, VIOMMU_FAULT_MAPPING) && page_a[0] == WORD_A,
		    "and not written");
	if (!s->pasid)
		return;
	if (t->row->writes_all)
		written = write_some(s, iova, 64, DMA_PRIVILEGED, WORD_B, &d) == DMA_OK &&
			  page_a[0] == WORD_B;
	else
		written = !write_refused(s, iova, DMA_PRIVILEGED, VIOMMU_FAULT_MAPPING) ||
			  page_a[0] != WORD_A;
	check_space(s, written == t->row->writes_all, "with privilege it is %s",
		    t->row->writes_all ? "written" : "not written either");
	check_space(s, read_refused(s, iova, DMA_EXECUTE, VIOMMU_FAULT_MAPPING),
		    "it is not executed");
	check_space(s,
		    map_now(s, exec_iova, page_b, PAGE_USER | PAGE_EXEC) &&
			    read_some(s, exec_iova, 64, DMA_EXECUTE, &d) == DMA_OK &&
			    sink[0] == WORD_B,
		    "one that may be executed is");
	check_space(s,
		    map_now(s, iova, page_c, PAGE_WRITE) &&
			    read_refused(s, iova, 0, VIOMMU_FAULT_MAPPING),
		    "one that is not for users is refused to them");
	check_space(s,
		    read_some(s, iova, 64, DMA_PRIVILEGED, &d) == DMA_OK && sink[0] == WORD_C &&
			    write_some(s, iova, 64, DMA_PRIVILEGED, WORD_A, &d) == DMA_OK &&
			    page_c[0] == WORD_A,
		    "and not to an access with privilege");
	map_now(s, exec_iova, page_b, PAGE_USER);
}

static void scenario_fault(struct space *s)
{
	u64 hole = HOLE_IOVA(s->t), iova = PAGE_IOVA(s->t);
	struct dma_desc d;
	int ret;

	reset_memory();
	check_space(s, read_refused(s, hole, 0, VIOMMU_FAULT_MAPPING),
		    "an address without a page cannot be read");
	check_space(s, write_refused(s, hole + 64, 0, VIOMMU_FAULT_MAPPING), "or written");
	map_now(s, hole - page_size(s->t), page_a, USER_RW);
	ret = write_some(s, hole - 64, 128, 0, WORD_B, &d);
	check_space(s, was_refused(s, &d, ret, VIOMMU_FAULT_MAPPING, VIOMMU_FAULT_WRITE, hole),
		    "a transfer that leaves a page faults where it does");
	check_space(s, map_now(s, iova, page_b, USER_RW) && reads_word(s, iova, WORD_B),
		    "the next one works");
}

static const char *const scope_names[] = {
	[INV_ADDRESS] = "by address",
	[INV_PASID] = "by PASID",
	[INV_DOMAIN] = "of the domain",
	[INV_ID] = "by ID",
};

/* A page or a leaf of 2 MiB becomes another, then none, then the first again, read-only. */
static void scenario_change(struct space *s, enum inv_scope scope, unsigned int size_log2)
{
	bool is_large = size_log2 == PAGE_2M, ok, either;
	u64 iova = is_large ? LARGE_IOVA(s->t) : PAGE_IOVA(s->t);
	const void *first = is_large ? large : page_a;
	const void *second = is_large ? large_b : page_b;
	struct dma_desc d;

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
	ok &= unmap(s, iova, size_log2) == VIOMMU_S_OK;
	either = read_some(s, iova, 64, 0, &d) == DMA_SRC_FAULT || sink[0] == WORD_B;
	ok &= either && invalidate(s, scope, iova, size_log2) == VIOMMU_S_OK &&
	      read_refused(s, iova, 0, VIOMMU_FAULT_MAPPING);
	ok &= map(s, iova, first, size_log2, PAGE_USER) == VIOMMU_S_OK &&
	      invalidate(s, scope, iova, size_log2) == VIOMMU_S_OK &&
	      read_some(s, iova, 64, 0, &d) == DMA_OK &&
	      write_refused(s, iova, 0, VIOMMU_FAULT_MAPPING);
	check_space(s, ok,
		    "a leaf of 2^%u changed: old or new before INVALIDATE %s, then the new only",
		    size_log2, scope_names[scope]);
}

/* A place for a leaf of that size and of no other: up to 1 GiB, 16 GiB, and one bit for larger. */
static u64 place_of(struct target *t, unsigned int size_log2)
{
	if (size_log2 <= 30)
		return AT(t, 0x2400000000ULL + ((u64)(size_log2 - PAGE_4K) << 30));
	return AT(t, size_log2 == 34 ? 0x3000000000ULL : BIT_ULL(size_log2));
}

/*
 * A leaf as large as that, of which more than 2 MiB need not be RAM; then it is none, and pages are
 * in its place.
 */
static void scenario_size(struct space *s, unsigned int size_log2)
{
	u64 iova = place_of(s->t, size_log2), size = BIT_ULL(size_log2);
	u64 *mem = size > MAX_PAGE_SIZE ? large : page_a;
	u64 block = align_down(gpa_of(mem), size), start = iova + (gpa_of(mem) - block);
	u64 end = start + min(size, LARGE_SIZE), page = page_size(s->t);
	u64 *last = &mem[(end - start - 64) / 8];
	struct dma_desc d;
	bool ok;

	reset_memory();
	fill_words(mem, 64, WORD_A);
	fill_words(last, 64, WORD_A);
	ok = s->t->row->kind->map(s, iova, block, size_log2, USER_RW) == VIOMMU_S_OK &&
	     invalidate(s, INV_ADDRESS, iova, size_log2) == VIOMMU_S_OK &&
	     reads_word(s, start, WORD_A) && reads_word(s, end - 64, WORD_A) &&
	     write_some(s, end - 64, 64, 0, WORD_C, &d) == DMA_OK && last[7] == WORD_C &&
	     read_refused(s, iova + size, 0, VIOMMU_FAULT_MAPPING);
	check_space(s, ok, "a leaf of 2^%u, and nothing behind it", size_log2);
	ok = unmap(s, iova, size_log2) == VIOMMU_S_OK &&
	     invalidate(s, INV_ADDRESS, iova, size_log2) == VIOMMU_S_OK &&
	     map_now(s, align_down(start, page), page_b, USER_RW) &&
	     reads_word(s, align_down(start, page), WORD_B) &&
	     read_refused(s, end - 64, 0, VIOMMU_FAULT_MAPPING);
	check_space(s, ok, "one page in its place, and no more");
}

static void all_sizes(struct space *s)
{
	unsigned int size_log2;

	for (size_log2 = row_page(s->t->row) + 1; size_log2 < 64; size_log2++) {
		if (row_sizes(s->t->row) & BIT_ULL(size_log2))
			scenario_size(s, size_log2);
	}
}

/* Pages that each ID has outlive what is said of one, unless that says global ones as well. */
static void scenario_global(struct space *s)
{
	unsigned int page = row_page(s->t->row);
	u64 iova = PAGE_IOVA(s->t);
	bool ok;

	if (!s->t->cfg.has_id)
		return;
	reset_memory();
	ok = map_now(s, iova, page_a, USER_RW | PAGE_GLOBAL) && reads_word(s, iova, WORD_A) &&
	     map(s, iova, page_b, page, USER_RW | PAGE_GLOBAL) == VIOMMU_S_OK &&
	     invalidate(s, INV_ID, 0, 0) == VIOMMU_S_OK;
	check_space(s, ok && reads_word(s, iova, WORD_A),
		    "what is cached of a global page survives INVALIDATE by ID");
	check_space(
		s, invalidate(s, INV_ID_GLOBAL, 0, 0) == VIOMMU_S_OK && reads_word(s, iova, WORD_B),
		"and not with GLOBAL");
	ok = map_now(s, iova, page_a, USER_RW) && reads_word(s, iova, WORD_A) &&
	     map(s, iova, page_b, page, USER_RW) == VIOMMU_S_OK &&
	     invalidate(s, INV_ID_GLOBAL, 0, 0) == VIOMMU_S_OK && reads_word(s, iova, WORD_B);
	check_space(s, ok, "nor does one that is not global");
}

/* Invalidating one space leaves the others right. */
static void scenario_isolation(struct space *spaces, unsigned int n)
{
	u64 *pages[] = {page_a, page_b, page_c, large};
	bool ok = true;
	unsigned int i;

	reset_memory();
	for (i = 0; i < n; i++) {
		fill_words(pages[i], 64, WORD_A + i);
		ok &= map_now(&spaces[i], PAGE_IOVA(spaces->t), pages[i], USER_RW);
	}
	for (i = 0; i < n; i++)
		ok &= reads_word(&spaces[i], PAGE_IOVA(spaces->t), WORD_A + i);
	check(ok, "one address in %u PASIDs: each has a page of its own", n);
}

static void scenario_detach_pasid(struct space *s)
{
	const struct kind *kind = s->t->row->kind;
	u64 iova = PAGE_IOVA(s->t);
	bool ok;

	reset_memory();
	ok = map_now(s, iova, page_a, USER_RW) && reads_word(s, iova, WORD_A);
	check_space(s,
		    ok && kind->close(s) == VIOMMU_S_OK &&
			    read_refused(s, iova, 0, s->t->row->no_entry),
		    "detached: its accesses are refused");
	check_space(s, kind->open(s) == VIOMMU_S_OK && reads_word(s, iova, WORD_A),
		    "attached again");
}

/* Another page table takes the place of the one that is used. */
static void scenario_replace(struct space *s)
{
	struct space other = {.t = s->t, .pasid = s->pasid, .id = s->id + 50};
	const struct kind *kind = s->t->row->kind;
	u64 iova = PAGE_IOVA(s->t);
	bool ok;

	reset_memory();
	ok = map_now(s, iova, page_a, USER_RW) && reads_word(s, iova, WORD_A);
	ok = ok && page_table_alloc(&other.pt, s->t->row->pages) &&
	     map(&other, iova, page_b, row_page(s->t->row), USER_RW) == VIOMMU_S_OK &&
	     kind->open(&other) == VIOMMU_S_OK && reads_word(s, iova, WORD_B);
	check_space(s, ok, "another page table takes the place of the first");
	check_space(s, kind->open(s) == VIOMMU_S_OK && reads_word(s, iova, WORD_A),
		    "and the first that of the other");
	kind->free(&other);
}

/* A long transfer has so many leaves of 2 MiB; fewer, where each is a group of many entries. */
static unsigned int long_leaves(const struct space *s)
{
	return page_size(s->t) == PAGE_SIZE ? 128 : 32;
}

static u64 long_leaf(const struct space *s, unsigned int i)
{
	return LONG_IOVA(s->t) + i * LARGE_SIZE;
}

/* What a long transfer writes to, all of it one page of 2 MiB. */
static bool map_long(struct space *s)
{
	bool ok = true;
	unsigned int i;

	for (i = 0; i < long_leaves(s) && ok; i++)
		ok = map(s, long_leaf(s, i), large, PAGE_2M, USER_RW) == VIOMMU_S_OK;
	return ok && invalidate(s, INV_DOMAIN, 0, 0) == VIOMMU_S_OK;
}

/* Starts it, and returns once it has begun to write. */
static struct dma_desc *start_long(struct space *s)
{
	const struct dma_desc fill = {
		.op = DMA_FILL,
		.dst_pasid = s->pasid ? DMA_PASID | s->pasid : 0,
		.len = long_leaves(s) * LARGE_SIZE,
		.dst = LONG_IOVA(s->t),
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

/* It was over before it was cut short, or it ends with a fault. */
static void check_long(struct space *s, const struct dma_desc *d, u8 reason)
{
	check_space(s,
		    d->status == DMA_OK ||
			    (d->status == DMA_DST_FAULT && DMA_FAULT_REASON(d->fault) == reason),
		    "%s",
		    d->status == DMA_OK ? "which was over by then" : "which ends with a fault");
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
	check_long(s, d, s->t->row->no_entry);
	check_space(s, kind->open(s) == VIOMMU_S_OK, "attached again");
}

/* The same with what is mapped there. */
static void scenario_unmap_in_flight(struct space *s)
{
	struct dma_desc *d;
	bool ok = map_long(s);
	unsigned int i;

	d = start_long(s);
	for (i = 0; i < long_leaves(s); i++)
		ok &= unmap(s, long_leaf(s, i), PAGE_2M) == VIOMMU_S_OK;
	ok &= invalidate(s, INV_DOMAIN, 0, 0) == VIOMMU_S_OK;
	mark_large(0);
	check_space(s, ok && !dma_engine_wait(s->t->engine) && large_is_marked(0),
		    "unmapped in the middle of a transfer: nothing is written afterwards");
	check_long(s, d, VIOMMU_FAULT_MAPPING);
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

/* Of the IOMMU: what was attached is no more, and can be attached again. */
static void scenario_reset(struct target *t, struct space *main)
{
	u64 features = iommu.v.features, iova = PAGE_IOVA(t);

	reset_memory();
	check(map_now(main, iova, page_a, USER_RW) && reads_word(main, iova, WORD_A),
	      "before a reset: a page is read");
	check(viommu_start(&iommu, features), "reset, and features agreed on again");
	check(is_cut_off(main, VIOMMU_FAULT_DOMAIN), "the engine is refused");
	end(t, main, 1);
	reset_memory();
	check(begin(t, main) && map_now(main, iova, page_b, USER_RW) &&
		      reads_word(main, iova, WORD_B),
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
static bool message_is_lost(struct target *t, u64 address, u8 reason)
{
	struct dma_desc d = {.op = DMA_NOP, .flags = DMA_INTERRUPT};
	const struct space sender = {.t = t};
	struct viommu_fault f;
	u32 before;

	irq_take();
	before = irq_count[LINE_DONE];
	viommu_drop_faults(&iommu);
	if (dma_engine_do(t->engine, &d) != DMA_OK || !viommu_wait_fault(&iommu, &f, NULL) ||
	    !fault_is_of(&sender, &f, reason) || f.address != address ||
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
	u64 iova = pci_msix_address(bdf, 0), page = align_down(iova, page_size(t));

	if (t->doorbell && t->cfg.plain == PLAIN_REFUSED) {
		check(message_is_lost(t, iova, VIOMMU_FAULT_DOMAIN),
		      "the engine's messages, which have no PASID, are refused");
		return;
	}
	check(interrupts(t), "the engine says by an interrupt that it is done");
	if (!t->doorbell || t->cfg.plain != PLAIN_ENTRY_0)
		return;
	pci_msix_redirect(bdf, 0, t->doorbell);
	check(message_is_lost(t, t->doorbell, VIOMMU_FAULT_MAPPING),
	      "not by a message to where the doorbell is");
	pci_msix_redirect(bdf, 0, iova);
	check(map_now(main, page, page_around(t, t->doorbell), PAGE_USER) &&
		      message_is_lost(t, iova, VIOMMU_FAULT_MAPPING),
	      "nor to where it is mapped read-only");
	check(map_doorbell(main) && interrupts(t), "mapped as before, it interrupts again");
}

/* Accesses without a PASID, where they are no concern of the tables. */
static void scenario_plain(struct target *t)
{
	struct space plain = {.t = t};

	reset_memory();
	if (t->cfg.plain == PLAIN_BYPASS)
		check(reads_word(&plain, gpa_of(page_a), WORD_A),
		      "without a PASID an address is one of memory");
	if (t->cfg.plain == PLAIN_REFUSED)
		check(read_refused(&plain, gpa_of(page_a), 0, VIOMMU_FAULT_DOMAIN),
		      "without a PASID an access is refused");
}

/* That of the ring, the first, one more, and the last; few for rows that are brief. */
static unsigned int choose_pasids(const struct target *t, u32 *pasids)
{
	u32 last = BIT(t->cfg.pasid_bits) - 1;

	pasids[0] = main_pasid(t);
	if (!t->row->kind->has_pasids || t->cfg.pasid_bits < 2)
		return 1;
	if (t->row->brief) {
		pasids[1] = last;
		return 2;
	}
	pasids[1] = 1;
	pasids[2] = 37 & last;
	pasids[3] = last;
	return 4;
}

static void all_in_space(struct space *s)
{
	enum inv_scope scope;

	scenario_access(s);
	scenario_unmarked(s);
	scenario_permission(s);
	scenario_fault(s);
	for (scope = 0; scope < NR_INV_SCOPES; scope++) {
		if (scope == INV_ID && !s->t->cfg.has_id)
			continue;
		scenario_change(s, scope, row_page(s->t->row));
		if (!s->t->row->brief || scope == INV_ADDRESS)
			scenario_change(s, scope, PAGE_2M);
	}
	scenario_global(s);
}

static void with_pasids(struct target *t, struct space *last)
{
	struct space beyond = {.t = t, .pasid = BIT(t->cfg.pasid_bits)};

	if (t->cfg.pasid_bits < DMA_PASID_BITS)
		check_space(&beyond, read_refused(&beyond, PAGE_IOVA(t), 0, VIOMMU_FAULT_DOMAIN),
			    "more bits than the table has: refused");
	scenario_detach_pasid(last);
	scenario_replace(last);
	scenario_pasid_in_flight(last);
	scenario_no_memory(last);
	scenario_requests(last);
}

static void without_pasids(struct space *main)
{
	struct space none = {.t = main->t, .pasid = 1};

	check_space(&none, read_refused(&none, PAGE_IOVA(main->t), 0, VIOMMU_FAULT_DOMAIN),
		    "there are none here: refused");
	scenario_requests_of_mappings(main);
}

void run_suite(struct target *t)
{
	const struct kind *kind = t->row->kind;
	struct space spaces[MAX_SPACES] = {0}, *last;
	u32 pasids[MAX_SPACES];
	unsigned int n = choose_pasids(t, pasids), i;

	section("%s, at %s: %u PASIDs", t->row->name, t->engine->name,
		kind->has_pasids ? BIT(t->cfg.pasid_bits) : 0);
	alloc_memory();
	reset_memory();
	scenario_unattached(t);
	if (kind->has_pasids)
		scenario_failing_allocations(t);
	if (!check(begin(t, &spaces[0]), "attached"))
		return;
	if (t->has_messages)
		scenario_interrupt(&spaces[0]);
	else
		note("no messages: interrupts are not tried");
	scenario_plain(t);
	for (i = 1; i < n; i++) {
		spaces[i] = (struct space){.t = t, .pasid = pasids[i], .id = 100 + i};
		if (!check_space(&spaces[i], kind->open(&spaces[i]) == VIOMMU_S_OK, "attached"))
			return;
	}
	last = &spaces[n - 1];
	for (i = 0; i < n; i++)
		all_in_space(&spaces[i]);
	all_sizes(last);
	scenario_isolation(spaces, n);
	if (n > 1)
		with_pasids(t, last);
	else
		without_pasids(last);
	scenario_unmap_in_flight(last);
	scenario_endpoint_in_flight(last);
	end(t, spaces, n);
	if (check(begin(t, &spaces[0]), "attached once more"))
		scenario_reset(t, &spaces[0]);
	end(t, spaces, 1);
}
