#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Running guests: their names, and the verbs that look at them and control them. What
# tests/guests/exit.c does is on its command line.

load helpers

setup() {
	need "$LKVM" "$guests/exit.elf" "$guests/echo.elf" "$LKVM_TEST_BIN/pty-run"
	need_kvm
	cd "$BATS_TEST_TMPDIR" || return 1
	export LKVM_RUNTIME_DIR=$BATS_TEST_TMPDIR/runtime
	stopped=()
}

teardown() {
	local pid

	kill_lkvm
	[ -z "${other_pid:-}" ] || kill_quietly "$other_pid"
	for pid in "${stopped[@]}"; do
		kill_quietly "$pid"
	done
}

exit_guest() # HOW OPTION...: a guest named one that goes on for ever
{
	local how=$1

	shift
	start_lkvm --name one -k "$guests/exit.elf" -p "$how" "$@"
	wait_line "exit: $how"
}

# A second guest, named two; what it prints is lost.
other_guest() # HOW
{
	"$LKVM" run --name two -k "$guests/exit.elf" -p "$1" </dev/null >other 2>&1 3>&- &
	other_pid=$!
	until grep -q "exit: $1" other; do
		kill -0 "$other_pid"
	done
}

wait_end() # of the guest that start_lkvm started; $status is its status
{
	status=0
	wait "$lkvm_pid" || status=$?
	lkvm_pid=
}

expect_nothing_left() {
	[ -z "$(ls -A "$LKVM_RUNTIME_DIR")" ]
}

json() # EXPRESSION: of the JSON j that the last command printed
{
	python3 -c 'import json, sys; j = json.loads(sys.stdin.read()); print(eval(sys.argv[1]))' \
		"$1" <<<"$output"
}

# A stdout that takes nothing more, as number $full.
fill_pipe() {
	mkfifo full
	# shellcheck disable=SC2034 # it only has to be open
	exec {full}<>full
	run dd if=/dev/zero of=full bs=4096 oflag=nonblock
	[[ $output == *'Resource temporarily unavailable'* ]]
}

# Its vCPU sits in the write to that pipe.
blocked_guest() {
	local told line

	fill_pipe
	mkfifo told
	exec {told}<>told
	lkvm_stdout=full
	lkvm_stderr=told
	start_lkvm --name one -k "$guests/exit.elf" -p chatter
	IFS= read -r -t "$last_resort" -u "$told" line
	[ "$line" = 'lkvm: the guest panicked and starts its crash kernel' ]
}

@test "control: list shows nothing, one guest, two guests" {
	lkvm list
	[ "$status" -eq 0 ] && [ "${#lines[@]}" -eq 1 ]
	lkvm list --json
	[ "$output" = '[]' ]
	exit_guest sleep -c 2 -m 128M
	lkvm list
	[ "${#lines[@]}" -eq 2 ]
	[[ ${lines[1]} =~ ^one\ +$lkvm_pid\ running\ +2\ +128\ MiB ]]
	other_guest spin
	lkvm list --json
	[ "$status" -eq 0 ] && [ -z "$stderr" ]
	[ "$(json '[(g["name"], g["pid"], g["state"], g["vcpus"], g["memory"]) for g in j]')" = \
		"[('one', $lkvm_pid, 'running', 2, 134217728), ('two', $other_pid, 'running', 1, 1073741824)]" ]
}

@test "control: a guest without a name is called after its process" {
	start_lkvm -k "$guests/exit.elf" -p spin
	wait_line 'exit: spin'
	lkvm list --json
	[ "$(json 'j[0]["name"]')" = "guest-$lkvm_pid" ]
	end_lkvm TERM
	expect_nothing_left
}

