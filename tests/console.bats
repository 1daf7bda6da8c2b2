#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The terminal as the guest's console. tests/tools/pty-run.c is the person at the terminal, and
# complains if its modes are not as before when lkvm has ended.

load helpers

setup() {
	need "$LKVM" "$LKVM_TEST_BIN/pty-run" "$guests/exit.elf" "$guests/echo.elf"
	need_kvm
	cd "$BATS_TEST_TMPDIR" || return 1
}

teardown() {
	kill_lkvm
}

# STEP... -- OPTION...
on_terminal() {
	local steps=()

	while [ "$1" != -- ]; do
		steps+=("$1")
		shift
	done
	shift
	run --separate-stderr "$LKVM_TEST_BIN/pty-run" "${steps[@]}" -- "$LKVM" run "$@"
	printf 'exit status %s\nthe terminal showed:\n%s\nstderr:\n%s\n' "$status" "$output" "$stderr"
}

# lkvm with the guest that echoes and these bytes from standard input.
echo_from() # FILE
{
	run --separate-stderr timeout -k 5 "$last_resort" "$LKVM" run -k "$guests/echo.elf" <"$1"
	echo "exit status $status: $output: $stderr"
}

# Text of $1 bytes, in lines.
make_text() {
	seq 100000 | head -c "$1"
}

@test "console: ctrl-a x ends the guest with status 0" {
	on_terminal 'expect=exit: spin' 'send=\x01x' -- -k "$guests/exit.elf" -p spin
	[ "$status" -eq 0 ]
	[ -z "$stderr" ]
}

@test "console: the terminal is raw while the guest runs" {
	on_terminal 'expect=exit: spin' raw 'send=\x01x' -- -k "$guests/exit.elf" -p spin
	[ "$status" -eq 0 ]
}

@test "console: the terminal is as before after a power-off" {
	on_terminal 'expect=going on' -- -k "$guests/exit.elf" -p poweroff
	[ "$status" -eq 0 ]
}

@test "console: the terminal is as before after a mistake" {
	on_terminal -- -k none
	[ "$status" -eq 1 ]
	[[ $output == *"cannot open kernel 'none'"* ]]
}

@test "console: the terminal is as before after a triple fault, and the message is in a line of its own" {
	on_terminal -- -k "$guests/exit.elf" -p triple-fault
	[ "$status" -eq 1 ]
	[[ $output == *$'\nlkvm: error: the guest stopped with a triple fault on vCPU 0\r'* ]]
}

# signal 1 is SIGHUP, 2 SIGINT, 3 SIGQUIT, 15 SIGTERM.
for_signal() # N
{
	on_terminal 'expect=exit: spin' raw "signal=$1" -- -k "$guests/exit.elf" -p spin
	[ "$status" -eq $((128 + $1)) ]
	[[ $output == *"lkvm: ended by signal $1 ("*')'* ]]
	[ -z "$stderr" ]
}

@test "console: SIGHUP ends lkvm with status 129, the terminal as before" {
	for_signal 1
}

@test "console: SIGINT ends lkvm with status 130, the terminal as before" {
	for_signal 2
}

@test "console: SIGQUIT ends lkvm with status 131, the terminal as before" {
	for_signal 3
}

@test "console: SIGTERM ends lkvm with status 143, the terminal as before" {
	for_signal 15
}

@test "console: the end of the terminal ends lkvm" {
	on_terminal 'expect=exit: spin' hangup -- -k "$guests/exit.elf" -p spin
	[ "$status" -eq 129 ]
	[ -z "$stderr" ]
}

@test "console: ctrl-c goes to the guest" {
	on_terminal 'expect=echo: ready' 'send=a\x03b' 'expect=a' expect=$'\x03b' 'send=\x04' \
		'expect=echo: 3 bytes' -- -k "$guests/echo.elf"
	[ "$status" -eq 0 ]
}

@test "console: ctrl-a a sends a ctrl-a" {
	on_terminal 'expect=echo: ready' 'send=(\x01a)' expect=$'(\x01)' 'send=\x04' \
		'expect=echo: 3 bytes' -- -k "$guests/echo.elf"
	[ "$status" -eq 0 ]
}

@test "console: ctrl-a h explains, and sends nothing" {
	on_terminal 'expect=echo: ready' 'send=\x01h' 'expect=ctrl-a x ends the guest' 'send=\x04' \
		'expect=echo: 0 bytes' -- -k "$guests/echo.elf"
	[ "$status" -eq 0 ]
}

@test "console: ctrl-a and another key is neither" {
	on_terminal 'expect=echo: ready' 'send=\x01zx\x04' 'expect=echo: 1 bytes' -- \
		-k "$guests/echo.elf"
	[ "$status" -eq 0 ]
}

@test "console: 10 kB pasted at once all come in" {
	make_text 10000 >text
	on_terminal 'expect=echo: ready' paste=text 'send=\x04' 'expect=echo: 10000 bytes' -- \
		-k "$guests/echo.elf"
	[ "$status" -eq 0 ]
	"$LKVM_TEST_BIN/pty-run" 'expect=echo: ready' paste=text 'send=\x04' -- \
		"$LKVM" run -k "$guests/echo.elf" >shown
	# The marker's line before it, the count behind it.
	tail -n +2 shown | head -c 10000 | cmp - text
}

