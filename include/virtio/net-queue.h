/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the virtio network device share. */
#ifndef LKVM_VIRTIO_NET_QUEUE_H
#define LKVM_VIRTIO_NET_QUEUE_H

#include "virtio/net.h"
#include "virtio/worker.h"

/* For kernel headers from before Linux 6.2. */
#ifndef VIRTIO_NET_F_GUEST_USO4
#define VIRTIO_NET_F_GUEST_USO4 54
#define VIRTIO_NET_F_GUEST_USO6 55
#define VIRTIO_NET_F_HOST_USO	56
#endif
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

#define NET_HDR_SIZE sizeof(struct virtio_net_hdr_v1)

/* The largest frame: 64 KiB that are to be segmented, and what comes before an IP header. */
#define NET_MAX_FRAME (64 * KiB + 64)

#define NET_QUEUE_SIZE 256

/* How long a finished frame may wait for the rest of its batch. */
#define NET_BATCH_NS 50000

/*
 * The features that a driver can switch while the device runs (5.1.6.5.6), with what they
 * mean for the backend.
 */
#define NET_GUEST_OFFLOADS                                                     \
	(BIT_ULL(VIRTIO_NET_F_GUEST_CSUM) | BIT_ULL(VIRTIO_NET_F_GUEST_TSO4) | \
	 BIT_ULL(VIRTIO_NET_F_GUEST_TSO6) | BIT_ULL(VIRTIO_NET_F_GUEST_ECN) |  \
	 BIT_ULL(VIRTIO_NET_F_GUEST_USO4) | BIT_ULL(VIRTIO_NET_F_GUEST_USO6))

/* Counters have one writer, the thread of their queue; anybody reads them. */
struct net_counters {
	_Atomic u64 packets;
	_Atomic u64 bytes; /* of frames, without the header */
	/* Frames that were dropped: */
	_Atomic u64 too_large; /* for the driver's buffers, the MTU or the device */
	_Atomic u64 filtered; /* for another address, as the driver asked */
	_Atomic u64 malformed; /* a header or frame that makes no sense or was not agreed on */
	_Atomic u64 unreachable; /* in buffers that the device cannot reach */
	_Atomic u64 refused; /* by the host's interface: down, gone or without memory */
	_Atomic u64 stopped; /* by a change of the queues while they waited for buffers */
};

static inline void net_count(_Atomic u64 *counter, u64 n)
{
	u64 old = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, old + n, memory_order_relaxed);
}

struct net_queue {
	struct virtio_net *net;
	struct virtq *vq;
	struct virtio_worker worker;
	struct net_counters counters;

	/*
	 * @lock is held while frames are moved, never while the thread sleeps. @turn
	 * makes way for who wants the lock while frames come without end.
	 */
	pthread_mutex_t turn;
	pthread_mutex_t lock;

	/* The rest is the thread's own, or guarded by @lock where that is said. */
	struct virtq_chain chain;
	bool has_chain; /* chain is taken from the ring and not yet used */

	/* Of a transmit queue. */
	struct iovec iov[VIRTQ_MAX_SEGS];
	dma_handle_t handles[VIRTQ_MAX_SEGS];

	/*
	 * Of a receive queue: a frame on its way to the driver's buffers. What was copied
	 * to some of these is not told until it is complete.
	 */
	struct virtq_chain next;
	u32 frame_len; /* with the header; 0: there is none */
	u32 copied;
	u64 frame_offloads; /* net->offloads when the copy began */
	unsigned int nr_heads;
	u16 heads[NET_QUEUE_SIZE];
	u32 lens[NET_QUEUE_SIZE];

	/* A frame with its header, and one more byte to see that it was cut off. */
	_Alignas(struct virtio_net_hdr_v1) u8 frame[NET_HDR_SIZE + NET_MAX_FRAME + 1];
};

/* The thread's side of the lock. */
void net_queue_enter(struct net_queue *q);
void net_queue_leave(struct net_queue *q);

/* The same for another thread, which wakes the queue's at the end. */
void net_queue_hold(struct net_queue *q);
void net_queue_release(struct net_queue *q);

/* In nanoseconds, for batches. */
u64 net_now(void);

/* The host's interface is gone: the link is down from now on. From any queue's thread. */
void net_gone(struct virtio_net *net);

/* The TUNSETOFFLOAD bits of VIRTIO_NET_F_GUEST_* ones. */
u32 net_backend_offloads(u64 features);

/* Whether each of the bits has those that it builds on (5.1.3.1). */
bool net_features_valid(u64 features);

/* What the threads do. Queues are of pair index / 2. */
void net_serve_rx(struct net_queue *q);
void net_serve_tx(struct net_queue *q);
void net_serve_ctrl(struct net_queue *q);

/* The device's counters, with vdev.lock. */
void net_stat(struct virtio_device *vdev, struct report *r);

/* While no queue runs: the filter of a driver that has asked for nothing. */
void net_filter_reset(struct net_filter *filter);

/* Whether the driver wants a frame to @dst; @mac is the device's address. */
bool net_filter_accepts(const struct net_filter *filter, const u8 *mac, const u8 *dst);

/*
 * Attaches the first @nr pairs to the host and detaches all others, each with its queues
 * held. -errno, with what was attached before.
 */
int net_set_pairs(struct virtio_net *net, unsigned int nr);

#endif /* LKVM_VIRTIO_NET_QUEUE_H */
