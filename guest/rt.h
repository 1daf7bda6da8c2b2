/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a bare-metal guest may use. A guest is one C file (or a few) that defines
 * guest_main(); the runtime has by then a console, memory, interrupts and the
 * firmware's description of the machine in place.
 *
 * The runtime takes its wire layouts from the specifications and shares no header
 * with the VMM but util/types.h, so that a layout that is wrong on one side shows.
 *
 * One CPU, no scheduler, addresses as in the machine: a pointer's value is its
 * guest-physical address (GPA).
 */
#ifndef LKVM_GUEST_RT_H
#define LKVM_GUEST_RT_H

#include "rt/arch.h"
#include "rt/core.h"
#include "rt/firmware.h"
#include "rt/pci.h"
#include "rt/virtio-blk.h"
#include "rt/virtio-iommu.h"
#include "rt/virtio.h"

/* Each guest defines it. What it returns becomes the machine's exit status. */
int guest_main(void);

#endif /* LKVM_GUEST_RT_H */
