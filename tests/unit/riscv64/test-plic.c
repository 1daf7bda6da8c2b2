// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "plic-guest.h"
#include "unit.h"

#define NR_SOURCES  95
#define NR_CONTEXTS 3

static struct plic plic;
static bool outputs[PLIC_MAX_CONTEXTS];
static unsigned int nr_told;

static void output(void *opaque, unsigned int context, bool up)
{
	CHECK(opaque == &plic);
	outputs[context] = up;
	nr_told++;
}

static void start(void)
{
	memset(outputs, 0, sizeof(outputs));
	nr_told = 0;
	plic_init(&plic, NR_SOURCES, NR_CONTEXTS, output, &plic);
}

static void end(void)
{
	plic_destroy(&plic);
}

static void set_priority(unsigned int source, u32 priority)
{
	plic_set(&plic, 4 * source, priority);
}

static bool is_pending(unsigned int source)
{
	return plic_get(&plic, 0x1000 + source / 32 * 4) & BIT(source % 32);
}

static void enable(unsigned int context, unsigned int source, bool on)
{
	u64 off = ENABLE + 0x80 * context + source / 32 * 4;
	u32 bit = BIT(source % 32);

	plic_set(&plic, off, on ? plic_get(&plic, off) | bit : plic_get(&plic, off) & ~bit);
}

static u32 claim(unsigned int context)
{
	return plic_get(&plic, CONTEXT + 0x1000 * context + CLAIM);
}

static void complete(unsigned int context, u32 source)
{
	plic_set(&plic, CONTEXT + 0x1000 * context + CLAIM, source);
}

static void set_threshold(unsigned int context, u32 threshold)
{
	plic_set(&plic, CONTEXT + 0x1000 * context + THRESHOLD, threshold);
}

/* A source of priority 1 that a context has enabled. */
static void use(unsigned int context, unsigned int source)
{
	set_priority(source, 1);
	enable(context, source, true);
}

TEST(nothing_is_delivered_after_reset)
{
	start();
	for (unsigned int source = 1; source <= NR_SOURCES; source++)
		plic_set_level(&plic, source, true);
	for (unsigned int ctx = 0; ctx < NR_CONTEXTS; ctx++) {
		CHECK(!outputs[ctx]);
		CHECK_EQ(claim(ctx), 0);
	}
	for (unsigned int source = 1; source <= NR_SOURCES; source++)
		CHECK(is_pending(source));
	end();
}

TEST(level_is_delivered_until_the_device_is_served)
{
	start();
	use(1, 40);
	plic_set_level(&plic, 40, true);
	CHECK(outputs[1]);
	CHECK(!outputs[0]);
	CHECK(is_pending(40));
	CHECK_EQ(claim(1), 40);
	CHECK(!outputs[1]);
	CHECK(!is_pending(40));
	/* While it is in service there is nothing to claim, for anybody. */
	CHECK_EQ(claim(1), 0);
	plic_set_level(&plic, 40, true);
	CHECK(!outputs[1]);
	/* Not served: again. */
	complete(1, 40);
	CHECK(outputs[1]);
	CHECK_EQ(claim(1), 40);
	plic_set_level(&plic, 40, false);
	complete(1, 40);
	CHECK(!outputs[1]);
	CHECK_EQ(claim(1), 0);
	end();
}

TEST(pulse_is_kept_until_it_is_claimed)
{
	start();
	use(0, 7);
	plic_set_level(&plic, 7, true);
	plic_set_level(&plic, 7, false);
	CHECK(outputs[0]);
	CHECK_EQ(claim(0), 7);
	/* A wire that fell before the end was served. */
	plic_set_level(&plic, 7, true);
	plic_set_level(&plic, 7, false);
	complete(0, 7);
	CHECK(!outputs[0]);
	plic_set_level(&plic, 7, true);
	CHECK(outputs[0]);
	end();
}

TEST(edge_is_kept_while_one_is_in_service)
{
	start();
	plic_set_edge(&plic, 7);
	use(0, 7);
	plic_set_level(&plic, 7, true);
	CHECK_EQ(claim(0), 7);
	/* Still up: no other edge. */
	complete(0, 7);
	CHECK(!outputs[0]);
	plic_set_level(&plic, 7, false);
	plic_set_level(&plic, 7, true);
	CHECK_EQ(claim(0), 7);
	for (unsigned int i = 0; i < 3; i++) {
		plic_set_level(&plic, 7, false);
		plic_set_level(&plic, 7, true);
	}
	CHECK(!outputs[0]);
	complete(0, 7);
	/* One for all of them. */
	CHECK(outputs[0]);
	CHECK_EQ(claim(0), 7);
	complete(0, 7);
	CHECK(!outputs[0]);
	end();
}

