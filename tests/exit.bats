#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# How guests end, and how lkvm ends those that do not: tests/guests/exit.c does what its
# command line says.

load helpers

setup() {
	need "$LKVM" "$guests/exit.elf" "$guests/linux64.elf"
	need_kvm
	cd "$BATS_TEST_TMPDIR" || return 1
}

teardown() {
	kill_lkvm
}

run_guest() # HOW OPTION...
{
	local how=$1

	shift
	run_lkvm -k "$guests/exit.elf" -p "$how" "$@"
	[[ $output == "exit: $how"* ]]
}

@test "exit: power off by ACPI S5" {
	run_guest poweroff
	[ "$status" -eq 0 ]
	[ "${lines[-1]}" = 'exit: going on' ]
	[ -z "$stderr" ]
}

@test "exit: reset by port 0xcf9" {
	run_guest reset
	[ "$status" -eq 0 ]
	[ "${lines[-1]}" = 'exit: reset' ]
	[ -z "$stderr" ]
}

@test "exit: panic reported to pvpanic" {
	run_guest panic
	[ "$status" -eq 1 ]
	[ "${lines[-1]}" = 'exit: panic' ]
	[ "$stderr" = 'lkvm: error: the guest panicked' ]
}

@test "exit: a panic that a crash kernel takes care of does not end the guest" {
	run_guest crash-kernel
	[ "$status" -eq 0 ]
	[ "${lines[-1]}" = 'exit: going on' ]
	[[ $stderr == 'lkvm: the guest panicked and starts its crash kernel' ]]
}

@test "exit: triple fault" {
	run_guest triple-fault
	[ "$status" -eq 1 ]
	[ "${lines[-1]}" = 'exit: triple-fault' ]
	[ "${stderr%%$'\n'*}" = 'lkvm: error: the guest stopped with a triple fault on vCPU 0' ]
	[[ $stderr =~ 'vCPU 0: rip 0x'[0-9a-f]+' cs 0x8 ' ]]
	[[ $stderr =~ ' cr3 0x'[0-9a-f]+000' ' ]]
}

@test "exit: with --quiet, a triple fault has one line" {
	run_guest triple-fault --quiet
	[ "$status" -eq 1 ]
	[ "$stderr" = 'lkvm: error: the guest stopped with a triple fault on vCPU 0' ]
}

@test "exit: --test-exit passes on the guest's status" {
	run_guest 42 --test-exit
	[ "$status" -eq 42 ]
	run_guest 0 --test-exit
	[ "$status" -eq 0 ]
}

@test "exit: without --test-exit there is no such port" {
	run_guest 42
	[ "$status" -eq 0 ]
}

@test "exit: each of 255 vCPUs starts, and can be interrupted" {
	local cpus

	need "$guests/smp.elf"
	for cpus in 3 255; do
		run_lkvm -k "$guests/smp.elf" --test-exit -c $cpus
		[ "$status" -eq 0 ]
		[ "${lines[0]}" = "smp: $cpus CPUs" ]
		[ "${lines[-1]}" = 'smp: 6 checks passed, 0 failed' ]
	done
}

@test "exit: all the same with two vCPUs, one of them never started" {
	run_guest poweroff -c 2
	[ "$status" -eq 0 ]
	run_guest triple-fault -c 2
	[ "$status" -eq 1 ]
	run_guest 42 -c 2 --test-exit
	[ "$status" -eq 42 ]
}

# A guest that does not end by itself, and the signal that ends it all the same.
ended_by() # SIGNAL HOW OPTION...
{
	local signal=$1 how=$2

	shift 2
	start_lkvm -k "$guests/exit.elf" -p "$how" "$@"
	wait_line "exit: $how"
	end_lkvm "$signal"
}

@test "exit: SIGTERM ends a guest that spins with interrupts off" {
	ended_by TERM spin
	[ "$status" -eq 143 ]
	[ "$(cat err)" = 'lkvm: ended by signal 15 (Terminated)' ]
}

@test "exit: SIGTERM ends a guest that sleeps for ever" {
	ended_by TERM sleep
	[ "$status" -eq 143 ]
}

@test "exit: SIGTERM ends a guest that leads to exits without end" {
	ended_by TERM exits
	[ "$status" -eq 143 ]
}

@test "exit: SIGTERM ends a guest with two vCPUs" {
	ended_by TERM spin -c 2
	[ "$status" -eq 143 ]
}

@test "exit: SIGTERM ends a guest that prints to where nobody reads" {
	local full told line

	mkfifo full told
	exec {full}<>full {told}<>told
	run dd if=/dev/zero of=full bs=4096 oflag=nonblock
	[[ $output == *'Resource temporarily unavailable'* ]]

	lkvm_stdout=full
	lkvm_stderr=told
	start_lkvm -k "$guests/exit.elf" -p chatter
	IFS= read -r -t "$last_resort" -u "$told" line
	[ "$line" = 'lkvm: the guest panicked and starts its crash kernel' ]
	end_lkvm TERM
	[ "$status" -eq 143 ]
}

@test "exit: SIGHUP ends a guest" {
	ended_by HUP spin
	[ "$status" -eq 129 ]
}

@test "exit: SIGHUP does not end a guest that nohup started" {
	trap '' HUP
	start_lkvm -k "$guests/exit.elf" -p spin
	trap - HUP
	wait_line 'exit: spin'
	# Of two signals that wait, the one with the lower number comes first.
	kill -s HUP "$lkvm_pid"
	end_lkvm TERM
	[ "$status" -eq 143 ]
}

@test "exit: an ELF file without a PVH note starts as Linux does, in 64-bit mode" {
	run_lkvm -k "$guests/linux64.elf" -p hello --test-exit
	[ "$status" -eq 0 ]
	[ "$output" = 'linux64: boot_params are complete' ]
	run_lkvm -k "$guests/linux64.elf" -p hello --test-exit -m 6G
	[ "$status" -eq 0 ]
}

@test "exit: SIGTERM ends lkvm while it waits for a kernel from a pipe" {
	local writer

	mkfifo kernel
	start_lkvm -k kernel
	# This waits until lkvm has opened it, and then says nothing.
	# shellcheck disable=SC2034 # it only has to be open
	exec {writer}>kernel
	end_lkvm TERM
	[ "$status" -eq 143 ]
}

@test "exit: SIGTERM ends a guest whose trace nobody reads" {
	local full

	mkfifo full
	# shellcheck disable=SC2034 # it only has to be open
	exec {full}<>full
	run dd if=/dev/zero of=full bs=4096 oflag=nonblock
	[[ $output == *'Resource temporarily unavailable'* ]]
	lkvm_stderr=full
	start_lkvm --iommu=virtio --trace iommu
	wait_line 'lkvm-demo'
	end_lkvm TERM
	[ "$status" -eq 143 ]
}
