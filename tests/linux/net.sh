# SPDX-License-Identifier: GPL-2.0-only
# Runs in the lab: stock guests whose network devices are connected to this host in each way
# that there is. net-guest.sh is what they run. Prints what each section found.
#
#   IOMMU   options of a guest whose kernel has a driver for them
#
# shellcheck disable=SC2086

mkfifo never
exec 9<>never # for what may not see the end of its input
dd if=/dev/urandom of=data bs=1M count=4 2>/dev/null
sum=$(sha256sum <data)

# Asks again until it is so, and leaves the CPU to the guest in between.
await() # COMMAND...
{
	until "$@" >/dev/null 2>&1; do sleep 0.1; done
}

# The host's side of net-guest.sh, for the guest at 10.0.NET.2.
serve() # NET
{
	net=10.0.$1
	(
		await ping -c 2 -W 5 "$net.2"
		echo pinged | nc -l -p "5${1}03"
	) &
	nc -l -p "5${1}02" <data &
	nc -l -p "5${1}01" <&9 >"received-$1" &
}

# What the guest said, and whether both sides agree on the data.
report() # NET
{
	grep -v ^sent "output-$1"
	if [ "$(sed -n 's/^sent //p' "output-$1")" = "$(sha256sum <"received-$1")" ]; then
		echo "10.0.$1: the host received what the guest sent"
	fi
}

interfaces()
{
	found=
	for path in /sys/class/net/*; do
		[ "${path##*/}" = lo ] || found="$found ${path##*/}"
	done
	echo "interfaces:$found"
}

guest() # NET CPUS OPTIONS... [-- what lab-guest takes there]
{
	net=$1 cpus=$2
	shift 2
	echo "NET=10.0.$net PORT=5${net}0 SUM='$sum' CPUS=$cpus" >"script-$net"
	cat net-guest.sh >>"script-$net"
	"$@" -c "$cpus" -m 512 -- "script-$net" >"output-$net"
}

modprobe tun

echo "== new"
(
	await sh -c 'ip addr show dev lkvm0 | grep 10.0.1.1/24'
	ip link show dev lkvm0 | grep -o 'mtu [0-9]*' >mtu
	serve 1
) &
guest 1 2 lab-guest --elf --append iommu.strict=1 $IOMMU -q \
	--net new,queues=2,mtu=9000,host-ip=10.0.1.1/24,mac=02:00:00:00:00:11
echo "status $?, the host's $(cat mtu)"
report 1
interfaces

echo "== tap"
./tap-run persist tap7 true
ip link set tap7 up && ip addr add 10.0.2.1/24 dev tap7
serve 2
guest 2 1 lab-guest --elf --kernel 6.12 --append iommu.strict=1 $IOMMU \
	--net tap=tap7,offload=off,mac=02:00:00:00:00:12
echo "status $?"
report 2
interfaces
ip link del tap7

echo "== fd"
(
	await ip link set tap8 up
	ip addr add 10.0.3.1/24 dev tap8
	serve 3
	await grep ^sent output-3
	kill -TERM "$(pidof lkvm)"
) &
echo 'tail -f /dev/null' >>net-guest.sh
guest 3 2 ./tap-run queues=2 tap8 lab-guest --elf -q \
	--net fd=10:11,mac=02:00:00:00:00:13,ring=packed 2>/dev/null
echo "status $?"
report 3
# lab-guest has inherited it as well, and its watchdog ends a moment later.
timeout 60 sh -c 'while [ -e /sys/class/net/tap8 ]; do sleep 0.1; done'
interfaces

echo "== SIGKILL"
for queues in 1 3; do
	lkvm run --net "new=gone,queues=$queues" </dev/null >/dev/null 2>&1 &
	await [ -e /sys/class/net/gone ]
	kill -KILL $!
	wait $! 2>/dev/null
	interfaces
done
exit 0