TEST(higher_priority_and_then_lower_number_comes_first)
{
	static const u32 order[] = {90, 5, 33, 64, 2};

	start();
	for (unsigned int i = 0; i < ARRAY_SIZE(order); i++)
		enable(0, order[i], true);
	set_priority(90, 7);
	set_priority(5, 3);
	set_priority(33, 3);
	set_priority(64, 3);
	set_priority(2, 1);
	for (unsigned int i = ARRAY_SIZE(order); i-- > 0;)
		plic_set_level(&plic, order[i], true);
	for (unsigned int i = 0; i < ARRAY_SIZE(order); i++) {
		CHECK(outputs[0]);
		CHECK_EQ(claim(0), order[i]);
	}
	CHECK(!outputs[0]);
	CHECK_EQ(claim(0), 0);
	/* Completed in any order. */
	for (unsigned int i = 0; i < ARRAY_SIZE(order); i++)
		complete(0, order[(i + 2) % ARRAY_SIZE(order)]);
	for (unsigned int i = 0; i < ARRAY_SIZE(order); i++)
		CHECK_EQ(claim(0), order[i]);
	end();
}

TEST(threshold_masks_up_to_itself_and_not_the_claim)
{
	start();
	use(0, 3);
	set_priority(3, 4);
	set_threshold(0, 4);
	plic_set_level(&plic, 3, true);
	CHECK(!outputs[0]);
	set_threshold(0, 3);
	CHECK(outputs[0]);
	set_threshold(0, 7);
	CHECK(!outputs[0]);
	CHECK_EQ(plic_get(&plic, CONTEXT + THRESHOLD), 7);
	CHECK_EQ(claim(0), 3);
	end();
}

TEST(priority_zero_is_never_delivered)
{
	start();
	use(0, 3);
	plic_set_level(&plic, 3, true);
	CHECK(outputs[0]);
	set_priority(3, 0);
	CHECK(!outputs[0]);
	CHECK_EQ(claim(0), 0);
	CHECK(is_pending(3));
	set_priority(3, 1);
	CHECK(outputs[0]);
	end();
}

TEST(registers_have_the_bits_that_there_are)
{
	start();
	for (unsigned int source = 0; source < 1024; source++) {
		set_priority(source, ~0U);
		CHECK_EQ(plic_get(&plic, 4 * source), source && source <= NR_SOURCES ? 7 : 0);
	}
	set_threshold(0, ~0U);
	CHECK_EQ(plic_get(&plic, CONTEXT + THRESHOLD), 7);
	for (unsigned int word = 0; word < 32; word++)
		plic_set(&plic, ENABLE + 4 * word, ~0U);
	CHECK_EQ(plic_get(&plic, ENABLE), ~1U);
	CHECK_EQ(plic_get(&plic, ENABLE + 4), ~0U);
	CHECK_EQ(plic_get(&plic, ENABLE + 8), ~0U); /* up to 95 */
	for (unsigned int word = 3; word < 32; word++)
		CHECK_EQ(plic_get(&plic, ENABLE + 4 * word), 0);
	/* Nothing of it is the next context's. */
	CHECK_EQ(plic_get(&plic, ENABLE + 0x80), 0);
	/* Pending bits are for reading. */
	plic_set(&plic, 0x1000, ~0U);
	CHECK_EQ(plic_get(&plic, 0x1000), 0);
	end();
}

TEST(context_that_is_not_there)
{
	start();
	use(0, 1);
	plic_set_level(&plic, 1, true);
	for (unsigned int ctx = NR_CONTEXTS; ctx < 512; ctx++) {
		plic_set(&plic, ENABLE + 0x80 * ctx, ~0U);
		CHECK_EQ(plic_get(&plic, ENABLE + 0x80 * ctx), 0);
		set_threshold(ctx, 1);
		CHECK_EQ(plic_get(&plic, CONTEXT + 0x1000 * ctx), 0);
		CHECK_EQ(claim(ctx), 0);
		complete(ctx, 1);
	}
	CHECK_EQ(claim(0), 1);
	end();
}

TEST(source_that_is_not_there)
{
	start();
	plic_set(&plic, ENABLE, ~0U);
	plic_set_level(&plic, 0, true);
	plic_set_level(&plic, NR_SOURCES + 1, true);
	plic_set_level(&plic, 127, true);
	plic_set_level(&plic, ~0U, true);
	for (unsigned int word = 0; word < 32; word++)
		CHECK_EQ(plic_get(&plic, 0x1000 + 4 * word), 0);
	CHECK(!outputs[0]);
	complete(0, 0);
	complete(0, NR_SOURCES + 1);
	complete(0, ~0U);
	end();
}

