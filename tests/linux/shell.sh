# SPDX-License-Identifier: GPL-2.0-only
# For the lab, on a terminal: a shell in a stock guest with a disk of its own.
#
#   IOMMU   --iommu=virtio, or empty
#
# shellcheck disable=SC2086
truncate -s 64M disk.img
echo "A stock Debian guest, its disk /dev/vda${IOMMU:+ behind the virtio-iommu}. To leave: poweroff, or ctrl-a x."
echo "See: ${IOMMU:+dmesg | grep iommu; ls /sys/kernel/iommu_groups/*/devices; }dd if=/dev/vda of=/dev/null bs=1M"
exec lab-guest -t $IOMMU -d disk.img
