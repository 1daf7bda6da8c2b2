/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A driver of any virtio device, with split or packed queues, whose requests the input makes: it
 * cuts them into descriptors anywhere, and puts them where there is no memory now and then. There
 * is one at a time, in its own 8 MiB of memory, behind an IOMMU if the input says so.
 */
#ifndef LKVM_TESTS_HOSTILE_DRIVER_H
#define LKVM_TESTS_HOSTILE_DRIVER_H

#include "fake-guest.h"
#include "fake-packed.h"
#include "iommu/iommu.h"

#define HOSTILE_MAX_QUEUES 10

struct hostile_driver {
	struct guest_mem mem;
	struct iommu iommu;
	struct iommu_endpoint ep;
	struct fake_driver drv;
	bool offer_packed;
	bool packed; /* as negotiated */
	struct fake_queue queues[HOSTILE_MAX_QUEUES]; /* unless it is */
	unsigned int in_use[HOSTILE_MAX_QUEUES]; /* descriptors of a packed ring */
	unsigned int nr_queues;
	u64 next_buffer;
	bool tampered; /* with the rings, since the start */
};

extern struct hostile_driver hd;

/* Memory, the layout that is offered, and what the device is behind: an endpoint or NULL. */
struct iommu_endpoint *hostile_begin(void);
void hostile_end(void);

/* Drives @vdev, up to DRIVER_OK: features as the input says, and @nr_queues queues. */
void hostile_start(struct virtio_device *vdev, unsigned int nr_queues);

/* A reset, of one queue or all, and the same again. */
void hostile_restart(void);

/* Offers @out_len readable bytes of @out, then @in_len writable ones, and kicks. */
void hostile_request(unsigned int queue, const void *out, u32 out_len, u32 in_len);

/* Writes something into rings and tables, offers what is there, and kicks. */
void hostile_ring(unsigned int queue);

/* Reads or writes a field of the device's configuration, or asks for its counters. */
void hostile_config(void);

/* Maps or unmaps a part of the memory. */
void hostile_iommu(void);

/*
 * After the device had its turn: takes what is used. True if that is all, or if the device may
 * have stopped.
 */
bool hostile_take(unsigned int queue);

#endif /* LKVM_TESTS_HOSTILE_DRIVER_H */
