// SPDX-License-Identifier: GPL-2.0-only
/*
 * Starts every CPU that the firmware's tables list, and interrupts each of them; and where CPUs
 * can be turned off, does that, and starts them again.
 */
#include "rt/smp.h"

#include "rt.h"

static u64 ids[SMP_MAX_CPUS];
static u32 nr;

/* By place in @ids: how often the CPU said that it is there, and that it woke up. */
static u32 started[SMP_MAX_CPUS], woken[SMP_MAX_CPUS];
static u32 nr_started, nr_woken, nr_confused;
static u32 stopping;

static void count(u32 *n)
{
	__atomic_fetch_add(n, 1, __ATOMIC_SEQ_CST);
}

void smp_main(u64 id)
{
	u32 i;

	for (i = 0; i < nr && ids[i] != id; i++)
		;
	if (i == nr) {
		count(&nr_confused);
		i = 0;
	}
	count(&started[i]);
	count(&nr_started);
	for (;;) {
		smp_wait();
		count(&woken[i]);
		count(&nr_woken);
		if (__atomic_load_n(&stopping, __ATOMIC_SEQ_CST))
			smp_stop();
	}
}

/* Whether *@n reaches @want before too long. */
static bool wait_for(const u32 *n, u32 want)
{
	timeout_start(60000);
	while (__atomic_load_n(n, __ATOMIC_SEQ_CST) < want) {
		if (timeout_expired())
			return false;
		cpu_relax();
	}
	return true;
}

static bool all_off(void)
{
	timeout_start(60000);
	for (u32 i = 0; i < nr; i++) {
		while (!smp_is_off(ids[i])) {
			if (timeout_expired())
				return false;
			cpu_relax();
		}
	}
	return true;
}

static void off_and_on(void)
{
	u32 refused = 0, good = 0;

	for (u32 i = 0; i < nr; i++)
		refused += !smp_start(ids[i]);
	check(refused == nr, "one that runs is not started");
	__atomic_store_n(&stopping, 1, __ATOMIC_SEQ_CST);
	for (u32 i = 0; i < nr; i++)
		smp_wake(ids[i]);
	check(all_off(), "each turned itself off");
	for (u32 i = refused = 0; i < nr; i++)
		refused += !smp_start(ids[i]);
	check(!refused && wait_for(&nr_started, 2 * nr), "and started again");
	for (u32 i = 0; i < nr; i++)
		good += started[i] == 2;
	check(good == nr && !nr_confused, "each with the ID that it had");
}

int guest_main(void)
{
	u32 good = 0, refused = 0;

	nr = smp_list(ids, SMP_MAX_CPUS);
	print("smp: %u CPUs\n", nr + 1);
	check(smp_self() == 0, "the first one has ID 0");
	smp_check(nr + 1);

	smp_prepare();
	for (u32 i = 0; i < nr; i++)
		refused += !smp_start(ids[i]);
	check(!refused && wait_for(&nr_started, nr), "%u others started", nr);
	check(!nr_confused, "each has one ID, whoever is asked");
	for (u32 i = 0; i < nr; i++)
		good += started[i] == 1;
	check(good == nr, "each of the IDs listed is one of theirs");

	good = 0;
	for (u32 i = 0; i < nr; i++) {
		smp_wake(ids[i]);
		if (!wait_for(&nr_woken, i + 1))
			break;
		good += woken[i] == 1;
	}
	check(good == nr && nr_woken == nr, "an interrupt for each woke that one alone");
	if (smp_can_stop())
		off_and_on();
	return check_report("smp");
}
