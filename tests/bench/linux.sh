#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What the virtio-iommu costs a stock guest: its boot, and direct reads from a disk. Runs in the
# lab; prints lines as machine.sh does. IOMMU=no: the guest's kernel has no driver.
set -eu

reads=${READS:-4000}
truncate -s 64M disk

# shellcheck disable=SC2016 # expands in the guest
script='
	read -r boot rest </proc/uptime
	disk=/dev/vda
	dd if=$disk of=/dev/null bs=4k count=100 iflag=direct 2>/dev/null || exit 1
	read -r start rest </proc/uptime
	dd if=$disk of=/dev/null bs=4k count='$reads' iflag=direct 2>/dev/null || exit 1
	read -r end rest </proc/uptime
	type=none
	for group in /sys/kernel/iommu_groups/*/type; do
		[ ! -r "$group" ] || read -r type <$group
	done
	echo $type $boot $start $end'

measure() # WHO TYPE APPEND [OPTION...]
{
	who=$1
	type=$2
	append=$3
	shift 3
	# Through a file, since its exit status counts.
	lab-guest --limit 300 --append "$append" "$@" -m 512 -d disk -- -c "$script" >said
	# shellcheck disable=SC2046
	set -- $(cat said)
	if [ $# != 4 ] || [ "$1" != "$type" ]; then
		echo "linux.sh: $who: '$*' is not '$type', the IOMMU group's type, and three times" >&2
		exit 1
	fi
	echo "stock guest, kernel to user space|$who|$2|s"
	awk -v who="$who" -v n="$reads" -v t0="$3" -v t1="$4" 'BEGIN {
		printf "stock guest, direct reads of 4 KiB|%s|%.0f|reads/s\n", who, n / (t1 - t0) }'
}

measure 'without IOMMU' none ''
[ "${IOMMU:-yes}" = yes ] || exit 0
measure 'virtio-iommu, strict' DMA iommu.strict=1 --iommu=virtio
measure 'virtio-iommu, lazy' DMA-FQ iommu.strict=0 --iommu=virtio
