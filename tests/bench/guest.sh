# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh disable=SC2034
# The guest "bench" on whatever VMM is "lkvm" in the PATH; for machine.sh and linux.sh.

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
		echo "bench: it ended: $*" >&2
		exit 1
	fi
}

end()
{
	kill "$pid"
	wait "$pid" 2>/dev/null || true
	exec 3<&-
}

# Of one of KIND in ns: $min and $median; $min_ticks.
begin_bench() # KIND ROUNDS OPTION...
{
	cmdline="$1 $2"
	shift 2
	begin lkvm run -k bench -p "$cmdline" "$@"
	# shellcheck disable=SC2086
	set -- $line
	if [ "$1" != bench: ] || [ "${6:-}" != ticks ]; then
		echo "bench: the guest said: $line" >&2
		exit 1
	fi
	min=$2
	median=$3
	min_ticks=$5
}
