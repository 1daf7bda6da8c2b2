// SPDX-License-Identifier: GPL-2.0-only
/* Harts, started by the SBI extension HSM, interrupted by the extension IPI. */
#include "rt/smp.h"

#include "riscv.h"
#include "rt.h"

#define STACK 4096

u64 smp_self(void)
{
	return this_hart()->id;
}

void smp_check(unsigned int nr)
{
	struct sbi_ret hsm = sbi(SBI_BASE, SBI_BASE_PROBE, SBI_HSM, 0, 0);

	(void)nr;
	check(!hsm.error && hsm.value, "the SBI has the extension HSM");
}

void smp_prepare(void)
{
}

static void hart_main(struct hart *self)
{
	csr_set("sie", BIT(IRQ_SOFTWARE));
	smp_main(self->id);
}

bool smp_start(u64 id)
{
	u8 *stack = mem_alloc(STACK, STACK);
	struct hart *h = (void *)(stack + STACK - align_up(sizeof(*h), 16));

	h->main = hart_main;
	return !sbi(SBI_HSM, SBI_HSM_START, id, gpa_of(smp_entry), gpa_of(h)).error;
}

void smp_wait(void)
{
	struct hart *self = this_hart();

	while (self->wakes == self->wakes_seen)
		irq_wait();
	self->wakes_seen++;
}

bool smp_can_stop(void)
{
	return true;
}

void smp_stop(void)
{
	sbi(SBI_HSM, SBI_HSM_STOP, 0, 0, 0);
}

bool smp_is_off(u64 id)
{
	struct sbi_ret status = sbi(SBI_HSM, SBI_HSM_STATUS, id, 0, 0);

	return !status.error && status.value == SBI_HSM_STOPPED;
}

void smp_wake(u64 id)
{
	sbi(SBI_IPI, SBI_IPI_SEND, 1, id, 0);
}
