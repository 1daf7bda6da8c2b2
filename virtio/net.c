// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtio network device: virtio 1.3, 5.1. Its features, its configuration, and which
 * queue is what; net-rx.c, net-tx.c and net-ctrl.c say what happens in each.
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>

#include "util/log.h"
#include "virtio/net-queue.h"

/* The fields that our features make valid: up to mtu. */
#define CONFIG_SIZE offsetof(struct virtio_net_config, speed)

static struct virtio_net *to_net(struct virtio_device *vdev)
{
	return container_of(vdev, struct virtio_net, vdev);
}

u64 net_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

void net_queue_enter(struct net_queue *q)
{
	pthread_mutex_lock(&q->turn);
	pthread_mutex_lock(&q->lock);
	pthread_mutex_unlock(&q->turn);
}

void net_queue_leave(struct net_queue *q)
{
	pthread_mutex_unlock(&q->lock);
}

/* With @turn until the end, so that the queue's thread cannot be first again. */
void net_queue_hold(struct net_queue *q)
{
	pthread_mutex_lock(&q->turn);
	pthread_mutex_lock(&q->lock);
}

void net_queue_release(struct net_queue *q)
{
	pthread_mutex_unlock(&q->lock);
	pthread_mutex_unlock(&q->turn);
	/* It may wait for what it need not wait for any more. */
	eventfd_write(q->vq->kick_fd, 1);
}

void net_gone(struct virtio_net *net)
{
	if (atomic_exchange(&net->gone, true))
		return;
	pr_warn("%s: interface %s is gone, the guest's link is down", net->what,
		net->backend->name);
	virtio_config_changed(&net->vdev);
}

/* Features with those of which each needs at least one (5.1.3.1). */
static const struct {
	unsigned int feature;
	u64 needs;
} dependencies[] = {
	{VIRTIO_NET_F_GUEST_TSO4, BIT_ULL(VIRTIO_NET_F_GUEST_CSUM)},
	{VIRTIO_NET_F_GUEST_TSO6, BIT_ULL(VIRTIO_NET_F_GUEST_CSUM)},
	{VIRTIO_NET_F_GUEST_USO4, BIT_ULL(VIRTIO_NET_F_GUEST_CSUM)},
	{VIRTIO_NET_F_GUEST_USO6, BIT_ULL(VIRTIO_NET_F_GUEST_CSUM)},
	{VIRTIO_NET_F_GUEST_ECN,
	 BIT_ULL(VIRTIO_NET_F_GUEST_TSO4) | BIT_ULL(VIRTIO_NET_F_GUEST_TSO6)},
	{VIRTIO_NET_F_HOST_TSO4, BIT_ULL(VIRTIO_NET_F_CSUM)},
	{VIRTIO_NET_F_HOST_TSO6, BIT_ULL(VIRTIO_NET_F_CSUM)},
	{VIRTIO_NET_F_HOST_USO, BIT_ULL(VIRTIO_NET_F_CSUM)},
	{VIRTIO_NET_F_HOST_ECN, BIT_ULL(VIRTIO_NET_F_HOST_TSO4) | BIT_ULL(VIRTIO_NET_F_HOST_TSO6)},
	{VIRTIO_NET_F_CTRL_RX, BIT_ULL(VIRTIO_NET_F_CTRL_VQ)},
	{VIRTIO_NET_F_CTRL_RX_EXTRA, BIT_ULL(VIRTIO_NET_F_CTRL_VQ)},
	{VIRTIO_NET_F_CTRL_MAC_ADDR, BIT_ULL(VIRTIO_NET_F_CTRL_VQ)},
	{VIRTIO_NET_F_CTRL_GUEST_OFFLOADS, BIT_ULL(VIRTIO_NET_F_CTRL_VQ)},
	{VIRTIO_NET_F_MQ, BIT_ULL(VIRTIO_NET_F_CTRL_VQ)},
};

bool net_features_valid(u64 features)
{
	for (size_t i = 0; i < ARRAY_SIZE(dependencies); i++) {
		if ((features & BIT_ULL(dependencies[i].feature)) &&
		    !(features & dependencies[i].needs))
			return false;
	}
	return true;
}

/* The driver's offloads for frames to it, with what they are called at the backend. */
static const struct {
	unsigned int feature;
	u32 offload;
} guest_offloads[] = {
	{VIRTIO_NET_F_GUEST_CSUM, NET_OFFLOAD_CSUM}, {VIRTIO_NET_F_GUEST_TSO4, NET_OFFLOAD_TSO4},
	{VIRTIO_NET_F_GUEST_TSO6, NET_OFFLOAD_TSO6}, {VIRTIO_NET_F_GUEST_ECN, NET_OFFLOAD_TSO_ECN},
	{VIRTIO_NET_F_GUEST_USO4, NET_OFFLOAD_USO4}, {VIRTIO_NET_F_GUEST_USO6, NET_OFFLOAD_USO6},
};