@test "console: ctrl-a x ends a guest that does not read, whatever was typed before" {
	make_text 10000 >text
	on_terminal 'expect=exit: spin' paste=text 'send=\x01x' -- -k "$guests/exit.elf" -p spin
	[ "$status" -eq 0 ]
}

@test "console: more than a guest that does not read is kept for is lost, and lkvm says so" {
	make_text 400000 >part
	cat part part part part >text
	on_terminal 'expect=exit: spin' paste=text \
		'expect=the guest does not read its console' 'send=\x01x' -- \
		-k "$guests/exit.elf" -p spin
	[ "$status" -eq 0 ]
}

@test "console: input from a pipe, all of it from the first byte on" {
	make_text 5000 >text
	printf '\x04' >>text
	mkfifo pipe
	cat text >pipe 3>&- &
	echo_from pipe
	[ "$status" -eq 0 ]
	[ "$output" = "$(printf 'echo: ready\n%s\necho: 5000 bytes\n' "$(make_text 5000)")" ]
}

@test "console: input from a file, all of it from the first byte on" {
	make_text 5000 >text
	printf '\x04' >>text
	echo_from text
	[ "$status" -eq 0 ]
	[ "$output" = "$(printf 'echo: ready\n%s\necho: 5000 bytes\n' "$(make_text 5000)")" ]
}

@test "console: a ctrl-a in a file is a byte as any other" {
	printf '\x01x\x04' >text
	echo_from text
	[ "$status" -eq 0 ]
	[[ $output == *$'\x01x\necho: 2 bytes' ]]
}

# The guest neither ends by the end of its input nor spins lkvm: it ends as it wants to.
runs_on() # REDIRECTION
{
	run --separate-stderr timeout -k 5 "$last_resort" bash -c \
		"exec \"\$0\" run -k \"\$1\" -p 7 --test-exit $1" "$LKVM" "$guests/exit.elf"
	[ "$status" -eq 7 ]
	[ "${lines[-1]}" = 'exit: going on' ]
	[ -z "$stderr" ]
}

@test "console: standard input is at its end" {
	runs_on '</dev/null'
}

@test "console: standard input is an empty file" {
	touch empty
	runs_on '<empty'
}

@test "console: standard input is a pipe at its end" {
	runs_on '< <(:)'
}

@test "console: standard input is closed" {
	runs_on '<&-'
}

@test "console: standard error is closed" {
	runs_on '2>&-'
}

@test "console: standard input and error are closed, and no file of lkvm's is in their place" {
	printf '#!/bin/sh\nexec "%s" "$@" <&- 2>&-\n' "$LKVM" >closed
	chmod +x closed
	LKVM=$PWD/closed
	start_lkvm -k "$guests/exit.elf" -p spin
	wait_line 'exit: spin'
	[ "$(readlink "/proc/$lkvm_pid/fd/0")" = /dev/null ]
	[ "$(readlink "/proc/$lkvm_pid/fd/2")" = /dev/null ]
	end_lkvm TERM
	[ "$status" -eq 143 ]
}

@test "console: the end of input does not keep lkvm busy" {
	local writer state tries=0

	mkfifo ended
	# shellcheck disable=SC2094 # to open a fifo for both first is how not to wait
	exec {writer}<>ended {lkvm_stdin}<ended
	exec {writer}>&-
	start_lkvm -k "$guests/exit.elf" -p sleep
	wait_line 'exit: sleep'
	# A main loop with nothing to do sleeps; one that is told of the end all the time never.
	while read -r _ _ state _ <"/proc/$lkvm_pid/stat" && [ "$state" != S ]; do
		tries=$((tries + 1))
		[ "$tries" -lt 100000 ]
	done
	end_lkvm TERM
	[ "$status" -eq 143 ]
}

@test "console: the guest goes on when nobody reads any more, and lkvm says so once" {
	local reader writer

	mkfifo left
	# shellcheck disable=SC2094 # the same
	exec {reader}<>left {writer}>left
	exec {reader}>&-
	run --separate-stderr timeout -k 5 "$last_resort" bash -c \
		"exec \"\$0\" run -k \"\$1\" -p 9 --test-exit >&$writer" "$LKVM" "$guests/exit.elf"
	[ "$status" -eq 9 ]
	[ "$stderr" = 'lkvm: warning: what the guest prints is lost: Broken pipe' ]
}

@test "console: a full disk at standard output loses what the guest prints, and lkvm says so once" {
	run --separate-stderr timeout -k 5 "$last_resort" bash -c \
		"exec \"\$0\" run -k \"\$1\" -p 9 --test-exit >/dev/full" "$LKVM" "$guests/exit.elf"
	[ "$status" -eq 9 ]
	[ "$stderr" = 'lkvm: warning: what the guest prints is lost: No space left on device' ]
}
