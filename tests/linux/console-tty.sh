# SPDX-License-Identifier: GPL-2.0-only
# Runs in the lab, with pty-run beside it: a stock guest whose console is hvc0 on a terminal, and
# whose command line is lkvm's own. It says what size the terminal has, at first and later.
#
#   KERNEL, OPTIONS   of the guest
mkdir -p root
cat >root/init <<'INIT'
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox --install -s
mount -t proc proc /proc
mount -t sysfs sys /sys
modprobe -q virtio_iommu
# It comes now behind the IOMMU, and later with several ports; its node before it.
until [ -c /dev/hvc0 ] && true 2>/dev/null <>/dev/hvc0; do sleep 0.1; done
exec setsid -c sh -c '
	stty -echo
	echo "console $(cat /sys/class/tty/console/active)"
	echo "command line: $(cat /proc/cmdline)"
	echo "waits"
	read -r line
	while [ -z "$(stty size)" ]; do sleep 0.1; done
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

cat "$LAB_GUESTS/$KERNEL/initrd" init.cpio >initrd
image=$LAB_GUESTS/$KERNEL/vmlinux
[ -e "$image" ] || image=$LAB_GUESTS/$KERNEL/vmlinuz
# shellcheck disable=SC2086
./pty-run resize=30x100 'expect=waits' 'send=\x0d' 'expect=first: ' resize=41x97 \
	'expect=now: ' 'send=typed\x0d' 'expect=read: typed' 'expect=line 1999 of many' -- \
	lkvm run --console tty $OPTIONS -m 512 -k "$image" -i initrd \
	>output 2>errors
status=$?
tr -d '\r' <output | grep -E '^(console|first|now|read|command line)'
[ "$(grep -c '^line [0-9]* of many' output)" = 2000 ] || status=1
[ $status = 0 ] || cat errors output
exit $status
