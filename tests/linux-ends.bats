# SPDX-License-Identifier: GPL-2.0-only
# How bare-metal guests end in the lab, and how many CPUs they start: what exit.bats has of x86,
# on the architectures that this machine's KVM does not have.

load helpers
load linux

# bats test_tags=not-x86
@test "ends: poweroff, reset, panic, a status; all CPUs; force" {
	need "$guests/exit.img" "$guests/smp.img"
	in_lab "$scripts/ends.sh" "$guests"/{exit,smp}.img
	[ "$status" = 0 ]
	[ "$output" = 'poweroff
status 0: exit: going on
status 0: exit: going on
reset
status 0: no more
status 0: no more
panic
status 1: no more
lkvm: error: the guest panicked
status 1: no more
lkvm: error: the guest panicked
crash-kernel
status 0: exit: going on
status 0: exit: going on
7 by --test-exit
status 7: exit: going on
3 CPUs
status 0: smp: 10 checks passed, 0 failed
8 CPUs
status 0: smp: 10 checks passed, 0 failed
stopped
status 143' ]
}
