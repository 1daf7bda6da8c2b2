// SPDX-License-Identifier: GPL-2.0-only
/*
 * The chapters named here are those of the RISC-V Platform-Level Interrupt Controller Specification
 * 1.0.0, whose memory map this is.
 */
#include <endian.h>
#include <string.h>

#include "riscv/plic.h"

/* Chapter "Memory Map". */
#define PRIORITY_BASE  0x000000
#define PENDING_BASE   0x001000
#define ENABLE_BASE    0x002000
#define ENABLE_STRIDE  0x80
#define CONTEXT_BASE   0x200000
#define CONTEXT_STRIDE 0x1000
#define THRESHOLD      0x0
#define CLAIM_COMPLETE 0x4

#define PRIORITY_MASK (BIT(PLIC_PRIORITY_BITS) - 1)

static bool test(const u32 *set, unsigned int source)
{
	return set[source / 32] & BIT(source % 32);
}

static void assign(u32 *set, unsigned int source, bool on)
{
	if (on)
		set[source / 32] |= BIT(source % 32);
	else
		set[source / 32] &= ~BIT(source % 32);
}

/* The sources of a word that exist. */
static u32 existing(const struct plic *plic, unsigned int word)
{
	unsigned int nr = plic->nr_sources + 1;
	u32 mask = word ? ~0U : ~1U;

	if (nr < (word + 1) * 32)
		mask &= nr > word * 32 ? BIT(nr - word * 32) - 1 : 0;
	return mask;
}

/*
 * The pending and enabled source of the highest priority, of these the one with the lowest
 * number ("Interrupt Priorities"); 0: there is none.
 */
static unsigned int best(const struct plic *plic, const struct plic_context *ctx)
{
	unsigned int found = 0;

	for (unsigned int word = 0; word < PLIC_WORDS; word++) {
		u32 sources = plic->pending[word] & ctx->enabled[word];

		for (; sources; sources &= sources - 1) {
			unsigned int source = word * 32 + __builtin_ctz(sources);

			/* Source 0 has priority 0, so that what has none is not found. */
			if (plic->priority[source] > plic->priority[found])
				found = source;
		}
	}
	return found;
}

/* @anew: tells the other side also what it should know. */
static void update(struct plic *plic, unsigned int index, bool anew)
{
	struct plic_context *ctx = &plic->contexts[index];
	bool up = plic->priority[best(plic, ctx)] > ctx->threshold;

	if (up == ctx->up && !anew)
		return;
	ctx->up = up;
	plic->output(plic->opaque, index, up);
}

static void update_all(struct plic *plic)
{
	for (unsigned int i = 0; i < plic->nr_contexts; i++)
		update(plic, i, false);
}

void plic_init(struct plic *plic, unsigned int nr_sources, unsigned int nr_contexts,
	       plic_output output, void *opaque)
{
	memset(plic, 0, sizeof(*plic));
	plic->output = output;
	plic->opaque = opaque;
	plic->nr_sources = min(nr_sources, PLIC_MAX_SOURCES - 1U);
	plic->nr_contexts = min(nr_contexts, (unsigned int)PLIC_MAX_CONTEXTS);
	pthread_mutex_init(&plic->lock, NULL);
}

void plic_destroy(struct plic *plic)
{
	pthread_mutex_destroy(&plic->lock);
}

void plic_set_edge(struct plic *plic, unsigned int source)
{
	assign(plic->edge, source, true);
}

/* With plic->lock: a request goes to the contexts. */
static void forward(struct plic *plic, unsigned int source)
{
	assign(plic->pending, source, true);
	update_all(plic);
}

/*
 * The gateway forwards no other request while one is not completed ("Interrupt Gateways"), and
 * keeps a single edge until then.
 */
void plic_set_level(struct plic *plic, unsigned int source, bool up)
{
	bool rise;

	if (!source || source > plic->nr_sources)
		return;
	pthread_mutex_lock(&plic->lock);
	rise = up && !test(plic->level, source);
	assign(plic->level, source, up);
	if (rise && !test(plic->in_service, source))
		forward(plic, source);
	else if (rise && test(plic->edge, source))
		assign(plic->again, source, true);
	pthread_mutex_unlock(&plic->lock);
}

