#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What a machine costs that bare-metal guests run in: time, memory, requests to the
# virtio-iommu. Runs where there is KVM, in a folder with exec-time, vm-floor and the guests
# "first" and "bench"; lkvm is in the PATH. Prints a line for each value:
# MEASURE|WHO|VALUE|UNIT; the first WHO of a MEASURE is the baseline.
set -eu

runs=${RUNS:-100}
rounds=${ROUNDS:-1000}

record()
{
	printf '%s|%s|%s|%s\n' "$@"
}

# A program in the background that prints a line and stays: $line, $pid.
begin() # COMMAND...
{
	mkfifo out
	"$@" >out 2>err </dev/null &
	pid=$!
	exec 3<out
	rm out
	if ! read -r line <&3; then
		cat err >&2
		echo "machine.sh: it ended: $*" >&2
		exit 1
	fi
}

end()
{
	kill "$pid"
	wait "$pid" 2>/dev/null || true
	exec 3<&-
}

# KiB of a process, without the memory of its guest.
own() # PID Pss|Rss
{
	awk -v field="$2:" '
		/^[0-9a-f]+-[0-9a-f]+ / { guest = /memfd:lkvm-ram/ }
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

# Runs the guest "bench": $min and $median in ns, $exits of the machine.
bench() # KIND ROUNDS
{
	begin lkvm run -k bench -p "$1 $2" --iommu=virtio -d ram:1M --name bench
	# shellcheck disable=SC2086
	set -- $line
	if [ "$1" != bench: ] || [ "$4" != ns ]; then
		echo "machine.sh: the guest said: $line" >&2
		exit 1
	fi
	min=$2
	median=$3
	exits=$(lkvm stat bench | awk '
		$1 == "exits:" { counted = 1; next }
		!/^      / { counted = 0 }
		counted && $1 != "intr:" { sum += $2 }
		END { print sum + 0 }')
	end
}

compare() # MEASURE: $min and $median with those of two exits
{
	record "$1, minimum" 'two exits' "$((2 * exit_min))" ns
	record "$1, minimum" lkvm "$min" ns
	record "$1, median" 'two exits' "$((2 * exit_median))" ns
	record "$1, median" lkvm "$median" ns
}

# Of the machine, without those that the guest needs to start.
exits_each() # BEFORE AFTER REQUESTS
{
	awk -v n="$(($2 - $1))" -v d="$3" 'BEGIN { printf "%.3f", n / d }'
}

bench exit "$rounds"
exit_min=$min exit_median=$median
bench single 0
before=$exits
bench single "$rounds"
compare 'MAP and UNMAP, one in a kick'
single=$(exits_each "$before" "$exits" $((2 * rounds)))
few=$((rounds / 20 + 1))
bench batch 0
before=$exits
bench batch "$few"
compare 'MAP and UNMAP, 32 in a kick'
record 'exits for a request' 'one in a kick' "$single" exits
record 'exits for a request' '32 in a kick' "$(exits_each "$before" "$exits" $((64 * few)))" exits
