// SPDX-License-Identifier: GPL-2.0-only
/* The control queue: virtio 1.3, 5.1.6.5. */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "virtio/net-queue.h"

/* A command that is executed: where its data begins and how much of it there is. */
struct command {
	struct net_queue *q;
	u8 code;
	u64 len;
};

#define DATA_START sizeof(struct virtio_net_ctrl_hdr)

static int read_data(const struct command *c, u64 off, void *buf, u64 len)
{
	if (off > c->len || len > c->len - off)
		return -EINVAL;
	return virtq_copy_out(c->q->vq, &c->q->chain, DATA_START + off, buf, len) == (ssize_t)len
		       ? 0
		       : -EFAULT;
}

static void hold_receivers(struct virtio_net *net)
{
	for (unsigned int i = 0; i < net->nr_pairs; i++)
		net_queue_hold(&net->queues[2 * i]);
}

static void release_receivers(struct virtio_net *net)
{
	for (unsigned int i = 0; i < net->nr_pairs; i++)
		net_queue_release(&net->queues[2 * i]);
}

void net_filter_reset(struct net_filter *filter)
{
	memset(filter, 0, sizeof(*filter));
	filter->modes[VIRTIO_NET_CTRL_RX_PROMISC] = true;
}

static bool in_table(const struct net_mac_table *table, const u8 *mac)
{
	if (table->overflow)
		return true;
	for (unsigned int i = 0; i < table->nr; i++) {
		if (!memcmp(table->macs[i], mac, ETH_ALEN))
			return true;
	}
	return false;
}

