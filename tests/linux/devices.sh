# SPDX-License-Identifier: GPL-2.0-only
# Runs in the lab: every device at once in a stock guest, for each row of the table on stdin:
#
#   KERNEL TRANSPORT RING IOMMU
#
# where IOMMU is "none", or the transport of the virtio-iommu. Prints each row with the devices
# that did what they should, and before it what was wrong.
#
# shellcheck disable=SC2086

mkfifo never
exec 9<>never # for what may not see the end of its input
dd if=/dev/urandom of=read.img bs=1M count=2 2>/dev/null
sum=$(sha256sum <read.img)
modprobe tun

while read -r kernel transport ring iommu; do
	truncate -s 0 write.img port.log hvc0.log
	truncate -s 2M write.img
	options=
	[ $iommu = none ] || options=--iommu=virtio,transport=$iommu
	{
		echo "SUM='$sum' TRANSPORT=$transport RING=$ring IOMMU=$iommu"
		cat devices-guest.sh
	} >script.sh
	# The interface is there once lkvm has made it, and gone with it.
	(
		until ip addr show dev lkvm0 2>/dev/null | grep -q 10.0.1.1/24; do :; done
		nc -l -p 5001 <read.img &
		nc -l -p 5002 <&9 >received
	) &
	server=$!
	lab-guest --elf --kernel $kernel --append iommu.strict=1 -q -m 512 $options \
		--virtio-transport $transport --virtio-ring $ring -d read.img,serial=read \
		-d write.img,serial=write,queues=2 -d files.qcow2,serial=files,queues=2 \
		--net new,host-ip=10.0.1.1/24 \
		--console file=hvc0.log --console file=port.log,port=log --rng \
		-- script.sh expected-dmesg >output </dev/null || echo "the guest's status is $?"
	grep -v -e ^written -e ^done output
	result=$(sed -n 's/^done//p' output)
	if grep -q "^written $(sha256sum <write.img)" output; then
		result="$result write"
	fi
	wait $server
	[ "$(sha256sum <received)" != "$sum" ] || result="$result send"
	[ "$(tr -d '\r' <hvc0.log)" != 'to the console' ] || result="$result console"
	[ "$(sha256sum <port.log)" != "$sum" ] || result="$result channel"
	echo "$kernel $transport $ring $iommu:$result"
done <table
