# SPDX-License-Identifier: GPL-2.0-only
# Stock Debian guests under the verbs that control them, in the lab.

load linux

@test "power button, pause under load, and an end by force" {
	local kernels=() kernel expected=''

	# No stock kernel for riscv64 has a driver for the button.
	case $arch in
	x86) kernels=(7 6.12) ;;
	arm64) kernels=("$button") ;;
	esac
	for kernel in "${kernels[@]}"; do
		expected+="$kernel: powered off"$'\n'
	done
	in_lab --cpus 2 --guest "$newest" --guest 6.12 --guest "${button:-6.12}" \
		--env "BUTTONS=${kernels[*]}" --env IOMMU="$iommu" "$scripts/control.sh"
	[ "$status" = 0 ]
	[ "$output" = "${expected}paused, counted
mapped, resumed
copied
ended while it booted, running
ended while it booted, paused
1" ]
}
