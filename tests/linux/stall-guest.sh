# SPDX-License-Identifier: GPL-2.0-only
# Runs in a stock guest: its side of stall.sh.
for disk in /sys/block/vd*; do
	eval "$(cat "$disk/serial")=/dev/${disk##*/}"
done
for port in /sys/class/virtio-ports/*/name; do
	[ "$(cat "$port")" != unread ] || unread=/dev/$(basename "${port%/name}")
done
ip link set eth0 up && ip addr add 10.0.1.2/24 dev eth0

cat /dev/zero >"$unread" &
channel=$!
cat /dev/hwrng >/dev/null &
flood=$!
echo flooded

# shellcheck disable=SC2154
until dd if="$go" bs=4096 count=1 iflag=direct 2>/dev/null | grep -q ^go; do :; done
# shellcheck disable=SC2154
dd if=/dev/zero of="$slow" bs=64k count=16 oflag=direct 2>/dev/null &
stalled=$!

ping -c 2 -W 20 10.0.1.1 >/dev/null && echo 'the network goes on'
dd if=/dev/urandom of=/tmp/data bs=1M count=1 2>/dev/null
# shellcheck disable=SC2154
dd if=/tmp/data of="$fast" bs=64k oflag=direct 2>/dev/null
[ "$(dd if="$fast" bs=64k count=16 iflag=direct 2>/dev/null | sha256sum)" = \
	"$(sha256sum </tmp/data)" ] && echo 'the other disk goes on'
kill -0 $stalled && echo 'the disk is stalled'
kill -0 $channel && echo 'the channel is stalled'
kill -0 $flood && echo 'random numbers go on'
echo 'to hvc0' >/dev/hvc0 && echo 'the console goes on'
wait $stalled && echo 'the disk goes on'