TEST(one_context_of_those_that_are_told_claims)
{
	start();
	for (unsigned int ctx = 0; ctx < NR_CONTEXTS; ctx++)
		use(ctx, 9);
	plic_set_level(&plic, 9, true);
	for (unsigned int ctx = 0; ctx < NR_CONTEXTS; ctx++)
		CHECK(outputs[ctx]);
	CHECK_EQ(claim(2), 9);
	for (unsigned int ctx = 0; ctx < NR_CONTEXTS; ctx++) {
		CHECK(!outputs[ctx]);
		CHECK_EQ(claim(ctx), 0);
	}
	end();
}

TEST(completion_is_for_who_has_it_enabled)
{
	start();
	use(0, 9);
	plic_set_level(&plic, 9, true);
	CHECK_EQ(claim(0), 9);
	/* Not enabled there. */
	complete(1, 9);
	CHECK(!outputs[0]);
	/* Disabled meanwhile. */
	enable(0, 9, false);
	complete(0, 9);
	enable(0, 9, true);
	CHECK(!outputs[0]);
	/* By somebody else who has it. */
	enable(1, 9, true);
	complete(1, 9);
	CHECK(outputs[0]);
	CHECK(outputs[1]);
	/* What was not claimed is not completed. */
	complete(0, 9);
	CHECK_EQ(claim(0), 9);
	CHECK_EQ(claim(1), 0);
	end();
}

TEST(enable_bit_moves_an_interrupt)
{
	start();
	use(0, 20);
	plic_set_level(&plic, 20, true);
	CHECK(outputs[0]);
	enable(0, 20, false);
	CHECK(!outputs[0]);
	CHECK_EQ(claim(0), 0);
	enable(2, 20, true);
	CHECK(outputs[2]);
	CHECK_EQ(claim(2), 20);
	end();
}

TEST(output_is_told_when_it_changes_and_when_a_hart_starts)
{
	start();
	use(0, 1);
	use(0, 2);
	CHECK_EQ(nr_told, 0);
	plic_set_level(&plic, 1, true);
	CHECK_EQ(nr_told, 1);
	plic_set_level(&plic, 2, true);
	CHECK_EQ(nr_told, 1);
	set_threshold(0, 0);
	CHECK_EQ(nr_told, 2);
	CHECK(outputs[0]);
	end();
}

TEST(access_of_another_width_reaches_nothing)
{
	u64 wide = ~0ULL;
	u8 byte = 1;

	start();
	use(0, 1);
	plic_set_level(&plic, 1, true);
	plic_access(&plic, CONTEXT, &wide, 8, false);
	CHECK_EQ(wide, 0);
	plic_access(&plic, CONTEXT + CLAIM, &byte, 1, false);
	CHECK_EQ(byte, 0);
	plic_access(&plic, CONTEXT + CLAIM - 2, &wide, 4, false);
	byte = 0;
	plic_access(&plic, 4, &byte, 1, true);
	CHECK(outputs[0]);
	CHECK_EQ(plic_get(&plic, 4), 1);
	CHECK_EQ(claim(0), 1);
	end();
}

/* Whatever a guest writes, and wherever: nothing but this memory is reached. */
TEST(any_access)
{
	start();
	srand(1);
	for (unsigned int i = 0; i < 200000; i++) {
		u64 off = (u64)rand() % 0x400000 & ~(u64)(rand() % 4);
		u64 val = (u64)rand() << 32 ^ (u64)rand();

		if (rand() % 2)
			off = rand() % 2 ? off % 0x4000 : CONTEXT + off % 0x4000;
		plic_access(&plic, off, &val, 1 << rand() % 4, rand() % 2);
		plic_set_level(&plic, rand() % 130, rand() % 2);
	}
	for (unsigned int ctx = 0; ctx < NR_CONTEXTS; ctx++) {
		/* All that can be delivered is claimed, and then nothing is left. */
		for (unsigned int i = 0; i <= NR_SOURCES; i++)
			claim(ctx);
		CHECK_EQ(claim(ctx), 0);
		CHECK(!outputs[ctx]);
	}
	end();
}

TEST(all_contexts_and_sources)
{
	memset(outputs, 0, sizeof(outputs));
	plic_init(&plic, 1023, 255, output, &plic);
	CHECK_EQ(plic.nr_sources, 127);
	use(254, 127);
	plic_set_level(&plic, 127, true);
	CHECK(outputs[254]);
	CHECK_EQ(claim(254), 127);
	complete(254, 127);
	CHECK(outputs[254]);
	end();
}
