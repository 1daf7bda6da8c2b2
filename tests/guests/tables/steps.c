// SPDX-License-Identifier: GPL-2.0-only
#include "steps.h"

#include "rt/arch.h"
#include "rt/pci.h"

/* Of rows that keep accesses without a PASID from the tables. */
#define MAIN_PASID 2

/* Of each page: a guest whose accesses are emulated has no time for more. */
#define START_SIZE 256

u64 *page_a, *page_b, *page_c, *sink, *large, *large_b;

void fill_words(u64 *p, u64 len, u64 word)
{
	fill64(p, word, len / 8);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* A transfer that goes on writes a word of each page. */
void mark_large(u64 word)
{
	u64 off;

	for (off = 0; off < LARGE_SIZE; off += PAGE_SIZE)
		WRITE_ONCE(large[off / 8], word);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

bool large_is_marked(u64 word)
{
	u64 off;

	for (off = 0; off < LARGE_SIZE && READ_ONCE(large[off / 8]) == word; off += PAGE_SIZE)
		;
	return off == LARGE_SIZE;
}

void alloc_memory(void)
{
	if (page_a)
		return;
	page_a = mem_alloc(MAX_PAGE_SIZE, MAX_PAGE_SIZE);
	page_b = mem_alloc(MAX_PAGE_SIZE, MAX_PAGE_SIZE);
	page_c = mem_alloc(MAX_PAGE_SIZE, MAX_PAGE_SIZE);
	sink = mem_alloc(2 * MAX_PAGE_SIZE, MAX_PAGE_SIZE);
	large = mem_alloc(LARGE_SIZE, LARGE_SIZE);
	large_b = mem_alloc(LARGE_SIZE, LARGE_SIZE);
}

u64 page_size(const struct target *t)
{
	return BIT_ULL(row_page(t->row));
}

void reset_memory(void)
{
	fill_words(page_a, START_SIZE, WORD_A);
	fill_words(page_b, START_SIZE, WORD_B);
	fill_words(page_c, START_SIZE, WORD_C);
}

u32 main_pasid(const struct target *t)
{
	return t->cfg.plain == PLAIN_ENTRY_0 ? 0 : MAIN_PASID;
}

const char *space_name(const struct space *s)
{
	static char name[24];

	if (!s->pasid)
		return "no PASID";
	format(name, sizeof(name), "PASID %u", s->pasid);
	return name;
}

static u32 pasid_field(u32 pasid)
{
	return pasid ? DMA_PASID | pasid : 0;
}

int read_some(struct space *s, u64 iova, u32 len, u32 attributes, struct dma_desc *d)
{
	*d = (struct dma_desc){
		.op = DMA_COPY,
		.src_pasid = pasid_field(s->pasid) | attributes,
		.dst_pasid = pasid_field(main_pasid(s->t)),
		.len = len,
		.src = iova,
		.dst = SINK_IOVA(s->t),
	};
	fill_words(sink, align_up(len, 8) + 8, 0);
	viommu_drop_faults(&iommu);
	return dma_engine_do(s->t->engine, d);
}

int write_some(struct space *s, u64 iova, u32 len, u32 attributes, u64 word, struct dma_desc *d)
{
	*d = (struct dma_desc){
		.op = DMA_FILL,
		.dst_pasid = pasid_field(s->pasid) | attributes,
		.len = len,
		.dst = iova,
		.pattern = word,
	};
	viommu_drop_faults(&iommu);
	return dma_engine_do(s->t->engine, d);
}

bool reads_word(struct space *s, u64 iova, u64 word)
{
	struct dma_desc d;

	return read_some(s, iova, 64, 0, &d) == DMA_OK && sink[0] == word && sink[7] == word;
}

bool fault_is_of(const struct space *s, const struct viommu_fault *f, u8 reason)
{
	u32 pasid_flag = f->flags & VIOMMU_FAULT_PASID;

	if (f->reason != reason || f->endpoint != s->t->endpoint)
		return false;
	return s->pasid && (iommu.v.features & VIOMMU_F_ATTACH_TABLE)
		       ? pasid_flag && f->pasid == s->pasid
		       : !pasid_flag && !f->pasid;
}

bool was_refused(struct space *s, const struct dma_desc *d, int ret, u8 reason, u32 access,
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

bool read_refused(struct space *s, u64 iova, u32 attributes, u8 reason)
{
	u32 access = attributes & DMA_EXECUTE ? VIOMMU_FAULT_EXEC : VIOMMU_FAULT_READ;
	struct dma_desc d;
	int ret = read_some(s, iova, 64, attributes, &d);

	return was_refused(s, &d, ret, reason, access, iova);
}

bool write_refused(struct space *s, u64 iova, u32 attributes, u8 reason)
{
	struct dma_desc d;
	int ret = write_some(s, iova, 64, attributes, WORD_C, &d);

	return was_refused(s, &d, ret, reason, VIOMMU_FAULT_WRITE, iova);
}

int map(struct space *s, u64 iova, const void *page, unsigned int size_log2, u32 flags)
{
	return s->t->row->kind->map(s, iova, gpa_of(page), size_log2, flags);
}

int unmap(struct space *s, u64 iova, unsigned int size_log2)
{
	return s->t->row->kind->unmap(s, iova, size_log2);
}

int invalidate(struct space *s, enum inv_scope scope, u64 iova, unsigned int size_log2)
{
	return s->t->row->kind->invalidate(s, scope, iova, size_log2);
}

bool map_now(struct space *s, u64 iova, const void *page, u32 flags)
{
	unsigned int size_log2 = row_page(s->t->row);

	return map(s, iova, page, size_log2, flags) == VIOMMU_S_OK &&
	       invalidate(s, INV_ADDRESS, iova, size_log2) == VIOMMU_S_OK;
}

const void *page_around(const struct target *t, u64 gpa)
{
	return (const void *)(uintptr_t)align_down(gpa, page_size(t));
}

bool map_ring(struct space *main)
{
	struct target *t = main->t;

	return map_now(main, RING_IOVA(t), page_around(t, gpa_of(t->engine->ring)), USER_RW);
}

bool map_doorbell(struct space *main)
{
	struct target *t = main->t;
	u64 off = t->doorbell & (page_size(t) - 1);

	/* Without a PASID it is as the row has it: what is not translated goes to the doorbell. */
	if (!t->doorbell || main->pasid)
		return true;
	pci_msix_redirect(t->engine->at.bdf, 0, DOORBELL_IOVA(t) + off);
	return map_now(main, DOORBELL_IOVA(t), page_around(t, t->doorbell), USER_RW);
}

void start_engine(struct target *t)
{
	dma_engine_start(t->engine, RING_IOVA(t) + (gpa_of(t->engine->ring) & (page_size(t) - 1)),
			 pasid_field(main_pasid(t)));
}

bool begin(struct target *t, struct space *main)
{
	*main = (struct space){.t = t, .pasid = main_pasid(t), .id = 100};
	if (t->doorbell)
		pci_msix_redirect(t->engine->at.bdf, 0, t->doorbell);
	if (t->row->kind->attach(t) != VIOMMU_S_OK || t->row->kind->open(main) != VIOMMU_S_OK)
		return false;
	if (!map_ring(main) || !map_doorbell(main) || !map_now(main, SINK_IOVA(t), sink, USER_RW) ||
	    !map_now(main, SINK_IOVA(t) + page_size(t), (u8 *)sink + page_size(t), USER_RW))
		return false;
	start_engine(t);
	return true;
}

void end(struct target *t, struct space *spaces, unsigned int n)
{
	unsigned int i;

	dma_engine_stop(t->engine);
	viommu_detach(&iommu, t->domain, t->endpoint);
	for (i = 0; i < n; i++)
		t->row->kind->free(&spaces[i]);
	t->row->kind->release(t);
	viommu_drop_faults(&iommu);
}

bool is_cut_off(struct space *main, u8 reason)
{
	const struct dma_desc nop = {.op = DMA_NOP};
	struct dma_engine *e = main->t->engine;
	struct viommu_fault f;

	viommu_drop_faults(&iommu);
	dma_engine_submit(e, &nop);
	return dma_engine_wait(e) == DMA_HALTED && viommu_wait_fault(&iommu, &f, NULL) &&
	       fault_is_of(main, &f, reason) && f.address == dma_engine_halt_address(e);
}
