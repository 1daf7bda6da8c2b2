# SPDX-License-Identifier: GPL-2.0-only
# Runs in a stock guest. Says what is wrong, one line each, and ends with status 1 then.
#
#   CPUS     how many are online
#   FIRST    PCI device of the first disk; the second, and what gives random numbers, follow
#   SUM      sha256 of the first disk
#   QUEUES   of the first disk, if there is one for each CPU
#   RAM      what has to be among the ranges of system RAM
#   MOVE     so many MiB of memory are filled before the disk is read once more
status=0
: "${QUEUES:=}" "${RAM:=}" "${MOVE:=0}"

wrong()
{
	echo "wrong: $*"
	status=1
}

disk() # PCI-DEVICE
{
	basename "/sys/bus/pci/devices/0000:00:$1.0"/virtio*/block/*
}

disk=$(disk "0$FIRST") go=$(disk "0$((FIRST + 1))") rng=0000:00:0$((FIRST + 2)).0

[ "$(nproc)" = "$CPUS" ] || wrong "$(nproc) CPUs, not $CPUS"
if grep -q ^apicid /proc/cpuinfo; then
	ids=$(sort -u /proc/cpuinfo | grep -c '^apicid')
	[ "$ids" = "$CPUS" ] || wrong "$ids different APIC IDs"
	packages=$(sort -u /proc/cpuinfo | grep '^physical id')
	[ "$(echo "$packages" | wc -l)" = 1 ] || wrong "packages: $packages"
	cores=$(sort -u /proc/cpuinfo | grep -c '^core id')
	[ "$cores" = "$CPUS" ] || wrong "$cores different cores"
fi

for range in $RAM; do
	grep -q "^$range : System RAM" /proc/iomem || wrong "no RAM at $range"
done

read_disk() # HOW
{
	sum=$(dd if="/dev/$disk" bs=64k "$2" 2>/dev/null | sha256sum)
	[ "${sum%% *}" = "$SUM" ] || wrong "$1 reads of the disk give $sum"
}

# Interrupts that a CPU got from lines whose names begin so.
interrupts() # NAME CPU
{
	awk -v name="$1" -v column=$(($2 + 2)) 'index($NF, name) == 1 { n += $column }
		END { print n + 0 }' /proc/interrupts
}

read_disk direct iflag=direct
if [ "$QUEUES" ]; then
	device=$(basename "/sys/bus/pci/devices/0000:00:0$FIRST.0"/virtio*)
	cpu=0
	while [ $cpu -lt "$CPUS" ]; do
		before=$(interrupts "$device-req" $cpu)
		taskset -c $cpu dd if="/dev/$disk" of=/dev/null bs=4k count=20 iflag=direct 2>/dev/null ||
			wrong "a read on CPU $cpu"
		after=$(interrupts "$device-req" $cpu)
		[ $((after - before)) -ge 20 ] ||
			wrong "CPU $cpu got $((after - before)) interrupts of 20 reads"
		cpu=$((cpu + 1))
	done
fi

if [ -d "/sys/bus/pci/devices/$rng" ]; then
	[ "$(cat /sys/class/misc/hw_random/rng_current)" = virtio_rng.0 ] ||
		wrong "hwrng is $(cat /sys/class/misc/hw_random/rng_current)"
	dd if=/dev/hwrng of=/tmp/random bs=1k count=8 2>/dev/null
	[ "$(wc -c </tmp/random)" = 8192 ] || wrong 'hwrng gives too little'
	[ "$(tr -d '\0' </tmp/random | wc -c)" -gt 8000 ] || wrong 'hwrng gives zeros'

	# Its vector is of one queue, so it may be moved: each CPU gets some.
	device=$(basename "/sys/bus/pci/devices/$rng"/virtio*)
	line=$(awk -v name="$device-input" '$NF == name { print $1 + 0 }' /proc/interrupts)
	cpu=0
	while [ $cpu -lt "$CPUS" ]; do
		echo $cpu >"/proc/irq/$line/smp_affinity_list" || wrong "interrupt $line to CPU $cpu"
		before=$(interrupts "$device-input" $cpu)
		dd if=/dev/hwrng of=/dev/null bs=1k count=20 2>/dev/null
		after=$(interrupts "$device-input" $cpu)
		[ "$after" -gt "$before" ] || wrong "CPU $cpu got no interrupt of the hwrng"
		cpu=$((cpu + 1))
	done

	# A flood does not keep the disk from its work.
	flood=
	while [ "$(echo "$flood" | wc -w)" -lt 3 ]; do
		cat /dev/hwrng >/dev/null &
		flood="$flood $!"
	done
	read_disk 'while there is a flood,' iflag=direct
	# shellcheck disable=SC2086
	kill $flood
fi

if [ "$MOVE" != 0 ]; then
	dd if=/dev/zero of=/tmp/fill bs=1M count="$MOVE" 2>/dev/null
	echo 3 >/proc/sys/vm/drop_caches
	read_disk cached skip=0
	rm /tmp/fill
fi

# Everything from warnings up, but what speaks of the CPU that the host has, or how slow it is.
dmesg -r | grep '^<[0-4]>' | grep -v -f /work/expected-dmesg >/tmp/warnings
[ ! -s /tmp/warnings ] || wrong "warnings:
$(cat /tmp/warnings)"
! dmesg | grep 'Firmware Bug' || wrong 'firmware bug'

echo waiting
until dd if="/dev/$go" bs=512 count=1 iflag=direct 2>/dev/null | grep -q ^go; do
	usleep 50000
done
exit $status
