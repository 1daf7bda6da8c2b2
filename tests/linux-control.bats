# SPDX-License-Identifier: GPL-2.0-only
# Stock Debian guests under the verbs that control them, in the lab.

lab=$BATS_TEST_DIRNAME/lab/lab

setup_file()
{
	"$lab" fetch x86
}

@test "power button, pause under load, and an end by force" {
	run "$lab" run --cpus 2 --guest 7 --guest 6.12 x86 "$BATS_TEST_DIRNAME/linux/control.sh"
	echo "$output"
	[ "$status" = 0 ]
	[ "$output" = "7: powered off
6.12: powered off
paused, counted
mapped, resumed
copied
ended while it booted, running
ended while it booted, paused
1" ]
}