@test "control: stat in both forms" {
	exit_guest exits -c 2 --iommu=virtio -d ram:1M
	lkvm stat
	[ "$status" -eq 0 ] && [ "${lines[0]}" = 'name: one' ]
	[[ $output == *'type: virtio-iommu'*'type: virtio-blk'* ]]
	lkvm stat one --json
	[ "$status" -eq 0 ] && [ -z "$stderr" ]
	[ "$(json 'j["state"], len(j["vcpus"]), j["memory"]["size"]')" = "('running', 2, 1073741824)" ]
	[ "$(json '[(d["where"], d["type"], d["busy"], d["behind_iommu"]) for d in j["devices"]]')" = \
		"[('00:01.0', 'virtio-iommu', False, False), ('00:02.0', 'virtio-blk', False, True)]" ]
	[ "$(json '0 < j["memory"]["resident"] < 1073741824')" = True ]
	[ "$(json 'j["vcpus"][0]["exits"]["io"] > 0 and j["vcpus"][1]["exits"]["io"] == 0')" = True ]
}

@test "control: the counters of the demo, which ends while it is looked at" {
	mkfifo small
	exec {lkvm_out}<>small
	# Less than it prints from there on: it has to wait for who reads.
	python3 -c 'import fcntl, sys; fcntl.fcntl(int(sys.argv[1]), 1031, 4096)' "$lkvm_out"
	lkvm_stdout=small
	start_lkvm --name one --iommu=virtio,tables=none --quiet
	wait_line 'a pattern written'
	lkvm stat one --json
	[ "$status" -eq 0 ]
	[ "$(json 'j["devices"][0]["iommu_requests"]["attach"]["OK"] > 0')" = True ]
	[ "$(json 'j["devices"][1]["queues"][0]["requests"] > 0')" = True ]
	[ "$(json 'j["devices"][1]["queues"][0]["iotlb_hits"] > 0')" = True ]
	[ "$(json 'j["devices"][1]["faults"] > 0')" = True ]
	[ "$(json 'j["devices"][1]["writes"]["bytes"] > 0')" = True ]
	[ "$(json 'j["serial_port"]')" = "{'bytes_dropped': 0}" ]
	lkvm iommu --json --mappings
	[ "$status" -eq 0 ]
	[ "$(json 'sum(len(d["mappings"]) for d in j["domains"]) == j["nr_mappings"]')" = True ]
	[ "$(json 'all(int(m["start"], 0) < int(m["last"], 0) for d in j["domains"] for m in d["mappings"])')" = True ]
	[ "$(json '[e["id"] for e in j["endpoints"]]')" = "['0x10', '0x18']" ]
	lkvm iommu --domain 4000000000
	expect_error 'there is no domain 4000000000'
	wait_line '0 failed'
	wait_end
	[ "$status" -eq 0 ]
	expect_nothing_left
}

@test "control: a guest without an IOMMU" {
	exit_guest sleep
	lkvm iommu
	expect_error "guest 'one'" 'no IOMMU'
}

@test "control: stat tells what the serial port printed to nobody" {
	start_lkvm --name one -k "$guests/exit.elf" -p chatter --serial socket=line
	until lkvm stat one --json && [ "$(json 'j["serial_port"]["bytes_dropped"] > 0')" = True ]; do
		kill -0 "$lkvm_pid"
	done
	end_lkvm TERM
	[ "$status" -eq 143 ]
}

@test "control: pause and resume, each twice" {
	local before

	exit_guest exits -c 2
	lkvm pause one
	[ "$status" -eq 0 ] && [ -z "$output$stderr" ]
	lkvm pause --json
	[ "$(json 'j["name"], j["state"]')" = "('one', 'paused')" ]
	lkvm stat --json
	[ "$(json 'j["state"]')" = paused ]
	before=$(json 'j["vcpus"][0]["exits"]')
	lkvm stat --json
	[ "$(json 'j["vcpus"][0]["exits"]')" = "$before" ]
	lkvm resume one
	[ "$status" -eq 0 ]
	lkvm resume --json
	[ "$(json 'j["state"]')" = running ]
	until lkvm stat --json && [ "$(json 'j["vcpus"][0]["exits"]')" != "$before" ]; do :; done
}

@test "control: pause and resume a hundred times, from two sides" {
	exit_guest exits -c 2
	for _ in {1..50}; do
		"$LKVM" pause one 2>side || grep -q 'somebody else resumed' side
		"$LKVM" resume one
	done &
	for _ in {1..50}; do
		"$LKVM" pause one 2>other || grep -q 'somebody else resumed' other
		"$LKVM" resume one
	done
	wait $!
	lkvm list --json
	[ "$(json 'j[0]["state"]')" = running ]
}

