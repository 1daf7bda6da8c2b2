/* SPDX-License-Identifier: GPL-2.0-only */
/* The driver's side of a packed virtqueue (virtio 1.3, 2.8), as fake-guest.h of a split one. */
#ifndef LKVM_TESTS_FAKE_PACKED_H
#define LKVM_TESTS_FAKE_PACKED_H

#include "fake-guest.h"

#define PACKED_AVAIL BIT(VRING_PACKED_DESC_F_AVAIL)
#define PACKED_USED  BIT(VRING_PACKED_DESC_F_USED)

struct packed_queue {
	struct fake_driver *drv;
	struct virtq *vq;
	unsigned int index;
	u16 size;
	u64 desc, driver, device;
	u16 avail, used; /* the next places to write and to look at */
	bool avail_wrap, used_wrap;
	u16 nr[65536]; /* ring entries of the buffer, by ID */
};

/* Cleared rings, one behind the other from @base on or where it says, and the queue enabled. */
void packed_setup(struct packed_queue *q, struct fake_driver *drv, unsigned int index, u16 size,
		  u64 base);
void packed_setup_at(struct packed_queue *q, struct fake_driver *drv, unsigned int index, u16 size,
		     u64 desc, u64 driver, u64 device);

/* Any descriptor at place @off of the table or the ring at @table. The flags come last. */
void packed_desc(const struct fake_driver *drv, u64 table, u16 off, u64 addr, u32 len, u16 id,
		 u16 flags);

/* What makes a descriptor at the next place available: flags. */
u16 packed_avail_flags(const struct packed_queue *q);

/* Goes on by one place, as if a descriptor had been written. */
void packed_advance(struct packed_queue *q);

/*
 * A buffer with @id of @nr_out readable, then @nr_in writable segments, made available
 * without a kick. With @table the segments are in an indirect table at that address.
 */
void packed_offer(struct packed_queue *q, u16 id, const struct fake_seg *segs, unsigned int nr_out,
		  unsigned int nr_in);
void packed_offer_indirect(struct packed_queue *q, u16 id, const struct fake_seg *segs,
			   unsigned int nr_out, unsigned int nr_in, u64 table);

/* The flags of the descriptor at place @off. */
u16 packed_flags(const struct packed_queue *q, u16 off);

/* The next used buffer, with which its places are free again; false if there is none. */
bool packed_take_used(struct packed_queue *q, u32 *id, u32 *len);

/* What the driver asks for: VRING_PACKED_EVENT_FLAG_*, and for DESC the place. */
void packed_driver_event(struct packed_queue *q, u16 flags, u16 off, bool wrap);

/* What the device asks for: the offset with the wrap counter, in the high half the flags. */
u32 packed_device_event(const struct packed_queue *q);

/* Whether that is a kick for the last @nr descriptors that were made available. */
bool packed_kick_wanted(const struct packed_queue *q, u16 nr);

#endif /* LKVM_TESTS_FAKE_PACKED_H */
