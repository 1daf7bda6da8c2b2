#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# In the lab: stock guests that are asked to power off, paused under load, and ended. Prints
# a line for each thing that went well.
#
#   BUTTONS   the kernels that have a driver for the power button
#   IOMMU    options of a guest whose kernel has a driver for them
#
# shellcheck disable=SC2086

# What a guest's script does: it says so, and powers off when its power button is pressed.
script='modprobe -a -q evdev gpio_keys
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

for kernel in $BUTTONS; do
	lab-guest --kernel $kernel --elf --name button $IOMMU -m 512 -- -c "$script" >out 2>err &
	pid=$!
	wait_for ready out
	if lkvm stop button && wait $pid && grep -qx pressed out; then
		echo "$kernel: powered off"
	else
		cat out
	fi
	cat err
	rm -f out
done

# The pause is longer than what the guest's watchdogs allow a CPU, 20 and 21 seconds.
#
# The guest leaves no file system mounted. When Linux powers off it resets the virtio-iommu, and
# asks it for mappings no less: a write-back after that waits for ever in __viommu_sync_req(), with
# interrupts off, for an answer that a device which was reset does not give.
truncate -s 64M disk
# shellcheck disable=SC2016,SC2086
lab-guest --elf --name load $IOMMU -m 512 -c 2 -d disk -- -c '
	mke2fs /dev/vda >/dev/null && mount -t ext2 /dev/vda /mnt
	dd if=/dev/urandom of=/tmp/data bs=1M count=2 2>/dev/null
	n=0
	while [ $n -lt 12 ]; do
		cp /tmp/data /mnt/copy && sync && cmp /tmp/data /mnt/copy || echo different
		n=$((n + 1))
		echo "copy $n"
	done
	umount /mnt
	dmesg | grep -i -e "soft lockup" -e stall -e "hung task" -e "I/O error"
	echo copied' >out 2>err &
pid=$!
wait_for 'copy 2' out
lkvm pause load && lkvm list | grep -q paused && cp out before
sleep 25
cmp out before && lkvm stat load --json | grep -q '"type": "virtio-blk"' && echo "paused, counted"
[ -z "$IOMMU" ] || lkvm iommu load --mappings | grep -q 'gpa: 0x' &&
	lkvm resume load && echo "mapped, resumed"
wait $pid && grep -v '^copy' out
cat err

# On a busy host the kernel needs its time to give back a guest's memory: a warning says so.
for state in running paused; do
	lab-guest --elf --name boot $IOMMU -m 512 -- -c : >out 2>err &
	pid=$!
	until lkvm list | grep -q 'boot.*running'; do sleep 0.1; done
	if [ $state = paused ]; then
		lkvm pause boot
		lkvm stop boot 2>/dev/null && echo "a paused guest was asked"
	fi
	lkvm stop --force boot 2>/dev/null && echo "ended while it booted, $state"
	wait $pid
done
lkvm list | wc -l
