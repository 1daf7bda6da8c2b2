// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build-x86.h"
#include "unit.h"

#define PAGE 4096ULL

/* Of the twins: the second bank is above 4 GiB. */
#define LOW_GPA	   (64 * KiB)
#define LOW_PAGES  8
#define HIGH_GPA   (4 * GiB + 16 * PAGE)
#define HIGH_PAGES 4

void x86_put(u8 *buf, unsigned int begins, unsigned int at, unsigned int size, u64 val)
{
	for (buf += at - begins; size--; val /= 256)
		*buf++ = val % 256;
}

u64 x86_build_size(unsigned int level)
{
	u64 size = PAGE;

	while (--level)
		size *= 512;
	return size;
}

u64 x86_build_read(const struct guest_mem *mem, u64 gpa)
{
	u8 bytes[8];
	u64 entry = 0;

	CHECK(!guest_mem_read(mem, gpa, bytes, 8));
	for (int i = 7; i >= 0; i--)
		entry = entry * 256 + bytes[i];
	return entry;
}

void x86_build_write(const struct guest_mem *mem, u64 gpa, u64 entry)
{
	u8 bytes[8];

	for (int i = 0; i < 8; i++, entry /= 256)
		bytes[i] = entry % 256;
	CHECK(!guest_mem_write(mem, gpa, bytes, 8));
}

u64 x86_build_page(struct x86_build *b)
{
	static const u8 zeroes[PAGE];
	u64 gpa = b->next;

	b->next += PAGE;
	CHECK(!guest_mem_write(b->mem, gpa, zeroes, PAGE));
	return gpa;
}

void x86_build_init(struct x86_build *b, struct guest_mem *mem, u64 pages, unsigned int levels)
{
	b->mem = mem;
	b->next = pages;
	b->levels = levels;
	b->root = x86_build_page(b);
}

static u64 entry_address(u64 entry)
{
	return entry % (1ULL << 52) / PAGE * PAGE;
}

static u64 entry_gpa(u64 table, u64 iova, unsigned int level)
{
	return table + iova / x86_build_size(level) % 512 * 8;
}

u64 x86_build_entry(struct x86_build *b, u64 iova, unsigned int level)
{
	u64 table = b->root;

	for (unsigned int l = b->levels; l > level; l--)
		table = entry_address(x86_build_read(b->mem, entry_gpa(table, iova, l)));
	return entry_gpa(table, iova, level);
}

void x86_build_map(struct x86_build *b, u64 iova, unsigned int level, u64 entry, u64 table_bits)
{
	for (unsigned int l = b->levels; l > level; l--) {
		u64 at = x86_build_entry(b, iova, l);

		if (!(x86_build_read(b->mem, at) & X86_P))
			x86_build_write(b->mem, at, x86_build_page(b) | X86_P | table_bits);
	}
	x86_build_write(b->mem, x86_build_entry(b, iova, level),
			entry | X86_P | (level > 1 ? X86_PS : 0));
}

static bool bit(u64 val, unsigned int n)
{
	return val / (1ULL << n) % 2;
}

static bool find(const struct guest_mem *mem, u64 gpa, u8 **bytes)
{
	*bytes = guest_mem_ptr(mem, gpa, 8);
	return *bytes;
}

enum x86_ref_end x86_ref_walk(const struct guest_mem *mem, const struct x86_ref *ref, u64 iova,
			      bool write, bool exec, struct x86_ref_result *result)
{
	bool user_page = true, writable = true, executable = true, large;
	unsigned int bits = ref->levels == 5 ? 57 : 48, used = 0, n;
	u64 table = ref->root, span, rest, entry;
	u8 *bytes, *path[5];

	/* The bits that no table decodes. */
	for (n = bits; n < 64; n++) {
		if (bit(iova, n) != (ref->sign_extended && bit(iova, bits - 1)))
			return REF_ADDRESS;
	}

	/* @span is what an entry of the table covers. */
	span = 1ULL << bits;
	rest = iova % span;
	for (;;) {
		span /= 512;
		if (!find(mem, table + rest / span * 8, &bytes))
			return used ? REF_UNREADABLE : REF_ROOT_UNREADABLE;
		rest %= span;
		entry = 0;
		for (n = 0; n < 64; n++)
			entry += bit(bytes[n / 8], n % 8) ? 1ULL << n : 0;

		if (!bit(entry, 0))
			return REF_NOT_PRESENT;
		for (n = ref->pa_bits; n < 52; n++) {
			if (bit(entry, n))
				return REF_RESERVED;
		}
		if (span > GiB && bit(entry, 7))
			return REF_RESERVED;
		if (span > GiB && ref->top_no_global && bit(entry, 8))
			return REF_RESERVED;
		large = span > PAGE && bit(entry, 7);
		for (n = 13; large && 1ULL << n < span; n++) {
			if (bit(entry, n))
				return REF_RESERVED;
		}

		path[used++] = bytes;
		writable = writable && bit(entry, 1);
		user_page = user_page && bit(entry, 2);
		executable = executable && !bit(entry, 63);
		if (large || span == PAGE)
			break;
		table = 0;
		for (n = 12; n < 52; n++)
			table += bit(entry, n) ? 1ULL << n : 0;
	}

	if (ref->supervisor)
		writable = writable || !ref->write_protect;
	else if (!user_page)
		return REF_USER;
	if (write && !writable)
		return REF_WRITE;
	if (exec && !executable)
		return REF_EXEC;

	for (n = 0; ref->update && n < used; n++) {
		path[n][0] |= 1 << 5;
		if (n == used - 1 && write)
			path[n][0] |= 1 << 6;
		if (ref->extended_accessed)
			path[n][1] |= 1 << 2;
	}
	result->start = iova - rest;
	result->last = result->start + span - 1;
	result->gpa = 0;
	for (n = 12; n < 52; n++) {
		if (1ULL << n >= span)
			result->gpa += bit(entry, n) ? 1ULL << n : 0;
	}
	result->write = writable && (!ref->update || path[used - 1][0] & 1 << 6);
	result->exec = executable;
	return REF_DONE;
}

