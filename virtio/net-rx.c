// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the host to the guest: virtio 1.3, 5.1.6.3 and 5.1.6.4.
 *
 * A frame is read into memory of our own first. Only then is it known how many buffers it
 * needs, and none of the driver's memory is open while we wait for one.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "virtio/net-queue.h"

/* What a receive queue waits for. */
enum rx_state {
	RX_BUSY, /* nothing */
	RX_NO_FRAME,
	RX_NO_BUFFER,
	RX_DETACHED, /* the host gives no frames to it */
};

static struct virtio_net_hdr_v1 *frame_header(struct net_queue *q)
{
	return (struct virtio_net_hdr_v1 *)q->frame;
}

/* Fills in the checksum that the host left to us. False if its place makes no sense. */
static bool complete_checksum(u8 *data, u32 len, u16 start, u16 offset)
{
	u64 sum = 0;

	if (start > len || len - start < 2 || offset > len - start - 2)
		return false;
	for (u32 i = start; i + 1 < len; i += 2)
		sum += (u32)data[i] << 8 | data[i + 1];
	if ((len - start) % 2)
		sum += (u32)data[len - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	sum = ~sum & 0xffff;
	/* 0 would say that there is none. */
	if (!sum)
		sum = 0xffff;
	data[start + offset] = sum >> 8;
	data[start + offset + 1] = sum;
	return true;
}

/*
 * Whether the driver agreed to such a frame, and if so fits its header to what it agreed
 * to. Frames that were on their way when it changed its mind may not fit.
 */
static bool fit_header(struct net_queue *q)
{
	struct virtio_net_hdr_v1 *hdr = frame_header(q);
	u64 on = q->net->offloads;
	u64 uso = BIT_ULL(VIRTIO_NET_F_GUEST_USO4) | BIT_ULL(VIRTIO_NET_F_GUEST_USO6);
	u64 need;

	switch (hdr->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE:
		need = 0;
		break;
	case VIRTIO_NET_HDR_GSO_TCPV4:
		need = BIT_ULL(VIRTIO_NET_F_GUEST_TSO4);
		break;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		need = BIT_ULL(VIRTIO_NET_F_GUEST_TSO6);
		break;
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		need = uso;
		break;
	default:
		return false;
	}
	if (hdr->gso_type & VIRTIO_NET_HDR_GSO_ECN)
		need |= BIT_ULL(VIRTIO_NET_F_GUEST_ECN);
	if ((on & need) != need)
		return false;

	hdr->num_buffers = htole16(1);
	if (on & BIT_ULL(VIRTIO_NET_F_GUEST_CSUM)) {
		hdr->flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID;
		return true;
	}
	if ((hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) &&
	    !complete_checksum(q->frame + NET_HDR_SIZE, q->frame_len - NET_HDR_SIZE,
			       le16toh(hdr->csum_start), le16toh(hdr->csum_offset)))
		return false;
	hdr->flags = 0;
	hdr->csum_start = 0;
	hdr->csum_offset = 0;
	return true;
}

/* 5.1.4.1: what is not to be segmented is not longer than the MTU that was agreed on. */
static bool exceeds_mtu(struct net_queue *q)
{
	const struct ethhdr *eth = (const void *)(q->frame + NET_HDR_SIZE);
	u32 limit = q->net->mtu + ETH_HLEN;

	if (!virtio_has_feature(&q->net->vdev, VIRTIO_NET_F_MTU) ||
	    (frame_header(q)->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) != VIRTIO_NET_HDR_GSO_NONE)
		return false;
	if (eth->h_proto == htobe16(ETH_P_8021Q) || eth->h_proto == htobe16(ETH_P_8021AD))
		limit += 4;
	return q->frame_len - NET_HDR_SIZE > limit;
}

static bool wanted(struct net_queue *q)
{
	struct virtio_net *net = q->net;
	u8 mac[ETH_ALEN];

	if (!virtio_has_feature(&net->vdev, VIRTIO_NET_F_CTRL_RX))
		return true;
	pthread_mutex_lock(&net->mac_lock);
	memcpy(mac, net->mac, ETH_ALEN);
	pthread_mutex_unlock(&net->mac_lock);
	return net_filter_accepts(&net->filter, mac, q->frame + NET_HDR_SIZE);
}

/* Why the frame that was just read is not for the driver, as a counter; NULL: it is. */
static _Atomic u64 *refuse(struct net_queue *q)
{
	if (q->frame_len == sizeof(q->frame))
		return &q->counters.too_large;
	if (q->frame_len < NET_HDR_SIZE + ETH_HLEN)
		return &q->counters.malformed;
	if (!wanted(q))
		return &q->counters.filtered;
	if (exceeds_mtu(q))
		return &q->counters.too_large;
	return NULL;
}

/*
 * Gives the frame up. Buffers that it has taken already go back with nothing in them.
 */
static void drop_frame(struct net_queue *q, _Atomic u64 *counter)
{
	net_count(counter, 1);
	for (unsigned int i = 0; i < q->nr_heads; i++)
		virtq_push(q->vq, q->heads[i], 0);
	q->frame_len = 0;
	q->copied = 0;
	q->nr_heads = 0;
}

static enum rx_state read_frame(struct net_queue *q)
{
	unsigned int pair = q->vq->index / 2;
	_Atomic u64 *reason;
	ssize_t len;

	if (!q->net->attached[pair] || atomic_load(&q->net->gone))
		return RX_DETACHED;
	len = read(q->net->backend->fds[pair], q->frame, sizeof(q->frame));
	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return RX_NO_FRAME;
	if (len < 0 && errno == EINVAL) {
		/* A frame that a virtio-net header cannot describe; the kernel has dropped it. */
		net_count(&q->counters.malformed, 1);
		return RX_BUSY;
	}
	if (len <= 0) {
		net_gone(q->net);
		return RX_DETACHED;
	}
	q->frame_len = len;
	reason = refuse(q);
	if (reason)
		drop_frame(q, reason);
	return RX_BUSY;
}

/* The next buffer for the frame; NULL if there is none, with the reason in @state. */
static struct virtq_chain *next_buffer(struct net_queue *q, enum rx_state *state)
{
	struct virtq_chain *chain = q->nr_heads ? &q->next : &q->chain;

	while (q->nr_heads || !q->has_chain) {
		/* A driver can refill the ring for ever: it must be possible to stop. */
		if (atomic_load(&q->worker.stop) || virtq_pop(q->vq, chain) <= 0) {
			*state = RX_NO_BUFFER;
			return NULL;
		}
		if (chain->in_len >= NET_HDR_SIZE) {
			q->has_chain = true;
			break;
		}
		/* Not even a header fits: of no use for any frame. */
		virtq_push(q->vq, chain->head, 0);
	}
	return chain;
}

/* The end of a frame whose bytes are all in the driver's buffers. */
static void complete_frame(struct net_queue *q)
{
	u16 nr = htole16(q->nr_heads);

	if (q->nr_heads > 1 &&
	    virtq_copy_in(q->vq, &q->chain, offsetof(struct virtio_net_hdr_v1, num_buffers), &nr,
			  sizeof(nr)) != sizeof(nr)) {
		drop_frame(q, &q->counters.unreachable);
		return;
	}
	for (unsigned int i = 0; i < q->nr_heads; i++)
		virtq_push(q->vq, q->heads[i], q->lens[i]);
	net_count(&q->counters.packets, 1);
	net_count(&q->counters.bytes, q->frame_len - NET_HDR_SIZE);
	q->frame_len = 0;
	q->copied = 0;
	q->nr_heads = 0;
}

/* Moves the frame to the driver's buffers, as far as there are any. */
static enum rx_state deliver_frame(struct net_queue *q)
{
	bool mergeable = virtio_has_feature(&q->net->vdev, VIRTIO_NET_F_MRG_RXBUF);
	enum rx_state state = RX_BUSY;

	if (!q->net->attached[q->vq->index / 2]) {
		drop_frame(q, &q->counters.stopped);
		return RX_BUSY;
	}
	if (!q->copied) {
		q->frame_offloads = q->net->offloads;
		if (!fit_header(q)) {
			drop_frame(q, &q->counters.malformed);
			return RX_BUSY;
		}
	} else if (q->frame_offloads != q->net->offloads) {
		drop_frame(q, &q->counters.stopped);
		return RX_BUSY;
	}

	while (q->copied < q->frame_len) {
		struct virtq_chain *chain = next_buffer(q, &state);
		u32 part;

		if (!chain)
			return state;
		if (!mergeable && chain->in_len < q->frame_len) {
			/* The buffer stays, for a frame that fits. */
			drop_frame(q, &q->counters.too_large);
			return RX_BUSY;
		}
		part = min((u64)(q->frame_len - q->copied), chain->in_len);
		q->has_chain = false;
		q->heads[q->nr_heads] = chain->head;
		q->lens[q->nr_heads] = part;
		q->nr_heads++;
		if (virtq_copy_in(q->vq, chain, 0, q->frame + q->copied, part) != (ssize_t)part) {
			drop_frame(q, &q->counters.unreachable);
			return RX_BUSY;
		}
		q->copied += part;
		/* All that the ring can hold is not enough: it never will be. */
		if (q->copied < q->frame_len && q->nr_heads == q->vq->size) {
			drop_frame(q, &q->counters.too_large);
			return RX_BUSY;
		}
	}
	complete_frame(q);
	return RX_BUSY;
}

/* Moves frames for the time of a batch, or until there is something to wait for. */
static enum rx_state move_frames(struct net_queue *q)
{
	enum rx_state state = RX_BUSY;
	u64 start = net_now();

	net_queue_enter(q);
	while (state == RX_BUSY && !atomic_load(&q->worker.stop)) {
		if (!q->frame_len)
			state = read_frame(q);
		if (q->frame_len)
			state = deliver_frame(q);
		if (net_now() - start >= NET_BATCH_NS)
			break;
	}
	virtq_publish(q->vq);
	net_queue_leave(q);
	return state;
}

void net_serve_rx(struct net_queue *q)
{
	struct pollfd frames = {
		.fd = q->net->backend->fds[q->vq->index / 2],
		.events = POLLIN,
	};

	/* What was on its way when the queue stopped had the buffers of another time. */
	net_queue_enter(q);
	q->has_chain = false;
	q->nr_heads = 0;
	if (q->frame_len)
		drop_frame(q, &q->counters.stopped);
	net_queue_leave(q);
	virtq_disable_kick(q->vq);
	while (!atomic_load(&q->worker.stop)) {
		switch (move_frames(q)) {
		case RX_BUSY:
			break;
		case RX_NO_FRAME:
			virtio_worker_wait(&q->worker, &frames, 1);
			break;
		case RX_NO_BUFFER:
			if (!virtq_enable_kick(q->vq))
				virtio_worker_wait(&q->worker, NULL, 0);
			virtq_disable_kick(q->vq);
			break;
		case RX_DETACHED:
			virtio_worker_wait(&q->worker, NULL, 0);
			break;
		}
	}
}
