// SPDX-License-Identifier: GPL-2.0-only
/* What a network device tells about itself: its connection, and what became of the frames. */
#include <stdio.h>

#include "util/report.h"
#include "virtio/net-queue.h"

/* The counters by name; those from the third on are of frames that were dropped. */
static const struct {
	const char *name;
	size_t off;
} members[] = {
	{"packets", offsetof(struct net_counters, packets)},
	{"bytes", offsetof(struct net_counters, bytes)},
	{"too_large", offsetof(struct net_counters, too_large)},
	{"filtered", offsetof(struct net_counters, filtered)},
	{"malformed", offsetof(struct net_counters, malformed)},
	{"unreachable", offsetof(struct net_counters, unreachable)},
	{"refused", offsetof(struct net_counters, refused)},
	{"stopped", offsetof(struct net_counters, stopped)},
};

static u64 sum(const struct virtio_net *net, unsigned int direction, size_t off)
{
	u64 total = 0;

	for (unsigned int i = direction; i < 2 * net->nr_pairs; i += 2) {
		const u8 *counters = (const u8 *)&net->queues[i].counters;

		total += atomic_load_explicit((const _Atomic u64 *)(counters + off),
					      memory_order_relaxed);
	}
	return total;
}

/* @direction: 0 for receive queues, 1 for transmit queues. */
static void report_direction(const struct virtio_net *net, struct report *r, const char *name,
			     unsigned int direction)
{
	report_object_begin(r, name);
	for (size_t i = 0; i < 2; i++)
		report_u64(r, members[i].name, sum(net, direction, members[i].off));
	report_object_begin(r, "dropped");
	for (size_t i = 2; i < ARRAY_SIZE(members); i++)
		report_u64(r, members[i].name, sum(net, direction, members[i].off));
	report_object_end(r);
	report_object_end(r);
}

void net_stat(struct virtio_device *vdev, struct report *r)
{
	struct virtio_net *net = container_of(vdev, struct virtio_net, vdev);
	char mac[3 * ETH_ALEN];

	pthread_mutex_lock(&net->mac_lock);
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", net->mac[0], net->mac[1],
		 net->mac[2], net->mac[3], net->mac[4], net->mac[5]);
	pthread_mutex_unlock(&net->mac_lock);
	report_str(r, "interface", net->backend->name);
	report_bool(r, "link", !atomic_load(&net->gone));
	report_str(r, "mac", mac);
	report_u64(r, "queue_pairs", net->nr_pairs);
	report_direction(net, r, "receive", 0);
	report_direction(net, r, "transmit", 1);
}
