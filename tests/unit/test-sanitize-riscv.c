// SPDX-License-Identifier: GPL-2.0-only
/* What a guest sees of the registers of a host's RISC-V IOMMU, bit by bit. */
#include <string.h>

#include "iommu/format.h"
#include "unit.h"

#define BIT_OF(n) (1ULL << (n))

static struct riscv_regs sanitize(u64 capabilities, u32 fctl, unsigned int pa_bits,
				  unsigned int pasid_bits)
{
	const struct riscv_regs host = {capabilities, fctl};
	const struct iommu_limits limits = {pa_bits, pasid_bits};
	struct riscv_regs guest;

	memset(&guest, 0xa5, sizeof(guest));
	riscv_sanitize(&host, &limits, &guest);
	return guest;
}

/* version, Sv39, Svrsw60t59b, Svpbmt, AMO_HWAD, PAS, PD8 to PD20, NL, S; not Sv48 and Sv57 alone */
static bool shown(unsigned int bit)
{
	return bit < 8 || bit == 9 || bit == 14 || bit == 15 || bit == 24 ||
	       (bit >= 32 && bit <= 40) || bit == 42 || bit == 43;
}

TEST(each_bit_alone)
{
	unsigned int bit;

	for (bit = 0; bit < 64; bit++)
		CHECK_EQ(sanitize(BIT_OF(bit), 0, 52, 20).capabilities,
			 shown(bit) ? BIT_OF(bit) : 0);
}

TEST(each_bit_missing)
{
	const u64 all = sanitize(~0ULL, 0, 52, 20).capabilities;
	unsigned int bit;

	for (bit = 0; bit < 64; bit++) {
		u64 want = all;

		if (bit == 9)
			want &= ~(BIT_OF(9) | BIT_OF(10) | BIT_OF(11));
		else if (bit == 10)
			want &= ~(BIT_OF(10) | BIT_OF(11));
		else if (bit >= 32 && bit < 38)
			want = (want & ~(63ULL << 32)) | (u64)min(63U ^ 1U << (bit - 32), 52U)
								 << 32;
		else if (shown(bit) || bit == 11)
			want &= ~BIT_OF(bit);
		CHECK_EQ(sanitize(~BIT_OF(bit), 0, 52, 20).capabilities, want);
	}
}

TEST(everything)
{
	CHECK_EQ(sanitize(~0ULL, 0, 52, 20).capabilities, 0xff | 7ULL << 9 | 3ULL << 14 |
								  1ULL << 24 | 52ULL << 32 |
								  7ULL << 38 | 3ULL << 42);
}

/* Each address size includes the smaller ones, or it is not what it says. */
TEST(address_sizes)
{
	static const u8 want[] = {0, 1, 0, 3, 0, 1, 0, 7};
	unsigned int sizes;

	for (sizes = 0; sizes < 8; sizes++)
		CHECK_EQ(sanitize((u64)sizes << 9, 0, 52, 20).capabilities >> 9, want[sizes]);
}

TEST(fctl_is_nothing_of_the_guest)
{
	unsigned int bit;

	for (bit = 0; bit < 32; bit++) {
		CHECK_EQ(sanitize(0, 1U << bit, 52, 20).fctl, 0);
		CHECK_EQ(sanitize(0, 1U << bit, 52, 20).capabilities, 0);
	}
}

TEST(pas_is_the_least)
{
	unsigned int pas, pa_bits;

	for (pas = 0; pas < 64; pas++)
		for (pa_bits = 32; pa_bits <= 52; pa_bits++)
			CHECK_EQ(sanitize((u64)pas << 32, 0, pa_bits, 0).capabilities,
				 (u64)min(pas, pa_bits) << 32);
}

TEST(directories_are_those_that_the_pasids_need)
{
	unsigned int width;

	for (width = 0; width <= 20; width++) {
		u64 want = width > 17 ? 7 : width > 8 ? 3 : width > 0 ? 1 : 0;

		CHECK_EQ(sanitize(7ULL << 38, 0, 52, width).capabilities, want << 38);
	}
}
