# SPDX-License-Identifier: GPL-2.0-only
# Runs in a stock guest: its side of console.sh.
port() # NAME: the device of a channel
{
	local name

	for name in /sys/class/virtio-ports/*/name; do
		[ "$(cat "$name")" != "$1" ] || basename "${name%/name}"
	done
}

agent=$(port org.example.agent) log=$(port log)
echo "ports: $agent $log"
echo 'to the console' >/dev/hvc0
seq 20000 >"/dev/$log"

exec 3<>"/dev/$agent"
head -c 1048576 <&3 >/tmp/data
echo "sum $(sha256sum </tmp/data)"
cat /tmp/data >&3
# The client has all of it and goes, which is the end of the file.
[ "$(cat <&3 | wc -c)" = 0 ] && echo 'the client went'