u32 net_backend_offloads(u64 features)
{
	u32 offloads = 0;

	for (size_t i = 0; i < ARRAY_SIZE(guest_offloads); i++) {
		if (features & BIT_ULL(guest_offloads[i].feature))
			offloads |= guest_offloads[i].offload;
	}
	return offloads;
}

static u64 offered_features(const struct net_config *config, const struct net_backend *backend)
{
	u64 features = BIT_ULL(VIRTIO_NET_F_MAC) | BIT_ULL(VIRTIO_NET_F_STATUS) |
		       BIT_ULL(VIRTIO_NET_F_MRG_RXBUF) | BIT_ULL(VIRTIO_NET_F_CTRL_VQ) |
		       BIT_ULL(VIRTIO_NET_F_CTRL_RX) | BIT_ULL(VIRTIO_NET_F_CTRL_RX_EXTRA) |
		       BIT_ULL(VIRTIO_NET_F_CTRL_MAC_ADDR);

	if (config->tap.mtu)
		features |= BIT_ULL(VIRTIO_NET_F_MTU);
	if (backend->nr_queues > 1)
		features |= BIT_ULL(VIRTIO_NET_F_MQ);
	if (!config->offload)
		return features;

	features |= BIT_ULL(VIRTIO_NET_F_CSUM) | BIT_ULL(VIRTIO_NET_F_HOST_TSO4) |
		    BIT_ULL(VIRTIO_NET_F_HOST_TSO6) | BIT_ULL(VIRTIO_NET_F_HOST_ECN);
	if (backend->offloads & NET_OFFLOAD_USO4)
		features |= BIT_ULL(VIRTIO_NET_F_HOST_USO);
	for (size_t i = 0; i < ARRAY_SIZE(guest_offloads); i++) {
		if (backend->offloads & guest_offloads[i].offload)
			features |= BIT_ULL(guest_offloads[i].feature) |
				    BIT_ULL(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS);
	}
	return features;
}

/*
 * Queues come in pairs, each of a receive and a transmit queue, and after them the control
 * queue. A driver without MQ knows one pair only (5.1.2). What queue @index is for, with the
 * features that were negotiated; NULL: nothing.
 */
static void (*role(const struct virtio_net *net, unsigned int index))(struct net_queue *q)
{
	const struct virtio_device *vdev = &net->vdev;
	unsigned int pairs = virtio_has_feature(vdev, VIRTIO_NET_F_MQ) ? net->nr_pairs : 1;

	if (index < 2 * pairs)
		return index % 2 ? net_serve_tx : net_serve_rx;
	if (index == 2 * pairs && virtio_has_feature(vdev, VIRTIO_NET_F_CTRL_VQ))
		return net_serve_ctrl;
	return NULL;
}

static void serve(struct virtio_worker *worker)
{
	struct net_queue *q = container_of(worker, struct net_queue, worker);

	role(q->net, q->vq->index)(q);
}

static int net_queue_start(struct virtio_device *vdev, unsigned int index)
{
	struct virtio_net *net = to_net(vdev);

	/* A thread that has nothing to serve would not sleep either. */
	if (role(net, index))
		virtio_worker_start(&net->queues[index].worker);
	return 0;
}

static void net_queue_stop(struct virtio_device *vdev, unsigned int index)
{
	virtio_worker_stop(&to_net(vdev)->queues[index].worker);
}

static void net_config_read(struct virtio_device *vdev, u32 off, void *buf, u32 len)
{
	struct virtio_net *net = to_net(vdev);
	struct virtio_net_config config = {
		.status = htole16(atomic_load(&net->gone) ? 0 : VIRTIO_NET_S_LINK_UP),
		.max_virtqueue_pairs = htole16(net->nr_pairs),
		.mtu = htole16(net->mtu),
	};

	pthread_mutex_lock(&net->mac_lock);
	memcpy(config.mac, net->mac, ETH_ALEN);
	pthread_mutex_unlock(&net->mac_lock);
	memcpy(buf, (u8 *)&config + off, len);
}

/* All fields are read-only for a driver (5.1.4). */
static void net_config_write(struct virtio_device *vdev, u32 off, const void *buf, u32 len)
{
	(void)vdev;
	(void)off;
	(void)buf;
	(void)len;
}

static int net_features_ok(struct virtio_device *vdev, u64 features)
{
	struct virtio_net *net = to_net(vdev);

	if (!net_features_valid(features))
		return -EINVAL;
	net->offloads = features & NET_GUEST_OFFLOADS;
	/* Offloads are allowed, not asked for: without them all works as well. */
	net->backend->ops->set_offloads(net->backend, net_backend_offloads(net->offloads));
	return 0;
}

