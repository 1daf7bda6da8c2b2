#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# An lkvm with ThreadSanitizer: vCPUs, queues and the main loop at the same time. What it finds is
# in lkvm's stderr and makes its exit status 66; tests/data-races.txt has what it need not tell.
# bats file_tags=not-riscv64

load helpers

setup() {
	local run=

	need "$LKVM_TEST_BIN/lkvm-tsan" "$guests/exit.elf" "$guests/smp.elf" "$guests/tables.elf"
	need_kvm
	cd "$BATS_TEST_TMPDIR" || return 1
	# The library knows only some of the places where a kernel puts a program.
	! setarch -R true 2>/dev/null || run='setarch -R'
	LKVM=$PWD/lkvm
	printf '#!/bin/sh\nexec %s "%s" "$@"\n' "$run" "$LKVM_TEST_BIN/lkvm-tsan" >"$LKVM"
	chmod +x "$LKVM"
	lkvm_command=("$LKVM")
	export LKVM_RUNTIME_DIR=$PWD/run TSAN_OPTIONS="suppressions=$tree/tests/data-races.txt"
}

teardown() {
	kill_lkvm
}

@test "races: the demo" {
	truncate -s 1M disk
	run_lkvm -m 64M -c 2 --iommu=virtio -d disk -d ram:1M
	[ "$status" -eq 0 ]
	[[ $output == *' 0 failed'* ]]
}

@test "races: the demo, packed and on MMIO, with a thread for requests" {
	run_lkvm -m 64M --iommu=virtio,poll=100 --virtio-ring packed --virtio-transport mmio
	[ "$status" -eq 0 ]
	[[ $output == *' 0 failed'* ]]
}

@test "races: an engine in tables of the guest" {
	run_lkvm -m 64M -k "$guests/tables.elf" --test-exit --iommu=virtio,tables=riscv-gipc \
		--device dma-engine
	[ "$status" -eq 0 ]
	[[ $output == *' 0 failed'* ]]
}

@test "races: vCPUs that start each other" {
	run_lkvm -m 64M -c 4 -k "$guests/smp.elf" --test-exit
	[ "$status" -eq 0 ]
}

@test "races: a guest that is looked at, paused, resumed and stopped" {
	start_lkvm --name one -m 64M -c 2 -k "$guests/exit.elf" -p exits --iommu=virtio -d ram:1M \
		--rng --console null --console socket=sock,port=a --device dma-engine
	wait_line 'exit: exits'
	for _ in 1 2 3 4 5; do
		lkvm stat one --json
		[ "$status" -eq 0 ]
		lkvm pause one
		[ "$status" -eq 0 ]
		lkvm resume one
		[ "$status" -eq 0 ]
	done
	end_lkvm TERM
	[ "$status" -eq 143 ]
	[ "$(grep -v '^lkvm: [^w]' err)" = '' ]
}
