/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtio network device (virtio 1.3, 5.1). Each queue has a thread of its own: one
 * that waits, for frames, for buffers or for the host to take a frame, delays no other.
 */
#ifndef LKVM_VIRTIO_NET_H
#define LKVM_VIRTIO_NET_H

#include <linux/if_ether.h>
#include <linux/virtio_net.h>

#include "net/tap.h"
#include "virtio/device.h"
#include "virtio/options.h"

/* What "--net ..." says. */
struct net_config {
	struct virtio_options options;
	struct tap_config tap;
	bool has_queues; /* queues= was given */
	bool has_mac;
	u8 mac[ETH_ALEN];
	bool offload; /* checksums and segmentation may be left to the other side */
	unsigned int index; /* of this device among the guest's, by the caller: names threads */
};

/* What --net takes, for the usage text. */
extern const char net_usage[];

/*
 * Parses the argument of --net. Inherited descriptors are looked at, and not inherited
 * further. Prints the reason on failure. -EINVAL, -EBADF.
 */
int net_parse(const char *arg, struct net_config *out);

/* What the options of several devices may not have in common. Prints the reason; -EINVAL. */
int net_check_all(const struct net_config *configs, unsigned int nr);

struct net_queue;

/* Frames that are for the guest, if its driver negotiated CTRL_RX (5.1.6.5.1, 5.1.6.5.2). */
#define NET_FILTER_MACS 64

struct net_filter {
	/* Indexed by the commands of VIRTIO_NET_CTRL_RX. */
	bool modes[VIRTIO_NET_CTRL_RX_NOBCAST + 1];
	/* Unicast and multicast addresses; a table that is too long lets all pass. */
	struct net_mac_table {
		u8 macs[NET_FILTER_MACS][ETH_ALEN];
		unsigned int nr;
		bool overflow;
	} unicast, multicast;
};

struct virtio_net {
	struct virtio_device vdev;
	struct net_backend *backend;
	const char *what; /* "--net": opens messages */
	unsigned int nr_pairs;
	u8 first_mac[ETH_ALEN]; /* that a reset brings back */
	u16 mtu; /* 0: the device has none to tell */
	atomic_bool gone; /* the host's interface was removed */

	/*
	 * Written by the control queue with the locks of all receive queues, or while no
	 * queue runs; read with the lock of a queue.
	 */
	u64 offloads; /* VIRTIO_NET_F_GUEST_* bits that frames to the guest may use */
	struct net_filter filter;
	/* The same with the locks of the pair's two queues. */
	bool attached[NET_MAX_QUEUES]; /* the host distributes frames to this pair */

	pthread_mutex_t mac_lock; /* guards mac */
	u8 mac[ETH_ALEN];

	struct net_queue *queues; /* as many as vdev.nr_vqs */
	unsigned int nr_queues; /* that have a thread */
};

/*
 * Makes a device that is connected to @backend, which belongs to the device from then on; on
 * failure it stays the caller's. Prints the reason on failure. -ENOMEM, -EMFILE, -EAGAIN.
 */
int virtio_net_create(struct virtio_net **out, const struct net_config *config,
		      struct net_backend *backend, const struct guest_mem *mem,
		      struct iommu_endpoint *ep);

/* Ends the threads and closes the backend. The transport must not use the device any more. */
void virtio_net_destroy(struct virtio_net *net);

#endif /* LKVM_VIRTIO_NET_H */
