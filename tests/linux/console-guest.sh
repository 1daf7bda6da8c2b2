# SPDX-License-Identifier: GPL-2.0-only
# Runs in a stock guest: its side of console.sh.
port() # NAME: the device of a channel, once the driver was told of it by messages
{
	local name=

	until name=$(grep -lx "$1" /sys/class/virtio-ports/*/name 2>/dev/null); do
		sleep 0.1
	done
	basename "${name%/name}"
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
