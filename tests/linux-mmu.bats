# SPDX-License-Identifier: GPL-2.0-only
# A second opinion of the virtio-iommu's walks in the lab, whose CPUs have all that is optional:
# tests/guests/mmu.c. x86 is in mmu.bats, too, where it may lack 5 levels and pages of 1 GiB.

load helpers
load linux

# All agree, of so many ways to walk tables, and the CPU is as wanted.
agree() # WAYS TEXT [OPTION OF LAB RUN]... -- FORMAT...
{
	local ways=$1 text=$2 options=() guest=$guests/mmu.img

	[ "$arch" != x86 ] || guest=$guests/mmu.elf
	need "$guest"
	shift 2
	while [ "$1" != -- ]; do
		options+=("$1" "$2")
		shift 2
	done
	in_lab "${options[@]}" --env "FORMATS=${*:2}" "$scripts/mmu.sh" "$guest"
	[ "$status" = 0 ]
	[ "$(grep -c 'the CPU and the virtio-iommu differ in 0$' <<<"$output")" = "$ways" ]
	[[ $output == *"ok    $ways ways to walk tables"* ]]
	[[ $output == *"$text"* ]]
	[[ ${lines[-1]} == 'mmu: '*' checks passed, 0 failed' ]]
}

# bats test_tags=not-arm64,not-riscv64
@test "mmu: x86-64 tables of 4 and 5 levels, with pages of 1 GiB" {
	agree 8 'VT-d, 5 levels' --qemu '-cpu max' -- vtd amd amd-pt
	[[ $output != *'no pages of 1 GiB'* ]]
}

# bats test_tags=not-x86,not-riscv64
@test "mmu: AArch64 tables, three granules, both halves" {
	agree 11 'executes of what cannot be read' -- smmuv3
	[[ $output != *'not tried'* ]]
}

# bats test_tags=not-x86,not-arm64
@test "mmu: Sv39, Sv48 and Sv57, with Svnapot and Svpbmt" {
	agree 6 'Svnapot yes, Svpbmt yes' --qemu '-cpu rv64,h=true,svnapot=true,svpbmt=true' \
		-- riscv riscv-gipc
}
