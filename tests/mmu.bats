#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# A second opinion of the virtio-iommu's walks, of a guest whose CPU translates by the same tables:
# tests/guests/mmu.c. On other architectures it is in linux-mmu.bats.

load helpers

setup() {
	need "$LKVM" "$guests/mmu.elf"
	need_kvm
}

@test "mmu: x86-64 tables, as VT-d and AMD walk them" {
	run_lkvm --test-exit -k "$guests/mmu.elf" --iommu=virtio,tables=vtd --device dma-engine \
		--device dma-engine,iommu-format=amd --device dma-engine,iommu-format=amd-pt
	[ "$status" -eq 0 ]
	[[ ${lines[-1]} =~ ^'mmu: '[0-9]+' checks passed, 0 failed'$ ]]
	[ "$(grep -c 'the CPU and the virtio-iommu differ in 0$' <<<"$output")" = 6 ]
	[[ $output == *'ok    6 ways to walk tables'* ]]
}

@test "mmu: another seed, and nothing that the CPU could walk" {
	run_lkvm --test-exit -k "$guests/mmu.elf" -p 'seed=7 cases=20' \
		--iommu=virtio,tables=amd-pt --device dma-engine
	[ "$status" -eq 0 ]
	[[ $output == *'seed=7, 20 random cases'* ]]
	run_lkvm --test-exit -k "$guests/mmu.elf" --iommu=virtio,tables=smmuv3 --device dma-engine
	[ "$status" -eq 1 ]
	[[ $output == *'FAIL  0 ways to walk tables'* ]]
}
