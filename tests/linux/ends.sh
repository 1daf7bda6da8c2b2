# SPDX-License-Identifier: GPL-2.0-only
# Runs in the lab: tests/guests/exit.c and smp.c. Prints how each guest ended.
ends() # OPTION...
{
	timeout -k 5 100 lkvm run "$@" </dev/null >output 2>errors
	status=$?
	last=$(grep -v '^exit: [a-z0-9-]*$' output | tail -n 1)
	echo "status $status: ${last:-no more}"
	grep error errors
}

for how in poweroff reset panic crash-kernel; do
	echo "$how"
	ends -k exit.img -p $how
	ends -k exit.img -p $how -c 2
done
echo '7 by --test-exit'
ends -k exit.img -p 7 --test-exit
for cpus in 3 8; do
	echo "$cpus CPUs"
	ends -k smp.img --test-exit -c $cpus
done
echo stopped
lkvm run --name spin -k exit.img -p spin </dev/null >output 2>errors &
until grep -q '^exit: spin' output; do sleep 0.1; done
lkvm stop --force spin
wait $!
echo "status $?"
