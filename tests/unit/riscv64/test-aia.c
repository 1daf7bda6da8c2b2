// SPDX-License-Identifier: GPL-2.0-only
/* Where the IMSICs are, and what is a message. */
#include "iommu/iommu.h"
#include "riscv/irqchip.h"
#include "riscv/layout.h"
#include "unit.h"

TEST(hart_bits_hold_the_highest_index)
{
	static const struct {
		unsigned int harts, bits;
	} cases[] = {{1, 0}, {2, 1}, {3, 2}, {4, 2}, {5, 3}, {128, 7}, {129, 8}, {255, 8}};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++)
		CHECK_EQ(riscv_aia_hart_bits(cases[i].harts), cases[i].bits);
}

/* KVM and drivers take the index of a hart from the address, and the rest must be one base. */
TEST(address_of_an_imsic_holds_its_hart)
{
	for (unsigned int nr = 1; nr <= VM_MAX_VCPUS; nr++) {
		u64 mask = (RISCV_IMSIC_PAGE << riscv_aia_hart_bits(nr)) - 1;

		for (unsigned int hart = 0; hart < nr; hart++) {
			u64 addr = riscv_imsic_addr(hart);

			CHECK_EQ((addr & mask) / RISCV_IMSIC_PAGE, hart);
			CHECK_EQ(addr & ~mask, RISCV_IMSIC_BASE);
		}
	}
}

TEST(messages_are_those_to_a_page_of_an_imsic)
{
	CHECK(!arch_is_msi_addr(NULL, RISCV_IMSIC_BASE - 1));
	CHECK(arch_is_msi_addr(NULL, RISCV_IMSIC_BASE));
	CHECK(arch_is_msi_addr(NULL, riscv_imsic_addr(VM_MAX_VCPUS - 1)));
	CHECK(arch_is_msi_addr(NULL, RISCV_IMSIC_BASE + RISCV_IMSIC_SIZE - 1));
	CHECK(!arch_is_msi_addr(NULL, RISCV_APLIC_BASE));
	CHECK(!arch_is_msi_addr(NULL, RISCV_IMSIC_BASE | 1ULL << 40));
}

TEST(iommu_leaves_out_what_takes_messages)
{
	struct iommu_resv resv[IOMMU_MAX_RESV];

	CHECK_EQ(arch_iommu_resv(resv, ARRAY_SIZE(resv)), 1);
	CHECK_EQ(resv[0].type, IOMMU_RESV_MSI);
	CHECK(arch_is_msi_addr(NULL, resv[0].start) && arch_is_msi_addr(NULL, resv[0].last));
	CHECK(!arch_is_msi_addr(NULL, resv[0].start - 1));
	CHECK(!arch_is_msi_addr(NULL, resv[0].last + 1));
}
