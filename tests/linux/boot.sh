# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2128 # GROUPS is an array only in bash
# Runs in the lab: stock guests with one vCPU and with two, guest-check.sh in each. The disks are
# one with known data, one that the guest writes over, and one that has iommu=off. The guest with
# two vCPUs is booted from the ELF image where there is one.
#
#   KERNEL, OPTIONS, APPEND   of the guest
#   READ, WRITE, OFF          more suboptions of the three disks, each with its comma
#   GROUPS, TYPE              what guest-check.sh expects
status=0
dd if=/dev/urandom of=read.img bs=1M count=4 2>/dev/null
sum=$(sha256sum <read.img)
packed=0
case $OPTIONS in
*--virtio-ring=packed*) packed=1 ;;
esac
for cpus in 1 2; do
	truncate -s 2M write.img
	truncate -s 1M off.img
	off=
	[ -z "$GROUPS" ] || off=,iommu=off
	{
		echo "GROUPS='$GROUPS' TYPE=$TYPE CPUS=$cpus SUM=${sum%% *} PACKED=$packed"
		cat guest-check.sh
	} >script.sh
	elf=
	[ "$cpus" = 1 ] || [ ! -e "$LAB_GUESTS/$KERNEL/vmlinux" ] || elf=--elf
	# shellcheck disable=SC2086
	lab-guest $elf --kernel "$KERNEL" --append "$APPEND" -m 512 -c "$cpus" $OPTIONS \
		-d read.img,serial=read"$READ" -d write.img,serial=write,queues=2"$WRITE" \
		-d off.img,serial=off"$off$OFF" -- script.sh expected-dmesg >output || status=1
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
	echo "$cpus vCPUs: done"
done
exit $status
