#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# DMA engines behind the virtio-iommu, in a guest that drives them over mappings and over page
# tables of its own, in each format: tests/guests/tables.c.

load helpers

setup() {
	need "$LKVM" "$guests/tables.elf"
	need_kvm
}

# All checks pass, and there are lines that begin so.
tables() # NAME... -- OPTION...
{
	local text names=()

	while [ "$1" != -- ]; do
		names+=("$1")
		shift
	done
	run_lkvm --test-exit -k "$guests/tables.elf" "${@:2}"
	[ "$status" -eq 0 ] || return 1
	[[ ${lines[-1]} =~ ^'tables: '([0-9]+)' checks passed, 0 failed'$ ]] || return 1
	[ "${BASH_REMATCH[1]}" -ge 9 ] || return 1
	[[ $output != *FAIL* ]] || return 1
	for text in "${names[@]}"; do
		if ! grep -q -- "^$text" <<<"$output"; then
			echo "not there: $text"
			return 1
		fi
	done
}

@test "tables: none, but mappings" {
	tables 'MAP and UNMAP, at 00:02.0: 0 PASIDs' -- --iommu=virtio,tables=none --device dma-engine
	[[ $output == *'tables of none'* ]]
}

@test "tables: smmuv3, messages go through mappings and tables of the guest" {
	tables 'MAP and UNMAP' 'SMMUv3, one table of CDs' 'SMMUv3, CDs behind entries of 4K' \
		'SMMUv3, CDs behind entries of 64K, at 00:02.0: 1048576 PASIDs' \
		'SMMUv3, granule 16K, bypass' 'SMMUv3, granule 64K, terminate' \
		'  ok    nor to where it is mapped read-only' \
		"  ok    the engine's messages, which have no PASID, are refused" \
		-- --iommu=virtio,tables=smmuv3,msi=mapped --device dma-engine
}

@test "tables: vtd, tables are all there is" {
	tables 'VT-d, at 00:02.0: 1048576 PASIDs' 'VT-d, 5 levels, WPE and EAFE' \
		-- --iommu=virtio,tables=vtd,map=off --device dma-engine
	[[ $output != *'MAP and UNMAP, '* ]]
}

@test "tables: amd" {
	tables 'AMD, GCR3 table of 1 level' 'AMD, GCR3 table of 2 levels' \
		'AMD, GCR3 table of 3 levels' 'AMD, 5 levels, nothing marked, bypass' \
		-- -p tables --iommu=virtio,tables=amd --device dma-engine
}

@test "tables: amd-pt, packed virtqueues and bypass=on" {
	tables 'AMD, GCR3 table of the device' \
		"AMD, the device's, 5 levels, nothing marked, bypass" \
		-- -p tables --iommu=virtio,tables=amd-pt,ring=packed,bypass=on --device dma-engine
}

@test "tables: riscv" {
	tables 'RISC-V, PD8 and Sv39' 'RISC-V, PD17 and Sv48' 'RISC-V, PD20 and Sv48' \
		'RISC-V, Sv57, SADE, bypass' \
		-- -p tables --iommu=virtio,tables=riscv --device dma-engine
}

@test "tables: riscv-gipc" {
	tables 'RISC-V, process directory of the device' \
		"RISC-V, the device's, Sv57, SADE, bypass" \
		-- -p tables --iommu=virtio,tables=riscv-gipc --device dma-engine
}

@test "tables: two engines of each format, in one domain and in two" {
	local format

	for format in smmuv3 vtd amd amd-pt riscv riscv-gipc; do
		tables 'Two endpoints: ' 'One domain: MAP and UNMAP, at 00:02.0 and 00:03.0' \
			'One domain: [^M]' -- -p pairs "--iommu=virtio,tables=$format" \
			--device dma-engine --device dma-engine
	done
}

@test "tables: max-mappings= of tables, of each format" {
	local format room

	for format in smmuv3 vtd amd amd-pt riscv riscv-gipc; do
		for room in 1 3; do
			tables "MAP and UNMAP, with room for $room" '[^M].*, with room for' \
				-- -p "max-mappings=$room" \
				"--iommu=virtio,tables=$format,max-mappings=$room" \
				--device dma-engine --device dma-engine
		done
	done
}

@test "tables: two engines, two formats" {
	tables 'Two endpoints: SMMUv3, one table of CDs at 00:02.0, VT-d at 00:03.0' \
		-- -p pairs --iommu=virtio,tables=vtd --device dma-engine,iommu-format=smmuv3 \
		--device dma-engine
}

@test "tables: three engines, two formats, and one that only has mappings" {
	tables 'Two endpoints: RISC-V, process directory of the device at 00:02.0' \
		'Two endpoints: AMD, GCR3 table of the device at 00:03.0, MAP and UNMAP at 00:04.0' \
		-- -p pairs --iommu=virtio,tables=none --device dma-engine,iommu-format=riscv-gipc \
		--device dma-engine,iommu-format=amd-pt --device dma-engine
}
