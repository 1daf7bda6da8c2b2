# SPDX-License-Identifier: GPL-2.0-only
# Runs in the lab: stock guests with random numbers, many vCPUs, huge pages and chosen banks.
# machine-check.sh checks from the inside, this what the host sees. Says what is wrong.
#
#   NEWEST, OLDEST   kernels
#   LOW              where RAM begins
#   IOMMU            options of a guest whose kernel has a driver for them
#
# shellcheck disable=SC2086
status=0
dd if=/dev/urandom of=disk.img bs=1M count=2 2>/dev/null
sum=$(sha256sum <disk.img)

wrong()
{
	echo "wrong: $*"
	status=1
}

meminfo() # NAME: its number
{
	awk -v name="$1:" '$1 == name { print $2 }' /proc/meminfo
}

# A guest in the background, up to the line "waiting"; end_guest lets it end. What it is asked to
# check is in the environment of machine-check.sh. The second disk is the way to tell it to go on.
start_guest() # NAME=VALUE... -- OPTION...
{
	: >script.sh
	while [ "$1" != -- ]; do
		echo "${1%%=*}='${1#*=}'" >>script.sh
		shift
	done
	shift
	echo "SUM=${sum%% *}" >>script.sh
	cat machine-check.sh >>script.sh
	truncate -s 0 go.img
	truncate -s 4096 go.img
	[ -p out ] || mkfifo out
	lab-guest "$@" -d go.img -- script.sh expected-dmesg >out &
	guest=$!
	exec 3<out
	while read -r line <&3 && [ "$line" != waiting ]; do
		echo "$line"
	done
	[ "$line" = waiting ] || wrong "the guest ended"
}

end_guest()
{
	printf go | dd of=go.img conv=notrunc 2>/dev/null
	cat <&3
	exec 3<&-
	wait "$guest" || wrong "a guest ended with status $?"
}

# The virtio-iommu is the first PCI device, if there is one. A PC keeps its first MiB for itself.
first=1
[ -z "$IOMMU" ] || first=2
ram='00100000-0fffffff'
[ "$LOW" = 0 ] || ram='80000000-8fffffff'

# Pages of the pool, 256 of them for 512 MiB in two banks.
echo 300 >/proc/sys/vm/nr_hugepages
[ "$(meminfo HugePages_Total)" = 300 ] || wrong "the pool has $(meminfo HugePages_Total) pages"
start_guest CPUS=1 FIRST=$first RAM="$ram 880000000-88fffffff" MOVE=320 -- \
	--elf --kernel 6.12 --append iommu.strict=1 $IOMMU --rng --hugepages=2M \
	-m 256M@$LOW -m 256M@0x880000000 -d disk.img
[ "$(meminfo HugePages_Free)" = 44 ] ||
	wrong "$(meminfo HugePages_Free) of 300 huge pages are free, not 44"
lab-guest --kernel 6.12 --hugepages=2M -m 90 -- -c 'echo wrong: no guest should run' 2>err &&
	wrong 'a guest ran on more huge pages than there are'
grep -q '45 of these pages, and 44 of the host.s 300 are free: write 301 to' err ||
	wrong "in want of huge pages: $(cat err)"
end_guest
[ "$(meminfo HugePages_Free)" = 300 ] ||
	wrong "$(meminfo HugePages_Free) of 300 huge pages are free after the guest"
echo 0 >/proc/sys/vm/nr_hugepages
echo 'pages of the pool, banks: done'

# Many vCPUs, and transparent huge pages.
thp=/sys/kernel/mm/transparent_hugepage/enabled
echo never >$thp
lkvm run --hugepages=thp -m 64 >/dev/null 2>err
grep -q "warning: --hugepages=thp: .*write madvise to $thp" err || wrong "without thp: $(cat err)"
echo madvise >$thp
start_guest CPUS=8 FIRST=$first QUEUES=8 -- --elf --kernel "$NEWEST" --append iommu.strict=1 \
	$IOMMU --rng=iommu=off,ring=packed --hugepages=thp -q -m 512 -c 8 -d disk.img,queues=8
[ "$(meminfo AnonHugePages)" -ge 65536 ] ||
	wrong "$(meminfo AnonHugePages) kB of the guest are in huge pages"
end_guest
echo '8 vCPUs, transparent huge pages: done'

start_guest CPUS=2 FIRST=1 -- --kernel "$OLDEST" --hugepages=off -m 256 -c 2 -d disk.img
[ "$(meminfo AnonHugePages)" = 0 ] || wrong "$(meminfo AnonHugePages) kB are in huge pages"
end_guest
echo 'small pages: done'
exit $status
