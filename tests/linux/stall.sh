# SPDX-License-Identifier: GPL-2.0-only
# In the lab: a stock guest with a disk whose file system is frozen, a channel that nobody reads
# and a flood of requests for random numbers. What it prints shows that all else goes on, and that
# the disk does once it can.
modprobe tun
truncate -s 32M fs.img
mke2fs -F fs.img >/dev/null 2>&1
mkdir fs
mount -t ext2 -o loop fs.img fs || exit 1
truncate -s 4M fs/slow.img fast.img
truncate -s 4096 go.img
(
	until ip addr show dev lkvm0 2>/dev/null | grep -q 10.0.1.1/24; do :; done
	# Open, but not read.
	until [ -e channel ]; do :; done
	exec 9<>channel
	tail -f /dev/null
) &

lab-guest --elf --append iommu.strict=1 --name stall -q -c 2 -m 512 --iommu=virtio \
	-d fs/slow.img,serial=slow -d fast.img,serial=fast -d go.img,serial=go,direct \
	--net new,host-ip=10.0.1.1/24 --console null --console pty=channel,port=unread --rng \
	-- stall-guest.sh >out </dev/null &
pid=$!

wait_for() # TEXT
{
	until grep -q "$1" out; do
		kill -0 $pid || exit 1
		sleep 0.2
	done
}

wait_for flooded
fsfreeze --freeze fs
printf go | dd of=go.img conv=notrunc 2>/dev/null
wait_for 'the console'
lkvm pause stall && lkvm resume stall && echo 'the host: paused and resumed'
fsfreeze --unfreeze fs
wait $pid
status=$?
cat out
exit $status
