// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "util/log.h"
#include "vm/hugepages.h"
#include "vm/memory.h"

#ifndef MAP_HUGE_SHIFT
#define MAP_HUGE_SHIFT 26
#endif
/* Linux 5.14 */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/*
 * KVM and the host's page tables use a huge page only where the GPA and the HVA have
 * the same offset in it.
 */
#define HUGE_PAGE (2 * MiB)

static bool from_pool(enum mem_pages pages)
{
	return mem_page_size(pages) > 1;
}

/* The host's MemAvailable in bytes; 0 if it does not say. */
static u64 host_available(void)
{
	char line[128];
	u64 kib = 0;
	FILE *f;

	f = fopen("/proc/meminfo", "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %" SCNu64, &kib) == 1)
			break;
	fclose(f);
	return kib * KiB;
}

/*
 * Guest memory takes host memory only as the guest touches it, and a host may well give
 * its guests more than it has as long as they do not use it. But what exceeds all of the
 * host's memory and swap would end in the middle of the guest's life with SIGBUS or the
 * OOM killer, so that is refused here.
 */
static int check_host(u64 before, u64 size, enum mem_pages pages)
{
	static const struct {
		int resource;
		const char *what;
		char flag;
	} limits[] = {{RLIMIT_AS, "address space", 'v'}, {RLIMIT_DATA, "data", 'd'}};
	u64 total, swap_free, available;
	struct sysinfo si;

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct rlimit limit;

		if (getrlimit(limits[i].resource, &limit) || size <= limit.rlim_cur)
			continue;
		pr_err("%" PRIu64 " MiB of guest memory exceed the %s limit of %" PRIu64
		       " KiB; raise it with ulimit -%c",
		       size / MiB, limits[i].what, (u64)limit.rlim_cur / KiB, limits[i].flag);
		return -ENOMEM;
	}

	/* What is taken at the start cannot run short later. */
	if (from_pool(pages) || sysinfo(&si) < 0)
		return 0;
	total = ((u64)si.totalram + si.totalswap) * si.mem_unit;
	swap_free = (u64)si.freeswap * si.mem_unit;
	if (size > total || before > total - size) {
		pr_err("%" PRIu64 " MiB of guest memory are more than the %" PRIu64
		       " MiB of memory and swap that this host has; use a smaller -m",
		       before / MiB + size / MiB, total / MiB);
		return -ENOMEM;
	}

	available = host_available();
	if (available && before <= available + swap_free && before + size > available + swap_free)
		pr_warn("%" PRIu64 " MiB of guest memory, but only %" PRIu64
			" MiB of this host's memory are free: the guest is killed if it uses more",
			(before + size) / MiB, (available + swap_free) / MiB);
	return 0;
}