/* Not affected by the threshold ("Interrupt Claim Process"). */
static u32 claim(struct plic *plic, unsigned int index)
{
	unsigned int source = best(plic, &plic->contexts[index]);

	if (!source)
		return 0;
	assign(plic->pending, source, false);
	assign(plic->in_service, source, true);
	update_all(plic);
	return source;
}

/* By any context that has the source enabled, whether it claimed it or not ("Interrupt
 * Completion"). */
static void complete(struct plic *plic, unsigned int index, u32 source)
{
	if (!source || source > plic->nr_sources || !test(plic->contexts[index].enabled, source) ||
	    !test(plic->in_service, source))
		return;
	assign(plic->in_service, source, false);
	if (test(test(plic->edge, source) ? plic->again : plic->level, source))
		forward(plic, source);
	assign(plic->again, source, false);
}

static u32 context_read(struct plic *plic, u64 off)
{
	unsigned int index = off / CONTEXT_STRIDE;

	if (index >= plic->nr_contexts)
		return 0;
	switch (off % CONTEXT_STRIDE) {
	case THRESHOLD:
		return plic->contexts[index].threshold;
	case CLAIM_COMPLETE:
		return claim(plic, index);
	}
	return 0;
}

static void context_write(struct plic *plic, u64 off, u32 val)
{
	unsigned int index = off / CONTEXT_STRIDE;

	if (index >= plic->nr_contexts)
		return;
	switch (off % CONTEXT_STRIDE) {
	case THRESHOLD:
		plic->contexts[index].threshold = val & PRIORITY_MASK;
		/* A hart that starts sets it, and KVM has forgotten what was up when it does. */
		update(plic, index, true);
		return;
	case CLAIM_COMPLETE:
		complete(plic, index, val);
		return;
	}
}

/* A word of a context's enable bits; NULL: there is none. */
static u32 *enable_word(struct plic *plic, u64 off, unsigned int *index, unsigned int *word)
{
	*index = off / ENABLE_STRIDE;
	*word = off % ENABLE_STRIDE / 4;
	if (*index >= plic->nr_contexts || *word >= PLIC_WORDS)
		return NULL;
	return &plic->contexts[*index].enabled[*word];
}

static u32 reg_read(struct plic *plic, u64 off)
{
	unsigned int index, word;
	const u32 *enabled;

	if (off >= CONTEXT_BASE)
		return context_read(plic, off - CONTEXT_BASE);
	if (off >= ENABLE_BASE) {
		enabled = enable_word(plic, off - ENABLE_BASE, &index, &word);
		return enabled ? *enabled : 0;
	}
	if (off >= PENDING_BASE) {
		word = (off - PENDING_BASE) / 4;
		return word < PLIC_WORDS ? plic->pending[word] : 0;
	}
	index = (off - PRIORITY_BASE) / 4;
	return index <= plic->nr_sources ? plic->priority[index] : 0;
}

static void reg_write(struct plic *plic, u64 off, u32 val)
{
	unsigned int index, word;
	u32 *enabled;

	if (off >= CONTEXT_BASE) {
		context_write(plic, off - CONTEXT_BASE, val);
	} else if (off >= ENABLE_BASE) {
		enabled = enable_word(plic, off - ENABLE_BASE, &index, &word);
		if (!enabled)
			return;
		*enabled = val & existing(plic, word);
		update(plic, index, false);
	} else if (off < PENDING_BASE) {
		index = (off - PRIORITY_BASE) / 4;
		if (!index || index > plic->nr_sources)
			return;
		plic->priority[index] = val & PRIORITY_MASK;
		update_all(plic);
	}
}

void plic_access(void *opaque, u64 off, void *data, unsigned int len, bool write)
{
	struct plic *plic = opaque;
	u32 val = 0;

	/* Registers have 32 bits, and are accessed as a whole. */
	if (len != 4 || !is_aligned(off, 4)) {
		if (!write)
			memset(data, 0, len);
		return;
	}
	pthread_mutex_lock(&plic->lock);
	if (write) {
		memcpy(&val, data, sizeof(val));
		reg_write(plic, off, le32toh(val));
	} else {
		val = htole32(reg_read(plic, off));
		memcpy(data, &val, sizeof(val));
	}
	pthread_mutex_unlock(&plic->lock);
}
