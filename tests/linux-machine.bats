# SPDX-License-Identifier: GPL-2.0-only
# What the machine itself has, in stock guests in the lab: vCPUs, memory in huge pages and in
# chosen banks, and random numbers. All in one boot of a KVM host.

load linux

@test "Debian 6.12 on pages of a pool, in banks; the newest with 8 vCPUs on huge pages; hwrng" {
	local low=0x80000000 oldest=6.1

	[ "$arch" != x86 ] || low=0
	[ "$arch" != riscv64 ] || oldest=6.12
	in_lab --guest 6.12 --guest "$newest" --guest $oldest --env NEWEST="$newest" \
		--env OLDEST=$oldest --env LOW=$low --env IOMMU="$iommu" "$scripts/machine.sh" \
		"$scripts"/{machine-check.sh,expected-dmesg}
	[ "$status" = 0 ]
	[ "$output" = "pages of the pool, banks: done
8 vCPUs, transparent huge pages: done
small pages: done" ]
}
