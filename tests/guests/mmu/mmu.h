/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The CPU's MMU and the virtio-iommu walk the same tables. What is in common is in cases.c, which
 * makes tables, and compare.c, which has both walk them; each architecture has a file that knows
 * its tables and how its CPU is made to use them.
 */
#ifndef LKVM_TESTS_MMU_H
#define LKVM_TESTS_MMU_H

#include "pasid-table.h"
#include "rt.h"
#include "rt/dma-engine.h"

#define MAX_LEVELS 5

/* Each access that is tried of a case. It has a copy of the tables, and PASID 1 + its number. */
#define NR_ACCESSES 6

enum access_kind {
	ACCESS_READ,
	ACCESS_WRITE,
	ACCESS_EXEC,
	NR_ACCESS_KINDS,
};

struct access {
	const char *name;
	enum access_kind kind;
	bool user;
};

extern const struct access accesses[NR_ACCESSES];

/* The access of the same privilege that reads. */
static inline unsigned int access_reading(unsigned int a)
{
	return a - accesses[a].kind + ACCESS_READ;
}

/* Leaves that say that they are part of a larger one. */
enum groups {
	NO_GROUPS,
	GROUPS_OF_PARTS, /* each leads to its part */
	GROUPS_OF_SAME, /* all entries are the same */
};

/* Tables of one format as both sides are told to walk them. Level 0 is the root. */
struct regime {
	const char *name;
	enum pasid_table_format format;
	unsigned int levels;
	unsigned int page_log2;
	unsigned int address_bits; /* that the tables translate */
	unsigned int top_leaf; /* the least level that has leaves */
	enum groups groups;
	bool exec_reads; /* an execute by the virtio-iommu needs what a read needs, too */
	bool brief; /* the systematic cases are another regime's */
	u32 options; /* of the architecture's file */
};

/* What became of an access. */
struct outcome {
	bool allowed;
	bool broken; /* refused since a table is malformed, and said so */
	u64 word; /* that was read, or by which the code that ran is known */
};

/* What an architecture provides. */

/* The @n-th regime that this CPU and the endpoint have; NULL after the last. */
const struct regime *mmu_regime(const struct pasid_table_cfg *cfg, unsigned int n);

/*
 * The instructions by which a page is known: a load of @id and then one that traps. Executed by
 * anybody.
 */
u64 mmu_code(u16 id);

/* Such instructions were written there by the CPU or the device. */
void mmu_sync_code(const void *code, size_t len);

/* Has the CPU ready for accesses by this regime; and as it was before. */
void mmu_begin(const struct regime *r);
void mmu_end(const struct regime *r);

/* Puts into a root what accesses by the CPU need in it. */
void mmu_prepare_root(const struct regime *r, u64 *root);

/*
 * An address that the regime translates, out of random bits, beside what mmu_prepare_root() has
 * there.
 */
u64 mmu_address(const struct regime *r, u64 bits);

/*
 * Attaches the endpoint, with @root[i] for PASID 1 + i; accesses without a PASID have @plain. A
 * status.
 */
int mmu_attach(const struct regime *r, struct pasid_table *t, const struct page_table *plain,
	       u64 *const *root);

/*
 * An entry without its address, as plain and permissive as there is, to flip bits in. mmu_encode()
 * is the address.
 */
u64 mmu_table_entry(const struct regime *r);
u64 mmu_leaf_entry(const struct regime *r, unsigned int level, bool group);
u64 mmu_encode(const struct regime *r, u64 gpa);

/* Whether such an entry leads on to a table. */
bool mmu_leads_on(const struct regime *r, unsigned int level, u64 entry);

/* log2 of the bytes of the leaf, or of the larger one that it is a part of. */
unsigned int mmu_leaf_log2(const struct regime *r, unsigned int level, u64 entry);

/*
 * The bits that may be flipped in an entry: all but those by which a walk would come to memory that
 * is not the case's; and of them those that a walk looks at most.
 */
u64 mmu_all_bits(const struct regime *r, unsigned int level, u64 entry);
u64 mmu_main_bits(const struct regime *r, unsigned int level, u64 entry);

/*
 * The bits that the virtio-iommu ignores, and this CPU takes for reserved: it is not shown them.
 */
u64 mmu_hidden_bits(const struct regime *r, unsigned int level, u64 entry);

/* What the virtio-iommu leaves of an entry that the CPU, allowing an access, made @after of. */
u64 mmu_marked(const struct regime *r, u64 before, u64 after);

/* Has the CPU do access @a. */
void mmu_access(const struct regime *r, unsigned int a, u64 *root, u64 address, u64 token,
		struct outcome *o);

/* cases.c */

/* Entries of one path, without their addresses, and an address that has this path. */
struct mmu_case {
	u64 entry[MAX_LEVELS];
	unsigned int depth; /* so many entries; the last is a leaf, or no entry */
	unsigned int leaf_log2;
	u64 address;
	u64 *target; /* what is there, if it is a leaf: a word for each access */
};

/* Allocates the pages that leaves lead to. Each of their words is another. */
void cases_alloc(void);

/* The next random cases are those of this seed. */
void cases_seed(u64 seed);

/* One bit flipped, in each place of entries and address; false after the last. */
struct mmu_places {
	unsigned int leaf, level, bit;
	bool group;
};
bool cases_next(const struct regime *r, struct mmu_places *at, struct mmu_case *c);

void cases_random(const struct regime *r, struct mmu_case *c);

static inline unsigned int level_shift(const struct regime *r, unsigned int level)
{
	return r->page_log2 + (r->page_log2 - 3) * (r->levels - 1 - level);
}

/* compare.c */

struct engine {
	struct dma_engine dma;
	u32 endpoint;
	struct pasid_table_cfg cfg;
};

extern struct viommu iommu;

/* Compares the systematic cases, if they are this regime's, and random ones, in a section. */
void compare(struct engine *e, const struct regime *r, u64 seed, unsigned int nr_random);

#endif /* LKVM_TESTS_MMU_H */