@test "control: signals and stop --force end a guest that is paused" {
	exit_guest sleep -c 2
	lkvm pause
	end_lkvm TERM
	[ "$status" -eq 143 ]
	rm -f life out
	exit_guest spin
	lkvm pause
	lkvm stop
	expect_error "guest 'one'" 'paused' 'resume'
	lkvm stop --force
	[ "$status" -eq 0 ]
	wait_end
	[ "$status" -eq 143 ]
	expect_nothing_left
}

@test "control: pause, stat and stop with a vCPU that waits for the console's reader" {
	blocked_guest
	lkvm pause
	[ "$status" -eq 0 ]
	lkvm list --json
	[ "$(json 'j[0]["state"]')" = paused ]
	lkvm stat --json
	[ "$status" -eq 0 ]
	lkvm resume
	[ "$status" -eq 0 ]
	lkvm stop --force
	[ "$status" -eq 0 ]
	wait_end
	[ "$status" -eq 143 ]
	expect_nothing_left
}

forced() # HOW OPTION...
{
	exit_guest "$@"
	lkvm stop --force --json
	[ "$status" -eq 0 ]
	[ "$(json 'j["name"], j["ended"]')" = "('one', True)" ]
	wait_end
	[ "$status" -eq 143 ]
	expect_nothing_left
	rm -f life out
}

@test "control: stop --force ends guests in every state" {
	forced spin
	forced sleep -c 2
	forced exits
}

@test "control: stop --force ends a guest that waits for its kernel" {
	local writer

	mkfifo kernel
	start_lkvm --name one -k kernel
	exec {writer}>kernel
	lkvm list --json
	[ "$(json 'j[0]["name"], j[0]["pid"], j[0]["state"]')" = "('one', $lkvm_pid, 'starting')" ]
	lkvm stop
	expect_error "guest 'one'" 'starting'
	lkvm stop --force
	[ "$status" -eq 0 ]
	wait_end
	[ "$status" -eq 143 ]
	expect_nothing_left
}

@test "control: stop --force ends an lkvm that is stopped itself" {
	exit_guest spin
	kill -s STOP "$lkvm_pid"
	lkvm stop --force
	[ "$status" -eq 0 ]
	expect_nothing_left
}

@test "control: guests that do not answer, next to one that does" {
	local name

	for name in a b; do
		"$LKVM" run --name "$name" -k "$guests/exit.elf" -p sleep </dev/null >"$name.out" 2>&1 3>&- &
		stopped+=("$!")
		until grep -q 'exit: sleep' "$name.out"; do kill -0 "$!"; done
		kill -s STOP "$!"
	done
	exit_guest sleep
	lkvm list --json
	[ "$status" -eq 0 ] && [ -z "$stderr" ]
	[ "$(json '[(g["name"], g["state"], "vcpus" in g) for g in j]')" = \
		"[('a', 'unresponsive', False), ('b', 'unresponsive', False), ('one', 'running', True)]" ]
	lkvm list
	[[ ${lines[1]} =~ ^a\ +${stopped[0]}\ unresponsive\ +- ]]
	lkvm list --names
	[ "$output" = $'a\nb\none' ]
	lkvm list --names --json
	[ "$(json j)" = "['a', 'b', 'one']" ]
	lkvm stop a --timeout 0
	expect_error "guest 'a' does not answer" 'lkvm stop --force a'
	for name in a b; do
		lkvm stop --force "$name"
		[ "$status" -eq 0 ]
	done
}

@test "control: stop waits for a guest without a driver no longer than it may" {
	exit_guest spin
	lkvm stop --timeout 0
	expect_error "guest 'one'" 'runs on' 'lkvm stop --force one'
	lkvm stop --timeout 1 --json
	[ "$status" -ne 0 ]
	[ "$(json 'j["ended"]')" = False ]
	kill -0 "$lkvm_pid"
}

