#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# What consoles are connected to: --serial and --console. tests/tools/socket-cat.c is the client
# of a socket or of a pty.

load helpers

setup() {
	need "$LKVM" "$LKVM_TEST_BIN/pty-run" "$LKVM_TEST_BIN/socket-cat" "$guests/exit.elf" \
		"$guests/echo.elf"
	cd "$BATS_TEST_TMPDIR" || return 1
}

teardown() {
	kill_lkvm
}

mistake() # TEXT OPTION...
{
	run_lkvm "${@:2}"
	expect_error "$1"
}

@test "backends: mistakes in --serial" {
	mistake "--serial: there is no 'sokcet', did you mean 'socket'?" --serial sokcet=x
	mistake '--serial: file= needs a path' --serial file
	mistake "--serial: 'tty=x': tty takes no value" --serial tty=x
	mistake "--serial is given twice: 'tty' and 'null'" --serial tty --serial null
	mistake "--serial: there is no 'null,port'" --serial null,port=x
}

@test "backends: mistakes in --console" {
	mistake 'tty is given twice' --console tty --console tty
	mistake 'the terminal can have one of them' --console tty --serial tty -k "$guests/echo.elf"
	mistake 'the built-in guest prints to the serial port only' --console tty
	mistake 'port=: a name has 1 to 63' --console null,port=
	mistake "port=a/b: a name has letters" --console null,port=a/b
	mistake 'two ports have this name' --console null,port=a --console null,port=a
	mistake 'belong to the first --console' --console null --console null,iommu=off
	mistake '--console: iommu=on needs --iommu=virtio' --console null,iommu=on
	mistake "'name', known are: port, iommu, iommu-format, ring, transport" --console null,name=x
}

@test "backends: paths that are no good" {
	need_kvm
	touch plain
	mkdir folder
	mistake "--serial: cannot write to 'none/log': No such file" --serial file=none/log
	mistake "--serial: cannot write to 'folder': Is a directory" --serial file=folder
	mistake "--serial: '/dev/null' is not a regular file" --serial file=/dev/null
	mistake "--serial: 'plain' exists and is no socket" --serial socket=plain
	mistake "--console: 'plain' exists and is no symbolic link" --console pty=plain
	mistake 'too long for a socket' --console "socket=$(printf '%0200d' 1)"
	mistake 'cannot make the socket' --console socket=none/sock
	[ ! -s plain ]
	# What was made before the mistake is gone.
	mistake 'cannot make the socket' -q --serial socket=sock --console pty=link \
		--console socket=none/sock
	[ ! -e sock ]
	[ ! -L link ]
}

@test "backends: a file gets what the guest prints, behind what it has" {
	need_kvm
	echo before >log
	run_lkvm --serial file=log -k "$guests/exit.elf" -p 7 --test-exit
	[ "$status" -eq 7 ]
	[ -z "$output" ]
	[ -z "$stderr" ]
	[ "$(head -n 1 log)" = before ]
	grep -q 'exit: going on' log
}

@test "backends: null prints nothing" {
	need_kvm
	run_lkvm --serial null -k "$guests/exit.elf" -p 7 --test-exit
	[ "$status" -eq 7 ]
	[ -z "$output" ]
}

@test "backends: a terminal that no console has stays as it is" {
	need_kvm
	run --separate-stderr "$LKVM_TEST_BIN/pty-run" 'expect=--serial: /dev/pts/' cooked \
		'send=\x03' -- "$LKVM" run --serial pty -k "$guests/exit.elf" -p spin
	[ "$status" -eq 130 ]
}

@test "backends: ctrl-a x leaves a virtio console, too" {
	need_kvm
	run --separate-stderr "$LKVM_TEST_BIN/pty-run" 'expect=--serial: /dev/pts/' \
		'send=\x01x' -- "$LKVM" run --serial pty --console tty -k "$guests/exit.elf" -p spin
	[ "$status" -eq 0 ]
}

# What the guest prints before it has a client is dropped, so wait until there is nothing more.
start_spin() # OPTION...
{
	lkvm_stdout=out lkvm_stderr=err start_lkvm "$@"
}

