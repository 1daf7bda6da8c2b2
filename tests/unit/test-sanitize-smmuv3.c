// SPDX-License-Identifier: GPL-2.0-only
/* What a guest sees of the ID registers of a host's SMMUv3, bit by bit. */
#include <string.h>

#include "iommu/format.h"
#include "unit.h"

static struct smmuv3_regs sanitize(const struct smmuv3_regs *host, unsigned int pa_bits,
				   unsigned int pasid_bits)
{
	const struct iommu_limits limits = {pa_bits, pasid_bits};
	struct smmuv3_regs guest;

	memset(&guest, 0xa5, sizeof(guest));
	smmuv3_sanitize(host, &limits, &guest);
	return guest;
}

/* S1P, COHACC and STALL_MODEL 1; CMDQS and SIDSIZE: those are lkvm's, whatever the host has. */
static const u32 always[6] = {1 << 1 | 1 << 4 | 1 << 24, 8 << 21 | 17};

/* TTF's AArch64, ASID16, CD2L, TTENDIAN, TERM_MODEL, ST_LEVEL; RIL, BBML; VAX, DS, granules */
static const u32 shown[6] = {1 << 3 | 1 << 12 | 1 << 19 | 3 << 21 | 1 << 26 | 3 << 27,
			     0,
			     0,
			     1 << 10 | 3 << 11,
			     0,
			     3 << 10 | 1 << 7 | 7 << 4};

TEST(host_without_anything)
{
	const struct smmuv3_regs host = {};
	struct smmuv3_regs guest = sanitize(&host, 48, 20);
	unsigned int i;

	for (i = 0; i < 6; i++)
		CHECK_EQ(guest.idr[i], always[i]);
}

TEST(host_with_everything)
{
	struct smmuv3_regs host, guest;
	unsigned int i;

	memset(&host, 0xff, sizeof(host));
	guest = sanitize(&host, 48, 20);
	for (i = 0; i < 6; i++) {
		u32 want = always[i] | shown[i];

		if (i == 1)
			want |= 20 << 6;
		if (i == 5)
			want |= 5;
		CHECK_EQ(guest.idr[i], want);
	}
}

/* What one bit of the host does to the guest, besides that bit itself. */
TEST(each_bit_alone)
{
	unsigned int reg, bit, i;

	for (reg = 0; reg < 6; reg++)
		for (bit = 0; bit < 32; bit++) {
			struct smmuv3_regs host = {}, guest;

			host.idr[reg] = 1U << bit;
			guest = sanitize(&host, 52, 20);
			for (i = 0; i < 6; i++) {
				u32 want = always[i];

				if (i == reg)
					want |= shown[i] & 1U << bit;
				if (i == reg && reg == 0 && bit == 25) /* stalls are forced */
					want ^= 3 << 24;
				if (i == reg && reg == 1 && bit >= 6 && bit < 10)
					want |= 1U << bit; /* SSIDSIZE up to 8 */
				if (i == reg && reg == 1 && bit == 10)
					want |= 16 << 6;
				if (i == reg && reg == 5 && bit < 3)
					want |= 1U << bit; /* OAS */
				CHECK_EQ(guest.idr[i], want);
			}
		}
}

TEST(each_bit_missing)
{
	unsigned int reg, bit;

	for (reg = 0; reg < 6; reg++)
		for (bit = 0; bit < 32; bit++) {
			struct smmuv3_regs all, host, with, without;

			memset(&all, 0xff, sizeof(all));
			host = all;
			host.idr[reg] &= ~(1U << bit);
			with = sanitize(&all, 52, 20);
			without = sanitize(&host, 52, 20);
			if (shown[reg] & 1U << bit)
				with.idr[reg] &= ~(1U << bit);
			if (reg == 0 && bit == 24) /* leaves 2: forced */
				with.idr[0] ^= 3 << 24;
			if (reg == 1 && bit == 10)
				with.idr[1] ^= (20 ^ 15) << 6;
			if (reg == 5 && bit < 3) /* 6, 5 or 3 of 7, which is 6 here */
				with.idr[5] = (with.idr[5] & ~7U) | min(7U ^ 1U << bit, 6U);
			CHECK(!memcmp(&with, &without, sizeof(with)));
		}
}

TEST(ssidsize_is_the_least)
{
	unsigned int host_bits, bits;

	for (host_bits = 0; host_bits < 32; host_bits++)
		for (bits = 0; bits <= 20; bits++) {
			const struct smmuv3_regs host = {.idr = {[1] = host_bits << 6}};

			CHECK_EQ(sanitize(&host, 48, bits).idr[1] >> 6 & 31, min(host_bits, bits));
		}
}

/* Never more than the second stage takes. */
TEST(oas_is_within_the_machine)
{
	static const u8 width[] = {32, 36, 40, 42, 44, 48, 52, 56};
	unsigned int oas, pa_bits;

	for (oas = 0; oas < 8; oas++)
		for (pa_bits = 32; pa_bits <= 52; pa_bits++) {
			const struct smmuv3_regs host = {.idr = {[5] = oas}};
			u32 got = sanitize(&host, pa_bits, 0).idr[5] & 7;

			if (!CHECK(got <= oas && width[got] <= pa_bits))
				continue;
			/* And no less than could be. */
			CHECK(got == oas || width[got + 1] > pa_bits);
		}
}