@test "control: a name that is taken, and one that is free after SIGKILL" {
	exit_guest spin
	run_lkvm --name one -k "$guests/exit.elf" -p poweroff
	expect_error "'one' runs already" "process $lkvm_pid" '--name'
	end_lkvm KILL
	[ -e runtime/one.lock ] && [ -e runtime/one.sock ]
	run_lkvm --name one -k "$guests/exit.elf" -p poweroff
	[ "$status" -eq 0 ] && [ -z "$stderr" ]
	expect_nothing_left
}

@test "control: list removes what a killed guest left" {
	exit_guest spin
	end_lkvm KILL
	lkvm list --json
	[ "$output" = '[]' ] && [ -z "$stderr" ]
	expect_nothing_left
	lkvm stat one
	expect_error "no guest named 'one'"
}

@test "control: of twenty that start with one name one runs" {
	local i pids=()

	for i in {1..20}; do
		{
			"$LKVM" run --name one -k "$guests/exit.elf" -p spin -m 64M </dev/null \
				>"out$i" 2>"err$i" || echo "$?" >"status$i"
		} 3>&- &
		pids+=("$!")
	done
	until [ "$(cat status* 2>/dev/null | grep -c '^1$')" -eq 19 ]; do
		[ "$(cat err* 2>/dev/null | wc -l)" -le 19 ]
	done
	[ "$(cat err* | grep -c "'one' runs already")" -eq 19 ]
	until grep -q 'exit: spin' out*; do :; done
	lkvm stop --force one
	[ "$status" -eq 0 ]
	wait "${pids[@]}"
	[ "$(cat status* | grep -c '^143$')" -eq 1 ]
	expect_nothing_left
}

