# SPDX-License-Identifier: GPL-2.0-only
# Runs in a stock guest, behind places.sh. Says what is wrong, one line each, and ends with
# status 1 then.
#
#   IN_GROUPS   the places of the devices that are in an IOMMU group, each in one of its own
#   TYPE        of these groups
#   CPUS        how many are online
#   SUM         sha256 of the disk with the serial number "read"
#   PACKED      1 if all virtqueues are packed, 0 if none is
#
# Writes a new pattern over the disk "write" and prints its sha256 as "written SUM".
status=0

# Disks get their names in the order in which they are probed, and those behind an IOMMU wait
# for its driver.
disk() # SERIAL
{
	local disk

	for disk in /sys/block/vd*; do
		[ "$(cat "$disk/serial")" != "$1" ] || echo "${disk##*/}"
	done
}
first=$(disk read) second=$(disk write)

wrong()
{
	echo "wrong: $*"
	status=1
}

groups=
for group in /sys/kernel/iommu_groups/*; do
	[ -e "$group" ] || continue
	# shellcheck disable=SC2012 # the names are those of devices on a bus
	members=$(ls "$group/devices" | places | tr '\n' ' ')
	groups="$groups$members"
	[ "$(cat "$group/type")" = "$TYPE" ] || wrong "${group##*/} is of type $(cat "$group/type")"
	[ "$(echo "$members" | wc -w)" = 1 ] || wrong "${group##*/} has members $members"
done
# shellcheck disable=SC2086 # without the space at the end
[ "$(echo $groups | tr ' ' '\n' | sort | tr '\n' ' ')" = "${IN_GROUPS:+$IN_GROUPS }" ] ||
	[ -z "$groups$IN_GROUPS" ] || wrong "groups hold '$groups', not '$IN_GROUPS'"

[ "$(grep -c ^processor /proc/cpuinfo)" = "$CPUS" ] || wrong "$(nproc) CPUs, not $CPUS"

# What was agreed on: a digit for each feature, from 0 on.
for features in /sys/bus/virtio/devices/*/features; do
	[ "$(cut -c35 "$features")" = "$PACKED" ] || wrong "$features: $(cat "$features")"
done

sum=$(dd if="/dev/$first" bs=64k iflag=direct 2>/dev/null | sha256sum)
[ "${sum%% *}" = "$SUM" ] || wrong "direct reads of the first disk give $sum"
sum=$(sha256sum <"/dev/$first")
[ "${sum%% *}" = "$SUM" ] || wrong "cached reads of the first disk give $sum"

size=$(cat "/sys/block/$second/size")
dd if=/dev/urandom of=/tmp/pattern bs=512 count="$size" 2>/dev/null
# Half of it in small direct writes, all in flight through the IOMMU one by one, the rest cached.
dd if=/tmp/pattern of="/dev/$second" bs=4k count=$((size / 16)) oflag=direct 2>/dev/null ||
	wrong 'direct write'
dd if=/tmp/pattern of="/dev/$second" bs=4k seek=$((size / 16)) skip=$((size / 16)) conv=fsync \
	2>/dev/null || wrong 'cached write'
echo "written $(sha256sum </tmp/pattern)"
sync

# Everything from warnings up, but what speaks of the CPU that the host has.
dmesg -r | grep '^<[0-4]>' | grep -v -f /work/expected-dmesg >/tmp/warnings
[ ! -s /tmp/warnings ] || wrong "warnings:
$(cat /tmp/warnings)"
exit $status
