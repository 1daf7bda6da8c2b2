// SPDX-License-Identifier: GPL-2.0-only
/* What a guest sees of a host's AMD registers, for each of their bits. */
#include "iommu/format.h"
#include "unit.h"

#define GTSUP	    (1ULL << 4)
#define GIOSUP	    (1ULL << 48)
#define GATS(n)	    ((u64)(n) << 12)
#define GLX(n)	    ((u64)(n) << 14)
#define PASMAX(n)   ((u64)(n) << 32)
#define GCR3TRPMODE (1ULL << 3)

static struct amd_regs sanitize_with(u64 efr, u64 efr2, unsigned int pasid_bits)
{
	struct amd_regs host = {.cap = ~0U, .efr = efr, .efr2 = efr2};
	struct amd_regs guest = {.cap = ~0U, .efr = ~0ULL, .efr2 = ~0ULL};
	struct iommu_limits limits = {.pa_bits = 46, .pasid_bits = pasid_bits};

	amd_sanitize(&host, &limits, &guest);
	CHECK_EQ(host.efr, efr);
	CHECK_EQ(host.efr2, efr2);
	CHECK_EQ(guest.cap, 0);
	return guest;
}

static struct amd_regs sanitize(u64 efr, u64 efr2)
{
	return sanitize_with(efr, efr2, 20);
}

TEST(cap_each_bit)
{
	const struct iommu_limits limits = {.pa_bits = 46, .pasid_bits = 20};
	const struct amd_regs without = {.efr = GTSUP | GIOSUP, .efr2 = GCR3TRPMODE};

	for (unsigned int bit = 0; bit < 32; bit++) {
		struct amd_regs host = without, guest;

		host.cap = 1U << bit;
		amd_sanitize(&host, &limits, &guest);
		CHECK_EQ(guest.cap, 0);
		CHECK_EQ(guest.efr, without.efr);
		CHECK_EQ(guest.efr2, without.efr2);
	}
}

TEST(efr_each_bit_alone)
{
	for (unsigned int bit = 0; bit < 64; bit++) {
		u64 one = 1ULL << bit, want = GTSUP;

		/* GIoSup; GATS 1; GLXSup 1 and 2; PASmax, of which 19 is the most. */
		if (bit == 48 || bit == 12 || bit == 14 || bit == 15 || (bit >= 32 && bit <= 36))
			want |= bit == 36 ? PASMAX(16) : one;
		CHECK_EQ(sanitize(GTSUP | one, 0).efr, want);
		CHECK_EQ(sanitize(GTSUP | one, 0).efr2, 0);
	}
}

TEST(efr_each_bit_missing)
{
	/* GATS 1, GLXSup 2; the other values are reserved. */
	const u64 host = (~0ULL & ~GATS(3) & ~GLX(3)) | GATS(1) | GLX(2);
	const u64 all = GTSUP | GIOSUP | GATS(1) | GLX(2) | PASMAX(19);

	CHECK_EQ(sanitize(host, 0).efr, all);
	for (unsigned int bit = 0; bit < 64; bit++) {
		u64 one = 1ULL << bit, want = all;

		switch (bit) {
		case 4:
			want = 0;
			break;
		case 12: /* GATS 0 */
		case 13: /* GATS 3 */
			want &= ~GATS(3);
			break;
		case 14: /* GLXSup 3 */
		case 15: /* GLXSup 0 */
			want &= ~GLX(3);
			break;
		case 36: /* PASmax 15 */
			want ^= PASMAX(19) ^ PASMAX(15);
			break;
		case 48:
			want &= ~GIOSUP;
			break;
		}
		CHECK_EQ(sanitize(host ^ one, 0).efr, want);
	}
}

TEST(efr2_each_bit)
{
	for (unsigned int bit = 0; bit < 64; bit++) {
		u64 one = 1ULL << bit;

		CHECK_EQ(sanitize(GTSUP | GIOSUP, one).efr2, bit == 3 ? GCR3TRPMODE : 0);
		CHECK_EQ(sanitize(GTSUP | GIOSUP, ~one).efr2, bit == 3 ? 0 : GCR3TRPMODE);
		CHECK_EQ(sanitize(GTSUP | GIOSUP, one).efr, GTSUP | GIOSUP);
	}
}

/* The host makes a parent of nested tables with all three only. */
TEST(gcr3_in_guest_memory_needs_nesting)
{
	CHECK_EQ(sanitize(GTSUP | GIOSUP, GCR3TRPMODE).efr2, GCR3TRPMODE);
	CHECK_EQ(sanitize(GTSUP, GCR3TRPMODE).efr2, 0);
	CHECK_EQ(sanitize(GIOSUP, GCR3TRPMODE).efr2, 0);
	CHECK_EQ(sanitize(GTSUP | GIOSUP, 0).efr2, 0);
}

TEST(no_tables_without_guest_translation)
{
	CHECK_EQ(sanitize(~GTSUP, ~0ULL).efr, 0);
	CHECK_EQ(sanitize(~GTSUP, ~0ULL).efr2, 0);
}

TEST(reserved_values_are_not_shown)
{
	for (unsigned int n = 0; n < 4; n++) {
		CHECK_EQ(sanitize(GTSUP | GATS(n), 0).efr, GTSUP | GATS(n <= 1 ? n : 0));
		CHECK_EQ(sanitize(GTSUP | GLX(n), 0).efr, GTSUP | GLX(n <= 2 ? n : 0));
	}
}

TEST(pasid_width_is_the_smaller_one)
{
	for (unsigned int host = 1; host <= 32; host++) {
		for (unsigned int bits = 0; bits <= 20; bits++) {
			u64 efr = sanitize_with(GTSUP | PASMAX(host - 1), 0, bits).efr;
			unsigned int least = host < bits ? host : bits;

			CHECK_EQ(efr, GTSUP | PASMAX(least ? least - 1 : 0));
		}
	}
}

TEST(any_registers)
{
	const u64 known = GTSUP | GIOSUP | GATS(3) | GLX(3) | PASMAX(31);

	for (int i = 0; i < 20000; i++) {
		u64 efr = unit_rand(), efr2 = unit_rand();
		struct amd_regs guest = sanitize(efr, efr2);

		CHECK_EQ(guest.efr & ~known, 0);
		CHECK_EQ(guest.efr & ~PASMAX(31) & ~efr, 0);
		CHECK((guest.efr & PASMAX(31)) <= (efr & PASMAX(31)));
		CHECK_EQ(guest.efr2 & ~(efr2 & GCR3TRPMODE), 0);
	}
}
