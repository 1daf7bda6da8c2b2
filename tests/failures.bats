#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# A host that runs short: tests/shims/fail-shim.c lets one call of lkvm fail that takes something
# from it, in each run another one. lkvm says what is wrong and ends, or goes on as if nothing were;
# it never crashes or hangs, and leaves no file behind.
#
# Of the calls from the same place only the first one fails, unless LKVM_STRESS is set.

load helpers

setup() {
	need "$LKVM_TEST_BIN/lkvm-dynamic" "$LKVM_TEST_BIN/fail-shim.so" "$guests/exit.elf"
	need_kvm
	cd "$BATS_TEST_TMPDIR" || return 1
	export LKVM_RUNTIME_DIR=$PWD/run
	truncate -s 1M disk
}

# A machine with all kinds of devices, of which nothing is left over; $status and the file err.
start() # NAME=VALUE...
{
	rm -rf run sock link log calls
	status=0
	timeout -k 5 "$last_resort" env LD_PRELOAD="$LKVM_TEST_BIN/fail-shim.so" \
		FAIL_SHIM_LOG="$PWD/calls" "$@" "$LKVM_TEST_BIN/lkvm-dynamic" run --name guest -q \
		"${machine[@]}" -k "$guests/exit.elf" -p 7 --test-exit </dev/null >out 2>err ||
		status=$?
}

# Puts the numbers of the calls that are to fail, one after the other, in the array numbers.
choose_calls()
{
	start
	[ "$status" -eq 7 ]
	if [ -n "${LKVM_STRESS:-}" ]; then
		mapfile -t numbers < <(seq "$(wc -l <calls)")
	else
		mapfile -t numbers < <(awk '!seen[$0]++ { print NR }' calls)
	fi
	[ "${#numbers[@]}" -gt 20 ]
}

# How a run with call $1 failing has to end.
check_end()
{
	local left

	left=$(find run sock link 2>/dev/null | grep -vx run || true)
	if [ "$status" -eq 7 ]; then
		! grep -q '^lkvm: error: ' err && [ -z "$left" ] && return 0
	elif [ "$status" -eq 1 ]; then
		[ "$(wc -l <err)" -eq 1 ] && grep -q '^lkvm: error: ' err && [ -z "$left" ] &&
			return 0
	fi
	echo "call $1 ($(head -n 1 calls)): status $status, left '$left', stderr:"
	cat err
	return 1
}

each_fails() # NAME=VALUE...
{
	local n bad=0

	choose_calls
	for n in "${numbers[@]}"; do
		start FAIL_SHIM_NTH="$n" "$@"
		check_end "$n" || bad=$((bad + 1))
	done
	[ "$bad" -eq 0 ]
}

virtio_machine=(-m 64M -c 2 '--iommu=virtio,poll=100' -d ram:1M -d 'disk,transport=mmio' --rng
	--serial file=log --console socket=sock --console 'pty=link,port=a' --device dma-engine)

@test "failures: each thing that a machine takes from the host" {
	machine=("${virtio_machine[@]}")
	each_fails
}

@test "failures: all that a machine takes from the host, from some call on" {
	machine=("${virtio_machine[@]}")
	each_fails FAIL_SHIM_ONWARD=1
}
