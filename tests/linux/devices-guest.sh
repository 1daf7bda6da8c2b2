# SPDX-License-Identifier: GPL-2.0-only
# Runs in a stock guest that has one of each virtio device. Says what is wrong, and then in one
# line that starts with "done" which devices did what they should.
#
#   TRANSPORT, RING   of each device
#   IOMMU             "none", or something else: every device is behind it
#   SUM               sha256 of the disk "read", and of what the host sends by TCP

# A device whose IOMMU was not there yet is probed again by a kernel thread, at some later time.
ready()
{
	for device in /sys/bus/pci/devices/*; do
		[ "$(cat "$device/vendor")" != 0x1af4 ] || ls -d "$device"/virtio* >/dev/null 2>&1 ||
			return 1
	done
	for device in /sys/bus/virtio/devices/*; do
		# Bit 2 is DRIVER_OK.
		[ "$(cat "$device/device")" = 0x0017 ] || [ $(($(cat "$device/status") & 4)) != 0 ] ||
			return 1
	done
}
until ready; do sleep 0.1; done

# The devices, but for the IOMMU itself.
for device in /sys/bus/virtio/devices/*; do
	[ "$(cat "$device/device")" != 0x0017 ] || continue
	features=$(cat "$device/features")
	parent=$(readlink -f "$device/..")
	what="${device##*/} at ${parent##*/}"
	case $TRANSPORT-${parent##*/} in
	pci-0000:* | mmio-LNRO* | mmio-20*.*) ;;
	*) echo "$what is not on $TRANSPORT" ;;
	esac
	packed=$(echo "$features" | cut -c 35)
	[ "$packed" = "$([ "$RING" = packed ] && echo 1 || echo 0)" ] ||
		echo "$what: the feature RING_PACKED is $packed"
	behind=$(echo "$features" | cut -c 34)
	[ "$behind" = "$([ "$IOMMU" = none ] && echo 0 || echo 1)" ] ||
		echo "$what: the feature ACCESS_PLATFORM is $behind"
	[ -e "$parent/iommu_group" ] || [ "$IOMMU" = none ] || echo "$what is in no IOMMU group"
	[ "$IOMMU" = none ] || [ "$(cat "$parent/iommu_group/type")" = DMA ] ||
		echo "$what: the group's type is $(cat "$parent/iommu_group/type")"
done

disk() # SERIAL
{
	for disk in /sys/block/vd*; do
		[ "$(cat "$disk/serial")" != "$1" ] || echo "/dev/${disk##*/}"
	done
}

result=
[ "$(dd if="$(disk read)" bs=64k iflag=direct 2>/dev/null | sha256sum)" != "$SUM" ] ||
	result="$result read"

ip link set eth0 up && ip addr add 10.0.1.2/24 dev eth0
ping -c 1 -W 10 10.0.1.1 >/dev/null && result="$result ping"
mkfifo /tmp/never
exec 9<>/tmp/never
until nc 10.0.1.1 5001 <&9 >/tmp/received 2>/dev/null; do :; done
[ "$(sha256sum </tmp/received)" != "$SUM" ] || result="$result receive"
until nc 10.0.1.1 5002 </tmp/received 2>/dev/null; do :; done

until grep -qx log /sys/class/virtio-ports/*/name 2>/dev/null; do sleep 0.1; done
for port in /sys/class/virtio-ports/*/name; do
	[ "$(cat "$port")" = log ] && port=$(basename "${port%/name}") && break
done
cat /tmp/received >"/dev/$port"
echo 'to the console' >/dev/hvc0

grep -q virtio_rng /sys/class/misc/hw_random/rng_current &&
	[ "$(head -c 4096 /dev/hwrng | tr -d '\0' | wc -c)" -gt 3900 ] && result="$result rng"

# The image goes from guest to guest, with a file of each in its file system.
modprobe ext4
mkdir /tmp/files
mount -t ext4 "$(disk files)" /tmp/files 2>/dev/null ||
	{ mke2fs "$(disk files)" >/dev/null && mount -t ext4 "$(disk files)" /tmp/files; }
(cd /tmp/files && { [ ! -e sums ] || sha256sum -c -s sums; }) &&
	name=$(uname -r)-$TRANSPORT-$RING-$IOMMU && cat /tmp/received >"/tmp/files/$name" &&
	(cd /tmp/files && sha256sum "$name" >>sums) && umount /tmp/files && result="$result qcow2"

dd if=/dev/urandom of=/tmp/pattern bs=1M count=2 2>/dev/null
dd if=/tmp/pattern of="$(disk write)" bs=64k oflag=direct 2>/dev/null
echo "written $(sha256sum </tmp/pattern)"
sync
dmesg -r | grep '^<[0-4]>' | grep -v -f /work/expected-dmesg
echo "done$result"
