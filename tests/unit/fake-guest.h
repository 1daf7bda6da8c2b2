/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest without vCPUs: a driver that sets a virtio device up and works its queues
 * from the test's thread, over a transport that only counts. What a test wants to get
 * wrong it writes into the rings by itself.
 */
#ifndef LKVM_TESTS_FAKE_GUEST_H
#define LKVM_TESTS_FAKE_GUEST_H

#include <linux/virtio_ring.h>

#include "virtio/device.h"
#include "vm/memory.h"

#define FAKE_MAX_QUEUES 8

struct fake_driver {
	struct virtio_device *vdev;
	const struct guest_mem *mem;
	/* Where an address that the driver gave to the device is in memory; NULL: a GPA. */
	u64 (*to_gpa)(u64 addr);
	u64 features; /* as negotiated */
	_Atomic unsigned int interrupts[FAKE_MAX_QUEUES];
	_Atomic unsigned int config_interrupts;
};

/* Becomes @vdev's transport. */
void fake_driver_init(struct fake_driver *drv, struct virtio_device *vdev,
		      const struct guest_mem *mem);

/* Reset, then everything up to FEATURES_OK. Whether the device took the features. */
bool fake_driver_negotiate(struct fake_driver *drv, u64 features);

/* A write of the status with further bits; of 0: a reset. */
void fake_driver_status(struct fake_driver *drv, u8 bits);

/* Guest memory, by the addresses that the device is given. Aborts outside of it. */
void fake_write(const struct fake_driver *drv, u64 addr, const void *buf, u64 len);
void fake_read(const struct fake_driver *drv, u64 addr, void *buf, u64 len);
void fake_fill(const struct fake_driver *drv, u64 addr, u8 byte, u64 len);

/* Words that the device may read or write at the same time: acquire and release. */
void fake_put16(const struct fake_driver *drv, u64 addr, u16 val);
u16 fake_get16(const struct fake_driver *drv, u64 addr);
void fake_put32(const struct fake_driver *drv, u64 addr, u32 val);
u32 fake_get32(const struct fake_driver *drv, u64 addr);

struct fake_queue {
	struct fake_driver *drv;
	struct virtq *vq;
	unsigned int index;
	u16 size;
	u64 desc, avail, used;
	u16 next_desc;
	u16 avail_idx;
	u16 used_idx; /* of the next element to take */
};

/* Cleared rings, one behind the other from @base on or where it says, and the queue enabled. */
void fake_queue_setup(struct fake_queue *q, struct fake_driver *drv, unsigned int index, u16 size,
		      u64 base);
void fake_queue_setup_at(struct fake_queue *q, struct fake_driver *drv, unsigned int index,
			 u16 size, u64 desc, u64 avail, u64 used);

struct fake_seg {
	u64 addr;
	u32 len;
};

void fake_desc(struct fake_queue *q, u16 i, u64 addr, u32 len, u16 flags, u16 next);

/*
 * A chain of @nr_out readable, then @nr_in writable segments, from the next free
 * descriptors, which come round as those of a ring. Returns the head. With @table the
 * segments are in an indirect table at that address.
 */
u16 fake_chain(struct fake_queue *q, const struct fake_seg *segs, unsigned int nr_out,
	       unsigned int nr_in);
u16 fake_chain_indirect(struct fake_queue *q, const struct fake_seg *segs, unsigned int nr_out,
			unsigned int nr_in, u64 table);

/* Makes a chain available, without a kick. */
void fake_offer(struct fake_queue *q, u16 head);
void fake_kick(struct fake_queue *q);

/* Whether the device asks for a kick for the last @added chains (2.7.10). */
bool fake_kick_wanted(struct fake_queue *q, u16 added);

/* What the device wrote to its flags and its event index. */
u16 fake_used_flags(struct fake_queue *q);
u16 fake_avail_event(struct fake_queue *q);

/* What the driver tells about interrupts: flags, or the event index. */
void fake_avail_flags(struct fake_queue *q, u16 flags);
void fake_used_event(struct fake_queue *q, u16 idx);

u16 fake_used_idx(struct fake_queue *q);

/* The next used element; false if there is none. */
bool fake_take_used(struct fake_queue *q, u32 *id, u32 *len);

unsigned int fake_interrupts(struct fake_queue *q);

#endif /* LKVM_TESTS_FAKE_GUEST_H */
