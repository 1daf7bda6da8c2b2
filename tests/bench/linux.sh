#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What a VMM and its virtio-iommu cost a stock guest: its boot, and direct reads from a disk. The
# same guest runs on lkvm and, if the folder "peer" is there, on the QEMU in it; with that, the guest
# "bench", too, for the virtio-iommu alone. Runs in the lab, in a folder with guest.sh, vmm and
# bench; prints lines as machine.sh does. IOMMU=no: the guest's kernel has no driver.
set -eu
# shellcheck source=tests/bench/guest.sh
. ./guest.sh

reads=${READS:-4000}
rounds=${ROUNDS:-1000}
poll=poll=1000
truncate -s 64M disk
LKVM=$(command -v lkvm) PEER=$PWD/peer STARTED=$PWD/started
export LKVM PEER STARTED VMM
mkdir vmms
ln -s ../vmm vmms/lkvm
PATH=$PWD/vmms:$PATH

# All exits of all vCPUs, also those that the kernel serves, where one may look.
[ -e /sys/kernel/debug/kvm ] || mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null || true
exits()
{
	cat /sys/kernel/debug/kvm/exits 2>/dev/null || echo 0
}

# It prints three lines, and is idle after the second and third one while exits are looked at.
# shellcheck disable=SC2016 # expands in the guest
script='
	read -r boot rest </proc/uptime
	echo $boot
	disk=/dev/vda
	dd if=$disk of=/dev/null bs=4k count=100 iflag=direct 2>/dev/null || exit 1
	echo
	sleep 1
	read -r start rest </proc/uptime
	dd if=$disk of=/dev/null bs=4k count='$reads' iflag=direct 2>/dev/null || exit 1
	read -r end rest </proc/uptime
	type=none
	for group in /sys/kernel/iommu_groups/*/type; do
		[ ! -r "$group" ] || read -r type <$group
	done
	echo $type $start $end
	sleep 1'

machine_name() # VMM
{
	case $1 in
	lkvm) echo lkvm ;;
	*) echo "QEMU $1" ;;
	esac
}

# On a slow machine the driver of the IOMMU comes late, and the disk is to wait for it.
wait_for_driver=deferred_probe_timeout=-1

# A guest to its end: $started and $booted in seconds, $rate of reads, $each: exits for one.
measure() # VMM TYPE APPEND [OPTION...]
{
	VMM=$1
	type=$2
	append=$3
	shift 3
	lab-guest --limit 300 --append "$append" "$@" -m 512 -d disk -- -c "$script" | {
		read -r boot || exit 0
		read -r now rest </proc/uptime
		read -r before <started
		read -r line || exit 0
		exits=$(exits)
		read -r line || exit 0
		echo "$before $now $boot $exits $(exits) $line"
		cat
	} >said
	# shellcheck disable=SC2046
	set -- $(cat said)
	if [ $# != 8 ] || [ "$6" != "$type" ]; then
		echo "linux.sh: $VMM: '$*' is not three times, two counts, '$type', which is the" \
			"IOMMU group's type, and two times" >&2
		exit 1
	fi
	started=$(awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", b - a }')
	booted=$3
	each=$(awk -v n="$reads" -v a="$4" -v b="$5" 'BEGIN { printf "%.1f", (b - a) / n }')
	rate=$(awk -v n="$reads" -v a="$7" -v b="$8" 'BEGIN { printf "%.0f", n / (b - a) }')
}

# The rows of one guest. $own collects those that compare guests of one VMM.
rows() # HOW WHO
{
	record "stock guest, $how: start to user space" "$2" "$started" s
	record "stock guest, $how: kernel to user space" "$2" "$booted" s
	record "stock guest, $how: reads of 4 KiB" "$2" "$rate" reads/s
	own="$own
reads of 4 KiB on $vmm|$1|$rate|reads/s"
	[ "$each" = 0.0 ] || own="$own
exits for a read on $vmm|$1|$each|exits"
}

stock_guest() # VMM WITH-IOMMU
{
	vmm=$(machine_name "$1") own=''
	how='no IOMMU'
	measure "$1" none ''
	rows "$how" "$vmm"
	if [ "$2" = yes ]; then
		how=strict
		measure "$1" DMA "iommu.strict=1 $wait_for_driver" --iommu=virtio
		rows $how "$vmm"
		if [ "$1" = lkvm ]; then
			measure "$1" DMA "iommu.strict=1 $wait_for_driver" --iommu=virtio,$poll
			rows "$how, $poll" "$vmm, $poll"
		fi
		how=lazy
		measure "$1" DMA-FQ "iommu.strict=0 $wait_for_driver" --iommu=virtio
		rows $how "$vmm"
	fi
	echo "$own"
}

requests() # VMM SUBOPTION
{
	VMM=$1
	who=$(machine_name "$1")$2
	set -- "--iommu=virtio$2" -d disk
	begin_bench exit "$rounds" "$@"
	end
	record 'on one L1: two exits, minimum' "$who" "$((2 * min))" ns
	begin_bench single "$rounds" "$@"
	end
	record 'on one L1: MAP and UNMAP, one in a kick, minimum' "$who" "$min" ns
	record 'on one L1: MAP and UNMAP, one in a kick, median' "$who" "$median" ns
	begin_bench batch "$((rounds / 20 + 1))" "$@"
	end
	record 'on one L1: MAP and UNMAP, 32 in a kick, minimum' "$who" "$min" ns
	record 'on one L1: MAP and UNMAP, 32 in a kick, median' "$who" "$median" ns
}

# A buffer of a device's by MAP and UNMAP, or by a page table of the guest's.
buffers()
{
	VMM=lkvm
	set -- --iommu=virtio --device dma-engine
	begin_bench single "$rounds" "$@"
	end
	record 'on one L1: a buffer, one in a kick, minimum' 'MAP and UNMAP' "$min" ns
	begin_bench table-single "$rounds" "$@"
	end
	record 'on one L1: a buffer, one in a kick, minimum' 'vtd, INVALIDATE' "$min" ns
	begin_bench batch "$((rounds / 20 + 1))" "$@"
	end
	record 'on one L1: a buffer, 32 in a kick, minimum' 'MAP and UNMAP' "$min" ns
	begin_bench table-batch "$((rounds / 20 + 1))" "$@"
	end
	record 'on one L1: a buffer, 32 in a kick, minimum' 'vtd, INVALIDATE' "$min" ns
	begin_bench range "$((rounds / 20 + 1))" "$@"
	end
	record 'on one L1: a buffer, 32 in a kick, minimum' 'MAPs, one UNMAP' "$min" ns
	begin_bench table-range "$((rounds / 20 + 1))" "$@"
	end
	record 'on one L1: a buffer, 32 in a kick, minimum' 'vtd, one for all' "$min" ns
}

# Whether a machine of QEMU's takes no virtio-iommu.
refused() # VMM
{
	! VMM=$1 STARTED='' timeout 20 lkvm run -k bench -p 'exit 0' --iommu=virtio >said 2>&1 \
		</dev/null && grep -q 'hotplug handler' said
}

if [ -d peer ]; then
	requests q35 ''
	requests lkvm ''
	requests lkvm ",$poll"
	buffers
	stock_guest q35 yes
	microvm=yes
	if refused microvm; then
		microvm=no
		record 'on one L1: MAP and UNMAP, one in a kick, minimum' 'QEMU microvm' refused -
		record 'stock guest, strict: reads of 4 KiB' 'QEMU microvm' refused -
	fi
	stock_guest microvm $microvm
fi
stock_guest lkvm "${IOMMU:-yes}"
