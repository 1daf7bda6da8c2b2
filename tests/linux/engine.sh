#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# In the lab: a program in a stock guest drives the DMA engine as docs/dma-engine.md says.
#
#   IOMMU   how the guest has a virtio-iommu
cat >script.sh <<'END'
	at=0000:00:02.0
	modprobe vfio_iommu_type1 allow_unsafe_interrupts=1
	modprobe vfio-pci
	echo vfio-pci >/sys/bus/pci/devices/$at/driver_override
	echo $at >/sys/bus/pci/drivers_probe
	./vfio-dma $at
END
lab-guest --elf "$IOMMU" -q -m 512 --device dma-engine -- script.sh vfio-dma
