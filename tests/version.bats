#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# lkvm version: what the build and the host can do, whatever is missing there.

load helpers

setup()
{
	need "$LKVM"
}

# The facts on a host kernel that these settings make up: tests/shims/kvm-shim.c.
features_on() # NAME=VALUE...
{
	need "$LKVM_TEST_BIN/lkvm-dynamic" "$LKVM_TEST_BIN/kvm-shim.so"
	lkvm_command=(env "LD_PRELOAD=$LKVM_TEST_BIN/kvm-shim.so" "$@" "$LKVM_TEST_BIN/lkvm-dynamic")
	lkvm version --features
	[ "$status" -eq 0 ]
	[ -z "$stderr" ]
}

has() # LINE
{
	grep -qxF -- "$1" <<<"$output"
}

names()
{
	cut -d : -f 1 <<<"$output"
}

@test "version: one line" {
	lkvm version
	[ "$status" -eq 0 ]
	[[ $output =~ ^lkvm\ [0-9.]+$ ]]
	lkvm --version
	[[ $output =~ ^lkvm\ [0-9.]+$ ]]
}

@test "version: one fact a line, each name once" {
	lkvm version --features
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -gt 30 ]
	[ -z "$(names | sort | uniq -d)" ]
	has 'device.disk: yes'
	has 'virtio.transport.pci: yes'
	has "host.kernel: $(uname -r)"
	has "version: $("$LKVM" version | cut -d ' ' -f 2)"
	run ! grep -vE '^[a-z][A-Za-z0-9.-]*: [^ ].*$' <<<"$output"
}

@test "version: as JSON, the same facts" {
	lkvm version --features
	text=$output
	lkvm version --features --json
	[ "$status" -eq 0 ]
	run python3 -c '
import json, sys
words = {True: "yes", False: "no"}
for name, value in json.loads(sys.argv[1]).items():
    print(name + ": " + (words[value] if isinstance(value, bool) else str(value)))' "$output"
	[ "$output" = "$text" ]
}

@test "version: a host without KVM" {
	need_kvm
	features_on
	expected=$(names)
	has 'host.kvm: yes'
	has 'host.kvm.obstacle: none'
	has 'host.kvm.api: 12'
	has 'host.kvm.irqfd: yes'

	features_on KVM_SHIM_PATH=/nonexistent
	has 'host.kvm: no'
	has 'host.kvm.obstacle: No such file or directory'
	has 'host.kvm.api: 0'
	has 'host.kvm.max-vcpus: 0'
	has 'host.kvm.irqfd: no'
	[ "$(names)" = "$expected" ]

	features_on KVM_SHIM_OPEN=13
	has 'host.kvm.obstacle: Permission denied'
	[ "$(names)" = "$expected" ]

	features_on KVM_SHIM_PATH=/dev/null
	has 'host.kvm: no'
	has 'host.kvm.obstacle: /dev/kvm is not a KVM device'
}

@test "version: a KVM that lacks something" {
	need_kvm
	features_on KVM_SHIM_NO_CAP=32
	has 'host.kvm: yes'
	has 'host.kvm.irqfd: no'
	has 'host.kvm.ioeventfd: yes'
	features_on KVM_SHIM_NO_CAP=66
	has "host.kvm.max-vcpus: $(sed -n 's/^host.kvm.recommended-vcpus: //p' <<<"$output")"
	features_on KVM_SHIM_API=11
	has 'host.kvm: no'
	has 'host.kvm.api: 11'
	has 'host.kvm.obstacle: it speaks another version of the API'
}

@test "version: mistakes" {
	lkvm version --feature
	expect_error "--feature" "did you mean '--features'"
	lkvm version x
	expect_error "'x'"
}