@test "control: every signal that ends lkvm leaves nothing, also twice" {
	mkdir files
	python3 - "$LKVM" "$guests/exit.elf" <<-'EOF'
		import os, pty, resource, signal, subprocess, sys, termios
		S = signal
		resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
		harmless = {S.SIGPIPE, S.SIGXFSZ, S.SIGRTMAX}
		stopping = {S.SIGSTOP, S.SIGTSTP, S.SIGTTIN, S.SIGTTOU}
		nothing = {S.SIGCHLD, S.SIGCONT, S.SIGURG, S.SIGWINCH}
		faults = {S.SIGILL, S.SIGTRAP, S.SIGABRT, S.SIGBUS, S.SIGFPE, S.SIGSEGV, S.SIGSYS}
		# Those before 35 may be the C library's.
		ending = set(range(1, 32)) | {35, 50, S.SIGRTMAX - 1}
		ending -= harmless | stopping | nothing | {S.SIGKILL}
		# A background process of a shell ignores some.
		for number in S.valid_signals() - {S.SIGKILL, S.SIGSTOP}:
		    S.signal(number, S.SIG_DFL)
		for number in sorted(ending):
		    master, slave = pty.openpty()
		    before = termios.tcgetattr(slave)
		    lkvm = subprocess.Popen([sys.argv[1], "run", "--name", "one", "-k", sys.argv[2],
		        "-p", "spin", "--console", "socket=files/socket", "--console",
		        "pty=files/pty"], stdin=slave, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
		    assert b"spin" in lkvm.stdout.readline()
		    assert sorted(os.listdir("files")) == ["pty", "socket"]
		    assert termios.tcgetattr(slave) != before
		    for i in harmless:
		        lkvm.send_signal(i)
		    for i in range(1 + number % 2):
		        lkvm.send_signal(number)
		    expected = -number if number in faults else 128 + number
		    assert lkvm.wait(60) == expected, (number, lkvm.returncode)
		    left = os.listdir("files") + os.listdir(os.environ["LKVM_RUNTIME_DIR"])
		    assert not left, (number, left)
		    assert termios.tcgetattr(slave) == before, number
		    os.close(master)
		    os.close(slave)
	EOF
}

@test "control: a signal that was ignored at the start stays so" {
	python3 - "$LKVM" "$guests/exit.elf" <<-'EOF'
		import signal, subprocess, sys
		ignored = signal.SIGHUP, signal.SIGUSR1, signal.SIGALRM, signal.SIGTRAP
		for number in ignored:
		    signal.signal(number, signal.SIG_IGN)
		lkvm = subprocess.Popen([sys.argv[1], "run", "-k", sys.argv[2], "-p", "spin"],
		    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
		assert b"spin" in lkvm.stdout.readline()
		for number in ignored + (signal.SIGTERM,):
		    lkvm.send_signal(number)
		assert lkvm.wait(60) == 128 + signal.SIGTERM, lkvm.returncode
	EOF
	expect_nothing_left
}

@test "control: a signal while the kernel is read leaves nothing" {
	local signal writer

	mkfifo kernel
	mkdir files
	for signal in TERM HUP USR1 ALRM IO RTMIN+1 RTMAX SEGV; do
		start_lkvm --name one -k kernel --serial socket=files/serial \
			--console socket=files/socket --console pty=files/pty
		exec {writer}>kernel
		[ -e runtime/one.lock ]
		[ "$(cd files && echo *)" = 'pty serial socket' ]
		end_lkvm "$signal"
		[ "$status" -gt 128 ]
		exec {writer}>&-
		expect_nothing_left
		[ -z "$(ls -A files)" ]
		rm life out
	done
}

# Runs the Python text of stdin as a shell with a terminal of its own, and these functions.
as_shell() {
	cat >shell.py <<-'EOF'
		import fcntl, os, pty, signal, sys, termios, time
		master, tty = pty.openpty()
		os.set_blocking(master, False)
		if os.fork():
		    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
		signal.alarm(100)
		os.setsid()
		fcntl.ioctl(tty, termios.TIOCSCTTY, 0)
		signal.signal(signal.SIGTTOU, signal.SIG_IGN)
		def modes():
		    return termios.tcgetattr(tty)
		def is_raw():
		    return not modes()[3] & termios.ICANON
		def set_modes(to):
		    termios.tcsetattr(tty, termios.TCSANOW, to)
		def start(foreground):
		    pid = os.fork()
		    if not pid:
		        os.setpgid(0, 0)
		        if foreground:
		            os.tcsetpgrp(tty, os.getpgid(0))
		        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
		        for i in range(3):
		            os.dup2(tty, i)
		        os.execv(sys.argv[1], [sys.argv[1], "run", "-q", "-k", sys.argv[2], "-p", "spin"])
		    seen = b""
		    while b"exit: spin" not in seen:
		        stopped = os.waitpid(pid, os.WUNTRACED | os.WNOHANG)
		        assert not stopped[0], stopped
		        try:
		            seen += os.read(master, 1000)
		        except BlockingIOError:
		            time.sleep(0.01)
		    return pid
		def foreground(pid):
		    os.tcsetpgrp(tty, pid)
		    os.kill(pid, signal.SIGCONT)
		    while not is_raw():
		        time.sleep(0.01)
		def take():
		    os.tcsetpgrp(tty, os.getpgid(0))
		def stop(pid, number):
		    os.kill(pid, number)
		    assert os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1])
		def end(pid):
		    os.kill(pid, signal.SIGTERM)
		    os.kill(pid, signal.SIGCONT)
		    status = os.waitpid(pid, os.WUNTRACED)[1]
		    assert os.WIFEXITED(status) and os.WEXITSTATUS(status) == 143, status
		before = modes()
		editor = modes()
		editor[3] &= ~termios.ECHO
	EOF
	cat >>shell.py
	python3 shell.py "$LKVM" "$guests/exit.elf" 3>&-
	expect_nothing_left
}

@test "control: in the background the terminal is left alone, in the foreground it is raw" {
	as_shell <<-'EOF'
		pid = start(False)
		assert modes() == before
		end(pid)
		assert modes() == before
		pid = start(False)
		foreground(pid)
		end(pid)
		assert modes() == before
	EOF
}

@test "control: what was stopped and goes on in the background ends by a signal" {
	as_shell <<-'EOF'
		# A shell that sets the modes for what it starts next, and one that does not.
		for now, later in (editor, editor), (None, before):
		    pid = start(True)
		    assert is_raw()
		    stop(pid, signal.SIGSTOP)
		    take()
		    if now:
		        set_modes(now)
		    os.kill(pid, signal.SIGCONT)
		    end(pid)
		    assert modes() == later
		    set_modes(before)
	EOF
}

