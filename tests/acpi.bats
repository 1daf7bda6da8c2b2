#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# What ACPICA's compiler makes of the x86 tables, in each configuration of test-acpi.

load helpers

setup() {
	if ! command -v iasl >/dev/null || ! command -v acpiexec >/dev/null; then
		skip "needs iasl and acpiexec (acpica-tools)"
	fi
	test_acpi=$LKVM_TEST_BIN/test-acpi
	need "$test_acpi"
}

# The bytes of table $1, in hex, but for the checksum and the creator ID and revision,
# which are of the tool that wrote it.
bytes() {
	od -An -v -tx1 -w1 "$1" | sed -e 10d -e 29,36d
}

# Dumps configuration $1, disassembles each table and compiles the result: not one
# error, warning or remark, and the same bytes where iasl knows all of the format.
round_trip() {
	local dir=$BATS_TEST_TMPDIR table name

	run -0 "$test_acpi" --dump "$dir" "$1"
	for table in "$dir"/*.dat; do
		name=$(basename "$table" .dat)
		# iasl takes the RSDP for no table; the unit tests look at it.
		[ "$name" != RSDP ] || continue

		run -0 iasl -d -p "$dir/$name" "$table"
		echo "$output"
		[[ $output != *Error* && $output != *Warning* && $output != *Remark* ]]
		[[ $output != *Invalid* && $output != *ncorrect* ]]

		run -0 iasl -we -p "$dir/again-$name" "$dir/$name.dsl"
		echo "$output"
		[[ $output == *"0 Errors, 0 Warnings, 0 Remarks"* ]]

		case $name in
		VIOT | SPCR) ;; # unknown to old ones, in whole or in part
		*) diff <(bytes "$table") <(bytes "$dir/again-$name.aml") ;;
		esac
	done
}

@test "acpi: one CPU, no I/O and no 64-bit window" {
	round_trip small
	[ ! -e "$BATS_TEST_TMPDIR/VIOT.dat" ]
}

@test "acpi: two CPUs, a virtio-iommu and three endpoints" {
	round_trip typical
	[ -e "$BATS_TEST_TMPDIR/VIOT.dat" ]
}

@test "acpi: a virtio-iommu with nothing behind it" {
	round_trip lonely-iommu
}

@test "acpi: 255 CPUs" {
	round_trip big
}

@test "acpi: virtio-mmio devices, the virtio-iommu among them" {
	round_trip mmio
}

@test "acpi: a virtio-iommu on PCI, endpoints on PCI and on MMIO with a shared interrupt" {
	round_trip mixed
	# Those of the three devices, and the event device's.
	[ "$(grep -c 'Interrupt (ResourceConsumer, Level, ActiveHigh, Shared' \
		"$BATS_TEST_TMPDIR/DSDT.dsl")" -eq 4 ]
}

@test "acpi: ECAM above 4 GiB" {
	round_trip high-ecam
}

# Evaluates _OSC with UUID $1, revision $2 and capabilities $3, and expects the answer $4.
osc() {
	run -0 acpiexec -b "evaluate \\_SB.PCI0._OSC ($1) $2 3 ($3)" "$BATS_TEST_TMPDIR/DSDT.dat"
	echo "$output"
	[[ $output == *"Length 0C ="*": $4 "* ]]
}

@test "acpi: _OSC grants what there is and says what is wrong" {
	local pci="5b 4d db 33 f7 1f 1c 40 96 57 74 41 c0 3d d7 66"

	run -0 "$test_acpi" --dump "$BATS_TEST_TMPDIR" typical
	osc "$pci" 1 "00 00 00 00 1f 00 00 00 bf 00 00 00" "00 00 00 00 1F 00 00 00 BF 00 00 00"
	osc "$pci" 1 "01 00 00 00 1f 00 00 00 ff ff ff ff" "11 00 00 00 1F 00 00 00 BF 00 00 00"
	osc "$pci" 2 "00 00 00 00 1f 00 00 00 10 00 00 00" "08 00 00 00 1F 00 00 00 10 00 00 00"
	osc "ff${pci#5b}" 1 "00 00 00 00 1f 00 00 00 ff 00 00 00" \
		"04 00 00 00 1F 00 00 00 FF 00 00 00"
}

# What the event method does with an event register whose bytes are $1.
event() {
	run -0 acpiexec -fv "$1" -b 'evaluate \_SB.GED._EVT 9' "$BATS_TEST_TMPDIR/DSDT.dat"
	echo "$output"
	[[ $output != *AE_* ]]
}

@test "acpi: the event device notifies the power button if that was pressed" {
	run -0 "$test_acpi" --dump "$BATS_TEST_TMPDIR" typical
	event 1
	[[ $output == *"Notify on [PWRB]"*"Value 0x80"* ]]
	event 0
	[[ $output != *"Notify on"* ]]
}

@test "acpi: no configuration is left out here" {
	run -0 "$test_acpi" --configs
	while read -r config; do
		grep -q "^	round_trip $config\$" "$BATS_TEST_FILENAME"
	done <<<"$output"
}