# The guest echoes, whoever comes. Its first line may come before that.
echoes() # PATH TEXT
{
	printf '%s' "$2" | timeout -k 5 "$last_resort" "$LKVM_TEST_BIN/socket-cat" "$1" "=$2"
}

@test "backends: a socket, its clients one after the other" {
	need_kvm
	start_spin --serial socket=sock -k "$guests/echo.elf"
	echoes sock 'the first one'
	echoes sock 'and the next'
	[ -S sock ]
	printf '\x04' | timeout -k 5 "$last_resort" "$LKVM_TEST_BIN/socket-cat" sock >rest
	grep -q 'echo: 25 bytes' rest
	wait "$lkvm_pid"
	lkvm_pid=
	[ ! -e sock ]
}

@test "backends: a pty, to which programs attach again and again" {
	need_kvm
	start_spin --serial pty=link -k "$guests/echo.elf"
	until [ -L link ]; do sleep 0.01; done
	grep -q "lkvm: --serial: /dev/pts/.*, linked from link" err
	echoes link 'the first one'
	echoes link 'and the next'
	end_lkvm TERM
	[ "$status" -eq 143 ]
	[ ! -L link ]
}

# The signal as a terminal's shell would have it: of one in the background some are ignored.
gone_after() # SIGNAL-NUMBER
{
	need_kvm
	run --separate-stderr "$LKVM_TEST_BIN/pty-run" 'expect=exit: spin' "signal=$1" -- \
		"$LKVM" run --serial tty --console socket=sock --console pty=link,port=x \
		-k "$guests/exit.elf" -p spin
	echo "$output"
	[ "$status" -eq $((128 + $1)) ]
	[[ $output == *'linked from link'* ]]
	[ ! -e sock ]
	[ ! -L link ]
}

@test "backends: the socket and the link are gone after SIGHUP" {
	gone_after 1
}

@test "backends: the socket and the link are gone after SIGINT" {
	gone_after 2
}

@test "backends: the socket and the link are gone after SIGQUIT" {
	gone_after 3
}

@test "backends: the socket and the link are gone after SIGTERM" {
	gone_after 15
}

@test "backends: the socket and the link are gone after a triple fault" {
	need_kvm
	run_lkvm --console socket=sock --console pty=link,port=x -k "$guests/exit.elf" -p triple-fault
	[ "$status" -eq 1 ]
	[ ! -e sock ]
	[ ! -L link ]
}

@test "backends: a socket and a link that a killed lkvm left are replaced, a live one is not" {
	need_kvm
	start_lkvm --console socket=sock --console pty=link,port=x -k "$guests/exit.elf" -p spin
	wait_line 'exit: spin'
	run_lkvm --serial socket=sock -k "$guests/exit.elf" -p 7 --test-exit
	expect_error "somebody listens at 'sock' already"
	[ -S sock ]
	end_lkvm KILL
	[ -S sock ]
	[ -L link ]
	run_lkvm --serial socket=sock --console pty=link -k "$guests/exit.elf" -p 7 --test-exit
	[ "$status" -eq 7 ]
	[ ! -e sock ]
	[ ! -L link ]
}

@test "backends: a client that does not read does not stop the guest" {
	local client

	need_kvm
	start_spin --serial socket=sock -k "$guests/echo.elf"
	# More than all buffers on the way back hold. It leaves when lkvm has ended.
	timeout -k 5 "$last_resort" python3 -c '
import select, socket, time
s = socket.socket(socket.AF_UNIX)
while s.connect_ex("sock"):
    time.sleep(0.01)
s.sendall(b"x" * 400000 + b"\4")
p = select.poll()
p.register(s, 0)
p.poll()' 3>&- &
	client=$!
	wait "$lkvm_pid"
	lkvm_pid=
	wait "$client"
	[ ! -e sock ]
}

@test "backends: the built-in guest, beside a console with channels" {
	need_kvm
	run_lkvm --iommu=virtio --console null --console file=log,port=a --console socket=s,port=b
	[ "$status" -eq 0 ]
	[[ $output == *' 0 failed'* ]]
}