/* Maps memory where the low bits are those of @gpa, with unmapped space at both ends. */
static u8 *map_aligned(u64 gpa, u64 size, enum mem_pages pages)
{
	u64 align = max(HUGE_PAGE, mem_page_size(pages)), room = size + 2 * align;
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
	u8 *area, *hva;

	area = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (area == MAP_FAILED)
		return NULL;

	if (from_pool(pages))
		flags |= MAP_HUGETLB | __builtin_ctzll(mem_page_size(pages)) << MAP_HUGE_SHIFT;
	else
		flags |= MAP_NORESERVE;
	hva = (u8 *)align_up((uintptr_t)area, align) + (gpa & (align - 1));
	if (mmap(hva, size, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED) {
		munmap(area, room);
		return NULL;
	}
	if (hva > area)
		munmap(area, hva - area);
	if (hva + size < area + room)
		munmap(hva + size, area + room - (hva + size));

	/* Where the host does not do this, small pages are right too. */
	if (!from_pool(pages))
		madvise(hva, size, pages == MEM_PAGES_OFF ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
	return hva;
}

/*
 * Takes all pages of a pool: a lack of one later would be a SIGBUS. Those that a host without
 * MADV_POPULATE_WRITE does not take yet are reserved by their mapping.
 */
static int take_pages(u8 *hva, u64 size)
{
	int ret;

	do {
		ret = madvise(hva, size, MADV_POPULATE_WRITE) ? -errno : 0;
	} while (ret == -EINTR || ret == -EAGAIN);
	return ret == -EINVAL ? 0 : ret;
}

static int bank_create(struct guest_bank *bank, u64 gpa, u64 size, enum mem_pages pages)
{
	u8 *hva = map_aligned(gpa, size, pages);
	int ret = hva ? 0 : -errno;

	if (!ret && from_pool(pages)) {
		ret = take_pages(hva, size);
		if (ret)
			munmap(hva, size);
	}
	if (!ret) {
		*bank = (struct guest_bank){.gpa = gpa, .size = size, .hva = hva};
		return 0;
	}
	/* Somebody else may have been faster, or the pool cannot grow as it may. */
	if (from_pool(pages) && hugepages_check(mem_page_size(pages), size))
		return -ENOMEM;
	pr_err("cannot get %" PRIu64 " MiB of guest memory from the host: %s", size / MiB,
	       strerror(-ret));
	return ret;
}

int guest_mem_set_pages(struct guest_mem *mem, enum mem_pages pages, u64 size)
{
	mem->pages = pages;
	if (pages == MEM_PAGES_THP)
		hugepages_check_thp();
	return from_pool(pages) ? hugepages_check(mem_page_size(pages), size) : 0;
}

int guest_mem_add_bank(struct guest_mem *mem, u64 gpa, u64 size)
{
	u64 page_size = max((u64)sysconf(_SC_PAGESIZE), mem_page_size(mem->pages));
	struct guest_bank bank;
	unsigned int pos;
	int ret;

	if (!size || !is_aligned(gpa | size, page_size) || gpa + (size - 1) < gpa) {
		pr_err("memory bank of 0x%" PRIx64 " bytes at 0x%" PRIx64
		       ": both must be multiples of the page size, %" PRIu64,
		       size, gpa, page_size);
		return -EINVAL;
	}

	for (pos = 0; pos < mem->nr_banks && mem->banks[pos].gpa < gpa; pos++)
		;
	if ((pos > 0 && gpa - mem->banks[pos - 1].gpa < mem->banks[pos - 1].size) ||
	    (pos < mem->nr_banks && mem->banks[pos].gpa - gpa < size)) {
		pr_err("memory bank of 0x%" PRIx64 " bytes at 0x%" PRIx64 " overlaps another one",
		       size, gpa);
		return -EINVAL;
	}
	if (mem->nr_banks == GUEST_MEM_MAX_BANKS) {
		pr_err("more than %d memory banks", GUEST_MEM_MAX_BANKS);
		return -ENOSPC;
	}

	ret = check_host(guest_mem_size(mem), size, mem->pages);
	if (ret)
		return ret;
	ret = bank_create(&bank, gpa, size, mem->pages);
	if (ret)
		return ret;

	memmove(&mem->banks[pos + 1], &mem->banks[pos], (mem->nr_banks - pos) * sizeof(bank));
	mem->banks[pos] = bank;
	mem->nr_banks++;
	return 0;
}

void guest_mem_destroy(struct guest_mem *mem)
{
	while (mem->nr_banks) {
		struct guest_bank *bank = &mem->banks[--mem->nr_banks];

		munmap(bank->hva, bank->size);
	}
}

u64 guest_mem_size(const struct guest_mem *mem)
{
	u64 size = 0;
	unsigned int i;

	for (i = 0; i < mem->nr_banks; i++)
		size += mem->banks[i].size;
	return size;
}

static bool in_bank(const struct guest_mem *mem, u64 hva)
{
	for (unsigned int i = 0; i < mem->nr_banks; i++) {
		if (hva - (uintptr_t)mem->banks[i].hva < mem->banks[i].size)
			return true;
	}
	return false;
}

u64 guest_mem_resident(const struct guest_mem *mem)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	u64 start, last, kib, resident = 0;
	bool counts = false;
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &last) == 2)
			counts = in_bank(mem, start);
		else if (counts && (sscanf(line, "Rss: %" SCNu64, &kib) == 1 ||
				    sscanf(line, "Private_Hugetlb: %" SCNu64, &kib) == 1))
			resident += kib * KiB;
	}
	if (f)
		fclose(f);
	return resident;
}

