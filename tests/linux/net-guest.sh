# SPDX-License-Identifier: GPL-2.0-only
# Runs in a stock guest. Says what it finds of its network device, and what is wrong.
#
#   NET    the first three bytes of the network, the host is 1 and the guest 2
#   PORT   the first digits of the host's ports: 1 receives, 2 sends, 3 says that it could ping
#   SUM    sha256 of what the host sends
#   CPUS   how many there are
#
# Sends 4 MiB and prints their sha256 as "sent SUM".
mkfifo /tmp/never
exec 9<>/tmp/never

device=/sys/class/net/eth0
feature() # NUMBER
{
	cut -c $(($1 + 1)) $device/device/features
}

ip link set eth0 up && ip addr add "$NET.2/24" dev eth0
echo "$NET: $(cat $device/address), mtu $(cat $device/mtu), $(cd $device/queues && echo *)"
echo "$NET: carrier $(cat $device/carrier), class $(cat $device/device/../class)," \
	"IOMMU $([ -e $device/device/../iommu_group ] && echo yes || echo no)"
echo "$NET: checksums $(feature 0)$(feature 1) TSO $(feature 11)$(feature 12)$(feature 7)$(feature 8)" \
	"USO $(feature 56)$(feature 54) mergeable $(feature 15) MQ $(feature 22) packed $(feature 34)"

ping -c 2 -W 10 "$NET.1" >/dev/null && echo "$NET: the guest reaches the host"
until [ "$(nc "$NET.1" "${PORT}3" <&9 2>/dev/null)" = pinged ]; do sleep 0.1; done
echo "$NET: the host reaches the guest"

last=$((CPUS - 1))
taskset $((1 << last)) nc "$NET.1" "${PORT}2" <&9 >/tmp/received
[ "$(sha256sum </tmp/received)" = "$SUM" ] && echo "$NET: the guest received what the host sent"
[ "$(awk "/input\\.$last/ { print \$2 + \$3 }" /proc/interrupts)" -gt 0 ] &&
	echo "$NET: receive queue $last was at work"

dd if=/dev/urandom of=/tmp/send bs=1M count=4 2>/dev/null
nc "$NET.1" "${PORT}1" </tmp/send
for drops in rx_dropped rx_errors tx_dropped tx_errors; do
	[ "$(cat $device/statistics/$drops)" = 0 ] ||
		echo "$NET: $drops $(cat $device/statistics/$drops)"
done
dmesg -r | grep '^<[0-4]>' | grep -i -e virtio -e net -e eth0
echo "sent $(sha256sum </tmp/send)"
