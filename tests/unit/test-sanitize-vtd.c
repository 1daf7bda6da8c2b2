// SPDX-License-Identifier: GPL-2.0-only
/* What a guest sees of a host's VT-d registers, for each of their bits. */
#include "iommu/format.h"
#include "unit.h"

#define BIT_NEST  (1ULL << 26)
#define BIT_PASID (1ULL << 40)
#define BIT_SMTS  (1ULL << 43)
#define BIT_FSTS  (1ULL << 47)
#define NEEDS	  (BIT_NEST | BIT_SMTS | BIT_FSTS)
#define PSS(bits) ((u64)((bits) - 1) << 35)

static const struct iommu_limits limits = {.pa_bits = 46, .pasid_bits = 20};

static struct vtd_regs sanitize_with(u64 cap, u64 ecap, unsigned int pasid_bits)
{
	struct vtd_regs host = {.cap = cap, .ecap = ecap}, guest = {.cap = ~0ULL, .ecap = ~0ULL};
	struct iommu_limits with = {.pa_bits = 46, .pasid_bits = pasid_bits};

	vtd_sanitize(&host, &with, &guest);
	CHECK_EQ(host.cap, cap);
	CHECK_EQ(host.ecap, ecap);
	return guest;
}

static struct vtd_regs sanitize(u64 cap, u64 ecap)
{
	return sanitize_with(cap, ecap, limits.pasid_bits);
}

/* FS5LP, FS1GP, MGAW. */
static bool cap_shown(unsigned int bit)
{
	return bit == 60 || bit == 56 || (bit >= 16 && bit <= 21);
}

/* SRS, NWFS, EAFS, SMTS, FSTS, SMPWCS; PASID and PSS have rules of their own. */
static bool ecap_shown(unsigned int bit)
{
	return bit == 31 || bit == 33 || bit == 34 || bit == 43 || bit == 47 || bit == 48;
}

TEST(cap_each_bit)
{
	for (unsigned int bit = 0; bit < 64; bit++) {
		u64 one = 1ULL << bit;

		/* Alone, and as the only one that is not there. */
		CHECK_EQ(sanitize(one, NEEDS).cap, cap_shown(bit) ? one : 0);
		CHECK_EQ(sanitize(~one, NEEDS).cap, sanitize(~0ULL, NEEDS).cap & ~one);
		CHECK_EQ(sanitize(one, NEEDS).ecap, sanitize(0, NEEDS).ecap);
	}
	CHECK_EQ(sanitize(~0ULL, NEEDS).cap, 1ULL << 60 | 1ULL << 56 | 0x3fULL << 16);
}

TEST(ecap_each_bit_alone)
{
	const u64 none = 1 | BIT_SMTS | BIT_FSTS;

	CHECK_EQ(sanitize(0, NEEDS).ecap, none);
	for (unsigned int bit = 0; bit < 64; bit++) {
		u64 one = 1ULL << bit, want = none | (ecap_shown(bit) ? one : 0);

		/* PASIDs of one bit; a width without PASIDs is none. */
		if (bit == 40)
			want |= BIT_PASID;
		CHECK_EQ(sanitize(0, NEEDS | one).ecap, want);
		CHECK_EQ(sanitize(0, NEEDS | one).cap, 0);
	}
}

TEST(ecap_each_bit_missing)
{
	/* PSS of all ones is more than the endpoint has. */
	const u64 all = 1ULL << 48 | BIT_FSTS | BIT_SMTS | BIT_PASID | PSS(20) | 1ULL << 34 |
			1ULL << 33 | 1ULL << 31 | 1;

	CHECK_EQ(sanitize(0, ~0ULL).ecap, all);
	for (unsigned int bit = 0; bit < 64; bit++) {
		u64 one = 1ULL << bit, want = all;

		if (one & NEEDS)
			want = 0;
		else if (bit == 40)
			want &= ~(BIT_PASID | PSS(20));
		else if (ecap_shown(bit))
			want &= ~one;
		else if (bit == 39) /* PSS 15, less than 19 */
			want ^= PSS(20) ^ PSS(16);
		CHECK_EQ(sanitize(0, ~one).ecap, want);
		CHECK_EQ(sanitize(~0ULL, ~one).cap, want ? sanitize(~0ULL, NEEDS).cap : 0);
	}
}

TEST(no_tables_without_nesting)
{
	for (unsigned int i = 0; i < 7; i++) {
		u64 ecap = BIT_PASID | 1 | (i & 1 ? BIT_NEST : 0) | (i & 2 ? BIT_SMTS : 0) |
			   (i & 4 ? BIT_FSTS : 0);

		CHECK_EQ(sanitize(~0ULL, ecap).cap, 0);
		CHECK_EQ(sanitize(~0ULL, ecap).ecap, 0);
	}
}

TEST(pasid_width_is_the_smaller_one)
{
	for (unsigned int host = 1; host <= 32; host++) {
		for (unsigned int bits = 0; bits <= 20; bits++) {
			u64 ecap = sanitize_with(0, NEEDS | BIT_PASID | PSS(host), bits).ecap;

			CHECK_EQ(ecap >> 40 & 1, bits > 0);
			CHECK_EQ(ecap >> 35 & 31, !bits ? 0 : host < bits ? host - 1 : bits - 1);
			ecap = sanitize_with(0, NEEDS | PSS(host), bits).ecap;
			CHECK_EQ(ecap >> 35 & 63, 0);
		}
	}
}

/* Nothing is invented: what is shown but for C, is the host's. */
TEST(any_registers)
{
	for (int i = 0; i < 20000; i++) {
		u64 cap = unit_rand(), ecap = unit_rand() | (i % 2 ? NEEDS : 0);
		struct vtd_regs guest = sanitize(cap, ecap);

		CHECK_EQ(guest.cap & ~cap, 0);
		CHECK_EQ(guest.ecap & ~ecap & ~1ULL & ~PSS(32), 0);
		CHECK((guest.ecap & PSS(32)) <= (ecap & PSS(32)));
	}
}
