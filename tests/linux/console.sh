# SPDX-License-Identifier: GPL-2.0-only
# Runs in the lab, with socket-cat beside it: a stock guest with a console in a file and channels
# to a socket and a file. What it gets through the socket it sends back.
#
#   KERNEL, OPTIONS   of the guest
status=0
wrong()
{
	echo "wrong: $*"
	status=1
}

dd if=/dev/urandom of=data bs=1M count=1 2>/dev/null
./socket-cat agent 1048576 <data >back &
client=$!
# shellcheck disable=SC2086
lab-guest --elf --kernel "$KERNEL" -m 512 $OPTIONS --console file=hvc0.log \
	--console socket=agent,port=org.example.agent --console file=channel.log,port=log \
	-- console-guest.sh >output || wrong "the guest's status is $?"
wait $client || wrong "the client's status is $?"

cat output
grep -q "sum $(sha256sum <data)" output || wrong "the guest did not read what was sent"
[ "$(sha256sum <data)" = "$(sha256sum <back)" ] ||
	wrong "$(wc -c <back) bytes came back, and not those that were sent"
# The terminal's line discipline is the guest's.
[ "$(tr -d '\r' <hvc0.log)" = 'to the console' ] || wrong "the console's file has: $(cat hvc0.log)"
[ "$(sha256sum <channel.log)" = "$(seq 20000 | sha256sum)" ] ||
	wrong "$(wc -c <channel.log) bytes in the channel's file"
[ ! -e agent ] || wrong 'the socket is left'
exit $status