@test "control: SIGTSTP leaves the terminal in order until lkvm goes on" {
	as_shell <<-'EOF'
		pid = start(True)
		for i in range(2):
		    assert is_raw()
		    stop(pid, signal.SIGTSTP)
		    assert modes() == before
		    take()
		    foreground(pid)
		end(pid)
		assert modes() == before
	EOF
}

@test "control: what ends by itself leaves nothing" {
	run_lkvm -k "$guests/exit.elf" -p poweroff
	[ "$status" -eq 0 ]
	expect_nothing_left
	run_lkvm -k "$guests/exit.elf" -p triple-fault
	[ "$status" -eq 1 ]
	expect_nothing_left
	run_lkvm -k /nonexistent
	[ "$status" -eq 1 ]
	expect_nothing_left
}

@test "control: the terminal is raw again after a stop, and in order after a crash" {
	LKVM_RUNTIME_DIR=$BATS_TEST_TMPDIR/runtime run -139 "$LKVM_TEST_BIN/pty-run" 'expect=echo: ready' raw \
		signal=19 signal=18 raw signal=11 -- "$LKVM" run -k "$guests/echo.elf"
	echo "$output"
	expect_nothing_left
}

@test "control: a directory that others can write to is refused" {
	mkdir runtime
	chmod 0777 runtime
	run_lkvm -k "$guests/exit.elf" -p poweroff
	expect_error 'other users can write' "$LKVM_RUNTIME_DIR"
	lkvm list
	expect_error 'other users can write'
}

@test "control: mistakes on the command line" {
	run_lkvm --name a/b
	expect_error "--name: 'a/b' is not a name"
	run_lkvm --name -x
	expect_error '--name'
	run_lkvm --name "$(printf 'x%.0s' {1..65})"
	expect_error '--name'
	run_lkvm --name a --name b
	expect_error '--name is given twice'
	lkvm stat
	expect_error 'no guest runs' "$LKVM_RUNTIME_DIR"
	lkvm stop one two
	expect_error "'one' and 'two'"
	lkvm stop ../x
	expect_error "'../x' is not the name of a guest"
	lkvm stop --timeout never
	expect_error "--timeout: 'never'"
	lkvm stop --force --timeout 5
	expect_error '--timeout 5' '--force'
	lkvm list one
	expect_error "'one' belongs to no option"
	lkvm iommu --domain x
	expect_error "--domain: 'x'"
	lkvm iommu --from ''
	expect_error "--from: ''"
	lkvm iommu --from 5
	expect_error '--from 5' 'add --mappings'
	lkvm stat --jsn
	expect_error "did you mean '--json'"
	other_guest sleep
	exit_guest sleep
	lkvm pause
	expect_error '2 guests run' 'one, two'
}

@test "control: help explains each verb" {
	for verb in list stop pause resume stat iommu; do
		lkvm help $verb
		[ "$status" -eq 0 ] && [[ ${lines[0]} == "usage: lkvm $verb"* ]]
		lkvm $verb --help
		[ "$status" -eq 0 ] && [[ ${lines[0]} == "usage: lkvm $verb"* ]]
	done
}

@test "control: a client that says nothing, or nonsense, or never reads" {
	exit_guest exits
	python3 - <<-'EOF' &
		import os, socket, time
		os.chdir("runtime")
		clients = []
		for i in range(100):
		    c = socket.socket(socket.AF_UNIX)
		    c.connect("one.sock")
		    try:
		        c.send([b"", b"\0\xff" * 100, b"stat json\n", b"stat", b"pause now\n"][i % 5])
		    except OSError:
		        pass
		    clients.append(c)
		open("../connected", "w")
		time.sleep(1000)
	EOF
	local hostile=$!

	until [ -e connected ]; do kill -0 $hostile; done
	lkvm resume one
	[ "$status" -eq 0 ]
	lkvm stat one
	[ "$status" -eq 0 ]
	end_lkvm TERM
	[ "$status" -eq 143 ]
	kill $hostile
}
