# SPDX-License-Identifier: GPL-2.0-only
# What the machine itself has, in stock guests in the lab: vCPUs, memory in huge pages and in
# chosen banks, and random numbers. All in one boot of a KVM host.

lab=$BATS_TEST_DIRNAME/lab/lab

setup_file()
{
	"$lab" fetch x86
}

@test "Debian 6.12 on pages of a pool, in banks; 7.x with 8 vCPUs on huge pages; hwrng" {
	run "$lab" run --guest 6.12 --guest 7 --guest 6.1 x86 "$BATS_TEST_DIRNAME/linux/machine.sh" \
		"$BATS_TEST_DIRNAME/linux/machine-check.sh" \
		"$BATS_TEST_DIRNAME/linux/expected-dmesg"
	echo "$output"
	[ "$status" = 0 ]
	[ "$output" = "pages of the pool, banks: done
8 vCPUs, transparent huge pages: done
small pages: done" ]
}
