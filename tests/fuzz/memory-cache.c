// SPDX-License-Identifier: GPL-2.0-only
/*
 * To make guest memory takes longer than most inputs. Every target is linked so that banks come by
 * here: those that were given back are used again, empty.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "vm/memory.h"

static struct guest_bank cache[GUEST_MEM_MAX_BANKS];
static unsigned int nr_cached;

int __real_guest_mem_add_bank(struct guest_mem *mem, u64 gpa, u64 size);
int __wrap_guest_mem_add_bank(struct guest_mem *mem, u64 gpa, u64 size);
void __real_guest_mem_destroy(struct guest_mem *mem);
void __wrap_guest_mem_destroy(struct guest_mem *mem);

/* Only as the first bank, where nothing has to be checked or sorted. */
int __wrap_guest_mem_add_bank(struct guest_mem *mem, u64 gpa, u64 size)
{
	for (unsigned int i = 0; i < nr_cached && !mem->nr_banks; i++) {
		if (cache[i].gpa == gpa && cache[i].size == size) {
			mem->banks[mem->nr_banks++] = cache[i];
			cache[i] = cache[--nr_cached];
			return 0;
		}
	}
	/* An input touches a few bytes, and a huge page would be zeroed for them. */
	if (!mem->nr_banks)
		mem->pages = MEM_PAGES_OFF;
	return __real_guest_mem_add_bank(mem, gpa, size);
}

void __wrap_guest_mem_destroy(struct guest_mem *mem)
{
	const struct guest_bank *bank = &mem->banks[0];

	if (mem->nr_banks != 1 || nr_cached == GUEST_MEM_MAX_BANKS) {
		__real_guest_mem_destroy(mem);
		return;
	}
	if (madvise(bank->hva, bank->size, MADV_DONTNEED))
		abort();
	cache[nr_cached++] = *bank;
	mem->nr_banks = 0;
}
