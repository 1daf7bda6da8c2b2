# SPDX-License-Identifier: GPL-2.0-only
# Runs in the lab, with pty-run beside it: stock guests whose console is hvc0 on a terminal, and
# whose command line is lkvm's own. Each says what size the terminal has, at first and later.
#
#   KERNELS   which ones
mkdir -p root
cat >root/init <<'INIT'
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox --install -s
mount -t proc proc /proc
mount -t sysfs sys /sys
modprobe -q virtio_iommu
# Behind the IOMMU it comes now.
while [ ! -c /dev/hvc0 ]; do sleep 0.1; done
exec setsid -c sh -c '
	stty -echo
	echo "console $(cat /sys/class/tty/console/active)"
	echo "command line: $(cat /proc/cmdline)"
	first=$(stty size)
	echo "first: $first"
	while [ "$(stty size)" = "$first" ]; do sleep 0.1; done
	echo "now: $(stty size)"
	read -r line
	echo "read: $line"
	i=0
	while [ $i -lt 2000 ]; do echo "line $i of many"; i=$((i + 1)); done
	poweroff -f' <>/dev/hvc0 >&0 2>&1
INIT
chmod +x root/init
(cd root && find . | "$LAB_BUSYBOX" cpio -o -H newc 2>/dev/null) >init.cpio

status=0
for kernel in $KERNELS; do
	cat "$LAB_GUESTS/$kernel/initrd" init.cpio >initrd
	for options in '--console null' '--iommu=virtio' ''; do
		# shellcheck disable=SC2086
		./pty-run resize=30x100 'expect=first: ' resize=41x97 'expect=now: ' \
			'send=typed\x0d' 'expect=read: typed' 'expect=line 1999 of many' -- \
			lkvm run --console tty $options -m 512 -k "$LAB_GUESTS/$kernel/vmlinuz" \
			-i initrd >output 2>errors || {
			echo "wrong: $kernel $options: status $?"
			cat errors output
			status=1
		}
		echo "$kernel $options"
		tr -d '\r' <output | grep -E '^(console|first|now|read|command line)'
		grep -c 'line [0-9]* of many' output
	done
done
exit $status