static void net_reset(struct virtio_device *vdev)
{
	struct virtio_net *net = to_net(vdev);

	net->offloads = 0;
	net->backend->ops->set_offloads(net->backend, 0);
	net_set_pairs(net, 1);
	net_filter_reset(&net->filter);
	pthread_mutex_lock(&net->mac_lock);
	memcpy(net->mac, net->first_mac, ETH_ALEN);
	pthread_mutex_unlock(&net->mac_lock);
}

static const struct virtio_ops net_ops = {
	.name = "virtio-net",
	.id = 1,
	.threaded = true,
	.config_size = CONFIG_SIZE,
	.config_read = net_config_read,
	.config_write = net_config_write,
	.features_ok = net_features_ok,
	.queue_start = net_queue_start,
	.queue_stop = net_queue_stop,
	.reset = net_reset,
	.stat = net_stat,
};

static int queue_create(struct net_queue *q, struct virtio_net *net, unsigned int device,
			unsigned int index)
{
	char name[16];
	int ret;

	q->net = net;
	q->vq = &net->vdev.vqs[index];
	pthread_mutex_init(&q->turn, NULL);
	pthread_mutex_init(&q->lock, NULL);
	/* As long as a thread's name may be: of these numbers nothing is ever cut. */
	snprintf(name, sizeof(name), "net%hhu-q%hhu", (u8)device, (u8)index);
	ret = virtio_worker_init(&q->worker, q->vq, serve, name);
	if (ret) {
		pthread_mutex_destroy(&q->lock);
		pthread_mutex_destroy(&q->turn);
	}
	return ret;
}

static void stop_threads(struct virtio_net *net)
{
	while (net->nr_queues) {
		struct net_queue *q = &net->queues[--net->nr_queues];

		virtio_worker_destroy(&q->worker);
		pthread_mutex_destroy(&q->lock);
		pthread_mutex_destroy(&q->turn);
	}
}

/* The given address, or a random one of those that belong to nobody. */
static int choose_mac(struct virtio_net *net, const struct net_config *config)
{
	if (config->has_mac) {
		memcpy(net->first_mac, config->mac, ETH_ALEN);
		return 0;
	}
	if (getrandom(net->first_mac, ETH_ALEN, 0) != ETH_ALEN)
		return -EIO;
	net->first_mac[0] &= ~1;
	net->first_mac[0] |= 2;
	return 0;
}

int virtio_net_create(struct virtio_net **out, const struct net_config *config,
		      struct net_backend *backend, const struct guest_mem *mem,
		      struct iommu_endpoint *ep)
{
	unsigned int nr_vqs = 2 * backend->nr_queues + 1;
	struct virtio_net *net = calloc(1, sizeof(*net));
	int ret = -ENOMEM;

	if (!net)
		goto err;
	net->queues = calloc(nr_vqs, sizeof(*net->queues));
	if (!net->queues)
		goto err_free;
	net->backend = backend;
	net->what = config->options.what;
	net->nr_pairs = backend->nr_queues;
	net->mtu = config->tap.mtu;
	ret = choose_mac(net, config);
	if (ret)
		goto err_queues;
	ret = virtio_device_init(&net->vdev, &net_ops, offered_features(config, backend), nr_vqs,
				 NET_QUEUE_SIZE, mem, ep);
	if (ret)
		goto err_queues;
	pthread_mutex_init(&net->mac_lock, NULL);
	while (net->nr_queues < nr_vqs) {
		ret = queue_create(&net->queues[net->nr_queues], net, config->index,
				   net->nr_queues);
		if (ret)
			goto err_device;
		net->nr_queues++;
	}
	for (unsigned int i = 0; i < net->nr_pairs; i++)
		net->attached[i] = true;
	ret = net_set_pairs(net, 1);
	if (ret)
		goto err_device;
	net_reset(&net->vdev);
	*out = net;
	return 0;

err_device:
	stop_threads(net);
	pthread_mutex_destroy(&net->mac_lock);
	virtio_device_destroy(&net->vdev);
err_queues:
	free(net->queues);
err_free:
	free(net);
err:
	pr_err("%s: cannot make the device of interface %s: %s", config->options.what,
	       backend->name, strerror(-ret));
	return ret;
}

void virtio_net_destroy(struct virtio_net *net)
{
	stop_threads(net);
	pthread_mutex_destroy(&net->mac_lock);
	virtio_device_destroy(&net->vdev);
	net->backend->ops->close(net->backend);
	free(net->queues);
	free(net);
}
