#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What a machine costs that bare-metal guests run in: time, memory, requests to the
# virtio-iommu. Runs where there is KVM, in a folder with guest.sh, exec-time, vm-floor and the
# guests "first" and "bench"; lkvm is in the PATH. Prints a line for each value:
# MEASURE|WHO|VALUE|UNIT; the first WHO of a MEASURE is the baseline.
set -eu

runs=${RUNS:-100}
rounds=${ROUNDS:-1000}

# shellcheck source=tests/bench/guest.sh
. ./guest.sh

# KiB of a process, without the memory of its guest, which is what has more than 100 MiB.
own() # PID Pss|Rss
{
	awk -v field="$2:" '
		$1 == "Size:" { guest = $2 > 102400 }
		!guest && $1 == field { sum += $2 }
		END { print sum + 0 }' "/proc/$1/smaps"
}

./exec-time "$runs" 'KVM alone' ./vm-floor -- lkvm lkvm run -k first --test-exit >timing
while read -r words; do
	# The names may have spaces: the numbers are the last four words.
	# shellcheck disable=SC2086
	set -- $words
	while [ $# -gt 5 ]; do
		name="$1 $2"
		shift 2
		set -- "$name" "$@"
	done
	record 'exec to first instruction, minimum' "$1" "$2" us
	record 'exec to first instruction, median' "$1" "$3" us
	record 'exec to end, minimum' "$1" "$4" us
	record 'exec to end, median' "$1" "$5" us
done <timing

begin ./vm-floor --stay
record 'memory beside the guest (PSS)' 'KVM alone' "$(own "$pid" Pss)" KiB
record 'memory beside the guest (RSS)' 'KVM alone' "$(own "$pid" Rss)" KiB
end
begin lkvm run -k bench -p 'exit 0' --iommu=virtio -d ram:1M --name bench
record 'memory beside the guest (PSS)' lkvm "$(own "$pid" Pss)" KiB
record 'memory beside the guest (RSS)' lkvm "$(own "$pid" Rss)" KiB
end

# The guest "bench" also gives $exits of the machine.
bench() # KIND ROUNDS [OPTION...]
{
	begin_bench "$@" --name bench
	exits=$(lkvm stat bench | awk '
		$1 == "exits:" { counted = 1; next }
		!/^      / { counted = 0 }
		counted && $1 != "intr:" { sum += $2 }
		END { print sum + 0 }')
	end
}

# The same, and $each: the exits of one of N, without those that the guest needs to start.
bench_each() # N KIND ROUNDS [OPTION...]
{
	each=$1 kind=$2 n=$3
	shift 3
	bench "$kind" 0 "$@"
	before=$exits
	bench "$kind" "$n" "$@"
	each=$(awk -v n="$((exits - before))" -v d="$((each * n))" 'BEGIN { printf "%.3f", n / d }')
}

compare() # MEASURE: $min and $median with those of two exits
{
	record "$1, minimum" 'two exits' "$((2 * exit_min))" ns
	record "$1, minimum" lkvm "$min" ns
	record "$1, median" 'two exits' "$((2 * exit_median))" ns
	record "$1, median" lkvm "$median" ns
}

# A buffer: $min, $min_ticks and $each.
buffer() # HOW-MANY WHO
{
	record "a buffer, $1 in a kick: time, minimum" "$2" "$min" ns
	# The counter of x86 is one of cycles.
	[ "$(uname -m)" != x86_64 ] || record "a buffer, $1 in a kick: cycles" "$2" "$min_ticks" TSC
	record "a buffer, $1 in a kick: exits" "$2" "$each" exits
}

iommu='--iommu=virtio -d ram:1M'
few=$((rounds / 20 + 1))
# shellcheck disable=SC2086
{
	bench exit "$rounds" $iommu
	exit_min=$min exit_median=$median
	bench_each 1 single "$rounds" $iommu
	compare 'MAP and UNMAP, one in a kick'
	buffer one 'MAP and UNMAP'
	bench_each 32 batch "$few" $iommu
	compare 'MAP and UNMAP, 32 in a kick'
	buffer 32 'MAP and UNMAP'
	bench_each 32 range "$few" $iommu
	buffer 32 'MAPs, one UNMAP'
}
for format in smmuv3 vtd amd amd-pt riscv riscv-gipc; do
	iommu="--iommu=virtio,tables=$format --device dma-engine"
	# shellcheck disable=SC2086
	{
		bench_each 1 table-single "$rounds" $iommu
		buffer one "$format, INVALIDATE"
		bench_each 32 table-batch "$few" $iommu
		buffer 32 "$format, INVALIDATE"
		bench_each 32 table-range "$few" $iommu
		buffer 32 "$format, one for all"
	}
done
