# SPDX-License-Identifier: GPL-2.0-only
# Runs in the lab: a stock guest for each row of the table, guest-check.sh in each. The disks are
# one with known data, one that the guest writes over, and one that has iommu=off. A row is
#
#   KERNEL|CPUS|IMAGE|IN-GROUPS|TYPE|OPTIONS|APPEND|READ|WRITE|OFF
#
#   IMAGE             elf, or nothing for what the package has
#   IN-GROUPS, TYPE   what guest-check.sh expects
#   OPTIONS, APPEND   of the guest
#   READ, WRITE, OFF  more suboptions of the three disks, each with its comma
#
# Prints each row with "done".
status=0
dd if=/dev/urandom of=read.img bs=1M count=4 2>/dev/null
sum=$(sha256sum <read.img)
exec 9<table
while IFS='|' read -r kernel cpus image in_groups type options append read write off <&9; do
	rm -f write.img
	truncate -s 2M write.img
	truncate -s 1M off.img
	packed=0
	case $options in
	*--virtio-ring=packed*) packed=1 ;;
	esac
	[ -z "$in_groups" ] || off=,iommu=off$off
	{
		echo "IN_GROUPS='$in_groups' TYPE=$type CPUS=$cpus SUM=${sum%% *} PACKED=$packed"
		cat places.sh guest-check.sh
	} >script.sh
	# shellcheck disable=SC2086
	lab-guest ${image:+"--$image"} --kernel "$kernel" --append "$append" -m 512 -c "$cpus" \
		$options -d read.img,serial=read"$read" -d write.img,serial=write,queues=2"$write" \
		-d off.img,serial=off"$off" -- script.sh expected-dmesg >output || status=1
	grep -v ^written output
	written=$(sed -n 's/^written //p' output)
	[ "$written" = "$(sha256sum <write.img)" ] || {
		echo "wrong: the guest wrote $written, write.img has $(sha256sum <write.img)"
		status=1
	}
	[ "$sum" = "$(sha256sum <read.img)" ] || {
		echo "wrong: read.img has changed"
		status=1
	}
	echo "$kernel, $cpus vCPUs, $type $options $append: done"
done
exit $status
