/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest with a virtio network device whose backend is in the test's hands: a socket for each
 * queue pair. There is one such guest at a time.
 */
#ifndef LKVM_TESTS_NET_GUEST_H
#define LKVM_TESTS_NET_GUEST_H

#include "fake-guest.h"
#include "iommu/iommu.h"
#include "virtio/net-queue.h"

#define RAM_SIZE   (8 * MiB)
#define OUTSIDE	   (RAM_SIZE + MiB)
#define RINGS(q)   (64 * KiB + (q) * 16 * KiB)
#define BUFFERS	   (1 * MiB) /* of receive queues */
#define OUT	   (4 * MiB) /* what is sent, and commands */
#define ACK	   (OUT + 512 * KiB)
#define RING_SIZE  16
#define TEST_PAIRS 3

#define HDR sizeof(struct virtio_net_hdr_v1)

struct net_guest {
	struct guest_mem mem;
	struct iommu iommu;
	struct iommu_endpoint ep;
	struct net_backend backend;
	int host[NET_MAX_QUEUES]; /* the other ends of the backend's descriptors */
	u32 offloads; /* as the device set them */
	bool attached[NET_MAX_QUEUES];
	unsigned int fail_attach; /* set_queue() of this pair fails */
	bool closed;
	struct virtio_net *net;
	struct fake_driver drv;
	struct fake_queue q[2 * TEST_PAIRS + 1];
	struct fake_queue *ctrl;
	u64 next_buffer;
};

extern struct net_guest ng;

struct net_guest_options {
	unsigned int pairs; /* 0: 1 */
	u16 mtu;
	bool no_offload;
	bool iommu; /* attached to a domain, all memory mapped one to one */
	u64 without; /* features that the driver does not take */
};

/* Up to DRIVER_OK. */
void net_guest_start(const struct net_guest_options *opts);
void net_guest_end(void);

/* Reset, and all again with other features. */
void net_guest_restart(u64 without);

/* Until so many more chains are used, or a counter has the value: false after a long time. */
bool await_used(struct fake_queue *q, u16 nr);
bool await_count(const _Atomic u64 *counter, u64 value);

#define RX(pair)    (&ng.q[2 * (pair)])
#define TX(pair)    (&ng.q[2 * (pair) + 1])
#define COUNTERS(q) (&ng.net->queues[(q)->index].counters)

/* What a queue's thread has in this member, asked between two of its batches. */
#define PEEK(q, member)                                                \
	({                                                             \
		struct net_queue *peek_ = &ng.net->queues[(q)->index]; \
		__typeof__(peek_->member) val_;                        \
		net_queue_hold(peek_);                                 \
		val_ = peek_->member;                                  \
		net_queue_release(peek_);                              \
		val_;                                                  \
	})

#define FEATURE(name)  BIT_ULL(VIRTIO_NET_F_##name)
#define ALL_BUT(names) (~(u64)(names))

/* A buffer of @len bytes for receive queue @q; its address. Kicks. */
u64 net_buffer(struct fake_queue *q, u32 len);

/* From the host: a frame of @len bytes with a pattern, behind @hdr (NULL: zeroes). */
void host_send(unsigned int pair, const struct virtio_net_hdr_v1 *hdr, u32 len);
u8 net_pattern(u32 i);

/* What the host got: the length of the frame, without the header; -1: nothing. Waits. */
ssize_t host_receive(unsigned int pair, struct virtio_net_hdr_v1 *hdr, void *frame, size_t size);

/* Sends a frame of @len bytes from the guest and waits until it is used. */
bool guest_send(unsigned int pair, const struct virtio_net_hdr_v1 *hdr, u32 len);

/* A command; its answer, -1 if there is none. */
int net_command(u8 class, u8 code, const void *data, u32 len);

#endif /* LKVM_TESTS_NET_GUEST_H */
