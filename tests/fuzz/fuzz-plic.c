// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PLIC of riscv64, on any host: accesses to its registers, and wires that go up and down,
 * compared with a model that has no bit sets.
 */
#include <string.h>

#include "fuzz.h"
#include "plic-guest.h"

#define MAX_CONTEXTS 4

#define SIZE 0x400000ULL

static struct plic plic;
static unsigned int nr_sources, nr_contexts;

static struct source {
	u32 priority;
	bool edge, level, pending, in_service, again;
	bool enabled[MAX_CONTEXTS];
} sources[PLIC_MAX_SOURCES];

static u32 thresholds[MAX_CONTEXTS];
static bool outputs[MAX_CONTEXTS];

static void output(void *opaque, unsigned int context, bool up)
{
	CHECK(opaque == &plic && context < nr_contexts);
	outputs[context] = up;
}

static unsigned int best(unsigned int context)
{
	unsigned int found = 0;

	for (unsigned int i = 1; i <= nr_sources; i++) {
		if (sources[i].pending && sources[i].enabled[context] &&
		    sources[i].priority > sources[found].priority)
			found = i;
	}
	return found;
}

static void check_outputs(void)
{
	for (unsigned int c = 0; c < nr_contexts; c++)
		CHECK_EQ(outputs[c], sources[best(c)].priority > thresholds[c]);
}

static void set_level(void)
{
	unsigned int i = unit_below(nr_sources + 3);
	bool up = fuzz_bool(), rise;

	plic_set_level(&plic, i, up);
	if (!i || i > nr_sources)
		return;
	rise = up && !sources[i].level;
	sources[i].level = up;
	if (!rise)
		return;
	if (!sources[i].in_service)
		sources[i].pending = true;
	else if (sources[i].edge)
		sources[i].again = true;
}

static void claim(unsigned int context)
{
	unsigned int want = best(context);

	CHECK_EQ(plic_get(&plic, CONTEXT + 0x1000 * context + CLAIM), want);
	if (want) {
		sources[want].pending = false;
		sources[want].in_service = true;
	}
}

static void complete(unsigned int context, u32 i)
{
	struct source *s = &sources[min(i, (u32)PLIC_MAX_SOURCES - 1)];

	plic_set(&plic, CONTEXT + 0x1000 * context + CLAIM, i);
	if (!i || i > nr_sources || !s->enabled[context] || !s->in_service)
		return;
	s->in_service = false;
	if (s->edge ? s->again : s->level)
		s->pending = true;
	s->again = false;
}

static void set_priority(void)
{
	unsigned int i = unit_below(PLIC_MAX_SOURCES);
	u32 val = fuzz_int(1);

	plic_set(&plic, 4 * i, val);
	if (i && i <= nr_sources)
		sources[i].priority = val % 8;
	CHECK_EQ(plic_get(&plic, 4 * i), i <= nr_sources ? sources[i].priority : 0);
}

static void set_enabled(unsigned int context)
{
	unsigned int word = unit_below(PLIC_WORDS + 1);
	u64 off = ENABLE + 0x80 * context + 4 * word;
	u32 val = fuzz_int(4), want = 0;

	plic_set(&plic, off, val);
	for (unsigned int n = 0; n < 32; n++) {
		unsigned int i = word * 32 + n;

		if (!i || i > nr_sources)
			continue;
		sources[i].enabled[context] = val & BIT(n);
		want |= val & BIT(n);
	}
	CHECK_EQ(plic_get(&plic, off), want);
}

static void set_threshold(unsigned int context)
{
	u32 val = fuzz_int(1);

	plic_set(&plic, CONTEXT + 0x1000 * context + THRESHOLD, val);
	thresholds[context] = val % 8;
	CHECK_EQ(plic_get(&plic, CONTEXT + 0x1000 * context + THRESHOLD), thresholds[context]);
}

static void check_pending(void)
{
	for (unsigned int i = 0; i <= nr_sources; i++)
		CHECK_EQ(plic_get(&plic, PENDING + i / 32 * 4) >> i % 32 & 1, sources[i].pending);
}

/* Where nothing is, or in a way that is none: nothing comes of it. */
static void access_elsewhere(void)
{
	u64 off = unit_below(SIZE), val = fuzz_int(8);
	unsigned int len = 1U << unit_below(4);

	if (len == 4 && off % 4 == 0) {
		if (off < CONTEXT + 0x1000 * nr_contexts)
			return;
	}
	plic_access(&plic, off, &val, len, fuzz_bool());
}

void fuzz_one(void)
{
	memset(sources, 0, sizeof(sources));
	memset(thresholds, 0, sizeof(thresholds));
	memset(outputs, 0, sizeof(outputs));
	nr_sources = 1 + unit_below(PLIC_MAX_SOURCES - 1);
	nr_contexts = 1 + unit_below(MAX_CONTEXTS);
	plic_init(&plic, nr_sources, nr_contexts, output, &plic);
	for (unsigned int n = unit_below(8); n--;) {
		unsigned int i = 1 + unit_below(nr_sources);

		plic_set_edge(&plic, i);
		sources[i].edge = true;
	}
	while (fuzz_more()) {
		u8 step = fuzz_int(1);
		unsigned int context = unit_below(nr_contexts);

		if (step < 64)
			set_level();
		else if (step < 104)
			claim(context);
		else if (step < 144)
			complete(context, step < 140 ? unit_below(nr_sources + 3) : fuzz_int(4));
		else if (step < 176)
			set_priority();
		else if (step < 216)
			set_enabled(context);
		else if (step < 232)
			set_threshold(context);
		else if (step < 240)
			check_pending();
		else
			access_elsewhere();
		check_outputs();
	}
	plic_destroy(&plic);
}
