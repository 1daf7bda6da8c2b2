/* SPDX-License-Identifier: GPL-2.0-only */
/* What the scenarios are made of: memory, addresses, and accesses with what should come of them. */
#ifndef LKVM_TESTS_TABLES_STEPS_H
#define LKVM_TESTS_TABLES_STEPS_H

#include "rt/core.h"
#include "suite.h"

/*
 * Addresses of a target @t; all have the highest bit that its row allows. Where its ring is, where
 * what was read arrives, and the page with the doorbell of messages, if that needs a mapping.
 * Nothing here has an address whose low bits are those of another, so that caches by such bits keep
 * them all.
 */
#define AT(t, iova)	 (row_high((t)->row) | (iova))
#define RING_IOVA(t)	 AT(t, 0x10120000ULL + ((t)->index << 24))
#define SINK_IOVA(t)	 AT(t, 0x18230000ULL)
#define DOORBELL_IOVA(t) AT(t, 0x18340000ULL)

/* Where each space has what is tried on it. */
#define PAGE_IOVA(t)  AT(t, 0x2034550000ULL)
#define LARGE_IOVA(t) AT(t, 0x2080000000ULL)
#define HOLE_IOVA(t)  AT(t, 0x20c0010000ULL) /* what is before it is mapped */
#define LONG_IOVA(t)  AT(t, 0x2100000000ULL)

#define LARGE_SIZE BIT_ULL(PAGE_2M)

#define USER_RW (PAGE_USER | PAGE_WRITE)

/* Words that tell pages apart. */
#define WORD_A 0xaaaa1111aaaa1111ULL
#define WORD_B 0xbbbb2222bbbb2222ULL
#define WORD_C 0xcccc3333cccc3333ULL

/* Memory: each as large as the largest page, or of LARGE_SIZE. */
#define MAX_PAGE_SIZE (64 * KiB)
extern u64 *page_a, *page_b, *page_c, *sink, *large, *large_b;

void alloc_memory(void);

/* The pages begin with the word of their name. */
void reset_memory(void);

void fill_words(u64 *p, u64 len, u64 word);

/* A word of each 4 KiB of the large page. */
void mark_large(u64 word);
bool large_is_marked(u64 word);

u64 page_size(const struct target *t);

/* Whose accesses the ring and the sink are: no PASID, unless the row keeps those from it. */
u32 main_pasid(const struct target *t);

/* A check, which says whose it is. */
#define check_space(s, cond, fmt, ...) check(cond, "%s: " fmt, space_name(s), ##__VA_ARGS__)
const char *space_name(const struct space *s);

/* Reads into the sink, which is zeroed and a word more before, with attributes DMA_EXECUTE and
 * DMA_PRIVILEGED. */
int read_some(struct space *s, u64 iova, u32 len, u32 attributes, struct dma_desc *d);
int write_some(struct space *s, u64 iova, u32 len, u32 attributes, u64 word, struct dma_desc *d);

/* 64 bytes of it. */
bool reads_word(struct space *s, u64 iova, u64 word);

/* What the report says of the space, beside address and access; the PASID with the feature. */
bool fault_is_of(const struct space *s, const struct viommu_fault *f, u8 reason);

/* @d ended in that status, the engine and the virtio-iommu agree on why. */
bool was_refused(struct space *s, const struct dma_desc *d, int ret, u8 reason, u32 access,
		 u64 address);
bool read_refused(struct space *s, u64 iova, u32 attributes, u8 reason);
bool write_refused(struct space *s, u64 iova, u32 attributes, u8 reason);

/* The kind's, with a page in memory. */
int map(struct space *s, u64 iova, const void *page, unsigned int size_log2, u32 flags);
int unmap(struct space *s, u64 iova, unsigned int size_log2);
int invalidate(struct space *s, enum inv_scope scope, u64 iova, unsigned int size_log2);

/* A page, and what was cached of its address before is gone. */
bool map_now(struct space *s, u64 iova, const void *page, u32 flags);

/* The page around something, whatever the size of pages is. */
const void *page_around(const struct target *t, u64 gpa);

/* Maps what the engine needs to run, and starts it. */
bool map_ring(struct space *main);
bool map_doorbell(struct space *main);
void start_engine(struct target *t);

/* Attaches, with that and the sink; it runs then. */
bool begin(struct target *t, struct space *main);

/* Detaches it, if it still is attached, and gives back its tables. */
void end(struct target *t, struct space *spaces, unsigned int n);

/* The engine's ring is out of reach: it halts, and the report says why. */
bool is_cut_off(struct space *main, u8 reason);

/* Failing allocations, and requests that are refused: of @s, which is attached. */
void scenario_failing_allocations(struct target *t);
void scenario_no_memory(struct space *s);
void scenario_requests(struct space *s);
void scenario_requests_of_mappings(struct space *main);

#endif /* LKVM_TESTS_TABLES_STEPS_H */
