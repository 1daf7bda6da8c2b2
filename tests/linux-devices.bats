# SPDX-License-Identifier: GPL-2.0-only
# Every device with every transport and both layouts of virtqueues, with and without the
# virtio-iommu, in stock guests.

lab=$BATS_TEST_DIRNAME/lab/lab

setup_file()
{
	"$lab" fetch x86
}

@test "every device over each transport, with each layout, with and without the IOMMU" {
	cat >"$BATS_TEST_TMPDIR/table" <<-'EOF'
		7 pci split none
		7 pci packed none
		7 mmio split none
		7 mmio packed none
		7 pci split pci
		7 pci packed pci
		7 mmio split mmio
		7 mmio packed mmio
		7 mmio packed pci
		7 pci split mmio
		6.12 pci packed pci
		6.12 mmio split mmio
	EOF
	run "$lab" run --guest 7 --guest 6.12 x86 "$BATS_TEST_DIRNAME/linux/devices.sh" \
		"$BATS_TEST_DIRNAME"/linux/{devices-guest.sh,expected-dmesg} "$BATS_TEST_TMPDIR/table"
	echo "$output"
	[ "$status" = 0 ]
	[ "$output" = "$(sed 's/$/: read ping receive rng write send console channel/' \
		"$BATS_TEST_TMPDIR/table")" ]
}