bool net_filter_accepts(const struct net_filter *filter, const u8 *mac, const u8 *dst)
{
	static const u8 broadcast[ETH_ALEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	const bool *modes = filter->modes;

	if (modes[VIRTIO_NET_CTRL_RX_PROMISC])
		return true;
	if (!memcmp(dst, broadcast, ETH_ALEN))
		return !modes[VIRTIO_NET_CTRL_RX_NOBCAST];
	if (dst[0] & 1)
		return !modes[VIRTIO_NET_CTRL_RX_NOMULTI] &&
		       (modes[VIRTIO_NET_CTRL_RX_ALLMULTI] || in_table(&filter->multicast, dst));
	return !modes[VIRTIO_NET_CTRL_RX_NOUNI] &&
	       (modes[VIRTIO_NET_CTRL_RX_ALLUNI] || !memcmp(dst, mac, ETH_ALEN) ||
		in_table(&filter->unicast, dst));
}

static int set_rx_mode(const struct command *c)
{
	struct virtio_net *net = c->q->net;
	unsigned int feature = c->code <= VIRTIO_NET_CTRL_RX_ALLMULTI ? VIRTIO_NET_F_CTRL_RX
								      : VIRTIO_NET_F_CTRL_RX_EXTRA;
	u8 on;

	if (c->code >= ARRAY_SIZE(net->filter.modes) || !virtio_has_feature(&net->vdev, feature))
		return -EOPNOTSUPP;
	if (c->len != sizeof(on) || read_data(c, 0, &on, sizeof(on)) || on > 1)
		return -EINVAL;
	hold_receivers(net);
	net->filter.modes[c->code] = on;
	release_receivers(net);
	return 0;
}

/* Reads one table at @off, and moves @off behind it. */
static int read_table(const struct command *c, u64 *off, struct net_mac_table *table)
{
	u32 entries;

	if (read_data(c, *off, &entries, sizeof(entries)))
		return -EINVAL;
	entries = le32toh(entries);
	*off += sizeof(entries);
	if (entries > (c->len - *off) / ETH_ALEN)
		return -EINVAL;
	table->overflow = entries > NET_FILTER_MACS;
	table->nr = table->overflow ? 0 : entries;
	if (read_data(c, *off, table->macs, table->nr * ETH_ALEN))
		return -EINVAL;
	*off += (u64)entries * ETH_ALEN;
	return 0;
}

static int set_mac_tables(const struct command *c)
{
	struct virtio_net *net = c->q->net;
	struct net_mac_table unicast = {0}, multicast = {0};
	u64 off = 0;

	if (!virtio_has_feature(&net->vdev, VIRTIO_NET_F_CTRL_RX))
		return -EOPNOTSUPP;
	if (read_table(c, &off, &unicast) || read_table(c, &off, &multicast) || off != c->len)
		return -EINVAL;
	hold_receivers(net);
	net->filter.unicast = unicast;
	net->filter.multicast = multicast;
	release_receivers(net);
	return 0;
}

static int set_mac(const struct command *c)
{
	static const u8 none[ETH_ALEN];
	struct virtio_net *net = c->q->net;
	u8 mac[ETH_ALEN];

	if (!virtio_has_feature(&net->vdev, VIRTIO_NET_F_CTRL_MAC_ADDR))
		return -EOPNOTSUPP;
	if (c->len != ETH_ALEN || read_data(c, 0, mac, ETH_ALEN))
		return -EINVAL;
	if ((mac[0] & 1) || !memcmp(mac, none, ETH_ALEN))
		return -EINVAL;
	pthread_mutex_lock(&net->mac_lock);
	memcpy(net->mac, mac, ETH_ALEN);
	pthread_mutex_unlock(&net->mac_lock);
	return 0;
}

static int do_mac(const struct command *c)
{
	switch (c->code) {
	case VIRTIO_NET_CTRL_MAC_TABLE_SET:
		return set_mac_tables(c);
	case VIRTIO_NET_CTRL_MAC_ADDR_SET:
		return set_mac(c);
	default:
		return -EOPNOTSUPP;
	}
}

/* Attaches or detaches one pair; its queues are held meanwhile and look again afterwards. */
static int set_pair(struct virtio_net *net, unsigned int pair, bool attached)
{
	struct net_queue *rx = &net->queues[2 * pair], *tx = rx + 1;
	int ret;

	if (net->attached[pair] == attached)
		return 0;
	net_queue_hold(rx);
	net_queue_hold(tx);
	ret = net->backend->ops->set_queue(net->backend, pair, attached);
	if (!ret)
		net->attached[pair] = attached;
	net_queue_release(tx);
	net_queue_release(rx);
	return ret;
}

int net_set_pairs(struct virtio_net *net, unsigned int nr)
{
	bool before[NET_MAX_QUEUES];
	int ret = 0;

	memcpy(before, net->attached, sizeof(before));
	for (unsigned int i = 1; !ret && i < net->nr_pairs; i++)
		ret = set_pair(net, i, i < nr);
	if (!ret)
		return 0;
	for (unsigned int i = 1; i < net->nr_pairs; i++)
		set_pair(net, i, before[i]);
	return ret;
}

static int set_pairs(const struct command *c)
{
	struct virtio_net *net = c->q->net;
	u16 nr;

	if (c->code != VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET ||
	    !virtio_has_feature(&net->vdev, VIRTIO_NET_F_MQ))
		return -EOPNOTSUPP;
	if (c->len != sizeof(nr) || read_data(c, 0, &nr, sizeof(nr)))
		return -EINVAL;
	nr = le16toh(nr);
	if (nr < VIRTIO_NET_CTRL_MQ_VQ_PAIRS_MIN || nr > net->nr_pairs)
		return -EINVAL;
	return net_set_pairs(net, nr);
}

static int set_guest_offloads(const struct command *c)
{
	struct virtio_net *net = c->q->net;
	u64 offloads;
	int ret;

	if (c->code != VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET ||
	    !virtio_has_feature(&net->vdev, VIRTIO_NET_F_CTRL_GUEST_OFFLOADS))
		return -EOPNOTSUPP;
	if (c->len != sizeof(offloads) || read_data(c, 0, &offloads, sizeof(offloads)))
		return -EINVAL;
	offloads = le64toh(offloads);
	/* Only what was negotiated, and nothing without what it builds on. */
	if ((offloads & ~(net->vdev.accepted & NET_GUEST_OFFLOADS)) ||
	    !net_features_valid(offloads))
		return -EINVAL;
	hold_receivers(net);
	ret = net->backend->ops->set_offloads(net->backend, net_backend_offloads(offloads));
	if (!ret)
		net->offloads = offloads;
	release_receivers(net);
	return ret;
}

static int execute(struct net_queue *q)
{
	struct virtio_net_ctrl_hdr hdr;
	struct command c = {.q = q};

	if (q->chain.out_len < DATA_START ||
	    virtq_copy_out(q->vq, &q->chain, 0, &hdr, sizeof(hdr)) != sizeof(hdr))
		return -EINVAL;
	c.code = hdr.cmd;
	c.len = q->chain.out_len - DATA_START;
	switch (hdr.class) {
	case VIRTIO_NET_CTRL_RX:
		return set_rx_mode(&c);
	case VIRTIO_NET_CTRL_MAC:
		return do_mac(&c);
	case VIRTIO_NET_CTRL_MQ:
		return set_pairs(&c);
	case VIRTIO_NET_CTRL_GUEST_OFFLOADS:
		return set_guest_offloads(&c);
	default:
		return -EOPNOTSUPP;
	}
}

/* The used length of the command in q->chain. */
static u32 handle_command(struct net_queue *q)
{
	u8 ack;

	/* What cannot be answered is not done either. */
	if (!q->chain.in_len)
		return 0;
	ack = execute(q) ? VIRTIO_NET_ERR : VIRTIO_NET_OK;
	return virtq_copy_in(q->vq, &q->chain, 0, &ack, sizeof(ack)) == sizeof(ack) ? 1 : 0;
}

void net_serve_ctrl(struct net_queue *q)
{
	virtq_disable_kick(q->vq);
	while (!atomic_load(&q->worker.stop)) {
		while (!atomic_load(&q->worker.stop) && virtq_pop(q->vq, &q->chain) > 0) {
			virtq_push(q->vq, q->chain.head, handle_command(q));
			/* The driver waits for each. */
			virtq_publish(q->vq);
		}
		if (!virtq_enable_kick(q->vq))
			virtio_worker_wait(&q->worker, NULL, 0);
		virtq_disable_kick(q->vq);
	}
}
