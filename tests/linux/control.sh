#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# In the lab: stock guests that are asked to power off, paused under load, and ended. Prints
# a line for each thing that went well.

# What a guest's script does: it says so, and powers off when its power button is pressed.
button='modprobe evdev
	echo ready
	dd if=/dev/input/event0 of=/dev/null bs=24 count=1 2>/dev/null
	echo pressed
	poweroff -f'

wait_for() # TEXT FILE
{
	until grep -q "$1" "$2" 2>/dev/null; do
		kill -0 "$pid" || exit 1
		sleep 0.2
	done
}

for kernel in 7 6.12; do
	lab-guest --kernel $kernel --elf --name button --iommu=virtio -m 512 -- -c "$button" >out 2>err &
	pid=$!
	wait_for ready out
	lkvm stop button && wait $pid && grep -qx pressed out && echo "$kernel: powered off"
	cat err
	rm -f out
done

# The watchdogs bite after seconds, and the pause is longer than that.
truncate -s 64M disk
# shellcheck disable=SC2016
lab-guest --elf --name load --iommu=virtio -m 512 -c 2 -d disk -- -c '
	echo 1 >/proc/sys/kernel/watchdog_thresh
	echo 3 >/sys/module/rcupdate/parameters/rcu_cpu_stall_timeout
	mke2fs /dev/vda >/dev/null && mount -t ext2 /dev/vda /mnt
	dd if=/dev/urandom of=/tmp/data bs=1M count=2 2>/dev/null
	n=0
	while [ $n -lt 12 ]; do
		cp /tmp/data /mnt/copy && sync && cmp /tmp/data /mnt/copy || echo different
		n=$((n + 1))
		echo "copy $n"
	done
	dmesg | grep -i -e "soft lockup" -e stall -e "hung task" -e "I/O error"
	echo copied' >out 2>err &
pid=$!
wait_for 'copy 2' out
lkvm pause load && lkvm list | grep -q paused && cp out before
sleep 6
cmp out before && lkvm stat load --json | grep -q '"type": "virtio-blk"' && echo "paused, counted"
lkvm iommu load --mappings | grep -q 'gpa: 0x' && lkvm resume load && echo "mapped, resumed"
wait $pid && grep -v '^copy' out
cat err

lab-guest --elf --name boot --iommu=virtio -m 512 -- -c : >out 2>err &
pid=$!
until lkvm list | grep -q boot; do sleep 0.1; done
lkvm stop --force boot && echo "ended while it booted"
wait $pid
lkvm list | wc -l
