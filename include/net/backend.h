/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a network device sends its frames to and gets them from: the host's side. Each
 * queue is a file descriptor that takes and gives one frame at a time, behind a header of
 * struct virtio_net_hdr_v1 in little-endian.
 */
#ifndef LKVM_NET_BACKEND_H
#define LKVM_NET_BACKEND_H

#include <net/if.h>

#include "util/types.h"

#define NET_MAX_QUEUES 8

/* What frames from the host may leave to their receiver: the bits of TUNSETOFFLOAD. */
enum {
	NET_OFFLOAD_CSUM = BIT(0), /* the checksum of TCP or UDP is not complete */
	NET_OFFLOAD_TSO4 = BIT(1), /* TCP over IPv4, larger than the MTU */
	NET_OFFLOAD_TSO6 = BIT(2),
	NET_OFFLOAD_TSO_ECN = BIT(3), /* the same, with congestion marks */
	NET_OFFLOAD_USO4 = BIT(5), /* UDP that is to be cut into datagrams */
	NET_OFFLOAD_USO6 = BIT(6),
};

struct net_backend;

struct net_backend_ops {
	/*
	 * From now on frames from the host have these offloads at most; some that are on
	 * their way may still have others. -errno, with nothing changed.
	 */
	int (*set_offloads)(struct net_backend *backend, u32 offloads);

	/*
	 * Whether the host distributes frames to queue @index. One that is detached gives
	 * and takes no frames: reads and writes fail with EBADFD. All are attached at
	 * first. -errno. Not for queue 0.
	 */
	int (*set_queue)(struct net_backend *backend, unsigned int index, bool attached);

	void (*close)(struct net_backend *backend);
};

struct net_backend {
	const struct net_backend_ops *ops;
	char name[IFNAMSIZ]; /* of the host's interface */
	u32 offloads; /* that set_offloads() takes */
	unsigned int nr_queues;
	int fds[NET_MAX_QUEUES]; /* nonblocking */
};

#endif /* LKVM_NET_BACKEND_H */
