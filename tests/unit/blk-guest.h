/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest with a virtio block device, and a disk in memory that can be told to fail or to
 * hold a request. Unlike fake-guest.h its driver runs beside the threads of the device,
 * from several threads of its own, and sleeps until the interrupt. There is one such guest
 * at a time.
 */
#ifndef LKVM_TESTS_BLK_GUEST_H
#define LKVM_TESTS_BLK_GUEST_H

#include <endian.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <pthread.h>
#include <string.h>

#include "iommu/iommu.h"
#include "unit.h"
#include "virtio/blk.h"

#define GUEST_BASE  (16 * MiB)
#define GUEST_SIZE  (8 * MiB)
#define QUEUE_SPACE (64 * KiB) /* rings and small buffers of a queue */
#define RING_SIZE   256
#define DATA_BASE   (GUEST_BASE + BLK_MAX_QUEUES * QUEUE_SPACE)
#define UNREACHABLE (GUEST_BASE - MiB)

#define DISK_SIZE    (4 * MiB)
#define DISK_SECTORS (DISK_SIZE / DISK_SECTOR_SIZE)

/* A disk in memory that counts, fails and holds requests as it is told. */
struct test_disk {
	struct disk disk;
	u8 *data;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Guarded by lock. */
	bool gate; /* operations wait at the start until it is cleared */
	unsigned int passes; /* so many may go on nevertheless */
	unsigned int waiting; /* that wait now */
	unsigned int reads, writes, flushes, discards, zeroes, unmaps;
	unsigned int finished;
	int fail; /* what operations return, if not 0 */
};

extern struct test_disk tdisk;

/* Operations on the disk wait from now on; not any more; until so many wait. */
void gate_close(void);
void gate_open(void);
void gate_wait(unsigned int waiting);
/* One more may go on; until so many have ended. */
void gate_pass(void);
void gate_wait_finished(unsigned int finished);

/* One of the disk's counters, while the device is at work. */
unsigned int disk_count(const unsigned int *count);

/* The driver's side of a queue. */
struct driver_queue {
	unsigned int index;
	struct virtq *vq;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	u16 next_desc;
	u16 avail_idx;
	u16 used_idx;
	u64 scratch; /* a page after the rings: headers, status */

	pthread_mutex_t lock;
	pthread_cond_t interrupted;
	unsigned int interrupts; /* since the guest's start; guarded by lock */
};

/* The guest and its device. Buffers' addresses are GPAs, and IOVAs behind an IOMMU. */
struct blk_guest {
	struct guest_mem mem;
	u8 *ram;
	struct virtio_blk *blk;
	struct virtio_device *vdev;
	struct driver_queue queues[BLK_MAX_QUEUES + 1]; /* the last one: of the configuration */
	unsigned int nr_queues;
	bool event_idx;
	struct iommu iommu;
	struct iommu_endpoint ep;
};

extern struct blk_guest guest;

void *hva(u64 gpa);

struct blk_guest_options {
	unsigned int queues;
	bool read_only;
	bool plain_disk; /* cannot discard or write zeroes */
	bool big_disk; /* says that it has a terabyte */
	u64 max_range; /* of the disk */
	bool iommu;
	u64 without; /* features that the driver does not take */
};

/* Makes the device and starts it; behind an IOMMU, up to the driver's DRIVER_OK. */
void blk_guest_start(const struct blk_guest_options *opts);
void blk_guest_end(void);

/* A write of the status with further bits; of 0: a reset. */
void status_set(u8 bits);

/* Reset, then everything up to DRIVER_OK, which @ok gives or leaves for later. */
void driver_init(u64 without, bool ok);

/* Cleared rings, and the queue enabled. */
void queue_setup(struct driver_queue *q);

/* The reset of one queue. */
void queue_reset(struct driver_queue *q);

struct seg {
	u64 addr;
	u32 len;
};

/*
 * Makes a chain of the segments available. With @table, a GPA, the chain is an indirect
 * table there. Returns the head.
 */
u16 add_chain(struct driver_queue *q, const struct seg *segs, unsigned int nr_out,
	      unsigned int nr_in, u64 table);

/* Whether the device wants a kick (2.7.10) for the last @added chains; kicks if so. */
bool kick_wanted(const struct driver_queue *q, u16 added);
void kick(struct driver_queue *q, u16 added);

u16 used_now(struct driver_queue *q);

/* Wait for an interrupt: for any since the start, or until @nr more chains are used. */
bool wait_interrupt(struct driver_queue *q);
bool wait_used(struct driver_queue *q, u16 nr);

/* The used length of the next used element, or -1 if its head is not @head. */
s64 take_used(struct driver_queue *q, u16 head);

/* Runs one chain; its used length. */
s64 run_chain(struct driver_queue *q, const struct seg *segs, unsigned int nr_out,
	      unsigned int nr_in, u64 table);

/* In the scratch page, behind the header. */
#define STATUS_OFF 256
#define NO_STATUS  0xff

/* A header at the scratch page's start, and no status in the byte for it. */
void put_header(struct driver_queue *q, u32 type, u64 sector);
u8 get_status(struct driver_queue *q);

/*
 * A request as Linux makes it: header, data in one segment, status. Returns the status,
 * and in @used, if not NULL, the used length.
 */
u8 request(struct driver_queue *q, u32 type, u64 sector, u64 data, u32 len, bool in, s64 *used);

/* Adds a read of @len bytes to @addr, as the @n-th of those that are on the way. */
u16 add_read(struct driver_queue *q, unsigned int n, u64 sector, u64 addr, u32 len);

struct virtio_blk_config read_config(void);

#endif /* LKVM_TESTS_BLK_GUEST_H */
