# SPDX-License-Identifier: GPL-2.0-only
# Every device with every transport and both layouts of virtqueues, with and without the
# virtio-iommu, in stock guests.

load linux

@test "every device over each transport, with each layout, with and without the IOMMU" {
	# Every two of the kernels, transports, layouts and places of the IOMMU meet, once with
	# pages of another size, where there are such kernels.
	if [ "$iommu" ]; then
		cat <<-EOF
			$newest pci split none
			6.12 mmio packed none
			$newest mmio packed pci
			6.12 pci split pci
			$pages pci packed mmio
			6.12 mmio split mmio
		EOF
	else
		cat <<-EOF
			$newest pci split none
			$newest pci packed none
			$newest mmio split none
			$newest mmio packed none
		EOF
	fi >"$BATS_TEST_TMPDIR/table"
	qemu-img create -q -f qcow2 "$BATS_TEST_TMPDIR/files.qcow2" 32M
	in_lab --guest "$newest" --guest 6.12 --guest "$pages" "$scripts/devices.sh" \
		"$scripts"/{devices-guest.sh,expected-dmesg} \
		"$BATS_TEST_TMPDIR"/{table,files.qcow2}
	[ "$status" = 0 ]
	[ "$output" = "$(sed 's/$/: read ping receive rng qcow2 write send console channel/' \
		"$BATS_TEST_TMPDIR/table")" ]
}

# bats test_tags=not-riscv64
@test "a program drives the DMA engine through VFIO: mapped, unmapped, interrupts" {
	local given=$iommu

	# On arm64, Linux refuses messages of a device in VFIO's hands since 6.15 where their
	# doorbell is a region that it must not map.
	[ "$arch" != arm64 ] || given+=,msi=mapped
	in_lab --env "IOMMU=$given" "$scripts/engine.sh" "$tools/vfio-dma"
	[ "$status" = 0 ]
	[ "$output" = 'copied
never mapped: fault at 0x50000000
unmapped: fault at 0x40010000
mapped again' ]
}
