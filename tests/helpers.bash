# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Shared by the .bats files that run lkvm. What bats sets, and what they use, is not seen here:
# shellcheck disable=SC2034,SC2154

bats_require_minimum_version 1.5.0

tree=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)
LKVM=$(realpath -m "${LKVM:-$tree/lkvm}")
LKVM_TEST_BIN=$(realpath -m "${LKVM_TEST_BIN:-$tree/build/${LKVM_TEST_ARCH:-${ARCH:-x86}}/tests}")
guests=${LKVM_TEST_BIN%/tests}/guest

# A guest that hangs ends a test after so many seconds. Nothing that goes well comes near it.
last_resort=120

# Ends the test if what it uses was not built.
need() # FILE...
{
	local file

	for file; do
		if [ ! -e "$file" ]; then
			echo "there is no $file: make check-build" >&2
			return 1
		fi
	done
}

need_kvm()
{
	if [ ! -r /dev/kvm ] || [ ! -w /dev/kvm ]; then
		skip "no usable /dev/kvm"
	fi
}

# lkvm with these arguments, with $status, $output and $stderr afterwards. A test may put
# another program in its place or a command before it: lkvm_command is an array.
lkvm_command=("$LKVM")
lkvm()
{
	run --separate-stderr timeout -k 5 "$last_resort" "${lkvm_command[@]}" "$@" </dev/null
	# Shown only if the test fails.
	printf '$ lkvm %s\nexit status %s\nstdout:\n%s\nstderr:\n%s\n' "$*" "$status" "$output" \
		"$stderr"
}

run_lkvm()
{
	lkvm run "$@"
}

# What a mistake leads to: nothing but one line that says what is wrong.
expect_error() # TEXT...: each is in that line
{
	local text

	[ "$status" -ne 0 ] && [ "$status" -lt 124 ] || return 1
	[ -z "$output" ] || return 1
	[ "${#stderr_lines[@]}" -eq 1 ] || return 1
	[[ $stderr == 'lkvm: error: '* ]] || return 1
	for text; do
		if [[ $stderr != *"$text"* ]]; then
			echo "not there: $text"
			return 1
		fi
	done
}

# An lkvm in the background until end_lkvm or kill_lkvm, in a folder of the test's own. What it
# prints is for wait_line and in the file err, or goes to the files $lkvm_stdout and $lkvm_stderr;
# what it reads is open as number $lkvm_stdin.
start_lkvm() # OPTION...
{
	[ "${lkvm_stdin:-}" ] || exec {lkvm_stdin}</dev/null
	mkfifo life
	[ "${lkvm_stdout:-}" ] || mkfifo out
	# 3 is where bats prints: it would wait for lkvm to close that.
	"$LKVM" run "$@" <&"$lkvm_stdin" >"${lkvm_stdout:-out}" 2>"${lkvm_stderr:-err}" 3>&- 9>life &
	lkvm_pid=$!
	[ "${lkvm_stdout:-}" ] || exec {lkvm_out}<out
	exec {lkvm_life}<life
}

wait_line() # TEXT: until lkvm prints a line with it
{
	local line

	while IFS= read -r -t "$last_resort" -u "$lkvm_out" line; do
		echo "$line"
		[[ $line != *"$1"* ]] || return 0
	done
	echo "lkvm did not print: $1"
	cat err
	return 1
}

end_lkvm() # SIGNAL: puts the exit status in $status
{
	local rc=0

	kill -s "$1" "$lkvm_pid"
	# The fifo ends with the last process that has it open.
	read -r -t "$last_resort" -u "$lkvm_life" || rc=$?
	if [ "$rc" -gt 128 ]; then
		echo "lkvm goes on after SIG$1"
		kill -s KILL "$lkvm_pid"
	fi
	status=0
	wait "$lkvm_pid" || status=$?
	lkvm_pid=
}

# Waits, too, since bash would say later that the process was killed.
kill_quietly() # PID
{
	{
		kill -s KILL "$1"
		wait "$1"
	} 2>/dev/null || true
}

# For each teardown().
kill_lkvm()
{
	[ -z "${lkvm_pid:-}" ] || kill_quietly "$lkvm_pid"
}
