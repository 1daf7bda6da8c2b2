// SPDX-License-Identifier: GPL-2.0-only
/* Ends, or does not end, in the way that the command line names. */
#include "rt.h"

#ifdef __x86_64__
static void triple_fault(void)
{
	struct {
		u16 limit;
		u64 base;
	} __packed none = {0, 0};

	__asm__ volatile("lidt %0; ud2" : : "m"(none));
}
#else
static void triple_fault(void)
{
	print("exit: this CPU knows no such thing\n");
}
#endif

static void __noreturn spin(void)
{
	for (;;)
		__asm__ volatile("" ::: "memory");
}

static void __noreturn sleep_deeply(void)
{
	for (;;)
		cpu_sleep();
}

/* Each access leads out of the guest. */
static void __noreturn make_exits(void)
{
	for (;;)
		console_read();
}

/* Says by another way that it runs, before it prints the first time. */
static void __noreturn chatter(void)
{
	machine_pvpanic(PVPANIC_CRASH_LOADED);
	for (;;)
		print("chatter\n");
}

static int number(const char *s)
{
	int n = 0;

	for (; *s >= '0' && *s <= '9'; s++)
		n = n * 10 + *s - '0';
	return n;
}

int guest_main(void)
{
	const char *how = fw.cmdline;

	if (!strcmp(how, "chatter"))
		chatter();
	print("exit: %s\n", how);
	if (!strcmp(how, "triple-fault"))
		triple_fault();
	if (!strcmp(how, "panic"))
		machine_pvpanic(PVPANIC_PANICKED);
	if (!strcmp(how, "crash-kernel"))
		machine_pvpanic(PVPANIC_CRASH_LOADED);
	if (!strcmp(how, "reset"))
		machine_reset();
	if (!strcmp(how, "spin"))
		spin();
	if (!strcmp(how, "sleep"))
		sleep_deeply();
	if (!strcmp(how, "exits"))
		make_exits();
	print("exit: going on\n");
	return number(how);
}