static void make_banks(struct guest_mem *mem)
{
	if (guest_mem_add_bank(mem, LOW_GPA, LOW_PAGES * PAGE) ||
	    guest_mem_add_bank(mem, HIGH_GPA, HIGH_PAGES * PAGE)) {
		fprintf(stderr, "no memory for the test\n");
		exit(2);
	}
}

void x86_twins_create(struct x86_twins *twins)
{
	memset(twins, 0, sizeof(*twins));
	make_banks(&twins->mem);
	make_banks(&twins->ref);
}

void x86_twins_destroy(struct x86_twins *twins)
{
	guest_mem_destroy(&twins->mem);
	guest_mem_destroy(&twins->ref);
}

u64 x86_twins_page(void)
{
	u64 n = unit_rand() % (LOW_PAGES + HIGH_PAGES);

	if (unit_below(64) == 0)
		return unit_rand() % (1ULL << 34) / PAGE * PAGE;
	return n < LOW_PAGES ? LOW_GPA + n * PAGE : HIGH_GPA + (n - LOW_PAGES) * PAGE;
}

static bool chance(unsigned int one_in)
{
	return unit_below(one_in) == 0;
}

static u64 likely_entry(unsigned int pa_bits)
{
	u64 wild = unit_rand();
	/* What matters to nobody: PWT, PCD, A, D, AVL, and 52 to 62. */
	u64 entry = wild & 0x7ff0000000000e78ULL;
	bool large = chance(4);

	if (large) {
		entry |= X86_PS | (wild & X86_PAT);
		entry |= wild % (1ULL << pa_bits) / (chance(2) ? GiB : 2 * MiB) *
			 (chance(2) ? GiB : 2 * MiB) % (1ULL << pa_bits);
	} else {
		entry |= x86_twins_page();
	}
	if (chance(64))
		entry |= 1ULL << (12 + wild / 256 % 40);
	if (chance(16))
		entry |= X86_G;
	return entry | (chance(16) ? 0 : X86_P) | (chance(16) ? 0 : X86_RW) |
	       (chance(16) ? 0 : X86_US) | (chance(24) ? X86_XD : 0);
}

void x86_twins_write(struct x86_twins *twins, u64 gpa, u64 entry)
{
	x86_build_write(&twins->mem, gpa, entry);
	x86_build_write(&twins->ref, gpa, entry);
}

void x86_twins_random(struct x86_twins *twins, unsigned int pa_bits)
{
	u64 at = x86_twins_page() + unit_below(512) * 8;

	if (guest_mem_ptr(&twins->mem, at, 8))
		x86_twins_write(twins, at, chance(8) ? unit_rand() : likely_entry(pa_bits));
}

void x86_twins_clear(struct x86_twins *twins)
{
	for (unsigned int i = 0; i < twins->mem.nr_banks; i++) {
		const struct guest_bank *bank = &twins->mem.banks[i];

		memset(bank->hva, 0, bank->size);
		memset(twins->ref.banks[i].hva, 0, bank->size);
	}
}

/* Each word of @twins from @make. */
static void fill(struct x86_twins *twins, u64 (*make)(unsigned int), unsigned int pa_bits)
{
	for (unsigned int i = 0; i < twins->mem.nr_banks; i++) {
		const struct guest_bank *bank = &twins->mem.banks[i];

		for (u64 at = 0; at < bank->size; at += 8)
			x86_build_write(&twins->mem, bank->gpa + at, make(pa_bits));
		memcpy(twins->ref.banks[i].hva, bank->hva, bank->size);
	}
}

void x86_twins_tables(struct x86_twins *twins, unsigned int pa_bits)
{
	fill(twins, likely_entry, pa_bits);
}

static u64 any_bits(unsigned int pa_bits)
{
	(void)pa_bits;
	return unit_rand();
}

void x86_twins_garbage(struct x86_twins *twins)
{
	fill(twins, any_bits, 0);
}

bool x86_twins_equal(const struct x86_twins *twins)
{
	bool equal = true;

	for (unsigned int i = 0; i < twins->mem.nr_banks; i++) {
		const struct guest_bank *bank = &twins->mem.banks[i];

		equal = equal && !memcmp(bank->hva, twins->ref.banks[i].hva, bank->size);
	}
	return equal;
}

u64 x86_random_iova(void)
{
	u64 iova = unit_rand();

	switch (unit_below(8)) {
	case 0:
		return iova;
	case 1:
		return iova >> 7; /* 57 bits */
	case 2:
		return iova >> 16;
	case 3:
		return iova >> 8;
	case 4:
		return ~(iova >> 8);
	case 5:
		return iova >> 17;
	case 6:
		return ~(iova >> 17);
	default:
		/* Near an end: of all, or of a half. */
		iova %= 64 * KiB;
		switch (unit_below(6)) {
		case 0:
			return iova;
		case 1:
			return ~iova;
		case 2:
			return (1ULL << 47) - 32 * KiB + iova;
		case 3:
			return (1ULL << 56) - 32 * KiB + iova;
		case 4:
			return ~((1ULL << 47) - 32 * KiB + iova);
		default:
			return ~((1ULL << 56) - 32 * KiB + iova);
		}
	}
}