void *guest_mem_run(const struct guest_mem *mem, u64 gpa, u64 len, u64 *run)
{
	unsigned int i;

	*run = 0;
	for (i = 0; i < mem->nr_banks; i++) {
		const struct guest_bank *bank = &mem->banks[i];
		u64 off = gpa - bank->gpa;

		/* Below the bank off wraps to a number that is too large as well. */
		if (len && off < bank->size) {
			*run = min(len, bank->size - off);
			return bank->hva + off;
		}
	}
	return NULL;
}

void *guest_mem_around(const struct guest_mem *mem, u64 gpa, u64 *before, u64 *behind)
{
	for (unsigned int i = 0; i < mem->nr_banks; i++) {
		const struct guest_bank *bank = &mem->banks[i];
		u64 off = gpa - bank->gpa;

		if (off < bank->size) {
			*before = off;
			*behind = bank->size - 1 - off;
			return bank->hva + off;
		}
	}
	return NULL;
}

void *guest_mem_ptr(const struct guest_mem *mem, u64 gpa, u64 len)
{
	void *hva;
	u64 run;

	hva = guest_mem_run(mem, gpa, len, &run);
	return hva && run == len ? hva : NULL;
}

/* Whether each byte of [gpa, gpa + len) is in some bank. */
static bool all_there(const struct guest_mem *mem, u64 gpa, u64 len)
{
	u64 run;

	if (len && gpa + (len - 1) < gpa)
		return false;
	for (; len; gpa += run, len -= run)
		if (!guest_mem_run(mem, gpa, len, &run))
			return false;
	return true;
}

static u64 *word_ptr(const struct guest_mem *mem, u64 gpa)
{
	return is_aligned(gpa, sizeof(u64)) ? guest_mem_ptr(mem, gpa, sizeof(u64)) : NULL;
}

int guest_mem_load64(const struct guest_mem *mem, u64 gpa, u64 *val)
{
	const u64 *p = word_ptr(mem, gpa);

	if (!p)
		return -EFAULT;
	*val = le64toh(__atomic_load_n(p, __ATOMIC_ACQUIRE));
	return 0;
}

int guest_mem_cmpxchg64(const struct guest_mem *mem, u64 gpa, u64 old, u64 new)
{
	u64 *p = word_ptr(mem, gpa);
	u64 expected = htole64(old);

	if (!p)
		return -EFAULT;
	return __atomic_compare_exchange_n(p, &expected, htole64(new), false, __ATOMIC_ACQ_REL,
					   __ATOMIC_ACQUIRE)
		       ? 0
		       : -EAGAIN;
}

int guest_mem_read(const struct guest_mem *mem, u64 gpa, void *buf, u64 len)
{
	u8 *to = buf;
	u64 run;

	if (!all_there(mem, gpa, len))
		return -EFAULT;
	for (; len; gpa += run, len -= run, to += run) {
		const void *hva = guest_mem_run(mem, gpa, len, &run);

		memcpy(to, hva, run);
	}
	return 0;
}

int guest_mem_write(const struct guest_mem *mem, u64 gpa, const void *buf, u64 len)
{
	const u8 *from = buf;
	u64 run;

	if (!all_there(mem, gpa, len))
		return -EFAULT;
	for (; len; gpa += run, len -= run, from += run) {
		void *hva = guest_mem_run(mem, gpa, len, &run);

		memcpy(hva, from, run);
	}
	return 0;
}
